"""Vivollo's page, VIVO-01 to 22: reading conversations, pushing knowledge, flows, assistants, insights."""
import re

from tests.claims.case import HOURS, QUESTION, Claim
from tests.integration.test_flows import FakeSystem
from tests.support.daemon import wait_for

RESOURCES = {"/v1/collections": {"name": "Shared"}, "/v1/assistants": {"name": "Helper"}, "/v1/flows": {"name": "Plan", "steps": []},
             "/v1/webhooks": {"url": "https://app.example/hook", "events": ["message.sent"]}}


class Workspace(Claim):
    def test_VIVO_01_a_bearer_key_on_every_request(self):
        for method, path in sorted(self.operations("/v1")):
            if "/stream" not in path and "/widget/" not in path:
                self.assertEqual(self.call(method, re.sub(r"\{\w+\}", "x", path), None if method == "GET" else {}, key=False).status, 401, (method, path))

    def test_VIVO_02_only_its_own_workspace(self):
        talk = self.ask("Hello")["conversation_id"]
        mine = {path: self.ok(self.post(path, body), 201)["id"] for path, body in RESOURCES.items()}
        before = {path: self.get(f"{path}/{made}").json for path, made in mine.items()}
        other = self.account("enterprise")["test_key"]
        for path, made in {**mine, "/v1/conversations": talk}.items():
            for verb in ("GET", "PATCH", "DELETE"):
                answer = self.call(verb, f"{path}/{made}", {"name": "stolen"} if verb == "PATCH" and path != "/v1/webhooks" and path != "/v1/conversations"
                                   else {} if verb == "PATCH" else None, key=other)
                self.assertEqual(answer.status, 404, (verb, path))
        self.assertEqual({path: self.get(f"{path}/{made}").json for path, made in mine.items()}, before)

    def test_VIVO_03_conversations_are_read(self):
        talk = self.ask("Hello")["conversation_id"]
        self.assertEqual([row["id"] for row in self.ok(self.get("/v1/conversations"), 200)["data"]], [talk])
        self.assertEqual(self.ok(self.get(f"/v1/conversations/{talk}"), 200)["id"], talk)

    def test_VIVO_04_messages_of_the_ai_and_of_the_team(self):
        self.teach(*HOURS)
        self.knows(QUESTION, "9 in the morning")
        talk = self.ask(QUESTION, thread_id="t")["conversation_id"]
        self.ok(self.post(f"/v1/conversations/{talk}/join", {"name": "Ana"}))
        self.ok(self.post(f"/v1/conversations/{talk}/messages", {"text": "I am Ana.", "author": {"name": "Ana"}}), 201)
        rows = self.get(f"/v1/conversations/{talk}/messages").json["data"]
        authors = [(m["author"]["type"], m["author"].get("name")) for m in rows]
        self.assertIn(("human", "Ana"), authors)
        self.assertIn("ai", [kind for kind, _ in authors])

    def resource(self, path, body, change=("name", "Renamed")):
        """List, read, create, update by PUT and PATCH, delete."""
        made = self.ok(self.post(path, body), 201)
        own = f"{path}/{made['id']}"
        self.assertIn(made["id"], [row["id"] for row in self.ok(self.get(path), 200)["data"]])
        self.assertEqual(self.ok(self.get(own), 200)["id"], made["id"])
        self.assertEqual(self.ok(self.patch(own, dict([change])), 200)[change[0]], change[1])
        self.assertEqual(self.ok(self.call("PUT", own, {**body, change[0]: change[1] + "!"}), 200)[change[0]], change[1] + "!")
        self.assertIn(self.delete(own).status, (200, 204))
        self.unknown(own)

    def test_VIVO_11_flows(self):
        self.resource("/v1/flows", RESOURCES["/v1/flows"])

    def test_VIVO_12_assistants(self):
        self.resource("/v1/assistants", RESOURCES["/v1/assistants"])

    def test_VIVO_17_verbs(self):
        for path in ("/v1/collections", "/v1/assistants", "/v1/flows"):
            self.resource(path, RESOURCES[path])
            for verb in ("PUT", "DELETE"):
                answer = self.call(verb, path, {} if verb == "PUT" else None)
                self.assertEqual(answer.status, 405, (verb, path))
                self.assertIn("GET", answer.headers["allow"])

    def test_VIVO_18_pages(self):
        for number in range(5):
            self.ok(self.post("/v1/assistants", {"name": f"Helper {number}"}), 201)
        first, second = (self.ok(self.get(f"/v1/assistants?page={page}&pageSize=3"), 200) for page in (1, 2))
        ids = [row["id"] for row in first["data"] + second["data"]]
        self.assertEqual((len(ids), len(set(ids))), (6, 6))
        self.assertEqual({page["meta"]["total"] for page in (first, second)}, {6})

    def updated(self):
        """A conversation, changed, and the event that came of it."""
        app = self.app("conversation.updated")
        talk = self.ask("Hello")["conversation_id"]
        wait_for(self.daemon.idle, "idle")
        count = len(app.events)
        self.ok(self.patch(f"/v1/conversations/{talk}", {"tags": ["vip"]}))
        return talk, wait_for(lambda: app.events[count:], "the event")[-1]

    def test_VIVO_19_conversation_updated(self):
        talk, event = self.updated()
        self.assertEqual((event["type"], event["data"]["conversation"]["id"]), ("conversation.updated", talk))

    def test_VIVO_20_the_whole_conversation_after_the_event(self):
        _, event = self.updated()
        self.assertEqual(self.ok(self.get(f"/v1/conversations/{event['data']['conversation']['id']}"), 200)["tags"], ["vip"])

    def test_VIVO_21_a_flow_calls_a_system(self):
        system = FakeSystem()
        self.addCleanup(system.close)
        steps = [{"type": "api_call", "method": "GET", "url": system.url + "/orders/17", "save": {"state": "/order/state"}},
                 {"type": "message", "text": "Your order is {{state}}."}]
        self.ok(self.post("/v1/flows", {"name": "Orders", "enabled": True, "trigger": {"type": "keyword", "keywords": ["order"]}, "steps": steps}), 201)
        self.assertEqual(self.ask("order")["message"], "Your order is on its way.")
        self.assertEqual(system.calls[0][:2], ("GET", "/orders/17"))

    def test_VIVO_22_a_key_is_made_in_the_product(self):
        made = self.daemon.cli_json("keys", "create", "First")
        self.assertEqual(self.get("/v1/me", key=made["key"]).status, 200)
        self.measured("by the command line")


class Collections(Claim):
    def setUp(self):
        super().setUp()
        self.collection = self.ok(self.post("/v1/collections", {"name": "Shared"}), 201)["id"]
        self.path = f"/v1/collections/{self.collection}/documents"
        self.ok(self.patch(f"/v1/assistants/{self.agent}", {"knowledge": {"collections": [self.collection]}}))

    def bulk(self, *rows):
        return self.ok(self.post(self.path + "/bulk", {"documents": list(rows)}), 200)

    def total(self):
        return self.get(self.path).json["meta"]["total"]

    def rows(self, count, text="The price of article {0} is {0} euros."):
        return [{"title": f"Article {number}", "content": text.format(number), "externalId": f"sku-{number}"} for number in range(count)]

    def test_VIVO_05_a_collection_is_created(self):
        self.assertTrue(self.collection.startswith("col_"))

    def test_VIVO_06_list_read_update_delete(self):
        Workspace.resource(self, "/v1/collections", {"name": "Shared"})

    def test_VIVO_07_a_document_is_added_and_removed(self):
        made = self.ok(self.post(self.path, {"title": HOURS[0], "content": HOURS[1], "docType": "text"}), 201)
        self.knows(QUESTION, "9 in the morning")
        self.assertIn(self.delete(f"{self.path}/{made['id']}").status, (200, 204))
        self.knows(QUESTION, "9 in the morning", want=False)

    def test_VIVO_08_500_documents_in_one_call(self):
        told = self.bulk(*self.rows(500))
        self.assertEqual((told["created"], len(told["results"])), (500, 500))
        self.assertTrue(all(row["status"] == "created" and row["id"] for row in told["results"]))
        wait_for(self.daemon.idle, "idle")
        for number in (0, 123, 499):
            found = self.ok(self.post("/v1/knowledge/search", {"query": f"price of article {number}"}))["results"]
            self.assertTrue(any(f"article {number} is" in hit["text"] for hit in found), (number, found))

    def test_VIVO_09_many_are_removed_in_one_call(self):
        self.bulk(*self.rows(50))
        answer = self.call("DELETE", self.path + "/bulk", {"externalIds": [f"sku-{number}" for number in range(50)]})
        self.assertIn(answer.status, (200, 204), answer)
        self.assertEqual(self.total(), 0)

    def test_VIVO_10_the_same_set_again_makes_no_doubles(self):
        rows = self.rows(10)
        self.bulk(*rows)
        again = self.bulk(*rows[:9], {**rows[9], "content": "The price of article 9 is 99 euros."})
        self.assertEqual((again["created"], again["updated"], again["unchanged"], self.total()), (0, 1, 9, 10))
        found = lambda: self.ok(self.post("/v1/knowledge/search", {"query": "price of article 9"}))["results"]
        wait_for(lambda: any("99 euros" in hit["text"] for hit in found()), "the changed text")


class Insights(Claim):
    def segments(self):
        told = self.ok(self.get("/v1/insights/segments"), 200)
        rows = told.get("data", told.get("segments", told)) if isinstance(told, dict) else told
        return {row["name"]: row["conversations"] for row in rows}

    def test_VIVO_13_segments(self):
        self.ask("Hello")
        self.assertTrue(self.segments())

    def test_VIVO_14_breakdowns(self):
        self.ask("Hello")
        for by in ("channel", "agent", "language", "hour"):
            self.assertTrue(self.ok(self.get(f"/v1/insights/breakdowns?by={by}"), 200), by)

    def test_VIVO_15_trends(self):
        self.ask("Hello")
        self.assertTrue(self.ok(self.get("/v1/insights/trends?metric=conversations&interval=day"), 200))

    def test_VIVO_16_conversations_fall_into_segments(self):
        self.teach(*HOURS)
        self.knows(QUESTION, "9 in the morning")
        self.settings(chat={"fallback_behavior": "ESCALATE"})
        wait_for(self.daemon.idle, "idle")
        before = wait_for(self.segments, "segments")
        self.ask(QUESTION, thread_id="served")
        away = self.ask("Do iguanas like opera?", thread_id="away")["conversation_id"]
        sad = self.ask(QUESTION, thread_id="sad")["conversation_id"]
        self.ok(self.post(f"/v1/conversations/{sad}/feedback", {"rating": "down"}))
        told = lambda: {name: count - before.get(name, 0) for name, count in self.segments().items()}
        wait_for(lambda: told()["escalated"] == 1 and told()["negative"] == 1, "the segments", 10)
        self.ok(self.post(f"/v1/conversations/{away}/join", {"name": "Ana"}))
        self.ok(self.post(f"/v1/conversations/{away}/messages", {"text": "They do."}), 201)
        self.ok(self.post(f"/v1/conversations/{away}/resolve", {"returnTo": "closed"}))
        wait_for(lambda: told()["resolved_by_human"] == 1, "the person's", 10)
