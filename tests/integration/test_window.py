"""The 24-hour window, people on the phone, and customers who want no marketing."""
import time

from tests.fakes.graph import FakeGraph
from tests.integration.test_whatsapp import CUSTOMER, WhatsAppCase
from tests.support.app import FakeApp
from tests.support.daemon import wait_for


class WithApp(WhatsAppCase):
    def setUp(self):
        super().setUp()
        self.app = FakeApp()
        self.addCleanup(self.app.__exit__)
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/webhooks/", {"url": self.app.url, "events": ["*"]}), 201)

    def send(self, **body):
        return self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": CUSTOMER, **body})

    def settings(self, **sections):
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/settings/", sections))

    def out(self):
        return [m for m in self.messages() if m["direction"] == "out"]


class PersonOnThePhone(WithApp):
    def test_an_echo_is_a_persons_message_and_takes_the_conversation_over(self):
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)
        for _ in range(2):
            self.assertEqual(self.graph.echo(CUSTOMER, "Hi, this is Maria from the shop", wamid="wamid.ECHO1").status, 200)
        echo = wait_for(lambda: [m for m in self.out() if m["author"]["type"] == "human"], "the person's message")
        self.assertEqual([(m["text"], m["status"], m["platform_id"]) for m in echo],
                         [("Hi, this is Maria from the shop", "sent", "wamid.ECHO1")])
        conversation = self.only_conversation()
        self.assertEqual((conversation["status"], conversation["mode"]), ("handoff", "human"))
        self.app.wait("agent.joined")
        self.app.wait("agent.message.sent")

        self.graph.says(CUSTOMER, "When does the shop open on Monday?")
        wait_for(lambda: len([m for m in self.messages() if m["direction"] == "in"]) == 2, "the next question")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(len(self.graph.sends), 1, "the AI is silent")

    def test_an_echo_can_begin_a_conversation_and_keeps_the_ai_out_of_it(self):
        self.graph.echo(CUSTOMER, "Your cake is ready", wamid="wamid.ECHO2")
        wait_for(lambda: self.daemon.conversations(), "the conversation")
        self.graph.says(CUSTOMER, "When does the shop open?")
        wait_for(lambda: len(self.messages()) == 2, "both messages")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.graph.calls, [])


class Consent(WithApp):
    def contact(self):
        return self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{self.only_conversation()['contact_id']}/"))

    def opted_out(self):
        return self.contact().get("opt_out", {}).get("marketing", {}).get("by")

    def template(self, category):
        return self.daemon.ok(self.send(type="template", template={"name": "sale", "language": {"code": "en"}, "category": category}), 201)["message_id"]

    def test_words_preferences_and_refusals_stop_marketing_templates_only(self):
        self.graph.says(CUSTOMER, " Stop. ")
        wait_for(lambda: self.daemon.conversations() and self.opted_out() == "word", "the word")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.graph.calls, [], "nobody argues with somebody who leaves")
        message = self.template("MARKETING")
        failed = wait_for(lambda: [m for m in self.out() if m["id"] == message and m["status"] == "failed"], "the refusal")[0]
        self.assertEqual(failed["error"]["code"], "OPTED_OUT")
        self.template("UTILITY")
        call = self.graph.wait_sends(1)[0]
        self.assertEqual(call.body["template"]["name"], "sale")
        self.assertNotIn("category", call.body["template"], "our own note is not for the platform")

        self.graph.says(CUSTOMER, "START")
        wait_for(lambda: self.opted_out() is None, "the return")
        self.graph.preference(CUSTOMER, "stop")
        wait_for(lambda: self.opted_out() == "platform", "the choice")
        self.graph.preference(CUSTOMER, "resume")
        wait_for(lambda: self.opted_out() is None, "the choice back")
        self.graph.fail_next(131050)
        self.template("MARKETING")
        wait_for(lambda: self.opted_out() == "refusal", "the platform's word")


class WindowEnds(WithApp):
    options = {"window_closing": "23h"}

    def test_the_platforms_word_closes_the_window_and_a_lost_reply_becomes_a_persons_task(self):
        self.graph.says(CUSTOMER, "When does the shop open?")
        call = self.graph.wait_sends(1)[0]
        self.graph.status(call, "failed", error=131047)
        self.app.wait("message.failed")
        triggered = self.app.wait("handoff.triggered")[0]
        self.assertEqual(triggered["data"]["reason"], "window_closed")
        self.assertEqual(self.send(type="text", text="x").json["error"]["code"], "WINDOW_CLOSED")

    def test_the_fallback_template_goes_in_place_of_free_text(self):
        self.settings(window={"template": "we_are_back", "language": "en", "with_text": True})
        self.daemon.ok(self.send(type="text", text="Your order is here"), 201)
        call = self.graph.wait_sends(1)[0]
        self.assertEqual(call.body["template"], {"name": "we_are_back", "language": {"code": "en"}, "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "Your order is here"}]}]})
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.fail_next(131047)
        self.assertEqual([c.body["type"] for c in self.graph.wait_sends(2)], ["template", "template"])
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.only_conversation()["mode"], "ai")

    def test_the_event_comes_once_before_the_end(self):
        self.graph.says(CUSTOMER, "When does the shop open?", at=time.time() - 2 * 3600)
        event = self.app.wait("window.closing", 1, 60)[0]
        self.assertIn("window_expires_at", event["data"]["conversation"])
        self.assertNotIn("window_told", event["data"]["conversation"])


class ReplyExpires(WithApp):
    options = {"reply_max_age": "2s"}

    def test_a_reply_that_cannot_leave_in_time_becomes_a_handoff(self):
        self.graph.fail_next(*[130429] * 30)
        self.graph.says(CUSTOMER, "When does the shop open?")
        triggered = self.app.wait("handoff.triggered", 1, 60)[0]
        self.assertEqual(triggered["data"]["reason"], "reply_expired")
        failed = [m for m in self.out() if m["status"] == "failed"]
        self.assertEqual([m["error"]["code"] for m in failed], ["EXPIRED"])
