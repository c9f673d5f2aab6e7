"""The REST API as callers read it: shapes, errors that name the field, keys, limits, isolation."""
import json
import re
import socket
import unittest

from tests.support.daemon import Daemon, http, wait_for

TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


class RestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def error(self, answer, status, code=None, field=None):
        """Asserts the contract's error shape and returns the inner object."""
        self.assertEqual(answer.status, status, answer)
        error = answer.json["error"]
        self.assertEqual(error["status"], status)
        self.assertRegex(error["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(answer.json["message"], error["message"])
        self.assertEqual(error["request_id"], answer.headers["x-request-id"])
        if code:
            self.assertEqual(error["code"], code)
        if field:
            self.assertEqual(error.get("field"), field, answer)
        return error


class Identity(RestCase):
    def test_me_has_the_shape_that_clients_read(self):
        answer = self.daemon.get("/api/v1/me/", headers={"Content-Type": "application/json"})
        me = self.daemon.ok(answer, 200)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "application/json")
        self.assertRegex(me["id"], r"^usr_[0-9A-Z]{14,}$")
        self.assertEqual((me["email"], me["api_version"], me["mode"]), ("owner@shop.example", "v1.4", "live"))
        self.assertIn(me["plan"], ("free", "pro", "enterprise"))
        self.assertEqual(me["agents_count"], self.daemon.ok(self.daemon.get("/api/v1/agents/"))["count"])

    def test_paths_work_with_and_without_the_trailing_slash(self):
        for path in ("/api/v1/me", "/api/v1/me/", "/v1/me", "/v1/me/"):
            self.assertEqual(self.daemon.get(path).status, 200, path)
        self.error(self.daemon.get("/api/latest/me/"), 404)

    def test_the_key_is_taken_from_any_of_the_three_headers(self):
        for name, value in (("Authorization", "Bearer " + self.daemon.live), ("X-API-Key", self.daemon.live),
                            ("vivi-api-key", self.daemon.live)):
            self.assertEqual(self.daemon.get("/v1/me", key=False, headers={name: value}).status, 200, name)

    def test_without_a_good_key_401(self):
        live = self.daemon.live
        for key in (False, "ck_live_" + "a" * 28, live[:-1] + ("0" if live[-1] != "0" else "1"), "sk-nonsense"):
            answer = self.daemon.get("/api/v1/me/", key=key)
            self.error(answer, 401)
            self.assertTrue(answer.headers["www-authenticate"].startswith("Bearer"))

    def test_every_authenticated_answer_carries_the_limit_headers(self):
        first = self.daemon.get("/api/v1/me/")
        second = self.daemon.get("/api/v1/agents/agt_nope/")
        third = self.daemon.post("/api/v1/agents/", {"nam": "x"})
        remaining = [int(a.headers["x-ratelimit-remaining"]) for a in (first, second, third)]
        self.assertEqual([second.status, third.status], [404, 400])
        self.assertEqual(remaining, [remaining[0], remaining[0] - 1, remaining[0] - 2])
        self.assertEqual(first.headers["x-ratelimit-limit"], "3000")
        self.assertRegex(first.headers["x-ratelimit-reset"], r"^\d{10}$")

    def test_405_names_the_methods(self):
        answer = self.daemon.call("PUT", "/api/v1/me/", {})
        self.error(answer, 405)
        self.assertIn("GET", answer.headers["allow"])


class Keys(RestCase):
    def test_a_key_is_shown_once_and_stops_at_once(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "till software"}), 201)
        self.assertRegex(made["key"], r"^ck_live_[0-9A-Za-z]{28}$")
        self.assertEqual(self.daemon.get("/api/v1/me/", key=made["key"]).status, 200)
        listed = self.daemon.get("/api/v1/keys/")
        self.assertIn("till software", [k["name"] for k in listed.json["results"]])
        self.assertNotIn(made["key"], listed.body.decode())
        self.assertNotIn(made["key"], self.daemon.get(f"/api/v1/keys/{made['id']}/").body.decode())
        self.assertIn(self.daemon.delete(f"/api/v1/keys/{made['id']}/").status, (200, 204))
        self.error(self.daemon.get("/api/v1/me/", key=made["key"]), 401)

    def test_a_revoked_key_stops_on_an_open_connection_too(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "kept open"}), 201)
        host, port = self.daemon.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            request = f"GET /api/v1/me/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made['key']}\r\n\r\n".encode()
            stream = connection.makefile("rb")
            statuses = []
            for turn in range(2):
                connection.sendall(request)
                statuses.append(int(stream.readline().split()[1]))
                length = 0
                while (line := stream.readline().strip()):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                stream.read(length)
                if turn == 0:
                    self.daemon.delete(f"/api/v1/keys/{made['id']}/")
        self.assertEqual(statuses, [200, 401])

    def test_scopes_are_held(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "reader", "scopes": ["read"]}), 201)
        self.assertEqual(self.daemon.get("/api/v1/agents/", key=made["key"]).status, 200)
        self.error(self.daemon.post("/api/v1/agents/", {"name": "x"}, key=made["key"]), 403)
        self.error(self.daemon.post("/api/v1/keys/", {"name": "x"}, key=made["key"]), 403)

    def test_rotation_gives_a_new_key_and_ends_the_old(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "turning"}), 201)
        turned = self.daemon.ok(self.daemon.post(f"/api/v1/keys/{made['id']}/rotate/"))
        self.assertNotEqual(turned["key"], made["key"])
        self.assertEqual(self.daemon.get("/api/v1/me/", key=turned["key"]).status, 200)
        self.error(self.daemon.get("/api/v1/me/", key=made["key"]), 401)


class Agents(RestCase):
    def test_an_agent_has_the_documented_fields_and_changes_only_what_is_given(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/agents/", {"name": "Night shift", "system_prompt": "Be brief."}), 201)
        self.assertTrue({"id", "name", "status", "phone_number", "created_at", "model", "settings"} <= set(made))
        self.assertRegex(made["id"], r"^agt_[0-9A-Z]{26}$")
        self.assertRegex(made["created_at"], TIME)
        self.assertEqual(made["status"], "active")
        changed = self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{made['id']}/", {"name": "Late shift"}))
        self.assertEqual((changed["name"], changed["system_prompt"]), ("Late shift", "Be brief."))
        self.assertIn(self.daemon.delete(f"/api/v1/agents/{made['id']}/").status, (200, 204))
        self.error(self.daemon.get(f"/api/v1/agents/{made['id']}/"), 404)

    def test_a_model_key_never_comes_back(self):
        path = f"/api/v1/agents/{self.daemon.agent}/"
        body = {"model": {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "name": "m", "api_key": "sk-secret-1234"}}
        answer = self.daemon.patch(path, body)
        self.daemon.ok(answer)
        self.assertNotIn("sk-secret", answer.body.decode() + self.daemon.get(path).body.decode())
        self.assertEqual(answer.json["model"]["api_key"], {"set": True, "last4": "1234"})
        self.daemon.ok(self.daemon.patch(path, {"model": {"provider": "extractive"}}))

    def test_bad_fields_are_named_and_nothing_is_stored(self):
        before = self.daemon.ok(self.daemon.get("/api/v1/agents/"))["count"]
        cases = [({}, "name"), ({"name": 7}, "name"), ({"name": "x", "colour": 1}, "colour"), ({"name": ""}, "name"),
                 ({"name": "x", "model": {"provider": "psychic"}}, "provider"), ({"name": "x", "id": "agt_1"}, "id")]
        for body, field in cases:
            error = self.error(self.daemon.post("/api/v1/agents/", body), 400)
            self.assertIn(field, error["field"], body)
        for raw in (b"{", b"[]", b"", b'{"name":"a","name":"b"}', b'{"name":"a\\u0000"}', b'{"name":"\xff"}'):
            answer = http("POST", self.daemon.url + "/api/v1/agents/", raw,
                          {"Authorization": "Bearer " + self.daemon.live, "Content-Type": "application/json"})
            self.error(answer, 400)
        self.assertEqual(self.daemon.ok(self.daemon.get("/api/v1/agents/"))["count"], before)


class Channels(RestCase):
    def test_a_whatsapp_channel_gives_its_hook_and_hides_its_credentials(self):
        made = self.daemon.whatsapp("http://127.0.0.1:9")
        self.assertEqual(made["webhook_path"], f"/hooks/whatsapp/{made['id']}")
        text = json.dumps(made) + self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/channels/").body.decode()
        for secret in ("EAAtoken", "app-secret", "verify-me"):
            self.assertNotIn(secret, text)

    def test_missing_and_unknown_fields_are_named(self):
        path = f"/api/v1/agents/{self.daemon.agent}/channels/"
        good = {"type": "whatsapp", "phone_number_id": "1", "display_phone_number": "+15550783881",
                "business_account_id": "2", "access_token": "t", "app_secret": "s", "verify_token": "v"}
        count = len(self.daemon.get(path).json["results"])
        for missing in ("type", "phone_number_id", "access_token", "app_secret", "verify_token"):
            body = {k: v for k, v in good.items() if k != missing}
            self.assertIn(missing, self.error(self.daemon.post(path, body), 400)["field"])
        self.assertIn("type", self.error(self.daemon.post(path, {**good, "type": "pigeon"}), 400)["field"])
        self.assertIn("colour", self.error(self.daemon.post(path, {**good, "colour": "x"}), 400)["field"])
        self.assertEqual(len(self.daemon.get(path).json["results"]), count)


class Knowledge(RestCase):
    def test_a_document_changes_answers_and_its_removal_takes_effect_at_once(self):
        made = self.daemon.push("Parrot care", "Parrots must be fed with sunflower seeds twice a day.", key=self.daemon.test)
        path = f"/api/v1/agents/{self.daemon.agent}"
        asked = lambda: self.daemon.ok(self.daemon.post(path + "/invoke/", {"message": "How often must parrots be fed?"},
                                                        key=self.daemon.test))
        self.assertIn("twice a day", asked()["message"])
        found = self.daemon.ok(self.daemon.post(path + "/knowledge/search/", {"query": "parrots"}, key=self.daemon.test))
        self.assertEqual(found["results"][0]["document_id"], made["id"])
        self.assertTrue({"document_id", "chunk_id", "title", "text", "score"} <= set(found["results"][0]))
        self.daemon.ok(self.daemon.patch(f"{path}/knowledge/{made['id']}/", {"enabled": False}, key=self.daemon.test))
        self.assertNotIn("twice a day", asked()["message"])
        self.daemon.ok(self.daemon.patch(f"{path}/knowledge/{made['id']}/", {"enabled": True}, key=self.daemon.test))
        self.assertIn("twice a day", asked()["message"])
        self.assertIn(self.daemon.delete(f"{path}/knowledge/{made['id']}/", key=self.daemon.test).status, (200, 204))
        self.assertNotIn("twice a day", asked()["message"])

    def test_bulk_is_idempotent_by_external_id(self):
        path = f"/api/v1/agents/{self.daemon.agent}/knowledge/bulk/"
        docs = [{"title": f"Item {i}", "content": f"Shelf number {i} holds item {i}.", "doc_type": "text", "external_id": f"x{i}"}
                for i in range(120)]
        first = self.daemon.ok(self.daemon.post(path, {"documents": docs}, key=self.daemon.test), 200)
        self.assertEqual((first["created"], first["failed"]), (120, 0))
        docs[7]["content"] = "Shelf number 7 is empty."
        second = self.daemon.ok(self.daemon.post(path, {"documents": docs}, key=self.daemon.test), 200)
        self.assertEqual((second["created"], second["updated"], second["unchanged"]), (0, 1, 119))
        gone = self.daemon.ok(self.daemon.delete(path, body={"external_ids": [d["external_id"] for d in docs]}, key=self.daemon.test))
        self.assertEqual(len([r for r in gone["results"] if r["status"] == "deleted"]) if "results" in gone else gone["deleted"], 120)

    def test_bad_documents_are_named(self):
        path = f"/api/v1/agents/{self.daemon.agent}/knowledge/"
        for body, field in (({"content": "x"}, "title"), ({"title": "x"}, "content"),
                            ({"title": "x", "content": "y", "doc_type": "stone"}, "doc_type"),
                            ({"title": "x", "content": "y", "colour": 1}, "colour")):
            self.assertIn(field, self.error(self.daemon.post(path, body), 400)["field"])


class Modes(RestCase):
    def test_test_data_and_live_data_never_meet(self):
        live = self.daemon.push("Live only", "The live secret word is heron.")
        self.error(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/knowledge/{live['id']}/", key=self.daemon.test), 404)
        found = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/knowledge/search/", {"query": "secret word heron"},
                                                key=self.daemon.test))
        self.assertNotIn("heron", json.dumps(found["results"]))
        agent = self.daemon.ok(self.daemon.post("/api/v1/agents/", {"name": "Live agent"}), 201)
        self.error(self.daemon.get(f"/api/v1/agents/{agent['id']}/", key=self.daemon.test), 404)

    def test_another_accounts_ids_are_404_everywhere(self):
        other = self.daemon.cli_json("accounts", "create", "--name", "Neighbour")
        mine = self.daemon.push("Mine", "Only for us.")
        made = self.daemon.whatsapp("http://127.0.0.1:9", phone_number_id="771")
        base = f"/api/v1/agents/{self.daemon.agent}"
        for method, path, body in (("GET", f"{base}/", None), ("PATCH", f"{base}/", {"name": "taken"}), ("DELETE", f"{base}/", None),
                                   ("GET", f"{base}/knowledge/{mine['id']}/", None), ("DELETE", f"{base}/knowledge/{mine['id']}/", None),
                                   ("GET", f"{base}/channels/{made['id']}/", None), ("POST", f"{base}/messages/",
                                    {"to": "+14155550100", "type": "text", "text": "x"}), ("POST", f"{base}/invoke/", {"message": "x"})):
            self.error(self.daemon.call(method, path, body, key=other["live_key"]), 404)
        self.assertEqual(self.daemon.ok(self.daemon.get(base + "/"))["id"], self.daemon.agent)


class Idempotency(RestCase):
    def test_the_same_key_answers_the_first_response_again(self):
        path = f"/api/v1/agents/{self.daemon.agent}/messages/"
        body = {"to": "+14155550144", "type": "text", "text": "once"}
        headers = {"Idempotency-Key": "order-17"}
        first = self.daemon.post(path, body, key=self.daemon.test, headers=headers)
        self.daemon.ok(first, 201)
        again = self.daemon.post(path, body, key=self.daemon.test, headers=headers)
        self.assertEqual((again.status, again.json), (201, first.json))
        self.assertEqual(again.headers.get("idempotency-replayed"), "true")
        other = self.daemon.post(path, {**body, "text": "twice"}, key=self.daemon.test, headers=headers)
        self.error(other, 409, "IDEMPOTENCY_KEY_REUSED")
        self.daemon.restart()
        after = self.daemon.post(path, body, key=self.daemon.test, headers=headers)
        self.assertEqual(after.json, first.json)


class Sandbox(RestCase):
    def test_a_simulated_customer_gets_an_answer_and_the_message_is_read(self):
        self.daemon.push("Ferry", "The ferry to the island leaves every 40 minutes.", key=self.daemon.test)
        sent = self.daemon.post("/api/v1/sandbox/inbound/", {"from": "+14155550111", "text": "How often does the ferry leave?"},
                                key=self.daemon.test)
        self.assertIn(sent.status, (200, 201, 202))
        def replied():
            rows = self.daemon.ok(self.daemon.get("/api/v1/sandbox/messages/", key=self.daemon.test))["results"]
            return [m for m in rows if "40 minutes" in m.get("text", "") and m["status"] == "read"]
        reply = wait_for(replied, "the reply to be read")[0]
        conversation = self.daemon.messages(reply["conversation_id"], key=self.daemon.test)
        self.assertEqual([m["author"]["type"] for m in conversation], ["customer", "ai"])

    def test_live_keys_have_no_sandbox(self):
        self.error(self.daemon.post("/api/v1/sandbox/inbound/", {"from": "+14155550111", "text": "x"}), 403)

    def test_a_send_is_201_queued_with_the_documented_fields(self):
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                  {"to": "+14155559876", "type": "text", "text": "Hi!"}, key=self.daemon.test)
        sent = self.daemon.ok(answer, 201)
        self.assertTrue(re.match(r"^msg_[0-9A-Z]{26}$", sent["message_id"]))
        self.assertEqual((sent["status"], sent["to"]), ("queued", "+14155559876"))
        self.assertRegex(sent["queued_at"], TIME)
        for body, field in (({"type": "text", "text": "x"}, "to"), ({"to": "+1415555", "type": "text"}, "text"),
                            ({"to": "call me", "type": "text", "text": "x"}, "to"),
                            ({"to": "+14155559876", "type": "smoke", "text": "x"}, "type")):
            self.assertIn(field, self.error(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", body,
                                                             key=self.daemon.test), 400)["field"])


class Surfaces(RestCase):
    def test_v1_speaks_camel_case_with_data_and_meta(self):
        listed = self.daemon.ok(self.daemon.get("/v1/bots?pageSize=1"))
        self.assertEqual(set(listed), {"data", "meta"})
        self.assertEqual((listed["meta"]["page"], listed["meta"]["pageSize"]), (1, 1))
        self.assertIn("createdAt", listed["data"][0])
        said = self.daemon.ok(self.daemon.post("/v1/messages", {"message": "hi"}, key=False, headers={"X-API-Key": self.daemon.test}))
        self.assertTrue({"conversationId", "message", "source"} <= set(said["data"]))

    def test_openapi_lists_the_routes(self):
        document = self.daemon.ok(self.daemon.get("/openapi.json", key=False))
        self.assertTrue(document["openapi"].startswith("3.1"))
        operations = [(m, p) for p, item in document["paths"].items() for m in item if m in ("get", "post", "put", "patch", "delete")
                      and p.startswith("/api/v1")]
        self.assertGreaterEqual(len(operations), 47)

    def test_operations_pages(self):
        self.assertEqual(self.daemon.get("/healthz", key=False).status, 200)
        self.assertEqual(self.daemon.get("/readyz", key=False).status, 200)
        metrics = self.daemon.get("/metrics", key=False).body.decode()
        self.assertIn("chasqui_", metrics)
