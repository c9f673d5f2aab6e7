"""The claims about root, keys, limits, errors and envelopes, one by one; a test's name begins with the claim's number."""
import glob
import http.client
import os
import re
import socket
import time
import unittest
import urllib.parse

from tests.support import traffic
from tests.support.daemon import ROOT, Daemon, wait_for
from tests.support.daemon import http as http_call

LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
ERROR_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


class ClaimCase(unittest.TestCase):
    options = {"sign_in_limit": 0}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(**cls.options).start()
        cls.addClassCleanup(cls.daemon.close)

    def account(self, plan):
        return self.daemon.cli_json("accounts", "create", "--name", plan, "--plan", plan)

    def made_key(self, key=None, **fields):
        return self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "claim", **fields}, key=key), 201)

    def get(self, path, key=None, **kwargs):
        return self.daemon.get(path, key=key, **kwargs)


class ConvoRoot(ClaimCase):
    def test_convo_01_root_and_json(self):
        answer = self.get("/api/v1/me/")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))

    def test_convo_02_bearer_key_on_all_requests(self):
        self.assertEqual(self.get("/api/v1/me/").status, 200)
        document = self.get("/openapi.json", key=False).json
        for path, item in document["paths"].items():
            if path.startswith("/api/v1/") and "get" in item and "stream" not in path:
                self.assertEqual(self.get(re.sub(r"\{\w+\}", "x", path), key=False).status, 401, path)

    def test_convo_03_prefixes_of_keys(self):
        for mode in ("live", "test"):
            self.assertRegex(self.made_key(mode=mode)["key"], rf"^ck_{mode}_[0-9A-Za-z]{{28}}$")

    def test_convo_04_test_keys_send_nothing(self):
        sent = []
        from tests.fakes.graph import FakeGraph
        with FakeGraph(phone_number_id="771004") as graph:
            self.daemon.whatsapp(graph.url, phone_number_id="771004", key=self.daemon.test)
            answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": "+14155550100", "type": "text", "text": "x"},
                                      key=self.daemon.test)
            self.assertEqual(answer.status, 201)
            self.assertTrue({"message_id", "status", "to", "queued_at"} <= set(answer.json))
            wait_for(self.daemon.idle, "idle")
            sent += graph.calls
        self.assertEqual(sent, [])

    def test_convo_05_nexv_31_a_key_is_shown_once(self):
        made = self.made_key()
        for path in ("/api/v1/keys/?page_size=100", f"/api/v1/keys/{made['id']}/", "/v1/keys", "/api/v1/audit/"):
            self.assertNotIn(made["key"].encode(), self.get(path).body)

    def test_convo_06_a_key_has_a_name(self):
        self.made_key(name="Till in the hall")
        self.assertIn("Till in the hall", [row["name"] for row in self.get("/api/v1/keys/?page_size=100").json["results"]])

    def test_convo_07_rovx_41_a_revoked_key_stops_at_once_also_on_open_connections(self):
        made = self.made_key()
        host, port = self.daemon.url.removeprefix("http://").split(":")
        request = f"GET /api/v1/me/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made['key']}\r\n\r\n".encode()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            stream, statuses = connection.makefile("rb"), []
            for turn in range(2):
                connection.sendall(request)
                statuses.append(int(stream.readline().split()[1]))
                length = 0
                while (line := stream.readline().strip()):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                stream.read(length)
                if turn == 0:
                    self.assertEqual(self.daemon.delete(f"/api/v1/keys/{made['id']}/").status, 204)
        self.assertEqual(statuses, [200, 401])

    def test_convo_08_a_key_is_bound_to_its_account_and_plan(self):
        for plan, limit in (("free", "30"), ("pro", "300"), ("enterprise", "3000")):
            other = self.account(plan)
            answer = self.get(f"/api/v1/agents/{other['agent_id']}/", key=other["live_key"])
            self.assertEqual((answer.status, answer.headers[LIMITS[0]]), (200, limit))
            self.assertEqual(self.get(f"/api/v1/agents/{other['agent_id']}/").status, 404)

    def test_convo_09_content_type_on_a_get(self):
        self.assertEqual(self.get("/api/v1/agents/", headers={"Content-Type": "application/json"}).status, 200)

    def test_convo_10_trailing_slash_without_a_redirect(self):
        for path in ("/api/v1/agents/", "/api/v1/me/", "/api/v1/agents", "/api/v1/me"):
            self.assertEqual(self.get(path).status, 200, path)

    def test_convo_12_to_16_me(self):
        """CONVO-12 the fields, CONVO-13 the id, CONVO-14 the plan, CONVO-15 agents_count, CONVO-16 api_version."""
        me = self.get("/api/v1/me/").json
        self.assertTrue({"id", "email", "plan", "agents_count", "api_version"} <= set(me))
        self.assertRegex(me["id"], r"^usr_[0-9A-Z]{14,}$")
        self.assertIn(me["plan"], ("free", "pro", "enterprise"))
        self.assertEqual(me["api_version"], "v1.4")
        self.assertEqual(me["agents_count"], self.get("/api/v1/agents/").json["count"])
        self.daemon.ok(self.daemon.post("/api/v1/agents/", {"name": "One more"}), 201)
        self.assertEqual(self.get("/api/v1/me/").json["agents_count"], me["agents_count"] + 1)

    def test_convo_50_rovx_46_the_version_is_in_the_path(self):
        self.assertEqual([self.get(path).status for path in ("/api/v1/me/", "/v1/me", "/api/latest/me/", "/api/v2/me/", "/latest/me")],
                         [200, 200, 404, 404, 404])

    def test_nexv_32_a_key_can_be_rotated(self):
        made = self.made_key()
        turned = self.daemon.ok(self.daemon.post(f"/v1/keys/{made['id']}/rotate", {"overlapS": 2}), 201)
        self.assertEqual([self.get("/v1/me", key=key["key"]).status for key in (turned, made)], [200, 200])
        wait_for(lambda: self.get("/v1/me", key=made["key"]).status == 401, "the overlap to end")
        self.assertEqual(self.get("/v1/me", key=turned["key"]).status, 200)

    def test_convo_51_answers_of_v1_keep_their_documented_fields(self):
        """Every call of every story is held against the document (tests/support/traffic.py); here: that this is so."""
        before = traffic.document_of(None).checked
        self.get("/api/v1/me/")
        self.assertEqual(traffic.document_of(None).checked, before + 1)


class ConvoLimits(ClaimCase):
    def test_convo_42_nexv_30_limits_are_counted_per_key(self):
        account = self.account("free")
        second = self.made_key(key=account["live_key"])["key"]
        while self.get("/api/v1/me/", key=account["live_key"]).status == 200:
            pass
        answer = self.get("/api/v1/me/", key=second)
        self.assertEqual((answer.status, answer.headers[LIMITS[1]]), (200, "29"))

    def count_until_429(self, ask, most):
        for count in range(most + 2):
            answer = ask(count)
            if answer.status == 429:
                return count, answer
        self.fail(f"no 429 after {most + 2}")

    def test_convo_43_free_requests_messages_and_writes(self):
        account = self.account("free")
        count, answer = self.count_until_429(lambda _: self.get("/api/v1/me/", key=account["live_key"]), 30)
        self.assertEqual(count, 30)
        self.assertIn("30 requests per minute", answer.json["message"])

    def test_convo_45_enterprise_is_without_limit_of_messages_and_writes(self):
        base = f"/api/v1/agents/{self.daemon.agent}"
        documents = [{"title": f"t{i}", "content": f"Content {i}.", "external_id": f"claim45-{i}"} for i in range(300)]
        for part in range(2):
            rows = [{**row, "external_id": f"{row['external_id']}-{part}"} for row in documents]
            self.assertEqual(self.daemon.post(base + "/knowledge/bulk/", {"documents": rows}, key=self.daemon.test).status, 200)
        for i in range(200):
            self.assertEqual(self.daemon.post(base + "/messages/", {"to": "+14155550199", "text": str(i)}, key=self.daemon.test).status, 201)

    def test_convo_46_47_nexv_29_every_answer_carries_the_headers(self):
        """CONVO-46, NEXV-29: on 200, 201, 400, 404 and 429; CONVO-47: Reset is a Unix second at most a minute ahead."""
        account = self.account("free")
        key = account["live_key"]
        answers = [self.get("/api/v1/me/", key=key), self.daemon.post("/api/v1/agents/", {"name": "x"}, key=key),
                   self.daemon.post("/api/v1/agents/", {}, key=key), self.get("/api/v1/agents/agt_no/", key=key)]
        answers.append(self.count_until_429(lambda _: self.get("/api/v1/me/", key=key), 30)[1])
        self.assertEqual([answer.status for answer in answers], [200, 201, 400, 404, 429])
        for answer in answers:
            limit, remaining, reset = (int(answer.headers[name]) for name in LIMITS)
            self.assertTrue(0 <= remaining < limit == 30, answer)
            self.assertTrue(0 <= reset - time.time() <= 61, answer)

    def test_convo_49_remaining_falls_by_one(self):
        first, second = (int(self.get("/v1/me").headers[LIMITS[1]]) for _ in range(2))
        self.assertEqual(first - second, 1)


class SmallPlans(ClaimCase):
    """The same windows with other numbers, so that an hour's and a day's can be used up within a minute's."""
    options = {"plan_free": "3000,60,20", "plan_pro": "0,1000,500", "sign_in_limit": 0}

    def test_convo_43_free_61st_message_and_21st_write(self):
        self.use_up("free", 60, 20)

    def test_convo_44_pro_1001st_message_and_501st_write(self):
        self.use_up("pro", 1000, 500)

    def use_up(self, plan, messages, writes):
        account = self.account(plan)
        base, key = f"/api/v1/agents/{account['agent_id']}", account["test_key"]
        send = lambda: self.daemon.post(base + "/messages/", {"to": "+14155550100", "text": "x"}, key=key)
        write = lambda count: self.daemon.post(base + "/knowledge/bulk/", {"documents": [
            {"title": "t", "content": f"Content {i}.", "external_id": f"{plan}{count}-{i}"} for i in range(count)]}, key=key)
        self.assertEqual({send().status for _ in range(messages)}, {201})
        for words, refused in (("messages per hour", send()), ("knowledge writes per day", (write(writes), write(1))[1])):
            self.assertEqual(refused.status, 429, refused)
            self.assertIn(words, refused.json["message"])
            self.assertGreater(int(refused.headers["retry-after"]), 60)
        self.daemon.restart()
        self.assertEqual((send().status, write(1).status), (429, 429), "windows of an hour and a day outlive the process")


class Errors(ClaimCase):
    options = {"plan_free": "5,60,20", "address_limit": 40, "sign_in_limit": 0}

    def provoked(self, prefix):
        """One answer for each status."""
        reader = self.made_key(scopes=["read"])["key"]
        free = self.account("free")["live_key"]
        limited = [self.get(prefix + "/contacts", key=free) for _ in range(6)][-1]
        return {400: self.daemon.post(prefix + "/agents", {"nam": 1}), 401: self.get(prefix + "/me", key=False),
                403: self.daemon.post(prefix + "/agents", {"name": "x"}, key=reader), 404: self.get(prefix + "/agents/agt_none"),
                405: self.daemon.call("PUT", prefix + "/me", {}), 413: self.daemon.post(prefix + "/keys", {"name": "x" * (2 << 20)}),
                429: limited}

    def test_nexv_22_to_27_rovx_35_to_37_every_error_has_both_shapes(self):
        """NEXV-22 message, NEXV-23 400, NEXV-24 401, NEXV-25 403, NEXV-26 404, NEXV-27 429 with its wait; ROVX-35 the four fields,
        ROVX-36 the code of a limit, ROVX-37 the time with milliseconds. 500 (NEXV-28) is in test_promises."""
        for prefix in ("/api/v1", "/v1"):
            for status, answer in self.provoked(prefix).items():
                self.assertEqual(answer.status, status, answer)
                self.assertTrue(answer.json["message"] and isinstance(answer.json["message"], str))
                error = answer.json["error"]
                self.assertTrue({"code", "message", "status", "timestamp"} <= set(error))
                self.assertEqual(error["status"], status)
                self.assertRegex(error["timestamp"], ERROR_TIME)
                if status == 429:
                    self.assertEqual(error["code"], "RATE_LIMIT_EXCEEDED")
                    self.assertGreater(int(answer.headers["retry-after"]), 0)

    def test_nexv_23_a_malformed_body_is_400(self):
        answer = http_call("POST", self.daemon.url + "/v1/bots", b"{", {"X-API-Key": self.daemon.live, "Content-Type": "application/json"})
        self.assertEqual(answer.status, 400)

    def test_nexv_24_no_key_and_a_bad_key_are_401(self):
        self.assertEqual({self.get("/v1/me", key=key).status for key in (False, "ck_live_x", "ck_live_" + "0" * 28)}, {401})

    def test_rovx_38_39_lists(self):
        """ROVX-38 the envelope, ROVX-39 page sizes up to 100."""
        for _ in range(3):
            self.made_key()
        listed = self.get("/v1/keys?pageSize=2").json
        self.assertEqual((set(listed), len(listed["data"])), ({"data", "meta"}, 2))
        self.assertEqual((listed["meta"]["page"], listed["meta"]["pageSize"]), (1, 2))
        self.assertEqual(listed["meta"]["total"], self.get("/api/v1/keys/").json["count"])
        self.assertEqual(self.get("/v1/keys?pageSize=100").json["meta"]["pageSize"], 100)
        self.assertEqual(self.get("/v1/keys?pageSize=101").status, 400)

    def test_rovx_40_limits_by_address_for_each_route(self):
        statuses = [self.get("/v1/dead-letters").status for _ in range(42)]
        self.assertEqual((set(statuses[:40]), set(statuses[40:])), ({200}, {429}))
        self.assertEqual(self.get("/v1/conversations").status, 200)
        target = urllib.parse.urlsplit(self.daemon.url)
        for source, status in (("127.0.0.2", 200), ("127.0.0.1", 429)):
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=20, source_address=(source, 0))
            connection.request("GET", "/v1/dead-letters", headers={"Authorization": "Bearer " + self.daemon.live})
            self.assertEqual(connection.getresponse().status, status, source)
            connection.close()

    def test_rovx_42_keys_are_managed_outside_the_developer_api(self):
        made = self.daemon.cli_json("keys", "create", "From the command line")
        self.assertEqual(self.get("/v1/me", key=made["key"]).status, 200)
        self.assertEqual(self.daemon.cli("keys", "revoke", made["id"]).returncode, 0)
        self.assertEqual(self.get("/v1/me", key=made["key"]).status, 401)


class Waiting(ClaimCase):
    options = {"plan_free": "3,0,0"}

    def test_convo_48_after_retry_after_the_request_is_taken(self):
        key = self.account("free")["live_key"]
        answers = [self.get("/api/v1/me/", key=key) for _ in range(4)]
        self.assertEqual([answer.status for answer in answers], [200, 200, 200, 429])
        wait = int(answers[-1].headers["retry-after"])
        self.assertTrue(0 < wait <= 60)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began >= wait, "Retry-After", wait + 5)
        self.assertEqual(self.get("/api/v1/me/", key=key).status, 200)


class Claims(unittest.TestCase):
    ranges = {"CONVO": (*range(1, 17), *range(42, 53)), "NEXV": range(22, 33), "ROVX": (*range(35, 43), 46)}

    def test_each_claim_is_named_by_a_test(self):
        """In a test's name (convo_07) or in its docstring (CONVO-07)."""
        text = ""
        for path in glob.glob(os.path.join(ROOT, "tests", "integration", "test_*.py")):
            with open(path, encoding="utf-8") as handle:
                tests = re.findall(r'def (test_\w+)\(self\):\n(?:\s+"""(.*?)""")?', handle.read(), re.S)
            text += "".join(f"{name} {said}\n" for name, said in tests)
        missing = [f"{page}-{number:02d}" for page, numbers in self.ranges.items() for number in numbers
                   if f"{page}-{number:02d}" not in text and not re.search(rf"{page.lower()}(_\d\d)*_{number:02d}(_|\b)", text)]
        self.assertEqual(missing, [])
