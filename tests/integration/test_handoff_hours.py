"""Handing over by the clock: words out of hours, somebody else when nobody joins, back to the AI after silence."""
from tests.integration.test_whatsapp import CUSTOMER
from tests.integration.test_window import WithApp
from tests.support.daemon import wait_for

CLOSED = {"time_zone": "Europe/Madrid", "weekly": {}, "exceptions": [{"date": "2099-01-05", "hours": [["09:00", "12:00"]]}]}
AWAY = "We are closed. {{hours}}"


class HandoffHours(WithApp):
    def triggered(self, reason):
        return [e for e in self.app.events if e["type"] == "handoff.triggered" and e["data"]["reason"] == reason]

    def asks_for_a_person(self):
        self.graph.says(CUSTOMER, "I want to talk to a human")
        wait_for(lambda: self.daemon.conversations() and self.only_conversation()["status"] == "handoff", "the handoff")
        return self.only_conversation()

    def test_out_of_hours_the_away_text_is_said_instead_of_the_announcement(self):
        self.settings(hours=CLOSED, handoff={"away_text": AWAY, "assign_to": "night desk"})
        conversation = self.asks_for_a_person()
        said = self.graph.wait_sends(1)[0].body["text"]["body"]
        self.assertTrue(said.startswith("We are closed. Mon closed; "), said)
        self.assertEqual(conversation["assigned_to"], {"name": "night desk"})
        self.assertEqual(self.app.wait("handoff.triggered")[0]["data"]["conversation"]["assigned_to"], {"name": "night desk"})

    def test_the_next_opening_is_told_in_the_shops_own_time(self):
        import datetime
        week = {day: [["00:00", "00:01"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        self.settings(hours={"time_zone": "Asia/Kolkata", "weekly": week}, handoff={"away_text": "Back {{next_open}}"})
        self.asks_for_a_person()
        local = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=5, minutes=30)
        wanted = (local + datetime.timedelta(days=1)).strftime("%a %Y-%m-%d 00:00")
        self.assertEqual(self.graph.wait_sends(1)[0].body["text"]["body"], f"Back {wanted}")

    def test_open_hours_say_the_announcement(self):
        self.settings(hours={"time_zone": "UTC"}, handoff={"away_text": AWAY, "announce": "One moment."})
        self.asks_for_a_person()
        self.assertEqual(self.graph.wait_sends(1)[0].body["text"]["body"], "One moment.")

    def test_nobody_joins_and_a_second_desk_is_called_once(self):
        self.settings(handoff={"escalate_after": 1, "escalate_to": "second desk", "away_text": "Sorry, it takes a little longer."})
        self.asks_for_a_person()
        wait_for(lambda: self.triggered("nobody_joined"), "the escalation")
        self.assertEqual(self.only_conversation()["assigned_to"], {"name": "second desk"})
        self.assertEqual(self.graph.wait_sends(2)[1].body["text"]["body"], "Sorry, it takes a little longer.")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(len(self.triggered("nobody_joined")), 1)

    def test_somebody_who_joins_stops_the_escalation(self):
        self.settings(handoff={"escalate_after": 2, "escalate_to": "second desk"})
        conversation = self.asks_for_a_person()
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation['id']}/join/", {"name": "Ana"}))
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.triggered("nobody_joined"), [])
        self.assertEqual(self.only_conversation()["assigned_to"], {"name": "Ana"})

    def test_a_reply_that_the_platform_refused_is_looked_after_like_any_handoff(self):
        self.settings(handoff={"assign_to": "desk", "escalate_after": 1, "escalate_to": "second desk"})
        self.graph.fail_next(131047)
        self.graph.says(CUSTOMER, "When does the shop open?")
        wait_for(lambda: self.triggered("nobody_joined"), "the escalation")
        self.assertEqual(self.only_conversation()["assigned_to"], {"name": "second desk"})
        self.assertEqual([e["data"]["reason"] for e in self.app.events if e["type"] == "handoff.triggered"], ["window_closed", "nobody_joined"])

    def test_after_a_word_from_the_phone_and_silence_the_ai_goes_on(self):
        self.settings(handoff={"return_after": 2, "escalate_after": 1, "escalate_to": "second desk"})
        self.graph.echo(CUSTOMER, "Hello, this is the owner.")
        resolved = self.app.wait("handoff.resolved")[0]
        self.assertEqual(resolved["data"]["return_to"], "ai")
        self.assertEqual((self.only_conversation()["mode"], self.triggered("nobody_joined")), ("ai", []))

    def test_after_silence_the_ai_goes_on_where_the_shop_wants_it(self):
        self.settings(handoff={"return_after": 2})
        conversation = self.asks_for_a_person()
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation['id']}/join/", {"name": "Ana"}))
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation['id']}/messages/", {"text": "I looked into it."}), 201)
        resolved = self.app.wait("handoff.resolved")[0]
        self.assertEqual(resolved["data"]["return_to"], "ai")
        self.assertEqual((self.only_conversation()["mode"], self.only_conversation()["status"]), ("ai", "open"))
        sends = len(self.graph.sends)
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(sends + 1)


class OwnRules(WithApp):
    """settings.handoff.rules: each condition in a story of its own."""

    def rules(self, *rules):
        self.settings(handoff={"rules": list(rules)}, chat={"fallback_behavior": "TRY_ANYWAY"})

    def handed(self, text, sends=None):
        """Whether the customer's words led to a person by a rule, once they were dealt with."""
        self.graph.says(CUSTOMER, text)
        wait_for(lambda: self.daemon.conversations() and self.daemon.idle(), "idle")
        return (self.only_conversation().get("handoff") or {}).get("reason") == "rule"

    def test_an_angry_customer_reaches_a_person_of_the_shops_choice(self):
        self.rules({"name": "angry", "when": {"sentiment": "negative"},
                    "then": {"assign_to": "Maria", "note": "be kind", "announce": "Maria is coming."}})
        self.assertFalse(self.handed("When does the shop open?"))
        self.assertTrue(self.handed("This is RIDICULOUS!!! Your delivery is terrible"))
        conversation = self.only_conversation()
        self.assertEqual(conversation["assigned_to"]["name"], "Maria")
        self.assertTrue(conversation["handoff"]["note"].startswith("be kind "), conversation["handoff"])
        self.assertEqual(self.graph.wait_sends(2)[1].body["text"]["body"], "Maria is coming.")

    def test_a_question_asked_three_times(self):
        self.rules({"when": {"repeated": 3}})
        self.assertFalse(self.handed("Do you sell bicycles?"))
        self.assertFalse(self.handed("do you sell bicycles"))
        self.assertTrue(self.handed("Do you sell bicycles???"))

    def test_fallbacks_in_a_row(self):
        self.rules({"when": {"low_confidence": 2}})
        self.assertFalse(self.handed("zorbly quux frobnicate"))
        self.assertFalse(self.handed("wibble wobble plugh"))
        self.assertTrue(self.handed("xyzzy grault garply"))

    def test_a_topic_by_its_document(self):
        hours = self.daemon.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/knowledge/"))["results"][0]["id"]
        self.rules({"when": {"topic": [hours]}})
        self.assertTrue(self.handed("When does the shop open?"))

    def test_conditions_must_all_hold(self):
        self.settings(hours={"weekly": {}})
        self.rules({"when": {"closed": True, "words": ["invoice"], "channel": ["whatsapp"]}})
        self.assertFalse(self.handed("When does the shop open?"))
        self.assertTrue(self.handed("I need an invoice"))

    def contact(self):
        return self.only_conversation()["contact_id"]

    def known_customer(self, **fields):
        """A customer who wrote before and whose record says something."""
        self.assertFalse(self.handed("When does the shop open?"))
        self.daemon.ok(self.daemon.patch(f"/api/v1/contacts/{self.contact()}/", fields))

    def test_a_customer_of_rank_by_metadata_goes_to_a_queue_that_a_person_takes_it_from(self):
        self.rules({"name": "vip", "when": {"contact": {"rank": "gold"}}, "then": {"queue": "gold desk", "note": "first in line"}})
        self.known_customer(metadata={"rank": "silver"})
        self.assertFalse(self.handed("When does the shop open?"))
        self.daemon.ok(self.daemon.patch(f"/api/v1/contacts/{self.contact()}/", {"metadata": {"rank": "gold"}}))
        self.assertTrue(self.handed("When does the shop open?"))
        conversation = self.only_conversation()
        self.assertEqual(conversation["assigned_to"], {"name": "gold desk", "type": "queue"})
        waiting = self.daemon.ok(self.daemon.get("/api/v1/conversations/?assigned_to=gold%20desk"))["results"]
        self.assertEqual([row["id"] for row in waiting], [conversation["id"]])
        self.assertEqual(self.app.wait("handoff.triggered")[0]["data"]["conversation"]["assigned_to"], {"name": "gold desk", "type": "queue"})
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation['id']}/join/", {"name": "Ana"}))
        self.assertEqual(self.only_conversation()["assigned_to"], {"name": "Ana"})

    def test_a_contact_with_a_tag(self):
        self.rules({"when": {"contact_tag": ["vip", "press"]}})
        self.known_customer(metadata={"tags": ["regular"]})
        self.assertFalse(self.handed("When does the shop open?"))
        self.daemon.ok(self.daemon.patch(f"/api/v1/contacts/{self.contact()}/", {"metadata": {"tags": ["regular", "press"]}}))
        self.assertTrue(self.handed("When does the shop open?"))

    def test_a_conversation_with_a_tag(self):
        self.rules({"when": {"tag": ["claim"]}})
        self.assertFalse(self.handed("When does the shop open?"))
        self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{self.only_conversation()['id']}/", {"tags": ["claim"]}))
        self.assertTrue(self.handed("When does the shop open?"))

    def test_a_kind_of_message_even_with_a_caption(self):
        self.rules({"name": "pictures", "when": {"message_type": ["image"]}, "then": {"assign_to": "Eve"}})
        self.assertFalse(self.handed("When does the shop open?"))
        self.graph.post(self.graph.text_payload(CUSTOMER, "", type="image", image={
            "id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "When does the shop open?"}))
        wait_for(lambda: self.only_conversation()["status"] == "handoff" and self.daemon.idle(), "the handoff")
        self.assertEqual(self.only_conversation()["handoff"]["reason"], "rule")
        self.assertEqual(self.only_conversation()["assigned_to"], {"name": "Eve"})

    def test_a_pattern_in_the_text(self):
        self.rules({"when": {"pattern": "order #?[0-9]{6}"}})
        self.assertFalse(self.handed("When does the shop open? I have order #12"))
        self.assertTrue(self.handed("Where is Order #123456?"))

    def test_a_picture_without_a_word_goes_to_a_person_because_it_is_one(self):
        self.graph.post(self.graph.text_payload(CUSTOMER, "", type="image", image={"id": "1", "mime_type": "image/jpeg", "sha256": "x"}))
        wait_for(lambda: self.daemon.conversations() and self.only_conversation()["status"] == "handoff", "the handoff")
        self.assertEqual(self.only_conversation()["handoff"]["reason"], "message_type")

    def test_rules_that_make_no_sense_are_refused_by_name(self):
        path = f"/api/v1/agents/{self.daemon.agent}/settings/handoff/"
        for rule, field in (({"when": {}}, "0/when"), ({"when": {"mood": 1}}, "0/when/mood"), ({"when": {"pattern": "("}}, "0/when/pattern"),
                            ({"when": {"repeated": 0}}, "0/when/repeated"), ({"when": {"tag": ["a"]}, "then": {"x": "y"}}, "0/then/x"),
                            ({"when": {"tag": ["a"]}, "then": {"assign_to": "Ana", "queue": "desk"}}, "0/then/queue"),
                            ({"when": {"contact": {}}}, "0/when/contact"), ({"when": {"contact_tag": "vip"}}, "0/when/contact_tag"),
                            ({"when": {"message_type": []}}, "0/when/message_type")):
            answer = self.daemon.patch(path, {"rules": [rule]})
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, f"settings/handoff/rules/{field}"), answer)
