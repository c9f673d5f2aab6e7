"""The fake Graph server judged by other people's clients: two npm packages must take its answers and its signatures, so that our stories
are not our own opinion. They are installed into a scratch directory; without npm or a registry the story is skipped and says so."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from tests.fakes.graph import FakeGraph, escaped

PACKAGES = ("@kapso/whatsapp-cloud-api@^0", "whatsapp-api-js@^6")

SCRIPT = r"""
import { createRequire } from "module";
import { readFileSync } from "fs";
const require = createRequire(process.cwd() + "/");
const { WhatsAppClient } = require("@kapso/whatsapp-cloud-api");
const { verifySignature } = require("@kapso/whatsapp-cloud-api/server");
const api = await import(require.resolve("whatsapp-api-js"));
const task = JSON.parse(readFileSync(0, "utf8"));
const out = {};
const client = new WhatsAppClient({ accessToken: "EAAtoken", baseUrl: task.url, graphVersion: "v24.0" });
const sent = await client.messages.sendText({ phoneNumberId: task.number, to: "+16505551234", body: "Hello from a referee" });
out.sent = sent.messages[0].id;
try {
  await client.messages.sendText({ phoneNumberId: task.number, to: "+16505551234", body: "Refused" });
} catch (error) { out.refused = String(error.code ?? error.message); }
out.kapso = task.posts.map((p) => verifySignature({ appSecret: task.secret, rawBody: Buffer.from(p.raw, "utf8"), signatureHeader: p.signature }));
const other = new api.WhatsAppAPI({ token: "EAAtoken", appSecret: task.secret, v: "v24.0" });
out.apijs = [];
for (const p of task.posts) out.apijs.push(await other.verifyRequestSignature(p.raw, p.signature));
const heard = [];
other.on.message = ({ from, message, name }) => { heard.push([from, message.type, message.text.body, name]); };
await other.post(JSON.parse(task.posts[0].raw), task.posts[0].raw, task.posts[0].signature);
out.heard = heard;
console.log(JSON.stringify(out));
"""


class Referees(unittest.TestCase):
    def setUp(self):
        if not shutil.which("npm") or not shutil.which("node"):
            self.skipTest("npm and node are not installed: nobody but ourselves judges the fake")
        self.dir = tempfile.mkdtemp(prefix="chasqui-referees-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES], cwd=self.dir, capture_output=True,
                              text=True, timeout=120)
        if done.returncode != 0:
            self.skipTest("npm could not install the referees: " + done.stderr.strip().splitlines()[-1][:200])

    def test_they_take_its_answers_and_its_signatures(self):
        with FakeGraph() as graph:
            graph.script = [("accept",), ("error", 131047)]
            raw = escaped(graph.text_payload("+16505551234", "ok \U0001f44b a/b \u00e4", name="Zo\u00eb")).decode()
            posts = [{"raw": raw, "signature": graph.sign(raw.encode())},
                     {"raw": raw, "signature": graph.sign(raw.encode(), "another-secret")}]
            task = {"url": graph.url, "number": graph.phone_number_id, "secret": graph.app_secret, "posts": posts}
            script = os.path.join(self.dir, "referee.mjs")
            with open(script, "w", encoding="utf-8") as handle:
                handle.write(SCRIPT)
            done = subprocess.run(["node", script], cwd=self.dir, input=json.dumps(task), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            said = json.loads(done.stdout.strip().splitlines()[-1])
            self.assertEqual(said["sent"], graph.sends[0].wamid)
            self.assertEqual(graph.sends[0].text, "Hello from a referee")
            self.assertIn("131047", said["refused"])
            self.assertEqual((said["kapso"], said["apijs"]), ([True, False], [True, False]))
            self.assertEqual(said["heard"], [["16505551234", "text", "ok \U0001f44b a/b \u00e4", "Zo\u00eb"]])
