"""Search by meaning: an embedding server and a reranker beside the words, neither of them ever in the way."""
import threading
import time

from tests.fakes.embeddings import FakeMeaning
from tests.integration.test_model import ModelCase
from tests.support.daemon import wait_for

KEY = "meaning-key-0123456789"
QUESTION = "puppy"


class MeaningCase(ModelCase):
    def setUp(self):
        super().setUp()
        self.meaning = FakeMeaning()
        self.addCleanup(self.meaning.close)
        self.settings(model={"provider": "extractive"})
        self.agent_url = f"/api/v1/agents/{self.daemon.agent}/"
        self.collection = self.daemon.get(self.agent_url).json["collection_id"]
        self.pets = self.daemon.push("Hound", "Fido.")["id"]
        self.cars = self.daemon.push("Vehicle", "Automobile.")["id"]

    def embedding(self, **own):
        return {"base_url": self.meaning.url, "name": "fake", "api_key": KEY, "certain": 0.6, **own}

    def state(self):
        return self.daemon.ok(self.daemon.get(f"/api/v1/collections/{self.collection}/"), 200).get("embedding")

    def embedded(self, total=3):
        wait_for(lambda: (s := self.state()) and s["done"] == s["total"] == total, "all passages embedded")

    def find(self, query=QUESTION):
        return self.daemon.ok(self.daemon.post(self.agent_url + "knowledge/search/", {"query": query, "limit": 3}), 200)

    def first(self, query=QUESTION):
        results = self.find(query)["results"]
        return results[0]["document_id"] if results else None

    def begin(self, **own):
        self.settings(knowledge={"embedding": self.embedding(**own)})
        self.embedded()


class Meaning(MeaningCase):
    def test_a_question_that_shares_no_word_finds_the_passage(self):
        self.assertIsNone(self.state())
        before = self.find()
        self.assertTrue(before["confidence"] < 0.5 or not before["results"])
        self.begin()
        found = self.find()
        self.assertEqual(found["results"][0]["document_id"], self.pets)
        self.assertGreaterEqual(found["confidence"], 0.5)
        self.assertIn("Fido", self.ask(QUESTION), "a turn finds it too")
        path, body, headers = self.meaning.calls[0]
        self.assertEqual((path, body["model"], headers["Authorization"]), ("/v1/embeddings", "fake", "Bearer " + KEY))

    def test_words_that_are_sure_keep_their_place(self):
        self.begin()
        found = self.find("When does the shop open?")
        self.assertIn("Opening hours", found["results"][0]["title"])
        self.assertGreaterEqual(found["confidence"], 0.5)

    def test_a_server_that_fails_leaves_the_words(self):
        self.begin()
        self.meaning.status = 503
        self.assertIn("Opening hours", self.find("When does the shop open?")["results"][0]["title"])
        self.assertLess(self.find()["confidence"], 0.5)
        self.assertIn("9 in the morning", self.ask("When does the shop open?"))

    def test_the_deadline_holds(self):
        self.begin()
        self.meaning.hold = threading.Event()
        began = time.monotonic()
        self.assertIn("Opening hours", self.find("When does the shop open?")["results"][0]["title"])
        self.assertIn("9 in the morning", self.ask("When does the shop open?"))
        self.assertLess(time.monotonic() - began, 10)

    def test_what_is_deleted_or_changed_is_gone_at_once(self):
        self.begin()
        self.assertEqual(self.first(), self.pets)
        self.daemon.ok(self.daemon.delete(self.agent_url + f"knowledge/{self.pets}/"), 204)
        self.assertNotEqual(self.first(), self.pets)
        self.embedded(2)
        again = self.daemon.push("Hound", "Fido.")["id"]
        self.embedded(3)
        self.assertEqual(self.first(), again)

    def test_another_model_embeds_anew_and_a_restart_keeps_vectors(self):
        self.begin()
        calls = len(self.meaning.texts)
        self.daemon.kill()
        self.daemon.start()
        self.embedded()
        self.assertEqual(len(self.meaning.texts), calls)
        self.assertEqual(self.first(), self.pets)
        self.settings(knowledge={"embedding": {"name": "other"}})
        wait_for(lambda: (s := self.state())["model"] == "other" and s["done"] == 3, "the new model")
        self.assertEqual(self.first(), self.pets)
        self.settings(knowledge={"embedding": None})
        self.assertIsNone(self.state())

    def test_large_batches_are_halved_and_base64_is_read(self):
        self.meaning.most, self.meaning.base64 = 1, True
        self.begin()
        self.assertEqual(self.first(), self.pets)

    def test_a_server_that_comes_back_is_used(self):
        self.meaning.status = 503
        self.settings(knowledge={"embedding": self.embedding()})
        wait_for(lambda: self.meaning.calls, "a first try")
        self.assertEqual(self.state(), {"done": 0, "total": 3, "model": "fake"})
        self.meaning.status = None
        self.embedded()

    def test_keys_never_show_and_settings_are_checked(self):
        self.settings(knowledge={"embedding": self.embedding(), "rerank": {"base_url": self.meaning.url, "shape": "tei", "api_key": "rank-key-0123456789"}})
        shown = self.daemon.get(self.agent_url)
        self.assertEqual(shown.json["knowledge"]["embedding"]["api_key"], {"set": True, "last4": "6789"})
        self.assertEqual(shown.json["knowledge"]["rerank"]["api_key"], {"set": True, "last4": "6789"})
        self.settings(knowledge=shown.json["knowledge"])
        self.embedded()
        self.assertEqual(self.meaning.calls[-1][2]["Authorization"], "Bearer " + KEY, "what was read can be written back")
        for text in (shown.body.decode(), self.daemon.log_text()):
            self.assertNotIn("meaning-key", text)
            self.assertNotIn("rank-key", text)
        for bad in ({"embedding": {"name": None}}, {"embedding": {"base_url": "file:///x"}}, {"rerank": {"shape": "other"}}, {"rerank": {"shape": None}}):
            self.assertEqual(self.daemon.patch(self.agent_url, {"knowledge": bad}).status, 400, bad)


class Reranker(MeaningCase):
    def test_each_shape_orders_what_was_found(self):
        self.daemon.push("Shop two", "The shop opens late: marker.")
        self.meaning.ranks_last = "marker"
        question = "When does the shop open?"
        self.assertNotIn("marker", self.find(question)["results"][0]["text"])
        for shape in ("cohere", "jina", "tei"):
            self.settings(knowledge={"rerank": {"base_url": self.meaning.url, "shape": shape}})
            self.assertIn("marker", self.find(question)["results"][0]["text"], shape)
        self.assertIn("marker", self.ask(question))
        self.meaning.status = 500
        self.assertNotIn("marker", self.find(question)["results"][0]["text"])
