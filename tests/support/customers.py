"""Customers who write while things break, and what must be true of their conversations afterwards."""
import collections
import itertools
import threading
import time

from tests.fakes.graph import FakeGraph
from tests.support.daemon import wait_for

Post = collections.namedtuple("Post", "began ended status retry_after")


def open_shop(case, daemon):
    """The case's daemon, started, with one document and a WhatsApp channel on a platform that tells statuses."""
    case.daemon = daemon.start()
    case.addCleanup(case.daemon.close)
    case.graph = FakeGraph()
    case.addCleanup(case.graph.__exit__)
    case.graph.auto_status = ("sent", "delivered")
    channel = case.daemon.whatsapp(case.graph.url)
    case.graph.attach(case.daemon.url + channel["webhook_path"])
    case.daemon.push("Opening hours", "The shop opens at 9 in the morning.")


class Customers:
    """Several customers at once, each writing its messages in order and repeating what was not acknowledged, as a platform does.

    acked: sender -> the acknowledged messages' platform ids, in order. posts: what became of each try (status None: no answer).
    """
    areas = itertools.count(100)

    def __init__(self, graph, threads=4, messages=2, pause=0.02):
        self.graph, self.messages, self.pause = graph, messages, pause
        self.area = next(self.areas)
        self.acked, self.posts = {}, []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(part,)) for part in range(threads)]
        for thread in self.threads:
            thread.start()

    def write(self, part):
        number = 0
        while not self.stop.is_set():
            sender = f"+1{self.area}{part}{number:06d}"
            for _ in range(self.messages):
                if not self.send(sender):
                    return
            number += 1

    def send(self, sender):
        """One message until it is acknowledged; False when told to stop before that."""
        wamid = self.graph.new_wamid()
        payload = self.graph.text_payload(sender, "When does the shop open?", wamid=wamid)
        while not self.stop.is_set():
            if self.try_once(payload) == 200:
                self.acked.setdefault(sender, []).append(wamid)
                self.stop.wait(self.pause)
                return True
            self.stop.wait(self.pause)
        return False

    def try_once(self, payload):
        began, status, retry_after = time.monotonic(), None, None
        try:
            answer = self.graph.post(payload)
            status, retry_after = answer.status, answer.headers.get("retry-after")
        except OSError:
            pass
        self.posts.append(Post(began, time.monotonic(), status, retry_after))
        return status

    def count(self, status):
        return sum(post.status == status for post in list(self.posts))

    def wait(self, status, count=1, seconds=30):
        """Waits for `count` more answers of this status."""
        want = self.count(status) + count
        wait_for(lambda: self.count(status) >= want, f"{count} answers {status}", seconds)

    def began_after(self, moment, status):
        return [post for post in list(self.posts) if post.began > moment and post.status == status]

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def patient(daemon, path):
    """A GET that waits when the plan's limit says so."""
    answer = daemon.get(path)
    while answer.status == 429:
        time.sleep(float(answer.headers["retry-after"]))
        answer = daemon.get(path)
    return daemon.ok(answer)


def conversations_whole(daemon):
    """Every conversation with its messages: (conversation, messages)."""
    found, path = [], "/api/v1/conversations/?page_size=100"
    while path:
        page = patient(daemon, path)
        found += [(row, patient(daemon, f"/api/v1/conversations/{row['id']}/messages/?page_size=100")["results"])
                  for row in page["results"]]
        path = page["next"] and page["next"].removeprefix(daemon.url)
    return found


def conversations(daemon):
    """The messages of every conversation."""
    return [messages for _, messages in conversations_whole(daemon)]


def decide_doubts(daemon, graph):
    """Ends a story whose daemon was killed again and again with a wait for statuses that cannot run out (DOUBTS_WAIT): first all that
    the platform was told is read, then all that it knows is told, and only then does the wait end. No machine is too slow for that.

    While statuses are told, answers go out that stood behind a doubt. So that life is ended with a stop, which cuts no call off, and
    is followed by another until one leaves nothing untold: a call that was read only after the short wait would find the answers behind
    it sent already.
    """
    if daemon.process:
        daemon.kill()
    graph.wait_read()
    told = False
    while not told:
        daemon.start()
        graph.wait_told()
        daemon.stop()
        graph.wait_read()
        told = not graph.untold
    daemon.options["send_doubt_grace"] = "1s"
    daemon.start()
    wait_for(daemon.idle, "the queues to empty", 600)


# Options of such a story: nothing is decided, or too old, before decide_doubts.
DOUBTS_WAIT = {"send_doubt_grace": "1h", "reply_max_age": "24h"}


def story_of(daemon, sends, order, messages):
    """What is known of one conversation, for who looks into a failure: its messages, when the platform read the calls, what the
    daemon's log says of them, and when it was started."""
    lines = [""]
    for m in messages:
        place = order.get(m["id"])
        read = f"call {place} read at {sends[place].at:.3f}" if place is not None else "no call"
        lines.append(f"{m['direction']} {m['id']} {m['status']} {m.get('platform_id')} {read}")
        lines += [line for line in daemon.log_text().splitlines() if m["id"] in line]
    return "\n".join(lines + ["starts at " + " ".join(f"{moment:.3f}" for moment in daemon.starts)])


def assert_answered_once(case, daemon, graph, acked):
    """Acknowledged messages are stored once and in order; every conversation ends with an answer, or with a person because of a
    declared doubt; nothing went out twice.

    Returns how many answers ended in declared doubt: the daemon was killed around their calls, and none had come to the platform.
    """
    sends = graph.sends
    ours = collections.Counter(call.opaque for call in sends)
    case.assertEqual({message for message, count in ours.items() if count > 1}, set(), "sent twice")
    order = {call.opaque: place for place, call in enumerate(sends)}
    stored, doubts = {}, []
    for row, messages in conversations_whole(daemon):
        came = [m["platform_id"] for m in messages if m["direction"] == "in"]
        went = [m for m in messages if m["direction"] == "out"]
        for wamid in came:
            case.assertNotIn(wamid, stored, "stored twice")
            stored[wamid] = came
        if row.get("handoff", {}).get("reason") != "reply_unknown":
            case.assertEqual(messages[-1]["direction"], "out", "the last message has no answer")
        case.assertLessEqual(len(went), len(came), "more answers than questions")
        for m in went:
            if m["status"] != "delivered":
                doubts.append(m)
                case.assertEqual((m["status"], m.get("error", {}).get("code")), ("failed", "OUTCOME_UNKNOWN"), m)
                case.assertNotIn(m["id"], ours, "given up although the platform had it")
        known = [m for m in went if m not in doubts]
        for m in known:
            case.assertEqual(m["platform_id"], sends[order[m["id"]]].wamid, f"the platform's name of another message: {m}")
        places = [order[m["id"]] for m in known]
        if places != sorted(places):
            case.fail(f"answers out of order: {places}" + story_of(daemon, sends, order, messages))
    for sender, wamids in acked.items():
        case.assertEqual([w for w in wamids if w not in stored], [], f"{sender}: acknowledged and lost")
        case.assertEqual([w for w in stored[wamids[0]] if w in wamids], wamids, f"{sender}: out of order")
    return len(doubts)
