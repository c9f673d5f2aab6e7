"""The page on which people read and try the API: whole, ours alone, under a strict policy, in a real browser."""
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from tests.support.browser import Browser
from tests.support.daemon import Daemon, http

# Smaller texts are sent as they are: packing would not save a packet.
WORTH_PACKING = 1024
POLICY = {"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"}


def axe_script():
    """axe-core's file, from npm, in the folder of the linters."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("npm is not installed")
    tools = os.environ.get("TEST_NPM", os.path.join(tempfile.gettempdir(), "chasqui-npm"))
    script = os.path.join(tools, "node_modules", "axe-core", "axe.min.js")
    if not os.path.exists(script):
        os.makedirs(tools, exist_ok=True)
        done = subprocess.run(["npm", "install", "--prefix", tools, "--no-audit", "--no-fund", "--silent", "axe-core@4.14.1"],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise unittest.SkipTest("npm could not install axe-core: " + done.stderr.strip()[-200:])
    return script


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().start()
        cls.addClassCleanup(cls.daemon.close)

    def get(self, path, **headers):
        return http("GET", self.daemon.url + path, headers=headers)

    def test_every_file_comes_with_the_policy_compressed_or_not_and_only_once(self):
        page = self.get("/docs")
        self.assertEqual((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(self.get("/docs/").body, page.body)
        for name in ("", "page.js", "page.css", "swagger-ui-bundle.js", "swagger-ui.css"):
            plain, packed = self.get("/docs/" + name), self.get("/docs/" + name, **{"Accept-Encoding": "br, gzip"})
            self.assertEqual((plain.status, packed.status), (200, 200), name)
            if len(plain.body) >= WORTH_PACKING:
                self.assertEqual((packed.headers["content-encoding"], gzip.decompress(packed.body)), ("gzip", plain.body), name)
            else:
                self.assertEqual(packed.body, plain.body, name)
            self.assertNotIn("content-encoding", self.get("/docs/" + name, **{"Accept-Encoding": "gzip;q=0"}).headers)
            policy = {part.strip() for part in plain.headers["content-security-policy"].split(";")}
            self.assertLessEqual(POLICY, policy)
            self.assertNotIn("unsafe", plain.headers["content-security-policy"])
            self.assertEqual(plain.headers["x-content-type-options"], "nosniff")
            self.assertEqual(self.get("/docs/" + name, **{"If-None-Match": packed.headers["etag"]}).status, 304)
        self.assertEqual(self.get("/docs/nothing.js").status, 404)

    def test_a_browser_shows_every_operation_and_makes_a_call_with_a_test_key(self):
        document = http("GET", self.daemon.url + "/openapi.json").json
        methods = ("get", "post", "put", "patch", "delete")
        wanted = sum(method in methods for item in document["paths"].values() for method in item)
        with Browser() as browser:
            browser.resize(1200, 30000)  # the viewer draws what is in view
            browser.open(self.daemon.url + "/docs")
            browser.wait(f"document.querySelectorAll('.opblock').length === {wanted}", f"{wanted} operations")
            self.assertIn("Chasqui", browser.run("document.querySelector('.info .title').textContent"))
            self.authorize(browser)
            shown = self.call_me(browser)
            self.assertEqual((shown["status"], json.loads(shown["body"])["api_version"]), ("200", "v1.4"))
            self.assertIn(self.daemon.url + "/api/v1/me", browser.requests)
            self.assertEqual(browser.run("JSON.stringify({...localStorage, ...sessionStorage})"), "{}")
            self.assertEqual(browser.run("refused"), [], "what the policy refused")
            self.assertEqual(browser.complaints, [])
            self.assertEqual(browser.foreign(self.daemon.url), [])

    def test_the_page_is_accessible_but_for_what_the_viewer_itself_gets_wrong(self):
        """axe-core from npm; three of its rules are broken inside the viewer, which is shipped unmodified."""
        with Browser() as browser, open(axe_script(), encoding="utf-8") as handle:
            browser.resize(1200, 3000)
            browser.open(self.daemon.url + "/docs")
            browser.wait("document.querySelector('#servers[aria-label]') !== null && document.querySelectorAll('.opblock').length > 10", "operations")
            browser.run("document.querySelector('.opblock-post .opblock-summary-control').click()")
            browser.run("document.querySelector('.opblock-get .opblock-summary-control').click()")
            browser.wait("document.querySelector('.execute') !== null", "an open operation")
            browser.run(handle.read() + "; true")
            found = browser.run("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
                                ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))")
            self.assertEqual([text for text in found if text.split(":")[0] not in ("heading-order", "nested-interactive", "region")], [])

    def authorize(self, browser):
        """Types the key into the form as a person does."""
        browser.run("document.querySelector('.btn.authorize').click()")
        browser.wait("document.querySelector('.auth-container input') !== null", "the form for a key")
        browser.run("document.querySelector('.auth-container input').focus()")
        browser.tell("Input.insertText", text=self.daemon.test)
        browser.run("document.querySelector('.auth-container .btn.authorize').click()")
        browser.wait("document.querySelectorAll('.auth-container input').length === 1", "the key to be taken")  # the other header's form is left
        browser.run("document.querySelector('.btn-done').click()")

    def call_me(self, browser):
        """Opens one operation and presses Execute; returns what the page shows of the answer."""
        block = "document.querySelector('#operations-me-getMe')"
        browser.run(block + ".scrollIntoView()")
        browser.run(block + ".querySelector('.opblock-summary-control').click()")
        browser.wait(block + ".querySelector('.execute') !== null", "the operation to open")
        browser.run(block + ".querySelector('.execute').click()")
        live = block + ".querySelector('.live-responses-table')"
        browser.wait(f"{live} !== null && {live}.querySelector('.microlight, pre code') !== null", "the answer")
        return browser.run(f"({{status: {live}.querySelector('tbody .response-col_status').firstChild.textContent.trim(), "
                           f"body: {live}.querySelector('.highlight-code code, pre.microlight').textContent}})")
