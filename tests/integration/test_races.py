"""Races of a person who joins while the model writes: TEST_RACES of them (100 unless set), no reply after a join."""
import os
import random
import threading
import unittest

from tests.integration.test_model import QUESTION, ModelCase
from tests.support.daemon import wait_for

RACES = int(os.environ.get("TEST_RACES", "100"))
ROUND = 50


class Joins(ModelCase):
    options = {"plan_enterprise": "0,0,0", "address_limit": "1000000"}

    def ai(self, conversation):
        return [m["id"] for m in self.daemon.messages(conversation) if m["author"]["type"] == "ai"]

    def race(self, sender, conversation, chance):
        self.assertEqual(self.graph.says(sender, QUESTION).status, 200)
        threading.Event().wait(chance.uniform(0, 0.03))
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/join/", {"name": "Ana"}))
        self.said[conversation] = self.ai(conversation)

    def part(self, pairs, seed):
        chance = random.Random(seed)
        for sender, conversation in pairs:
            try:
                self.race(sender, conversation, chance)
            except BaseException as fault:  # shown by the main thread
                self.faults.append(fault)

    def test_no_reply_after_a_join(self):
        """NEXV and CONVO promise that the AI is silent once a person joined."""
        self.said, self.faults, late, raced = {}, [], [], 0
        known = set()
        for number in range(0, RACES, ROUND):
            senders = [self.new_customer() for _ in range(min(ROUND, RACES - number))]
            for sender in senders:
                self.assertEqual(self.graph.says(sender, QUESTION).status, 200)
            wait_for(self.daemon.idle, "the first answers")
            rows = [row for row in self.daemon.conversations() if row["id"] not in known][:len(senders)]
            self.assertEqual(len(rows), len(senders))
            known |= {row["id"] for row in rows}
            pairs = [(next(i["value"] for i in self.contact(row)["identities"] if i["type"] == "phone"), row["id"]) for row in rows]
            threads = [threading.Thread(target=self.part, args=(pairs[at::4], number + at)) for at in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wait_for(self.daemon.idle, "the queues to empty")
            for _, conversation in pairs:
                late += [conversation] if self.ai(conversation) != self.said[conversation] else []
                raced += len(self.said[conversation]) < 2
        self.assertEqual(self.faults, [])
        self.assertEqual(late, [])
        self.assertGreater(raced, 0, "no join came before its answer: no race")
        print(f"      {len(self.said)} races, in {raced} of them the person was first", flush=True)

    def contact(self, row):
        return self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{row['contact_id']}/"))


if __name__ == "__main__":
    unittest.main()
