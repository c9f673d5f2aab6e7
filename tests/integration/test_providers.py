"""Model servers of two kinds, a second model, breaker and budgets: what is asked, and what the customer gets when it fails."""
import time
import unittest

from tests.fakes.model import Blocks, Drip, Error, FakeModel, Raw, Reset, Silence, Stream
from tests.integration.test_model import ANSWER, QUESTION, ModelCase as Base
from tests.support.daemon import wait_for

KNOWN = "9 in the morning"


class Anthropic(Base):
    def setUp(self):
        super().setUp()
        self.settings(model={**self.model.messages_settings, "temperature": 0.2})

    def test_messages_are_asked_as_the_provider_wants_it(self):
        sender = self.new_customer()
        self.assertEqual(self.ask(sender=sender), ANSWER)
        self.assertEqual(self.ask("When does the shop open on weekdays?", sender), ANSWER)
        request = self.model.requests[1]
        self.assertEqual(request.path, "/v1/messages")
        self.assertEqual(request.headers["x-api-key"], self.model.settings["api_key"])
        self.assertEqual(request.headers["anthropic-version"], "2023-06-01")
        self.assertNotIn("Authorization", request.headers)
        self.assertEqual(set(request.body), {"model", "max_tokens", "system", "messages", "stream", "temperature"})
        self.assertEqual([m["role"] for m in request.messages], ["user", "assistant", "user"])
        self.assertEqual(request.body["system"][0]["cache_control"], {"type": "ephemeral"})
        self.assertEqual(request.messages[1]["content"][0]["cache_control"], {"type": "ephemeral"})
        self.assertEqual(self.model.requests[0].system, request.system, "a prefix that the provider can keep")
        self.assertNotIn("never shown", self.daemon.log_text())

    def test_without_a_stream(self):
        self.settings(model={"stream": False})
        self.assertEqual(self.ask(), ANSWER)

    def test_faults_that_pass_are_hidden(self):
        passing = (Error(529, body={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                   Error(500, body={"type": "error", "error": {"type": "api_error", "message": "oops"}}),
                   Blocks({"type": "text", "text": "half"}, error={"type": "overloaded_error", "message": "Overloaded"}),
                   Blocks({"type": "text", "text": "half an ans"}, stop=None),
                   Error(429, body={"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, retry_after="0.1"), Reset(),
                   Blocks())
        for number, behaviour in enumerate(passing):
            self.model.next(behaviour)
            self.assertEqual(self.ask(), ANSWER, number)

    def test_a_refusal_goes_to_a_person(self):
        self.model.next(Blocks({"type": "text", "text": "I can't"}, stop="refusal"))
        self.assertIn("colleague", self.ask())


class Second(Base):
    """A fallback model."""

    def setUp(self):
        super().setUp()
        self.second = FakeModel("The second says nine.")
        self.addCleanup(self.second.close)
        self.settings(model={"fallback": self.second.messages_settings})

    def test_the_second_model_answers_when_the_first_does_not(self):
        for number, behaviour in enumerate((Error(500), Error(401), Error(429, retry_after="600"), Reset(), Stream("cut", finish=None, done=False))):
            self.model.next(behaviour)
            self.assertEqual(self.ask(), "The second says nine.", number)
        self.assertEqual(self.ask(), ANSWER, "the first is asked again")

    def test_a_first_model_that_hangs_leaves_time_for_the_second(self):
        self.daemon.options["model_time"] = "6s"
        self.daemon.options["model_first"] = "1s"
        self.daemon.restart()
        self.model.always(Silence(self.model.hold()))
        began = time.monotonic()
        self.assertEqual(self.ask(), "The second says nine.")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_server_that_keeps_failing_is_left_alone(self):
        self.model.always(Error(500))
        for _ in range(7):
            self.assertEqual(self.ask(), "The second says nine.")
        self.assertEqual(len(self.model.requests), 5, "the breaker is open")
        self.assertIn("model.breaker_open", self.daemon.log_text())

    def test_the_seconds_key_never_shows(self):
        agent = self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/").json
        self.assertEqual(agent["model"]["fallback"]["api_key"], {"set": True, "last4": "6789"})
        self.assertNotIn("sealed", str(agent))


class Budgets(Base):
    def test_a_conversation_that_cost_enough_gets_no_more_model(self):
        self.settings(model={"price": {"input": 1000, "output": 1000}}, settings={"budget": {"cost_per_conversation": 0.15}})
        sender = self.new_customer()
        self.assertEqual(self.ask(sender=sender), ANSWER)
        self.assertEqual(self.ask("When does the shop open on Monday?", sender), ANSWER)  # 102 tokens: 0.102 each
        self.assertIn(KNOWN, self.ask("When does the shop open on Tuesday?", sender), "the knowledge's own words")
        self.assertEqual(len(self.model.requests), 2)
        self.assertEqual(self.ask(), ANSWER, "another conversation has its own")

    def test_a_day_that_cost_enough_ends_at_a_person(self):
        self.settings(model={"price": {"input": 1000, "output": 1000}},
                      settings={"budget": {"cost_per_day": 0.1}, "chat": {"fallback_behavior": "TRY_ANYWAY"}})
        self.assertEqual(self.ask(), ANSWER)
        self.assertIn("colleague", self.ask("Do iguanas like opera?"))
        self.assertEqual(len(self.model.requests), 1)
        reasons = {c["handoff"]["reason"] for c in self.daemon.conversations() if c.get("handoff")}
        self.assertEqual(reasons, {"budget"})


class Faults(Base):
    """Whatever a model server does, the customer gets an answer, a fallback or a person, in time and within bounds."""
    options = {"model_time": "4s", "model_first": "1500ms"}

    def rss_kib(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    def test_every_fault_of_the_table_leads_to_an_answer(self):
        self.ask()
        before = self.rss_kib()
        faults = (lambda: Silence(self.model.hold()), lambda: Drip(self.model.hold()), lambda: Error(429), lambda: Error(429, retry_after="1"),
                  lambda: Error(500), lambda: Raw("{\"choices\": [{"), lambda: Stream("half an ans", finish=None, done=False),
                  lambda: Raw("x" * (10 << 20)), lambda: Raw("{\"choices\": \"" + "x" * (10 << 20)), lambda: Stream("\0" * 10),
                  lambda: Raw(b"\0\1\2", content_type="image/png"), lambda: Raw(""), lambda: Stream(""))
        for number, fault in enumerate(faults):
            self.model.always(fault())
            began = time.monotonic()
            text = self.ask()
            self.assertTrue(KNOWN in text or text == ANSWER or "colleague" in text, (number, text))
            self.assertLess(time.monotonic() - began, 9, number)
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertLess(self.rss_kib() - before, 65536, "memory stays bounded")


class Early(Base):
    def test_a_person_who_joins_ends_the_generation_at_once(self):
        hold = self.model.hold()
        self.model.next(Stream("I am ", hold, "late."))
        self.assertEqual(self.graph.says(self.new_customer(), QUESTION).status, 200)
        hold.wait_reached()
        conversation = self.daemon.conversations()[0]["id"]
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/join/", {"name": "Ana"}))
        wait_for(lambda: "turn.given_up" in self.daemon.log_text(), "the generation to be given up while the model still writes")
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertEqual(self.graph.sends, [])
        self.assertEqual(len(self.model.requests), 1)

    def test_a_newer_message_ends_it_too_and_one_answer_says_all(self):
        hold, sender = self.model.hold(), self.new_customer()
        self.model.next(Stream("I am ", hold, "early."))
        self.assertEqual(self.graph.says(sender, QUESTION).status, 200)
        hold.wait_reached()
        self.assertEqual(self.graph.says(sender, "When does the shop open on Monday?").status, 200)
        self.graph.wait_sends(1)
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertEqual([c.text for c in self.graph.sends], [ANSWER])
        self.assertIn("on Monday?", self.model.requests[1].last)


class Memory(Base):
    def test_a_long_conversation_is_summed_up_and_the_person_gets_a_note(self):
        asked = []
        from tests.fakes.model import Says

        def answer(request):
            if request.is_note:
                asked.append(request)
                return "{\"summary\": \"They want to know about Mondays.\"}"
            return ANSWER

        self.model.always(Says(answer))
        self.settings(model={"context_tokens": 2048}, settings={"chat": {"confidence_threshold": 0}})
        sender = self.new_customer()
        for number in range(5):
            self.ask(f"When does the shop open in week {number}? " + "I ask because of the flowers. " * 20, sender)
        self.assertEqual(len(asked), 1, "summed up once, as a block")
        self.assertEqual(asked[0].body["response_format"]["type"], "json_schema")
        self.ask("When does the shop open at last?", sender)
        self.assertIn("They want to know about Mondays.", self.model.requests[-1].last)
        self.assertNotIn("week 0?", self.model.requests[-1].text)
        self.ask("I want to talk to a human", sender)
        handoff = self.daemon.conversations()[0]["handoff"]
        self.assertIn("They want to know about Mondays.", handoff["note"])

    def test_the_day_is_told_where_the_business_is(self):
        self.settings(settings={"hours": {"time_zone": "Asia/Tokyo", "weekly": {"mon": [["09:00", "13:00"]]}}})
        self.ask("When does the shop open? ")
        request = self.model.requests[-1]
        self.assertRegex(request.last, r"Now: \w+day 20\d\d-\d\d-\d\d \d\d:\d\d Asia/Tokyo")
        self.assertIn("09:00", request.system)


if __name__ == "__main__":
    unittest.main()
