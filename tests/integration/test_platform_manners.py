"""Manners towards the platform: marks of reading, pacing, a paused channel that comes back, order for many customers."""
import threading

from tests.integration.test_whatsapp import CUSTOMER, WhatsAppCase
from tests.support.daemon import wait_for


class Reading(WhatsAppCase):
    options = {"mark_read": None}

    def test_what_the_agent_answers_is_marked_as_read_with_typing(self):
        self.graph.says(CUSTOMER, "When does the shop open?", wamid="wamid.READ1")
        self.graph.wait_sends(1)
        wait_for(lambda: self.graph.receipts, "the mark")
        conversation = self.only_conversation()["id"]
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/join/", {"name": "Maria"}))
        self.graph.says(CUSTOMER, "Thanks, and on Monday?", wamid="wamid.READ2")
        wait_for(lambda: len(self.messages()) == 3, "the next message")
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.graph.receipts, [("wamid.READ1", True)], "a person has not read it yet")
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/read/"))
        wait_for(lambda: self.graph.receipts[1:] == [("wamid.READ2", False)], "the person's mark")


class Paused(WhatsAppCase):
    options = {"probe_every": "300ms"}

    def test_a_channel_paused_for_its_token_goes_on_after_a_successful_probe(self):
        self.graph.healthy = False
        self.graph.fail_next(190)
        self.graph.says(CUSTOMER, "When does the shop open?")
        path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        channel = wait_for(lambda: (c := self.daemon.get(path).json)["status"] == "paused" and c, "the pause")
        self.assertEqual(channel["reason"]["code"], "190")
        wait_for(lambda: self.graph.probes >= 2, "two probes")
        self.assertEqual((self.daemon.get(path).json["status"], self.graph.sends), ("paused", []))
        self.graph.says(CUSTOMER, "Hello?")  # inbound goes on
        wait_for(lambda: len([m for m in self.messages() if m["direction"] == "in"]) == 2, "both messages")
        self.graph.healthy = True
        self.assertIn("9 in the morning", self.graph.wait_sends(1)[0].text)
        self.assertNotIn("reason", wait_for(lambda: (c := self.daemon.get(path).json)["status"] == "active" and c, "the channel"))

    def test_a_persons_pause_is_not_ended_by_probes(self):
        path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        self.daemon.ok(self.daemon.patch(path, {"status": "paused"}))
        self.graph.says(CUSTOMER, "When does the shop open?")
        wait_for(lambda: self.daemon.conversations() and len(self.messages()) == 2, "the reply to be queued")
        self.assertEqual((self.graph.probes, self.graph.sends), (0, []))


class Pacing(WhatsAppCase):
    options = {"pair_burst": "2"}

    def test_a_customer_is_not_flooded_and_others_are_not_held_up(self):
        other = "+16505559999"
        for customer in (CUSTOMER, other):
            self.graph.says(customer, "When does the shop open?")
        self.graph.wait_sends(2)
        send = lambda to, text: self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {"to": to, "type": "text", "text": text}), 201)
        send(CUSTOMER, "second")
        send(CUSTOMER, "third")
        send(other, "second for the other")
        sends = self.graph.wait_sends(5, 30)
        third = next(c for c in sends if c.text == "third")
        self.assertEqual(sends[-1].text, "third")
        self.assertGreater(third.at - sends[2].at, 3, "the third waits for its token")


class PairRate(WhatsAppCase):
    """The platform's figures: 45 messages to one customer at once, then one each 6 seconds."""
    options = {"plan_enterprise": "0,0,0"}
    BURST, REFILL = 45, 6.0

    def test_a_burst_leaves_at_the_platforms_rate_and_nobody_else_waits_for_it(self):
        others = [f"+1650558{number:04d}" for number in range(5)]
        for customer in (CUSTOMER, *others):
            self.graph.says(customer, "When does the shop open?")
        self.graph.wait_sends(6)
        wait_for(self.daemon.idle, "idle")
        path = f"/api/v1/agents/{self.daemon.agent}/messages/"
        send = lambda to, text: self.daemon.ok(self.daemon.post(path, {"to": to, "type": "text", "text": text}), 201)
        for number in range(self.BURST + 1):  # one more than is left of the burst, with the answer, and one that is earned
            send(CUSTOMER, f"{number}")
        for customer in others:
            send(customer, "not held up")
        mine = lambda: [call for call in self.graph.sends if call.to == CUSTOMER]
        wait_for(lambda: len(self.graph.sends) - len(mine()) == 10, "the others' messages")
        self.assertLess(len(mine()), self.BURST + 2, "the others waited for the last of them")
        wait_for(lambda: len(mine()) == self.BURST + 2, "the last ones", 30)
        calls = mine()
        self.assertEqual([call.text for call in calls[1:]], [f"{number}" for number in range(self.BURST + 1)])
        self.assertEqual(len(self.graph.calls), len(self.graph.sends), "the platform refused one")
        for first, begun in enumerate(calls):
            for last in range(first, len(calls)):
                earned = (calls[last].at - begun.at) / self.REFILL + 1  # the way to the platform may differ by a message
                self.assertLessEqual(last - first + 1, self.BURST + earned, "faster than the platform takes it")
        self.assertGreater(calls[-1].at - calls[0].at, 2 * self.REFILL - 3)


class Many(WhatsAppCase):
    CUSTOMERS, MESSAGES = 200, 2

    def test_two_hundred_customers_at_once_stay_in_order_each(self):
        numbers = [f"+1650556{i:04d}" for i in range(self.CUSTOMERS)]
        payloads = {n: [self.graph.text_payload(n, f"{i}: when does the shop open?", wamid=f"wamid.{n}.{i}") for i in range(self.MESSAGES)]
                    for n in numbers}
        def write(part):
            for number in part:
                for payload in payloads[number]:
                    self.graph.post_until_200(payload)
        threads = [threading.Thread(target=write, args=(numbers[k::8],)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: {c.to for c in self.graph.sends} == set(numbers), "an answer for everybody", 120)
        wait_for(self.daemon.idle, "idle", 120)
        seen = set()
        for page in (1, 2, 3):
            answer = self.daemon.get(f"/api/v1/conversations/?page_size=100&page={page}")
            for row in answer.json["results"] if answer.status == 200 else []:
                messages = [m["text"][0] for m in self.daemon.messages(row["id"]) if m["direction"] == "in"]
                self.assertEqual(messages, ["0", "1"], row["id"])
                seen.add(row["contact_id"])
        self.assertEqual(len(seen), self.CUSTOMERS)
