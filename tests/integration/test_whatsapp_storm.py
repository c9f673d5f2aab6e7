"""Batches permuted, duplicated, interleaved and cut at random: nothing is lost, nothing is double, statuses only rise.

TEST_POSTS says how many posts are generated (default 1,000), TEST_SEED from which seed (default: one that is printed).
"""
import collections
import os
import random
import threading

from tests.fakes.graph import FakeGraph
from tests.integration.test_whatsapp import WhatsAppCase
from tests.support.customers import conversations, patient
from tests.support.daemon import wait_for

POSTS = int(os.environ.get("TEST_POSTS", "1000"))
SEED = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(1 << 32))
RANK = {"sent": 1, "failed": 2, "delivered": 3, "read": 4}
FAILED = [{"code": 131026, "title": "Message undeliverable", "message": "m", "error_data": {"details": "gone"}}]


class Storm(WhatsAppCase):
    options = {"pair_burst": "0", "number_rate": "0", "mark_read": None}

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.second = FakeGraph(phone_number_id="206540352242922")
        self.addCleanup(self.second.__exit__)
        other = self.daemon.whatsapp(self.second.url, phone_number_id="206540352242922", display_phone_number="+15550783882")
        self.graphs = {self.channel["id"]: self.graph, other["id"]: self.second}

    def items(self):
        """What the platform has to say: (channel, kind, item, contact); as many as fill the posts."""
        made = []
        senders = [f"+1650800{n:04d}" for n in range(60)]
        for number in range(POSTS):
            channel = self.random.choice(list(self.graphs))
            sender = self.random.choice(senders)
            item, contact = self.graphs[channel].message(sender, f"{number}", wamid=f"wamid.STORM.{number}")
            made.append((channel, "messages", item, contact))
        for channel, call in self.calls:
            words = ["sent", "delivered", "read", "failed", "teleported"]
            for word in self.random.sample(words, self.random.randrange(1, len(words) + 1)):
                item = self.graphs[channel].status_item(call, word)
                if word == "failed":
                    item["errors"] = FAILED
                if self.random.random() < 0.3:
                    item.pop("biz_opaque_callback_data")
                made.append((channel, "statuses", item, None))
        return made

    def bodies(self, items):
        """The items permuted, some twice or three times, in batches cut at random over the four levels."""
        flow = [item for item in items for _ in range(self.random.choice((1, 1, 1, 2, 3)))]
        self.random.shuffle(flow)
        size = max(1, len(flow) // POSTS)
        posts = []
        while flow:
            cut = min(len(flow), self.random.randrange(1, 2 * size + 1))
            batch, flow = flow[:cut], flow[cut:]
            entries = []
            while batch:
                part = self.random.randrange(1, len(batch) + 1)
                entries.append({"id": "102290129340398", "changes": self.changes(batch[:part])})
                batch = batch[part:]
            posts.append({"object": "whatsapp_business_account", "entry": entries})
        return posts

    def changes(self, batch):
        """One change for each run of one number; messages and statuses may share it."""
        found = []
        for channel, kind, item, contact in batch:
            if not found or found[-1][0] != channel or self.random.random() < 0.3:
                found.append((channel, {"messaging_product": "whatsapp", "metadata": {
                    "display_phone_number": "1", "phone_number_id": self.graphs[channel].phone_number_id}}))
            value = found[-1][1]
            value.setdefault(kind, []).append(item)
            if contact and self.random.random() < 0.8:
                value.setdefault("contacts", []).append(contact)
        return [{"field": "messages", "value": value} for _, value in found]

    def post_all(self, posts):
        def write(part):
            for payload in part:
                self.graph.post_until_200(payload)
        threads = [threading.Thread(target=write, args=(posts[k::6],)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def send(self, number, channel):
        body = {"to": f"+1650900{number:04d}", "type": "template", "template": {"name": "t", "language": {"code": "en"}}, "channel_id": channel}
        while True:
            answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", body)
            if answer.status != 429:
                return self.daemon.ok(answer, 201)["message_id"]
            threading.Event().wait(float(answer.headers["retry-after"]))

    def prepare_sends(self):
        """Messages of ours that statuses will be about."""
        self.calls, self.ids = [], {}
        for number in range(max(20, min(POSTS // 20, 200))):
            channel = self.random.choice(list(self.graphs))
            self.ids[self.send(number, channel)] = channel
        sends = lambda: [(channel, call) for channel, graph in self.graphs.items() for call in graph.sends]
        wait_for(lambda: len(sends()) == len(self.ids), "the sends", 120)
        self.calls = sends()

    def watch(self, stop, seen):
        """Looks at statuses while they change: none ever falls."""
        while not stop.is_set():
            for message in list(self.ids)[:5]:
                answer = self.daemon.get(f"/api/v1/messages/{message}/")
                if answer.status == 200:
                    seen[message].append(answer.json["status"])
            stop.wait(0.3)

    def test_generated_posts(self):
        print(f"storm: {POSTS} messages, seed {SEED}")
        self.prepare_sends()
        wait_for(self.daemon.idle, "idle", 60)
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"status": "paused"}))  # it is to say nothing
        items = self.items()
        posts = self.bodies(items)
        stop, seen = threading.Event(), collections.defaultdict(list)
        watcher = threading.Thread(target=self.watch, args=(stop, seen))
        watcher.start()
        try:
            self.post_all(posts)
            wait_for(self.daemon.idle, "idle", 60 + POSTS // 10)
        finally:
            stop.set()
            watcher.join()
        self.judge(items, seen)
        print(f"storm: {len(posts)} posts with {len(items)} different items taken, none lost, none double")

    def judge(self, items, seen):
        stored = collections.Counter()
        for messages in conversations(self.daemon):
            for message in messages:
                if message["direction"] == "in":
                    stored[message["platform_id"]] += 1
        want = {item["id"] for _, kind, item, _ in items if kind == "messages"}
        self.assertEqual(set(stored), want, "lost, or out of nowhere")
        self.assertEqual([wamid for wamid, count in stored.items() if count != 1], [], "double")
        told = collections.defaultdict(set)
        for _, kind, item, _ in items:
            if kind == "statuses" and item["status"] in RANK:
                told[item["id"]].add(item["status"])
        for channel, call in self.calls:
            message = patient(self.daemon, f"/api/v1/messages/{call.opaque}/")
            self.assertEqual(message["status"], max(told[call.wamid] | {"sent"}, key=RANK.get), call.opaque)
        for message, walk in seen.items():
            ranks = [RANK.get(status, 0) for status in walk]
            self.assertEqual(ranks, sorted(ranks), f"{message} fell: {walk}")
        events = self.all_events()
        self.assertEqual([key for key, count in events.items() if count > 1], [], "events told twice")
        received = {wamid for kind, wamid in events if kind == "message.received"}
        self.assertEqual(received & want, want, "a message without its event")

    def all_events(self):
        """Every event about a message: (type, platform id) -> how many."""
        found, path = collections.Counter(), "/api/v1/events/?page_size=100"
        while path:
            page = patient(self.daemon, path)
            for event in page["results"]:
                message = event.get("data", {}).get("message")
                if message and message.get("platform_id"):
                    found[event["type"], message["platform_id"]] += 1
            path = page.get("next") and page["next"].removeprefix(self.daemon.url)
        return found
