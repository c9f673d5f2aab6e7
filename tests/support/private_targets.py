"""Spellings of private addresses, tried against a daemon whose defence is on. Run inside a network namespace of its own, where the
private addresses are local and a trap listens on all of them: python3 -m tests.support.private_targets guarded|open|flip. flip needs
a mount namespace, too, and makes a name that is public at first point to a private address. Prints one JSON object."""
import json
import socket
import subprocess
import sys
import tempfile
import threading

from tests.support.daemon import Daemon, wait_for

LOCAL = ["10.0.0.1", "10.255.255.254", "100.64.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254",
         "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "fd00::1", "fe80::1", "fc00::1",
         "2001:db8::1", "2002:7f00:1::1", "64:ff9b::7f00:1", "2001::1", "fec0::1"]
HOSTS = ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "0x7f.1", "127.0.0.1.",
         "127.127.127.127", "127.255.255.254", "0", "0.0.0.0", "0x0", "00.0.0.0", "localhost", "LOCALHOST", "localhost.", "%6cocalhost",
         "127.0.0.1%00", "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127\uff0e0\uff0e0\uff0e1",
         "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]",
         "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::127.0.0.1]", "[fe80::1%25lo]",
         "10.1", "167772161", "0x0a000001", "012.0.0.1", "169.254.43518", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
         "192.168.1", "3232235521", "0xc0a80001", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[ff02::1]"] + \
    [f"[{a}]" if ":" in a else a for a in LOCAL]
ODD = ["http://user@127.0.0.1:{port}/", "http://example.com@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@example.com/",
       "http://127.0.0.1:{port}\\@example.com/", "http:127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}/",
       "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/x", "http://127.0.0.1 :{port}/"]


class Trap:
    """Counts connections on every local address."""

    def __init__(self):
        self.connections = 0
        self.socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.socket.accept()
            self.connections += 1
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()


def main(mode):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in LOCAL:
        subprocess.run(["ip", "addr", "add", address + ("/128" if ":" in address else "/32"), "dev", "lo"], check=True)
    trap = Trap()
    urls = [f"http://{host}:{trap.port}/x" for host in HOSTS] + [odd.format(port=trap.port) for odd in ODD]
    # A range that is none of the targets' lets the operator use plain http at all.
    options = {"allow_private": "192.0.2.200/32", "webhooks_schedule": "0,3000", "plan_enterprise": "0,0,0", "address_limit": "0"}
    daemon = Daemon(**options)
    if mode == "guarded":
        del daemon.options["allow_private_networks"]
    refused, ends, hooks = 0, {}, {}
    with daemon:
        for url in urls:
            answer = daemon.post("/v1/webhooks/", {"url": url, "events": ["lead.created"]})
            if answer.status == 400:
                refused += 1
                continue
            hooks[url] = daemon.ok(answer, 201)["id"]
            daemon.ok(daemon.post(f"/v1/webhooks/{hooks[url]}/test/"), 202)
        def ended():
            for url, hook in hooks.items():
                rows = daemon.ok(daemon.get(f"/v1/webhooks/{hook}/deliveries/"))["data"]
                if url not in ends and rows and rows[0]["attemptCount"] > 0:
                    path = f"/v1/webhooks/{hook}/deliveries/{rows[0]['id']}/"
                    ends[url] = daemon.ok(daemon.get(path))["attempts"][0].get("error", "answered")
            return len(ends) == len(hooks)
        wait_for(ended, "every attempt", 60)
    print(json.dumps({"tried": len(urls), "refused": refused, "ends": ends, "connections": trap.connections}))


PUBLIC = "93.184.216.34"


class Listener:
    """Counts requests on one address and says 200."""

    def __init__(self, address, port=0):
        self.requests = 0
        self.socket = socket.create_server((address, port), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.socket.accept()
            self.requests += 1
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()


def name(address, *more):
    """What the name server says from now on."""
    with open("/etc/hosts", "w", encoding="ascii") as hosts:
        hosts.writelines(f"{a} flip.example\n" for a in (address, *more))


def first_end(daemon, hook, event):
    """How the first attempt to bring that event ended, once it has."""
    rows = daemon.ok(daemon.get(f"/v1/webhooks/{hook}/deliveries/"))["data"]
    row = next(r for r in rows if event in r.values())
    attempts = daemon.ok(daemon.get(f"/v1/webhooks/{hook}/deliveries/{row['id']}/"))["attempts"]
    return attempts and attempts[0].get("error", "answered")


def flip():
    with tempfile.NamedTemporaryFile() as hosts:
        subprocess.run(["mount", "--bind", hosts.name, "/etc/hosts"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "addr", "add", f"{PUBLIC}/32", "dev", "lo"], check=True)
        public = Listener(PUBLIC)
        private = Listener("127.0.0.1", public.port)
        daemon = Daemon(allow_private="192.0.2.200/32")  # lets the operator use plain http at all
        del daemon.options["allow_private_networks"]
        ends = []
        with daemon:
            name(PUBLIC)
            hook = daemon.ok(daemon.post("/v1/webhooks/", {"url": f"http://flip.example:{public.port}/", "events": ["lead.created"]}), 201)["id"]
            for addresses in ((PUBLIC,), ("127.0.0.1",), ("169.254.169.254",), ("127.0.0.1", PUBLIC)):
                name(*addresses)
                daemon.restart()  # forgets what the name was before
                event = daemon.ok(daemon.post(f"/v1/webhooks/{hook}/test/"), 202)["eventId"]
                ends.append(wait_for(lambda event=event: first_end(daemon, hook, event), "an attempt", 30))
        print(json.dumps({"ends": ends, "public": public.requests, "private": private.requests}))


if __name__ == "__main__":
    flip() if sys.argv[1] == "flip" else main(sys.argv[1])
