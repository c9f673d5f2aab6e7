"""Nobody reaches another's things: every route of the document with ids and keys that must not work, cell by cell.

The routes come from /openapi.json, which is made from the route table; test_the_document_has_every_row holds the two together.
"""
import os
import re
import unittest

from tests.support.api import Shop, operations
from tests.support.daemon import ROOT, Daemon, wait_for

FREE = "0,0,0"
ACCOUNT_WIDE = {"key"}  # keys are managed for both modes of an account
NO_RECORD = {"section", "platform", "name"}  # words, not ids
FILTERS = {"name"}  # a template's name narrows a list of the agent's own, and may be known to the platform alone
MALFORMED = ("x", "%27%20or%20%271%27=%271", "a" * 300, "%F0%9F%94%91")
NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class IsolationCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(plan_enterprise=FREE, address_limit=0, sign_in_limit=0).start()
        cls.addClassCleanup(cls.daemon.close)
        cls.operations = operations(cls.daemon.get("/openapi.json", key=False).json)
        other = cls.daemon.cli_json("accounts", "create", "--name", "Neighbour")
        cls.shop = cls.open(cls.daemon.live, cls.daemon.agent)
        cls.tested = cls.open(cls.daemon.test, cls.daemon.agent)
        cls.other = cls.open(other["live_key"], other["agent_id"])
        cls.shops = (cls.shop, cls.tested, cls.other)
        cls.deleted = cls.delete_some()
        cls.cells, cls.failures = 0, []

    @classmethod
    def open(cls, key, first=None):
        """A shop; without the account's first agent, its own becomes what a path without an agent means."""
        if first:
            cls.daemon.ok(cls.daemon.delete(f"/api/v1/agents/{first}/", key=key), 204)
        shop = Shop(cls.daemon, key)
        cls.addClassCleanup(shop.close)
        return shop

    @classmethod
    def delete_some(cls):
        """A second shop in the same account, all of it deleted again; what cannot be deleted gets ids that never were."""
        shop = cls.open(cls.daemon.live)
        base = f"/api/v1/agents/{shop.ids['agent']}"
        for path in (f"/api/v1/leads/{shop.ids['lead']}/", f"/api/v1/appointments/{shop.ids['appointment']}/",
                     f"/api/v1/conversations/{shop.ids['conversation']}/", f"/api/v1/keys/{shop.ids['key']}/",
                     f"{base}/knowledge/{shop.ids['document']}/", f"{base}/webhooks/{shop.ids['webhook']}/",
                     f"{base}/channels/{shop.ids['channel']}/", f"/api/v1/integrations/{shop.ids['integration']}/", base + "/"):
            cls.daemon.ok(cls.daemon.delete(path), 204)
        prefixes = {"contact": "con", "file": "fil", "hook": "hok", "quarantine": "qua", "letter": "dlq", "segment": "seg"}
        return {**shop.ids, **{name: f"{prefix}_{NOWHERE}" for name, prefix in prefixes.items()}}

    def cell(self, label, answer, statuses):
        """Counts one cell; a failed one is kept for the end, so that one run shows all of them."""
        type(self).cells += 1
        wrong = answer.status not in statuses or (answer.status >= 400 and "error" not in (answer.json or {}))
        if wrong:
            self.failures.append(f"{label}: {answer.status}, wanted {statuses}: {answer.body[:160]!r}")

    def ask(self, operation, key, values, label, statuses):
        answer = self.daemon.call(operation.method, operation.url(values), operation.body(), key=key, head_only=operation.endless)
        self.cell(f"{operation} {label}", answer, statuses)
        for shop in self.shops:
            if shop.key != key and shop.canary.encode() in answer.body and "/keys" not in operation.path:
                self.failures.append(f"{operation} {label}: holds a text of another")
        return answer

    def done(self, name):
        print(f"      {name}: cells run {self.cells}, cells failed {len(self.failures)}", flush=True)
        self.assertEqual(self.failures, [], "\n".join(self.failures[:40]))

    def setUp(self):
        type(self).cells, type(self).failures = 0, []

    def keyed(self):
        return [operation for operation in self.operations if operation.scope]

    def state(self):
        """Everything of the shop that reading shows, but for the marks of reading itself."""
        seen = {}
        for operation in self.keyed():
            if operation.method == "GET" and not operation.test_only and not operation.endless and set(operation.params) <= set(self.shop.ids):
                answer = self.daemon.get(operation.url(self.shop.ids))
                self.assertEqual(answer.status, 200, operation)
                marks = rb'"(last_?[uU]sed_?[aA]t|invitation_?[uU]rl|feed_?[uU]rl)": ?("[^"]*"|null)'  # sealed anew for each answer
                seen[operation.path] = re.sub(marks, b"", answer.body)
        return {path: body for path, body in seen.items() if "/audit" not in path}


class Document(IsolationCase):
    def test_the_document_has_every_row(self):
        with open(os.path.join(ROOT, "bridge/api/tbl_routes.h"), encoding="utf-8") as handle:
            rows = re.findall(r'^ROUTE\("(\w+)", "([^"]+)", ([A-Z0-9_ |]+), "(\w*)"', handle.read(), re.M)
        wanted = set()
        for method, path, surfaces, scope in rows:
            path = path if path == "/" else path.rstrip("/")
            prefixes = {"ON_API": ["/api/v1"], "ON_V1": ["/v1"], "ON_BOTH": ["/api/v1", "/v1"], "ON_ROOT": [""], "ON_VIVI": ["/channelsApi"]}
            for word in re.findall(r"ON_\w+", surfaces):
                wanted |= {(method, prefix + path, scope) for prefix in prefixes.get(word, [])}
        self.assertEqual({(o.method, o.path, o.scope) for o in self.operations}, wanted)


class Ids(IsolationCase):
    def test_every_route_with_every_id_that_is_not_ours(self):
        before = self.state()
        for operation in self.keyed():
            shop = self.tested if operation.test_only else self.shop
            for param in set(operation.params) - FILTERS:
                self.foreign_ids(operation, shop, param)
        after = self.state()
        for path, body in before.items():
            self.assertEqual(after[path], body, path)
        self.done("ids that must not work")

    def foreign_ids(self, operation, shop, param):
        own = {**{name: f"no_{NOWHERE}" for name in operation.params}, **shop.ids}
        strangers = {"another account's": self.other.ids, "the other mode's": self.tested.ids, "a deleted one's": self.deleted}
        missing = None
        for label, ids in strangers.items():
            if param in NO_RECORD or param not in ids or (param in ACCOUNT_WIDE and ids is self.tested.ids):
                continue
            answer = self.ask(operation, shop.key, {**own, param: ids[param]}, f"{{{param}}} {label}", (404,))
            said = (answer.json or {}).get("message")
            missing = missing or said
            if said != missing:
                self.failures.append(f"{operation} {{{param}}} {label}: tells {said!r}, not {missing!r}")
        other_type = shop.ids["key" if param != "key" else "agent"]
        self.ask(operation, shop.key, {**own, param: other_type}, f"{{{param}}} of another type", (404,))
        for text in MALFORMED:
            self.ask(operation, shop.key, {**own, param: text}, f"{{{param}}} {text[:12]}", (400, 404))

    def test_what_belongs_to_another_agent_of_ours_is_not_found_under_this_one(self):
        second = self.daemon.ok(self.daemon.post("/api/v1/agents/", {"name": "Second"}), 201)["id"]
        for operation in self.keyed():
            inner = [name for name in operation.params if name not in NO_RECORD | {"agent"}]
            if "agent" in operation.params and inner and set(inner) <= set(self.shop.ids):
                self.ask(operation, self.shop.key, {**self.shop.ids, "agent": second}, "under another agent", (404,))
        self.daemon.ok(self.daemon.delete(f"/api/v1/agents/{second}/"), 204)
        self.done("ids under another agent")

    def test_another_accounts_key_and_the_other_modes_key_find_nothing(self):
        for operation in self.keyed():
            if not set(operation.params) - NO_RECORD or operation.test_only:
                continue
            for label, key in (("another account's key", self.other.key), ("the other mode's key", self.tested.key)):
                own = {**{name: f"no_{NOWHERE}" for name in operation.params}, **self.shop.ids}
                if "key" in operation.params and key == self.tested.key:
                    self.ask(operation, key, own, label, (200,) if operation.method == "GET" else (403,))
                else:
                    self.ask(operation, key, own, label, (404,))
        self.done("keys of others")

    def test_lists_show_nothing_of_others(self):
        for operation in self.keyed():
            if operation.method == "GET" and not operation.params:
                for shop in self.shops:
                    wrong_mode = operation.test_only and shop is not self.tested
                    self.ask(operation, shop.key, {}, "list", (403,) if wrong_mode else (200,))
        self.done("lists")


class Keys(IsolationCase):
    def test_every_route_with_every_scope_and_without_a_good_key(self):
        bad = {"no key": False, "a revoked key": self.revoked(), "an expired key": self.expired(), "nonsense": "ck_live_nonsense"}
        scoped = {scope: self.make_key(scopes=[scope]) for scope in ("read", "messages", "knowledge", "admin")}
        scoped_test = {scope: self.make_key(scopes=[scope], mode="test") for scope in scoped}
        for operation in self.keyed():
            nowhere = {name: f"no_{NOWHERE}" for name in operation.params}
            for label, key in bad.items():
                self.ask(operation, key, nowhere, label, (401,))
            for scope, key in (scoped_test if operation.test_only else scoped).items():
                allowed = operation.scope in ("any", scope) or scope == "admin"
                answer = self.daemon.call(operation.method, operation.url(nowhere), {} if operation.method != "GET" else None, key=key,
                                          head_only=operation.endless)
                fine = range(200, 500) if allowed else (403,)
                self.cell(f"{operation} scope {scope}", answer, [s for s in fine if not allowed or s not in (401, 403)])
        self.done("keys and scopes")

    def make_key(self, **fields):
        return self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "cell", **fields}), 201)["key"]

    def revoked(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "revoked"}), 201)
        self.daemon.ok(self.daemon.delete(f"/api/v1/keys/{made['id']}/"), 204)
        return made["key"]

    def expired(self):
        made = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "ending"}), 201)
        self.daemon.ok(self.daemon.post(f"/api/v1/keys/{made['id']}/rotate/", {"overlap_s": 1}), 201)
        wait_for(lambda: self.daemon.get("/api/v1/me/", key=made["key"]).status == 401, "the key to expire")
        return made["key"]

    def test_administration_does_not_exist_for_the_network(self):
        for path in ("accounts", "status", "queue", "backup"):
            for method in ("GET", "POST"):
                self.cell(f"{method} /admin/{path}/", self.daemon.call(method, f"/admin/{path}/", {} if method == "POST" else None), (404,))
        self.done("administration")


class References(IsolationCase):
    def test_ids_in_bodies_queries_and_cursors(self):
        ids = self.shop.ids
        agent, talk = f"/api/v1/agents/{ids['agent']}", f"/api/v1/conversations/{ids['conversation']}"
        for label, others in (("another account's", self.other.ids), ("the other mode's", self.tested.ids), ("a deleted one's", self.deleted)):
            refused = (
                ("POST", agent + "/messages/", {"to": "+14155550123", "text": "x", "channel_id": others["channel"]}),
                ("PATCH", agent + "/", {"knowledge": {"collections": [others["agent"]]}}),
                ("POST", talk + "/feedback/", {"rating": "up", "message_id": others["message"]}),
                ("POST", "/v1/messages", {"message": "x", "conversationId": others["conversation"]}),
                ("POST", "/api/v1/hooks/replay/", {"since": "2026-01-01T00:00:00Z", "channel_id": others["channel"]}),
            )
            for method, path, body in refused:
                answer = self.daemon.call(method, path, body)
                ours = others is self.deleted and path.endswith("/replay/")  # posts outlive the channel they came to
                empty = answer.status == 202 and answer.json.get("replayed") == 0
                self.cell(f"{method} {path} {label}", answer, (202,) if empty or ours else (400, 404, 422))
            for path, param in (("/api/v1/conversations/", "agent_id"), ("/api/v1/hooks/", "channel_id")):
                if others is self.deleted and path.endswith("/hooks/"):
                    continue  # what came to a channel of ours stays, also when the channel is gone
                answer = self.daemon.get(f"{path}?{param}={others[param[:-3]]}")
                self.cell(f"GET {path}?{param} {label}", answer, (200, 400, 404))
                self.assertEqual((answer.json or {}).get("results", []), [], path)
        self.done("references")

    def test_cursors_are_bound_to_account_mode_and_filter(self):
        page = self.daemon.ok(self.daemon.get("/api/v1/events/?page_size=1", key=self.other.key))
        cursor = re.search(r"cursor=([^&]+)", page["next"]).group(1)
        for key, query in ((self.shop.key, ""), (self.tested.key, ""), (self.other.key, "&types=message.sent")):
            self.cell(f"cursor {query}", self.daemon.get(f"/api/v1/events/?cursor={cursor}{query}", key=key), (400,))
        self.cell("own cursor", self.daemon.get(f"/api/v1/events/?cursor={cursor}", key=self.other.key), (200,))
        self.done("cursors")

    def test_an_idempotency_key_means_nothing_to_others(self):
        made = [self.daemon.post("/api/v1/agents/", {"name": "Same"}, key=shop.key, headers={"Idempotency-Key": "same"})
                for shop in self.shops]
        self.assertEqual([answer.status for answer in made], [201] * 3)
        self.assertEqual(len({answer.json["id"] for answer in made}), 3)
        self.assertTrue(all("idempotency-replayed" not in answer.headers for answer in made))


class Own(IsolationCase):
    def test_every_route_with_our_own_ids_works(self):
        """The other half of the matrix: a test that refuses everybody would pass without it. Deletions come last."""
        order = {"GET": 0, "POST": 1, "PATCH": 2, "PUT": 3, "DELETE": 4}
        unmade, shops = set(), {}
        home = lambda operation: (operation.path.startswith("/api"), "agent" in operation.params, "collection" in operation.params, "/zapier" in operation.path)  # so that each deletes its own
        for place in {home(operation) for operation in self.keyed()}:
            made = self.daemon.cli_json("accounts", "create", "--name", "Own")
            shops[place] = self.open(made["live_key"], made["agent_id"])
        whole = lambda o: o.method == "DELETE" and o.path.endswith("/contacts/{contact}")  # an erasure takes much with it
        for operation in sorted(self.keyed(), key=lambda o: (order[o.method], whole(o), -o.path.count("/"), -len(o.params), o.path)):
            shop = self.tested if operation.test_only else shops[home(operation)]
            if set(operation.params) <= set(shop.ids):
                self.own(operation, shop)
            unmade |= set(operation.params) - set(shop.ids)
        print("      no record of its own was made for:", ", ".join(sorted(unmade)) or "-", flush=True)
        self.done("own ids")

    def own(self, operation, shop):
        values = dict(shop.ids)
        if operation.method == "POST" and operation.path.endswith("/keys/{key}/rotate"):
            values["key"] = self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "to rotate"}, key=shop.key), 201)["id"]
        body = operation.body()
        if operation.path.endswith("/channels") and body:
            body = {"type": "api", "name": "Till"}
        if operation.path.endswith("/knowledge") and body:
            body["content"] = "Some text."
        answer = self.daemon.call(operation.method, operation.url(values), body, key=shop.key, head_only=operation.endless)
        # 400 and 422: the smallest body may be no sensible one; what matters is that the id was found.
        self.cell(f"{operation} own", answer, (200, 201, 202, 204, 400, 409, 422))
