"""Rovixal's page, ROVX-15 to 34: settings, analytics, webhooks."""
import datetime

from tests.claims.case import HOURS, QUESTION, SECOND, Claim
from tests.support.daemon import wait_for

TEN = ("conversation.started", "message.received", "message.sent", "escalation.triggered", "feedback.received", "knowledge.synced",
       "conversation.ended", "agent.joined", "agent.message.sent", "handoff.resolved")
UNKNOWN = "Do iguanas like opera?"


def today(days=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


class Settings(Claim):
    def chat(self, *statuses, **fields):
        return self.ok(self.patch("/v1/settings/chat", fields), *(statuses or (200,)))

    def test_ROVX_15_five_fields_of_chat(self):
        fields = {"tone": "FRIENDLY", "responseStyle": "CONCISE", "fallbackBehavior": "SUGGEST_TOPICS", "confidenceThreshold": 0.75,
                  "conversationStarters": ["How do I get started?", "What's new this month?"]}
        self.chat(**fields)
        told = self.ok(self.get("/v1/settings/chat"), 200)
        self.assertEqual({name: told[name] for name in fields}, fields)

    def test_ROVX_16_four_values_of_tone_and_style(self):
        for value in ("PROFESSIONAL", "FRIENDLY", "CASUAL", "CONCISE"):
            self.chat(tone=value, responseStyle=value)
        self.chat(400, tone="GRUMPY")
        self.chat(400, responseStyle="GRUMPY")

    def test_ROVX_17_four_ways_below_the_threshold(self):
        answers = {}
        for value in ("TRY_ANYWAY", "ASK_CLARIFY", "SUGGEST_TOPICS", "ESCALATE"):
            self.chat(fallbackBehavior=value, conversationStarters=["What does delivery cost?"])
            answers[value] = self.ask(UNKNOWN, thread_id=value)["message"]
        self.assertEqual(len(set(answers.values())), 4, answers)
        self.assertIn("What does delivery cost?", answers["SUGGEST_TOPICS"])
        self.assertEqual(sum(row["status"] == "handoff" for row in self.conversations()), 1)

    def test_ROVX_18_the_threshold_is_a_number_from_0_to_1(self):
        self.chat(400, confidenceThreshold=1.1)
        self.chat(400, confidenceThreshold="x")
        self.chat(confidenceThreshold=0)
        self.teach(*HOURS)
        self.chat(confidenceThreshold=1, fallbackBehavior="ASK_CLARIFY")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.ask(UNKNOWN)["source"], "fallback")

    def test_ROVX_19_three_styles_of_citation(self):
        self.teach(*HOURS)
        self.knows(QUESTION, "9 in the morning")
        texts = {}
        for value in ("NONE", "INLINE", "FOOTER"):
            self.chat(citationStyle=value)
            texts[value] = self.ask(QUESTION)["message"]
        self.assertEqual(len(set(texts.values())), 3, texts)

    def widget(self):
        """What a page of the live shop is told."""
        return self.ok(self.get(f"/widget/v1/config?widget_id={self.agent}", key=False), 200)

    def test_ROVX_20_conversation_starters(self):
        starters = ["How do I get started?", "Where is my order?"]
        self.ok(self.patch("/v1/settings/chat", {"conversationStarters": starters}, key=self.live), 200)
        self.assertEqual(self.get("/v1/settings/chat", key=self.live).json["conversationStarters"], starters)
        self.assertIn(starters[1], str(self.widget()))

    def test_ROVX_21_the_look_of_the_widget(self):
        fields = {"primaryColor": "#aa3366", "position": "bottom-left", "greeting": "Hi, we are here."}
        self.ok(self.patch("/v1/settings/widget", fields, key=self.live), 200)
        told = self.get("/v1/settings/widget", key=self.live).json
        self.assertEqual({name: told[name] for name in fields}, fields)
        for value in fields.values():
            self.assertIn(value, str(self.widget()))

    def test_ROVX_22_five_settings(self):
        found = {path for method, path in self.operations("/v1/settings") if method == "PATCH"}
        self.measured(f"{len(found)} with GET and PATCH")
        self.assertEqual(len(found), 5)


class Analytics(Claim):
    seven = ("dashboard", "conversations", "top-questions", "feedback", "usage", "trust-score", "knowledge-gaps")

    def report(self, name, query=""):
        return self.ok(self.get(f"/v1/analytics/{name}{query}"), 200)

    def test_ROVX_23_seven_reports(self):
        self.ask(UNKNOWN)
        for name in self.seven:
            self.assertTrue(self.report(name), name)

    def test_ROVX_24_top_questions_of_a_period(self):
        for number in range(12):
            self.ask(f"{UNKNOWN} And what about number {number}?", thread_id=str(number))
        rows = lambda start, end: self.report("top-questions", f"?startDate={start}&endDate={end}&limit=10")["data"]
        self.assertTrue(1 <= len(wait_for(lambda: rows(today(), today()), "the questions")) <= 10)
        self.assertEqual(rows("2025-01-01", "2025-01-31"), [])

    def test_ROVX_25_dates_filter_conversations_analytics_and_feedback(self):
        talk = self.ask(UNKNOWN)["conversation_id"]
        self.ok(self.post(f"/v1/conversations/{talk}/feedback", {"rating": "up"}))
        for path in ("conversations", "analytics/dashboard", "analytics/conversations", "analytics/feedback", "analytics/usage"):
            now, then = (self.ok(self.get(f"/v1/{path}?startDate={start}&endDate={end}"), 200)
                         for start, end in ((today(), today()), ("2025-01-01", "2025-01-31")))
            self.assertNotEqual(now, then, path)
        self.assertEqual(self.get("/v1/analytics/feedback?startDate=yesterday").status, 400)

    def test_ROVX_26_the_end_date_is_a_whole_day(self):
        """whatever the time is now, the message lies behind the begin of the end date"""
        self.ask("Hello")
        count = lambda end: self.get(f"/v1/conversations?startDate=2020-01-01&endDate={end}").json["meta"]["total"]
        self.assertEqual([count(today(-1)), count(today())], [0, 1])
        told = lambda end: str(self.report("dashboard", f"?startDate={end}&endDate={end}"))
        self.assertNotEqual(told(today()).replace(today(), ""), told(today(-1)).replace(today(-1), ""))

    def test_ROVX_27_gaps_in_the_knowledge(self):
        self.ask(UNKNOWN)
        wait_for(lambda: "iguanas" in str(self.report("knowledge-gaps")), "the gap")


class Webhooks(Claim):
    options = {"webhooks_schedule_test": "0,1,2,4"}

    def test_ROVX_28_create_list_get_update_delete(self):
        made = self.ok(self.post("/v1/webhooks", {"url": "https://app.example/hook", "events": ["message.sent"]}), 201)
        path = f"/v1/webhooks/{made['id']}"
        self.assertIn(made["id"], [row["id"] for row in self.ok(self.get("/v1/webhooks"), 200)["data"]])
        self.assertEqual(self.ok(self.get(path), 200)["url"], "https://app.example/hook")
        self.assertEqual(self.ok(self.patch(path, {"events": ["message.received"]}), 200)["events"], ["message.received"])
        self.ok(self.delete(path), 200, 204)
        self.unknown(path)

    def test_ROVX_29_a_test_event(self):
        app = self.app("message.sent")
        self.ok(self.post(f"/v1/webhooks/{app.hook['id']}/test"))
        self.assertEqual(app.wait("webhook.test")[0]["type"], "webhook.test")

    def deliveries(self, app):
        return self.ok(self.get(f"/v1/webhooks/{app.hook['id']}/deliveries"), 200)["data"]

    def one(self, app):
        """The only delivery, with its attempts."""
        row = wait_for(lambda: self.deliveries(app), "a delivery")[0]
        return self.ok(self.get(f"/v1/webhooks/{app.hook['id']}/deliveries/{row['id']}"), 200)

    def test_ROVX_30_the_log_of_deliveries(self):
        app = self.app("conversation.started")
        self.ask("Hello")
        app.wait("conversation.started")
        attempt = wait_for(lambda: self.one(app).get("attempts"), "the attempt")[0]
        self.assertEqual(attempt.get("responseCode", attempt.get("status")), 200, attempt)
        self.assertTrue(any(isinstance(value, str) and len(value) >= 20 and value[10] == "T" for value in attempt.values()), attempt)

    def test_ROVX_31_retries_with_growing_gaps(self):
        app = self.app("conversation.started")
        app.statuses = [500, 500, 500]
        times = []
        self.ask("Hello")
        for count in range(1, 5):
            wait_for(lambda: len(app.calls) >= count, f"attempt {count}")
            times.append(datetime.datetime.now().timestamp())
        gaps = [after - before for before, after in zip(times, times[1:])]
        self.measured("gaps " + ", ".join(f"{gap:.1f} s" for gap in gaps))
        self.assertTrue(gaps[0] < gaps[1] < gaps[2], gaps)

    def test_ROVX_32_a_delivery_by_hand(self):
        app = self.app("conversation.started")
        self.ask("Hello")
        app.wait("conversation.started")
        delivery = wait_for(lambda: (row := self.one(app))["status"] == "delivered" and row, "the delivery")
        self.ok(self.post(f"/v1/webhooks/{app.hook['id']}/deliveries/{delivery['id']}/retry"))
        app.wait("conversation.started", 2)

    def play(self, app):
        """One conversation with everything in it; the ten names in the order of their arrival in the log."""
        site = self.site()
        site.page("/hours", *HOURS)
        source = self.ok(self.post("/v1/knowledge", {"title": "Site", "docType": "url", "url": site.url + "/hours"}), 201)
        self.settled(source)
        app.wait("knowledge.synced")
        talk = self.ask(QUESTION)["conversation_id"]
        app.wait("message.sent")
        path = f"/v1/conversations/{talk}"
        for step, body in (("feedback", {"rating": "up"}), ("handoff", {"reason": "asked"}), ("join", {"name": "Ana"}),
                           ("messages", {"text": "I am Ana."}), ("resolve", {"returnTo": "ai"}), ("close", {})):
            self.ok(self.post(f"{path}/{step}", body))
        app.wait("conversation.ended")
        wait_for(self.daemon.idle, "idle")

    def test_ROVX_33_ten_events(self):
        app = self.app(*TEN)
        self.play(app)
        for name in TEN:
            app.wait(name)

    def test_ROVX_34_each_has_its_meaning_and_comes_once(self):
        app = self.app(*TEN, ordered=True)
        self.play(app)
        wait_for(lambda: len(app.events) >= len(TEN), "ten events")
        wait_for(self.daemon.idle, "idle")
        by_person = lambda event: event["type"] == "message.sent" and event["data"]["message"]["author"]["type"] == "human"
        self.measured("besides, message.sent tells that the person's message left, with author.type human")
        order = sorted((event for event in app.events if not by_person(event)), key=lambda event: event["sequence"])
        self.assertEqual([event["type"] for event in order],
                         ["knowledge.synced", "conversation.started", "message.received", "message.sent", "feedback.received",
                          "escalation.triggered", "agent.joined", "agent.message.sent", "handoff.resolved", "conversation.ended"])
        self.assertRegex(order[0]["created_at"], SECOND)
