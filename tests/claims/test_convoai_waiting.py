"""ConvoAI's page, CONVO-48, on its own because it waits for a minute to pass."""
import time

from tests.claims.case import Claim


class Waiting(Claim):
    options = {"plan_free": "3,0,0"}

    def test_CONVO_48_after_retry_after_the_request_is_taken(self):
        key = self.account("free")["live_key"]
        answers = [self.get("/api/v1/me/", key=key) for _ in range(4)]
        self.assertEqual(answers[-1].status, 429)
        wait = int(answers[-1].headers["retry-after"])
        self.assertTrue(0 < wait <= 60)
        self.measured(f"Retry-After: {wait}")
        time.sleep(wait)
        self.assertEqual(self.get("/api/v1/me/", key=key).status, 200)
