"""SIGKILL at any moment: what was acknowledged is answered once."""
import os
import random
import threading
import time
import unittest

from tests.fakes.graph import FakeGraph
from tests.support.customers import assert_answered_once
from tests.support.daemon import Daemon, wait_for

ROUNDS = int(os.environ.get("TEST_KILL_ROUNDS", "60"))


class Crash(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(send_doubt_grace="20s", plan_enterprise="0,0,0").start()
        self.addCleanup(self.daemon.close)
        self.graph = FakeGraph()
        self.addCleanup(self.graph.__exit__)
        self.graph.auto_status = ("sent", "delivered")
        channel = self.daemon.whatsapp(self.graph.url)
        self.graph.attach(self.daemon.url + channel["webhook_path"])
        self.daemon.push("Opening hours", "The shop opens at 9 in the morning.")

    def test_killed_right_after_the_200_the_customer_gets_the_one_reply(self):
        for turn in range(5):
            sender = f"+1650556{turn:04d}"
            self.assertEqual(self.graph.says(sender, "When does the shop open?").status, 200)
            self.daemon.restart()
            wait_for(lambda: [c for c in self.graph.sends if c.to == sender], "the reply", 40)
        wait_for(self.daemon.idle, "the queues to empty", 60)
        self.assertEqual(len(self.graph.sends), 5)

    def test_killed_while_the_platform_is_called_the_customer_gets_the_one_reply(self):
        held = self.graph.hold_next()
        self.assertEqual(self.graph.says("+16505571111", "When does the shop open?").status, 200)
        wait_for(lambda: self.graph.calls, "the call")
        self.daemon.kill()
        held.set()
        self.daemon.start()
        wait_for(self.daemon.idle, "the queues to empty", 60)
        self.assertEqual(len(self.graph.calls), 1)

    def test_killed_at_random_under_load_nothing_is_lost_or_double(self):
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
        print(f"      seed {seed}, {ROUNDS} rounds")
        chance = random.Random(seed)
        acked, stop = {}, threading.Event()

        def customers(part):
            number, payload = 0, None
            while not stop.is_set():
                sender, wamid = f"+1651{part}{number:06d}", f"wamid.{part}.{number}"
                payload = payload or self.graph.text_payload(sender, "When does the shop open?", wamid=wamid)
                if len(acked) > len(self.graph.sends) + 100:
                    stop.wait(0.01)  # a backlog would make statuses wait longer than the grace: doubt, not what is tested
                    continue
                try:
                    if self.graph.post(payload).status == 200:
                        acked[sender] = [wamid]
                        number, payload = number + 1, None
                except OSError:
                    stop.wait(0.01)  # as the platform does: the same again

        threads = [threading.Thread(target=customers, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.005, 0.25))  # the moment of the kill is what is random here
                self.daemon.restart()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        wait_for(self.daemon.idle, "the queues to empty", 240)
        doubts = assert_answered_once(self, self.daemon, self.graph, acked)
        print(f"      {len(acked)} acknowledged, {len(self.graph.sends)} answers, {doubts} given up in declared doubt")
        self.assertGreater(len(acked), ROUNDS)
        self.assertLessEqual(doubts, max(2, ROUNDS // 20))
