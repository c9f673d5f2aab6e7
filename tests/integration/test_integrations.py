"""Services that an account joins: each against a fake of its real API."""
import unittest

from tests.fakes.slack import FakeSlack
from tests.fakes.zoom import FakeZoom
from tests.support.app import FakeApp
from tests.support.daemon import Daemon, wait_for


class Case(unittest.TestCase):
    OPTIONS = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(**cls.OPTIONS).start()
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.push("Opening hours", "The shop opens at 9 in the morning from Monday to Friday.")
        cls.agent = f"/api/v1/agents/{cls.daemon.agent}"

    def ok(self, answer, *statuses):
        return self.daemon.ok(answer, *statuses)

    def join(self, kind, config, **fields):
        made = self.ok(self.daemon.post("/api/v1/integrations/", {"type": kind, "config": config, **fields}), 201)
        self.addCleanup(self.daemon.delete, f"/api/v1/integrations/{made['id']}/")
        return made

    def say(self, text, thread):
        return self.ok(self.daemon.post(self.agent + "/invoke/", {"message": text, "thread_id": thread}), 200)["conversation_id"]

    def hand_over(self, conversation, **fields):
        self.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/handoff/", fields))

    def fakes(self, fake):
        self.addCleanup(fake.__exit__)
        return fake


class Records(Case):
    def test_integrations_come_and_go_on_both_surfaces(self):
        for surface, rows in (("/api/v1", "results"), ("/v1", "data")):
            for kind, config in (("slack", {"webhook_url": "https://hooks.slack.example/services/T/B/x"}), ("zoom", {"token": "t" * 20}), ("zapier", {}),
                                 ("http", {"url": "https://crm.example/hook"})):
                made = self.ok(self.daemon.post(f"{surface}/integrations", {"type": kind, "config": config, "events": ["lead.created"]}), 201)
                path = f"{surface}/integrations/{made['id']}"
                self.assertIn(made["id"], [row["id"] for row in self.ok(self.daemon.get(f"{surface}/integrations"))[rows]])
                self.assertEqual(self.ok(self.daemon.get(path))["type"], kind)
                self.assertEqual(self.ok(self.daemon.patch(path, {"enabled": False}))["status"], "disabled")
                self.ok(self.daemon.delete(path), 204)
                self.assertEqual(self.daemon.get(path).status, 404)

    def test_secrets_go_in_and_never_come_out(self):
        secrets = {"bot_token": "xoxb-very-secret-1234", "signing_secret": "0123456789abcdef5678", "webhook_url": "https://hooks.slack.example/verysecretpath"}
        made = self.join("slack", {**secrets, "channel": "C1"})
        headers = self.join("http", {"url": "https://crm.example/", "headers": {"X-Key": "very-secret-header"}, "token": "very-secret-token"})
        for row in (made, headers):
            answer = self.daemon.get(f"/api/v1/integrations/{row['id']}/")
            for secret in (*secrets.values(), "very-secret-header", "very-secret-token"):
                self.assertNotIn(secret.encode(), answer.body)
        self.assertEqual(made["credentials"]["bot_token"], {"set": True, "last4": "1234"})
        self.assertNotIn("very-secret", self.daemon.log_text())

    def test_bad_fields_are_named(self):
        for body, field in (({"type": "fax"}, "type"), ({"type": "slack"}, "config/webhook_url"), ({"type": "zoom", "config": {"account_id": "a"}}, "config/account_id"),
                            ({"type": "http", "config": {"url": "ftp://x"}}, "config/url"), ({"type": "http", "config": {"url": "https://x/{{secret.A}}"}}, "config/url"),
                            ({"type": "zapier", "config": {"nonsense": 1}}, "config/nonsense"), ({"type": "zapier", "events": ["no.such"]}, "events")):
            answer = self.daemon.post("/api/v1/integrations/", body)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, field), body)


class Slack(Case):
    def setUp(self):
        self.slack = self.fakes(FakeSlack())

    def inbox(self, **fields):
        config = {"bot_token": self.slack.token, "signing_secret": self.slack.secret, "channel": self.slack.channel, "base_url": self.slack.url}
        made = self.join("slack", {**config, **fields})
        return self.daemon.url + "/hooks/slack/" + made["id"]

    def opened(self, thread):
        conversation = self.say("When does the shop open?", thread)
        self.hand_over(conversation, reason="asked for a person")
        first = wait_for(lambda: self.slack.posts, "the thread")[0]
        wait_for(self.daemon.idle, "its id to be noted")
        return conversation, first

    def texts(self, conversation):
        return [(m["author"]["type"], m["text"]) for m in self.daemon.messages(conversation)]

    def test_a_webhook_hears_of_events(self):
        self.join("slack", {"webhook_url": self.slack.webhook}, events=["handoff.triggered"])
        self.hand_over(self.say("When does the shop open?", "notice"), reason="vip <!channel>")
        notice = wait_for(lambda: self.slack.notices, "the notice")[0]
        self.assertIn("handoff.triggered", notice["text"])
        self.assertIn("&lt;!channel&gt;", notice["text"])

    def test_a_handoff_opens_a_thread_and_replies_come_back(self):
        hook = self.inbox()
        conversation, first = self.opened("inbox-1")
        self.assertNotIn("thread_ts", first)
        self.assertIn("asked for a person", first["text"])
        self.assertIn("When does the shop open?", first["text"])
        self.ok(self.slack.reply(hook, first["ts"], "Hello, Ana &amp; Ben here"), 200)
        self.assertIn(("human", "Hello, Ana & Ben here"), self.texts(conversation))
        talk = self.ok(self.daemon.get(f"/api/v1/conversations/{conversation}/"))
        self.assertEqual((talk["mode"], talk["assigned_to"]["name"]), ("human", "Ana"))
        self.say("Can I come <now>?", "inbox-1")
        second = wait_for(lambda: len(self.slack.posts) > 1 and self.slack.posts, "the customer's words")[1]
        self.assertEqual((second["thread_ts"], second["text"]), (first["ts"], "Can I come &lt;now&gt;?"))

    def test_the_conversation_goes_back_to_the_agent(self):
        hook = self.inbox()
        conversation, first = self.opened("inbox-2")
        self.ok(self.slack.reply(hook, first["ts"], "!ai"), 200)
        self.assertEqual(self.ok(self.daemon.get(f"/api/v1/conversations/{conversation}/"))["mode"], "ai")
        last = wait_for(lambda: len(self.slack.posts) > 1 and self.slack.posts[-1], "the note")
        self.assertIn("Resolved", last["text"])
        wait_for(self.daemon.idle, "the queues")
        self.say("When does the shop open?", "inbox-2")
        wait_for(self.daemon.idle, "the queues")
        self.assertEqual(len(self.slack.posts), 2, "what the agent deals with is not told")
        self.ok(self.slack.reply(hook, first["ts"], "!close"), 200)
        self.assertEqual(self.ok(self.daemon.get(f"/api/v1/conversations/{conversation}/"))["status"], "closed")

    def test_a_callback_that_comes_twice_is_said_once(self):
        hook = self.inbox()
        conversation, first = self.opened("inbox-3")
        for _ in range(2):
            self.ok(self.slack.reply(hook, first["ts"], "Once only", event_id="EvSame"), 200)
        self.assertEqual(self.texts(conversation).count(("human", "Once only")), 1)

    def test_what_is_no_persons_reply_is_left_alone(self):
        hook = self.inbox()
        conversation, first = self.opened("inbox-4")
        before = self.texts(conversation)
        for thread, fields in ((first["ts"], {"bot_id": "B1"}), (first["ts"], {"subtype": "message_changed"}), ("1600000000.000001", {}),
                               (first["ts"], {"ts": first["ts"]})):
            self.ok(self.slack.reply(hook, thread, "Not for the customer", **fields), 200)
        self.assertEqual(self.texts(conversation), before)

    def test_signatures_and_times_are_checked(self):
        hook = self.inbox()
        body = {"type": "url_verification", "challenge": "3eZbrw1aB"}
        self.assertEqual(self.slack.post(hook, body).body, b"3eZbrw1aB")
        self.assertEqual(self.slack.post(hook, body, secret="wrong").status, 401)
        self.assertEqual(self.slack.post(hook, body, at=1700000000).status, 401)
        self.assertEqual(self.daemon.post(hook.removeprefix(self.daemon.url), body, key=False).status, 401)
        self.assertEqual(self.slack.post(self.daemon.url + "/hooks/slack/int_01ARZ3NDEKTSV4RRFFQ69G5FAV", body).status, 404)

    def test_a_busy_slack_is_tried_again_and_a_refusal_is_kept(self):
        self.inbox()
        self.slack.faults = [(503, {"ok": False}), (200, {"ok": False, "error": "ratelimited"})]
        self.opened("inbox-5")
        letters = lambda: self.ok(self.daemon.get("/api/v1/dead-letters/"))["results"]
        before = len(letters())
        self.slack.faults = [(200, {"ok": False, "error": "is_archived"})]
        self.hand_over(self.say("When does the shop open?", "inbox-6"))
        kept = wait_for(lambda: len(letters()) > before and letters(), "the dead letter")
        self.assertTrue(any("is_archived" in str(row) for row in kept))
        self.assertEqual(self.daemon.post("/api/v1/dead-letters/", {"action": "retry"}).json["error"]["field"], "ids")
        done = self.ok(self.daemon.post("/api/v1/dead-letters/", {"action": "drop", "ids": [kept[0]["id"], "ded_none"]}), 200)
        self.assertEqual(done, {"done": 1, "skipped": 1, "more": False})
        self.assertEqual(self.ok(self.daemon.post("/api/v1/dead-letters/", {"action": "drop", "all": True, "queue": "send"}), 200)["done"], 0)
        self.ok(self.daemon.post("/api/v1/dead-letters/", {"action": "retry", "all": True}), 200)


class Zoom(Case):
    def setUp(self):
        self.zoom = self.fakes(FakeZoom())
        self.ok(self.daemon.patch(self.agent + "/settings/", {"appointments": {"enabled": True, "services": [{"id": "visit", "minutes": 30}]}}))

    def book(self, conversation=None):
        slot = self.ok(self.daemon.get(self.agent + "/availability/"))["slots"][0]
        body = {"agent_id": self.daemon.agent, "starts_at": slot["starts_at"], "name": "Ada"}
        return self.ok(self.daemon.post("/api/v1/appointments/", {**body, **({"conversation_id": conversation} if conversation else {})}), 201)

    def shown(self, booked):
        return self.ok(self.daemon.get(f"/api/v1/appointments/{booked['id']}/"))

    def test_a_booking_gets_a_meeting_and_the_customer_is_told(self):
        self.join("zoom", self.zoom.config)
        conversation = self.say("When does the shop open?", "zoom-1")
        booked = self.book(conversation)
        meeting = wait_for(lambda: self.shown(booked).get("meeting"), "the meeting")
        made = self.zoom.meetings[0]
        self.assertEqual(meeting, {"provider": "zoom", "id": str(made["id"]), "join_url": made["join_url"]})
        self.assertEqual((made["type"], made["duration"], made["start_time"]), (2, 30, booked["starts_at"]))
        told = [m["text"] for m in self.daemon.messages(conversation) if m["author"]["type"] == "system"]
        self.assertTrue(any(made["join_url"] in text for text in told), told)
        self.ok(self.daemon.patch(f"/api/v1/appointments/{booked['id']}/", {"status": "cancelled"}))
        wait_for(lambda: self.zoom.deleted == [str(made["id"])], "the meeting to go")

    def test_an_outage_is_waited_out(self):
        self.join("zoom", self.zoom.config)
        self.zoom.faults = [503, 429]
        booked = self.book()
        wait_for(lambda: self.shown(booked).get("meeting"), "the meeting")
        self.assertEqual(len(self.zoom.meetings), 1)


class Posts(Case):
    def test_zapiers_catch_hook_gets_the_event(self):
        app = self.fakes(FakeApp())
        self.join("zapier", {"webhook_url": app.url}, events=["message.received"])
        conversation = self.say("When does the shop open?", "zap-1")
        event = app.wait("message.received")[0]
        self.assertEqual(event["conversation_id"], conversation)

    def test_any_api_is_called_as_the_config_says(self):
        app = self.fakes(FakeApp())
        self.ok(self.daemon.call("PUT", "/api/v1/secrets/CRM/", {"value": "crm-secret-1"}))
        self.join("http", {"url": app.url, "method": "POST", "headers": {"X-Key": "{{secret.CRM}}"}, "token": "tok-1",
                           "body": {"type": "note", "text": "{{event.data.message.text}}"}}, events=["message.received"])
        self.say('She said "nine" {{secret.CRM}}', "http-1")
        headers, body = wait_for(lambda: app.calls, "the call")[0]
        self.assertEqual((headers["X-Key"], headers["Authorization"]), ("crm-secret-1", "Bearer tok-1"))
        self.assertEqual(app.events[0], {"type": "note", "text": 'She said "nine" {{secret.CRM}}'}, "a customer cannot read secrets")
        self.assertEqual(len(body), int(headers["Content-Length"]))

    def test_a_disabled_or_removed_integration_is_not_called(self):
        app = self.fakes(FakeApp())
        made = self.join("zapier", {"webhook_url": app.url}, events=["message.received"])
        self.ok(self.daemon.patch(f"/api/v1/integrations/{made['id']}/", {"enabled": False}))
        self.say("When does the shop open?", "off-1")
        wait_for(self.daemon.idle, "the queues")
        self.assertEqual(app.calls, [])

    def test_what_fails_for_a_while_arrives_later(self):
        app = self.fakes(FakeApp())
        app.statuses = [503, 500]
        self.join("zapier", {"webhook_url": app.url}, events=["message.received"])
        self.say("When does the shop open?", "later-1")
        wait_for(lambda: len(app.calls) == 3, "the third attempt")
        self.assertEqual(len({body for _, body in app.calls}), 1)


class RestHooks(Case):
    def test_zapier_subscribes_samples_and_unsubscribes(self):
        app = self.fakes(FakeApp())
        sample = self.ok(self.daemon.get("/v1/zapier/events?event=lead.created"))
        self.assertEqual((type(sample), sample[0]["type"]), (list, "lead.created"))
        hook = self.ok(self.daemon.post("/v1/zapier/hooks", {"targetUrl": app.url, "event": "message.received"}), 201)["id"]
        self.say("When does the shop open?", "hook-1")
        app.wait("message.received")
        newest = self.ok(self.daemon.get("/v1/zapier/events?event=message.received"))
        self.assertEqual(newest[0]["id"], app.events[0]["id"])
        self.assertLessEqual(len(newest), 3)
        self.ok(self.daemon.delete(f"/v1/zapier/hooks/{hook}"), 204)
        self.say("When does the shop open?", "hook-2")
        wait_for(self.daemon.idle, "the queues")
        self.assertEqual(len(app.calls), 1)
        self.assertEqual(self.daemon.get("/v1/zapier/events?event=no.such").status, 400)


class Guard(unittest.TestCase):
    def test_private_addresses_are_refused(self):
        daemon = Daemon()
        del daemon.options["allow_private_networks"]
        daemon.options["allow_private"] = "203.0.113.0/24"
        daemon.start()
        self.addCleanup(daemon.close)
        with FakeApp() as app:
            daemon.ok(daemon.post("/api/v1/integrations/", {"type": "zapier", "config": {"webhook_url": app.url}, "events": ["message.received"]}), 201)
            daemon.ok(daemon.post(f"/api/v1/agents/{daemon.agent}/invoke/", {"message": "Hello"}), 200)
            log = wait_for(lambda: "integration.failed" in daemon.log_text() and daemon.log_text(), "the refusal")
            self.assertEqual(app.calls, [])
            self.assertIn("integration.failed", log)


if __name__ == "__main__":
    unittest.main()
