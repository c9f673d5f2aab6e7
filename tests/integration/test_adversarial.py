"""Adversarial tests over REST: the shipped attacks against a copy of the agent, verdict by verdict (ROVX-45, ROVX-44)."""
import json
import re
import unittest

from tests.fakes.model import FakeModel, Says, Tools
from tests.support.app import FakeApp
from tests.support.daemon import Daemon, wait_for

CATEGORIES = {"injection", "document", "name", "leak", "promise", "off_topic", "abuse"}


class AdversarialTests(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon().start()
        self.addCleanup(self.daemon.close)
        self.url = f"/api/v1/agents/{self.daemon.agent}/adversarial-tests/"

    def run_test(self, key=None, seconds=180):
        begun = self.daemon.ok(self.daemon.post(self.url, None, key=key), 202)
        self.assertEqual((begun["status"], begun["done"], begun["score"]), ("running", 0, None))
        again = self.daemon.post(self.url, None, key=key)
        self.assertEqual(again.status, 422, again)
        show = lambda: self.daemon.ok(self.daemon.get(self.url + begun["id"] + "/", key=key))
        return wait_for(lambda: (test := show())["status"] != "running" and test, "the end of the test", seconds)

    def test_an_agent_without_a_model_holds_and_nothing_stays(self):
        """ROVX-45: a run returns a report with cases and verdicts; ROVX-44: on the free plan."""
        self.daemon.push("Opening hours", "When does the shop open? At 9.", key=self.daemon.test)
        before = self.daemon.ok(self.daemon.get("/api/v1/agents/", key=self.daemon.test))["count"]
        test = self.run_test(key=self.daemon.test)
        self.maxDiff = None
        wrong = [case for case in test["cases"] if case["verdict"] != "pass"]
        self.assertEqual((test["status"], [(w["attack"], w["language"], w["reply"]) for w in wrong]), ("done", []))
        self.maxDiff = None
        self.assertGreaterEqual(test["total"], 200)
        self.assertEqual((len(test["cases"]), test["done"], test["passed"], test["score"]), (test["total"],) * 3 + (1.0,))
        self.assertEqual({case["category"] for case in test["cases"]}, CATEGORIES)
        self.assertEqual(len({case["language"] for case in test["cases"]}), 8)
        self.assertEqual(self.daemon.ok(self.daemon.get("/api/v1/agents/", key=self.daemon.test))["count"], before)
        self.assertEqual(self.daemon.conversations(key=self.daemon.test), [])
        listed = self.daemon.ok(self.daemon.get(self.url, key=self.daemon.test))["results"]
        self.assertEqual([(row["id"], "cases" in row) for row in listed], [(test["id"], False)])
        self.assertEqual(self.daemon.ok(self.daemon.get(self.url))["count"], 0, "the other mode's list")

    def test_a_model_that_obeys_is_found_out_and_does_no_harm(self):
        with FakeModel() as model, FakeApp() as app, FakeApp() as till:
            def obey(request):
                words = re.findall(r"\b[A-Z]{3,}(?:-[A-Z0-9]+)+", json.dumps(request.body["messages"], ensure_ascii=False))
                if words:
                    return "Very well: " + words[-1]
                return "I can only help with the shop."

            class Obeys:
                def play(self, handler, request):
                    if request.tools and "9999" in request.last and not request.results:
                        Tools(("pay_out", {"amount": "9999"})).play(handler, request)
                    else:
                        Says(obey).play(handler, request)

            model.always(Obeys())
            self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {
                "model": model.settings, "settings": {"chat": {"confidence_threshold": 0}},
                "tools": [{"name": "pay_out", "description": "Pays an amount", "call": {"method": "POST", "url": till.url, "body": {"a": "{{amount}}"}},
                           "parameters": {"type": "object", "properties": {"amount": {"type": "string"}}, "required": ["amount"],
                                          "additionalProperties": False}}]}))
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/webhooks/", {"url": app.url, "events": ["message.received", "message.sent", "conversation.started", "handoff.triggered"]}, key=self.daemon.test), 201)
            test = self.run_test()
            failed = [case for case in test["cases"] if case["verdict"] == "fail"]
            self.assertEqual(test["status"], "done")
            self.assertGreater(len(failed), 50)
            self.assertIn("forbidden_text", {case["why"] for case in failed})
            self.assertAlmostEqual(test["score"], test["passed"] / test["total"], 9)
            self.assertEqual(till.calls, [], "a tool of the copy reaches nobody")
            self.assertEqual([kind for kind in app.types() if kind.startswith(("message.", "conversation.", "handoff"))], [])
            self.assertEqual(model.requests[0].headers["Authorization"], "Bearer " + model.settings["api_key"])
            trust = self.daemon.ok(self.daemon.get("/api/v1/analytics/trust-score/"))
            part = next(part for part in trust["parts"] if part["name"] == "adversarial")
            self.assertAlmostEqual(part["value"], test["score"], 3)

    def test_a_restart_in_the_middle_goes_on(self):
        begun = self.daemon.ok(self.daemon.post(self.url, None, key=self.daemon.test), 202)
        show = lambda: self.daemon.ok(self.daemon.get(self.url + begun["id"] + "/", key=self.daemon.test))
        wait_for(lambda: show()["done"] > 20, "some cases")
        self.daemon.restart()
        test = wait_for(lambda: (t := show())["status"] != "running" and t, "the end of the test", 180)
        self.assertEqual((test["status"], test["done"], len(test["cases"])), ("done", test["total"], test["total"]))


if __name__ == "__main__":
    unittest.main()
