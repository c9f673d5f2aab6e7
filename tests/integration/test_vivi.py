"""A channel that programs call: its own key, its own document and test window, streams, batches and files."""
import http.client
import json
import unittest
import urllib.parse
import uuid

from tests.fakes.model import FakeModel
from tests.integration.test_uploads import FORM, form
from tests.support.daemon import Daemon, wait_for


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.push("Opening hours", "The shop opens at 9 in the morning from Monday to Friday.")

    def setUp(self):
        made = self.make()
        self.channel, self.key = made["channel_id"], made["api_key"]

    def make(self, **fields):
        path = f"/api/v1/agents/{self.daemon.agent}/channels/"
        return self.daemon.ok(self.daemon.post(path, {"type": "api", **fields}), 201)

    def at(self, channel=None):
        return f"/api/v1/agents/{self.daemon.agent}/channels/{channel or self.channel}"

    def call(self, endpoint, body, key=None, channel=None, headers=None):
        key = self.key if key is None else key
        headers = {**({"vivi-api-key": key} if key else {}), **(headers or {})}
        return self.daemon.call("POST", f"/channelsApi/{channel or self.channel}/{endpoint}", body, key=False, headers=headers)

    def say(self, message="When does the shop open?", thread="t1", **fields):
        return self.daemon.ok(self.call("invoke", {"message": message, "threadId": thread, **fields}), 200)

    def events(self, body, key=None):
        answer = self.call("stream", body, key)
        self.assertEqual(answer.status, 200, answer)
        lines = [line for line in answer.body.decode().split("\n") if line]
        self.assertTrue(all(line.startswith("data: ") for line in lines), lines)
        return [json.loads(line[6:]) for line in lines]

    def messages(self, conversation):
        return self.daemon.messages(conversation)


class Channel(Case):
    def test_a_channel_comes_with_an_id_and_a_key_shown_once(self):
        made = self.make(name="Till")
        self.assertEqual(made["id"], made["channel_id"])
        self.assertRegex(made["api_key"], r"^ck_live_\w{28}$")
        for name in ("docs_url", "openapi_url"):
            self.assertEqual(self.daemon.get(urllib.parse.urlsplit(made[name]).path, key=False).status, 200)
        self.assertNotIn(made["api_key"].encode(), self.daemon.get(self.at(made["id"]) + "/").body)
        self.assertEqual(self.daemon.ok(self.daemon.post(self.at(made["id"]) + "/test/"))["ok"], True)

    def test_the_key_opens_its_channel_and_nothing_else(self):
        other = self.make()
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, key=False).status, 401)
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, key="ck_live_nonsense").status, 401)
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, channel=other["id"]).status, 404)
        for path in ("/api/v1/me/", "/api/v1/conversations/", "/v1/bots"):
            self.assertEqual(self.daemon.get(path, key=self.key).status, 403, path)
        answer = self.daemon.post(f"/channelsApi/{self.channel}/invoke", {"message": "hi", "threadId": "t"}, key=self.daemon.live)
        self.assertEqual(answer.status, 200, "a key of the account opens its channels too")

    def test_rotation_ends_the_old_key_at_once_or_after_the_overlap(self):
        first = self.key
        second = self.daemon.ok(self.daemon.post(self.at() + "/rotate-key/", {"overlap_s": 2}), 201)["api_key"]
        for key in (first, second):
            self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, key).status, 200)
        wait_for(lambda: self.call("invoke", {"message": "hi", "threadId": "t"}, first).status == 401, "the overlap to end")
        third = self.daemon.ok(self.daemon.post(self.at() + "/rotate-key/"), 201)["api_key"]
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, second).status, 401)
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}, third).status, 200)

    def test_an_unassigned_channel_says_so_until_it_is_assigned(self):
        self.assertIsNone(self.daemon.ok(self.daemon.patch(self.at() + "/", {"agent_id": None}))["agent_id"])
        answer = self.call("invoke", {"message": "hi", "threadId": "t"})
        self.assertEqual((answer.status, answer.json["error"]["code"]), (409, "CHANNEL_UNASSIGNED"))
        self.daemon.ok(self.daemon.patch(self.at() + "/", {"agent_id": self.daemon.agent}))
        self.assertIn("9 in the morning", self.say()["message"])

    def test_the_key_ends_with_the_channel(self):
        self.daemon.ok(self.daemon.delete(self.at() + "/"), 204)
        self.assertEqual(self.call("invoke", {"message": "hi", "threadId": "t"}).status, 401)
        self.assertEqual(self.daemon.get(f"/channelsApi/{self.channel}/openapi.json", key=False).status, 404)

    def test_its_own_document_names_the_endpoints(self):
        document = self.daemon.get(f"/channelsApi/{self.channel}/openapi.json", key=False).json
        self.assertTrue(document["openapi"].startswith("3.1"))
        for endpoint in ("stream", "invoke", "batch", "files"):
            self.assertIn("post", document["paths"][f"/channelsApi/{self.channel}/{endpoint}"])
        self.assertEqual(document["components"]["securitySchemes"]["channelKey"]["name"], "vivi-api-key")
        self.assertNotIn("{channel}", json.dumps(document))
        body = document["paths"][f"/channelsApi/{self.channel}/stream"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        schema = document["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
        self.assertEqual(set(schema["required"]), {"message", "threadId"})

    def test_the_test_window_asks_nobody_else(self):
        page = self.daemon.get(f"/channelsApi/{self.channel}/docs", key=False)
        self.assertEqual(page.status, 200)
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        for name in ("window.js", "window.css"):
            self.assertIn(f"/docs/{name}".encode(), page.body)
            self.assertEqual(self.daemon.get(f"/docs/{name}", key=False).status, 200)
        self.assertNotIn(b"https://", page.body)


class Talk(Case):
    def test_required_fields_are_named(self):
        for body, field in (({"threadId": "t"}, "message"), ({"message": "hi"}, "threadId")):
            answer = self.call("invoke", body)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, field))

    def test_the_thread_names_the_conversation_whatever_text_it_is(self):
        uuid_thread = str(uuid.uuid4())
        first, again, other = self.say(thread=uuid_thread), self.say(thread=uuid_thread), self.say(thread="Mrs O'Hara – día 1")
        self.assertEqual(first["conversationId"], again["conversationId"])
        self.assertNotEqual(first["conversationId"], other["conversationId"])
        self.assertEqual(other["threadId"], "Mrs O'Hara – día 1")

    def test_the_user_is_optional_and_linked_to_the_contact(self):
        user = str(uuid.uuid4())
        self.say(thread="absent")
        self.say(thread="null", userId=None)
        answer = self.say(thread="set", userId=user)
        talk = self.daemon.ok(self.daemon.get(f"/api/v1/conversations/{answer['conversationId']}/"))
        contact = self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{talk['contact_id']}/"))
        self.assertIn({"type": "external", "value": user}, contact["identities"])

    def test_attached_files_may_be_null_a_url_or_a_list(self):
        for number, files in enumerate((None, "https://files.example/a.pdf", ["https://files.example/a.pdf", "b"])):
            self.assertIn("9 in the morning", self.say(thread=f"f{number}", attachedFiles=files)["message"])

    def test_the_stream_starts_writes_and_ends(self):
        events = self.events({"message": "When does the shop open?", "threadId": "s1"})
        self.assertEqual((events[0]["event"], events[0]["message"]), ("on_chat_model_start", ""))
        self.assertEqual((events[-1]["event"], events[-1]["message"]), ("on_chat_model_end", ""))
        middle = events[1:-1]
        self.assertEqual({event["event"] for event in middle}, {"on_chat_model_stream"})
        stored = self.messages(events[-1]["conversationId"])[-1]["text"]
        self.assertEqual("".join(event["message"] for event in middle), stored)

    def test_a_batch_answers_in_the_order_given(self):
        questions = [{"message": "When does the shop open?", "threadId": f"b{number % 3}"} for number in range(12)]
        answer = self.daemon.ok(self.call("batch", {"messages": questions}), 200)
        self.assertEqual([row["threadId"] for row in answer["results"]], [q["threadId"] for q in questions])
        self.assertEqual({row["status"] for row in answer["results"]}, {"ok"})
        self.assertTrue(all("9 in the morning" in row["message"] for row in answer["results"]))
        conversation = answer["results"][0]["conversationId"]
        self.assertEqual([m["direction"] for m in self.messages(conversation)], ["in", "out"] * 4, "one after the other")

    def test_a_batch_is_checked_whole_before_anything_is_said(self):
        answer = self.call("batch", {"messages": [{"message": "hi", "threadId": "x1"}, {"threadId": "x2"}]})
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "messages/1/message"))
        self.assertEqual(self.call("batch", {"messages": []}).status, 400)

    def test_a_batch_under_a_key_is_answered_once(self):
        body = {"messages": [{"message": "When does the shop open?", "threadId": "idem"}]}
        first = self.call("batch", body, headers={"Idempotency-Key": "batch-1"})
        again = self.call("batch", body, headers={"Idempotency-Key": "batch-1"})
        self.assertEqual(first.json, again.json)
        self.assertEqual(len(self.messages(first.json["results"][0]["conversationId"])), 2)

    def test_a_batch_on_the_agent_itself(self):
        body = {"messages": [{"message": "When does the shop open?", "thread_id": "c1"}, {"message": "When does the shop open?"}]}
        rows = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/batch/", body), 200)["results"]
        self.assertEqual([row["status"] for row in rows], ["ok", "ok"])
        self.assertNotEqual(rows[0]["conversation_id"], rows[1]["conversation_id"])


class WithModel(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = FakeModel("It opens at nine.")
        cls.addClassCleanup(cls.model.close)
        path = f"/api/v1/agents/{cls.daemon.agent}/"
        cls.daemon.ok(cls.daemon.patch(path, {"model": {**cls.model.settings, "vision": True}}))

    def test_lines_arrive_while_the_model_writes(self):
        hold = self.model.hold()
        target = urllib.parse.urlsplit(self.daemon.url)
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("POST", f"/channelsApi/{self.channel}/stream", json.dumps({"message": "When does it open?", "threadId": "slow"}),
                           {"vivi-api-key": self.key, "Content-Type": "application/json"})
        answer = connection.getresponse()
        self.assertEqual(answer.getheader("Content-Type"), "text/event-stream")
        self.assertIn(b"on_chat_model_start", answer.readline(), "the first line comes while the model is held")
        hold.release()
        self.assertIn(b"on_chat_model_end", answer.read().split(b"data: ")[-1])

    def test_a_file_that_was_uploaded_reaches_the_model(self):
        upload = self.call("files", form(("file", "menu.txt", "text/plain", b"Monday: lentil soup, seven euros.")), headers=FORM)
        url = self.daemon.ok(upload, 201)["url"]
        self.say("What is on the menu?", thread="menu", attachedFiles=[url])
        asked = json.dumps(self.model.requests[-1].body)
        self.assertIn("lentil soup", asked)
        self.say("And the picture?", thread="picture", attachedFiles=self.picture())
        self.assertEqual(len(self.model.requests[-1].pictures), 1)

    def picture(self):
        dot = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")
        return self.daemon.ok(self.call("files", form(("file", "dot.png", "image/png", dot)), headers=FORM), 201)["url"]

    def test_several_files_of_both_kinds(self):
        upload = self.call("files", form(("file", "a.txt", "text/plain", b"First paper: apples."), ("file", "b.txt", "text/plain", b"Second paper: pears.")),
                           headers=FORM)
        urls = [row["url"] for row in self.daemon.ok(upload, 201)["files"]]
        self.say("What do the papers say?", thread="papers", attachedFiles=urls + [self.picture()])
        asked = json.dumps(self.model.requests[-1].body)
        self.assertIn("apples", asked)
        self.assertIn("pears", asked)
        self.assertEqual(len(self.model.requests[-1].pictures), 1)


if __name__ == "__main__":
    unittest.main()
