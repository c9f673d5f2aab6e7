"""Leads: what customers type is collected, judged by code, told once; and the API over them."""
from tests.integration.test_whatsapp import CUSTOMER
from tests.integration.test_window import WithApp
from tests.support.daemon import wait_for

LEADS = {"enabled": True,
         "fields": [{"name": "email", "type": "email", "required": True, "score": 30},
                    {"name": "phone", "type": "phone"},
                    {"name": "budget", "type": "number"},
                    {"name": "size", "type": "choice", "choices": ["Small", "Large"]}],
         "qualify": {"required": ["email"], "min_score": 50,
                     "rules": [{"field": "budget", "op": "gt", "value": 1000, "score": 40}]}}


class Leads(WithApp):
    def setUp(self):
        super().setUp()
        self.settings(leads=LEADS, chat={"fallback_behavior": "TRY_ANYWAY"})

    def leads(self, query=""):
        return self.daemon.ok(self.daemon.get(f"/api/v1/leads/{query}"))["results"]

    def types(self, name):
        return [e for e in self.app.events if e["type"] == name]

    def test_what_a_customer_types_becomes_a_lead_and_qualifies_once(self):
        self.graph.says(CUSTOMER, "When does the shop open? Write me at Ana.Gil@Example.COM please")
        self.app.wait("lead.created")
        lead = wait_for(self.leads, "the lead")[0]
        self.assertEqual(lead["fields"], {"email": "Ana.Gil@example.com"})
        self.assertEqual((lead["status"], lead["score"], lead["qualified_at"]), ("new", 30, None))
        self.assertEqual(lead["conversation_id"], self.only_conversation()["id"])
        self.graph.says(CUSTOMER, "and my number is +34 600 123 456")
        wait_for(lambda: self.leads()[0]["fields"].get("phone") == "+34600123456", "the number")
        changed = self.daemon.ok(self.daemon.patch(f"/api/v1/leads/{lead['id']}/", {"fields": {"budget": "1500", "size": "LARGE"}}))
        self.assertEqual((changed["status"], changed["score"], changed["fields"]["size"]), ("qualified", 70, "Large"))
        self.app.wait("lead.qualified")
        self.daemon.ok(self.daemon.patch(f"/api/v1/leads/{lead['id']}/", {"fields": {"budget": 2500}}))
        wait_for(self.daemon.idle, "idle")
        self.assertEqual([len(self.types("lead.created")), len(self.types("lead.qualified"))], [1, 1])

    def test_nothing_is_collected_where_leads_are_off(self):
        self.settings(leads={"enabled": False})
        self.graph.says(CUSTOMER, "write to ana@example.com, when do you open?")
        self.graph.wait_sends(1)
        wait_for(self.daemon.idle, "idle")
        self.assertEqual(self.leads(), [])

    def test_the_api_judges_every_value_and_names_the_field(self):
        for fields, field in (({"email": "nobody"}, "fields/email"), ({"colour": "red"}, "fields/colour"),
                              ({"email": "a@example.com", "size": "Medium"}, "fields/size"),
                              ({"email": "a@example.com", "budget": "lots"}, "fields/budget")):
            answer = self.daemon.post("/api/v1/leads/", {"fields": {"phone": "+34600123456", **fields}})
            self.assertEqual(answer.status, 400, answer)
            self.assertEqual(answer.json["error"]["field"], field)
        self.assertEqual(self.leads(), [], "nothing half stored")
        made = self.daemon.ok(self.daemon.post("/api/v1/leads/", {"fields": {"email": "b@example.com"}, "name": "Ben"}), 201)
        again = self.daemon.ok(self.daemon.post("/api/v1/leads/", {"fields": {"email": "b@EXAMPLE.com", "budget": 5}}), 201)
        self.assertEqual(made["id"], again["id"], "one open lead for each contact")
        self.assertEqual([x["id"] for x in self.leads("?status=new")], [made["id"]])
        self.assertEqual(self.leads("?status=won"), [])
        self.assertEqual(self.leads("?start_date=2030-01-01"), [])
        self.daemon.ok(self.daemon.patch(f"/api/v1/leads/{made['id']}/", {"status": "won", "notes": "paid"}))
        other = self.daemon.ok(self.daemon.post("/api/v1/leads/", {"fields": {"email": "b@example.com"}}), 201)
        self.assertNotEqual(made["id"], other["id"], "a lead that is won is over")
        self.daemon.ok(self.daemon.delete(f"/api/v1/leads/{other['id']}/"), 204)
        self.assertEqual(self.daemon.get(f"/api/v1/leads/{other['id']}/").status, 404)

    def test_settings_that_make_no_sense_are_refused_by_name(self):
        path = f"/api/v1/agents/{self.daemon.agent}/settings/leads/"
        for section, field in (({"fields": [{"name": "a", "type": "colour"}]}, "settings/leads/fields/0/type"),
                               ({"fields": [{"name": "a", "type": "text", "pattern": "("}]}, "settings/leads/fields/0/pattern"),
                               ({"colour": 1}, "settings/leads/colour")):
            answer = self.daemon.patch(path, section)
            self.assertEqual((answer.status, answer.json["error"]["field"]), (400, field), answer)
        self.assertEqual(self.daemon.ok(self.daemon.get(path)), LEADS)

    def test_the_command_line_lists_them(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/leads/", {"fields": {"email": "c@example.com"}}), 201)
        rows = self.daemon.cli_json("--live", "leads", "ls")["results"]
        self.assertEqual([row["id"] for row in rows], [made["id"]])
        self.assertEqual(self.daemon.cli_json("--live", "leads", "get", made["id"])["fields"], {"email": "c@example.com"})
        self.assertEqual(self.daemon.cli_json("--live", "appointments", "ls")["results"], [])
