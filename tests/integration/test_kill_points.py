"""SIGKILL at each named point of a message's way: acknowledged is kept, in order, and answered once.

The points are the KILL_POINT("name") lines of the source; a build with the hook (the sanitized ones) dies at the count-th
passing of TEST_KILL_POINT=name:count. TEST_KILL_ROUNDS is the number of kills at each point, TEST_SEED makes a run repeatable,
TEST_KILL_NAMES chooses some of the points.
"""
import glob
import os
import random
import re
import signal
import subprocess
import time
import unittest

from tests.fakes.graph import FakeGraph
from tests.support.customers import Customers, DOUBTS_WAIT, assert_answered_once, decide_doubts, open_shop
from tests.support.daemon import CHASQUI, ROOT, Daemon, wait_for

ROUNDS = int(os.environ.get("TEST_KILL_ROUNDS", "1"))
SECONDS_TO_DIE = 60
FREQUENT = ("commit.", "answers.")  # passed by every commit, so that a late passing is as good as an early one


COMMANDS = ("backup.", "compact.", "restore.")  # of commands, which test_backup_kills goes through


def points():
    """The names in the source that messages pass."""
    names = set()
    for room in ("queue", "channels", "agent", "bridge"):
        for path in glob.glob(os.path.join(ROOT, room, "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as handle:
                names.update(name for name in re.findall(r'KILL_POINT\("([a-z_.]+)"\)', handle.read())
                             if not name.startswith(COMMANDS))
    wanted = os.environ.get("TEST_KILL_NAMES")
    return sorted(names & set(wanted.split(",")) if wanted else names)


def has_hook():
    with open(CHASQUI, "rb") as handle:
        return b"TEST_KILL_POINT" in handle.read()


class Mortal(Daemon):
    """A daemon that can be told where to die."""
    point = None

    def env(self):
        return {**super().env(), **({"TEST_KILL_POINT": self.point} if self.point else {})}

    def start_to_die(self, name, count):
        """Starts with the hook; it may die before it listens."""
        self.point = f"{name}:{count}"
        try:
            self.start()
        except AssertionError:
            if self.process.returncode != -signal.SIGKILL:
                raise
        finally:
            self.point = None

    def wait_death(self):
        """Waits until the hook has killed it; False if the point was not passed in time."""
        try:
            code = self.process.wait(SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._closed()
        assert code == -signal.SIGKILL, f"exit {code}, log:\n{self.log_text()[-3000:]}"
        return True


class KillPoints(unittest.TestCase):
    def setUp(self):
        if not has_hook():
            self.skipTest("this binary is built without CHASQUI_KILL_POINTS")
        open_shop(self, Mortal(plan_enterprise="0,0,0", **DOUBTS_WAIT))

    def test_killed_at_every_point_nothing_is_lost_double_or_out_of_order(self):
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
        chance = random.Random(seed)
        names = points()
        print(f"      seed {seed}, {len(names)} points, {ROUNDS} kills at each")
        self.daemon.kill()
        customers = Customers(self.graph)
        missed, kills = [], 0
        try:
            for name in names * ROUNDS:
                self.daemon.start_to_die(name, chance.randint(1, 40 if name.startswith(FREQUENT) else 12))
                if self.daemon.wait_death():
                    kills += 1
                else:
                    missed.append(name)
            self.daemon.start()
            time.sleep(0.2)  # some load on the last life, too
        finally:
            customers.end()
        decide_doubts(self.daemon, self.graph)
        self.assertEqual(missed, [])
        doubts = assert_answered_once(self, self.daemon, self.graph, customers.acked)
        total = sum(map(len, customers.acked.values()))
        print(f"      {kills} kills, {total} acknowledged in {len(customers.acked)} conversations, "
              f"{len(self.graph.sends)} sent, {len(self.graph.calls)} calls, {doubts} held in declared doubt")
        self.assertGreater(total, kills)


class Doubts(unittest.TestCase):
    """How these stories end: what a slow platform reads late is not taken for what it never got."""

    def test_a_call_that_is_read_late_is_no_doubt(self):
        with Daemon(**DOUBTS_WAIT) as daemon, FakeGraph() as graph:
            graph.auto_status = ("sent", "delivered")
            channel = daemon.whatsapp(graph.url)
            graph.attach(daemon.url + channel["webhook_path"])
            daemon.push("Opening hours", "The shop opens at 9 in the morning.")
            graph.read_delays = [1, 4]  # of three; the second is longer than the wait in which decide_doubts lets doubts end
            sender, wamids = "+14155550100", []
            for count in range(1, 4):
                wamids.append(graph.new_wamid())
                self.assertEqual(graph.post(graph.text_payload(sender, "When does the shop open?", wamid=wamids[-1])).status, 200)
                wait_for(lambda: sum(m["direction"] == "out" for m in daemon.messages(daemon.conversations()[0]["id"])) == count,
                         "an answer", 20)
            wait_for(lambda: graph.arrived, "the first call", 20)
            told = graph.wait_told

            def wait_told():
                told()
                wait_for(lambda: graph.arrived > 1, "the call behind the doubt", 20)
            graph.wait_told = wait_told
            decide_doubts(daemon, graph)
            wait_for(lambda: len(graph.sends) == 3, "all calls to be read", 20)
            told()
            self.assertEqual(assert_answered_once(self, daemon, graph, {sender: wamids}), 0)
            self.assertEqual(len(graph.sends), 3)
