"""Keys: from where they may be used, and that what they opened ends with them."""
import http.client
import json
import threading
import time
import unittest
import urllib.parse

from tests.fakes.model import Drip, FakeModel, Hold
from tests.support.daemon import Daemon, wait_for
from tests.support.sse import EventStream

SECONDS_TO_END = 1.0  # a stream may outlive its key by this


class KeyCase(unittest.TestCase):
    def made(self, daemon=None, **fields):
        daemon = daemon or self.daemon
        return daemon.ok(daemon.post("/api/v1/keys/", {"name": "story", **fields}), 201)


class Addresses(KeyCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.addClassCleanup(cls.daemon.close)

    def test_a_key_works_from_its_addresses_only(self):
        cases = ((["127.0.0.1"], 200), (["127.0.0.0/8"], 200), (["192.0.2.0/24", "127.0.0.1/32"], 200), (["0.0.0.0/0"], 200),
                 (["::ffff:127.0.0.1"], 200), ([], 200), (["192.0.2.0/24"], 403), (["127.0.0.2"], 403), (["::/0"], 403), (["::1"], 403))
        for ranges, status in cases:
            key = self.made(allowed_ips=ranges)
            self.assertEqual(key["allowed_ips"], ranges)
            for path in ("/api/v1/me/", "/v1/me", "/api/v1/nowhere/"):
                answer = self.daemon.get(path, key=key["key"])
                self.assertEqual(answer.status, 404 if status == 200 and "nowhere" in path else status, f"{ranges} {path}")
                if status == 403:
                    self.assertEqual(answer.json["error"]["code"], "ADDRESS_NOT_ALLOWED")

    def test_a_key_works_over_ipv6(self):
        daemon = Daemon()
        daemon.listen = "[::1]:0"
        with daemon:
            for ranges, status in ((["::1"], 200), (["::/64"], 200), (["2001:db8::/32"], 403), (["127.0.0.0/8"], 403)):
                key = self.made(daemon, allowed_ips=ranges)
                self.assertEqual(daemon.get("/api/v1/me/", key=key["key"]).status, status, ranges)

    def test_what_is_no_range_is_refused_by_name(self):
        for text in ("", "localhost", "127.0.0.1/33", "1.2.3", "::1/129", "10.0.0.0/8/8", "10.0.0.0 /8", "10.0.0.0/-1", "*"):
            answer = self.daemon.post("/api/v1/keys/", {"name": "x", "allowed_ips": ["10.0.0.0/8", text]})
            self.assertEqual((answer.status, answer.json["error"].get("field")), (400, "allowed_ips/1"), text)
        answer = self.daemon.post("/v1/keys", {"name": "x", "allowedIps": ["nowhere"]})
        self.assertEqual((answer.status, answer.json["error"].get("field")), (400, "allowedIps/0"))
        self.assertEqual(self.daemon.post("/api/v1/keys/", {"name": "x", "allowed_ips": "127.0.0.1"}).status, 400)

    def test_the_list_goes_with_a_rotation_and_is_shown(self):
        old = self.made(allowed_ips=["192.0.2.7"])
        new = self.daemon.ok(self.daemon.post(f"/api/v1/keys/{old['id']}/rotate/", {}), 201)
        self.assertEqual(new["allowed_ips"], ["192.0.2.7"])
        self.assertEqual(self.daemon.get("/api/v1/me/", key=new["key"]).status, 403)
        self.assertEqual(self.daemon.get(f"/api/v1/keys/{new['id']}/").json["allowed_ips"], ["192.0.2.7"])
        self.assertEqual(self.daemon.get(f"/v1/keys/{new['id']}").json["allowedIps"], ["192.0.2.7"])

    def test_a_body_is_not_read_from_the_wrong_address(self):
        key = self.made(allowed_ips=["192.0.2.7"])["key"]
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/knowledge/bulk/", {"documents": [{"title": "x" * 5000}] * 400}, key=key)
        self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "ADDRESS_NOT_ALLOWED"))


class PostStream(EventStream):
    """A stream that begins with a POST."""

    def __init__(self, daemon, path, body, key):
        target = urllib.parse.urlsplit(daemon.url)
        self.connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        self.connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.frames, self.comments, self.ended = [], [], False
        threading.Thread(target=self._read, daemon=True).start()


class Streams(KeyCase):
    """Every route that answers with a stream, opened with a key whose time then ends."""

    def setUp(self):
        self.daemon = Daemon().start()
        self.addCleanup(self.daemon.close)
        self.model, self.hold = FakeModel(), Hold()
        self.addCleanup(self.model.close)
        self.addCleanup(self.hold.release)
        self.model.default = Drip(self.hold)
        self.daemon.push("Opening hours", "When does the shop open? The shop opens at 9 in the morning on weekdays.")
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"model": self.model.settings}))
        self.channel = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/channels/", {"type": "api"}), 201)["id"]

    def open(self, route, key):
        method, path = route.split(" ")
        path = path.replace("{agent}", self.daemon.agent).replace("{channel}", self.channel)
        body = {"message": "When does the shop open?"}
        body.update({"threadId": f"stream of {key}"} if path.startswith("/channelsApi") else {})
        stream = EventStream(self.daemon, path, key) if method == "GET" else PostStream(self.daemon, path, body, key)
        self.assertEqual(stream.status, 200, route)
        if method == "POST":
            stream.wait(2)  # the agent is writing
        return stream

    def routes(self):
        """The rows of the document that answer with a stream."""
        document = self.daemon.get("/openapi.json", key=False).json
        found = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method, operation in item.items()
                 if "text/event-stream" in operation["responses"].get("200", {}).get("content", {})]
        self.assertGreaterEqual(len(found), 5)
        return found

    def end(self, route, finish):
        """How long the stream outlived its key, which finish() ends; a second stream with another key goes on."""
        key, other = self.made(), self.made()
        stream, beside = self.open(route, key["key"]), self.open(route, other["key"])
        ended_at = finish(key)
        wait_for(lambda: stream.ended, f"{route} to end", 5)
        late = time.monotonic() - ended_at
        self.assertFalse(beside.ended, f"{route}: a stream of another key ended too")
        beside.close()
        stream.close()
        return late

    def test_revoked(self):
        def revoke(key):
            self.daemon.ok(self.daemon.delete(f"/api/v1/keys/{key['id']}/"), 204)
            return time.monotonic()
        for route in self.routes():
            late = self.end(route, revoke)
            self.assertLess(late, SECONDS_TO_END, route)
            print(f"      {route}: ended {late * 1000:.0f} ms after the revocation", flush=True)

    def test_expired(self):
        def expire(key):
            began = time.monotonic()
            self.daemon.ok(self.daemon.post(f"/api/v1/keys/{key['id']}/rotate/", {"overlap_s": 1}), 201)
            return began + 1
        for route in self.routes():
            self.assertLess(self.end(route, expire), SECONDS_TO_END, route)

    def test_a_talk_that_lost_its_key_says_why_and_keeps_the_message(self):
        key = self.made()
        stream = self.open("POST /api/v1/agents/{agent}/stream", key["key"])
        self.daemon.ok(self.daemon.delete(f"/api/v1/keys/{key['id']}/"), 204)
        wait_for(lambda: stream.ended, "the stream to end", 5)
        last = stream.frames[-1][2]
        self.assertEqual((last["event"], last["error"]["code"]), ("on_chat_model_end", "UNAUTHORIZED"))
        conversation = self.daemon.conversations()[0]
        self.assertEqual(self.daemon.messages(conversation["id"])[0]["text"], "When does the shop open?")
