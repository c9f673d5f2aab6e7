"""The platform's limit of a number is kept without making anybody wait longer than his place in the line."""
from tests.integration.test_whatsapp import WhatsAppCase
from tests.support.daemon import wait_for

RATE, CUSTOMERS = 20, 80


class Pacing(WhatsAppCase):
    options = {"number_rate": str(RATE)}

    def test_more_customers_than_a_number_may_answer_at_once_are_answered_in_order(self):
        """80 at 20 a second: 20 at once, the rest within 3 s, each about when its place in the line says."""
        for number in range(CUSTOMERS):
            self.assertEqual(self.graph.says(f"+1650557{number:04d}", "When does the shop open?").status, 200)
        calls = wait_for(lambda: len(self.graph.sends) >= CUSTOMERS and list(self.graph.sends), "all answers", 30)
        places = {call.to: place for place, call in enumerate(sorted(calls, key=lambda call: call.at))}
        self.assertEqual(len(places), CUSTOMERS)
        out_of_place = max(abs(places[f"+1650557{number:04d}"] - number) for number in range(CUSTOMERS))
        self.assertLessEqual(out_of_place, RATE)  # at random, as without a line, it would be far more
        for first, last in zip(sorted(call.at for call in calls), sorted(call.at for call in calls)[2 * RATE:]):
            self.assertGreater(last - first, 0.9)  # 20 a second, and 20 that were saved up
        wait_for(self.daemon.idle, "the queues to empty")

    def test_a_campaign_does_not_stand_before_a_reply(self):
        for number in range(6 * RATE):
            self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/", {
                "to": f"+1650900{number:04d}", "type": "template", "channel_id": self.channel["id"],
                "template": {"name": "t", "language": {"code": "en"}}}), 201)
        self.graph.says("+16505580001", "When does the shop open?")
        wait_for(lambda: [call for call in self.graph.sends if call.to == "+16505580001"], "the reply", 10)
        waiting = 6 * RATE + 1 - len(self.graph.sends)
        self.assertGreater(waiting, RATE)
        wait_for(lambda: len(self.graph.sends) == 6 * RATE + 1, "all of the campaign", 30)
