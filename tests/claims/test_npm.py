"""Clients from npm, unchanged. They are fetched only when TEST_NPM names a folder: `npm install` there with npm/package.json."""
import base64
import json
import os
import shutil
import subprocess

from tests.claims.case import Claim

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm", "client.cjs")


class Npm(Claim):
    def test_NPM_01_clients_that_others_wrote(self):
        """openapi-client-axios and openapi-fetch speak the API, standardwebhooks verifies a delivery"""
        folder = os.path.join(os.environ.get("TEST_NPM", ""), "node_modules")
        if not shutil.which("node") or not os.path.isdir(os.path.join(folder, "standardwebhooks")):
            self.note("TEST_NPM names no folder with the packages of npm/package.json")
        secret = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret key").decode()
        app = self.app("conversation.started", secret=secret)
        self.ask("Hello")
        app.wait("conversation.started")
        headers, body = app.calls[0]
        delivery = {"secret": secret, "headers": {name.lower(): value for name, value in headers.items()}, "body": body.decode()}
        shutil.copy(SCRIPT, os.path.dirname(folder))  # import() looks for packages beside the script
        done = subprocess.run(["node", os.path.join(os.path.dirname(folder), "client.cjs")], input=json.dumps(delivery), capture_output=True,
                              text=True, timeout=60, env={**os.environ, "BASE": self.daemon.url, "KEY": self.test, "AGENT": self.agent, "NO_PROXY": "*"})
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["document"]["statuses"], told["document"]["agent"]), ([200, 201, 201], self.agent))
        self.assertEqual((told["fetch"]["statuses"], told["fetch"]["error"], told["fetch"]["total"]), ([200, 200, 404], "NOT_FOUND", 2))
        self.assertEqual(told["webhook"], {"type": "conversation.started", "forged": False})
        self.measured(f"openapi-client-axios ({told['document']['operations']} operations), openapi-fetch, standardwebhooks")
