"""Customers' apps that misbehave: one raw socket server each, with a manner of its own."""
import email.utils
import socket
import struct
import threading
import time


def answer(status, *headers, body=b""):
    """The bytes of a plain answer."""
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def read_request(client):
    """(head, body) of one request, None when the peer is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < size:
        body += client.recv(65536)
    return head.decode("latin-1"), body


class Receiver:
    """Receiver(manner).url; .seen holds (moment, head, body) of each request. manner(client, receiver) answers one request and
    returns True to keep the connection. tls: a server's SSLContext."""

    def __init__(self, manner, tls=None):
        self.manner, self.seen, self.open = manner, [], True
        self.tls = tls
        self.clients = set()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.socket.getsockname()[1]}/hook"
        self.stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.open = False
        self.stopped.set()
        self.socket.close()
        for client in list(self.clients):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while self.open:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self.clients.add(client)
        try:
            with self.tls.wrap_socket(client, server_side=True) if self.tls else client as client:
                while self.open:
                    request = read_request(client)
                    if request is None:
                        return
                    self.seen.append((time.monotonic(), *request))
                    if not self.manner(client, self):
                        return
        except OSError:
            pass
        finally:
            self.clients.discard(client)


def plain(*raw):
    """Gives these answers in turn, the last one for ever."""
    def manner(client, receiver):
        client.sendall(raw[min(len(receiver.seen), len(raw)) - 1])
        return True
    return manner


def hanging(_, receiver):
    receiver.stopped.wait()
    return False


def slow(seconds):
    def manner(client, receiver):
        receiver.stopped.wait(seconds)
        client.sendall(answer(200))
        return True
    return manner


def dripping(client, receiver):
    """A head that never ends, byte by byte."""
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not receiver.stopped.wait(0.2):
        client.sendall(b"a")
    return False


def reset(client, _):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def huge(client, _):
    """A body of 10 GB, announced and begun."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
    block = b"x" * 65536
    for _ in range(163840):
        client.sendall(block)
    return False


def header_flood(client, _):
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000000):
        client.sendall(b"X-Flood-%d: " % number + b"y" * 1000 + b"\r\n")
    return False


def garbage(client, _):
    client.sendall(b"\x16\x03\x01\x00this is not http at all\r\n\r\n")
    return False


REDIRECT = answer(301, "Location: http://169.254.169.254/latest/meta-data/")
GONE = answer(410)


def busy(after):
    """429 with that Retry-After; a number of seconds from now as an HTTP date if negative."""
    def manner(client, _):
        value = str(after) if after >= 0 else email.utils.formatdate(time.time() - after, usegmt=True)
        client.sendall(answer(429, f"Retry-After: {value}"))
        return True
    return manner
