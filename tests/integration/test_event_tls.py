"""Events over TLS: receivers whose certificates are not in order get nothing, those in order get it over HTTP/2 if they offer it."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from tests.integration.test_events import EventCase
from tests.support import receivers
from tests.support.daemon import CHASQUI, Daemon, wait_for
from tests.support.receivers import Receiver, plain

NGINX = next((path for path in (shutil.which("nginx"), "/usr/sbin/nginx") if path and os.access(path, os.X_OK)), None)
CONFIG = """daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  log_format told '$server_protocol $request_method $status $http_x_convoai_event $connection';
  access_log {dir}/access.log told;
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {dir}/good.crt; ssl_certificate_key {dir}/good.key;
    location / {{ return 200 "thanks"; }}
  }}
}}
"""


class Authority:
    """Certificates of an authority of our own, in a folder: NAME.crt and NAME.key."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="chasqui-ca-")
        self.file = os.path.join(self.dir, "ca.crt")
        self.issue("ca", "Test authority", None)

    def run(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def issue(self, name, subject, san, days=30, signed=True):
        """A certificate of 127.0.0.1 or what san says; signed by the authority unless it is to sign itself."""
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={subject}",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr")
        with open(os.path.join(self.dir, f"{name}.ext"), "w", encoding="ascii") as extensions:
            extensions.write(f"subjectAltName={san}\n" if san else "basicConstraints=critical,CA:TRUE\n")
        signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"] if san and signed else ["-signkey", f"{name}.key"]
        self.run("x509", "-req", "-in", f"{name}.csr", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.crt", *signer)

    def context(self, name):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(os.path.join(self.dir, f"{name}.crt"), os.path.join(self.dir, f"{name}.key"))
        return made

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class TlsCase(EventCase):
    def setUp(self):
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        self.options = {"webhooks_schedule": "0,1", "ca_file": self.authority.file}
        super().setUp()

    def tls(self, name):
        made = Receiver(plain(receivers.answer(200)), self.authority.context(name))
        self.addCleanup(made.close)
        return made


class Certificates(TlsCase):
    def test_only_a_certificate_in_order_gets_anything_and_the_others_are_told_why(self):
        self.authority.issue("good", "receiver", "IP:127.0.0.1")
        self.authority.issue("expired", "receiver", "IP:127.0.0.1", days=-1)
        self.authority.issue("own", "receiver", "IP:127.0.0.1", signed=False)
        self.authority.issue("other", "other", "DNS:other.example")
        stranger = Authority()
        self.addCleanup(stranger.close)
        stranger.issue("good", "receiver", "IP:127.0.0.1")
        bad = {"expired": (self.tls("expired"), "certificate has expired"),
               "self-signed": (self.tls("own"), "self[- ]signed certificate"),
               "wrong host": (self.tls("other"), "subject name .*127.0.0.1"),
               "unknown authority": (Receiver(plain(receivers.answer(200)), stranger.context("good")), "issuer certificate"),
               "no TLS at all": (self.receiver(receivers.garbage), "SSL|TLS|wrong version")}
        self.addCleanup(bad["unknown authority"][0].close)
        bad["no TLS at all"][0].url = bad["no TLS at all"][0].url.replace("http:", "https:")
        good = self.tls("good")
        hook = self.hook(good.url, ["conversation.updated"])
        hooks = {name: self.hook(app.url, ["conversation.updated"]) for name, (app, _) in bad.items()}
        self.stir(2)
        wait_for(lambda: len(self.deliveries(hook, "delivered")) == 2, "the good one")
        for name, (app, words) in bad.items():
            with self.subTest(name):
                rows = wait_for(lambda: len(found := self.deliveries(hooks[name], "failed")) == 2 and found, "the end of its schedule", 30)
                self.assertEqual(self.deliveries(hooks[name], "delivered"), [])
                shown = self.get(f"/v1/webhooks/{hooks[name]['id']}/deliveries/{rows[0]['id']}/")
                self.assertEqual([a["attempt"] for a in shown["attempts"]], [1, 2])
                for attempt in shown["attempts"]:
                    self.assertEqual((attempt["status"], attempt["error"]), (None, "unreached"))
                    self.assertRegex(attempt["reason"], words)
                if app.tls:
                    self.assertEqual(app.seen, [], "not a byte of the event goes out")

    def test_authorities_that_cannot_be_read_stop_the_start(self):
        daemon = Daemon(ca_file="/no/such/file")
        self.addCleanup(daemon.close)
        done = subprocess.run([CHASQUI, "serve", "--data", daemon.data, "--listen", "127.0.0.1:0", *daemon.flags()],
                              capture_output=True, text=True, env=daemon.env(), timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("net.ca_file: /no/such/file cannot be read", done.stderr)


class OwnAuthorityUnknown(EventCase):
    def test_without_the_option_the_same_receiver_gets_nothing(self):
        authority = Authority()
        self.addCleanup(authority.close)
        authority.issue("good", "receiver", "IP:127.0.0.1")
        app = Receiver(plain(receivers.answer(200)), authority.context("good"))
        self.addCleanup(app.close)
        made = self.hook(app.url, ["conversation.updated"])
        self.stir(1)
        wait_for(lambda: (rows := self.deliveries(made)) and rows[0]["attemptCount"] == 1, "the first attempt")
        self.assertEqual((app.seen, self.deliveries(made, "delivered")), ([], []))


@unittest.skipUnless(NGINX, "nginx is not installed")
class Http2(TlsCase):
    def nginx(self):
        """Starts it; returns its URL."""
        self.authority.issue("good", "receiver", "IP:127.0.0.1")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        path = os.path.join(self.authority.dir, "nginx.conf")
        with open(path, "w", encoding="ascii") as config:
            config.write(CONFIG.format(dir=self.authority.dir, port=port))
        process = subprocess.Popen([NGINX, "-p", self.authority.dir, "-c", path, "-e", os.path.join(self.authority.dir, "error.log")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            process.terminate()
            process.wait(10)
        self.addCleanup(end)

        def up():
            self.assertIsNone(process.poll(), "nginx ended")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(up, "nginx")
        return f"https://127.0.0.1:{port}/hook"

    def test_deliveries_arrive_over_http_2_and_share_a_connection(self):
        made = self.hook(self.nginx(), ["conversation.updated"])
        self.stir(20)
        wait_for(lambda: len(self.deliveries(made, "delivered")) == 20, "all deliveries")
        log = os.path.join(self.authority.dir, "access.log")

        def lines():
            with open(log, encoding="ascii") as told:
                return [line.split() for line in told]
        wait_for(lambda: len(lines()) == 20, "nginx's log")
        self.assertEqual({tuple(line[:4]) for line in lines()}, {("HTTP/2.0", "POST", "200", "conversation.updated")})
        self.assertLess(len({line[4] for line in lines()}), 10)
