"""The API as its own document tells it: operations, bodies that their schemas take, shops full of things to ask for."""
import itertools
import re
import secrets

from tests.fakes.graph import FakeGraph
from tests.support.app import FakeApp
from tests.support.daemon import wait_for

METHODS = ("get", "post", "put", "patch", "delete")
VALUES = {"to": "+14155550123", "from": "+14155550123", "url": "http://127.0.0.1:9/", "since": "2026-01-01T00:00:00Z",
          "type": "text", "text": "Good evening.", "events": ["message.received"], "rating": "up"}


class Operation:
    """One method of one path; .params are the names in the path, .scope is "" when no key is needed."""

    def __init__(self, document, method, path, item):
        self.document, self.method, self.path, self.item = document, method.upper(), path, item
        self.params = re.findall(r"\{(\w+)\}", path)
        self.scope = item.get("x-scope", "")
        self.test_only = item.get("x-mode") == "test"
        self.endless = method == "get" and "text/event-stream" in item["responses"].get("200", {}).get("content", {})

    def __repr__(self):
        return f"{self.method} {self.path}"

    def url(self, values):
        return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], self.path)

    def body(self, **fields):
        """The smallest body that the schema takes; None when the operation takes none."""
        if self.method in ("GET", "DELETE") and "requestBody" not in self.item:
            return None
        schema = self.item.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        schema = resolve(self.document, schema)
        required = [] if self.method == "PATCH" else schema.get("required", [])
        return {**{name: VALUES.get(name, sample(self.document, schema["properties"][name])) for name in required}, **fields}


def resolve(document, schema):
    """The schema behind a reference."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def sample(document, schema):
    """Some value the schema takes."""
    schema = resolve(document, schema)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "something", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}[kind]


def operations(document):
    """Every operation of the document."""
    return [Operation(document, method, path, item[method])
            for path, item in document["paths"].items() for method in METHODS if method in item]


class Shop:
    """An account in one mode with one of everything; .ids has an id for each parameter of a path. Every text holds .canary."""
    numbers = itertools.count(880001)

    def __init__(self, daemon, key, graph=None):
        self.daemon, self.key = daemon, key
        self.canary = "canary" + secrets.token_hex(8)
        self.graph = graph or FakeGraph(phone_number_id=str(next(self.numbers)))
        self.stray = FakeGraph(phone_number_id=str(next(self.numbers)))
        self.app = FakeApp().__enter__()
        self.ids = {"section": "chat", "platform": "whatsapp"}
        self.fill()

    def close(self):
        for fake in (self.graph, self.stray, self.app):
            fake.__exit__()

    def make(self, path, body, *statuses):
        return self.daemon.ok(self.daemon.post(path, body, key=self.key), *statuses)

    def rows(self, path):
        return self.daemon.ok(self.daemon.get(path, key=self.key))["results"]

    def fill(self):
        """Makes one of everything; what takes a while is waited for."""
        made = self.make("/api/v1/agents/", {"name": "Agent " + self.canary}, 201)
        base = f"/api/v1/agents/{made['id']}"
        self.ids.update(agent=made["id"], collection=made["collection_id"],
                        key=self.make("/api/v1/keys/", {"name": "Key " + self.canary}, 201)["id"],
                        document=self.daemon.push("Hours " + self.canary, f"When does the shop open? At nine, {self.canary}.",
                                                  key=self.key, agent=made["id"])["id"])
        self.daemon.ok(self.daemon.patch(f"{base}/settings/", {
            "leads": {"enabled": True, "fields": [{"name": "email", "type": "email"}]},
            "appointments": {"enabled": True, "services": [{"id": "visit", "minutes": 30}]}}, key=self.key))
        self.ids["lead"] = self.make("/api/v1/leads/", {"agent_id": made["id"], "fields": {"email": f"{self.canary}@example.com"}}, 201)["id"]
        slot = self.daemon.ok(self.daemon.get(f"{base}/availability/", key=self.key))["slots"][0]
        self.ids["appointment"] = self.make("/api/v1/appointments/", {"agent_id": made["id"], "starts_at": slot["starts_at"],
                                                                      "name": self.canary}, 201)["id"]
        uploaded = self.daemon.call("POST", "/api/v1/files/?name=a.txt", self.canary.encode(), key=self.key,
                                    headers={"Content-Type": "text/plain"})
        self.ids["file"] = self.daemon.ok(uploaded, 201)["files"][0]["id"]
        self.ids["segment"] = self.make("/api/v1/insights/segments/", {"name": self.canary, "rules": {"language": "en"}}, 201)["id"]
        channel = self.daemon.whatsapp(self.graph.url, phone_number_id=self.graph.phone_number_id, key=self.key, agent=made["id"])
        self.ids["channel"] = channel["id"]
        self.ids["integration"] = self.make("/api/v1/integrations/", {"type": "zapier", "name": self.canary, "events": ["webhook.test"],
                                                                      "config": {"webhook_url": self.app.url}}, 201)["id"]
        self.ids["webhook"] = self.make(base + "/webhooks/", {"url": self.app.url, "events": ["*"], "description": self.canary}, 201)["id"]
        self.make(f"{base}/webhooks/{self.ids['webhook']}/test/", {})
        for graph, text in ((self.graph, "When does the shop open? " + self.canary), (self.stray, self.canary)):
            graph.attach(self.daemon.url + channel["webhook_path"])
            assert graph.says("+16505551234", text).status == 200
        mine = lambda: [row for row in self.rows("/api/v1/conversations/") if row["agent_id"] == made["id"]]
        conversation = wait_for(mine, "the conversation")[0]
        self.ids.update(conversation=conversation["id"], contact=conversation["contact_id"],
                        message=wait_for(lambda: self.daemon.messages(conversation["id"], key=self.key), "its message")[0]["id"],
                        quarantine=wait_for(lambda: self.rows(f"{base}/channels/{channel['id']}/quarantine/"), "the quarantine")[0]["id"],
                        hook=wait_for(lambda: self.rows("/api/v1/hooks/"), "the stored post")[0]["id"],
                        delivery=wait_for(lambda: self.rows(f"{base}/webhooks/{self.ids['webhook']}/deliveries/"), "a delivery")[0]["id"])
        wait_for(self.daemon.idle, "the queues to empty")
        self.ids["turn"] = self.daemon.ok(self.daemon.get(f"/api/v1/messages/{self.ids['message']}/trace/", key=self.key))["id"]
