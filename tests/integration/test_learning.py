"""What people teach the knowledge: phrasings of confirmed and corrected answers, found by the next question."""
import unittest

from tests.support.daemon import Daemon


class Learning(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.hours = cls.daemon.push("Opening hours", "Doors open at nine in the morning and close at six.", doc_type="faq")["id"]
        cls.returns = cls.daemon.push("Returns", "Send it back within 30 days and we refund the purchase.", doc_type="faq")["id"]

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def url(self, document, tail=""):
        return f"/api/v1/agents/{self.daemon.agent}/knowledge/{document}/{tail}"

    def find(self, query):
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/knowledge/search/", {"query": query})
        return self.daemon.ok(answer, 200)

    def first(self, query):
        results = self.find(query)["results"]
        return results[0]["document_id"] if results else None

    def ask(self, thread, text):
        return self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/",
                                               {"message": text, "thread_id": thread}), 200)["conversation_id"]

    def said(self, conversation, direction):
        return [m for m in self.daemon.messages(conversation) if m["direction"] == direction][0]

    def feedback(self):
        rows = self.daemon.get("/api/v1/events/?page_size=100").json["results"]
        return [(r["data"]["feedback"]["message_id"], r["data"]["feedback"]["rating"]) for r in rows
                if r["type"] == "feedback.received"]

    def test_a_phrasing_is_found_by_the_next_question(self):
        query = "kann ich umtauschen"
        self.assertNotEqual(self.first(query), self.returns)
        taught = self.daemon.ok(self.daemon.post(self.url(self.returns, "phrasings/"), {"text": f"  {query}? "}), 201)
        self.assertIn(f"{query}?", taught["phrasings"])
        self.assertEqual(self.first(query), self.returns, "at once")
        self.assertGreater(self.find(query)["confidence"], 0.5)
        again = self.daemon.ok(self.daemon.post(self.url(self.returns, "phrasings/"), {"text": f"{query}?"}), 201)
        self.assertEqual(again["phrasings"].count(f"{query}?"), 1, "each once")

    def test_a_corrected_answer_teaches_and_labels(self):
        conversation = self.ask("l-1", "at nine do the doors open")
        question, reply = self.said(conversation, "in"), self.said(conversation, "out")
        self.assertEqual(reply["source"], "knowledge")
        taught = self.daemon.ok(self.daemon.post(self.url(self.returns, "phrasings/"), {"message_id": question["id"]}), 201)
        self.assertIn(question["text"], taught["phrasings"])
        self.assertIn((reply["id"], "down"), self.feedback(), "another document had been found")
        taught = self.daemon.ok(self.daemon.post(self.url(self.hours, "phrasings/"), {"message_id": reply["id"]}), 201)
        self.assertIn(question["text"], taught["phrasings"], "the answer leads to its question")
        self.assertIn((reply["id"], "up"), self.feedback())

    def test_a_question_that_was_handed_over_teaches(self):
        conversation = self.ask("l-3", "the purchase was a mistake of my uncle")
        question, reply = self.said(conversation, "in"), self.said(conversation, "out")
        self.assertEqual(reply["source"], "fallback")
        taught = self.daemon.ok(self.daemon.post(self.url(self.returns, "phrasings/"), {"message_id": question["id"]}), 201)
        self.assertIn(question["text"], taught["phrasings"])
        self.assertIn((reply["id"], "up"), self.feedback(), "it had been found, but was not trusted")

    def test_a_thumb_up_teaches_if_it_is_to(self):
        conversation = self.ask("l-2", "when in the morning do the doors open please")
        question, reply = self.said(conversation, "in"), self.said(conversation, "out")
        url = f"/api/v1/conversations/{conversation}/feedback/"
        phrasings = lambda: self.daemon.get(self.url(self.hours)).json["phrasings"]
        self.daemon.ok(self.daemon.post(url, {"rating": "up", "message_id": reply["id"]}), 201)
        self.daemon.ok(self.daemon.post(url, {"rating": "down", "message_id": reply["id"], "learn": True}), 201)
        self.assertNotIn(question["text"], phrasings())
        self.daemon.ok(self.daemon.post(url, {"rating": "up", "message_id": reply["id"], "learn": True}), 201)
        self.assertIn(question["text"], phrasings())

    def test_what_is_refused(self):
        for body in ({}, {"text": " "}, {"text": "a", "message_id": "msg_1"}, {"message_id": "msg_1"}, {"text": "x" * 1001}):
            answer = self.daemon.post(self.url(self.hours, "phrasings/"), body)
            self.assertIn(answer.status, (400, 422), body)
        self.assertEqual(self.daemon.post(self.url("doc_1", "phrasings/"), {"text": "a"}).status, 404)

    def test_the_calibration_is_shown(self):
        shown = self.daemon.ok(self.daemon.get("/api/v1/knowledge/calibration/"), 200)
        self.assertEqual((shown["taken"], shown["stretch"], shown["labels_needed"]), (False, 1, 200))


if __name__ == "__main__":
    unittest.main()
