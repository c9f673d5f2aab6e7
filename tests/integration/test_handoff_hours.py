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
