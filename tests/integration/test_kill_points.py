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
import threading
import time
import unittest

from tests.fakes.graph import FakeGraph
from tests.support.daemon import CHASQUI, ROOT, Daemon, wait_for

ROUNDS = int(os.environ.get("TEST_KILL_ROUNDS", "1"))
SECONDS_TO_DIE = 60
MESSAGES = 2  # of one customer, the second after the first one's 200
FREQUENT = ("commit.", "answers.")  # passed by every commit, so that a late passing is as good as an early one


def points():
    """The names in the source."""
    names = set()
    for room in ("queue", "channels", "agent", "bridge"):
        for path in glob.glob(os.path.join(ROOT, room, "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as handle:
                names.update(re.findall(r'KILL_POINT\("([a-z_.]+)"\)', handle.read()))
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


class Customers:
    """Several customers at once, each writing its messages in order and repeating what was not acknowledged, as a platform does."""

    def __init__(self, graph, threads=4):
        self.graph = graph
        self.acked = {}  # sender -> ids of the messages, in order
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(part,)) for part in range(threads)]
        for thread in self.threads:
            thread.start()

    def write(self, part):
        number = 0
        while not self.stop.is_set():
            sender = f"+1652{part}{number:06d}"
            for _ in range(MESSAGES):
                if not self.send(sender):
                    return
            number += 1

    def send(self, sender):
        """One message until it is acknowledged; False when told to stop before that."""
        wamid = self.graph.new_wamid()
        payload = self.graph.text_payload(sender, "When does the shop open?", wamid=wamid)
        while not self.stop.is_set():
            try:
                if self.graph.post(payload).status == 200:
                    self.acked.setdefault(sender, []).append(wamid)
                    self.stop.wait(0.02)
                    return True
            except OSError:
                pass
            self.stop.wait(0.02)
        return False

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class KillPoints(unittest.TestCase):
    def setUp(self):
        if not has_hook():
            self.skipTest("this binary is built without CHASQUI_KILL_POINTS")
        self.daemon = Mortal(send_doubt_grace="20s").start()
        self.addCleanup(self.daemon.close)
        self.graph = FakeGraph()
        self.addCleanup(self.graph.__exit__)
        self.graph.auto_status = ("sent", "delivered")
        channel = self.daemon.whatsapp(self.graph.url)
        self.graph.attach(self.daemon.url + channel["webhook_path"])
        self.daemon.push("Opening hours", "The shop opens at 9 in the morning.")

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
        wait_for(self.daemon.idle, "the queues to empty", 240)
        self.assertEqual(missed, [])
        self.check(customers.acked)
        total = sum(map(len, customers.acked.values()))
        print(f"      {kills} kills, {total} acknowledged in {len(customers.acked)} conversations, "
              f"{len(self.graph.sends)} sent, {len(self.graph.calls)} calls")
        self.assertGreater(total, kills)

    def conversations(self):
        """The messages of every conversation."""
        found, path = [], "/api/v1/conversations/?page_size=100"
        while path:
            page = self.daemon.ok(self.daemon.get(path))
            found += [self.daemon.messages(row["id"]) for row in page["results"]]
            path = page["next"] and page["next"].removeprefix(self.daemon.url)
        return found

    def check(self, acked):
        sent = [call.opaque for call in self.graph.sends]
        self.assertEqual({to for to in sent if sent.count(to) > 1}, set(), "sent twice")
        stored = {}
        for messages in self.conversations():
            came = [m["platform_id"] for m in messages if m["direction"] == "in"]
            went = [m for m in messages if m["direction"] == "out"]
            for wamid in came:
                self.assertNotIn(wamid, stored, "stored twice")
                stored[wamid] = came
            self.assertEqual(messages[-1]["direction"], "out", "the last message has no answer")
            self.assertLessEqual(len(went), len(came), "more answers than questions")
            self.assertEqual({m["status"] for m in went}, {"delivered"})
            ours = {m["platform_id"]: m["id"] for m in went}
            order = [call.wamid for call in self.graph.sends if call.wamid in ours]
            self.assertEqual(order, list(ours), "answers out of order")
        for sender, wamids in acked.items():
            self.assertEqual([w for w in wamids if w not in stored], [], f"{sender}: acknowledged and lost")
            kept = [w for w in stored[wamids[0]] if w in wamids]
            self.assertEqual(kept, wamids, f"{sender}: out of order")
