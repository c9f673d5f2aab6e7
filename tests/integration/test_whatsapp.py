"""The whole way: a WhatsApp message in, an answer out, statuses back."""
import json
import unittest

from tests.fakes.graph import FakeGraph, escaped
from tests.support.app import FakeApp, signature_of
from tests.support.daemon import Daemon, http, wait_for

CUSTOMER = "+16505551234"


class WhatsAppCase(unittest.TestCase):
    options = {}

    def setUp(self):
        self.daemon = Daemon(**self.options).start()
        self.addCleanup(self.daemon.close)
        self.graph = FakeGraph()
        self.addCleanup(self.graph.__exit__)
        self.channel = self.daemon.whatsapp(self.graph.url)
        self.hook = self.daemon.url + self.channel["webhook_path"]
        self.graph.attach(self.hook)
        self.daemon.push("Opening hours", "When does the shop open? The shop opens at 9 in the morning on weekdays, and it is closed on Sundays.")

    def only_conversation(self):
        found = self.daemon.conversations()
        self.assertEqual(len(found), 1, found)
        return found[0]

    def messages(self):
        return self.daemon.messages(self.only_conversation()["id"])


class TheWholeWay(WhatsAppCase):
    def test_message_in_answer_out_statuses_back_and_again_changes_nothing(self):
        payload = self.graph.text_payload(CUSTOMER, "When does the shop open \u2013 9 or 10? \U0001f44b a/b")
        self.assertEqual(self.graph.post(payload).status, 200)
        call = self.graph.wait_sends(1)[0]
        self.assertIn("9 in the morning", call.text)
        self.assertEqual((call.to, call.body["type"], call.body["recipient_type"]), (CUSTOMER, "text", "individual"))
        self.assertEqual(call.headers["Authorization"], "Bearer EAAtoken")
        self.assertRegex(call.opaque, r"^msg_[0-9A-Z]{26}$")

        for status in ("sent", "delivered", "read"):
            self.assertEqual(self.graph.status(call, status).status, 200)
        def read():
            return [m for m in self.messages() if m["direction"] == "out" and m["status"] == "read"]
        reply = wait_for(read, "the reply to be read")[0]
        self.assertEqual((reply["id"], reply["platform_id"], reply["author"]["type"]), (call.opaque, call.wamid, "ai"))
        inbound = self.messages()[0]
        self.assertEqual(inbound["text"], "When does the shop open \u2013 9 or 10? \U0001f44b a/b")

        self.assertEqual(self.graph.post(payload).status, 200)
        self.assertEqual(self.graph.status(call, "delivered").status, 200)
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertEqual(len(self.graph.calls), 1)
        self.assertEqual([m["status"] for m in self.messages()], [inbound["status"], "read"])

    def test_a_wrong_signature_stores_nothing(self):
        raw = escaped(self.graph.text_payload(CUSTOMER, "When does the shop open?"))
        for signature in ("", "sha256=" + "0" * 64, self.graph.sign(raw, "other-secret"), self.graph.sign(raw + b" "),
                          self.graph.sign(raw)[7:], self.graph.sign(raw)[:-2]):
            answer = self.graph.post_raw(raw, signature)
            self.assertEqual(answer.status, 401, signature)
        self.assertEqual(self.daemon.conversations(), [])
        self.assertEqual(self.graph.calls, [])
        self.assertEqual(self.graph.post_raw(raw).status, 200)
        self.graph.wait_sends(1)

    def test_verification_echoes_the_challenge_for_the_right_token_only(self):
        ask = lambda query: http("GET", f"{self.hook}?{query}")
        good = ask("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me")
        self.assertEqual((good.status, good.body), (200, b"1158201444"))
        self.assertTrue(good.headers["content-type"].startswith("text/plain"))
        self.assertEqual(ask("hub.verify_token=verify%2Dme&hub.challenge=a%20b&hub.mode=subscribe").body, b"a b")
        self.assertEqual(ask("hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong").status, 403)
        self.assertEqual(ask("hub.mode=subscribe&hub.challenge=1").status, 400)
        self.assertEqual(http("GET", self.daemon.url + "/hooks/whatsapp/chn_nope?hub.mode=subscribe").status, 404)

    def test_all_items_of_a_batch_are_taken_and_a_bad_one_spoils_nothing(self):
        items = [self.graph.message(f"+1650555{i:04d}", "When does the shop open?") for i in range(20)]
        payload = self.graph.envelope({"contacts": [c for _, c in items], "messages": [m for m, _ in items]})
        value = payload["entry"][0]["changes"][0]["value"]
        value["messages"].insert(3, {"from": "16505559999", "id": 17, "type": ["text"]})
        value["messages"].insert(9, {"from": "16505559998", "id": "wamid.odd", "timestamp": "1", "type": "hologram", "hologram": {}})
        second = self.graph.text_payload("+16505558888", "When does the shop open?")
        payload["entry"].append(second["entry"][0])
        self.assertEqual(self.graph.post(payload).status, 200)
        everybody = {f"+1650555{i:04d}" for i in range(20)} | {"+16505558888"}
        wait_for(lambda: everybody <= {c.to for c in self.graph.sends}, "an answer for each")

    def test_what_is_not_text_is_stored_and_visible(self):
        item, contact = self.graph.message(CUSTOMER, "")
        del item["text"]
        item.update(type="image", image={"id": "778", "mime_type": "image/jpeg", "sha256": "x", "caption": "my broken cup"})
        self.assertEqual(self.graph.post(self.graph.envelope({"contacts": [contact], "messages": [item]})).status, 200)
        stored = wait_for(lambda: self.daemon.conversations() and self.messages(), "the image")[0]
        self.assertEqual((stored["type"], stored["text"], stored["content"]["id"]), ("image", "my broken cup", "778"))

    def test_a_burst_gets_one_answer(self):
        self.daemon.options["quiet_time"] = "400ms"
        self.daemon.restart()
        for text in ("Hello", "one question", "When does the shop open?"):
            self.assertEqual(self.graph.says(CUSTOMER, text).status, 200)
        call = self.graph.wait_sends(1)[0]
        self.assertIn("9 in the morning", call.text)
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertEqual(len(self.graph.sends), 1)


class Held(WhatsAppCase):
    options = {"send_doubt_grace": "1s"}

    def test_in_doubt_a_message_is_held_and_a_person_gets_the_conversation(self):
        self.graph.drop_next()
        self.graph.says(CUSTOMER, "When does the shop open?")
        reply = lambda: next((m for m in self.messages() if m["direction"] == "out"), {})
        failed = wait_for(lambda: self.daemon.conversations() and reply().get("status") == "failed" and reply(), "the end of the wait")
        self.assertEqual(failed["error"]["code"], "OUTCOME_UNKNOWN")
        self.assertEqual(self.only_conversation()["handoff"]["reason"], "reply_unknown")
        wait_for(self.daemon.idle, "the queue to empty")
        self.assertEqual(len(self.graph.calls), 1, "sent again although held")
        self.assertEqual(self.graph.status(self.graph.sends[0], "delivered").status, 200)
        wait_for(lambda: reply()["status"] == "delivered", "the late status to tell")


class Failures(WhatsAppCase):
    options = {"send_doubt_grace": "2s", "send_doubts": 2}

    def reply(self):
        rows = [m for m in self.messages() if m["direction"] == "out"]
        return rows[0] if rows else None

    def test_a_permanent_error_is_on_the_message(self):
        self.graph.fail_next(131026)
        self.graph.says(CUSTOMER, "When does the shop open?")
        failed = wait_for(lambda: self.daemon.conversations() and self.reply() and self.reply()["status"] == "failed" and self.reply(),
                          "the failure")
        self.assertEqual(str(failed["error"]["code"]), "131026")
        self.assertEqual(len(self.graph.calls), 1)

    def test_an_outage_is_retried(self):
        self.graph.fail_next(131016, 131000)
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1, 40)
        self.assertEqual(len(self.graph.calls), 3)

    def test_in_doubt_the_status_decides(self):
        self.graph.drop_next()
        self.graph.says(CUSTOMER, "When does the shop open?")
        call = self.graph.wait_sends(1)[0]
        self.assertEqual(self.graph.status(call, "delivered").status, 200)
        wait_for(lambda: self.reply() and self.reply()["status"] == "delivered", "the status to decide")
        wait_for(self.daemon.idle, "the queue to empty")
        self.assertEqual(len(self.graph.calls), 1)

    def test_in_doubt_without_a_status_it_is_sent_once_more_where_the_operator_wants_that(self):
        self.graph.drop_next()
        self.graph.says(CUSTOMER, "When does the shop open?")
        calls = self.graph.wait_sends(2, 30)
        self.assertEqual(calls[0].opaque, calls[1].opaque)
        self.assertGreater(calls[1].at - calls[0].at, 1.5)

    def test_a_status_before_the_answer_is_not_lost(self):
        self.graph.auto_status, self.graph.status_first = ("sent", "delivered", "read"), True
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)
        wait_for(lambda: self.reply() and self.reply()["status"] == "read", "the early status")

    def test_a_bad_token_pauses_the_channel_and_nothing_is_lost(self):
        self.graph.fail_next(190)
        self.graph.says(CUSTOMER, "When does the shop open?")
        path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        wait_for(lambda: self.daemon.ok(self.daemon.get(path))["status"] == "paused", "the channel to pause")
        self.assertEqual(self.graph.says(CUSTOMER, "Hello?").status, 200)
        self.daemon.ok(self.daemon.patch(path, {"access_token": "EAAnew", "status": "active"}))
        calls = self.graph.wait_sends(1, 40)
        self.assertEqual(calls[-1].headers["Authorization"], "Bearer EAAnew")


class People(WhatsAppCase):
    def test_asking_for_a_person_hands_over_and_the_agent_is_silent_until_resolved(self):
        with FakeApp() as app:
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/webhooks/",
                                            {"url": app.url, "events": ["*"], "secret": "whsec_your_signing_secret"}), 201)
            self.graph.says(CUSTOMER, "I want to speak to a person please")
            event = app.wait("handoff.triggered")[0]
            conversation = self.only_conversation()
            self.assertEqual((conversation["status"], conversation["mode"]), ("handoff", "human"))
            self.assertEqual(event["data"]["conversation"]["id"], conversation["id"])
            before = len(self.graph.wait_sends(1))  # that a person will come
            self.graph.says(CUSTOMER, "When does the shop open?")
            app.wait("message.received", 2)
            path = f"/api/v1/conversations/{conversation['id']}"
            self.daemon.ok(self.daemon.post(path + "/join/", {"name": "Ana"}))
            app.wait("agent.joined")
            self.daemon.ok(self.daemon.post(path + "/messages/", {"text": "Hello, Ana here.", "author": {"name": "Ana"}}))
            wait_for(lambda: any(c.text == "Hello, Ana here." for c in self.graph.sends), "the person's message")
            self.assertEqual(len(self.graph.sends), before + 1)
            app.wait("agent.message.sent")
            self.daemon.ok(self.daemon.post(path + "/resolve/", {"return_to": "ai"}))
            app.wait("handoff.resolved")
            self.graph.says(CUSTOMER, "So when does the shop open?")
            wait_for(lambda: any("9 in the morning" in (c.text or "") for c in self.graph.sends[before:]), "the agent again")

    def test_an_unknown_question_gets_an_honest_answer_and_a_person(self):
        self.graph.says(CUSTOMER, "Can I bring my pet iguana to the opera?")
        call = self.graph.wait_sends(1)[0]
        self.assertNotIn("9 in the morning", call.text)
        wait_for(lambda: self.only_conversation()["status"] == "handoff", "the handoff")


class Window(WhatsAppCase):
    def test_free_text_outside_the_window_is_refused_before_any_call(self):
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": "+14155559876", "type": "text", "text": "x"})
        self.assertEqual((answer.status, answer.json["error"]["code"]), (422, "WINDOW_CLOSED"))
        self.assertEqual(self.graph.calls, [])
        self.graph.says("+14155559876", "When does the shop open?")
        self.graph.wait_sends(1)
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                        {"to": "+14155559876", "type": "text", "text": "Anything else?"}), 201)
        self.assertEqual(self.graph.wait_sends(2)[1].text, "Anything else?")


class Events(WhatsAppCase):
    def test_events_are_signed_in_order_and_retried(self):
        with FakeApp() as app:
            secret = "whsec_your_signing_secret"
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/webhooks/",
                                            {"url": app.url, "events": ["message.*", "conversation.started"], "secret": secret}), 201)
            app.statuses = [200, 200, 500]
            self.graph.says(CUSTOMER, "When does the shop open?")
            app.wait("message.sent", 2, 40)
            headers, body = app.calls[0]
            self.assertEqual(headers["X-ConvoAI-Signature"], signature_of(secret, body))
            self.assertEqual({h.lower() for h in headers} & {"webhook-id", "webhook-timestamp", "webhook-signature"},
                             {"webhook-id", "webhook-timestamp", "webhook-signature"})
            first = app.events[0]
            self.assertTrue({"id", "type", "created_at", "timestamp", "api_version", "livemode", "agent_id", "sequence", "data"} <= set(first))
            ids = [json.loads(b)["id"] for _, b in app.calls]
            self.assertEqual(len(set(ids)), len(ids) - 1, "the refused one came again")
            bodies = {}
            for event_id, (_, raw) in zip(ids, app.calls):
                self.assertEqual(bodies.setdefault(event_id, raw), raw, "byte-identical on each attempt")
            self.assertEqual(sorted({e["sequence"] for e in app.events}), [1, 2, 3])


class TestModeStaysHome(WhatsAppCase):
    def test_a_test_key_goes_the_same_way_and_nothing_reaches_the_platform(self):
        self.daemon.push("Opening hours", "The shop opens at 9 in the morning.", key=self.daemon.test)
        channel = self.daemon.whatsapp(self.graph.url, key=self.daemon.test)
        self.graph.attach(self.daemon.url + channel["webhook_path"])
        self.assertEqual(self.graph.says(CUSTOMER, "When does the shop open?").status, 200)
        def replied():
            rows = self.daemon.ok(self.daemon.get("/api/v1/sandbox/messages/", key=self.daemon.test))["results"]
            return [m for m in rows if m["status"] == "read"]
        wait_for(replied, "the simulated platform to read the reply")
        self.assertEqual(self.graph.calls, [])
        self.assertEqual(self.daemon.conversations(), [])
