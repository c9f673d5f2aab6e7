"""Statuses and nothing else, thousands of them: what they leave behind is the posts themselves, and each costs the same.

TEST_POSTS says how many posts a round has (default 150).
"""
import os
import random
import re
import threading
import time

from tests.integration.test_whatsapp import WhatsAppCase
from tests.support.customers import conversations
from tests.support.daemon import wait_for

POSTS = int(os.environ.get("TEST_POSTS", "150"))
ROUNDS, ITEMS, SENDERS = 5, 10, 4
KIB_PER_POST = 24     # kept of a post of ten statuses, which is about 3 KiB long
LANES = 3 * 64 + 32   # of statuses that were put off, and of posts


class StatusLoad(WhatsAppCase):
    options = {"pair_burst": "0", "number_rate": "0"}

    def setUp(self):
        options = os.environ.get("ASAN_OPTIONS", "")
        self.addCleanup(os.environ.__setitem__, "ASAN_OPTIONS", options)
        os.environ["ASAN_OPTIONS"] = options + ":quarantine_size_mb=4:thread_local_quarantine_size_kb=64"
        super().setUp()
        self.random = random.Random(7)
        for number in range(20):
            self.assertEqual(self.graph.says(f"+1650557{number:04d}", "When does the shop open?").status, 200)
        self.calls = self.graph.wait_sends(20)
        wait_for(self.daemon.idle, "idle")

    def figure(self, name):
        text = self.daemon.get("/metrics").body.decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE).group(1))

    def process(self):
        """(KiB of memory that is the daemon's own, descriptors)."""
        pid = self.daemon.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as handle:
            own = int(next(line for line in handle if line.startswith("RssAnon:")).split()[1])
        return own, len(os.listdir(f"/proc/{pid}/fd"))

    def intake(self):
        return next(row for row in self.daemon.cli_json("get", "/admin/queue/")["results"] if row["queue"] == "intake")

    def post_all(self, payloads):
        def write(part):
            for payload in part:
                self.graph.post_until_200(payload)
        threads = [threading.Thread(target=write, args=(payloads[k::SENDERS],)) for k in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def of_ours(self):
        items = [self.graph.status_item(self.random.choice(self.calls), self.random.choice(("sent", "delivered", "read")))
                 for _ in range(ITEMS)]
        return self.graph.envelope({"statuses": items})

    def of_others(self, number):
        items = [{"id": f"wamid.OTHERS.{number}.{k}", "status": "delivered", "timestamp": str(int(time.time())),
                  "recipient_id": f"1650999{number % 10000:04d}"} for k in range(ITEMS)]
        return self.graph.envelope({"statuses": items})

    def round(self):
        """One round; returns what it cost."""
        used, changes, began = self.figure("chasqui_store_used_bytes"), self.figure("chasqui_store_changes_total"), time.monotonic()
        self.post_all([self.of_ours() for _ in range(POSTS)])
        seconds = time.monotonic() - began
        wait_for(self.daemon.idle, "idle", 120)
        own, descriptors = self.process()
        return {"kib": (self.figure("chasqui_store_used_bytes") - used) / 1024 / POSTS, "posts_s": POSTS / seconds,
                "changes": (self.figure("chasqui_store_changes_total") - changes) / POSTS, "own": own, "descriptors": descriptors}

    def test_statuses_of_our_messages_leave_nothing_but_their_posts(self):
        self.round()  # every message reaches the top of its ladder, memory its usual size
        events = self.daemon.ok(self.daemon.get("/api/v1/events/?page_size=100"))
        rounds = [self.round() for _ in range(ROUNDS)]
        for each in rounds:
            print("      " + ", ".join(f"{name} {value:.1f}" for name, value in each.items()))
        first, last = rounds[0], rounds[-1]
        self.assertLess(last["changes"], 2.5, "one change-set takes a post in, one takes it apart")
        self.assertLess(sum(each["kib"] for each in rounds) / ROUNDS, KIB_PER_POST)
        self.assertLess(last["own"] - first["own"], 48 * 1024)
        self.assertLessEqual(last["descriptors"], first["descriptors"] + 8)
        after = self.daemon.ok(self.daemon.get("/api/v1/events/?page_size=100"))
        self.assertEqual([e["id"] for e in after["results"]], [e["id"] for e in events["results"]], "an event for nothing")
        messages = [m for each in conversations(self.daemon) for m in each]
        self.assertEqual(len(messages), 2 * len(self.calls))
        self.assertEqual({m["status"] for m in messages if m["direction"] == "out"}, {"read"})

    def test_statuses_of_somebody_elses_messages_keep_to_their_lanes(self):
        posts = [self.of_others(number) for number in range(2 * POSTS)]
        self.post_all(posts)
        self.assertEqual(self.graph.says("+16505579999", "When does the shop open?").status, 200)
        self.graph.wait_sends(len(self.calls) + 1)
        row = self.intake()
        self.assertLessEqual(row["lanes"], LANES, row)
        self.assertLessEqual(row["jobs"], 2 * POSTS * (ITEMS + 1), row)
        self.post_all(posts)  # the same once more: they wait already
        again = self.intake()
        self.assertLessEqual(again["jobs"], 2 * POSTS * (ITEMS + 1), "a status waits twice")
        self.assertLessEqual(again["lanes"], LANES, again)
