"""Files that are uploaded: they go to the disk while they come, whatever their size, and nothing half-stored stays."""
import hashlib
import http.client
import os
import unittest

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


if __name__ == "__main__":
    unittest.main()
