"""Files that are uploaded: they go to the disk while they come, whatever their size, and nothing half-stored stays."""
import hashlib
import http.client
import os
import socket
import unittest
import urllib.parse

from tests.support.daemon import CHASQUI, Daemon, wait_for

FILE_MAX = 25 << 20


def form(*parts, boundary="XX"):
    """multipart/form-data out of (name, file name or None, type, bytes)."""
    out = b""
    for name, filename, mime_type, data in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{filename}"'.encode() if filename is not None else b""
        out += b"\r\n" + (f"Content-Type: {mime_type}\r\n".encode() if mime_type else b"") + b"\r\n" + data + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


def sanitized():
    """True if the binary's own memory says nothing."""
    with open(CHASQUI, "rb") as binary:
        code = binary.read()
    return b"__asan_init" in code or b"__tsan_init" in code


FORM = {"Content-Type": "multipart/form-data; boundary=XX"}


def memory(daemon, field):
    """The daemon's resident memory in KiB: now (VmRSS) or at its peak (VmHWM)."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


class WithDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def upload(self, body, headers=None, path="/api/v1/files/"):
        return self.daemon.call("POST", path, body, headers=FORM if headers is None else headers)

    def left(self):
        return os.listdir(os.path.join(self.daemon.data, "uploads"))


class Uploads(WithDaemon):
    def refused(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        self.assertTrue(answer.json["error"]["message"])
        self.assertEqual(self.left(), [])
        return answer.json["error"]

    def test_a_byte_too_many_is_refused_and_nothing_stays(self):
        error = self.refused(self.upload(form(("file", "a", None, bytes(FILE_MAX + 1)))), 413)
        self.assertEqual(error["code"], "PAYLOAD_TOO_LARGE")

    def test_several_files_and_their_names(self):
        files = self.daemon.ok(self.upload(form(("file", "../../etc/menú.txt", "text/plain", "menú".encode()),
                                               ("file", "C:\\\\x\\\\b.png", "image/png", b"\x89PNG\r\n\x1a\n--XX"))), 201)["files"]
        self.assertEqual([(f["name"], f["mime_type"], f["size"]) for f in files],
                         [("menú.txt", "text/plain; charset=utf-8", 5), ("b.png", "image/png", 12)])
        raw = self.daemon.ok(self.upload(b"hello", {"Content-Type": "text/plain"}, "/api/v1/files/?name=..%2Fa%22b.txt"), 201)
        self.assertEqual(raw["files"][0]["name"], "a_b.txt")

    def test_what_is_no_form_or_names_another_field(self):
        self.refused(self.upload(b"rubbish"), 400)
        self.refused(self.upload(form(("file", "a", None, b"x"))[:-6]), 400)
        self.refused(self.upload(b"x", {"Content-Type": "multipart/form-data"}), 400)
        error = self.refused(self.upload(form(("file", "a", None, b"x"), ("note", None, None, b"y"))), 400)
        self.assertEqual((error["code"], error["field"]), ("UNKNOWN_PARAMETER", "note"))
        self.refused(self.upload(form(("fiel", "a", None, b"x"))), 400)
        self.refused(self.upload(form(("file", "", None, b""))), 400)
        self.refused(self.upload(b"", {"Content-Type": "image/png"}), 400)

    def test_a_large_body_to_a_wrong_address_hears_that_it_is_wrong(self):
        self.refused(self.upload(bytes(1 << 20), path="/api/v1/filez/"), 404)
        self.assertEqual(self.daemon.call("PUT", "/api/v1/files/", bytes(1 << 20), headers=FORM).status, 405)

    def test_without_a_good_key_no_byte_is_taken(self):
        host = self.daemon.url.partition("://")[2]
        client = http.client.HTTPConnection(host, timeout=20)
        client.putrequest("POST", "/api/v1/files/")
        client.putheader("Authorization", "Bearer ck_live_wrong")
        client.putheader("Content-Type", "image/png")
        client.putheader("Content-Length", str(FILE_MAX))
        client.endheaders()
        self.assertEqual(client.getresponse().status, 401)
        client.close()
        self.assertEqual(self.left(), [])

    def test_a_client_that_leaves_midway_leaves_nothing(self):
        host = self.daemon.url.partition("://")[2]
        client = http.client.HTTPConnection(host, timeout=20)
        client.putrequest("POST", "/api/v1/files/")
        client.putheader("Authorization", "Bearer " + self.daemon.live)
        client.putheader("Content-Length", "1000000")
        client.endheaders(b"x" * 1000)
        wait_for(self.left, "a temporary file")
        client.close()
        wait_for(lambda: not self.left(), "its end")

    def test_a_key_of_idempotency_tells_files_apart(self):
        headers = {**FORM, "Idempotency-Key": "up-1"}
        first = self.upload(form(("file", "a", None, b"one")), headers)
        again = self.upload(form(("file", "a", None, b"one")), headers)
        other = self.upload(form(("file", "a", None, b"two")), headers)
        self.assertEqual((first.status, again.status, other.status), (201, 201, 409))
        self.assertEqual(again.json, first.json)
        self.assertEqual(again.headers["idempotency-replayed"], "true")

    def test_what_a_killed_daemon_left_is_gone_after_the_start(self):
        host = self.daemon.url.partition("://")[2]
        client = http.client.HTTPConnection(host, timeout=20)
        client.putrequest("POST", "/api/v1/files/")
        client.putheader("Authorization", "Bearer " + self.daemon.live)
        client.putheader("Content-Length", "1000000")
        client.endheaders(b"x" * 1000)
        wait_for(self.left, "a temporary file")
        self.daemon.restart()
        client.close()
        self.assertEqual(self.left(), [])


class Large(WithDaemon):
    def test_the_largest_file_costs_no_memory_and_comes_back_whole(self):
        self.daemon.ok(self.upload(form(("file", "small.bin", None, b"x"))), 201)
        data = os.urandom(1 << 20) * 25
        body = form(("file", "large.bin", "application/octet-stream", data))
        before = memory(self.daemon, "VmRSS")
        file = self.daemon.ok(self.upload(body), 201)["files"][0]
        grown = memory(self.daemon, "VmHWM") - before
        print(f"upload of 25 MiB: memory grew by {grown} KiB at its peak")
        self.assertTrue(sanitized() or grown < 4096)
        self.assertEqual((file["size"], file["sha256"]), (FILE_MAX, hashlib.sha256(data).hexdigest()))
        self.assertEqual(self.left(), [])
        self.assertEqual(hashlib.sha256(self.daemon.get(file["url"]).body).hexdigest(), file["sha256"])


class Downloads(WithDaemon):
    def setUp(self):
        self.bytes = bytes(range(256)) * 5000
        self.path = f"/api/v1/files/{self.daemon.ok(self.upload(self.bytes, {'Content-Type': 'image/png'}), 201)['files'][0]['id']}/"

    def ask(self, method="GET", **fields):
        return self.daemon.call(method, self.path, headers={name.replace("_", "-"): value for name, value in fields.items()})

    def test_a_part_is_sent_to_those_who_ask_for_one(self):
        whole, size = self.ask(), len(self.bytes)
        self.assertEqual((whole.status, whole.body == self.bytes, whole.headers["accept-ranges"]), (200, True, "bytes"))
        self.assertEqual(whole.headers["content-length"], str(size))
        self.assertNotIn("transfer-encoding", whole.headers)
        for asked, first, end in (("0-0", 0, 1), ("10-19", 10, 20), (f"{size - 3}-", size - 3, size), ("-5", size - 5, size),
                                  (f"5-{size * 9}", 5, size), (f"-{size * 2}", 0, size), ("70000-500000", 70000, 500001)):
            part = self.ask(Range="bytes=" + asked)
            self.assertEqual((part.status, part.headers["content-range"]), (206, f"bytes {first}-{end - 1}/{size}"), asked)
            self.assertEqual(part.body, self.bytes[first:end], asked)
        for asked in (f"bytes={size}-", "bytes=-0", f"bytes={size + 5}-{size + 9}"):
            none = self.ask(Range=asked)
            self.assertEqual((none.status, none.headers["content-range"]), (416, f"bytes */{size}"), asked)
            self.assertEqual(none.json["error"]["code"], "RANGE_NOT_SATISFIABLE")
        for asked in ("bytes=", "bytes=5", "bytes=9-5", "bytes=a-b", "bytes=0-1,5-6", "items=0-1", "bytes=--1", "bytes=" + "9" * 40 + "-"):
            self.assertEqual((self.ask(Range=asked).status, asked), (200, asked))

    def test_a_broken_download_goes_on_only_where_the_bytes_are_the_same(self):
        tag = self.ask("HEAD").headers["etag"]
        self.assertEqual(self.ask(Range="bytes=5-9", If_Range=tag).status, 206)
        for other in ('"other"', "W/" + tag, "Sat, 21 Nov 2026 04:09:11 GMT"):
            self.assertEqual(self.ask(Range="bytes=5-9", If_Range=other).status, 200)
        self.assertEqual((self.ask(If_None_Match=tag).status, self.ask(If_None_Match='"other"').status), (304, 200))
        head = self.ask("HEAD", Range="bytes=5-9")
        self.assertEqual((head.status, head.headers["content-length"], head.body), (206, "5", b""))

    def test_a_client_that_takes_nothing_holds_no_file_in_memory(self):
        big = self.daemon.ok(self.upload(bytes(20 << 20), {"Content-Type": "image/png"}), 201)["files"][0]["id"]
        before, target = memory(self.daemon, "VmRSS"), urllib.parse.urlsplit(self.daemon.url)
        sockets = [socket.create_connection((target.hostname, target.port)) for _ in range(20)]
        for each in sockets:
            self.addCleanup(each.close)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.sendall(f"GET /api/v1/files/{big}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.daemon.live}\r\n\r\n".encode())
        for each in sockets:
            self.assertTrue(each.recv(100).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.daemon.get("/api/v1/me/").status, 200)
        if not sanitized():
            self.assertLess(memory(self.daemon, "VmRSS") - before, 20 * 1024, "KiB for twenty files of twenty MiB")


class Trouble(unittest.TestCase):
    def test_a_fault_inside_is_a_500_with_a_message_and_nothing_of_the_inside(self):
        """NEXV-28: the stored bytes are damaged behind the daemon's back; what comes out tells nothing of paths or code."""
        with Daemon() as daemon:
            file = daemon.ok(daemon.call("POST", "/api/v1/files/?name=a.txt", b"hello", headers={"Content-Type": "text/plain"}), 201)
            file = file["files"][0]
            blob = os.path.join(daemon.data, "blobs", file["sha256"][:2], file["sha256"][2:])
            with open(blob, "wb") as handle:
                handle.write(b"jello")
            answer = daemon.get(file["url"])
            self.assertEqual(answer.status, 500)
            self.assertEqual(answer.json["error"]["code"], "INTERNAL_ERROR")
            self.assertEqual(answer.json["message"], answer.json["error"]["message"])
            self.assertTrue(answer.json["error"]["request_id"])
            for inside in (daemon.data, file["sha256"], "blob", ".c:", "ERR_", "backtrace", "errno", "0x"):
                self.assertNotIn(inside.encode(), answer.body)
            self.assertIn(answer.json["error"]["request_id"], daemon.log_text())
            self.assertEqual(daemon.get("/api/v1/me/").status, 200)

    def test_a_large_damaged_file_never_comes_out_whole(self):
        with Daemon() as daemon:
            file = daemon.ok(daemon.call("POST", "/api/v1/files/", bytes(1 << 20), headers={"Content-Type": "image/png"}), 201)["files"][0]
            with open(os.path.join(daemon.data, "blobs", file["sha256"][:2], file["sha256"][2:]), "r+b") as handle:
                handle.seek(700000)
                handle.write(b"x")
            with self.assertRaises(http.client.IncompleteRead):
                daemon.get(file["url"])
            self.assertIn("files.damaged", daemon.log_text())


if __name__ == "__main__":
    unittest.main()
