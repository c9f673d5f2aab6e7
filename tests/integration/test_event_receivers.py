"""Others verify what we sign: the receiver's guide, each program as printed, and the public libraries."""
import base64
import json
import os
import random
import re
import shutil
import string
import subprocess
import tempfile
import time
import unittest

from tests.support.app import FakeApp
from tests.support.daemon import ROOT, Daemon, wait_for

GUIDE = os.path.join(ROOT, "bridge", "webhooks", "RECEIVERS.md")
# block -> (interpreter that must be there, file name, command)
PROGRAMS = {
    "python": ("python3", "receiver.py", ["python3", "receiver.py"]),
    "javascript": ("node", "receiver.js", ["node", "receiver.js"]),
    "php": ("php", "receiver.php", ["php", "receiver.php"]),
    "ruby": ("ruby", "receiver.rb", ["ruby", "receiver.rb"]),
    "go": ("go", "receiver.go", ["go", "run", "receiver.go"]),
    "java": ("javac", "Receiver.java", ["java", "-cp", ".", "Receiver"]),
    "sh": ("openssl", "receiver.sh", ["sh", "receiver.sh"]),
}


def base64_secret():
    return "whsec_" + base64.b64encode(os.urandom(random.randint(24, 64))).decode()


def text_secret():
    return "whsec_" + "".join(random.choices(string.ascii_letters + "_-!", k=20)) + "_"


class SignedCase(unittest.TestCase):
    """A daemon, an app, and deliveries signed with both kinds of secret, also in the middle of a rotation."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(webhooks_rate="0").start()
        cls.scratch = tempfile.mkdtemp(prefix="receivers-")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.scratch, ignore_errors=True)
        cls.daemon.close()

    def deliveries(self, secret, count=1, rotate_to=None):
        """[(headers, body)] of that many random events."""
        with FakeApp() as app:
            hook = self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": ["conversation.updated"], "secret": secret}), 201)
            if rotate_to:
                self.daemon.ok(self.daemon.post(f"/v1/webhooks/{hook['id']}/rotate-secret/", {"secret": rotate_to, "overlapS": 600}))
            talk = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/", {"message": "Hello"}))
            for _ in range(count):
                noise = "".join(random.choices(string.printable + "äöü€😀\u2028", k=random.randint(0, 200)))
                self.daemon.ok(self.daemon.patch(f"/api/v1/conversations/{talk['conversation_id']}/", {"metadata": {"noise": noise}}))
            wait_for(lambda: len(app.calls) >= count, "the deliveries", 120)
            self.assertEqual(self.daemon.delete(f"/v1/webhooks/{hook['id']}/").status, 204)
            return list(app.calls)


class Guide(SignedCase):
    def test_each_program_of_the_guide_takes_the_good_and_refuses_the_rest(self):
        with open(GUIDE, encoding="utf-8") as handle:
            blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", handle.read(), re.M | re.S))
        self.assertEqual(set(blocks), set(PROGRAMS))
        first, second = base64_secret(), text_secret()
        cases = [(base64_secret(), None), (text_secret(), None), (first, second)]
        made = [(secret, self.deliveries(secret, 1, new)[0]) for secret, new in cases]
        made.append((second, made[2][1]))
        for name, (needed, file, command) in PROGRAMS.items():
            with self.subTest(name):
                if shutil.which(needed) is None:
                    print(f"      {name}: no {needed} on this machine")
                    continue
                with open(os.path.join(self.scratch, file), "w", encoding="utf-8") as handle:
                    handle.write(blocks[name])
                if name == "java":
                    subprocess.run(["javac", file], cwd=self.scratch, check=True, capture_output=True, timeout=120)
                for secret, (headers, body) in made:
                    self.assertEqual(self.run_program(command, secret, headers, body), 0, (name, secret))
                secret, (headers, body) = made[0]
                self.assertEqual(self.run_program(command, secret, headers, body[:-1] + b" "), 1)
                self.assertEqual(self.run_program(command, secret + "A", headers, body), 1)
                if name != "sh":
                    late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 400)}
                    self.assertEqual(self.run_program(command, secret, late, body), 1)
                    self.assertEqual(self.run_program(command, secret, {**headers, "webhook-id": "evt_other"}, body), 1)

    def run_program(self, command, secret, headers, body):
        env = {**self.daemon.env(), "WEBHOOK_SECRET": secret, "WEBHOOK_ID": headers["webhook-id"],
               "WEBHOOK_TIMESTAMP": headers["webhook-timestamp"], "WEBHOOK_SIGNATURE": headers["webhook-signature"],
               "X_CONVOAI_SIGNATURE": headers["X-ConvoAI-Signature"]}
        return subprocess.run(command, cwd=self.scratch, input=body, env=env, capture_output=True, timeout=120).returncode


JUDGE = r"""
const { Webhook: Standard } = require("standardwebhooks");
const { Webhook: Svix } = require("svix");
const cases = JSON.parse(require("fs").readFileSync(0));
const takes = (make, body, headers) => { try { make().verify(body, headers); return true; } catch (e) { return false; } };
const out = cases.map(({ secret, headers, body }) => {
  const raw = !/^whsec_[A-Za-z0-9+/]+=*$/.test(secret) || Buffer.from(secret.slice(6), "base64").toString("base64") !== secret.slice(6);
  const standard = () => raw ? new Standard(secret, { format: "raw" }) : new Standard(secret);
  const svix = () => raw ? new Svix(Buffer.from(secret), { format: "raw" }) : new Svix(secret);
  return [standard, svix].map((make) => takes(make, body, headers));
});
console.log(JSON.stringify(out));
"""


class Libraries(SignedCase):
    def install(self):
        if shutil.which("npm") is None or shutil.which("node") is None:
            self.skipTest("npm is not on this machine")
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "standardwebhooks", "svix"], cwd=self.scratch,
                              capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            self.skipTest("npm cannot install the libraries here: " + (done.stderr.strip().splitlines() or ["no reason given"])[-1])

    def judge(self, cases):
        """[(standardwebhooks says yes, svix says yes)] for each (secret, headers, body)."""
        rows = [{"secret": s, "body": b.decode(), "headers": {k: v for k, v in h.items() if k.startswith("webhook-")}} for s, h, b in cases]
        done = subprocess.run(["node", "-e", JUDGE], cwd=self.scratch, input=json.dumps(rows), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [tuple(row) for row in json.loads(done.stdout)]

    def test_standardwebhooks_and_svix_accept_a_thousand_random_events_and_refuse_altered_ones(self):
        self.install()
        first, second, third = base64_secret(), text_secret(), base64_secret()
        cases = [(first, h, b) for h, b in self.deliveries(first, 250)]
        cases += [(second, h, b) for h, b in self.deliveries(second, 250)]
        for old, new in ((first, third), (second, first)):
            rotating = self.deliveries(old, 250, new)
            cases += [(old if i % 2 else new, h, b) for i, (h, b) in enumerate(rotating)]
        self.assertGreaterEqual(len(cases), 1000)
        self.assertEqual(set(self.judge(cases)), {(True, True)})
        bad = []
        for secret, headers, body in random.sample(cases, 50):
            at = int(headers["webhook-timestamp"])
            bad += [(secret, headers, body[:-1] + b" "), (secret, headers, body + b"\n"),
                    (secret, {**headers, "webhook-id": headers["webhook-id"][:-1] + "!"}, body),
                    (secret, {**headers, "webhook-timestamp": str(at + 1)}, body),
                    (secret, {**headers, "webhook-timestamp": str(int(time.time()) - 301)}, body),
                    (base64_secret(), headers, body)]
        self.assertEqual(set(self.judge(bad)), {(False, False)})
