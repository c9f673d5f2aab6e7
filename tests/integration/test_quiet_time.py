"""Quiet time by channel: two channels of one agent, one of which waits for bursts and one of which answers at once."""
import unittest

from tests.fakes.graph import FakeGraph
from tests.support.daemon import Daemon, wait_for

CUSTOMER, WAIT_MS = "16505551234", 1500


class QuietTime(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(quiet_time="0s").start()
        self.addCleanup(self.daemon.close)
        self.daemon.push("Opening hours", "When does the shop open? We open at 9.")
        self.daemon.push("Delivery", "How much is delivery? Delivery costs 4 euros.")

    def connect(self, number, **fields):
        graph = FakeGraph(phone_number_id=number).__enter__()
        self.addCleanup(graph.__exit__, None, None, None)
        channel = self.daemon.whatsapp(graph.url, phone_number_id=number, **fields)
        graph.attach(self.daemon.url + channel["webhook_path"])
        return graph, channel

    def burst(self, graph, sender):
        """Two questions, one after the other; the texts of the replies once all is quiet."""
        graph.says(sender, "When does the shop open?")
        began = len(graph.sends)
        if not self.slow:
            graph.wait_sends(began + 1)
        graph.says(sender, "How much is delivery?")
        graph.wait_sends(began + (1 if self.slow else 2))
        wait_for(self.daemon.idle, "idle")
        return [call.text for call in graph.sends]

    def test_two_channels_wait_as_each_of_them_says(self):
        quick, first = self.connect("106540352242922")
        slow, second = self.connect("106540352242923", quiet_time_ms=WAIT_MS)
        self.assertNotIn("quiet_time_ms", first)
        self.assertEqual(second["quiet_time_ms"], WAIT_MS)
        self.slow = False
        self.assertEqual(len(self.burst(quick, CUSTOMER)), 2, "an answer to each")
        self.slow = True
        said = self.burst(slow, "16505550007")
        self.assertEqual(len(said), 1, "one answer to both")
        self.assertTrue("9" in said[0] and "4 euros" in said[0], said)

        path = f"/api/v1/agents/{self.daemon.agent}/channels/{second['id']}/"
        self.assertNotIn("quiet_time_ms", self.daemon.ok(self.daemon.patch(path, {"quiet_time_ms": None})))
        slow.says("16505550008", "When does the shop open?")
        slow.wait_sends(2)
        path = f"/api/v1/agents/{self.daemon.agent}/channels/{first['id']}/"
        self.assertEqual(self.daemon.ok(self.daemon.patch(path, {"quiet_time_ms": 0}))["quiet_time_ms"], 0)

    def test_what_is_no_quiet_time_is_refused_by_name(self):
        _, channel = self.connect("106540352242922")
        for kind, call in (("api", self.daemon.post), ("whatsapp", self.daemon.patch)):
            path = f"/api/v1/agents/{self.daemon.agent}/channels/" + (f"{channel['id']}/" if kind == "whatsapp" else "")
            for wrong in (-1, 6001, 1.5, "1s", True):
                body = {"quiet_time_ms": wrong, **({"type": "api"} if kind == "api" else {})}
                answer = call(path, body)
                self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "quiet_time_ms"), (wrong, answer))
        made = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/channels/", {"type": "api", "quiet_time_ms": 200}), 201)
        self.assertEqual(made["quiet_time_ms"], 200)


if __name__ == "__main__":
    unittest.main()
