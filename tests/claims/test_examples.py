"""The requests that the pages show, made with the tools they show them in; only host, key and ids are ours."""
import json
import os
import shutil
import subprocess
import sys

from tests.claims.case import Claim
from tests.claims.examples import plain, vivi_stream

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "examples")


class Examples(Claim):
    def run_it(self, *command, **env):
        env = {**os.environ, "BASE": self.daemon.url, "KEY": self.test, "NO_PROXY": "*", "no_proxy": "*", **env}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def shell(self, name, **env):
        """(status, JSON) of each request of a script of curl calls."""
        lines = self.run_it("bash", os.path.join(FOLDER, name), **env).splitlines()
        return [(int(status), json.loads(body)) for body, status in zip(lines[::2], lines[1::2])]

    def test_EXAMPLE_01_curl_calls_of_convoai(self):
        told = self.shell("convoai.sh", AGENT=self.agent, APP="https://yourapp.example/webhooks/convoai")
        self.assertEqual([status for status, _ in told], [200, 200, 200, 201, 201, 201])
        agents, me, _, document, sent, hook = (body for _, body in told)
        self.assertEqual((me["agents_count"], agents["count"], document["doc_type"], sent["status"]), (1, 1, "text", "queued"))
        self.assertEqual(set(hook["events"]), {"lead.qualified", "appointment.booked", "handoff.triggered"})

    def test_EXAMPLE_02_the_curl_call_of_nexvio(self):
        (status, body), = self.shell("nexvio.sh")
        self.assertEqual((status, body["data"][0]["id"]), (200, self.agent))

    def test_EXAMPLE_03_settings_and_a_report_of_rovixal(self):
        (changed, settings), (reported, rows) = self.shell("rovixal.sh")
        self.assertEqual((changed, reported), (200, 200))
        self.assertEqual((settings["tone"], settings["confidenceThreshold"], rows["data"]), ("FRIENDLY", 0.75, []))

    def test_EXAMPLE_04_the_javascript_of_rovixal(self):
        node = shutil.which("node")
        if not node:
            self.note("there is no node here")
        told = json.loads(self.run_it(node, os.path.join(FOLDER, "rovixal.mjs")))
        self.assertEqual(told["status"], 200)
        self.assertLessEqual({"conversationId", "message", "source"}, set(told["body"]["data"]))
        self.assertTrue(told["streamType"].startswith("text/event-stream") and told["pieces"])

    def test_EXAMPLE_05_the_python_of_vivi(self):
        channel = self.ok(self.post(self.base + "/channels/", {"type": "api"}), 201)
        for client in (vivi_stream.requests, plain):
            vivi_stream.requests, before = client, vivi_stream.requests
            try:
                lines = vivi_stream.talk(self.daemon.url, channel["channel_id"], channel["api_key"])
            finally:
                vivi_stream.requests = before
            events = [json.loads(line.removeprefix("data: "))["event"] for line in lines]
            self.assertEqual((events[0], events[-1]), ("on_chat_model_start", "on_chat_model_end"))
        self.measured("by requests" if "requests" in sys.modules else "by urllib: requests is not installed")
