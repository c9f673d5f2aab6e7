"""The HTTP front as a whole daemon shows it: what it costs, whom it turns away, what it packs."""
import gzip
import json
import os
import resource
import selectors
import socket
import statistics
import time
import unittest

from tests.integration.test_uploads import memory, sanitized
from tests.support.daemon import Daemon, http, wait_for

IDLE = 10000
DRIPPING = 200


def address_of(daemon):
    host, _, port = daemon.url.partition("://")[2].rpartition(":")
    return host, int(port)


def connect(daemon):
    return socket.create_connection(address_of(daemon), timeout=20)


def ask(sock, path="/healthz", fields=""):
    """One request on an open connection; (status, fields in lower case, body)."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    named = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(named.get("content-length", 0)):
        body += sock.recv(65536)
    return int(lines[0].split()[1]), named, body


def is_closed(sock):
    sock.settimeout(20)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def latencies(daemon, seconds):
    """Milliseconds of single requests, each on a connection of its own, for a while."""
    out, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        with connect(daemon) as sock:
            assert ask(sock)[0] == 200
        out.append((time.monotonic() - begin) * 1000)
        time.sleep(0.005)
    return sorted(out)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Connections(unittest.TestCase):
    def test_one_address_takes_no_more_than_its_share_until_it_shows_a_key(self):
        with Daemon(http_connections_per_address=5) as daemon:
            key = f"Authorization: Bearer {daemon.live}\r\n"
            strangers = [connect(daemon) for _ in range(5)]
            for sock in strangers:
                self.assertEqual(ask(sock)[0], 200)
            with connect(daemon) as sixth:
                self.assertTrue(is_closed(sixth))
            self.assertIn("http.address_full", daemon.log_text())
            for sock in strangers:
                self.addCleanup(sock.close)
            self.assertEqual(ask(strangers[0], "/api/v1/me/", key)[0], 200)
            known = [strangers.pop(0)]
            for _ in range(20):
                known.append(connect(daemon))
                self.assertEqual(ask(known[-1], "/api/v1/me/", key)[0], 200, "who shows a key counts no longer")
            strangers.append(connect(daemon))
            self.assertEqual(ask(strangers[-1])[0], 200)
            with connect(daemon) as seventh:
                self.assertTrue(is_closed(seventh))
            with socket.create_connection(address_of(daemon), timeout=20, source_address=("127.0.0.2", 0)) as other:
                self.assertEqual(ask(other)[0], 200, "another address has a share of its own")
            self.assertEqual(daemon.cli("get", "/admin/status/").returncode, 0, "nor does the administration socket count")
            strangers.pop().close()

            def served():
                with connect(daemon) as sock:
                    try:
                        return ask(sock) is not None
                    except ConnectionError:
                        return False
            wait_for(served, "room after a close")
            for sock in strangers + known:
                sock.close()

    def test_a_connection_ends_in_order_after_its_requests(self):
        with Daemon(http_requests_per_connection=3) as daemon, connect(daemon) as sock:
            said = [ask(sock)[1].get("connection") for _ in range(3)]
            self.assertEqual(said, [None, None, "close"])
            self.assertTrue(is_closed(sock))
            with connect(daemon) as pipelined:
                pipelined.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
                data = b""
                while True:
                    piece = pipelined.recv(65536)
                    if not piece:
                        break
                    data += piece
                self.assertEqual(data.count(b"HTTP/1.1 200"), 3, "what came behind the last was not begun")


class Keys(unittest.TestCase):
    def test_a_key_that_was_just_used_is_refused_at_once_when_revoked(self):
        """What a thread remembers of a key never outlives the key: on the same connection, used a moment ago."""
        with Daemon(http_threads=2) as daemon:
            made = daemon.ok(daemon.post("/api/v1/keys/", {"name": "short", "mode": "live"}), 201)
            fields = f"Authorization: Bearer {made['key']}\r\n"
            socks = [connect(daemon) for _ in range(4)]
            for sock in socks * 3:
                self.assertEqual(ask(sock, "/api/v1/me/", fields)[0], 200)
            daemon.ok(daemon.delete(f"/api/v1/keys/{made['id']}/"))
            self.assertEqual([ask(sock, "/api/v1/me/", fields)[0] for sock in socks], [401] * 4)
            for sock in socks:
                sock.close()


class Packing(unittest.TestCase):
    def test_large_json_leaves_packed_for_those_who_take_it(self):
        with Daemon() as daemon:
            plain = http("GET", daemon.url + "/openapi.json")
            packed = http("GET", daemon.url + "/openapi.json", headers={"Accept-Encoding": "br, gzip;q=0.8"})
            refused = http("GET", daemon.url + "/openapi.json", headers={"Accept-Encoding": "gzip;q=0, *;q=0"})
            self.assertEqual((plain.headers.get("content-encoding"), refused.headers.get("content-encoding")), (None, None))
            self.assertEqual(packed.headers["content-encoding"], "gzip")
            self.assertEqual(json.loads(gzip.decompress(packed.body)), plain.json)
            for answer in (plain, packed, refused):
                self.assertIn("Accept-Encoding", answer.headers["vary"])
            small = daemon.get("/api/v1/me/", headers={"Accept-Encoding": "gzip"})
            self.assertNotIn("content-encoding", small.headers)
            print(f"openapi.json: {len(plain.body)} bytes, {len(packed.body)} packed")


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (cls.limits[1], cls.limits[1]))

    @classmethod
    def tearDownClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.limits)

    def test_ten_thousand_idle_connections_cost_little(self):
        if self.limits[1] < IDLE + 500:
            self.skipTest(f"only {self.limits[1]} descriptors are allowed here")
        with Daemon(http_connections=20000, http_connections_per_address=0, http_idle_timeout="10m") as daemon:
            socks = [connect(daemon)]
            ask(socks[0])
            before = memory(daemon, "VmRSS")
            begin = cpu_seconds(daemon.process.pid)
            while len(socks) <= IDLE:
                socks.append(connect(daemon))
                self.assertEqual(ask(socks[-1])[0], 200)
            each = (memory(daemon, "VmRSS") - before) * 1024 / IDLE
            opened = cpu_seconds(daemon.process.pid)
            time.sleep(2)
            idle = (cpu_seconds(daemon.process.pid) - opened) / 2
            usual = latencies(daemon, 0.5)
            print(f"{IDLE} idle connections: {each:.0f} bytes each, {opened - begin:.2f} s of CPU to open and serve, "
                  f"{idle:.1%} of a core while idle, a new request {statistics.median(usual):.2f} ms")
            self.assertTrue(sanitized() or each < 8192)
            for sock in socks:
                sock.close()

    def test_dripping_clients_are_gone_at_their_deadline_and_nobody_waits_for_them(self):
        head, body = 2.0, 2.0
        with Daemon(http_head_timeout="2s", http_body_timeout="2s", http_connections_per_address=0) as daemon:
            usual = latencies(daemon, 1.0)
            drips = {}
            watch = selectors.DefaultSelector()
            for i in range(DRIPPING):
                sock = connect(daemon)
                sock.sendall(b"GET / HTTP/1.1\r\nX-A: " if i % 2 else
                             b"POST /hooks/whatsapp/x/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
                sock.setblocking(False)
                drips[sock] = time.monotonic()
                watch.register(sock, selectors.EVENT_READ)
            gone, beside, statuses = [], [], set()
            deadline = time.monotonic() + 15
            while drips and time.monotonic() < deadline:
                for key, _ in watch.select(0.1):
                    sock = key.fileobj
                    try:
                        data = sock.recv(4096)
                    except OSError:
                        data = b""
                    if data:
                        statuses.add(data.split()[1].decode())
                    watch.unregister(sock)
                    gone.append(time.monotonic() - drips.pop(sock))
                    sock.close()
                for sock in list(drips):
                    try:
                        sock.send(b"x")
                    except OSError:
                        pass
                begin = time.monotonic()
                with connect(daemon) as sock:
                    self.assertEqual(ask(sock)[0], 200)
                beside.append((time.monotonic() - begin) * 1000)
            self.assertEqual(len(gone), DRIPPING, "all are gone")
            print(f"{DRIPPING} dripping clients gone after {min(gone):.2f} to {max(gone):.2f} s (deadline {head:.0f} s); others served in "
                  f"{statistics.median(beside):.2f} ms, usually {statistics.median(usual):.2f} ms")
            self.assertEqual(statuses, {"408"})
            self.assertGreaterEqual(min(gone), min(head, body) - 0.3)
            self.assertLess(max(gone), max(head, body) + 2.0)
            self.assertLess(statistics.median(beside), 10 * statistics.median(usual) + 20)

    def test_descriptors_run_out_without_heat_or_noise(self):
        with Daemon(http_connections_per_address=0, http_idle_timeout="10m", http_head_timeout="10m") as daemon:
            pid = daemon.process.pid
            open_now = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 20, self.limits[1]))
            lines = daemon.log_text().count("\n")
            socks = []
            for _ in range(300):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(address_of(daemon))
                socks.append(sock)
            wait_for(lambda: "http.accept_failed" in daemon.log_text(), "the lack to be noticed")
            begin, cpu = time.monotonic(), cpu_seconds(pid)
            time.sleep(5)
            share = (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
            written = daemon.log_text().count("\n") - lines
            print(f"descriptors exhausted for 5 s: {share:.1%} of a core, {written} log lines")
            self.assertLess(share, 0.05)
            self.assertLess(written, 100)
            for sock in socks:
                sock.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (self.limits[1], self.limits[1]))
            wait_for(lambda: http("GET", daemon.url + "/healthz").status == 200, "service again")


if __name__ == "__main__":
    unittest.main()
