"""HTTPS by the daemon itself: versions, a renewed certificate without dropping anybody, a bad one refused."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from tests.support.daemon import Daemon, wait_for


class Tls(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="chasqui-tls-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.chain, self.key = (os.path.join(self.dir, name) for name in ("chain.pem", "key.pem"))
        self.certify("first")
        self.daemon = Daemon(tls_cert=self.chain, tls_key=self.key).start()
        self.addCleanup(self.daemon.close)
        self.address = ("127.0.0.1", int(self.daemon.url.rpartition(":")[2]))

    def certify(self, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.chain], check=True, capture_output=True)

    def connect(self, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        return context.wrap_socket(socket.create_connection(self.address, timeout=20))

    def me(self, connection, close=False):
        connection.sendall(b"GET /api/v1/me/ HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n" if close else b"") +
                           f"Authorization: Bearer {self.daemon.live}\r\n\r\n".encode())
        stream = connection.makefile("rb")
        status, length = int(stream.readline().split()[1]), 0
        while (line := stream.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, len(stream.read(length)) == length, stream

    def common_name(self):
        with self.connect() as connection:
            der = connection.getpeercert(binary_form=True)
        done = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der, capture_output=True, check=True)
        return done.stdout.decode().rpartition("=")[2].strip()

    def test_convo_11_https_from_version_1_2(self):
        self.assertTrue(self.daemon.url.startswith("https://"))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.connect(version) as connection:
                self.assertEqual([self.me(connection)[:2] for _ in range(3)], [(200, True)] * 3)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(ssl.TLSVersion.TLSv1_1)

    def test_a_close_is_clean_and_large_bodies_pass(self):
        began = time.monotonic()
        with self.connect() as connection:
            status, whole, stream = self.me(connection, close=True)
            self.assertEqual((status, whole, stream.read()), (200, True, b""))
        self.assertLess(time.monotonic() - began, 1.5)
        body = b'{"title": "Long", "content": "' + b"word " * 150000 + b'"}'
        with self.connect() as connection:
            connection.sendall(f"POST /api/v1/agents/{self.daemon.agent}/knowledge/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                               f"Authorization: Bearer {self.daemon.live}\r\n\r\n".encode() + body)
            self.assertIn(b" 201 ", connection.makefile("rb").readline())

    def test_plain_http_and_broken_handshakes_disturb_nobody(self):
        for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 64, b""):
            with socket.create_connection(self.address, timeout=20) as connection:
                connection.sendall(first)
                with contextlib.suppress(OSError):  # the daemon may have hung up already
                    connection.shutdown(socket.SHUT_WR)
                    self.assertNotIn(b"HTTP/1.1 2", connection.recv(4096))
        with self.connect() as connection:
            self.assertEqual(self.me(connection)[0], 200)

    def test_a_renewed_certificate_drops_nobody_and_a_bad_one_changes_nothing(self):
        self.assertEqual(self.common_name(), "first")
        with self.connect() as connection:
            self.assertEqual(self.me(connection)[0], 200)
            self.certify("second")
            self.daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: self.common_name() == "second", "the new certificate")
            self.assertEqual(self.me(connection)[0], 200)
            with open(self.chain, "w", encoding="ascii") as handle:
                handle.write("nothing of use\n")
            self.daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "serve.tls_kept" in self.daemon.log_text(), "the refusal")
            self.assertEqual((self.common_name(), self.me(connection)[0]), ("second", 200))
