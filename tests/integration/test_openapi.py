"""The API's own document: complete, true of every route, clean under the common linters."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from tests.integration.test_isolation import Own as EveryRoute
from tests.support import traffic
from tests.support.daemon import Daemon
from tests.support.daemon import http as http_call


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.addClassCleanup(cls.daemon.close)
        cls.document = cls.daemon.get("/openapi.json", key=False).json

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield f"{method.upper()} {path}", operation

    def test_every_operation_says_what_it_answers(self):
        without = [name for name, operation in self.operations() if not any(
            status.startswith("2") and ("content" in response or status == "204" or name.startswith("POST /hooks/"))
            for status, response in operation["responses"].items())]
        self.assertEqual(without, [])
        vague = [name for name, operation in self.operations() for status, response in operation["responses"].items()
                 if status.startswith("2") and response.get("content", {}).get("application/json", {}).get("schema") == {"type": "object"}]
        self.assertEqual(vague, ["GET /channelsApi/{channel}/openapi.json", "GET /openapi.json"])

    def test_operation_ids_are_unique_and_references_lead_somewhere(self):
        ids = [operation["operationId"] for _, operation in self.operations()]
        self.assertEqual(len(ids), len(set(ids)))

        def walk(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    kind, name = node["$ref"].removeprefix("#/components/").split("/")
                    self.assertIn(name, self.document["components"][kind])
                for value in node.values():
                    walk(value)
            elif isinstance(node, list):
                for value in node:
                    walk(value)
        walk(self.document)

    def test_the_checker_refuses_what_does_not_fit(self):
        root = {"components": {"schemas": {"A": {"type": "object", "required": ["n"], "additionalProperties": False, "properties": {
            "n": {"type": "integer", "maximum": 3}, "s": {"type": ["string", "null"], "enum": ["a", None]}, "l": {"type": "array", "maxItems": 1}}}}}}
        schema = {"$ref": "#/components/schemas/A"}
        for value, fits in (({"n": 1}, True), ({"n": 1, "s": None, "l": [{}]}, True), ({}, False), ({"n": "1"}, False), ({"n": True}, False),
                            ({"n": 4}, False), ({"n": 1, "s": "b"}, False), ({"n": 1, "l": [1, 2]}, False), ({"n": 1, "x": 1}, False), ([], False)):
            self.assertEqual(traffic.faults(schema, value, root) == [], fits, value)


class Linters(unittest.TestCase):
    """Redocly's recommended rules and Spectral's OpenAPI rules, from npm, into a folder of their own outside the tree."""
    packages = ("@redocly/cli@1.34.5", "@stoplight/spectral-cli@6.15.0")

    @classmethod
    def setUpClass(cls):
        if not shutil.which("npm"):
            raise unittest.SkipTest("npm is not installed")
        cls.tools = os.environ.get("TEST_NPM", os.path.join(tempfile.gettempdir(), "chasqui-npm"))
        if not all(os.path.exists(os.path.join(cls.tools, "node_modules/.bin", tool)) for tool in ("redocly", "spectral")):
            os.makedirs(cls.tools, exist_ok=True)
            done = subprocess.run(["npm", "install", "--prefix", cls.tools, "--no-audit", "--no-fund", "--silent", *cls.packages],
                                  capture_output=True, text=True, timeout=500)
            if done.returncode != 0:
                raise unittest.SkipTest("npm could not install the linters: " + done.stderr.strip()[-200:])
        cls.work = tempfile.mkdtemp(prefix="chasqui-lint-")
        cls.addClassCleanup(shutil.rmtree, cls.work)
        with Daemon(public_url="https://chasqui.shop.test") as daemon:
            with open(os.path.join(cls.work, "openapi.json"), "wb") as handle:
                handle.write(http_call("GET", daemon.url + "/openapi.json").body)

    def lint(self, tool, *args):
        env = {**os.environ, "REDOCLY_TELEMETRY": "off", "CI": "1", "NO_COLOR": "1"}
        return subprocess.run([os.path.join(self.tools, "node_modules/.bin", tool), "lint", "openapi.json", *args], cwd=self.work,
                              capture_output=True, text=True, env=env, timeout=120)

    def test_redocly_recommended_finds_nothing(self):
        done = self.lint("redocly", "--extends=recommended", "--format=json")
        found = json.loads(done.stdout[done.stdout.index("{"):])
        print("      redocly:", found["totals"], flush=True)
        problems = [f"{p['ruleId']}: {p['message'][:120]} {p['location'][0].get('pointer', '')}" for p in found["problems"]]
        self.assertEqual(problems[:20], [])

    def test_spectral_oas_finds_nothing(self):
        with open(os.path.join(self.work, "rules.json"), "w", encoding="utf-8") as handle:
            json.dump({"extends": ["spectral:oas"]}, handle)
        done = self.lint("spectral", "--ruleset", "rules.json", "--format", "json", "--fail-severity", "hint")
        found = json.loads(done.stdout[done.stdout.index("["):done.stdout.rindex("]") + 1])
        print(f"      spectral: {len(found)} findings", flush=True)
        self.assertEqual([f"{p['code']}: {p['message'][:120]} {'/'.join(map(str, p['path']))}" for p in found][:20], [])


class Declared(EveryRoute):
    """Every route with our own ids, as in test_isolation, and then: no answer holds a field that the document does not tell of."""

    def test_every_route_with_our_own_ids_works(self):
        super().test_every_route_with_our_own_ids_works()
        document = traffic.document_of(lambda: http_call("GET", self.daemon.url + "/openapi.json"))
        self.assertEqual(sorted(document.undeclared), [])


del EveryRoute
