"""A scripted week of the sample shop (deploy/sample/week.json): 60 conversations in four languages, with bursts, media, angry
customers, leads, bookings, handoffs, a model that is away on Friday and a restart on Thursday; every expected outcome holds."""
import json
import os
import unittest

from tests.integration.test_appointments import SECTION
from tests.support.daemon import ROOT, Daemon, wait_for

LEADS = {"enabled": True, "fields": [{"name": "email", "type": "email", "required": True, "score": 50}],
         "qualify": {"required": ["email"], "min_score": 50}}


class Week(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(ROOT, "deploy", "sample", "week.json"), encoding="utf-8") as handle:
            self.week = json.load(handle)
        self.daemon = Daemon(quiet_time="300ms").start()
        self.addCleanup(self.daemon.close)
        self.key = {"key": self.daemon.test}
        self.agent = f"/api/v1/agents/{self.daemon.agent}/"
        self.change(settings={"leads": LEADS, "appointments": SECTION})
        for pairs in self.week["knowledge"].values():
            for question, answer in pairs:
                self.daemon.push(question, question + " " + answer, key=self.daemon.test)

    def change(self, **fields):
        self.daemon.ok(self.daemon.patch(self.agent, fields, **self.key))

    def says(self, customer, what):
        for part in what if isinstance(what, list) else [what]:
            body = {"text": part} if isinstance(part, str) else part
            self.daemon.ok(self.daemon.post("/api/v1/sandbox/inbound/", {"from": customer, **body}, **self.key), 202)

    def talks(self):
        """Number, language and row of every conversation, day by day."""
        rows = [(language, row) for language, rows in self.week["talks"].items() for row in rows]
        rows.sort(key=lambda pair: self.week["days"].index(pair[1][0]))
        return [(f"+1415777{at:04d}", language, row) for at, (language, row) in enumerate(rows)]

    def begin(self, day):
        if day == "Thu":
            self.daemon.restart()
        elif day == "Fri":  # nobody listens there
            self.change(model={"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "name": "away", "api_key": "k" * 20})
        elif day == "Sat":
            self.change(model={"provider": "extractive"})

    def found(self):
        """Conversation by the customer's number."""
        rows = {}
        for row in self.daemon.conversations(key=self.daemon.test):
            contact = self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{row['contact_id']}/", **self.key))
            rows["+" + next(i["value"] for i in contact["identities"] if i["type"] == "phone").lstrip("+")] = row
        return rows

    def book(self, conversation):
        slots = self.daemon.ok(self.daemon.get(self.agent + "availability/?service=cut", **self.key))["slots"]
        self.daemon.ok(self.daemon.post("/api/v1/appointments/", {"agent_id": self.daemon.agent, "service": "cut",
                                                                  "starts_at": slots[0]["starts_at"], "conversation_id": conversation["id"]},
                                        **self.key), 201)

    def check(self, customer, row, conversation):
        _, _, kind, holds = row
        messages = self.daemon.messages(conversation["id"], key=self.daemon.test)
        said = [m["text"] for m in messages if m["direction"] == "out"]
        if kind in ("reply", "booked"):
            ok = len(said) == 1 and holds in said[0] and conversation["status"] == "open"
        elif kind == "handoff":
            ok = conversation["status"] == "handoff" and holds in ("", conversation["handoff"]["reason"]) and len(said) == 1
        else:
            ok = said == [] if kind == "silent" else True
        return None if ok else (customer, row, conversation["status"], conversation.get("handoff"), said)

    def test_every_expected_outcome_holds(self):
        talks = self.talks()
        self.assertGreaterEqual(len(talks), 60)
        for day in self.week["days"]:
            self.begin(day)
            for customer, _, row in talks:
                if row[0] == day:
                    self.says(customer, row[1])
            if day == "Wed":
                continue  # the restart falls into the middle of the work
            wait_for(self.daemon.idle, f"the end of {day}", 60)
        found = self.found()
        self.assertEqual(sorted(found), sorted(customer for customer, _, _ in talks))
        for customer, _, row in talks:
            if row[2] == "booked":
                self.book(found[customer])
        wrong = [fault for customer, _, row in talks for fault in [self.check(customer, row, found[customer])] if fault]
        self.assertEqual(wrong, [])
        leads = self.daemon.ok(self.daemon.get("/api/v1/leads/", **self.key))["results"]
        self.assertEqual({lead["fields"]["email"] for lead in leads}, {row[3] for _, _, row in talks if row[2] == "lead"})
        self.assertEqual(self.daemon.ok(self.daemon.get("/api/v1/appointments/", **self.key))["count"], 4)


if __name__ == "__main__":
    unittest.main()
