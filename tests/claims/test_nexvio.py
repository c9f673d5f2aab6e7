"""Nexvio's page, NEXV-01 to 32: bots, conversations, knowledge, integrations, errors, limits on /v1."""
from tests.claims.case import HOURS, LIMITS, QUESTION, Claim
from tests.fakes.zoom import FakeZoom
from tests.integration.test_promises import Manners
from tests.support.daemon import http as http_call
from tests.support.daemon import wait_for


class Bots(Claim):
    def made(self, **fields):
        return self.ok(self.post("/v1/bots", {"name": "Bot", **fields}), 201)

    def test_NEXV_01_json_below_v1_with_a_bearer_key(self):
        answer = self.get("/v1/bots")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))

    def test_NEXV_02_bots_are_listed(self):
        made = self.made()
        self.assertIn(made["id"], [bot["id"] for bot in self.ok(self.get("/v1/bots"), 200)["data"]])

    def test_NEXV_03_a_bot_is_created(self):
        self.assertTrue(self.made()["id"])

    def test_NEXV_04_a_bot_is_read(self):
        self.assertEqual(self.ok(self.get(f"/v1/bots/{self.made()['id']}"), 200)["name"], "Bot")
        self.unknown("/v1/bots/agt_none")

    def test_NEXV_05_patch_changes_only_what_is_given(self):
        made = self.made(systemPrompt="Be kind.")
        path = f"/v1/bots/{made['id']}"
        before = self.get(path).json
        self.ok(self.patch(path, {"name": "Renamed"}))
        after = self.get(path).json
        self.assertEqual({name for name in before if before[name] != after[name]} - {"updatedAt"}, {"name"})

    def test_NEXV_06_a_bot_is_deleted(self):
        path = f"/v1/bots/{self.made()['id']}"
        self.assertIn(self.delete(path).status, (200, 204))
        self.unknown(path)

    def test_NEXV_07_the_system_prompt(self):
        model = self.model()
        self.ok(self.patch(f"/v1/bots/{self.agent}", {"systemPrompt": "You are PERSONA-77."}))
        self.assertEqual(self.get(f"/v1/bots/{self.agent}").json["systemPrompt"], "You are PERSONA-77.")
        self.ask(QUESTION)
        self.assertIn("PERSONA-77", model.requests[0].system)

    def test_NEXV_08_the_model(self):
        model = self.model()
        self.ok(self.patch(f"/v1/bots/{self.agent}", {"model": {**model.settings, "name": "small-7b"}}))
        self.assertEqual(self.get(f"/v1/bots/{self.agent}").json["model"]["name"], "small-7b")
        self.ask(QUESTION)
        self.assertEqual(model.requests[0].body["model"], "small-7b")

    def test_NEXV_09_knowledge_is_attached_and_detached(self):
        collection = self.ok(self.post("/v1/collections", {"name": "Shared"}), 201)["id"]
        self.ok(self.post(f"/v1/collections/{collection}/documents", {"title": HOURS[0], "content": HOURS[1], "docType": "text"}), 201)
        attach = lambda *ids: self.ok(self.patch(f"/v1/bots/{self.agent}", {"knowledge": {"collections": list(ids)}}))
        attach(collection)
        self.knows(QUESTION, "9 in the morning")
        attach()
        self.knows(QUESTION, "9 in the morning", want=False)

    def test_NEXV_10_channels_are_part_of_a_bot(self):
        made = self.ok(self.post(f"/v1/bots/{self.agent}/channels", {"type": "api", "name": "Shop window"}), 201)
        self.assertIn(made["id"], [c["id"] for c in self.get(f"/v1/bots/{self.agent}").json["channels"]])
        self.assertEqual([c["name"] for c in self.get(f"/v1/bots/{self.agent}/channels").json["data"] if c["id"] == made["id"]], ["Shop window"])


class Conversations(Claim):
    def test_NEXV_11_conversations_are_listed(self):
        talk = self.ask("Hello")["conversation_id"]
        self.assertEqual([row["id"] for row in self.ok(self.get("/v1/conversations"), 200)["data"]], [talk])

    def test_NEXV_12_one_with_its_metadata(self):
        talk = self.ask("Hello")["conversation_id"]
        self.ok(self.patch(f"/v1/conversations/{talk}", {"metadata": {"order_no": "A17"}}))
        self.assertEqual(self.ok(self.get(f"/v1/conversations/{talk}"), 200)["metadata"], {"order_no": "A17"})
        self.unknown("/v1/conversations/cnv_none")

    def test_NEXV_13_messages_in_a_stable_order(self):
        self.settings(chat={"fallback_behavior": "TRY_ANYWAY"})
        said = [f"Sentence number {i}" for i in range(4)]
        for text in said:
            talk = self.ask(text, thread_id="t")["conversation_id"]
        read = lambda: [m["id"] for m in self.ok(self.get(f"/v1/conversations/{talk}/messages"), 200)["data"]]
        first, rows = read(), self.get(f"/v1/conversations/{talk}/messages").json["data"]
        self.assertEqual([m["text"] for m in rows if m["direction"] == "in"], said)
        self.assertEqual((len(rows), read()), (8, first))


class Knowledge(Claim):
    def test_NEXV_14_sources_are_listed(self):
        made = self.teach(*HOURS)
        self.assertIn(made["id"], [row["id"] for row in self.ok(self.get("/v1/knowledge"), 200)["data"]])

    def test_NEXV_15_a_source_is_added(self):
        self.assertTrue(self.ok(self.post("/v1/knowledge", {"title": "Hours", "content": "Nine to six."}), 201)["id"])

    def test_NEXV_16_upload_url_and_data_feed(self):
        site = self.site()
        site.page("/returns", "Returns", "You may return any lamp within forty days.")
        site.put("/feed.json", '[{"id": "sku-1", "title": "Blue lamp", "content": "The blue lamp costs 25 euros."}]', "application/json")
        upload = self.upload("prices.txt", b"A kettle costs 32 euros.")
        for fields in ({"docType": "file", "fileId": upload["id"]}, {"docType": "url", "url": site.url + "/returns"},
                       {"docType": "feed", "url": site.url + "/feed.json"}):
            made = self.ok(self.post("/v1/knowledge", {"title": "A source", **fields}), 201)
            self.assertEqual(self.settled(made)["status"], "ready", fields)
        for question, word in (("How much is a kettle?", "32"), ("How long may I return a lamp?", "forty"), ("What does the blue lamp cost?", "25")):
            self.knows(question, word)

    def test_NEXV_17_a_source_is_removed(self):
        made = self.teach(*HOURS)
        self.knows(QUESTION, "9 in the morning")
        self.assertIn(self.delete(f"/v1/knowledge/{made['id']}").status, (200, 204))
        self.knows(QUESTION, "9 in the morning", want=False)


class Integrations(Claim):
    def enabled(self, kind="http", **config):
        site = self.site()
        body = {"type": kind, "config": config or {"webhookUrl": site.url + "/in"}}
        return self.ok(self.post("/v1/integrations", body), 201)

    def test_NEXV_18_integrations_are_listed(self):
        self.assertEqual(self.ok(self.get("/v1/integrations"), 200)["data"], [])

    def test_NEXV_19_one_is_enabled(self):
        made = self.enabled("zapier")
        self.assertEqual([row["id"] for row in self.get("/v1/integrations").json["data"]], [made["id"]])

    def test_NEXV_20_one_is_disabled(self):
        made = self.enabled("zapier")
        self.assertIn(self.delete(f"/v1/integrations/{made['id']}").status, (200, 204))
        self.assertEqual(self.get("/v1/integrations").json["data"], [])

    def test_NEXV_21_slack_and_zapier_are_told_of_a_handoff_and_zoom_of_a_booking(self):
        for kind in ("slack", "zapier"):
            fake = self.app("lead.qualified")
            self.ok(self.post("/v1/integrations", {"type": kind, "config": {"webhookUrl": fake.url}, "events": ["handoff.triggered"]}), 201)
            talk = self.ask("Hello")["conversation_id"]
            self.ok(self.post(f"/v1/conversations/{talk}/handoff", {"reason": "asked"}))
            wait_for(lambda: fake.calls, f"the call to {kind}")
        zoom = FakeZoom()
        self.leave(zoom.__exit__)
        names = {"account_id": "accountId", "client_id": "clientId", "client_secret": "clientSecret", "base_url": "baseUrl", "oauth_url": "oauthUrl"}
        self.ok(self.post("/v1/integrations", {"type": "zoom", "config": {names[name]: value for name, value in zoom.config.items()}}), 201)
        self.settings(appointments={"enabled": True, "services": [{"id": "visit", "minutes": 30}]})
        slot = self.ok(self.get(self.base + "/availability/"))["slots"][0]
        self.ok(self.post("/api/v1/appointments/", {"agent_id": self.agent, "starts_at": slot["starts_at"], "name": "Ana"}), 201)
        wait_for(lambda: zoom.meetings, "the meeting")


class Form(Claim):
    options = {"plan_free": "5,60,20"}

    def limited(self):
        free = self.account("free")["live_key"]
        return [self.get("/v1/bots", key=free) for _ in range(6)][-1]

    def reader(self):
        return self.ok(self.post("/v1/keys", {"name": "reader", "scopes": ["read"]}), 201)["key"]

    def malformed(self):
        return http_call("POST", self.daemon.url + "/v1/bots", b'{"name": ', {"Authorization": "Bearer " + self.test, "Content-Type": "application/json"})

    def test_NEXV_22_errors_have_a_message(self):
        answers = {400: self.malformed(), 401: self.get("/v1/bots", key=False), 403: self.post("/v1/bots", {"name": "x"}, key=self.reader()),
                   404: self.get("/v1/bots/agt_none"), 429: self.limited()}
        for status, answer in answers.items():
            self.assertEqual(answer.status, status)
            self.assertTrue(isinstance(answer.json["message"], str) and answer.json["message"], answer)

    def test_NEXV_23_a_bad_body_is_400(self):
        self.assertEqual((self.malformed().status, self.post("/v1/bots", {"nome": "x"}).status), (400, 400))

    def test_NEXV_24_no_key_or_a_bad_one_is_401(self):
        self.assertEqual({self.get("/v1/bots", key=key).status for key in (False, "ck_live_" + "0" * 28)}, {401})

    def test_NEXV_25_a_key_without_the_right_is_403(self):
        self.assertEqual(self.post("/v1/bots", {"name": "x"}, key=self.reader()).status, 403)

    def test_NEXV_26_what_is_not_there_is_404(self):
        self.unknown("/v1/bots/agt_01ARZ3NDEKTSV4RRFFQ69G5FAV")

    def test_NEXV_27_429_tells_the_wait(self):
        answer = self.limited()
        self.assertEqual(answer.status, 429)
        self.assertGreater(int(answer.headers["retry-after"]), 0)

    def test_NEXV_28_our_own_fault_is_500_without_its_insides(self):
        self.story(Manners, "test_nexv_28_our_own_fault_is_500_without_its_insides")

    def test_NEXV_29_headers_of_the_limit(self):
        answer = self.get("/v1/bots")
        self.assertEqual(answer.status, 200)
        self.assertTrue(all(answer.headers[name].isdigit() for name in LIMITS))

    def test_NEXV_30_the_limit_is_the_keys_own(self):
        account = self.account("free")
        second = self.ok(self.post("/v1/keys", {"name": "second"}, key=account["live_key"]), 201)["key"]
        self.assertEqual([self.get("/v1/bots", key=account["live_key"]).status for _ in range(5)][-1], 429)
        self.assertEqual(self.get("/v1/bots", key=second).status, 200)

    def test_NEXV_31_a_new_key_is_shown_once(self):
        made = self.ok(self.post("/v1/keys", {"name": "once"}), 201)
        for path in ("/v1/keys", f"/v1/keys/{made['id']}", "/v1/audit"):
            self.assertNotIn(made["key"].encode(), self.get(path).body)

    def test_NEXV_32_a_key_is_rotated(self):
        made = self.ok(self.post("/v1/keys", {"name": "old"}), 201)
        turned = self.ok(self.post(f"/v1/keys/{made['id']}/rotate", {"overlapS": 1}), 201)
        self.assertEqual(self.get("/v1/me", key=turned["key"]).status, 200)
        wait_for(lambda: self.get("/v1/me", key=made["key"]).status == 401, "the overlap to end")
        self.assertEqual(self.get("/v1/me", key=turned["key"]).status, 200)
