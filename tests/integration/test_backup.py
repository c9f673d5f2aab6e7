"""Backup while messages arrive, restore elsewhere, and the doctor's view of it."""
import json
import os
import threading
import unittest

from tests.fakes.graph import FakeGraph
from tests.support.daemon import Daemon, wait_for


class Backup(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(send_doubt_grace="2s").start()
        self.addCleanup(self.daemon.close)
        self.graph = FakeGraph()
        self.addCleanup(self.graph.__exit__)
        channel = self.daemon.whatsapp(self.graph.url)
        self.graph.attach(self.daemon.url + channel["webhook_path"])
        self.daemon.push("Opening hours", "When does the shop open? The shop opens at 9 in the morning.")
        self.dir = os.path.join(self.daemon.dir, "backup")

    def restore(self, *args):
        """Restores into a second data directory and returns the finished command."""
        return self.daemon.cli("restore", self.dir, "--data", self.daemon.data + "-2", *args)

    def test_a_backup_under_load_holds_all_that_was_acknowledged_before_it(self):
        stop, acked = threading.Event(), []

        def customers():
            number = 0
            while not stop.is_set():
                if self.graph.says(f"+1652{number:06d}", "When does the shop open?").status == 200:
                    acked.append(f"+1652{number:06d}")
                number += 1

        thread = threading.Thread(target=customers)
        thread.start()
        try:
            wait_for(lambda: len(acked) > 30, "some load")
            before = list(acked)
            done = self.daemon.cli("backup", self.dir)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(len(acked), len(before), "the load went on meanwhile")
        finally:
            stop.set()
            thread.join()
        wait_for(self.daemon.idle, "the queues to empty", 60)
        self.assertEqual(self.restore().returncode, 6, "no master key, no restore")
        done = self.restore("--key", os.path.join(self.daemon.data, "master.key"))
        if done.returncode != 0:
            os.system(f"ls -la {self.daemon.data}-2")
        self.assertEqual(done.returncode, 0, done.stderr)

        self.daemon.stop()
        answered = {call.to for call in self.graph.sends}
        self.graph.calls.clear()
        self.daemon.data += "-2"
        self.daemon.start()
        wait_for(self.daemon.idle, "the restored queues to empty", 60)
        contacts, cursor = set(), 1
        while True:
            page = self.daemon.ok(self.daemon.get(f"/api/v1/contacts/?page={cursor}&page_size=100"))["results"]
            contacts |= {i["value"] for c in page for i in c["identities"] if i["type"] == "phone"}
            if len(page) < 100:
                break
            cursor += 1
        self.assertTrue(set(before) <= contacts, set(before) - contacts)
        self.assertTrue({call.to for call in self.graph.sends} <= answered | set(before))

    def test_a_damaged_or_foreign_backup_is_refused(self):
        self.assertEqual(self.daemon.cli("backup", self.dir, "--with-key").returncode, 0)
        again = self.daemon.cli("backup", self.dir)
        self.assertEqual(again.returncode, 6, "it never overwrites")
        self.assertEqual(self.daemon.cli("restore", self.dir).returncode, 6, "nor does restore")
        path = os.path.join(self.dir, "store", "data.mdb")
        with open(path, "r+b") as handle:
            handle.seek(5000)
            byte = handle.read(1)
            handle.seek(5000)
            handle.write(bytes([byte[0] ^ 1]))
        done = self.restore()
        self.assertEqual(done.returncode, 8)
        self.assertIn("damaged", done.stderr)
        manifest = os.path.join(self.dir, "manifest.json")
        with open(manifest, encoding="utf-8") as handle:
            value = json.load(handle)
        value["schema"] = 99
        with open(manifest, "w", encoding="utf-8") as handle:
            json.dump(value, handle)
        done = self.restore()
        self.assertEqual(done.returncode, 6)
        self.assertIn("newer", done.stderr)

    def test_the_doctor_sees_a_running_and_a_stopped_daemon(self):
        rows = {r["check"]: r for r in map(json.loads, self.daemon.cli("doctor", "--json").stdout.splitlines())}
        self.assertEqual({name: row["result"] for name, row in rows.items() if row["result"] == "fail"}, {})
        self.assertEqual(rows["store"]["result"], "ok")
        self.assertIn("queues", rows)
        self.daemon.stop()
        done = self.daemon.cli("doctor")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("warn  daemon", done.stdout)
        os.chmod(os.path.join(self.daemon.data, "master.key"), 0o644)
        done = self.daemon.cli("doctor")
        self.assertEqual(done.returncode, 8)
        self.assertIn("chmod 0600", done.stdout)
        os.chmod(os.path.join(self.daemon.data, "master.key"), 0o600)
