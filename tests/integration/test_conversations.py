"""Conversations found, exported, and people erased: over REST, against a real daemon."""
import csv
import io
import json
import os
import threading
import unittest

from tests.support.daemon import Daemon, http, wait_for


class ConversationsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.daemon.push("Opening hours", "The shop opens at nine in the morning and closes at six.")

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def say(self, thread, text, **fields):
        """One message over the API; the answer's conversation id."""
        agent = self.daemon.agent
        answer = self.daemon.post(f"/api/v1/agents/{agent}/invoke/", {"message": text, "thread_id": thread, **fields})
        return self.daemon.ok(answer, 200)["conversation_id"]

    def search(self, q, **more):
        from urllib.parse import urlencode
        answer = self.daemon.get("/api/v1/conversations/?" + urlencode({"q": q, **more}))
        self.daemon.ok(answer, 200)
        self.assertEqual(answer.headers["x-search-complete"], "true")
        return answer.json


class Search(ConversationsCase):
    def test_conversations_are_found_by_what_was_said_in_them(self):
        first = self.say("s-1", "My parcel with the blue kettle is broken")
        second = self.say("s-2", "Where is the señor who sells kettles?")
        found = self.search("kettle")
        self.assertEqual({row["id"] for row in found["results"]}, {first, second})
        self.assertEqual(found["count"], 2)
        row = next(row for row in found["results"] if row["id"] == first)
        self.assertEqual(row["match"]["text"], "My parcel with the blue kettle is broken")
        self.assertEqual([r["id"] for r in self.search("KETTLE broken")["results"]], [first])
        self.assertEqual([r["id"] for r in self.search("senor")["results"]], [second], "accents do not matter")
        self.assertEqual([r["id"] for r in self.search("SEÑOR")["results"]], [second])
        self.assertEqual(self.search("ettle")["count"], 0, "a word is matched from its begin")
        self.assertEqual(self.search("kettle", status="closed")["count"], 0)

    def test_scripts_without_spaces_are_searched_anywhere(self):
        conversation = self.say("s-3", "営業時間を教えてください")
        self.assertEqual([r["id"] for r in self.search("時間")["results"]], [conversation])

    def test_people_and_tags_are_found(self):
        conversation = self.say("s-4", "hello", user_id="customer-4711")
        self.assertEqual([r["id"] for r in self.search("customer 4711")["results"]], [conversation])
        self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{conversation}/", {"tags": ["Reklamation"]}), 200)
        self.assertEqual([r["id"] for r in self.search("reklamation")["results"]], [conversation])

    def test_a_query_without_words_is_refused(self):
        answer = self.daemon.get("/api/v1/conversations/?q=%3F%3F")
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "q"))

    def test_lists_are_filtered_by_tag_mode_contact_and_person(self):
        conversation = self.say("s-5", "hello again")
        path = f"/api/v1/conversations/{conversation}/"
        self.daemon.ok(self.daemon.patch(path, {"tags": ["vip"], "assigned_to": "Rosa"}), 200)
        self.daemon.ok(self.daemon.post(path + "join/", {"name": "Rosa"}), 200)
        contact = self.daemon.get(path).json["contact_id"]
        for query in ("tag=vip", "mode=human", "contact_id=" + contact, "assigned_to=Rosa"):
            rows = self.daemon.get("/api/v1/conversations/?" + query).json["results"]
            self.assertIn(conversation, [row["id"] for row in rows], query)
        rows = self.daemon.get("/api/v1/conversations/?tag=nobody").json
        self.assertEqual((rows["count"], rows["results"]), (0, []))


class Export(ConversationsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.formula = '=HYPERLINK("http://evil.example","x"), "quoted"\nand a second line'
        agent = cls.daemon.agent
        for i in range(3):
            for text in ("When does the shop open?", cls.formula):
                cls.daemon.ok(cls.daemon.post(f"/api/v1/agents/{agent}/invoke/", {"message": text, "thread_id": f"x-{i}"}), 200)
        cls.rows = cls.daemon.get("/api/v1/conversations/").json["results"]
        cls.messages = {row["id"]: cls.daemon.messages(row["id"]) for row in cls.rows}

    def export(self, query="", path="/api/v1/conversations/export/"):
        answer = self.daemon.get(path + query)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("attachment", answer.headers["content-disposition"])
        return answer

    def test_all_conversations_as_json_hold_every_message(self):
        answer = self.export()
        self.assertEqual(answer.headers["content-type"], "application/json")
        told = {c["conversation"]["id"]: c["messages"] for c in answer.json["conversations"]}
        self.assertEqual({k: [m["id"] for m in v] for k, v in told.items()},
                         {k: [m["id"] for m in v] for k, v in self.messages.items()})

    def test_one_conversation_as_json(self):
        conversation = self.rows[0]["id"]
        told = self.export(path=f"/api/v1/conversations/{conversation}/export/").json
        self.assertEqual(told["conversation"]["id"], conversation)
        self.assertEqual([m["text"] for m in told["messages"]], [m["text"] for m in self.messages[conversation]])
        camel = self.export(path=f"/v1/conversations/{conversation}/export/").json
        self.assertIn("agentId", camel["conversation"])
        self.assertIn("conversationId", camel["messages"][0])

    def test_csv_is_quoted_as_rfc_4180_says_and_runs_no_formula(self):
        answer = self.export("?format=csv")
        self.assertEqual(answer.headers["content-type"], "text/csv; charset=utf-8")
        text = answer.body.decode()
        self.assertTrue(text.endswith("\r\n"))
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(len(rows), sum(len(m) for m in self.messages.values()))
        formulas = [row["text"] for row in rows if "HYPERLINK" in row["text"] and row["direction"] == "in"]
        self.assertEqual(formulas, ["'" + self.formula] * 3)

    def test_json_lines_and_filters(self):
        lines = [json.loads(line) for line in self.export("?format=jsonl").body.decode().splitlines()]
        self.assertEqual(sum("conversation" in line for line in lines), len(self.rows))
        self.assertEqual(sum("message" in line for line in lines), sum(len(m) for m in self.messages.values()))
        self.assertEqual(self.export("?format=jsonl&start_date=2001-01-01&end_date=2001-01-02").body, b"")
        answer = self.daemon.get("/api/v1/conversations/export/?format=xml")
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "format"))

    def test_an_export_stands_in_the_audit_log(self):
        self.export("?format=csv")
        self.assertIn("conversations.exported", [r["action"] for r in self.daemon.get("/api/v1/audit/").json["results"]])


class Contacts(ConversationsCase):
    def test_contacts_are_added_changed_and_found_by_an_address(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/contacts/", {
            "name": "Ana", "identities": [{"type": "phone", "value": "+34 600 111 222"}], "metadata": {"tier": "gold"}}), 201)
        self.assertEqual(made["identities"], [{"type": "phone", "value": "+34600111222"}])
        again = self.daemon.post("/api/v1/contacts/", {"identities": [{"type": "phone", "value": "34600111222"}]})
        self.assertEqual((again.status, again.json["error"]["field"]), (409, "identities/0"))
        changed = self.daemon.ok(self.daemon.patch(f"/api/v1/contacts/{made['id']}/", {
            "name": "Ana P.", "identities": [{"type": "email", "value": "ana@shop.example"}], "metadata": {"tier": None, "a": 1}}), 200)
        self.assertEqual((changed["id"], changed["name"], changed["metadata"]), (made["id"], "Ana P.", {"a": 1}))
        self.assertEqual({i["type"] for i in changed["identities"]}, {"phone", "email"})
        found = self.daemon.get("/api/v1/contacts/?identity=email:ana@shop.example").json
        self.assertEqual([row["id"] for row in found["results"]], [made["id"]])
        bad = self.daemon.post("/api/v1/contacts/", {"identities": [{"type": "phone", "value": "12"}]})
        self.assertEqual((bad.status, bad.json["error"]["field"]), (400, "identities/0"))


class Opinions(unittest.TestCase):
    """Thumbs: on a message, by a button, over the API; and what people note for each other."""

    def test_a_thumb_on_an_answer_is_feedback(self):
        with Daemon() as daemon:
            key = daemon.test
            daemon.push("Opening hours", "The shop opens at nine in the morning.", key=key)
            play = lambda **body: daemon.ok(daemon.post("/api/v1/sandbox/inbound/", {"from": "+14155550123", **body}, key=key), 201, 202)
            play(text="When does the shop open in the morning?")
            sent = wait_for(lambda: [m for m in daemon.get("/api/v1/sandbox/messages/", key=key).json["results"]
                                     if m.get("platform_id") and m["status"] == "read"], "the answer")[0]
            play(type="reaction", reaction={"message_id": sent["platform_id"], "emoji": "\U0001f44e\U0001f3fd"})
            told = wait_for(lambda: self.events(daemon, key), "the event")
            self.assertEqual([(f["rating"], f["by"], f["message_id"]) for f in told], [("down", "reaction", sent["id"])])
            play(type="reaction", reaction={"message_id": sent["platform_id"], "emoji": "\U0001f914"})
            wait_for(daemon.idle, "the queues to empty")
            self.assertEqual(len(self.events(daemon, key)), 1, "an emoji that means nothing")
            play(type="interactive", interactive={"type": "button_reply", "button_reply": {"id": "feedback_up", "title": "Yes"}})
            told = wait_for(lambda: self.events(daemon, key)[1:], "the second event")
            self.assertEqual([(f["rating"], f["by"]) for f in told], [("up", "button")])
            wait_for(daemon.idle, "the queues to empty")
            conversation = daemon.conversations(key=key)[0]
            self.assertEqual(conversation["feedback"]["rating"], "up")
            answers = [m for m in daemon.messages(conversation["id"], key=key) if m["direction"] == "out"]
            self.assertEqual(len(answers), 1, "a thumb asks nothing of the agent")

    @staticmethod
    def events(daemon, key):
        rows = daemon.get("/api/v1/events/?page_size=100", key=key).json["results"]
        return [row["data"]["feedback"] for row in rows if row["type"] == "feedback.received"]

    def test_notes_stay_among_people(self):
        with Daemon() as daemon:
            daemon.post("/api/v1/sandbox/inbound/", {"from": "+14155550123", "text": "hello"}, key=daemon.test)
            conversation = wait_for(lambda: daemon.conversations(key=daemon.test), "a conversation")[0]["id"]
            path = f"/api/v1/conversations/{conversation}/notes/"
            noted = daemon.ok(daemon.post(path, {"text": "Wants a refund", "author": "Rosa"}, key=daemon.test), 201)
            self.assertEqual([(n["text"], n["author"]) for n in noted["notes"]], [("Wants a refund", "Rosa")])
            wait_for(daemon.idle, "the queues to empty")
            self.assertNotIn("refund", json.dumps(daemon.messages(conversation, key=daemon.test)))


class Traces(ConversationsCase):
    def test_an_answer_can_be_asked_why(self):
        agent = self.daemon.agent
        answer = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{agent}/invoke/", {"message": "When does the shop open in the morning?"}), 200)
        trace = self.daemon.ok(self.daemon.get(f"/api/v1/messages/{answer['message_id']}/trace/"), 200)
        self.assertEqual((trace["outcome"], trace["source"], trace["conversation_id"]),
                         ("reply", "knowledge", answer["conversation_id"]))
        self.assertGreater(trace["passages"][0]["score"], 0)
        self.assertIn("search", [step["name"] for step in trace["steps"]])
        self.assertNotIn("nine in the morning", json.dumps(trace), "a trace holds no message text")
        same = self.daemon.ok(self.daemon.get(f"/v1/turns/{trace['id']}"), 200)
        self.assertEqual(same["conversationId"], answer["conversation_id"])
        asked = [m for m in self.daemon.messages(answer["conversation_id"]) if m["direction"] == "in"][0]
        self.assertEqual(self.daemon.get(f"/api/v1/messages/{asked['id']}/trace/").json["id"], trace["id"])


class Retention(unittest.TestCase):
    def test_an_account_says_how_long_its_data_is_kept(self):
        with Daemon() as daemon:
            shown = daemon.ok(daemon.get("/api/v1/retention/"), 200)
            self.assertEqual(set(shown.values()), {None})
            changed = daemon.ok(daemon.patch("/api/v1/retention/", {"messages_days": 90, "hooks_days": 3}), 200)
            self.assertEqual((changed["messages_days"], changed["hooks_days"], changed["events_days"]), (90, 3, None))
            changed = daemon.ok(daemon.patch("/v1/retention", {"messagesDays": None}), 200)
            self.assertEqual((changed["messagesDays"], changed["hooksDays"]), (None, 3))
            bad = daemon.patch("/api/v1/retention/", {"messages_days": -1})
            self.assertEqual((bad.status, bad.json["error"]["field"]), (400, "messages_days"))


class Erasure(unittest.TestCase):
    CANARY, PHONE = "xyzzy-canary-text", "34611222333"

    def test_an_erased_person_is_nowhere_and_not_even_in_the_file_after_compaction(self):
        with Daemon() as daemon:
            key = daemon.test
            for text in (f"my secret is {self.CANARY}", "I want to talk to a person"):
                daemon.ok(daemon.post("/api/v1/sandbox/inbound/", {"from": "+" + self.PHONE, "text": text}, key=key), 201, 202)
            daemon.ok(daemon.post("/api/v1/sandbox/inbound/", {"from": "+34699888777", "text": f"tell +{self.PHONE} hello"}, key=key), 201, 202)
            wait_for(daemon.idle, "the queues to empty")
            rows = daemon.get("/api/v1/contacts/?identity=%2B" + self.PHONE, key=key).json["results"]
            self.assertEqual(len(rows), 1)
            contact = rows[0]["id"]
            daemon.get("/api/v1/events/", key=key)
            gone = daemon.delete(f"/api/v1/contacts/{contact}/", key=key)
            erasure = wait_for(lambda: self.erased(daemon, contact, key), "the erasure")
            self.assertIn(gone.status, (200, 202))
            self.assertEqual(erasure["removed"]["conversation"], 1)
            self.assertGreaterEqual(erasure["removed"]["message"], 2)
            self.assertEqual(daemon.get(f"/api/v1/contacts/{contact}/", key=key).status, 404)
            for path in ("conversations/", "contacts/", "events/?page_size=100", "sandbox/messages/?page_size=100"):
                self.assertNotIn(self.CANARY, json.dumps(daemon.get("/api/v1/" + path, key=key).json), path)
                self.assertNotIn(contact, json.dumps(daemon.get("/api/v1/" + path, key=key).json), path)
            # Somebody else's message that names the number stays, and the person may come back as somebody new.
            texts = json.dumps([daemon.messages(c["id"], key=key) for c in daemon.conversations(key=key)])
            self.assertIn(self.PHONE, texts)
            daemon.ok(daemon.post("/api/v1/sandbox/inbound/", {"from": "+" + self.PHONE, "text": "hello"}, key=key), 201, 202)
            wait_for(daemon.idle, "the queues to empty")
            back = daemon.get("/api/v1/contacts/?identity=%2B" + self.PHONE, key=key).json["results"]
            self.assertNotEqual(back[0]["id"], contact)
            daemon.stop()
            done = daemon.cli("compact")
            self.assertEqual(done.returncode, 0, done.stderr)
            for folder, _, names in os.walk(daemon.data):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(self.CANARY.encode(), file.read(), name)

    @staticmethod
    def erased(daemon, contact, key):
        answer = daemon.get(f"/api/v1/contacts/{contact}/erasure/", key=key)
        return answer.json if answer.json.get("status") == "erased" else None

    def test_an_erasure_that_is_killed_goes_on_after_the_start(self):
        with Daemon() as daemon:
            key = daemon.test
            for text in [f"{self.CANARY} {i}" for i in range(40)]:
                daemon.ok(daemon.post("/api/v1/sandbox/inbound/", {"from": "+" + self.PHONE, "text": text}, key=key), 202)
            wait_for(daemon.idle, "the queues to empty")
            contact = daemon.get("/api/v1/contacts/?identity=%2B" + self.PHONE, key=key).json["results"][0]["id"]
            asked = threading.Thread(target=lambda: self.ask(daemon.url, contact, key))
            asked.start()
            wait_for(lambda: daemon.get(f"/api/v1/contacts/{contact}/erasure/", key=key).json["status"] != "kept", "the beginning")
            daemon.kill()
            asked.join(30)
            daemon.start()
            wait_for(lambda: self.erased(daemon, contact, key), "the erasure")
            left = json.dumps([daemon.get("/api/v1/" + path, key=key).json for path in
                               ("conversations/", "events/?page_size=100", "sandbox/messages/?page_size=100", "conversations/export/")])
            self.assertNotIn(self.CANARY, left)

    @staticmethod
    def ask(url, contact, key):
        try:
            http("DELETE", f"{url}/api/v1/contacts/{contact}/", headers={"Authorization": "Bearer " + key}, timeout=20)
        except OSError:
            pass  # the daemon was killed
