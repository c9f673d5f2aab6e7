"""What the claims' tests share: one daemon for each page, a fresh account for each claim, the fakes it asks for.

A claim is a statement of a page that describes such an API: PAGE-NN. Its test is called test_PAGE_NN_what_it_says and checks it
against a running daemon. Claims that are figures are measured; the figure is told by self.measured().
"""
import http.client
import itertools
import json
import time
import unittest
import urllib.parse

from tests.fakes.graph import FakeGraph
from tests.fakes.model import FakeModel
from tests.fakes.website import Website
from tests.support.app import FakeApp
from tests.support.daemon import Daemon, wait_for

PAGES = {"CONVO": 58, "NEXV": 32, "ROVX": 46, "VIVI": 24, "VIVO": 22}
LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
SECOND = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
HOURS = ("Opening hours", "When does the shop open? The shop opens at 9 in the morning on weekdays.")
QUESTION = "When does the shop open?"


class Wire:
    """A keep-alive connection, for bursts and measurements: what the wire takes, not what a client library adds."""

    def __init__(self, url, key):
        target = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        self.headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, method, path, body=None):
        """The status and the headers."""
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers

    def times(self, count, method, path, body=None):
        """Milliseconds of each of that many calls, sorted; all must be 2xx."""
        found = []
        for _ in range(count):
            began = time.perf_counter()
            status, _ = self.call(method, path, body)
            found.append((time.perf_counter() - began) * 1000)
            assert 200 <= status < 300, f"{method} {path}: {status}"
        return sorted(found)


class Claim(unittest.TestCase):
    """One page's claims. self.live, self.test and self.agent belong to a fresh account of the enterprise plan."""
    options = {}
    numbers = itertools.count(551000)

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(**{"sign_in_limit": 0, "address_limit": 0, "crawl_delay": "0s", **cls.options}).start()
        cls.addClassCleanup(cls.daemon.close)

    def setUp(self):
        self.figures = []
        made = self.account("enterprise")
        self.live, self.test, self.agent = made["live_key"], made["test_key"], made["agent_id"]
        self.base = f"/api/v1/agents/{self.agent}"

    def measured(self, text):
        """A figure, told in the table."""
        self.figures.append(text)

    def note(self, text):
        """The row says something that cannot be tested."""
        self.skipTest("note: " + text)

    # -- calls: with the test key unless said otherwise --
    def account(self, plan, daemon=None):
        return (daemon or self.daemon).cli_json("accounts", "create", "--name", plan, "--plan", plan)

    def call(self, method, path, body=None, key=None, **kwargs):
        return self.daemon.call(method, path, body, key=self.test if key is None else key, **kwargs)

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, {} if body is None else body, **kwargs)

    def patch(self, path, body, **kwargs):
        return self.call("PATCH", path, body, **kwargs)

    def delete(self, path, **kwargs):
        return self.call("DELETE", path, **kwargs)

    def ok(self, answer, *statuses):
        return self.daemon.ok(answer, *statuses)

    def document(self):
        """The API's own description."""
        return self.get("/openapi.json", key=False).json

    def operations(self, prefix):
        """(method, path) of each operation below a path."""
        methods = ("get", "post", "put", "patch", "delete")
        return {(method.upper(), path) for path, item in self.document()["paths"].items() for method in methods
                if method in item and (path == prefix or path.startswith(prefix + "/"))}

    # -- what stories are made of --
    def leave(self, close):
        """Closes a fake once nothing that needs it waits any more: a job left behind would be tried for long."""
        self.addCleanup(close)
        self.addCleanup(wait_for, self.daemon.idle, "idle")

    def teach(self, title, content, key=None, **fields):
        """A document of the agent's own knowledge."""
        return self.ok(self.post(self.base + "/knowledge/", {"title": title, "content": content, "doc_type": "text", **fields}, key=key), 201)

    def ask(self, message, key=None, **fields):
        """Talks to the agent; the whole answer."""
        return self.ok(self.post(self.base + "/invoke/", {"message": message, **fields}, key=key), 200)

    def settings(self, key=None, **sections):
        return self.ok(self.patch(self.base + "/settings/", sections, key=key))

    def knows(self, question, word, want=True):
        """Waits until the answer to a question has the word, or has it no more."""
        wait_for(lambda: (word in self.ask(question)["message"]) == want, f"{word!r} {'in' if want else 'gone from'} the answer")

    def graph(self, key=None, **fields):
        """A WhatsApp number whose platform is a fake."""
        number = str(next(self.numbers))
        graph = FakeGraph(phone_number_id=number)
        self.leave(graph.__exit__)
        graph.channel = self.daemon.whatsapp(graph.url, phone_number_id=number, key=key or self.live, agent=self.agent, **fields)
        graph.attach(self.daemon.url + graph.channel["webhook_path"])
        return graph

    def model(self, key=None, text="I am a model."):
        """A fake model that writes the agent's answers; every question reaches it."""
        model = FakeModel(text)
        self.leave(model.close)
        self.ok(self.patch(self.base + "/", {"model": model.settings, "settings": {
            "chat": {"confidence_threshold": 0, "fallback_behavior": "TRY_ANYWAY"}}}, key=key))
        return model

    def app(self, *events, key=None, **fields):
        """A customer's app that takes these events."""
        app = FakeApp()
        self.leave(app.__exit__)
        app.hook = self.ok(self.post("/v1/webhooks", {"url": app.url, "events": list(events or ["*"]), **fields}, key=key), 201)
        return app

    def site(self):
        site = Website()
        self.leave(site.close)
        return site

    def upload(self, name, data, kind="text/plain"):
        answer = self.call("POST", f"/api/v1/files/?name={name}", data, headers={"Content-Type": kind})
        return self.ok(answer, 201)["files"][0]

    def writes(self, customer, text, **fields):
        """A simulated customer writes over the sandbox's WhatsApp."""
        self.ok(self.post("/api/v1/sandbox/inbound/", {"from": customer, "text": text, "agent_id": self.agent, **fields}), 202)

    def conversations(self, key=None):
        return self.ok(self.get("/api/v1/conversations/?page_size=100", key=key))["results"]

    def settled(self, document):
        """Waits until a source was read; how it is then."""
        path = f"{self.base}/knowledge/{document['id']}/"
        return wait_for(lambda: (now := self.ok(self.get(path)))["status"] in ("ready", "failed") and now, "the source to be read")

    def unknown(self, path, verbs=("GET",), body=None):
        """404 for each verb."""
        self.assertEqual({verb: self.call(verb, path, None if verb in ("GET", "DELETE") else body or {}).status for verb in verbs},
                         dict.fromkeys(verbs, 404))

    def story(self, case, name):
        """Runs a story of the integration tests as part of this claim's check."""
        case(name).debug()
