"""Private addresses cannot be reached by a webhook's URL, however they are spelt."""
import json
import os
import shutil
import subprocess
import sys
import unittest

from tests.support.daemon import ROOT


class PrivateTargets(unittest.TestCase):
    def run_inside(self, mode):
        """The figures of a run in a network namespace without routes."""
        if shutil.which("unshare") is None or shutil.which("ip") is None:
            self.skipTest("unshare or ip is not on this machine")
        if subprocess.run(["unshare", "-n", "-m", "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
            self.skipTest("network namespaces are not permitted here")
        done = subprocess.run(["unshare", "-n", "-m", sys.executable, "-m", "tests.support.private_targets", mode], cwd=ROOT, capture_output=True,
                              text=True, timeout=180, env=dict(os.environ))
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return json.loads(done.stdout.splitlines()[-1])

    def test_no_spelling_of_a_private_target_is_connected_to(self):
        seen = self.run_inside("guarded")
        print(f"      {seen['tried']} spellings, {seen['refused']} refused at once, {seen['connections']} connections")
        self.assertGreaterEqual(seen["tried"], 60)
        self.assertEqual(seen["connections"], 0)
        self.assertNotIn("answered", seen["ends"].values())
        blocked = [url for url, end in seen["ends"].items() if end == "blocked_address"]
        self.assertGreaterEqual(len(blocked), 50)

    def test_without_the_defence_many_of_them_arrive(self):
        seen = self.run_inside("open")
        self.assertGreaterEqual(seen["connections"], 40)

    def test_a_name_that_turns_private_is_not_connected_to(self):
        seen = self.run_inside("flip")
        self.assertEqual(seen["ends"][:3], ["answered", "blocked_address", "blocked_address"])
        self.assertEqual((seen["public"], seen["private"]), (2 if seen["ends"][3] == "answered" else 1, 0))
