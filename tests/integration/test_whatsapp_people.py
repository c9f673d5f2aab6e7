"""Who somebody is (phone, BSUID, username, changes of both), and how hard the platform may be pushed."""
import os
import re
import time

from tests.integration.test_whatsapp import CUSTOMER, WhatsAppCase
from tests.support.daemon import ROOT, wait_for

QUESTION = "When does the shop open?"


class Identity(WhatsAppCase):
    def writes(self, text=QUESTION, wamid=None, profile=None, **sender):
        """A message whose sender fields are given one by one."""
        contact = {"profile": {"name": "Zo\u00eb", **(profile or {})}}
        for field, name in (("from", "wa_id"), ("from_user_id", "user_id"), ("from_parent_user_id", "parent_user_id")):
            if field in sender:
                contact[name] = sender[field]
        item = {"id": wamid or self.graph.new_wamid(), "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}, **sender}
        self.assertEqual(self.graph.post(self.graph.envelope({"contacts": [contact], "messages": [item]})).status, 200)

    def tells(self, **system):
        """A message of the platform about a customer: no contacts[]."""
        sender = system.pop("sender")
        item = {"id": self.graph.new_wamid(), "timestamp": str(int(time.time())), "type": "system", "system": system, **sender}
        self.assertEqual(self.graph.post(self.graph.envelope({"messages": [item]})).status, 200)
        wait_for(self.daemon.idle, "idle")

    def answered(self, count):
        return self.graph.wait_sends(count)[count - 1]

    def contacts(self):
        return self.daemon.ok(self.daemon.get("/api/v1/contacts/"))["results"]

    def identities(self):
        contacts = self.contacts()
        self.assertEqual(len(contacts), 1, contacts)
        return [(i["type"], i["value"]) for i in contacts[0]["identities"]]

    def test_a_customer_who_shows_phone_and_id_is_one_person_whichever_he_shows_later(self):
        self.writes(**{"from": "16505551234", "from_user_id": "US.1"})
        self.assertEqual(self.answered(1).body["to"], CUSTOMER)
        self.writes(from_user_id="US.1")
        call = self.answered(2)
        self.assertEqual((call.body.get("to"), call.body.get("recipient")), (CUSTOMER, None), "the phone is known")
        wait_for(self.daemon.idle, "idle")
        self.only_conversation()
        self.assertEqual(set(self.identities()), {("phone", CUSTOMER), ("bsuid", "US.1")})

    def test_two_contacts_that_turn_out_to_be_one_are_merged_with_what_they_said(self):
        self.writes("first, by phone", **{"from": "16505551234"})
        self.writes("second, by id", from_user_id="US.1")
        self.graph.wait_sends(2)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(len(self.contacts()), 2)
        ids = {row["contact_id"] for row in self.daemon.conversations()}
        self.writes("third, by both", **{"from": "16505551234", "from_user_id": "US.1"})
        wait_for(lambda: len([c for c in self.contacts() if c["identities"]]) == 1, "the merge")
        wait_for(self.daemon.idle, "idle")
        merged = {row["contact_id"] for row in self.daemon.conversations()}
        self.assertEqual(len(merged), 1, "every conversation is the one contact's")
        self.assertIn(merged.pop(), ids)
        for old in ids:
            self.assertEqual(self.daemon.get(f"/api/v1/contacts/{old}/").status, 200, "ids that others kept still lead somewhere")
        texts = {m["text"] for row in self.daemon.conversations() for m in self.daemon.messages(row["id"]) if m["direction"] == "in"}
        self.assertEqual(texts, {"first, by phone", "second, by id", "third, by both"})

    def test_a_new_phone_number_is_written_to_and_the_talk_goes_on(self):
        self.writes(**{"from": "16505551234"})
        self.answered(1)
        self.tells(type="user_changed_number", body="Zo\u00eb changed", wa_id="16505559999", sender={"from": "16505551234"})
        self.assertEqual(len(self.graph.sends), 1, "nobody answers the platform")
        self.writes(**{"from": "16505559999"})
        self.assertEqual(self.answered(2).body["to"], "+16505559999")
        self.only_conversation()
        self.assertEqual(self.identities()[0], ("phone", "+16505559999"))

    def test_a_new_user_id_is_written_to_and_the_talk_goes_on(self):
        self.writes(from_user_id="US.OLD")
        self.answered(1)
        self.tells(type="user_changed_user_id", user_id="US.NEW", previous_user_id="US.OLD", sender={})
        self.writes(from_user_id="US.NEW")
        call = self.answered(2)
        self.assertEqual((call.body.get("recipient"), call.body.get("to")), ("US.NEW", None), "never in `to`: it would be taken and lost")
        self.only_conversation()

    def test_a_changed_safety_number_is_noted_and_opens_no_window(self):
        self.tells(type="customer_identity_changed", body="changed", sender={"from": "16505551234"})
        self.assertEqual(self.graph.calls, [])
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": CUSTOMER, "type": "text", "text": "x"})
        self.assertEqual(answer.json["error"]["code"], "WINDOW_CLOSED")

    def test_a_username_goes_to_whoever_shows_it_last_and_proves_nothing(self):
        self.writes(profile={"username": "@cara"}, from_user_id="US.1")
        self.answered(1)
        self.writes(profile={"username": "@cara"}, from_user_id="US.2")
        self.answered(2)
        wait_for(self.daemon.idle, "idle")
        owners = {c["id"]: [i["value"] for i in c["identities"] if i["type"] == "username"] for c in self.contacts()}
        self.assertEqual(sorted(owners.values()), [[], ["cara"]])

    def test_the_api_writes_to_phone_or_id_and_both_reach_one_conversation(self):
        self.writes(**{"from": "16505551234", "from_user_id": "US.1"})
        self.answered(1)
        for to in (CUSTOMER, "+1 (650) 555-1234", "US.1", "bsuid:US.1", "phone:16505551234"):
            before = len(self.graph.sends)
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": to, "type": "text", "text": f"to {to}"}), 201)
            self.assertEqual(self.answered(before + 1).body["to"], CUSTOMER)
        self.only_conversation()
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                        {"to": "DE.77", "type": "template", "template": {"name": "t", "language": {"code": "en"}}}), 201)
        call = self.answered(7)
        self.assertEqual((call.body.get("recipient"), call.body.get("to")), ("DE.77", None))

    def test_the_number_that_the_platform_writes_differently_is_the_same_person(self):
        """Brazil and Mexico: the answer to a send names the number under which the replies come."""
        number = "+5511987654321"
        original = self.graph._answer
        def answer(handler, status, body, *rest):
            if status == 200 and "contacts" in body:
                body["contacts"][0]["wa_id"] = "551187654321"
            return original(handler, status, body, *rest)
        self.graph._answer = answer
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                        {"to": number, "type": "template", "template": {"name": "t", "language": {"code": "en"}}}), 201)
        self.answered(1)
        wait_for(self.daemon.idle, "idle")
        self.writes(**{"from": "551187654321"})
        self.answered(2)
        self.only_conversation()


class Usage(WhatsAppCase):
    options = {"pair_burst": "0"}

    def send(self, to):
        self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                        {"to": to, "type": "template", "template": {"name": "t", "language": {"code": "en"}}}), 201)

    def test_near_a_limit_the_channel_slows_down(self):
        self.graph.usage = {"X-App-Usage": '{"call_count":92,"total_time":25,"total_cputime":25}'}
        self.send("+16505550001")
        first = self.graph.wait_sends(1)[0]
        wait_for(self.daemon.idle, "idle")
        self.graph.usage = {}
        self.send("+16505550002")
        second = self.graph.wait_sends(2)[1]
        self.assertGreater(second.at - first.at, 1.0, "92 % of the limit: more than a second between messages")
        self.send("+16505550003")
        self.assertLess(self.graph.wait_sends(3)[2].at - second.at, 1.0, "below it at full speed again")

    def test_behind_a_limit_everything_waits_as_long_as_the_platform_says_or_a_person_decides(self):
        self.graph.usage = {"X-Business-Use-Case-Usage": '{"102290129340398":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":1}]}'}
        self.graph.fail_next(80007)
        self.send("+16505550001")
        wait_for(lambda: re.search(r"event=send.later .*code=\"?80007\"? wait_ms=60000", self.daemon.log_text()), "the platform's own estimate")
        self.graph.usage = {}
        self.send("+16505550002")
        time.sleep(0.5)  # nothing may happen in it
        self.assertEqual(len(self.graph.calls), 1, "another customer's message does not run into the same wall")
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/", {"status": "active"}))
        self.send("+16505550003")
        self.assertEqual(self.graph.wait_sends(1)[0].to, "+16505550003")

    def test_the_numbers_limit_holds_the_number_and_nothing_is_lost(self):
        self.graph.limits = {"number": 5}
        for number in range(12):
            self.send(f"+165055600{number:02d}")
        self.assertEqual({c.to for c in self.graph.wait_sends(12, 60)}, {f"+165055600{n:02d}" for n in range(12)})
        self.assertLess(len(self.graph.calls), 40, "refusals are not hammered")

    def test_the_pair_limit_holds_that_customer_only(self):
        self.graph.limits = {"pair": 2}
        for number in range(3):
            self.send("+16505570001")
        self.send("+16505570002")
        wait_for(lambda: any(c.to == "+16505570002" for c in self.graph.sends), "the other customer", 5)
        self.assertEqual([c.to for c in self.graph.wait_sends(4, 60)][-1], "+16505570001")


class Batches(WhatsAppCase):
    def test_a_post_of_a_thousand_updates_is_taken(self):
        items = [self.graph.message(f"+1650580{i:04d}", "thanks", wamid=f"wamid.B{i}") for i in range(1000)]
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"status": "paused"}))
        self.assertEqual(self.graph.post(self.graph.envelope({"contacts": [c for _, c in items], "messages": [m for m, _ in items]})).status, 200)
        wait_for(self.daemon.idle, "idle", 120)
        self.assertEqual(self.daemon.get("/api/v1/conversations/").json["count"], 1000)


class Sandbox(WhatsAppCase):
    # the last digits of the special number -> the status at the end, the error's code
    ENDS = {"01": ("failed", "131026"), "02": ("failed", "131047"), "03": ("read", None), "04": ("read", None), "05": ("sent", None),
            "06": ("delivered", None), "07": ("read", None), "08": ("failed", "132015"), "09": ("read", None), "10": ("read", None),
            "11": ("read", None), "99": ("read", None)}

    def test_each_special_number_plays_its_part(self):
        key, sent = self.daemon.test, {}
        for digits in self.ENDS:
            answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": f"+155501000{digits}", "type": "text", "text": "x"}, key=key)
            sent[digits] = self.daemon.ok(answer, 201)["message_id"]
        show = lambda digits: self.daemon.ok(self.daemon.get(f"/api/v1/messages/{sent[digits]}/", key=key))
        wait_for(lambda: all(show(digits)["status"] == status for digits, (status, _) in self.ENDS.items()), "every end", 60)
        wait_for(self.daemon.idle, "idle", 30)
        ends = {digits: ((m := show(digits))["status"], (m.get("error") or {}).get("code")) for digits in self.ENDS}
        self.assertEqual(ends, self.ENDS)

    def test_the_readme_lists_the_special_numbers_as_the_api_does(self):
        rows = self.daemon.ok(self.daemon.get("/api/v1/sandbox/numbers/", key=self.daemon.test))["results"]
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as handle:
            listed = re.findall(r"^\| `(\+\d+)` \| (.*) \|$", handle.read(), re.M)
        self.assertEqual(listed, [(row["to"], row["behaviour"]) for row in rows if row["to"].startswith("+")])

    def test_the_window_opens_and_closes_by_command(self):
        key = self.daemon.test
        send = lambda: self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": CUSTOMER, "type": "text", "text": "x"}, key=key)
        window = lambda is_open: self.daemon.ok(self.daemon.post("/api/v1/sandbox/window/", {"from": CUSTOMER, "open": is_open}, key=key), 200)
        self.assertEqual(send().status, 201, "nobody has written yet: first steps work")
        closed = window(False)
        self.assertEqual(send().json["error"]["code"], "WINDOW_CLOSED")
        opened = window(True)
        self.assertEqual(opened["conversation_id"], closed["conversation_id"])
        self.assertGreater(opened["window_expires_at"], closed["window_expires_at"])
        self.assertEqual(send().status, 201)
        self.assertEqual(self.daemon.post("/api/v1/sandbox/window/", {"from": "nobody", "open": True}, key=key).status, 400)
        self.assertEqual(self.daemon.post("/api/v1/sandbox/window/", {"from": CUSTOMER, "open": True}).status, 403, "test keys only")
