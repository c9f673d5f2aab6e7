"""The surface /v1: bots and assistants, settings, knowledge, collections, webhooks of the account, the widget."""
import unittest

from tests.fakes.model import FakeModel
from tests.support.app import FakeApp
from tests.support.daemon import Daemon, wait_for


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.addClassCleanup(cls.daemon.close)

    def ok(self, answer, *statuses):
        return self.daemon.ok(answer, *statuses)

    def say(self, text, **fields):
        return self.ok(self.daemon.post("/v1/messages", {"message": text, **fields}), 200)["data"]


class Bots(Case):
    def test_bots_and_assistants_are_agents(self):
        for name in ("bots", "assistants"):
            made = self.ok(self.daemon.post(f"/v1/{name}", {"name": "Second", "systemPrompt": "Be brief."}), 201)
            listed = self.ok(self.daemon.get(f"/v1/{name}?pageSize=100"))
            self.assertIn(made["id"], [row["id"] for row in listed["data"]])
            self.assertEqual(listed["meta"]["total"], len(listed["data"]))
            changed = self.ok(self.daemon.patch(f"/v1/{name}/{made['id']}", {"name": "Third"}))
            self.assertEqual((changed["name"], changed["systemPrompt"]), ("Third", "Be brief."))
            self.ok(self.daemon.delete(f"/v1/{name}/{made['id']}"), 204)
            self.assertEqual(self.daemon.get(f"/v1/{name}/{made['id']}").status, 404)

    def test_prompt_and_model_of_a_bot_reach_the_model(self):
        self.daemon.push("Hours", "When does it open? It opens at nine.")
        with FakeModel("At nine.") as model:
            bot = f"/v1/bots/{self.daemon.agent}"
            self.ok(self.daemon.patch(bot, {"systemPrompt": "You are the owl of the shop.",
                                            "model": {"provider": "openai", "baseUrl": model.url, "name": "owl-1", "apiKey": "k"}}))
            self.say("When does it open?")
            request = model.requests[-1]
            self.assertIn("owl of the shop", request.system)
            self.assertEqual(request.body["model"], "owl-1")
            self.ok(self.daemon.patch(bot, {"model": {"provider": "extractive"}}))

    def test_channels_are_part_of_a_bot(self):
        bot = self.ok(self.daemon.post("/v1/bots", {"name": "Channelled", "channels": [{"type": "api", "name": "Till"}]}), 201)
        path = f"/v1/bots/{bot['id']}"
        own = bot["channels"][0]
        self.assertEqual((own["type"], self.ok(self.daemon.get(path))["channels"]), ("api", [own]))
        other = self.ok(self.daemon.post(f"/v1/bots/{self.daemon.agent}/channels", {"type": "api"}), 201)["id"]
        changed = self.ok(self.daemon.patch(path, {"channels": [{"type": "api"}, other]}))
        self.assertEqual([row["id"] for row in changed["channels"]], [own["id"], other])
        self.assertEqual({row["id"] for row in self.ok(self.daemon.get(path))["channels"]}, {own["id"], other})
        self.ok(self.daemon.patch(path, {"channels": [other]}))
        self.assertEqual([row["id"] for row in self.ok(self.daemon.get(path))["channels"]], [other])
        for bad in (["chn_nobody"], [{}], "x", [{"type": "fax"}]):
            self.assertEqual(self.daemon.patch(path, {"channels": bad}).status, 400, bad)
        self.assertEqual([row["id"] for row in self.ok(self.daemon.get(path))["channels"]], [other])

    def test_knowledge_is_attached_and_detached(self):
        collection = self.ok(self.daemon.post("/v1/collections", {"name": "Parking"}), 201)["id"]
        self.ok(self.daemon.post(f"/v1/collections/{collection}/documents",
                                 {"title": "Parking", "content": "Parking costs four euros for each started hour."}), 201)
        bot = f"/v1/bots/{self.daemon.agent}"
        question = "What does parking cost?"
        self.assertNotIn("four euros", self.say(question)["message"])
        self.ok(self.daemon.patch(bot, {"knowledge": {"collections": [collection]}}))
        self.assertIn("four euros", self.say(question)["message"])
        self.ok(self.daemon.patch(bot, {"knowledge": {"collections": []}}))
        self.assertNotIn("four euros", self.say(question)["message"])

    def test_a_request_without_an_agent_means_the_first_active_one(self):
        with Daemon() as daemon:
            second = daemon.ok(daemon.post("/v1/bots", {"name": "Second"}), 201)["id"]
            daemon.ok(daemon.post("/v1/knowledge", {"title": "A", "content": "The first knows apples."}), 201)
            daemon.ok(daemon.patch(f"/v1/bots/{daemon.agent}", {"status": "paused"}))
            self.assertEqual(daemon.ok(daemon.get("/v1/knowledge"))["data"], [])
            self.assertEqual(daemon.ok(daemon.get("/v1/settings/widget"))["widgetId"], second)


class Settings(Case):
    CHAT = {"tone": "FRIENDLY", "responseStyle": "CONCISE", "fallbackBehavior": "ASK_CLARIFY", "confidenceThreshold": 0.75,
            "conversationStarters": ["When do you open?"]}

    def test_chat_takes_five_fields_and_gives_them_back(self):
        self.ok(self.daemon.patch("/v1/settings/chat", {**self.CHAT, "citationStyle": "FOOTER"}))
        shown = self.ok(self.daemon.get("/v1/settings/chat"))
        self.assertEqual({name: shown[name] for name in self.CHAT}, self.CHAT)
        for value in ("PROFESSIONAL", "FRIENDLY", "CASUAL", "CONCISE"):
            self.ok(self.daemon.patch("/v1/settings/chat", {"tone": value, "responseStyle": value}))
        for body in ({"tone": "ANGRY"}, {"confidenceThreshold": 1.1}, {"confidenceThreshold": "x"}, {"nonsense": 1}):
            answer = self.daemon.patch("/v1/settings/chat", body)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, next(iter(body))))

    def test_the_views_show_and_take_their_part(self):
        self.ok(self.daemon.patch("/v1/settings/chat", {**self.CHAT, "citationStyle": "FOOTER"}))
        parts = {"response": {"tone": "FRIENDLY", "responseStyle": "CONCISE", "citationStyle": "FOOTER"},
                 "fallback": {"fallbackBehavior": "ASK_CLARIFY"}, "confidence": {"confidenceThreshold": 0.75}}
        for name, part in parts.items():
            self.assertEqual(self.ok(self.daemon.get(f"/v1/settings/{name}")), part)
        self.ok(self.daemon.patch("/v1/settings/confidence", {"confidenceThreshold": 0.25}))
        self.assertEqual(self.ok(self.daemon.get("/v1/settings/chat"))["confidenceThreshold"], 0.25)
        self.assertEqual(self.daemon.patch("/v1/settings/confidence", {"tone": "CASUAL"}).status, 400)

    def test_five_settings_are_in_the_document(self):
        paths = [path for path in self.daemon.get("/openapi.json", key=False).json["paths"] if path.startswith("/v1/settings/")]
        self.assertEqual(sorted(path.rsplit("/", 1)[1] for path in paths), ["chat", "confidence", "fallback", "response", "widget"])

    def test_the_widgets_appearance_is_set_and_public(self):
        self.ok(self.daemon.patch("/v1/settings/chat", {"conversationStarters": ["When do you open?"]}))
        widget = self.ok(self.daemon.patch("/v1/settings/widget", {"primaryColor": "#ff8800", "position": "bottom-left", "greeting": "Hello!"}))
        shown = self.daemon.get(f"/widget/v1/config?widget_id={widget['widgetId']}", key=False)
        config = self.ok(shown)
        self.assertEqual((config["primary_color"], config["position"], config["greeting"]), ("#ff8800", "bottom-left", "Hello!"))
        self.assertEqual(config["conversation_starters"], ["When do you open?"])
        self.assertEqual(shown.headers["access-control-allow-origin"], "*")
        self.assertNotIn("allowed_origins", config)
        for body in ({"primaryColor": "red;}"}, {"position": "top"}):
            self.assertEqual(self.daemon.patch("/v1/settings/widget", body).status, 400)
        self.assertEqual(self.daemon.get("/widget/v1/config?widget_id=nobody", key=False).status, 404)
        self.assertEqual(self.daemon.get("/widget/v1/config", key=False).status, 404)

    def test_only_allowed_origins_may_read_the_widget(self):
        widget = self.ok(self.daemon.patch("/v1/settings/widget", {"allowedOrigins": ["https://shop.example"]}))
        path = f"/widget/v1/config?widget_id={widget['widgetId']}"
        for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
            answer = self.daemon.get(path, key=False, headers={"Origin": origin})
            self.assertEqual(answer.headers.get("access-control-allow-origin"), allowed)
        self.ok(self.daemon.patch("/v1/settings/widget", {"allowedOrigins": []}))


class Knowledge(Case):
    def test_a_source_is_added_looked_at_switched_and_removed(self):
        made = self.ok(self.daemon.post("/v1/knowledge", {"title": "Bikes", "content": "Renting a bicycle costs twelve euros a day."}), 201)
        source = f"/v1/knowledge/{made['id']}"
        self.assertIn(made["id"], [row["id"] for row in self.ok(self.daemon.get("/v1/knowledge"))["data"]])
        self.assertIn("twelve euros", self.ok(self.daemon.get(source + "/chunks"))["data"][0]["text"])
        self.assertEqual(self.ok(self.daemon.get(source + "/pages"))["data"], [])
        question = "What does renting a bicycle cost?"
        for enabled in (True, False, True):
            self.ok(self.daemon.patch(source, {"enabled": enabled}))
            self.assertEqual("twelve euros" in self.say(question)["message"], enabled)
        self.ok(self.daemon.delete(source), 204)
        self.assertNotIn("twelve euros", self.say(question)["message"])


class Collections(Case):
    def collection(self, surface="/api/v1", **fields):
        return self.ok(self.daemon.post(f"{surface}/collections/", {"name": "Products", **fields}), 201)["id"]

    def count(self, collection):
        return self.ok(self.daemon.get(f"/api/v1/collections/{collection}/"))["documents_count"]

    def test_create_read_update_delete_on_both_surfaces(self):
        for surface, rows in (("/api/v1", "results"), ("/v1", "data")):
            made = self.collection(surface, description="All of them", metadata={"shopId": 7})
            path = f"{surface}/collections/{made}/"
            self.assertIn(made, [row["id"] for row in self.ok(self.daemon.get(f"{surface}/collections/?"))[rows]])
            self.assertEqual(self.ok(self.daemon.get(path))["metadata"], {"shopId": 7})
            self.assertEqual(self.ok(self.daemon.patch(path, {"name": "Goods"}))["description"], "All of them")
            self.assertIsNone(self.ok(self.daemon.call("PUT", path, {"name": "Wares"}))["description"])
            self.assertEqual(self.daemon.call("PUT", path, {}).status, 400)
            self.ok(self.daemon.delete(path), 204)
            self.assertEqual(self.daemon.get(path).status, 404)
            answer = self.daemon.call("POST", path, {})
            self.assertEqual(answer.status, 405)
            self.assertIn("PATCH", answer.headers["allow"])

    def test_documents_come_and_go_and_answers_follow(self):
        collection = self.collection()
        self.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"knowledge": {"collections": [collection]}}))
        base = f"/api/v1/collections/{collection}/documents/"
        made = self.ok(self.daemon.post(base, {"title": "Kettle", "content": "The blue kettle holds seventeen litres."}), 201)["id"]
        self.assertIn("seventeen", self.say("How much does the blue kettle hold?")["message"])
        self.ok(self.daemon.call("PUT", f"{base}{made}/", {"title": "Kettle", "content": "The blue kettle holds nineteen litres."}))
        self.assertIn("nineteen", self.say("How much does the blue kettle hold?")["message"])
        self.ok(self.daemon.delete(f"{base}{made}/"), 204)
        self.assertNotIn("nineteen", self.say("How much does the blue kettle hold?")["message"])

    def test_five_hundred_documents_in_one_call(self):
        collection = self.collection()
        base = f"/v1/collections/{collection}/documents/bulk"
        documents = [{"externalId": f"sku-{n}", "title": f"Article {n}", "content": f"Article number {n} weighs {n} grams."} for n in range(500)]
        first = self.ok(self.daemon.post(base, {"documents": documents}))
        self.assertEqual((first["created"], first["failed"], len(first["results"])), (500, 0, 500))
        again = self.ok(self.daemon.post(base, {"documents": documents}))
        self.assertEqual((again["created"], again["unchanged"]), (0, 500))
        documents[3]["content"] = "Article number 3 is sold out."
        documents[4]["title"] = ""
        third = self.ok(self.daemon.post(base, {"documents": documents}))
        self.assertEqual((third["updated"], third["failed"], third["unchanged"]), (1, 1, 498))
        self.assertEqual(third["results"][4]["error"]["field"], "title")
        self.assertEqual(self.count(collection), 500)
        self.ok(self.daemon.patch(f"/v1/bots/{self.daemon.agent}", {"knowledge": {"collections": [collection]}}))
        self.assertIn("477 grams", self.say("How much does article number 477 weigh?")["message"])
        gone = self.ok(self.daemon.call("DELETE", base, {"externalIds": [d["externalId"] for d in documents]}))
        self.assertEqual(gone["deleted"], 500)
        self.assertEqual(self.count(collection), 0)
        self.assertEqual(self.daemon.post(base, {"documents": documents + documents[:1]}).status, 400)

    def test_pages_hold_different_documents(self):
        collection = self.collection()
        self.ok(self.daemon.post(f"/v1/collections/{collection}/documents/bulk",
                                 {"documents": [{"externalId": str(n), "title": f"T{n}", "content": "text"} for n in range(30)]}))
        pages = [self.ok(self.daemon.get(f"/v1/collections/{collection}/documents?page={n}&pageSize=20")) for n in (1, 2)]
        ids = [row["id"] for page in pages for row in page["data"]]
        self.assertEqual((len(ids), len(set(ids)), [page["meta"]["total"] for page in pages]), (30, 30, [30, 30]))

    def test_a_deleted_collection_leaves_agents_and_search(self):
        collection = self.collection()
        agent = f"/api/v1/agents/{self.daemon.agent}/"
        self.ok(self.daemon.post(f"/api/v1/collections/{collection}/documents/", {"title": "Owl", "content": "The owl sleeps at noon."}), 201)
        self.ok(self.daemon.patch(agent, {"knowledge": {"collections": [collection]}}))
        self.ok(self.daemon.delete(f"/api/v1/collections/{collection}/"), 204)
        self.assertEqual(self.ok(self.daemon.get(agent))["knowledge"]["collections"], [])
        self.assertNotIn("noon", self.say("When does the owl sleep?")["message"])

    def test_an_agents_own_collection_stays(self):
        own = self.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/"))["collection_id"]
        self.assertEqual(self.daemon.delete(f"/api/v1/collections/{own}/").status, 422)


class Webhooks(Case):
    def test_an_endpoint_of_the_account_hears_of_every_agent(self):
        with FakeApp() as app:
            made = self.ok(self.daemon.post("/v1/webhooks", {"url": app.url, "events": ["message.received"]}), 201)
            hook = f"/v1/webhooks/{made['id']}"
            self.assertIn(made["id"], [row["id"] for row in self.ok(self.daemon.get("/v1/webhooks"))["data"]])
            second = self.ok(self.daemon.post("/v1/bots", {"name": "Second"}), 201)["id"]
            for agent in (self.daemon.agent, second):
                self.ok(self.daemon.post(f"/v1/bots/{agent}/invoke", {"message": "Hello"}), 200)
            app.wait("message.received", 2)
            self.ok(self.daemon.post(hook + "/test", {}), 202)
            app.wait("webhook.test")
            deliveries = wait_for(lambda: [row for row in self.ok(self.daemon.get(hook + "/deliveries"))["data"] if row["status"] == "delivered"], "deliveries")
            self.ok(self.daemon.post(f"{hook}/deliveries/{deliveries[0]['id']}/retry", {}), 202)
            self.ok(self.daemon.delete(hook), 204)


if __name__ == "__main__":
    unittest.main()
