"""SIGKILL at any moment: what was acknowledged is answered once.

A send that was under way when the process was killed is in doubt. The stories give doubts an hour and end them by conditions (all that
the platform knows has been told), so that they say the same on a machine of any speed.
"""
import os
import random
import threading
import time
import unittest

from tests.support.customers import DOUBTS_WAIT, assert_answered_once, decide_doubts, open_shop
from tests.support.daemon import Daemon, wait_for

ROUNDS = int(os.environ.get("TEST_KILL_ROUNDS", "60"))
LIFE = 12  # messages that come in between two kills at most, so that the backlog has a bound


class CrashCase(unittest.TestCase):
    options = DOUBTS_WAIT

    def setUp(self):
        open_shop(self, Daemon(plan_enterprise="0,0,0", **self.options))

    def reply(self):
        """Our message of the only conversation, as it is now."""
        rows = [m for c in self.daemon.conversations() for m in self.daemon.messages(c["id"]) if m["direction"] == "out"]
        return rows[0] if rows else {}


class Crash(CrashCase):
    def test_killed_right_after_the_200_the_customer_gets_the_one_reply(self):
        self.daemon.options["quiet_time"] = "500ms"  # the kill comes before the send is begun: else that is in doubt, another story
        self.daemon.restart()
        for turn in range(5):
            sender = f"+1650556{turn:04d}"
            self.assertEqual(self.graph.says(sender, "When does the shop open?").status, 200)
            self.daemon.restart()
            wait_for(lambda: [c for c in self.graph.sends if c.to == sender], "the reply", 40)
        decide_doubts(self.daemon, self.graph)
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
        acked, doubts = self.killed_at_random()
        self.assertGreater(len(acked), ROUNDS)
        print(f"      {len(acked)} acknowledged, {len(self.graph.sends)} answers, {doubts} held in declared doubt")

    def killed_at_random(self):
        """Returns what was acknowledged and how many answers ended in declared doubt."""
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
        print(f"      seed {seed}, {ROUNDS} rounds")
        chance = random.Random(seed)
        acked, stop, began_with = {}, threading.Event(), [0]

        def customers(part):
            number, payload = 0, None
            while not stop.is_set():
                sender, wamid = f"+1651{part}{number:06d}", f"wamid.{part}.{number}"
                payload = payload or self.graph.text_payload(sender, "When does the shop open?", wamid=wamid)
                if len(acked) - began_with[0] >= LIFE:
                    stop.wait(0.01)
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
        starts = []
        try:
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.005, 0.25))  # the moment of the kill is what is random here
                self.daemon.kill()
                began = time.monotonic()
                self.daemon.start()
                starts.append(time.monotonic() - began)
                began_with[0] = len(acked)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        print(f"      listening again after {sorted(starts)[len(starts) // 2]:.2f} s (median), {max(starts):.2f} s at most")
        decide_doubts(self.daemon, self.graph)
        return acked, assert_answered_once(self, self.daemon, self.graph, acked)


class SentAgain(Crash):
    """Where the operator prefers two messages to none: what never came to the platform is sent again."""
    options = {**DOUBTS_WAIT, "send_doubts": 3}

    def test_killed_at_random_under_load_nothing_is_lost_or_double(self):
        acked, doubts = self.killed_at_random()
        self.assertEqual(doubts, 0)
        print(f"      {len(acked)} acknowledged, {len(self.graph.sends)} answers, "
              f"{self.daemon.log_text().count('event=send.again')} sent again")


class LateStatus(CrashCase):
    options = {"send_doubt_grace": "500ms"}

    def test_a_status_that_comes_after_the_wait_finds_the_message_held_and_lifts_it(self):
        self.graph.statuses_held = threading.Event()
        self.addCleanup(self.graph.statuses_held.set)
        held = self.graph.hold_next()
        self.assertEqual(self.graph.says("+16505571111", "When does the shop open?").status, 200)
        wait_for(lambda: self.graph.calls, "the call")
        self.daemon.kill()
        held.set()
        self.graph.wait_read()
        self.daemon.start()
        wait_for(lambda: self.reply().get("status") == "failed", "the end of the wait")
        self.assertEqual(self.reply()["error"]["code"], "OUTCOME_UNKNOWN")
        row = self.daemon.conversations()[0]
        self.assertEqual((row["status"], row["handoff"]["reason"]), ("handoff", "reply_unknown"))
        self.graph.statuses_held.set()
        wait_for(lambda: self.reply()["status"] == "delivered", "the late status to tell")
        wait_for(self.daemon.idle, "the queues to empty")
        self.assertEqual(len(self.graph.calls), 1)
