"""./deploy/quickstart: two commands from nothing to an answer; run again it changes nothing."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.support.daemon import ROOT, http, wait_for


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="chasqui-quick-")
        self.data = os.path.join(self.home, "data")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.addCleanup(self.end_daemon)
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHASQUI_")}
        self.env = {**env, "HOME": self.home, "CHASQUI_DATA": self.data, "CHASQUI_LISTEN": "127.0.0.1:0"}

    def end_daemon(self):
        path = os.path.join(self.data, "daemon.pid")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as handle:
                pid = int(handle.read())
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                return
            wait_for(lambda: not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split()[2] == "Z",
                     "the daemon to end", 30)

    def quickstart(self):
        return subprocess.run([os.path.join(ROOT, "deploy/quickstart")], capture_output=True, text=True, env=self.env, timeout=1500)

    def shell(self, command):
        env = {k: v for k, v in self.env.items() if not k.startswith("CHASQUI_")}
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, cwd=ROOT, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return done.stdout

    def test_what_it_prints_works_as_printed_and_a_second_run_changes_nothing(self):
        done = self.quickstart()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"Three things to try")
        commands = self.commands(done.stdout)
        self.assertEqual(len(commands), 4, commands)
        chat, curl, inbound, sandbox = commands
        self.assertIn("4 euros", self.shell(f"echo 'What does delivery cost?' | {chat}"))
        self.assertIn("Sundays", json.loads(self.shell(curl))["message"])
        self.shell(inbound)
        wait_for(lambda: "32 euros" in self.shell(sandbox), "the simulated reply")

        before = self.state()
        again = self.quickstart()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.commands(again.stdout), commands)
        self.assertIn("running already", again.stdout)
        self.assertEqual(self.state(), before)

    @staticmethod
    def commands(text):
        """The indented command lines below "Three things to try", continuation lines joined."""
        part = text.split("Three things to try", 1)[1]
        part = part.replace("\\\n", " ")
        return [re.sub(r"\s+", " ", line.strip()) if "'" not in line else line.strip()
                for line in part.splitlines() if line.startswith("   ") and line.strip()]

    def state(self):
        """What a second run must leave as it is: files, agents, documents."""
        key = open(os.path.join(self.data, "demo-key"), encoding="utf-8").read().strip()
        url = re.findall(r"listening on (\S+)", open(os.path.join(self.data, "daemon.out"), encoding="utf-8").read())[-1]
        agent = open(os.path.join(self.data, "demo-agent"), encoding="utf-8").read().strip()
        listed = http("GET", f"{url}/api/v1/agents/{agent}/knowledge/?page_size=100", headers={"Authorization": "Bearer " + key}).json
        return (sorted(glob.glob(self.data + "/*")), [(d["id"], d["updated_at"]) for d in listed["results"]])
