"""Flows: conversations that follow a plan, with the customer's own system called in the middle."""
import http.server
import json
import os
import threading
import time
import unittest

from tests.support.daemon import Daemon, wait_for

SECRET = "sk-till-0123456789-secret"


class FakeSystem:
    """A customer's own app: answers orders, records what it was asked."""

    def __init__(self):
        self.calls = []
        self.answers = []  # (status, JSON or bytes), one for each call; then an order
        self.gate = None   # an event that a call waits for
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake.calls.append((self.command, self.path, dict(self.headers.items()), body))
                if fake.gate:
                    fake.gate.wait(30)
                status, answer = fake.answers.pop(0) if fake.answers else (200, {
                    "order": {"state": "on its way", "items": [{"sku": "ROLL"}], "echo": self.headers.get("Authorization", "")}})
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(raw)))
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    pass

            do_GET = do_POST = do_PUT = take

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        if self.gate:
            self.gate.set()
        self.server.shutdown()
        self.server.server_close()


def order_steps(url):
    """Ask for a number, look the order up, say what was found."""
    return [
        {"type": "ask", "id": "number", "text": "Which order, {{contact.name}}?", "save": "number",
         "validation": {"type": "regex", "pattern": "^[A-Z][0-9]{3}$"}, "retries": 1, "error": "A letter and three digits, please."},
        {"type": "api_call", "id": "look", "method": "POST", "url": url + "/orders/{{number}}?lang=en",
         "headers": {"Authorization": "Bearer {{secret.till}}"}, "body": {"order": "{{number}}", "who": "{{contact.phone}}"},
         "save": {"state": "/order/state", "sku": "/order/items/0/sku", "echo": "/order/echo"}, "on_error": "sorry"},
        {"type": "message", "text": "Your order {{number}} ({{sku}}) is {{state}}. {{echo}}"},
        {"type": "end"},
        {"type": "message", "id": "sorry", "text": "Our system does not answer: {{error}}."},
    ]


class FlowCase(unittest.TestCase):
    options = {}

    def setUp(self):
        self.daemon = Daemon(**self.options).start()
        self.addCleanup(self.daemon.close)
        self.system = FakeSystem()
        self.addCleanup(self.system.close)
        self.flows = f"/api/v1/agents/{self.daemon.agent}/flows/"
        self.key = self.daemon.test
        self.customers = 0

    def make(self, steps, trigger=None, status=201, **fields):
        body = {"name": "Orders", "enabled": True, "trigger": trigger or {"type": "keyword", "keywords": ["order"]}, "steps": steps, **fields}
        return self.daemon.ok(self.daemon.post(self.flows, body, key=self.key), status)

    def secret(self, name="till", value=SECRET):
        return self.daemon.ok(self.daemon.call("PUT", f"/api/v1/secrets/{name}/", {"value": value}, key=self.key), 200)

    # -- over the sandbox WhatsApp --
    def new_customer(self):
        self.customers += 1
        return f"+1650556{self.customers:04d}"

    def sent(self, customer):
        rows = self.daemon.ok(self.daemon.get("/api/v1/sandbox/messages/?page_size=100", key=self.key))["results"]
        contact = self.contact(customer)
        return [row for row in reversed(rows) if row["contact_id"] == contact]

    def says(self, customer, text=None, button=None, wait=1, **fields):
        """A customer writes or presses a button; the messages that reach them for it."""
        before = len(self.sent(customer))
        body = {"from": customer, "name": "Ana", **fields}
        if button:
            body.update({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": button, "title": text or "x"}}})
        elif text:
            body["text"] = text
        self.daemon.ok(self.daemon.post("/api/v1/sandbox/inbound/", body, key=self.key), 202)
        wait_for(lambda: len(self.sent(customer)) >= before + wait, f"{wait} messages for {text or button!r}")
        return self.sent(customer)[before:]

    def contact(self, customer):
        """The id of the customer's contact, None before the first message."""
        rows = self.daemon.ok(self.daemon.get("/api/v1/contacts/?page_size=100", key=self.key))["results"]
        return next((row["id"] for row in rows if any(i["value"] == customer for i in row["identities"])), None)

    def conversation(self, customer):
        contact = self.contact(customer)
        return next(row for row in self.daemon.conversations(key=self.key) if row["contact_id"] == contact)

    # -- over the API --
    def talk(self, text, thread="one"):
        return self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/", {"message": text, "thread_id": thread}, key=self.key))


class ApiCalls(FlowCase):
    def test_a_system_is_called_in_mid_conversation(self):
        """VIVO-21."""
        self.secret()
        self.make(order_steps(self.system.url))
        self.assertEqual(self.talk("where is my order")["message"], "Which order, ?")
        answer = self.talk("A123")
        self.assertEqual(answer["message"], "Your order A123 (ROLL) is on its way. Bearer ***")
        self.assertEqual(answer["source"], "flow")
        method, path, headers, body = self.system.calls[0]
        self.assertEqual((method, path), ("POST", "/orders/A123?lang=en"))
        self.assertEqual(headers["Authorization"], "Bearer " + SECRET)
        self.assertEqual(json.loads(body), {"order": "A123", "who": None})
        self.assertEqual(len(headers["Idempotency-Key"]), 40)

    def test_wrong_answers_are_asked_for_again_then_a_person_comes(self):
        self.make(order_steps(self.system.url))
        customer = self.new_customer()
        self.assertEqual(self.says(customer, "my order")[-1]["text"], "Which order, Ana?")
        self.assertEqual(self.says(customer, "dunno")[-1]["text"], "A letter and three digits, please.")
        self.assertEqual(self.says(customer, "really dunno")[-1]["author"]["type"], "system")
        conversation = self.conversation(customer)
        self.assertEqual((conversation["mode"], conversation["handoff"]["reason"], conversation["flow"]), ("human", "flow", None))
        self.assertEqual(self.system.calls, [])

    def test_every_failure_goes_to_the_error_branch(self):
        self.secret()
        self.make(order_steps(self.system.url))
        failures = [((500, {}), "the server answered 500"), ((200, b"not json"), "the answer has no /order/state"),
                    ((302, {}), "the server answered 302"), ((200, b"x" * 300000), "the answer is larger than 256 KiB")]
        for number, (answer, why) in enumerate(failures):
            self.system.answers.append(answer)
            self.talk("order", f"t{number}")
            self.assertEqual(self.talk("A123", f"t{number}")["message"], f"Our system does not answer: {why}.")
        self.daemon.ok(self.daemon.delete("/api/v1/secrets/till/", key=self.key), 204)
        self.talk("order", "last")
        self.assertEqual(self.talk("A123", "last")["message"], "Our system does not answer: there is no secret till.")

    def test_values_cannot_leave_their_place(self):
        steps = [{"type": "ask", "text": "?", "save": "q"},
                 {"type": "api_call", "method": "POST", "url": self.system.url + "/a/{{q}}/b?x={{q}}", "headers": {"X-Q": "{{q}}"},
                  "body": "{\"q\": \"{{q}}\", \"raw\": {{q}}}", "on_error": "no"},
                 {"type": "end", "text": "done"}, {"type": "end", "id": "no", "text": "no: {{error}}"}]
        self.make(steps)
        nasty = "a/../b?x=1&y=\"z\"\r\nHost: evil\n{{secret.till}}"
        self.talk("order")
        self.assertEqual(self.talk(nasty)["message"], "done")
        _, path, headers, body = self.system.calls[0]
        self.assertEqual(path.count("/"), 3)
        self.assertEqual(path.count("?"), 1)
        self.assertTrue(headers["Host"].startswith("127.0.0.1"))
        self.assertNotIn("\n", headers["X-Q"])
        self.assertEqual(json.loads(body)["q"], json.loads(body)["raw"])
        self.assertIn("{{secret.till}}", json.loads(body)["q"])
        self.talk("order", "two")
        self.assertEqual(self.talk("..", "two")["message"], "no: a value in the URL's path is . or ..")

    def test_secrets_show_nowhere(self):
        shown = self.secret()
        self.assertEqual(shown["last4"], "cret")
        self.make(order_steps(self.system.url))
        answers = [self.talk("order"), self.talk("A123")]
        conversation = answers[0]["conversation_id"]
        pages = [self.daemon.get(path, key=self.key).body for path in (
            "/api/v1/secrets/", self.flows, "/api/v1/events/?page_size=100", f"/api/v1/conversations/{conversation}/",
            f"/api/v1/conversations/{conversation}/messages/", "/api/v1/audit/")]
        for page in [json.dumps(answers).encode(), self.daemon.log_text().encode(), *pages]:
            self.assertNotIn(SECRET.encode(), page)
        self.daemon.stop()
        for name in os.listdir(self.daemon.data + "/store"):
            with open(os.path.join(self.daemon.data, "store", name), "rb") as handle:
                self.assertNotIn(SECRET.encode(), handle.read(), name)
        self.daemon.start()
        self.assertEqual(self.daemon.call("PUT", "/api/v1/secrets/9bad/", {"value": "x"}, key=self.key).status, 400)


class Conversations(FlowCase):
    booking = [
        {"type": "buttons", "id": "what", "text": "What can I do?", "save": "what",
         "buttons": [{"id": "cut", "title": "A cut"}, {"id": "other", "title": "Something else", "next": "person"}]},
        {"type": "ask", "id": "day", "text": "Which day?", "save": "day", "validation": {"type": "date"}},
        {"type": "ask", "id": "mail", "text": "Your e-mail?", "save": "mail", "validation": {"type": "email"}},
        {"type": "tag", "add": ["wants-{{what}}"]},
        {"type": "set", "custom_fields": {"day": "{{day}}"}, "metadata": {"mail": "{{mail}}"}},
        {"type": "branch", "cases": [{"if": {"var": "mail", "op": "ends", "value": "example.com"}, "next": "thanks"}], "else": "odd"},
        {"type": "end", "id": "thanks", "text": "Noted: {{what}} on {{day}}."},
        {"type": "end", "id": "odd", "text": "Strange address."},
        {"type": "handoff", "id": "person", "text": "One moment, a colleague comes."},
    ]

    def test_buttons_over_the_platform(self):
        self.make(self.booking, {"type": "button", "buttons": ["start-booking"]})
        customer = self.new_customer()
        shown = self.says(customer, "Book", button="start-booking")[-1]
        self.assertEqual(shown["type"], "interactive")
        self.assertEqual([b["reply"]["id"] for b in shown["content"]["action"]["buttons"]], ["cut", "other"])
        self.assertEqual(self.says(customer, "A cut", button="cut")[-1]["text"], "Which day?")
        self.assertEqual(self.says(customer, "someday")[-1]["text"], "Please write the date like 2026-11-24 or 24.11.2026.")
        self.assertEqual(self.says(customer, "24.11.2026")[-1]["text"], "Your e-mail?")
        self.assertEqual(self.says(customer, "Ana@Example.COM")[-1]["text"], "Noted: cut on 2026-11-24.")
        conversation = self.conversation(customer)
        self.assertEqual((conversation["tags"], conversation["custom_fields"], conversation["flow"]), (["wants-cut"], {"day": "2026-11-24"}, None))
        contact = self.daemon.ok(self.daemon.get(f"/api/v1/contacts/{conversation['contact_id']}/", key=self.key))
        self.assertEqual(contact["metadata"], {"mail": "Ana@example.com"})

    def test_the_same_over_invoke(self):
        self.make(self.booking)
        self.assertEqual(self.talk("order")["message"], "What can I do?\n\n1. A cut\n2. Something else")
        self.assertEqual(self.talk("1")["message"], "Which day?")
        self.assertEqual(self.talk("2026-02-30")["message"], "Please write the date like 2026-11-24 or 24.11.2026.")
        self.assertEqual(self.talk("2026-02-28")["message"], "Your e-mail?")
        self.assertEqual(self.talk("x@y.org")["message"], "Strange address.")

    def test_who_waits_for_one_answer_gets_all_that_was_said(self):
        self.make([{"type": "message", "text": "One."}, {"type": "message", "text": "Two."}])
        self.assertEqual(self.talk("order", "a")["message"], "One.\n\nTwo.")
        self.make([{"type": "message", "text": "Noted."}, {"type": "handoff", "text": "A colleague comes."}], {"type": "keyword", "keywords": ["repair"]})
        said = self.talk("repair", "b")["message"]
        self.assertTrue(said.startswith("Noted.") and "A colleague comes." in said, said)

    def test_an_exit_word_leaves_the_flow(self):
        self.make(self.booking, exit_words=["forget about it"], exit_text="As you like.")
        for number, word in enumerate(("cancel", "Abbrechen!", "olvídalo", "forget about it")):
            self.talk("order", f"t{number}")
            self.assertEqual(self.talk(word, f"t{number}")["message"], "As you like.")
            self.assertNotEqual(self.talk("1", f"t{number}")["message"], "Which day?")

    def test_a_person_in_the_middle_ends_it(self):
        self.make(self.booking)
        customer = self.new_customer()
        self.says(customer, "order")
        conversation = self.conversation(customer)["id"]
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/join/", {"name": "Rosa"}, key=self.key), 200)
        before = len(self.sent(customer))
        self.daemon.ok(self.daemon.post("/api/v1/sandbox/inbound/", {"from": customer, "text": "1"}, key=self.key), 202)
        wait_for(self.daemon.idle, "the turn to be over")
        self.assertEqual(len(self.sent(customer)), before, "the flow spoke over a person")
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/resolve/", {"return_to": "ai"}, key=self.key), 200)
        self.assertIsNone(self.conversation(customer)["flow"])
        self.assertEqual(self.says(customer, "order")[-1]["type"], "interactive")

    def test_who_asks_for_a_person_gets_one_from_any_step(self):
        self.make(self.booking)
        self.talk("order")
        self.talk("I want to talk to a human")
        conversation = self.daemon.conversations(key=self.key)[0]
        self.assertEqual((conversation["mode"], conversation["handoff"]["reason"]), ("human", "requested"))

    def test_a_loop_ends(self):
        self.make([{"type": "message", "id": "a", "text": "again"}, {"type": "jump", "to": "a"}])
        customer = self.new_customer()
        said = self.says(customer, "order", wait=26)
        self.assertEqual([m["text"] for m in said[:25]], ["again"] * 25)
        self.assertEqual(self.conversation(customer)["handoff"]["reason"], "flow")

    def test_the_middle_survives_a_kill(self):
        self.secret()
        self.make(order_steps(self.system.url))
        self.talk("order")
        self.system.gate = threading.Event()
        thread = threading.Thread(target=lambda: self.quietly("A123"))
        thread.start()
        wait_for(lambda: self.system.calls, "the call")
        self.daemon.kill()
        thread.join()
        self.system.gate.set()
        self.system.gate = None
        self.daemon.start()
        conversation = self.daemon.conversations(key=self.key)[0]["id"]
        wait_for(lambda: self.daemon.messages(conversation, key=self.key)[-1]["text"].startswith("Your order A123"), "the answer")
        self.assertEqual(len(self.system.calls), 2)
        self.assertEqual(*[call[2]["Idempotency-Key"] for call in self.system.calls], "a repetition must be known as one")

    def quietly(self, text):
        try:
            self.talk(text)
        except (OSError, AssertionError):
            pass

    def test_an_answer_from_the_knowledge_and_then_on(self):
        self.daemon.push("Opening hours", "When does the shop open? The shop opens at 9 in the morning on weekdays.", key=self.key)
        self.make([{"type": "ask", "text": "What would you like to know?", "save": "q"}, {"type": "answer"},
                   {"type": "ask", "text": "Anything else?", "save": "more"}, {"type": "end", "text": "You said {{more}}."}])
        customer = self.new_customer()
        self.says(customer, "order")
        said = self.says(customer, "When does the shop open?", wait=2)
        self.assertIn("9 in the morning", said[0]["text"])
        self.assertEqual((said[0]["source"], said[1]["text"]), ("knowledge", "Anything else?"))
        self.assertEqual(self.says(customer, "no")[-1]["text"], "You said no.")

    def test_a_wait_goes_on_by_itself(self):
        self.make([{"type": "message", "text": "Wait."}, {"type": "wait", "seconds": 1}, {"type": "end", "text": "Here I am."}])
        customer = self.new_customer()
        self.says(customer, "order")
        wait_for(lambda: [m["text"] for m in self.sent(customer)] == ["Wait.", "Here I am."], "the flow to wake")

    def test_events_begin_flows(self):
        self.make([{"type": "end", "text": "How was it? {{event.type}}"}], {"type": "event", "event": "handoff.resolved"})
        customer = self.new_customer()
        self.says(customer, "I want to talk to a human")
        conversation = self.conversation(customer)["id"]
        self.daemon.ok(self.daemon.post(f"/api/v1/conversations/{conversation}/resolve/", {"return_to": "ai"}, key=self.key), 200)
        wait_for(lambda: self.sent(customer)[-1]["text"] == "How was it? handoff.resolved", "the flow")

    def test_a_flow_books_and_fills_the_lead(self):
        hours = {"weekly": {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}
        settings = {"appointments": {"enabled": True, "time_zone": "UTC", "services": [{"id": "cut", "name": "Cut", "minutes": 30, "resources": ["ana"]}],
                                     "resources": [{"id": "ana", "name": "Ana"}], "hours": hours},
                    "leads": {"enabled": True, "fields": [{"name": "email", "type": "email"}]}}
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"settings": settings}, key=self.key))
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86400))
        self.make([{"type": "ask", "text": "When?", "save": "at"}, {"type": "ask", "text": "E-mail?", "save": "mail", "validation": {"type": "email"}},
                   {"type": "lead", "values": {"email": "{{mail}}"}, "on_error": "no"},
                   {"type": "book", "service": "cut", "starts_at": "{{at}}", "on_error": "no"},
                   {"type": "end", "text": "Booked {{appointment.starts_at}}."}, {"type": "end", "id": "no", "text": "No: {{error}}"}])
        for thread, want in (("a", f"Booked {day}T10:00:00Z."), ("b", "No: ")):
            self.talk("order", thread)
            self.talk(f"{day}T10:00", thread)
            self.assertTrue(self.talk("ana@shop.example", thread)["message"].startswith(want), thread)
        booked = self.daemon.ok(self.daemon.get("/api/v1/appointments/", key=self.key))["results"]
        leads = self.daemon.ok(self.daemon.get("/api/v1/leads/", key=self.key))["results"]
        self.assertEqual(([row["status"] for row in booked], len(leads)), (["booked"], 2))

    def test_first_contact_and_intent(self):
        self.make([{"type": "end", "text": "Welcome."}], {"type": "first_contact"})
        self.make([{"type": "end", "text": "Returns desk."}], {"type": "intent", "examples": ["I want to return an item", "send my shoes back"]})
        customer = self.new_customer()
        self.assertEqual(self.says(customer, "blue")[-1]["text"], "Welcome.")
        self.assertEqual(self.says(customer, "can I return this item?")[-1]["text"], "Returns desk.")
        self.assertEqual(self.says(customer, "sending shoes back")[-1]["text"], "Returns desk.")
        self.assertNotIn(self.says(customer, "do you sell shoes in blue?")[-1]["text"], ("Welcome.", "Returns desk."))


class Management(FlowCase):
    def test_flows_are_a_resource(self):
        """VIVO-11, on both surfaces."""
        for base in (self.flows, "/v1/flows"):
            made = self.daemon.ok(self.daemon.post(base, {"name": "Draft", "steps": []}, key=self.key), 201)
            path = base.rstrip("/") + "/" + made["id"]
            self.assertEqual((made["enabled"], made["version"]), (False, 0))
            changed = self.daemon.ok(self.daemon.patch(path, {"name": "Better"}, key=self.key), 200)
            self.assertEqual(changed["name"], "Better")
            listed = self.daemon.ok(self.daemon.get(base, key=self.key))
            self.assertIn(made["id"], [row["id"] for row in listed.get("results", listed.get("data"))])
            self.daemon.ok(self.daemon.call("PUT", path, {**changed, "name": "Whole"}, key=self.key), 200)
            self.assertEqual(self.daemon.ok(self.daemon.get(path, key=self.key))["name"], "Whole")
            self.daemon.ok(self.daemon.delete(path, key=self.key), 204)
            self.assertEqual(self.daemon.get(path, key=self.key).status, 404)

    def test_camel_case_leaves_the_customers_names_alone(self):
        steps = [{"type": "api_call", "id": "c", "url": "http://example.com/", "timeoutMs": 500, "save": {"my_name": "/x_y"},
                  "headers": {"X_My": "1"}, "onError": "c"}]
        made = self.daemon.ok(self.daemon.post("/v1/flows", {"name": "C", "steps": steps}, key=self.key), 201)
        self.assertEqual(made["steps"], steps)
        plain = self.daemon.ok(self.daemon.get(f"{self.flows}{made['id']}/", key=self.key))["steps"][0]
        self.assertEqual((plain["timeout_ms"], plain["on_error"], plain["save"]), (500, "c", {"my_name": "/x_y"}))

    def test_faults_are_named_by_their_place(self):
        trigger = {"type": "keyword", "keywords": ["x"]}
        say = {"type": "message", "text": "x"}
        cases = [
            ({"steps": [say, {"type": "dance"}]}, "steps/1/type"),
            ({"steps": [say, {"type": "ask", "text": "?"}]}, "steps/1/save"),
            ({"steps": [{"type": "message", "txt": "x"}]}, "steps/0/txt"),
            ({"steps": [{"type": "message", "text": "a {{b"}]}, "steps/0/text"),
            ({"steps": [{"type": "message", "text": "{{secret.x}}"}]}, "steps/0/text"),
            ({"steps": [{"type": "api_call", "url": "https://{{host}}/"}]}, "steps/0/url"),
            ({"steps": [{"type": "api_call", "url": "ftp://x/"}]}, "steps/0/url"),
            ({"steps": [{"type": "api_call", "url": "https://x/", "headers": {"Host": "y"}}]}, "steps/0/headers"),
            ({"steps": [{"type": "branch", "cases": [{"if": {"var": "a", "op": "??"}, "next": "b"}]}]}, "steps/0/cases/0/if"),
            ({"steps": [{"type": "buttons", "text": "x", "buttons": [{"title": "a"}, {"title": "a"}]}]}, "steps/0/buttons/1/title"),
            ({"steps": [{"type": "ask", "text": "?", "save": "a", "validation": {"type": "regex", "pattern": "("}}]}, "steps/0/validation"),
            ({"steps": [dict(say, id="a"), dict(say, id="a")]}, "steps/1/id"),
            ({"steps": [{"type": "jump", "to": "nowhere"}], "trigger": trigger, "enabled": True}, "steps/0/to"),
            ({"steps": [], "trigger": trigger, "enabled": True}, "steps"),
            ({"steps": [say], "enabled": True}, "trigger"),
            ({"steps": [say], "trigger": {"type": "event", "event": "message.sent"}}, "trigger/event"),
            ({"steps": [say], "trigger": {"type": "schedule", "cron": "61 * * * *", "tag": "t"}}, "trigger/cron"),
            ({"steps": [say], "timeout_minutes": 0}, "timeout_minutes"),
            ({"steps": [say], "colour": 1}, "colour"),
        ]
        for body, field in cases:
            answer = self.daemon.post(self.flows, {"name": "F", **body}, key=self.key)
            self.assertEqual((answer.status, answer.json["error"].get("field")), (400, field), (body, answer))
        self.assertEqual(self.daemon.ok(self.daemon.get(self.flows, key=self.key))["count"], 0)

    def test_who_is_in_a_version_stays_in_it(self):
        flow = self.make([{"type": "ask", "text": "one?", "save": "a"}, {"type": "end", "text": "old {{a}}"}])
        path = f"{self.flows}{flow['id']}/"
        self.assertEqual(self.talk("order", "early")["message"], "one?")
        steps = [{"type": "ask", "text": "two?", "save": "a"}, {"type": "end", "text": "new {{a}}"}]
        draft = self.daemon.ok(self.daemon.patch(path, {"steps": steps}, key=self.key), 200)
        self.assertEqual((draft["version"], draft["changed"]), (1, True))
        self.assertEqual(self.talk("order", "draft")["message"], "one?", "a draft must not run")
        published = self.daemon.ok(self.daemon.patch(path, {"enabled": True}, key=self.key), 200)
        self.assertEqual((published["version"], published["changed"]), (2, False))
        self.assertEqual(self.talk("order", "late")["message"], "two?")
        self.assertEqual(self.talk("x", "early")["message"], "old x")
        self.assertEqual(self.talk("x", "late")["message"], "new x")
        self.daemon.ok(self.daemon.patch(path, {"enabled": False}, key=self.key), 200)
        self.assertNotEqual(self.talk("order", "off")["message"], "two?")

    def test_a_test_run_has_no_effects(self):
        self.secret()
        flow = self.make(order_steps(self.system.url), enabled=False)
        path = f"{self.flows}{flow['id']}/test/"
        played = self.daemon.ok(self.daemon.post(path, {"messages": ["order", "nope", "A123"]}, key=self.key), 200)
        self.assertEqual([line.get("text") for line in played["transcript"] if line["from"] == "flow" and "text" in line],
                         ["Which order, Test?", "A letter and three digits, please.", "Your order A123 (sample sku) is sample state. sample echo"])
        self.assertEqual((played["state"]["ended"], self.system.calls, self.daemon.conversations(key=self.key)), (True, [], []))
        live = self.daemon.ok(self.daemon.post(path, {"messages": ["order", "A123"], "live_calls": True}, key=self.key), 200)
        self.assertEqual(live["transcript"][-2]["text"], "Your order A123 (ROLL) is on its way. Bearer ***")
        self.assertEqual(len(self.system.calls), 1)

    def test_the_schema_is_published(self):
        schema = self.daemon.ok(self.daemon.get("/api/v1/flows/schema/", key=self.key))
        kinds = {step["properties"]["type"]["const"] for step in schema["properties"]["steps"]["items"]["oneOf"]}
        self.assertEqual(kinds, {"message", "ask", "buttons", "list", "branch", "set", "tag", "answer", "api_call", "book", "lead",
                                 "handoff", "wait", "jump", "end"})

    def test_the_command_line_pushes_lists_and_tries(self):
        path = self.daemon.dir + "/flow.json"
        for text in ("Hello.", "Hi."):
            with open(path, "w", encoding="utf-8") as handle:
                json.dump({"name": "Greeting", "enabled": True, "trigger": {"type": "keyword", "keywords": ["hey"]},
                           "steps": [{"type": "end", "text": text}]}, handle)
            pushed = self.daemon.cli_json("flows", "push", path)
        self.assertEqual(pushed["version"], 2)
        self.assertEqual([row["id"] for row in self.daemon.cli_json("flows", "ls")["results"]], [pushed["id"]])
        self.assertIn("Hi.", self.daemon.cli("flows", "test", pushed["id"], "hey").stdout)


if __name__ == "__main__":
    unittest.main()
