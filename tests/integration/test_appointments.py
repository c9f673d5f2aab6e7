"""Appointments: free slots, one winner for each, moved, cancelled, reminded."""
import datetime
import threading

from tests.integration.test_whatsapp import CUSTOMER
from tests.integration.test_window import WithApp
from tests.support.daemon import http, wait_for

SECTION = {"enabled": True, "time_zone": "Europe/Madrid", "slot_minutes": 30, "horizon_days": 30,
           "services": [{"id": "cut", "name": "Haircut", "minutes": 30, "resources": ["ana"]},
                        {"id": "class", "name": "Class", "minutes": 60, "resources": ["room"]}],
           "resources": [{"id": "ana", "name": "Ana"}, {"id": "room", "capacity": 3}]}


def moment(**ahead):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**ahead)).replace(microsecond=0).isoformat().replace("+00:00", "Z")


class WithSlots(WithApp):
    def setUp(self):
        super().setUp()
        self.settings(appointments=SECTION)

    def book(self, **body):
        return self.daemon.post("/api/v1/appointments/", {"agent_id": self.daemon.agent, "service": "cut", **body})

    def slots(self, query=""):
        return self.daemon.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/availability/?service=cut{query}"))["slots"]


class Appointments(WithSlots):
    def test_a_slot_is_offered_booked_moved_and_given_back(self):
        first, second = self.slots()[2:4]
        made = self.daemon.ok(self.book(starts_at=first["starts_at"], name="Lena"), 201)
        self.assertEqual((made["status"], made["resource"], made["name"], made["sequence"]), ("booked", "ana", "Lena", 0))
        self.assertEqual(self.app.wait("appointment.booked")[0]["data"]["appointment"]["id"], made["id"])
        self.assertNotIn(first["starts_at"], [s["starts_at"] for s in self.slots()])
        taken = self.book(starts_at=first["starts_at"])
        self.assertEqual((taken.status, taken.json["error"]["field"]), (409, "starts_at"), taken)

        moved = self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{made['id']}/", {"starts_at": second["starts_at"]}))
        self.assertEqual((moved["starts_at"], moved["sequence"]), (second["starts_at"], 1))
        self.assertIn(first["starts_at"], [s["starts_at"] for s in self.slots()])
        gone = self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{made['id']}/", {"status": "cancelled", "reason": "ill"}))
        self.assertEqual(gone["status"], "cancelled")
        self.assertEqual(self.app.wait("appointment.cancelled")[0]["data"]["reason"], "ill")
        self.assertIn(second["starts_at"], [s["starts_at"] for s in self.slots()])
        again = self.daemon.patch(f"/api/v1/appointments/{made['id']}/", {"starts_at": first["starts_at"]})
        self.assertEqual(again.status, 409)

    def test_parallel_requests_for_one_slot_have_one_winner(self):
        for slot in self.slots()[3:8]:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(self.book(starts_at=slot["starts_at"]).status)) for _ in range(16)]
            [t.start() for t in threads]
            [t.join() for t in threads]
            self.assertEqual(sorted(answers), [201] + [409] * 15)
        booked = self.daemon.ok(self.daemon.get(f"/api/v1/appointments/?agent_id={self.daemon.agent}&status=booked"))["results"]
        self.assertEqual(len(booked), 5)

    def test_what_cannot_be_booked_is_refused_by_name(self):
        for body, status, field in (({"starts_at": "tomorrow"}, 400, "starts_at"), ({"starts_at": moment(days=-1)}, 409, "starts_at"),
                                    ({"starts_at": moment(days=90)}, 409, "starts_at"),
                                    ({"starts_at": moment(days=1), "service": "dye"}, 400, "service"),
                                    ({"starts_at": moment(days=1), "resource": "room"}, 400, "resource"),
                                    ({"starts_at": moment(days=1), "contact_id": "con_x"}, 400, "contact_id")):
            answer = self.book(**body)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (status, field), answer)

    def test_a_reminder_is_a_text_inside_the_window_and_an_event(self):
        self.settings(appointments={"reminders": [{"before_minutes": 60, "text": "See you: {{service}}, {{name}}"}]})
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)
        conversation = self.only_conversation()
        made = self.daemon.ok(self.book(starts_at=moment(minutes=60, seconds=6), conversation_id=conversation["id"], name="Lena"), 201)
        void = self.daemon.ok(self.book(starts_at=moment(minutes=95), service="class", conversation_id=conversation["id"]), 201)
        self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{void['id']}/", {"status": "cancelled"}))
        event = self.app.wait("appointment.reminder")[0]
        self.assertEqual((event["data"]["appointment"]["id"], event["data"]["sent"]), (made["id"], True))
        self.assertEqual(self.graph.wait_sends(2)[1].body["text"]["body"], "See you: Haircut, Lena")

    def test_a_moved_appointment_does_not_remind_at_its_old_time(self):
        self.settings(appointments={"reminders": [{"before_minutes": 60}]})
        made = self.daemon.ok(self.book(starts_at=moment(minutes=60, seconds=4)), 201)
        self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{made['id']}/", {"starts_at": moment(minutes=60, seconds=7)}))
        event = self.app.wait("appointment.reminder")[0]
        self.assertEqual((event["data"]["appointment"]["sequence"], event["data"]["sent"]), (1, False))
        wait_for(self.daemon.idle, "idle")
        self.assertEqual([e["type"] for e in self.app.events].count("appointment.reminder"), 1)

    def test_a_reminder_outside_the_window_is_the_template(self):
        self.settings(appointments={"reminders": [{"before_minutes": 60, "template": {
            "name": "visit", "language": "en", "parameters": ["{{name}}", "{{service}}"]}}]})
        self.daemon.ok(self.send(type="template", template={"name": "hello", "language": {"code": "en"}}), 201)
        self.graph.wait_sends(1)
        conversation = self.only_conversation()
        self.daemon.ok(self.book(starts_at=moment(minutes=60, seconds=4), conversation_id=conversation["id"], name="Lena"), 201)
        self.assertTrue(self.app.wait("appointment.reminder")[0]["data"]["sent"])
        sent = self.graph.wait_sends(2)[1].body["template"]
        self.assertEqual((sent["name"], sent["language"]), ("visit", {"code": "en"}))
        self.assertEqual([p["text"] for p in sent["components"][0]["parameters"]], ["Lena", "Haircut"])


class Calendars(WithSlots):
    def lines(self, answer):
        text = answer.body.decode()
        self.assertTrue(all(len(line.encode()) <= 75 for line in text.split("\r\n")), text)
        self.assertNotIn("\n", text.replace("\r\n", ""))
        return text.replace("\r\n ", "").split("\r\n")

    def fetch(self, url):
        return http("GET", url)

    def test_the_feed_follows_its_appointments_and_opens_only_with_its_token(self):
        base = f"/api/v1/agents/{self.daemon.agent}"
        slot = self.slots()[5]["starts_at"]
        made = self.daemon.ok(self.book(starts_at=slot, name="Lena; Äöü, the \"long\" name " + "ñ" * 60, notes="a\nb"), 201)
        opened = self.daemon.ok(self.daemon.post(base + "/calendar/", {}), 201)
        lines = self.lines(self.fetch(opened["url"]))
        self.assertIn(f"UID:{made['id']}@chasqui", lines)
        self.assertIn("DTSTART:" + slot.replace("-", "").replace(":", ""), lines)
        self.assertIn("STATUS:CONFIRMED", lines)
        self.assertIn("DESCRIPTION:a\\nb", lines)
        self.assertIn("SUMMARY:Haircut: Lena\\; Äöü\\, the \"long\" name " + "ñ" * 60, lines)
        self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{made['id']}/", {"status": "cancelled"}))
        lines = self.lines(self.fetch(opened["url"]))
        self.assertIn("STATUS:CANCELLED", lines)
        self.assertIn("SEQUENCE:1", lines)
        self.assertEqual(self.daemon.get(base + "/calendar.ics").status, 200, "a key opens it too")

        for url in (self.daemon.url + f"/api/v1/agents/{self.daemon.agent}/calendar.ics?token=" + opened["token"],
                    self.daemon.url + f"/calendars/{self.daemon.agent}/feed.ics", opened["url"][:-3] + "AAA",
                    self.daemon.url + f"/calendars/{made['id']}/invitation.ics?token=" + opened["token"]):
            self.assertIn(self.fetch(url).status, (401, 404), url)
        renewed = self.daemon.ok(self.daemon.post(base + "/calendar/", {}), 201)
        self.assertEqual([self.fetch(opened["url"]).status, self.fetch(renewed["url"]).status], [404, 200])
        self.daemon.ok(self.daemon.delete(base + "/calendar/"), 204)
        self.assertEqual(self.fetch(renewed["url"]).status, 404)

    def test_an_invitation_opens_one_appointment_and_says_when_it_is_cancelled(self):
        first, second = (self.daemon.ok(self.book(starts_at=s["starts_at"], name="Lena", notes="private"), 201) for s in self.slots()[5:7])
        lines = self.lines(self.fetch(first["invitation_url"]))
        self.assertIn("METHOD:REQUEST", lines)
        self.assertNotIn("private", "".join(lines))
        other = first["invitation_url"].replace(first["id"], second["id"])
        self.assertEqual(self.fetch(other).status, 404)
        self.daemon.ok(self.daemon.patch(f"/api/v1/appointments/{first['id']}/", {"status": "cancelled"}))
        self.assertIn("METHOD:CANCEL", self.lines(self.fetch(first["invitation_url"])))
        self.assertNotIn("token=", self.daemon.log_text())
