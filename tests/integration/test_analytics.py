"""Analytics and insights: a labelled script lands where it belongs; figures survive crashes, replays, roll-ups."""
import datetime
import time
import zoneinfo

from tests.integration.test_leads import LEADS
from tests.integration.test_window import WithApp
from tests.support.daemon import wait_for

OPEN, UNKNOWN = "When does the shop open?", "Do you rent submarines for weddings?"
SLOTS = {"enabled": True, "time_zone": "UTC", "slot_minutes": 30, "horizon_days": 30,
         "services": [{"id": "cut", "name": "Haircut", "minutes": 30, "resources": ["ana"]}], "resources": [{"id": "ana", "name": "Ana"}]}


def phone(number):
    return f"+1650555{number:04d}"


class AnalyticsCase(WithApp):
    options = {"analytics_rest": "3s"}

    def read(self, path, **query):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.daemon.ok(self.daemon.get(f"/api/v1/{path}/?{text}"))

    def dashboard(self, **query):
        figures = self.read("analytics/dashboard", **query)
        self.assertTrue(figures["complete"])
        return figures

    def counts(self, **query):
        """What the dashboard says, without what moves with the clock."""
        figures = self.dashboard(**query)
        return figures["totals"], figures["segments"], figures["rates"]

    def segments(self, **query):
        return {row["name"]: row["conversations"] for row in self.read("insights/segments", **query)["results"]}

    def breakdown(self, by):
        return {row["value"]: row["conversations"] for row in self.read("insights/breakdowns", by=by)["rows"]}

    def conversation_of(self, sender):
        for conversation in self.daemon.conversations():
            contact = self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{conversation['contact_id']}/"))
            if any(identity["value"] == sender for identity in contact["identities"]):
                return conversation
        return None

    def says(self, sender, text):
        """A customer writes, and all that follows has happened."""
        self.assertEqual(self.graph.says(sender, text).status, 200)
        wait_for(lambda: self.conversation_of(sender), "the conversation")
        wait_for(self.daemon.idle, "idle")
        return self.conversation_of(sender)

    def rolled_up(self):
        """Waits until the roll-up has all that was said before."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        wait_for(lambda: (self.dashboard()["rolled_up_until"] or "") > now, "the roll-up")


class Segments(AnalyticsCase):
    def play(self):
        """The script, each conversation with its labels."""
        self.settings(leads=LEADS, appointments=SLOTS)
        self.says(phone(1), OPEN)
        self.says(phone(2), UNKNOWN)
        resolved = self.says(phone(3), UNKNOWN)
        path = f"/api/v1/conversations/{resolved['id']}"
        self.daemon.ok(self.daemon.post(f"{path}/messages/", {"text": "We do not, sorry."}), 201)
        self.daemon.ok(self.daemon.post(f"{path}/resolve/", {"return_to": "closed"}))
        self.settings(chat={"fallback_behavior": "ASK_CLARIFY"})
        self.says(phone(4), UNKNOWN)
        self.says(phone(5), OPEN + " Write me at ana@example.com please")
        booked = self.says(phone(6), OPEN)
        slot = self.daemon.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/availability/?service=cut"))["slots"][3]
        self.daemon.ok(self.daemon.post("/api/v1/appointments/", {"starts_at": slot["starts_at"], "service": "cut",
                                                                  "conversation_id": booked["id"]}), 201)
        rated = self.says(phone(7), OPEN)
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{rated['id']}/feedback/", {"rating": "down", "comment": "too short"}), 201)
        first = self.says(phone(8), OPEN)
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{first['id']}/close/"))
        self.graph.says(phone(8), OPEN)
        wait_for(lambda: len(self.daemon.conversations()) == 9, "a second conversation")
        wait_for(self.daemon.idle, "idle")

    WANT = {"resolved_by_ai": 6, "resolved_by_human": 1, "escalated": 2, "unanswered": 1, "lead": 1, "booking": 1, "negative": 1,
            "returning": 1}

    def test_a_labelled_script_lands_in_the_expected_segments_and_stays_there(self):
        self.play()
        self.assertEqual(self.segments(), self.WANT)
        before = self.counts()
        totals = before[0]
        self.assertEqual({name: totals[name] for name in ("conversations", "messages_in", "answers", "answers_grounded", "fallbacks",
                                                          "handoffs", "handoffs_resolved", "leads", "appointments_booked",
                                                          "feedback_down", "messages_human")},
                         {"conversations": 9, "messages_in": 9, "answers": 6, "answers_grounded": 6, "fallbacks": 1, "handoffs": 2,
                          "handoffs_resolved": 1, "leads": 1, "appointments_booked": 1, "feedback_down": 1, "messages_human": 1})

        self.daemon.restart()
        self.assertEqual(self.counts(), before, "after kill -9")
        self.rolled_up()
        self.assertEqual(self.counts(), before, "out of the roll-up")
        self.assertGreater(self.daemon.cli_json("--live", "hooks", "replay", "--since", "2026-01-01T00:00:00Z")["replayed"], 0)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.counts(), before, "after a replay")
        self.daemon.restart()
        self.assertEqual(self.counts(), before, "after another kill -9")
        self.rolled_up()
        self.assertEqual((self.counts(), self.segments()), (before, self.WANT), "rolled up again")

        score = self.read("analytics/trust-score")
        parts = {part["name"]: part["value"] for part in score["parts"]}
        self.assertEqual(parts["grounded"], 1)
        self.assertAlmostEqual(parts["resolution"], 6 / 8)
        self.assertEqual((parts["feedback"], parts["adversarial"]), (0, None))
        self.assertAlmostEqual(score["score"], 100 * (0.4 + 0.3 * 6 / 8) / 0.9, places=6)
        feedback = self.read("analytics/feedback")
        self.assertEqual((feedback["up"], feedback["down"], feedback["rows"][0]["comment"]), (0, 1, "too short"))

    def test_own_segments_by_rules_and_by_examples(self):
        self.says(phone(11), OPEN)
        self.says(phone(12), "\u00bfA qu\u00e9 hora abre la tienda, por favor?")
        self.says(phone(13), "Where is my parcel? I want to track it")
        make = lambda **body: self.daemon.post("/api/v1/insights/segments/", body)
        spanish = self.daemon.ok(make(name="Spanish", rules={"language": "es"}), 201)
        self.daemon.ok(make(name="Opening", examples=["what are your opening hours", "when are you open"]), 201)
        self.daemon.ok(make(name="Tracking", examples=["track my parcel"], rules={"language": "en"}), 201)
        for body, field in ((dict(name="x"), "rules"), (dict(name="x", rules={"colour": "red"}), "rules/colour"),
                            (dict(name="lead", examples=["a parcel"]), "name"), (dict(rules={"language": "es"}), "name")):
            answer = make(**body)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, field), answer)
        found = self.segments()
        self.assertEqual({name: found[name] for name in ("Spanish", "Opening", "Tracking")}, {"Spanish": 1, "Opening": 1, "Tracking": 1})
        self.assertEqual(self.breakdown("language"), {"en": 2, "es": 1})
        self.assertEqual(self.breakdown("intent"), {"Opening": 1, "Tracking": 1, "none": 1})
        self.assertEqual(self.breakdown("channel"), {"whatsapp": 3})
        self.assertEqual(self.breakdown("agent"), {self.daemon.agent: 3})
        self.assertEqual(self.breakdown("segment")["Spanish"], 1)
        self.assertEqual(self.daemon.get("/api/v1/insights/breakdowns/?by=colour").json["error"]["field"], "by")
        self.daemon.ok(self.daemon.delete(f"/api/v1/insights/segments/{spanish['id']}/"), 204)
        self.assertNotIn("Spanish", self.segments())


class Dates(AnalyticsCase):
    def test_the_end_date_holds_its_last_hour_in_the_accounts_time_zone(self):
        hour = datetime.datetime.now(datetime.timezone.utc).hour
        offset = 23 - hour if 23 - hour <= 14 else -1 - hour
        if offset < -12:
            self.skipTest("no zone has its last hour now")
        zone = f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"
        me = self.daemon.ok(self.daemon.patch("/api/v1/me/", {"time_zone": zone}))
        self.assertEqual(me["time_zone"], zone)
        self.assertEqual(self.daemon.ok(self.daemon.get("/v1/me/"))["timeZone"], zone)
        day = lambda ahead: (datetime.datetime.now(zoneinfo.ZoneInfo(zone)) + datetime.timedelta(days=ahead)).strftime("%Y-%m-%d")
        today = day(0)
        self.says(phone(21), OPEN)
        if day(0) != today:
            self.skipTest("midnight came")
        self.assertEqual(self.dashboard(start_date=today, end_date=today)["totals"]["messages_in"], 1, "the end date's last hour")
        self.assertEqual(self.dashboard(start_date=day(-7), end_date=day(-1))["totals"]["messages_in"], 0)
        self.assertEqual(self.dashboard(start_date=day(1), end_date=day(1))["totals"]["messages_in"], 0)
        self.assertEqual(self.breakdown("hour"), {"23": 1})
        rows = self.read("analytics/conversations", start_date=day(-2), end_date=today)["rows"]
        self.assertEqual([(row["date"], row["conversations"], row["resolved_by_ai"]) for row in rows],
                         [(day(-2), 0, 0), (day(-1), 0, 0), (today, 1, 1)])
        self.rolled_up()
        self.assertEqual(self.dashboard(start_date=today, end_date=today)["totals"]["messages_in"], 1, "rolled up")
        trend = self.read("insights/trends", metric="messages_in", interval="day", compare="previous", start_date=day(-1), end_date=today)
        self.assertEqual(([row["value"] for row in trend["rows"]], [row["date"] for row in trend["previous"]], trend["change"]),
                         ([0, 1], [day(-3), day(-2)], None))
        weeks = self.read("analytics/conversations", interval="week", start_date=day(-13), end_date=today)["rows"]
        self.assertEqual([row["conversations"] for row in weeks], [0, 1])
        for query, field in (("start_date=yesterday", "start_date"), ("start_date=2026-02-02&end_date=2026-02-01", "start_date"),
                             ("start_date=1990-01-01", "start_date"), ("limit=0", "limit"), ("limit=101", "limit")):
            answer = self.daemon.get(f"/api/v1/analytics/dashboard/?{query}")
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, field), answer)
        self.assertEqual(self.dashboard(start_date="2020-01-01")["totals"]["messages_in"], 1)
        answer = self.daemon.get("/api/v1/analytics/conversations/?start_date=2020-01-01")
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "start_date"), "too many rows")
        answer = self.daemon.patch("/api/v1/me/", {"time_zone": "Mars/Olympus"})
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "time_zone"))


class Questions(AnalyticsCase):
    def test_top_questions_are_clustered_by_meaning_and_limited(self):
        self.daemon.push("Delivery", "We deliver parcels to Madrid within two days.")
        for number, text in enumerate((OPEN, "what are your opening hours?", "Are you open?", "Do you deliver to Madrid?",
                                       "Is delivery to Madrid possible?", "Can I pay with bitcoin?")):
            self.says(phone(30 + number), text)
        rows = self.read("analytics/top-questions")["results"]
        self.assertEqual([row["count"] for row in rows], [3, 2, 1], rows)
        self.assertIn("open", rows[0]["question"].lower())
        self.assertEqual((rows[1]["answered"], rows[1]["answered_share"]), (2, 1))
        self.assertEqual((rows[2]["question"], rows[2]["answered"]), ("Can I pay with bitcoin?", 0))
        answer = self.daemon.get("/v1/analytics/top-questions?startDate=2025-01-01&endDate=2025-01-31&limit=10")
        self.assertEqual((answer.status, answer.json["data"]), (200, []))
        few = self.daemon.ok(self.daemon.get("/v1/analytics/top-questions?limit=1"))
        self.assertEqual((len(few["data"]), few["data"][0]["answeredShare"] >= 0), (1, True))

    def test_a_gap_is_tracked_until_a_document_answers_it(self):
        self.says(phone(41), "Do you repair leather shoes?")
        self.says(phone(42), "do you repair shoes of leather")
        self.says(phone(43), OPEN)
        gaps = self.read("analytics/knowledge-gaps")["results"]
        self.assertEqual([(gap["count"], gap["status"]) for gap in gaps], [(2, "open")], gaps)
        self.assertEqual(gaps[0]["examples"][1]["conversation_id"], self.conversation_of(phone(41))["id"])
        printed = self.daemon.cli("--live", "kb", "gaps")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertIn("repair shoes of leather", printed.stdout)
        document = self.daemon.push("Repairs", "Do you repair leather shoes? Yes, we repair leather shoes within a week.")
        gaps = self.read("analytics/knowledge-gaps")["results"]
        self.assertEqual([(gap["status"], gap["document_id"]) for gap in gaps], [("resolved", document["id"])])
        self.assertEqual(self.read("analytics/knowledge-gaps", status="open")["results"], [])

    def test_a_deleted_conversation_leaves_no_question_behind(self):
        gone = self.says(phone(45), "Do you repair leather shoes?")
        self.says(phone(46), "Do you repair leather shoes?")
        self.rolled_up()
        self.daemon.ok(self.daemon.delete(f"/api/v1/conversations/{gone['id']}/"), 204)
        gaps = self.read("analytics/knowledge-gaps")["results"]
        self.assertEqual([gap["count"] for gap in gaps], [1])
        self.assertEqual(sum(self.breakdown("channel").values()), 1)

    def test_erasure_takes_questions_along_and_leaves_the_figures(self):
        self.says(phone(51), "Do you repair leather shoes?")
        self.rolled_up()
        before = self.dashboard()["totals"]
        contact = self.conversation_of(phone(51))["contact_id"]
        self.daemon.delete(f"/api/v1/contacts/{contact}/")
        wait_for(lambda: self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{contact}/erasure/"))["status"] == "erased", "the erasure")
        self.assertEqual(self.dashboard()["totals"], before)
        self.assertEqual(self.read("analytics/knowledge-gaps")["results"], [])
        self.assertEqual(self.read("analytics/top-questions")["results"], [])
        self.assertEqual(set(self.segments().values()), {0})


class Usage(AnalyticsCase):
    def test_billable_messages_are_counted_once_by_category(self):
        for number in range(3):
            self.says(phone(60 + number), OPEN)
        for call, (category, billable) in zip(self.graph.sends, (("service", False), ("utility", True), ("marketing-lite", True))):
            for name in ("sent", "delivered", "delivered", "read"):
                item = {**self.graph.status_item(call, name),
                        "pricing": {"billable": billable, "pricing_model": "PMP", "category": category, "type": "regular"}}
                self.assertEqual(self.graph.post(self.graph.envelope({"statuses": [item]})).status, 200)
        wait_for(self.daemon.idle, "idle")
        for path in ("analytics/usage", "usage"):
            usage = self.read(path)
            self.assertEqual(usage["billable_messages"], 2)
            self.assertEqual({row["category"]: row["count"] for row in usage["billable_by_category"]}, {"utility": 1, "marketing_lite": 1})
            self.assertEqual((usage["messages_in"], usage["messages_out"], usage["conversations"]), (3, 3, 3))
        self.assertEqual(self.read("analytics/usage", agent_id="agt_nobody")["billable_messages"], 0)
        self.assertEqual(self.read("analytics/usage", end_date="2026-01-31", start_date="2026-01-01")["billable_messages"], 0)
        self.assertGreaterEqual(usage["knowledge_writes"], 1)

    def test_both_surfaces_answer_all_of_them(self):
        for name in ("dashboard", "conversations", "top-questions", "feedback", "usage", "trust-score", "knowledge-gaps"):
            for prefix in ("/api/v1", "/v1"):
                self.daemon.ok(self.daemon.get(f"{prefix}/analytics/{name}"), 200)
        for name in ("segments", "breakdowns", "trends"):
            for prefix in ("/api/v1", "/v1"):
                self.daemon.ok(self.daemon.get(f"{prefix}/insights/{name}"), 200)
