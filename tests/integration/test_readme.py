"""Every command in the README is run, in order, in one shell, as a newcomer would."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.support.daemon import ROOT
from tests.integration import test_quickstart


class Readme(unittest.TestCase):
    def test_every_command_works_in_order(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as handle:
            text = handle.read()
        blocks = [re.sub(r"^   ", "", block, flags=re.M) for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.S | re.M)]
        self.assertGreaterEqual(len(blocks), 8)
        home = tempfile.mkdtemp(prefix="chasqui-readme-")
        self.addCleanup(shutil.rmtree, home, True)
        for made in ("/tmp/chasqui-docs", "/tmp/chasqui-backup"):
            shutil.rmtree(made, True)
            self.addCleanup(shutil.rmtree, made, True)
        self.data = os.path.join(home, ".local/share/chasqui")
        self.addCleanup(test_quickstart.Quickstart.end_daemon, self)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CHASQUI_", "XDG_"))}
        script = "set -euo pipefail\n" + "\n".join(f"echo '-- block {i}' >&2\n{block}" for i, block in enumerate(blocks))
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, env={**env, "HOME": home},
                              timeout=1500)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        for said in ("32 euros", "gluten-free", "three years", "webhook_path", "handoff.triggered", "Which size", "led_", "slots"):
            self.assertIn(said, done.stdout)
