"""Every way in and out of the WhatsApp channel, case by case: payload -> what is stored, what the agent reads, which events, which call
of the Graph API. The cases are rows of whatsapp_cases.py."""
import time

from tests.fakes.graph import FakeGraph, escaped
from tests.integration import whatsapp_cases as table
from tests.integration.test_whatsapp import CUSTOMER, WhatsAppCase
from tests.support.app import FakeApp
from tests.support.customers import conversations, patient
from tests.support.daemon import wait_for

counts = {}


def tearDownModule():
    print("cases:", sum(counts.values()), "labelled:", ", ".join(f"{name} {count}" for name, count in counts.items()))


def units(text):
    return len(text.encode("utf-16-le")) // 2


def stamp(word):
    now = int(time.time())
    return {None: str(now), "ms": str(now * 1000), "int": now}.get(word, word)


class Cases(WhatsAppCase):
    options = {"pair_burst": "0", "number_rate": "0", "probe_every": "1h"}

    def setUp(self):
        super().setUp()
        self.app = FakeApp()
        self.addCleanup(self.app.__exit__)
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/webhooks/", {"url": self.app.url, "events": ["*"]}), 201)
        self.path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        self.graph.media["MEDIA1"] = (b"not really an image", "image/jpeg")

    def by_platform_id(self):
        return {m["platform_id"]: (m, messages) for messages in conversations(self.daemon) for m in messages if m.get("platform_id")}

    def posted(self, payload):
        self.assertEqual(self.graph.post(payload).status, 200)

    def events_of(self, message_id):
        return [e for e in self.app.events if e["data"].get("message", {}).get("id") == message_id]

    def send(self, **body):
        while True:
            answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", body)
            if answer.status != 429:
                return answer
            time.sleep(float(answer.headers["retry-after"]))

    # -- in --
    def test_messages(self):
        rows = table.MESSAGES
        counts["messages"] = len(rows)
        answered = set()
        for number, (_, fields, want) in enumerate(rows):
            sender = f"1650700{number:04d}"
            item = {"from": sender, "id": f"wamid.CASE.{number}", **fields, "timestamp": stamp(fields.get("timestamp"))}
            self.posted(self.graph.envelope({"contacts": [{"profile": {"name": "Zo\u00eb"}, "wa_id": sender}], "messages": [item]}))
            if want["turn"]:
                answered.add("+" + sender)
        missing = lambda: sorted(answered - {call.to for call in self.graph.sends})
        try:
            wait_for(lambda: not missing(), "an answer for each row that wants one", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {[rows[int(to[-4:])][0] for to in missing()]}") from None
        wait_for(self.daemon.idle, "idle", 60)
        stored = self.by_platform_id()
        wait_for(lambda: len([e for e in self.app.events if e["type"] == "message.received"]) >= len(rows), "the events", 60)
        received = {e["data"]["message"]["platform_id"]: e for e in self.app.events if e["type"] == "message.received"}
        for number, (label, _, want) in enumerate(rows):
            with self.subTest(label):
                message, _ = stored[f"wamid.CASE.{number}"]
                self.assertEqual((message["type"], message["text"], message["status"], message["direction"]), (want["type"], want["text"], "received", "in"))
                self.assertEqual(message.get("reply_to"), want.get("reply_to"))
                for key, value in want.get("content", {}).items():
                    self.assertEqual(message["content"][key], value)
                event = received[f"wamid.CASE.{number}"]
                self.assertEqual((event["data"]["message"]["text"], event["data"]["contact"]["name"]), (want["text"], "Zo\u00eb"))
                self.assertEqual(f"+1650700{number:04d}" in {call.to for call in self.graph.sends}, want["turn"], "the answer")
                conversation = patient(self.daemon, f"/api/v1/conversations/{message['conversation_id']}/")
                self.assertEqual(conversation["window_expires_at"] is not None, want.get("window", True), "the window")

    def test_senders(self):
        counts["senders"] = len(table.SENDERS)
        for number, (_, sender, contacts, _) in enumerate(table.SENDERS):
            value = {"messages": [{**sender, "id": f"wamid.SENDER.{number}", "timestamp": stamp(None), "type": "text", "text": {"body": "When does the shop open?"}}]}
            self.posted(self.graph.envelope({**value, **({"contacts": contacts} if contacts else {})}))
        calls = {call.to: call for call in self.graph.wait_sends(len(table.SENDERS), 60)}
        wait_for(self.daemon.idle, "idle", 60)
        stored = self.by_platform_id()
        for number, (label, _, _, identities) in enumerate(table.SENDERS):
            with self.subTest(label):
                message, _ = stored[f"wamid.SENDER.{number}"]
                contact = patient(self.daemon, f"/api/v1/contacts/{message['contact_id']}/")
                known = [(i["type"], i["value"]) for i in contact["identities"]]
                for pair in identities.items():
                    self.assertIn(pair, known)
                call = calls[identities.get("phone") or identities["bsuid"]]
                self.assertEqual((call.body.get("to"), call.body.get("recipient")), (identities.get("phone"), None if "phone" in identities else identities["bsuid"]))

    def test_statuses(self):
        counts["statuses"] = len(table.STATUSES)
        for number, (label, walk, last, events) in enumerate(table.STATUSES):
            with self.subTest(label):
                message_id = self.daemon.ok(self.send(to=f"+1650704{number:04d}", type="template", template={"name": "t", "language": {"code": "en"}}), 201)["message_id"]
                call = wait_for(lambda: [c for c in self.graph.sends if c.opaque == message_id], "the call")[0]
                wait_for(lambda: patient(self.daemon, f"/api/v1/messages/{message_id}/")["status"] == "sent", "its acceptance")
                for step in walk:
                    word, fields = step if isinstance(step, tuple) else (step, {})
                    item = {**self.graph.status_item(call, word), **fields}
                    self.posted(self.graph.envelope({"statuses": [{k: v for k, v in item.items() if v is not None}]}))
                message = wait_for(lambda: (m := patient(self.daemon, f"/api/v1/messages/{message_id}/"))["status"] == last and m, f"{last}")
                wait_for(lambda: [e["type"] for e in self.events_of(message_id)] == [f"message.{name}" for name in events], f"{events}")
                wait_for(self.daemon.idle, "idle")
                self.assertEqual(patient(self.daemon, f"/api/v1/messages/{message_id}/")["status"], last)
                if last == "failed" and isinstance(walk[0], tuple):
                    self.assertEqual(message["error"]["code"], str(walk[0][1]["errors"][0]["code"]))

    def test_what_cannot_be_understood(self):
        counts["quarantined"] = len(table.BAD)
        for number, (label, value, reason) in enumerate(table.BAD):
            with self.subTest(label):
                self.posted(self.graph.envelope(value))
                rows = wait_for(lambda: len(r := patient(self.daemon, self.path + "quarantine/?page_size=100")["results"]) > number and r, "the item")
                self.assertEqual(rows[0]["reason"], reason)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual((self.daemon.conversations(), self.graph.calls), ([], []))

    def test_notices(self):
        counts["notices"] = len(table.NOTICES)
        for number, (label, field, value) in enumerate(table.NOTICES):
            with self.subTest(label):
                self.assertEqual(self.graph.account_field(field, value).status, 200)
                rows = wait_for(lambda: len(r := patient(self.daemon, self.path + "notices/?page_size=100")["results"]) > number and r, "the notice")
                self.assertEqual(rows[0]["field"], "errors" if "errors" in value else field)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual((self.daemon.conversations(), self.graph.calls), ([], []))
        self.assertEqual(self.daemon.get(self.path).json["status"], "active")

    def test_account(self):
        counts["account"] = len(table.ACCOUNT)
        for label, field, value, want in table.ACCOUNT:
            with self.subTest(label):
                if field == "account_update" and want["paused"] is None and self.daemon.get(self.path).json["status"] == "paused" and "alert" in want:
                    self.daemon.ok(self.daemon.patch(self.path, {"status": "active"}))  # the row before paused it
                before = len([e for e in self.app.events if e["type"] == "channel.updated"])
                self.assertEqual(self.graph.account_field(field, value).status, 200)
                def shown():
                    channel = patient(self.daemon, self.path)
                    state = channel.get("platform_state", {})
                    seen = {**state, "paused": channel.get("reason", {}).get("code"), "alert": state.get("alert", {}).get("event")}
                    return all(seen.get(key) == wanted for key, wanted in want.items())
                wait_for(shown, f"{want}")
                self.app.wait("channel.updated", before + 1)
        self.daemon.ok(self.daemon.patch(self.path, {"status": "active"}))

    def test_a_customers_call_opens_the_window(self):
        counts["calls"] = 1
        answer = self.send(to=CUSTOMER, type="text", text="You called?")
        self.assertEqual(answer.json["error"]["code"], "WINDOW_CLOSED")
        call = {"id": "wacid.1", "from": CUSTOMER[1:], "to": "15550783881", "event": "connect", "direction": "USER_INITIATED", "timestamp": stamp(None)}
        for _ in range(2):
            self.posted(self.graph.envelope({"calls": [call], "contacts": [{"profile": {"name": "Zo\u00eb"}, "wa_id": CUSTOMER[1:]}]}, "calls"))
        wait_for(lambda: self.daemon.conversations() and [m["type"] for m in self.messages()] == ["call"], "the call")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual([m["type"] for m in self.messages()], ["call"], "once")
        self.daemon.ok(self.send(to=CUSTOMER, type="text", text="You called?"), 201)
        self.assertEqual([c.text for c in self.graph.wait_sends(1)], ["You called?"])

    # -- out --
    def opened(self):
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)

    def test_sends(self):
        counts["sends"] = len(table.SENDS)
        self.opened()
        for label, kind, content, field in table.SENDS:
            with self.subTest(label):
                before = len(self.graph.calls)
                answer = self.send(to=CUSTOMER, type=kind, content=content)
                if field is not None:
                    self.assertIn(answer.status, (400, 422), answer)
                    self.assertEqual("/" + answer.json["error"].get("field", ""), field, answer)
                    self.assertEqual(len(self.graph.calls), before, "the platform was asked")
                    continue
                message_id = self.daemon.ok(answer, 201)["message_id"]
                call = wait_for(lambda: [c for c in self.graph.calls if c.opaque == message_id], "the call")[0]
                self.assertEqual((call.body["type"], call.body["to"], call.body["recipient_type"], call.body["messaging_product"]), (kind, CUSTOMER, "individual", "whatsapp"))
                self.assertEqual(call.body[kind], content.get("contacts", content))
                wait_for(lambda: patient(self.daemon, f"/api/v1/messages/{message_id}/")["status"] == "sent", "sent")

    def test_texts(self):
        counts["texts"] = len(table.TEXTS)
        self.opened()
        for label, text, lengths in table.TEXTS:
            with self.subTest(label):
                before = len(self.graph.sends)
                self.daemon.ok(self.send(to=CUSTOMER, type="text", text=text), 201)
                calls = self.graph.wait_sends(before + len(lengths))[before:]
                self.assertEqual([units(call.text) for call in calls], lengths)
                self.assertEqual("".join(call.text for call in calls).replace(" ", ""), text.replace(" ", "").replace("\n", ""))

    def test_quotes(self):
        counts["quotes"] = 5
        self.graph.says(CUSTOMER, "When does the shop open?", wamid="wamid.ASKED")
        self.graph.wait_sends(1)
        asked = next(m for m in self.messages() if m["direction"] == "in")
        for named in ("wamid.ASKED", asked["id"]):
            before = len(self.graph.sends)
            self.daemon.ok(self.send(to=CUSTOMER, type="text", text="this one", reply_to=named), 201)
            self.assertEqual(self.graph.wait_sends(before + 1)[before].body["context"], {"message_id": "wamid.ASKED"})
        conversation = self.only_conversation()["id"]
        before = len(self.graph.sends)
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/messages/", {"text": "a person says", "author": {"name": "Ana"}, "reply_to": asked["id"]}))
        self.assertEqual(self.graph.wait_sends(before + 1)[before].body["context"], {"message_id": "wamid.ASKED"})
        self.graph.says("+16505559999", "When does the shop open?", wamid="wamid.OTHERS")
        other = wait_for(lambda: [m for messages in conversations(self.daemon) for m in messages if m.get("platform_id") == "wamid.OTHERS"], "the other")[0]
        for named in (other["id"], "msg_01JAAAAAAAAAAAAAAAAAAAAAAA"):
            self.assertEqual(self.send(to=CUSTOMER, type="text", text="x", reply_to=named).json["error"]["field"], "reply_to")


class Numbers(WhatsAppCase):
    def test_one_post_for_several_numbers_of_two_business_accounts(self):
        second = self.daemon.whatsapp(self.graph.url, phone_number_id="206540352242922", business_account_id="202290129340398", display_phone_number="+15550783882")
        graphs = {self.graph.phone_number_id: self.graph}
        other = FakeGraph(phone_number_id="206540352242922", business_account_id="202290129340398")
        self.addCleanup(other.__exit__)
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/channels/{second['id']}/", {"graph_url": other.url}))
        graphs[other.phone_number_id] = other
        payload = {"object": "whatsapp_business_account", "entry": []}
        for graph, customer in ((self.graph, CUSTOMER), (other, CUSTOMER), (self.graph, "+16505559999"), (other, "+16505558888")):
            payload["entry"] += graph.text_payload(customer, "When does the shop open?")["entry"]
        payload["entry"].append({"id": other.business_account_id, "time": 1, "changes": [
            {"field": "account_update", "value": {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SPAM"}}}]})
        self.assertEqual(self.graph.post(payload).status, 200)
        self.assertEqual({c.to for c in self.graph.wait_sends(2)}, {CUSTOMER, "+16505559999"})
        self.assertEqual({c.to for c in other.wait_sends(2)}, {CUSTOMER, "+16505558888"})
        show = lambda channel: self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/channels/{channel['id']}/").json
        wait_for(lambda: show(second).get("platform_state", {}).get("alert"), "the second account's alert")
        self.assertNotIn("platform_state", show(self.channel), "the first account's channel is not concerned")
        rows = self.daemon.conversations()
        self.assertEqual(sorted(r["channel_id"] for r in rows), sorted([self.channel["id"], second["id"]] * 2))


class Signatures(WhatsAppCase):
    def test_right_wrong_missing_old_and_rotated_secrets(self):
        raw = lambda text: escaped(self.graph.text_payload(CUSTOMER, text))
        path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        def signed(text, secret):
            data = raw(text)
            return self.graph.post_raw(data, self.graph.sign(data, secret)).status
        self.assertEqual(signed("right", "app-secret"), 200)
        self.assertEqual(signed("wrong", "another-secret"), 401)
        data = raw("missing")
        self.assertEqual(self.graph.post_raw(data, "").status, 401)
        for odd in ("sha256=", "sha256=zz", "sha1=" + "0" * 40, self.graph.sign(data).upper(), self.graph.sign(data)[:-1], self.graph.sign(data + b" ")):
            self.assertEqual(self.graph.post_raw(data, odd).status, 401, odd)
        self.daemon.ok(self.daemon.patch(path, {"app_secret": "rotated-secret"}))
        self.assertEqual(signed("old secret during the overlap", "app-secret"), 200)
        self.assertEqual(signed("rotated", "rotated-secret"), 200)
        self.daemon.ok(self.daemon.patch(path, {"app_secret_previous": None}))
        self.assertEqual(signed("old secret afterwards", "app-secret"), 401)
        self.daemon.ok(self.daemon.patch(path, {"app_secret": "third-secret"}))
        self.daemon.ok(self.daemon.patch(path, {"app_secret": "fourth-secret"}))
        self.assertEqual((signed("fourth", "fourth-secret"), signed("third", "third-secret"), signed("second", "rotated-secret")), (200, 200, 401))
        wait_for(lambda: self.daemon.conversations() and len([m for m in self.messages() if m["direction"] == "in"]) == 5, "what was signed well")
        texts = {m["text"] for m in self.messages() if m["direction"] == "in"}
        self.assertEqual(texts, {"right", "old secret during the overlap", "rotated", "fourth", "third"}, "nothing else is stored")
        self.assertEqual(len(self.daemon.get("/api/v1/hooks/").json["results"]), 5)
