"""SIGKILL inside backup, restore and compact: the source stays whole, what was begun is known as unfinished, a second run works.

The points are KILL_POINT("backup....") and so on in the commands and in the daemon's part of an online copy; see test_kill_points.
"""
import json
import os
import shutil
import signal
import unittest

from tests.integration.test_kill_points import Mortal, has_hook
from tests.support.customers import conversations, open_shop
from tests.support.daemon import wait_for

CUSTOMERS = [f"+1653555{number:04d}" for number in range(12)]
IN_COMMAND = ("backup.begun", "backup.store", "backup.blobs", "backup.manifest", "backup.checked", "backup.done")
WITHOUT_MANIFEST = IN_COMMAND[:4]
IN_DAEMON = ("backup.copy", "backup.copied")
COMPACT = ("compact.begun", "compact.copied", "compact.renamed")
RESTORE = ("restore.store", "restore.tried")


class CopyKilled(unittest.TestCase):
    def setUp(self):
        if not has_hook():
            self.skipTest("this binary is built without CHASQUI_KILL_POINTS")
        open_shop(self, Mortal())
        for sender in CUSTOMERS:
            self.assertEqual(self.graph.says(sender, "When does the shop open?").status, 200)
        wait_for(lambda: len(self.graph.sends) == len(CUSTOMERS), "the answers")
        self.graph.wait_told()
        wait_for(self.daemon.idle, "the queues to empty")
        self.there = self.stored()
        self.dir = os.path.join(self.daemon.dir, "backup")

    def stored(self):
        """What the running daemon knows of every message."""
        return sorted((m["id"], m["text"], m["status"]) for messages in conversations(self.daemon) for m in messages)

    def dies(self, point, *args):
        """A command that kills itself at the point."""
        self.daemon.point = point + ":1"
        try:
            done = self.daemon.cli(*args)
        finally:
            self.daemon.point = None
        self.assertEqual(done.returncode, -signal.SIGKILL, f"{point}: {done.stderr}")

    def assert_whole(self, point):
        """The store that was copied has everything and takes more."""
        if not self.daemon.process:
            self.daemon.start()
        self.assertEqual(self.stored(), self.there, point)
        rows = [json.loads(line) for line in self.daemon.cli("doctor", "--json").stdout.splitlines()]
        self.assertEqual([row for row in rows if row["result"] == "fail"], [], point)

    def restore(self, directory="restored"):
        return self.daemon.cli("restore", self.dir, "--data", os.path.join(self.daemon.dir, directory))

    def assert_refused(self, point):
        """No restore from this, and nothing of it in the new place."""
        done = self.restore()
        self.assertNotEqual(done.returncode, 0, point)
        self.assertIn("holds no backup", done.stderr, point)
        self.assertFalse(os.path.exists(os.path.join(self.daemon.dir, "restored")), point)

    def assert_restores(self, point):
        """The backup becomes a data directory that a daemon serves, with all that was there."""
        self.assertEqual(self.restore().returncode, 0, point)
        with_source, self.daemon.data = self.daemon.data, os.path.join(self.daemon.dir, "restored")
        was_up = self.daemon.process is not None
        if was_up:
            self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.stored(), self.there, point)
        self.daemon.stop()
        shutil.rmtree(self.daemon.data)
        self.daemon.data = with_source
        if was_up:
            self.daemon.start()

    def second_run(self, point):
        done = self.daemon.cli("backup", self.dir, "--with-key")
        self.assertEqual(done.returncode, 0, f"{point}: {done.stderr}")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "unfinished-backup")))
        self.assert_restores(point)
        shutil.rmtree(self.dir)

    def killed_in_command(self, point):
        self.dies(point, "backup", self.dir, "--with-key")
        if point in WITHOUT_MANIFEST:
            self.assert_refused(point)
        else:
            self.assert_restores(point)
        if point == "backup.done":
            self.assertEqual(self.daemon.cli("backup", self.dir).returncode, 6, "a finished backup is never overwritten")
            shutil.rmtree(self.dir)
        self.second_run(point)

    def test_backup_of_a_running_daemon_killed_at_every_point(self):
        for point in IN_COMMAND:
            self.killed_in_command(point)
            self.assert_whole(point)

    def test_backup_of_a_stopped_daemon_killed_at_every_point(self):
        self.daemon.stop()
        for point in IN_COMMAND:
            self.killed_in_command(point)
        self.assert_whole(IN_COMMAND)

    def test_daemon_killed_while_it_copies(self):
        for point in IN_DAEMON:
            self.daemon.stop()
            self.daemon.start_to_die(point, 1)
            done = self.daemon.cli("backup", self.dir, "--with-key")
            self.assertTrue(self.daemon.wait_death(), point)
            self.assertNotEqual(done.returncode, 0, point)
            self.assert_refused(point)
            self.assert_whole(point)
            self.second_run(point)

    def test_a_manifest_cut_short_is_no_backup(self):
        self.assertEqual(self.daemon.cli("backup", self.dir, "--with-key").returncode, 0)
        path = os.path.join(self.dir, "manifest.json")
        for size in (0, 1, os.path.getsize(path) // 2, os.path.getsize(path) - 1):
            os.truncate(path, size)
            self.assert_refused(f"{size} bytes of the manifest")

    def test_an_unfinished_backup_with_other_files_in_it_is_left_alone(self):
        self.dies("backup.store", "backup", self.dir)
        other = os.path.join(self.dir, "accounts.xls")
        with open(other, "w", encoding="utf-8") as handle:
            handle.write("mine")
        self.assertEqual(self.daemon.cli("backup", self.dir).returncode, 6)
        self.assertTrue(os.path.exists(other))

    def test_restore_killed_at_every_point_leaves_nothing_that_a_daemon_serves(self):
        self.assertEqual(self.daemon.cli("backup", self.dir, "--with-key").returncode, 0)
        place = os.path.join(self.daemon.dir, "restored")
        for point in RESTORE:
            self.dies(point, "restore", self.dir, "--data", place)
            served = self.daemon.cli("serve", "--data", place, "--listen", "127.0.0.1:0")
            self.assertNotEqual(served.returncode, 0, point)
            self.assertIn("holds no Chasqui yet", served.stderr, point)
            self.assertEqual(self.restore().returncode, 6, "never over what is there")
            shutil.rmtree(place)
        self.assert_restores("restore")

    def test_compact_killed_at_every_point(self):
        for point in COMPACT:
            self.daemon.stop()
            self.dies(point, "compact")
            self.assert_whole(point)
            self.assertEqual(self.graph.says(CUSTOMERS[0], "When does the shop open?").status, 200)
            self.graph.wait_sends(len(self.there) // 2 + 1)
            self.graph.wait_told()
            wait_for(self.daemon.idle, "the queues to empty")
            self.there = self.stored()
            self.daemon.stop()
            done = self.daemon.cli("compact")
            self.assertEqual(done.returncode, 0, f"{point}: {done.stderr}")
            self.assertEqual([name for name in os.listdir(self.daemon.data) if name.endswith(".compact")], [], point)
            self.assert_whole(point)
