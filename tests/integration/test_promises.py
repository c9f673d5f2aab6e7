"""What a client may rely on over time: recorded calls of version 1 stay as they were, repeats after a crash have one effect,
a walk over pages sees everything once, our own faults are told without their insides, what will go says so."""
import email.utils
import http.client
import json
import os
import random
import re
import unittest
import urllib.error
import uuid

from tests.integration.test_kill_points import Mortal, has_hook
from tests.support.daemon import ROOT, Daemon, http as http_call

RECORDED = os.path.join(ROOT, "tests", "integration", "recorded_v1.json")


def shape(value):
    """A value without what changes from run to run: names and types."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else {bool: "boolean", int: "number", float: "number", str: "string"}[type(value)]


def missing(recorded, now, at=""):
    """What was promised and is not there any more; additions are no breach. Where nothing was seen, anything may come."""
    if recorded == "null" or now == "null":
        return [] if recorded == "null" or isinstance(recorded, str) else [f"{at or '/'} is null"]
    if isinstance(recorded, dict) and isinstance(now, dict):
        return [fault for name, item in recorded.items()
                for fault in (missing(item, now[name], f"{at}/{name}") if name in now else [f"{at}/{name} is gone"])]
    if isinstance(recorded, list) and isinstance(now, list):
        return missing(recorded[0], now[0], at + "/0") if recorded and now else [f"{at} is empty"] if recorded else []
    return [] if recorded == now else [f"{at or '/'} is {now}, was {recorded}"]


class Recorded(unittest.TestCase):
    def test_convo_51_the_recorded_calls_of_version_1_answer_as_they_did(self):
        """CONVO-51. TEST_RECORD=1 writes the file anew: only to add calls, never to make a breach pass."""
        with open(RECORDED, encoding="utf-8") as handle:
            calls = json.load(handle)
        faults, names = [], {}
        with Daemon() as daemon:
            names.update(agent=daemon.agent)
            for number, call in enumerate(calls):
                fill = lambda text: re.sub(r"<(\w+)>", lambda match: names[match.group(1)], text)
                method, path = call["call"].split(" ")
                body = json.loads(fill(json.dumps(call["body"]))) if "body" in call else None
                answer = daemon.call(method, fill(path), body, key=daemon.test if call.get("mode") == "test" else daemon.live)
                for name, pointer in call.get("save", {}).items():
                    value = answer.json
                    for step in pointer.split("/"):
                        value = value[int(step) if isinstance(value, list) else step]
                    names[name] = value
                if os.environ.get("TEST_RECORD"):
                    call.update(status=answer.status, answer=shape(answer.json))
                    continue
                found = [f"{answer.status}, was {call['status']}"] if answer.status != call["status"] else missing(call["answer"], shape(answer.json))
                faults += [f"{number} {call['call']}: {fault}" for fault in found]
        if os.environ.get("TEST_RECORD"):
            with open(RECORDED, "w", encoding="utf-8") as handle:
                handle.write("[\n" + ",\n".join(json.dumps(call) for call in calls) + "\n]\n")
        self.assertEqual(faults, [])
        self.assertGreater(len(calls), 40)
        print(f"      {len(calls)} recorded calls hold", flush=True)

    def test_the_comparison_sees_a_breach(self):
        was = {"id": "string", "n": "number", "list": [{"a": "string"}], "maybe": "null", "inner": {"b": "boolean"}}
        for now, fine in ((was, True), ({**was, "more": "string"}, True), ({**was, "maybe": {"x": "number"}}, True), ({**was, "id": "null"}, True),
                          ({**was, "id": "number"}, False), ({k: v for k, v in was.items() if k != "n"}, False), ({**was, "list": []}, False),
                          ({**was, "list": [{}]}, False), ({**was, "inner": {}}, False), ({**was, "inner": "null"}, False)):
            self.assertEqual(missing(was, now) == [], fine, now)


class Repeats(unittest.TestCase):
    """The same Idempotency-Key after SIGKILL at the commit: one effect, one answer."""
    rounds = 4

    def setUp(self):
        if not has_hook():
            self.skipTest("this binary is built without CHASQUI_KILL_POINTS")
        self.daemon = Mortal(plan_enterprise="0,0,0").start()
        self.addCleanup(self.daemon.close)

    def post(self, path, body, key):
        return self.daemon.post(path, body, key=self.daemon.test, headers={"Idempotency-Key": key})

    def until_death(self, path, body_of):
        """Posts until the daemon dies; returns what was answered, and the key of the request that got no answer."""
        answered = {}
        while True:
            key = str(uuid.uuid4())
            try:
                answered[key] = self.post(path, body_of(key), key)
            except (OSError, http.client.HTTPException, urllib.error.URLError):
                return answered, key

    def test_one_effect_and_one_answer_whenever_it_dies(self):
        replayed = fresh = 0
        routes = (("/api/v1/agents/", lambda key: {"name": key}, self.agents_named),
                  (f"/api/v1/agents/{self.daemon.agent}/messages/", lambda key: {"to": "+14155550100", "text": key}, self.messages_of))
        for path, body_of, effects in routes:
            for name in ("commit.before", "commit.after"):
                for turn in range(self.rounds):
                    self.daemon.kill()
                    self.daemon.start_to_die(name, 2 + 3 * turn)
                    answered, doubtful = self.until_death(path, body_of)
                    self.assertTrue(self.daemon.wait_death())
                    self.daemon.start()
                    there = effects(doubtful)
                    again = [self.post(path, body_of(doubtful), doubtful) for _ in range(2)]
                    self.assertEqual([answer.status for answer in again], [201, 201], name)
                    self.assertEqual(again[0].body, again[1].body)
                    self.assertEqual("idempotency-replayed" in again[0].headers, there == 1, f"{name}: effect {there}")
                    self.assertEqual(effects(doubtful), 1, f"{name}: effects of the request without an answer")
                    for key, answer in answered.items():
                        self.assertEqual(self.post(path, body_of(key), key).body, answer.body)
                        self.assertEqual(effects(key), 1)
                    replayed, fresh = replayed + there, fresh + (1 - there)
        print(f"      without an answer: {replayed} had happened and were told again, {fresh} had not and were done once", flush=True)
        self.assertGreater(replayed, 0)
        self.assertGreater(fresh, 0)

    def rows(self, path):
        found, url = [], path
        while url:
            page = self.daemon.ok(self.daemon.get(url, key=self.daemon.test))
            found, url = found + page["results"], page["next"] and page["next"].replace(self.daemon.url, "")
        return found

    def agents_named(self, key):
        return sum(row["name"] == key for row in self.rows("/api/v1/agents/?page_size=100"))

    def messages_of(self, key):
        talks = self.rows("/api/v1/conversations/?page_size=100")
        return sum(row["text"] == key for talk in talks for row in self.rows(f"/api/v1/conversations/{talk['id']}/messages/?page_size=100"))


class Walks(unittest.TestCase):
    """Pages by cursor while rows come and go."""

    def setUp(self):
        self.daemon = Daemon(plan_enterprise="0,0,0", address_limit=0).start()
        self.addCleanup(self.daemon.close)
        self.base = f"/api/v1/agents/{self.daemon.agent}/knowledge/"

    def put(self, names):
        rows = [{"title": name, "content": f"Text of {name}.", "external_id": name} for name in names]
        self.daemon.ok(self.daemon.post(self.base + "bulk/", {"documents": rows}, key=self.daemon.test), 200)

    def drop(self, names):
        self.daemon.ok(self.daemon.call("DELETE", self.base + "bulk/", {"external_ids": names}, key=self.daemon.test), 200)

    def walk(self, path, chance, between):
        """Every row from the first page to the last; something happens between two pages."""
        seen, url, pages = [], f"{path}?page_size={chance.randint(1, 9)}", 0
        while url:
            page = self.daemon.ok(self.daemon.get(url, key=self.daemon.test))
            seen += page["results"]
            url, pages = page["next"] and page["next"].replace(self.daemon.url, ""), pages + 1
            between()
        return seen, pages

    def test_what_was_there_all_the_time_is_seen_exactly_once(self):
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
        chance, there, serial, steps = random.Random(seed), [], 0, 0
        print(f"      seed {seed}", flush=True)
        for _ in range(6):
            fresh = [f"d{serial + i}" for i in range(25)]
            serial += 25
            self.put(fresh)
            there += fresh
            stayed = set(there)

            turns = iter(range(40))  # rows are added at the end: a walk by small pages must be able to reach it

            def disturb():
                nonlocal serial
                if next(turns, None) is None:
                    return
                new = [f"d{serial + i}" for i in range(chance.randint(0, 3))]
                serial += len(new)
                gone = chance.sample(there, min(len(there), chance.randint(0, 2)))
                if new:
                    self.put(new)
                if gone:
                    self.drop(gone)
                there[:] = [name for name in there if name not in gone] + new
                stayed.difference_update(gone)
            seen, pages = self.walk(self.base, chance, disturb)
            names = [row["external_id"] for row in seen]
            self.assertEqual(len(names), len(set(names)), f"seed {seed}: a row came twice")
            self.assertEqual(stayed - set(names), set(), f"seed {seed}: a row that stayed was not seen")
            steps += pages
        print(f"      {steps} pages walked, {serial} rows made, {serial - len(there)} removed between them", flush=True)

    def test_the_log_of_events_is_walked_while_it_grows(self):
        conversation = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/", {"message": "Hello"}, key=self.daemon.test))
        change = lambda n: self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{conversation['conversation_id']}/",
                                                            {"metadata": {"n": str(n)}}, key=self.daemon.test))
        for number in range(20):
            change(number)
        before = {row["id"] for row in self.daemon.ok(self.daemon.get("/api/v1/events/?page_size=100", key=self.daemon.test))["results"]}
        numbers, left = iter(range(20, 1000)), [15]

        def more():
            left[0] -= 1
            if left[0] > 0:
                change(next(numbers))
        seen, _ = self.walk("/api/v1/events/", random.Random(7), more)
        ids = [row["id"] for row in seen]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(before, set(ids))


class Manners(unittest.TestCase):
    def test_nexv_28_our_own_fault_is_500_without_its_insides(self):
        """NEXV-28: a record on disk is damaged behind the daemon's back; reading it is 500 with a message and no more."""
        with Daemon() as daemon:
            made = daemon.ok(daemon.post("/api/v1/agents/", {"name": "Damaged9f2c"}), 201)
            daemon.stop()
            path = os.path.join(daemon.data, "data.mdb")
            path = path if os.path.exists(path) else next(
                os.path.join(folder, name) for folder, _, names in os.walk(daemon.data) for name in names if name == "data.mdb")
            with open(path, "rb") as handle:
                data = handle.read()
            self.assertIn(b'"name":"Damaged9f2c"', data)
            with open(path, "wb") as handle:
                handle.write(data.replace(b'"name":"Damaged9f2c"', b'"name":\x01Damaged9f2c"'))
            daemon.start()
            for prefix in ("/api/v1", "/v1"):
                answer = http_call("GET", f"{daemon.url}{prefix}/agents/{made['id']}", headers={"Authorization": "Bearer " + daemon.live})
                self.assertEqual((answer.status, answer.json["error"]["code"]), (500, "INTERNAL_ERROR"), answer)
                self.assertEqual(answer.json["message"], answer.json["error"]["message"])
                told = answer.body.replace(answer.json["error"]["request_id"].encode(), b"")  # an id may hold anything
                for inside in (b"Damaged", b".c:", b"0x", b"corrupt", b"json", b"mdb"):
                    self.assertNotIn(inside, told.lower() if inside.islower() else told)
            self.assertEqual(daemon.get("/api/v1/me/").status, 200, "the rest goes on")

    def test_convo_52_deprecation_is_told_by_headers_and_in_the_document(self):
        """CONVO-52: a row of tbl_deprecations.h answers with Deprecation and Sunset, whatever the status; no other route does."""
        with Daemon() as daemon:
            document = daemon.get("/openapi.json", key=False).json
            marked = {(method, path) for path, item in document["paths"].items() for method, operation in item.items() if operation.get("deprecated")}
            self.assertEqual(marked, {("post", prefix + "/conversations/{conversation}/escalate") for prefix in ("/api/v1", "/v1")})
            talk = daemon.ok(daemon.post(f"/api/v1/agents/{daemon.agent}/invoke/", {"message": "Hello"}))["conversation_id"]
            answers = [daemon.post(f"{prefix}/conversations/{ident}/escalate/", {"reason": "asked"}, key=key) for prefix, ident, key in (
                ("/api/v1", talk, None), ("/v1", "cnv_none", None), ("/v1", talk, False))]
            self.assertEqual([answer.status for answer in answers], [200, 404, 401])
            for answer in answers:
                self.assertRegex(answer.headers["deprecation"], r"^@\d+$")
                sunset = email.utils.parsedate_to_datetime(answer.headers["sunset"]).timestamp()
                self.assertGreaterEqual(sunset - int(answer.headers["deprecation"][1:]), 365 * 86400, "12 months at least")
                self.assertIn('rel="deprecation"', answer.headers["link"])
            self.assertEqual(answers[0].json["mode"], "human")
            self.assertNotIn("deprecation", daemon.post(f"/api/v1/conversations/{talk}/handoff/", {}).headers)
