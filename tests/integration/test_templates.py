"""Message templates: synced, created, deleted, told of, and not sent when the platform paused them."""
from tests.integration.test_whatsapp import CUSTOMER
from tests.integration.test_window import WithApp
from tests.support.daemon import wait_for

BODY = [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Ana"]]}}]


class Templates(WithApp):
    def setUp(self):
        super().setUp()
        self.path = f"/api/v1/agents/{self.daemon.agent}/templates/"

    def rows(self, name=None):
        return {(t["name"], t["language"]): t for t in self.daemon.ok(self.daemon.get(self.path + (name + "/" if name else "")))["results"]}

    def test_sync_walks_all_pages(self):
        for i in range(5):
            self.graph.templates[(f"t{i}", "en")] = {"name": f"t{i}", "language": "en", "status": "APPROVED", "category": "UTILITY", "components": BODY, "id": str(i)}
        self.daemon.ok(self.daemon.post(self.path + "sync/"), 202)
        wait_for(lambda: len(self.rows()) == 5, "all templates")
        self.assertEqual(self.rows("t3")[("t3", "en")]["status"], "APPROVED")

    def test_created_told_of_paused_and_deleted(self):
        self.assertEqual(self.daemon.post(self.path, {"name": "Bad Name", "language": "en", "category": "UTILITY", "components": BODY}).json["error"]["field"], "name")
        new = {"name": "sale", "language": "en", "category": "MARKETING", "components": BODY}
        self.assertEqual(self.daemon.ok(self.daemon.post(self.path, new), 201)["status"], "SUBMITTED")
        self.app.wait("template.updated")
        self.assertEqual((self.rows()[("sale", "en")]["status"], self.graph.templates[("sale", "en")]["components"]), ("PENDING", BODY))
        for number, event in enumerate(("APPROVED", "PAUSED"), 2):
            self.graph.account_field("message_template_status_update", {"event": event, "message_template_id": 7000000000000000001,
                                                                       "message_template_name": "sale", "message_template_language": "en", "reason": "NONE"})
            self.app.wait("template.updated", number)
        self.assertEqual(self.rows()[("sale", "en")]["status"], "PAUSED")
        message = self.daemon.ok(self.send(type="template", template={"name": "sale", "language": {"code": "en"}}), 201)["message_id"]
        failed = wait_for(lambda: [m for m in self.out() if m["id"] == message and m["status"] == "failed"], "the refusal")[0]
        self.assertEqual((failed["error"]["code"], self.graph.calls), ("TEMPLATE_STOPPED", []))
        self.graph.account_field("message_template_status_update", {"event": "REINSTATED", "message_template_name": "sale", "message_template_language": "en"})
        self.app.wait("template.updated", 4)
        self.graph.says(CUSTOMER, "STOP")
        wait_for(lambda: len(self.messages()) == 2, "the word")
        self.daemon.ok(self.send(type="template", template={"name": "sale", "language": {"code": "en"}}), 201)
        wait_for(lambda: [m for m in self.out() if m.get("error", {}).get("code") == "OPTED_OUT"], "the synced category to count")
        self.daemon.ok(self.daemon.delete(self.path + "sale/"), 202)
        wait_for(lambda: not self.rows(), "it to go")
        self.assertEqual(self.graph.templates, {})
