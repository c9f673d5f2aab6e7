"""The client behind a proxy of the operator's: who counts for limits, allow lists and the audit log, and who only says so."""
import subprocess
import unittest

from tests.support.daemon import CHASQUI, Daemon


class ProxyCase(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(plan_enterprise="0,0,0", address_limit=0, sign_in_limit=1000, **cls.options).start()
        cls.addClassCleanup(cls.daemon.close)
        cls.keys = {}

    def seen_from(self, fields):
        """The address under which a request counts: what the audit log says of it."""
        made = self.daemon.post("/api/v1/keys/", {"name": "seen"}, headers=fields)
        self.daemon.ok(made, 201)
        lines = self.daemon.ok(self.daemon.get("/api/v1/audit/?page_size=5"))["results"]
        return next(line["from"] for line in lines if line["object"] == made.json["id"])

    def check(self, name, cases):
        for value, client in cases:
            self.assertEqual(self.seen_from({name: value}), client, value)


class Trusted(ProxyCase):
    options = {"trusted_proxies": "127.0.0.0/8, 10.0.0.0/8,2001:db8:1::/48"}

    def test_the_right_most_address_that_is_no_proxy_is_the_client(self):
        self.check("X-Forwarded-For", (
            ("192.0.2.7", "192.0.2.7"), ("192.0.2.7, 10.1.2.3", "192.0.2.7"), ("192.0.2.7,10.1.2.3 , 127.0.0.9", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"), ("2001:DB8:0::7, 2001:db8:1::1", "2001:db8::7"), ("[2001:db8::7]:443", "2001:db8::7"),
            ("192.0.2.7:51234", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("10.9.9.9, 10.1.2.3", "10.9.9.9"), (",192.0.2.7,", "192.0.2.7")))
        self.assertEqual(self.seen_from({}), "127.0.0.1")

    def test_what_a_client_writes_itself_moves_nothing(self):
        self.check("X-Forwarded-For", (
            ("198.51.100.1, 192.0.2.7", "192.0.2.7"), ("127.0.0.1, 192.0.2.7", "192.0.2.7"), ("10.0.0.1, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
            ("unknown, nonsense, 192.0.2.7", "192.0.2.7"), ("192.0.2.7, nonsense", "unknown"), ("192.0.2.7, 10.0.0.999", "unknown"),
            ("192.0.2.7, unix", "unknown"), ("10.0.0.0/8", "unknown"), (", ".join(["192.0.2.7"] * 65), "unknown"), ("9" * 300, "unknown")))
        for name in ("Forwarded", "X-Real-IP", "X-Client-IP", "Client-IP", "X_Forwarded_For"):
            self.assertEqual(self.seen_from({name: "for=192.0.2.7" if name == "Forwarded" else "192.0.2.7"}), "127.0.0.1", name)

    def test_an_allow_list_looks_at_the_client(self):
        key = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "x", "allowed_ips": ["192.0.2.0/24"]}), 201)["key"]
        local = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "x", "allowed_ips": ["127.0.0.0/8", "10.0.0.0/8"]}), 201)["key"]
        for value, far, near in (("192.0.2.7", 200, 403), ("198.51.100.1", 403, 403), ("192.0.2.7, 198.51.100.1", 403, 403),
                                 ("127.0.0.1, 198.51.100.1", 403, 403), ("rubbish", 403, 403), ("unix", 403, 403), (None, 403, 200)):
            fields = {"X-Forwarded-For": value} if value else {}
            self.assertEqual(self.daemon.get("/api/v1/me/", key=key, headers=fields).status, far, value)
            self.assertEqual(self.daemon.get("/api/v1/me/", key=local, headers=fields).status, near, value)


class TrustedForwarded(ProxyCase):
    options = {"trusted_proxies": "127.0.0.1,10.0.0.0/8", "proxy_field": "forwarded"}

    def test_the_standard_field_is_read_where_the_proxies_write_it(self):
        self.check("Forwarded", (
            ("for=192.0.2.7", "192.0.2.7"), ("For=\"192.0.2.7:80\";proto=https;by=10.0.0.1", "192.0.2.7"),
            ("proto=http; FOR=\"[2001:db8::7]:4711\"", "2001:db8::7"), ("for=198.51.100.1, for=192.0.2.7;by=10.1.1.1, for=10.1.1.1", "192.0.2.7"),
            ("by=\"a;for=198.51.100.1,b\";for=192.0.2.7", "192.0.2.7")))

    def test_odd_quotes_and_hidden_names_are_nobody(self):
        self.check("Forwarded", (
            ("for=unknown", "unknown"), ("for=_hidden", "unknown"), ("for=198.51.100.1, proto=https", "unknown"), ("for=\"198.51.100.1", "unknown"),
            ("for=\"198.51.100.1, for=192.0.2.7", "unknown"), ("for=\"\\, for=192.0.2.7", "unknown"), ("for=\", for=\"[2001:db8::7]:80\"", "unknown"),
            ("for=", "unknown"), ("x=\", for=198.51.100.1\", for=192.0.2.7", "192.0.2.7")))
        self.assertEqual(self.seen_from({"X-Forwarded-For": "192.0.2.7"}), "127.0.0.1")


class Untrusted(ProxyCase):
    def test_without_the_option_no_field_counts(self):
        for name, value in (("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=192.0.2.7"), ("X-Real-IP", "192.0.2.7")):
            self.assertEqual(self.seen_from({name: value}), "127.0.0.1", name)


class OtherProxy(ProxyCase):
    options = {"trusted_proxies": "10.0.0.0/8"}

    def test_a_stranger_is_not_believed(self):
        self.check("X-Forwarded-For", (("192.0.2.7", "127.0.0.1"), ("192.0.2.7, 10.0.0.1", "127.0.0.1")))


class Limits(unittest.TestCase):
    def test_failed_sign_ins_count_for_the_client_and_cannot_be_spread(self):
        with Daemon(trusted_proxies="127.0.0.1", sign_in_limit=3) as daemon:
            def tries(chain):
                return daemon.get("/api/v1/me/", key="ck_live_wrong", headers={"X-Forwarded-For": chain}).status
            self.assertEqual([tries(f"198.51.100.{i}, 192.0.2.7") for i in range(5)], [401, 401, 401, 429, 429])
            self.assertEqual(tries("192.0.2.8"), 401)
            self.assertEqual([tries(f"{i}, junk{i}") for i in range(5)], [401, 401, 401, 429, 429])

    def test_a_range_that_is_none_keeps_the_daemon_from_starting(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        for flags, said in ((["--trusted-proxies", "10.0.0.0/8,nonsense"], "nonsense"), (["--proxy-field", "X-Real-IP"], "X-Real-IP")):
            done = subprocess.run([CHASQUI, "serve", "--data", daemon.data, "--listen", "127.0.0.1:0", *flags], capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)


class CommandLine(unittest.TestCase):
    def test_a_key_is_made_for_some_addresses(self):
        with Daemon() as daemon:
            made = daemon.cli_json("keys", "create", "office", "--allowed-ips", "192.0.2.0/24,2001:db8::7", "--json")
            self.assertEqual(made["allowed_ips"], ["192.0.2.0/24", "2001:db8::7"])
