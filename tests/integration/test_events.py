"""Events out: webhooks that are provably ours, kept apart from each other, and the stream."""
import base64
import calendar
import hashlib
import hmac
import json
import os
import random
import statistics
import time
import unittest
from unittest import mock

from tests.support import receivers
from tests.support.app import FakeApp, signature_of
from tests.support.daemon import Daemon, wait_for
from tests.support.receivers import Receiver, plain
from tests.support.sse import EventStream

SECRET = "whsec_your_signing_secret"


def standard_signature(secret, headers, body):
    """What one item of webhook-signature must be."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        key = key if secret.startswith("whsec_") and 24 <= len(key) <= 64 else secret.encode()
    except ValueError:
        key = secret.encode()
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def misfits(schema, value, where="event"):
    """Where a value does not fit a schema of the catalogue."""
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    found = []
    allowed = schema.get("type", [])
    if allowed and kinds[type(value)] not in ([allowed] if isinstance(allowed, str) else allowed):
        found.append(f"{where} is {kinds[type(value)]}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value}")
    if isinstance(value, dict):
        found += [f"{where} lacks {name}" for name in schema.get("required", []) if name not in value]
        for name, inner in schema.get("properties", {}).items():
            found += misfits(inner, value[name], f"{where}.{name}") if name in value else []
    return found


class EventCase(unittest.TestCase):
    options = {}

    def setUp(self):
        self.daemon = Daemon(**self.options).start()
        self.addCleanup(self.daemon.close)
        self.talks = {}

    def hook(self, url, events=("*",), **fields):
        """A webhook endpoint of the whole account; returns it."""
        return self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": url, "events": list(events), **fields}), 201)

    def receiver(self, manner):
        made = Receiver(manner)
        self.addCleanup(made.close)
        return made

    def talk(self, name="main"):
        """A conversation's id."""
        if name not in self.talks:
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/",
                                            {"message": "Good morning", "thread_id": name}))
            known = set(self.talks.values())
            found = [row["id"] for row in self.daemon.conversations() if row["id"] not in known]
            self.talks[name] = found[0]
        return self.talks[name]

    def stir(self, count=1, name="main"):
        """Makes that many conversation.updated events."""
        conversation = self.talk(name)
        for number in range(count):
            self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{conversation}/", {"tags": [f"t{number}", str(random.random())]}))

    def get(self, path):
        return self.daemon.ok(self.daemon.get(path))

    def deliveries(self, hook, status=None):
        query = f"&status={status}" if status else ""
        return self.get(f"/v1/webhooks/{hook['id']}/deliveries/?pageSize=100{query}")["data"]

    def state(self, hook):
        return self.get(f"/v1/webhooks/{hook['id']}/")


class Stream(EventCase):
    def test_events_come_as_they_happen_and_resume_without_gap_or_repetition(self):
        only = "/api/v1/events/stream/?types=conversation.updated"
        self.talk()
        stream = EventStream(self.daemon, only)
        self.addCleanup(stream.close)
        self.assertEqual((stream.status, stream.answer.getheader("Content-Type")), (200, "text/event-stream"))
        self.stir(5)
        frames = stream.wait(5)
        for name, ident, data in frames:
            self.assertEqual((data["type"], data["id"]), (name, ident))
        stream.close()
        self.stir(5)
        again = EventStream(self.daemon, only, last=frames[2][1])
        self.addCleanup(again.close)
        more = again.wait(7)
        self.assertEqual([f[1] for f in more[:2]], [f[1] for f in frames[3:]])
        listed = [e["id"] for e in self.get("/api/v1/events/?page_size=100")["results"] if e["type"] == "conversation.updated"]
        self.assertEqual([f[1] for f in frames[:3] + more], listed)

    def test_filters_by_type_and_conversation(self):
        first, second = self.talk("a"), self.talk("b")
        only = EventStream(self.daemon, f"/api/v1/events/stream/?conversation_id={second}&types=conversation.updated")
        ended = EventStream(self.daemon, "/v1/events/stream?types=conversation.ended")
        self.addCleanup(only.close)
        self.addCleanup(ended.close)
        self.stir(2, "a")
        self.stir(1, "b")
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{first}/close/"))
        ended.wait(1)
        self.assertEqual(only.wait(1)[0][2]["conversation_id"], second)
        self.assertEqual((only.types(), ended.types()), (["conversation.updated"], ["conversation.ended"]))
        self.assertEqual(self.daemon.get("/api/v1/events/stream/?types=nonsense").status, 400)

    def test_an_unknown_last_event_id_is_told_by_reset(self):
        stream = EventStream(self.daemon, last="evt_01ARZ3NDEKTSV4RRFFQ69G5FAV")
        self.addCleanup(stream.close)
        self.assertEqual(stream.wait(1)[0][0], "reset")
        self.stir(1)
        wait_for(lambda: "conversation.updated" in stream.types(), "events after the reset")

    def test_the_other_mode_sees_nothing_but_heartbeats(self):
        stream = EventStream(self.daemon, key=self.daemon.test)
        live = EventStream(self.daemon)
        self.addCleanup(stream.close)
        self.addCleanup(live.close)
        self.stir(1)
        live.wait(1)
        began = time.monotonic()
        wait_for(lambda: stream.comments, "a heartbeat", 20)
        self.assertLess(time.monotonic() - began, 16)
        self.assertEqual(stream.frames, [])

    def test_a_revoked_key_ends_its_streams_within_a_second(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "reader", "mode": "live", "scopes": ["read"]}))
        text = made.get("key") or made.get("secret") or made.get("token")
        stream = EventStream(self.daemon, key=text)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        self.daemon.ok(self.daemon.delete(f"/api/v1/keys/{made['id']}/"))
        began = time.monotonic()
        wait_for(lambda: stream.ended, "the stream to end", 5)
        self.assertLess(time.monotonic() - began, 1.0)
        self.assertEqual(EventStream(self.daemon, key=text, read=False).status, 401)

    def test_a_drain_ends_streams_before_it_waits(self):
        streams = [EventStream(self.daemon) for _ in range(20)]
        for stream in streams:
            self.addCleanup(stream.close)
        began = time.monotonic()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        wait_for(lambda: all(s.ended for s in streams), "all streams to end")

    def test_a_reader_that_does_not_read_costs_a_place_not_a_queue(self):
        conversation, only = self.talk(), "/api/v1/events/stream/?types=conversation.updated"
        lazy = EventStream(self.daemon, only, read=False)
        eager = EventStream(self.daemon, only)
        self.addCleanup(lazy.close)
        self.addCleanup(eager.close)
        for number in range(200):  # 12 MB: more than any buffer between holds
            self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{conversation}/", {"metadata": {"blob": f"{number:060000d}"}}))
        wanted = [f[1] for f in eager.wait(200)]
        lazy.start()
        self.assertEqual([f[1] for f in lazy.wait(200)], wanted)


class Deliveries(EventCase):
    options = {"webhooks_schedule": "0,1,1,1"}

    def test_convo_35_36_a_webhook_takes_url_events_and_secret(self):
        path = f"/api/v1/agents/{self.daemon.agent}/webhooks/"
        names = ["lead.qualified", "appointment.booked", "handoff.triggered"]
        made = self.daemon.ok(self.daemon.post(path, {"url": "https://app.example/hook", "events": names, "secret": SECRET}), 201)
        self.assertRegex(made["id"], r"^whk_[0-9A-Z]{26}$")
        self.assertEqual(made["events"], names)
        for events in (["no.such"], ["lead.*.x"], [""], [], "lead.qualified"):
            answer = self.daemon.post(path, {"url": "https://app.example/hook", "events": events, "secret": SECRET})
            self.assertEqual((answer.status, answer.json["error"]["field"].split("/")[0]), (400, "events"), events)

    def test_convo_37_38_39_the_chosen_secret_signs_every_post_byte_for_byte(self):
        for secret in (SECRET, "0123456789abcdef", "whsec_" + base64.b64encode(os.urandom(32)).decode(), "!" + "~" * 254 + "+"):
            with FakeApp() as app:
                made = self.hook(app.url, ["conversation.updated"], secret=secret)
                self.assertEqual(made["secret"], secret)
                self.stir(1)
                app.wait("conversation.updated")
                headers, body = app.calls[0]
                self.assertEqual(headers["X-ConvoAI-Signature"], signature_of(secret, body))
                self.assertEqual(headers["webhook-signature"], standard_signature(secret, headers, body))
                self.assertEqual(headers["Content-Type"], "application/json")
                self.assertEqual(headers["X-ConvoAI-Event"], "conversation.updated")
                self.assertEqual((headers["webhook-id"], headers["X-ConvoAI-Attempt"]), (json.loads(body)["id"], "1"))
                self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 5)
                self.daemon.ok(self.daemon.delete(f"/v1/webhooks/{made['id']}/"))

    def test_convo_40_only_subscribed_events_are_delivered(self):
        with FakeApp() as app, FakeApp() as everything:
            self.hook(app.url, ["conversation.ended"])
            self.hook(everything.url)
            self.stir(3)
            self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{self.talk()}/close/"))
            app.wait("conversation.ended")
            everything.wait("conversation.ended")
            self.assertEqual(set(app.types()), {"conversation.ended"})
            self.assertGreaterEqual(len(set(everything.types())), 3)

    def test_convo_41_the_catalogue_has_at_least_twelve_types_with_schema_and_example(self):
        for path, rows_name in (("/api/v1/webhooks/events/", "results"), ("/v1/webhooks/events/", "data")):
            rows = self.get(path)[rows_name]
            self.assertGreaterEqual(len(rows), 12)
            self.assertTrue({"lead.qualified", "appointment.booked", "handoff.triggered"} <= {row["type"] for row in rows})
            for row in rows:
                self.assertEqual(misfits(row["schema"], row["example"]), [], row["type"])
                self.assertIn("agent_id", row["schema"]["properties"])

    def test_rovx_28_a_subscription_is_created_listed_read_changed_and_deleted(self):
        made = self.hook("https://app.example/hook", ["message.*"])
        path = f"/v1/webhooks/{made['id']}/"
        self.assertIn(made["id"], [row["id"] for row in self.get("/v1/webhooks/")["data"]])
        self.assertNotIn("secret", self.get(path))
        changed = self.daemon.ok(self.daemon.patch(path, {"events": ["message.received"], "status": "disabled"}))
        self.assertEqual((changed["events"], changed["status"]), (["message.received"], "disabled"))
        self.assertEqual(self.daemon.delete(path).status, 204)
        self.assertEqual(self.daemon.get(path).status, 404)

    def test_rovx_29_a_test_delivery_is_marked(self):
        with FakeApp() as app:
            made = self.hook(app.url, ["lead.created"])
            self.daemon.ok(self.daemon.post(f"/v1/webhooks/{made['id']}/test/"), 202)
            event = app.wait("webhook.test")[0]
            self.assertIs(event["data"]["test"], True)

    def test_rovx_30_32_the_log_tells_each_attempt_and_a_retry_makes_a_new_one(self):
        app = self.receiver(plain(receivers.answer(503, body=b"not now"), receivers.answer(200, body=b"thanks")))
        made = self.hook(app.url, ["conversation.updated"])
        self.daemon.ok(self.daemon.patch(f"/v1/webhooks/{made['id']}/", {"description": "x"}))
        self.stir(1)
        row = wait_for(lambda: self.deliveries(made) and self.deliveries(made)[0]["attemptCount"] == 1 and self.deliveries(made)[0],
                       "the first attempt")
        self.assertEqual((row["status"], row["responseStatus"]), ("pending", 503))
        path = f"/v1/webhooks/{made['id']}/deliveries/{row['id']}/"
        self.daemon.ok(self.daemon.post(path + "retry/"), 202)
        wait_for(lambda: self.get(path)["status"] == "delivered", "the retry")
        attempts = self.get(path)["attempts"]
        self.assertEqual([(a["attempt"], a["status"], a["response"]) for a in attempts], [(1, 503, "not now"), (2, 200, "thanks")])
        for attempt in attempts:
            self.assertGreaterEqual(attempt["durationMs"], 0)
        self.assertIn("X-ConvoAI-Replay: true", app.seen[1][1])
        self.assertEqual(app.seen[0][2], app.seen[1][2])
        self.assertEqual([row["id"] for row in self.deliveries(made, "delivered")], [row["id"]])
        self.assertEqual(self.deliveries(made, "failed"), [])

    def test_after_the_last_attempt_it_has_failed_and_is_replayed_by_time(self):
        app = self.receiver(plain(*[receivers.answer(500)] * 4, receivers.answer(200)))
        made = self.hook(app.url, ["conversation.updated"])
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.talk()
        self.stir(1)
        wait_for(lambda: self.deliveries(made, "failed"), "the delivery to fail", 30)
        self.assertEqual(len(app.seen), 4)
        self.stir(1)
        wait_for(lambda: self.deliveries(made, "delivered"), "the next one", 30)
        answer = self.daemon.ok(self.daemon.post(f"/v1/webhooks/{made['id']}/replay/", {"since": since, "onlyFailed": True}), 202)
        self.assertEqual(answer["queued"], 1)
        wait_for(lambda: len(app.seen) == 6, "the replay")
        self.assertEqual(app.seen[5][2], app.seen[0][2])
        self.assertIn("X-ConvoAI-Replay: true", app.seen[5][1])
        answer = self.daemon.ok(self.daemon.post(f"/v1/webhooks/{made['id']}/replay/", {"since": since}), 202)
        self.assertEqual(answer["queued"], 2)
        wait_for(lambda: len(app.seen) == 8, "both again")

    def test_two_secrets_sign_while_one_takes_over(self):
        with FakeApp() as app:
            made = self.hook(app.url, ["conversation.updated"], secret=SECRET)
            path = f"/v1/webhooks/{made['id']}/rotate-secret/"
            second = self.daemon.ok(self.daemon.post(path, {"overlapS": 3600}))["secret"]
            self.stir(1)
            app.wait("conversation.updated")
            headers, body = app.calls[0]
            self.assertEqual(headers["X-ConvoAI-Signature"].split(","), [signature_of(second, body), signature_of(SECRET, body)])
            self.assertEqual(headers["webhook-signature"].split(" "),
                             [standard_signature(second, headers, body), standard_signature(SECRET, headers, body)])
            third = self.daemon.ok(self.daemon.post(path, {"overlapS": 0}))["secret"]
            self.stir(1)
            app.wait("conversation.updated", 2)
            headers, body = app.calls[1]
            self.assertEqual(headers["X-ConvoAI-Signature"], signature_of(third, body))

    def test_410_switches_off_and_what_happens_then_can_be_replayed(self):
        with FakeApp() as other:
            app = self.receiver(plain(receivers.GONE, receivers.answer(200)))
            self.hook(other.url, ["webhook.disabled"])
            made = self.hook(app.url, ["conversation.updated"])
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.stir(1)
            wait_for(lambda: self.state(made)["status"] == "disabled", "the endpoint to be switched off")
            self.assertEqual(other.wait("webhook.disabled")[0]["data"]["webhook"]["id"], made["id"])
            self.stir(3)
            wait_for(self.daemon.idle, "the queues to empty")
            self.assertEqual(len(app.seen), 1)
            self.daemon.ok(self.daemon.patch(f"/v1/webhooks/{made['id']}/", {"status": "active"}))
            self.daemon.ok(self.daemon.post(f"/v1/webhooks/{made['id']}/replay/", {"since": since, "onlyFailed": True}), 202)
            wait_for(lambda: len(app.seen) == 5, "the four events")

    def test_statistics_tell_rate_and_percentiles(self):
        app = self.receiver(plain(*[receivers.answer(200)] * 3, receivers.answer(500), receivers.answer(200)))
        made = self.hook(app.url, ["conversation.updated"])
        self.stir(4)
        wait_for(lambda: len(app.seen) >= 5, "all attempts", 30)
        stats = wait_for(lambda: (s := self.get(f"/v1/webhooks/{made['id']}/stats/"))["delivered"] == 4 and s, "the figures")
        self.assertEqual((stats["attempts"], stats["successRate"], stats["failed"]), (5, 0.8, 0))
        self.assertLessEqual(stats["p50Ms"], stats["p95Ms"])
        self.assertEqual(stats["now"]["breaker"], "closed")


class Breaker(EventCase):
    options = {"webhooks_schedule": "0,2000,2000"}

    def test_an_open_breaker_holds_deliveries_without_using_up_attempts(self):
        app = self.receiver(plain(receivers.answer(500)))
        made = self.hook(app.url, ["conversation.updated"])
        self.stir(30)
        wait_for(lambda: self.get(f"/v1/webhooks/{made['id']}/stats/")["now"]["breaker"] == "open", "the breaker to open")
        wait_for(lambda: self.get(f"/v1/webhooks/{made['id']}/stats/")["now"]["inFlight"] == 0, "the last attempts")
        sent = len(app.seen)
        self.assertLess(sent, 20)
        rows = self.deliveries(made)
        self.assertEqual(sum(row["attemptCount"] for row in rows), sent)
        self.assertEqual(len([row for row in rows if row["attemptCount"] == 0]), 30 - sent)
        app.manner = plain(receivers.answer(200))
        self.daemon.ok(self.daemon.patch(f"/v1/webhooks/{made['id']}/", {"status": "active"}))
        self.daemon.restart()
        wait_for(lambda: len(self.deliveries(made, "delivered")) == 30 - sent, "the ones that were held")


class OffAfterFailures(EventCase):
    options = {"webhooks_schedule": "0," + "1," * 30 + "1", "webhooks_disable_after": "4s"}

    def test_nothing_but_failures_warns_at_half_time_then_switches_off(self):
        with FakeApp() as other:
            app = self.receiver(plain(receivers.answer(500)))
            self.hook(other.url, ["webhook.*"])
            made = self.hook(app.url, ["conversation.updated"])
            self.stir(1)
            other.wait("webhook.failing")
            self.assertEqual(self.state(made)["status"], "failing")
            other.wait("webhook.disabled")
            self.assertEqual(other.types(), ["webhook.failing", "webhook.disabled"])
            self.assertEqual(self.state(made)["status"], "disabled")


class Ordered(EventCase):
    options = {"webhooks_schedule": "0,1,1,1,1", "webhooks_order_hold": "20s"}

    def test_strict_order_within_a_conversation_and_no_wait_between_them(self):
        order = []
        def manner(client, receiver):
            event = json.loads(receiver.seen[-1][2])
            first = event["conversation_id"] == blocked and sum(json.loads(s[2])["id"] == event["id"] for s in receiver.seen) <= 2
            client.sendall(receivers.answer(500 if first else 200))
            if not first:
                order.append((event["conversation_id"], event["sequence"]))
            return True
        blocked, free = self.talk("a"), self.talk("b")
        app = self.receiver(manner)
        self.hook(app.url, ["conversation.updated"], ordered=True)
        self.stir(3, "a")
        self.stir(3, "b")
        wait_for(lambda: len(order) == 6, "all events", 40)
        self.assertEqual({c for c, _ in order[:3]}, {free})
        for conversation in (blocked, free):
            numbers = [n for c, n in order if c == conversation]
            self.assertEqual(numbers, sorted(numbers))


class OrderedHold(EventCase):
    options = {"webhooks_schedule": "0,1,2000", "webhooks_order_hold": "5s"}

    def test_a_head_that_fails_for_too_long_steps_aside(self):
        good = []
        def manner(client, receiver):
            event = json.loads(receiver.seen[-1][2])
            bad = event["data"]["conversation"]["tags"][0] == "bad"
            client.sendall(receivers.answer(500 if bad else 200))
            good.extend([] if bad else [event["id"]])
            return True
        app = self.receiver(manner)
        conversation = self.talk()
        made = self.hook(app.url, ["conversation.updated"], ordered=True)
        for tag in ("bad", "good"):
            self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{conversation}/", {"tags": [tag]}))
        wait_for(lambda: good, "the one behind", 30)
        self.assertEqual(len(self.deliveries(made, "pending")), 1)


ROVX = ("conversation.started", "message.received", "message.sent", "escalation.triggered", "feedback.received", "knowledge.synced",
        "conversation.ended", "agent.joined", "agent.message.sent", "handoff.resolved")


class Scripted(EventCase):
    def say(self, text):
        self.daemon.ok(self.daemon.post("/api/v1/sandbox/inbound/", {"from": "+14155550177", "text": text}, key=self.daemon.test), 202)

    def act(self, conversation, verb, body=None):
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/{verb}/", body or {}, key=self.daemon.test))

    def test_rovx_33_34_convo_34_one_conversation_tells_all_ten_in_order_each_once(self):
        with FakeApp() as app:
            self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": list(ROVX)}, key=self.daemon.test), 201)
            self.daemon.push("Opening hours", "The shop opens at 9 in the morning.", key=self.daemon.test)
            app.wait("knowledge.synced")
            self.say("When does the shop open?")
            app.wait("message.sent")
            conversation = app.wait("conversation.started")[0]["conversation_id"]
            self.act(conversation, "feedback", {"rating": "up"})
            app.wait("feedback.received")
            self.act(conversation, "handoff", {"reason": "asked"})
            app.wait("escalation.triggered")
            self.act(conversation, "join", {"name": "Ana"})
            app.wait("agent.joined")
            self.act(conversation, "messages", {"text": "Hello, Ana here."})
            app.wait("agent.message.sent")
            self.act(conversation, "resolve", {"return_to": "ai"})
            app.wait("handoff.resolved")
            self.act(conversation, "close")
            app.wait("conversation.ended")
            wait_for(lambda: self.daemon.idle(), "the queues to empty")
            self.assertEqual(set(app.types()), set(ROVX))
            once = [t for t in app.types() if t not in ("message.sent", "knowledge.synced")]
            self.assertEqual(once, ["conversation.started", "message.received", "feedback.received", "escalation.triggered",
                                    "agent.joined", "agent.message.sent", "handoff.resolved", "conversation.ended"])
            schemas = {row["type"]: row["schema"] for row in self.get("/api/v1/webhooks/events/")["results"]}
            schemas["escalation.triggered"] = schemas["handoff.triggered"]
            for event in app.events:
                self.assertEqual(misfits(schemas[event["type"]], event), [], event["type"])

    def test_convo_34_a_message_a_lead_an_appointment_and_a_handoff_arrive(self):
        names = ["message.received", "lead.qualified", "appointment.booked", "handoff.triggered"]
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/settings/", {
            "chat": {"fallback_behavior": "TRY_ANYWAY"},
            "leads": {"enabled": True, "fields": [{"name": "email", "type": "email", "required": True, "score": 60}],
                      "qualify": {"required": ["email"], "min_score": 50}},
            "appointments": {"enabled": True, "time_zone": "Europe/Madrid", "slot_minutes": 30, "horizon_days": 30,
                             "services": [{"id": "visit", "name": "Visit", "minutes": 30, "resources": ["room"]}],
                             "resources": [{"id": "room"}]}}, key=self.daemon.test))
        with FakeApp() as app:
            self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": names, "secret": SECRET}, key=self.daemon.test), 201)
            self.say("Could you write to lena@example.com please?")
            conversation = app.wait("message.received")[0]["conversation_id"]
            lead = app.wait("lead.qualified")[0]
            self.assertEqual((lead["conversation_id"], lead["data"]["lead"]["fields"]), (conversation, {"email": "lena@example.com"}))
            slots = self.daemon.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/availability/?service=visit", key=self.daemon.test))["slots"]
            self.daemon.ok(self.daemon.post("/api/v1/appointments/", {
                "agent_id": self.daemon.agent, "service": "visit", "starts_at": slots[2]["starts_at"], "conversation_id": conversation,
                "name": "Lena"}, key=self.daemon.test), 201)
            app.wait("appointment.booked")
            self.say("I want to talk to a human please")
            app.wait("handoff.triggered")
            wait_for(lambda: self.daemon.idle(), "the queues to empty")
            self.assertEqual(app.types(), [*names[:3], "message.received", names[3]])
            self.assertEqual({event["conversation_id"] for event in app.events}, {conversation})
            numbers = [event["sequence"] for event in app.events]
            self.assertEqual(numbers, sorted(numbers))
            for headers, body in app.calls:
                self.assertEqual(headers["X-ConvoAI-Signature"], signature_of(SECRET, body))

    def test_events_of_one_lead_come_in_order_without_a_conversation(self):
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/settings/", {
            "leads": {"enabled": True, "fields": [{"name": "email", "type": "email", "required": True, "score": 60}],
                      "qualify": {"required": ["email"], "min_score": 50}}}))
        app = self.receiver(receivers.slow(0.05))  # the second would overtake the first, if it could
        self.hook(app.url, ["lead.*"])
        for number in range(20):
            self.daemon.ok(self.daemon.post("/api/v1/leads/", {"name": "Lena", "fields": {"email": f"lena{number}@example.com"}}), 201)
        wait_for(lambda: len(app.seen) == 40, "all events", 40)
        came = {}
        for _, _, body in app.seen:
            event = json.loads(body)
            came.setdefault(event["data"]["lead"]["id"], []).append(event["type"])
        self.assertEqual(list(came.values()), [["lead.created", "lead.qualified"]] * 20)

    def test_vivo_19_20_conversation_updated_carries_the_id_by_which_the_whole_is_fetched(self):
        with FakeApp() as app:
            self.hook(app.url, ["conversation.updated"])
            conversation = self.talk()
            self.daemon.ok(self.daemon.patch(f"/v1/conversations/{conversation}", {"tags": ["vip"]}))
            event = app.wait("conversation.updated")[0]
            self.assertEqual((event["conversation_id"], event["data"]["conversation"]["id"]), (conversation, conversation))
            fetched = self.get(f"/v1/conversations/{event['conversation_id']}")
            self.assertEqual(fetched.get("data", fetched)["tags"], ["vip"])


class Backoff(EventCase):
    options = {"webhooks_schedule": "0,1,2,4,30"}

    def test_rovx_31_failed_deliveries_are_retried_with_growing_gaps(self):
        app = self.receiver(plain(*[receivers.answer(500)] * 3, receivers.answer(200)))
        self.hook(app.url, ["conversation.updated"])
        self.stir(1)
        wait_for(lambda: len(app.seen) == 4, "four attempts", 30)
        gaps = [b[0] - a[0] for a, b in zip(app.seen, app.seen[1:])]
        for gap, planned in zip(gaps, (1, 2, 4)):
            self.assertGreater(gap, planned * 0.79)
            self.assertLess(gap, planned * 1.2 + 1)


class Schedule(EventCase):
    options = {"webhooks_schedule": "0,1,2,3,3,4"}

    def test_the_schedule_is_kept_across_a_restart_and_a_kill(self):
        app = self.receiver(plain(receivers.answer(500)))
        made = self.hook(app.url, ["conversation.updated"])
        self.stir(1)
        wait_for(lambda: len(app.seen) == 2, "two attempts")
        self.daemon.kill()
        self.daemon.start()
        wait_for(lambda: len(app.seen) == 3, "a third", 30)
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        wait_for(lambda: self.deliveries(made, "failed"), "the end of the schedule", 40)
        self.assertEqual(len(app.seen), 6)
        gaps = [b[0] - a[0] for a, b in zip(app.seen, app.seen[1:])]
        for gap, planned in zip(gaps, (1, 2, 3, 3, 4)):
            self.assertGreater(gap, planned * 0.79, gaps)
            self.assertLess(gap, planned * 1.2 + 1, gaps)


class RetryAfter(EventCase):
    options = {"webhooks_schedule": "0,500,500"}

    def test_retry_after_counts_between_the_planned_delay_and_twice_that(self):
        cases = [(1, 400, 600), (550, 500, 600), (-590, 500, 601), (100000, 800, 1200), (-100000, 800, 1200)]
        for after, least, most in cases:
            app = self.receiver(receivers.busy(after))
            made = self.hook(app.url, ["conversation.updated"])
            self.stir(1)
            row = wait_for(lambda: (rows := self.deliveries(made)) and rows[0]["attemptCount"] == 1 and rows[0], "the attempt")
            self.daemon.ok(self.daemon.delete(f"/v1/webhooks/{made['id']}/"))
            wait = self.moment(row["nextAttemptAt"]) - self.moment(row["createdAt"])
            self.assertTrue(least - 2 <= wait <= most + 3, (after, wait))

    @staticmethod
    def moment(text):
        return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


BAD = {"slow": receivers.slow(3), "slow2": receivers.slow(6), "hanging": receivers.hanging, "hanging2": receivers.hanging,
       "dripping": receivers.dripping, "redirect": plain(receivers.REDIRECT),
       "redirect2": plain(receivers.answer(302, "Location: http://127.0.0.1:1/")), "gone": plain(receivers.GONE),
       "busy": receivers.busy(5), "busy by date": receivers.busy(-5), "reset": receivers.reset, "reset2": receivers.reset,
       "huge": receivers.huge, "huge2": receivers.huge, "flood": receivers.header_flood, "flood2": receivers.header_flood,
       "garbage": receivers.garbage, "bad tls": receivers.garbage, "error": plain(receivers.answer(500)), "unavailable": plain(receivers.answer(503))}


class Neighbours(EventCase):
    options = {"webhooks_rate": "0"}  # causes come faster than an endpoint would take them otherwise

    def setUp(self):
        # What the address sanitizer keeps of freed memory is no memory of ours.
        with mock.patch.dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=16:" + os.environ.get("ASAN_OPTIONS", "")):
            super().setUp()

    def rss_mb(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def latencies(self, good, rounds):
        """Milliseconds from cause to arrival at the healthy ones."""
        found = []
        for _ in range(rounds):
            before = [len(app.seen) for app in good]
            began = time.monotonic()
            self.stir(1)
            wait_for(lambda: all(len(app.seen) > b for app, b in zip(good, before)), "all healthy ones")
            found += [(app.seen[-1][0] - began) * 1000 for app in good]
        return found

    def switch(self, hooks, status):
        for hook in hooks:
            self.daemon.ok(self.daemon.patch(f"/v1/webhooks/{hook['id']}/", {"status": status}))

    def test_twenty_bad_receivers_change_nothing_for_ten_good_ones(self):
        """In turns with and without them, so that a busy machine is as busy for both. TEST_BLOCKS is the number of turns."""
        blocks = int(os.environ.get("TEST_BLOCKS", "3"))
        good = [self.receiver(plain(receivers.answer(200))) for _ in range(10)]
        for app in good:
            self.hook(app.url, ["conversation.updated"])
        more = [self.receiver(plain(receivers.answer(200))) for _ in BAD]  # as many deliveries for each cause, all well
        extra = [self.hook(app.url, ["conversation.updated"]) for app in more]
        bad = {name: self.receiver(manner) for name, manner in BAD.items()}
        bad["bad tls"].url = bad["bad tls"].url.replace("http:", "https:")
        self.latencies(good, 5)
        before, found, hooks = self.rss_mb(), {"alone": [], "beside": []}, None
        for _ in range(blocks):
            found["alone"] += self.latencies(good, 40)
            self.switch(extra, "disabled")
            if hooks is None:
                hooks = {name: self.hook(app.url, ["conversation.updated"]) for name, app in bad.items()}
            else:
                self.switch(hooks.values(), "active")  # their breakers close, and they are bad anew
            found["beside"] += self.latencies(good, 40)
            self.switch([hook for hook in hooks.values() if hook != hooks["gone"]], "disabled")
            self.switch(extra, "active")
        p50 = [statistics.median(rows) for rows in found.values()]
        p99 = [statistics.quantiles(rows, n=100)[98] for rows in found.values()]
        print(f"      healthy: p50 {p50[0]:.1f} -> {p50[1]:.1f} ms, p99 {p99[0]:.1f} -> {p99[1]:.1f} ms, "
              f"{self.rss_mb() - before:.0f} MB more")
        self.assertLess(p99[1], 2 * p99[0] + 100)
        self.assertLess(self.rss_mb() - before, 300)
        self.assertEqual([len(set(json.loads(s[2])["id"] for s in app.seen)) for app in good], [5 + 80 * blocks] * 10)
        self.assertEqual(self.state(hooks["gone"])["status"], "disabled")
        for name in ("redirect", "bad tls"):
            self.assertEqual(self.deliveries(hooks[name], "delivered"), [])
        wait_for(lambda: self.deliveries(hooks["huge"], "delivered"), "a huge answer to count once its head is there")
        for app in bad.values():
            app.close()


class Kill(EventCase):
    options = {"webhooks_schedule": "0,1,1,1,1,1,1,1"}

    def test_kill_9_under_delivery_load_loses_no_event(self):
        rounds = int(os.environ.get("TEST_KILL_ROUNDS", "5"))
        app = self.receiver(receivers.slow(0.01))
        made = self.hook(app.url, ["conversation.updated"])
        self.talk()
        for number in range(rounds):
            self.stir(20)
            wait_for(lambda: len(app.seen) > number * 20 + random.randrange(15), "some deliveries")
            self.daemon.restart()
        self.stir(1)
        listed, path = [], "/api/v1/events/?page_size=100&types=conversation.updated"
        while path:
            page = self.get(path)
            listed += [event["id"] for event in page["results"]]
            path = page["next"] and page["next"][page["next"].index("/api/"):] if page["results"] else None
        seen = lambda: [json.loads(body)["id"] for _, _, body in list(app.seen)]
        wait_for(lambda: set(listed) <= set(seen()), "every event to arrive", 60)
        wait_for(lambda: self.daemon.idle(), "the queue to empty", 60)
        self.assertEqual(len(listed), rounds * 20 + 1)
        self.assertEqual(set(seen()), set(listed))
        again = len(seen()) - len(listed)
        print(f"      {rounds} kills, {len(listed)} events, {again} came twice")
        self.assertLessEqual(again, rounds * 8, "at most what was in flight comes again")
        self.assertEqual(self.deliveries(made, "failed"), [])
