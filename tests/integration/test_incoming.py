"""Nothing lost is visible: notices, quarantine, replay of stored posts."""
from tests.fakes.graph import FakeGraph
from tests.integration.test_whatsapp import CUSTOMER, WhatsAppCase
from tests.support.daemon import wait_for


class Visible(WhatsAppCase):
    def channel_path(self, rest):
        return f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/{rest}"

    def rows(self, rest):
        answer = self.daemon.ok(self.daemon.get(self.channel_path(rest)))
        self.assertEqual(answer["count"], len(answer["results"]))
        return answer["results"]

    def test_account_level_fields_are_notices_once(self):
        for _ in range(2):
            self.assertEqual(self.graph.account_field("account_alerts", {"entity_type": "WABA", "alert_info": {"alert_type": "x"}}).status, 200)
            self.assertEqual(self.graph.account_field("brand_new_field", {"some": "thing"}).status, 200)
        wait_for(lambda: len(self.rows("notices/")) == 2, "two notices")
        wait_for(self.daemon.idle, "idle")
        fields = {row["field"]: row["value"] for row in self.rows("notices/")}
        self.assertEqual(fields["brand_new_field"], {"some": "thing"})
        self.assertEqual(set(fields), {"account_alerts", "brand_new_field"})

    def test_an_item_for_an_unknown_number_waits_until_the_number_is_connected(self):
        with FakeGraph(phone_number_id="555000111") as other:
            other.attach(self.hook)
            self.assertEqual(other.says(CUSTOMER, "When does the shop open?", wamid="wamid.LATE").status, 200)
            waiting = wait_for(lambda: self.rows("quarantine/"), "the quarantine")
            self.assertEqual(len(waiting), 1)
            self.assertIn("number", waiting[0]["reason"])
            self.assertEqual(self.daemon.conversations(), [])

            retry = self.channel_path(f"quarantine/{waiting[0]['id']}/retry/")
            self.assertEqual(self.daemon.ok(self.daemon.post(retry), 202)["replayed"], 1)
            again = wait_for(lambda: [row for row in self.rows("quarantine/") if row["id"] != waiting[0]["id"]], "it to come back")
            self.assertEqual((len(again), again[0]["hook_id"]), (1, waiting[0]["hook_id"]))
            self.assertEqual(self.daemon.post(retry).status, 404)

            self.daemon.whatsapp(other.url, phone_number_id="555000111")
            self.daemon.ok(self.daemon.post(self.channel_path(f"quarantine/{again[0]['id']}/retry/")), 202)
            self.assertIn("9 in the morning", other.wait_sends(1)[0].text)
            self.assertEqual(self.rows("quarantine/"), [])

    def test_stored_posts_are_listed_and_replayed_without_doubles(self):
        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)
        wait_for(self.daemon.idle, "idle")
        hooks = self.daemon.cli_json("--live", "hooks", "ls")["results"]
        self.assertEqual([hook["channel_id"] for hook in hooks], [self.channel["id"]])
        self.assertGreater(hooks[0]["bytes"], 100)
        self.assertEqual(self.daemon.cli_json("--live", "hooks", "replay", hooks[0]["id"])["replayed"], 1)
        self.assertEqual(self.daemon.cli_json("--live", "hooks", "replay", "--since", "2026-01-01T00:00:00Z")["replayed"], 1)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual((len(self.graph.calls), len(self.messages())), (1, 2))
        self.assertNotEqual(self.daemon.cli("--live", "hooks", "replay", "hok_none").returncode, 0)
        self.assertEqual(self.daemon.get("/api/v1/hooks/", key=self.daemon.test).json["results"], [])


class SandboxNumbers(WhatsAppCase):
    def test_the_special_numbers_are_listed_for_test_keys(self):
        rows = self.daemon.ok(self.daemon.get("/api/v1/sandbox/numbers/", key=self.daemon.test))["results"]
        self.assertEqual([row["to"] for row in rows if row["to"][0] == "+"], [f"+155501{i:05d}" for i in range(1, 12)])
        self.assertIn("131047", rows[1]["behaviour"])
        self.assertEqual(self.daemon.get("/api/v1/sandbox/numbers/").status, 403)
