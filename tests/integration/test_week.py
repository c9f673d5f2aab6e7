"""A scripted week of the sample shop (deploy/week.json): 60 conversations in four languages, with bursts, media, angry customers,
leads, bookings in the chat, handoffs, a model that is away on Friday and a restart on Thursday; every expected outcome holds."""
import json
import os
import unittest

from tests.support.daemon import ROOT, Daemon, wait_for

WEEK = os.path.join(ROOT, "deploy", "week.json")


class Week(unittest.TestCase):
    def setUp(self):
        with open(WEEK, encoding="utf-8") as handle:
            self.week = json.load(handle)
        self.daemon = Daemon(quiet_time="300ms").start()
        self.addCleanup(self.daemon.close)
        self.key = {"key": self.daemon.test}

    def begin(self, day):
        """What becomes of model and daemon on this day."""
        happens = self.week["happens"].get(day, {})
        if happens.get("restart"):  # into the middle of the work
            for at in range(5):
                self.daemon.ok(self.daemon.post("/api/v1/sandbox/inbound/", {"from": f"+1650555000{at}", "text": "When does the shop open?"},
                                                **self.key), 202)
            self.daemon.restart()
            wait_for(lambda: self.answered() == [1] * 5, "one answer to each")
        if "model" in happens:
            self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"model": happens["model"]}, **self.key))

    def answered(self):
        """How many answers each of those had whom the restart fell upon."""
        contacts = [self.daemon.ok(self.daemon.get(f"/api/v1/contacts/?identity=%2B1650555000{at}", **self.key))["results"] for at in range(5)]
        talks = [self.daemon.ok(self.daemon.get(f"/api/v1/conversations/?contact_id={rows[0]['id']}", **self.key))["results"] for rows in contacts if rows]
        return [sum(m["direction"] == "out" for m in self.daemon.messages(rows[0]["id"], key=self.daemon.test)) for rows in talks if rows]

    def play(self, *days):
        """Plays days with the command; the conversations, each as the week says."""
        done = self.daemon.cli("sample", WEEK, *days, "--json", timeout=200)
        self.assertTrue(done.stdout, done.stderr)
        played = json.loads(done.stdout)["conversations"]
        self.assertEqual([talk for talk in played if not talk["good"]], [])
        self.assertEqual(done.returncode, 0, done.stderr)
        return played

    def records(self, kind):
        return self.daemon.ok(self.daemon.get(f"/api/v1/{kind}/?page_size=100", **self.key))["results"]

    def test_every_expected_outcome_holds(self):
        played = []
        for day in self.week["days"]:
            self.begin(day)
            played += self.play(day)
        self.assertGreaterEqual(len(played), 60)
        self.assertEqual(len({talk["customer"] for talk in played}), len(played))
        emails = {lead["fields"]["email"] for lead in self.records("leads")}
        self.assertEqual(emails, {talk["holds"] for talk in played if talk["kind"] == "lead"} | {"zoe@customer.example"})
        booked = self.records("appointments")
        self.assertEqual(len(booked), 4)
        self.assertEqual({row["conversation_id"] for row in booked}, {talk["conversation_id"] for talk in played if talk["kind"] == "booked"})
        self.assertEqual(len({row["starts_at"] for row in booked}), 4, "a time for each")
        self.play("Mon")  # once more, by other customers


if __name__ == "__main__":
    unittest.main()
