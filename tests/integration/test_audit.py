"""The audit log is a chain: who changed what, in order, without gaps; a line changed on the disk behind our back is noticed."""
import json
import os
import threading
import unittest

from tests.support.daemon import Daemon


class Audit(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(plan_enterprise="0,0,0", address_limit=0).start()
        self.addCleanup(self.daemon.close)

    def lines(self, key=None):
        found, url = [], "/api/v1/audit/?page_size=100"
        while url:
            page = self.daemon.ok(self.daemon.get(url, key=key))
            found, url = found + page["results"], page["next"] and page["next"].replace(self.daemon.url, "")
        return found

    def verify(self, key=None):
        return self.daemon.ok(self.daemon.get("/api/v1/audit/verify/", key=key))

    def make_keys(self, count, name="chained", key=None):
        return [self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": name}, key=key), 201)["id"] for _ in range(count)]

    def test_each_line_holds_the_hash_of_the_one_before(self):
        begun = self.verify()
        self.assertTrue(begun["intact"], begun)
        made = self.make_keys(5)
        self.daemon.ok(self.daemon.delete(f"/api/v1/keys/{made[0]}/"), 204)
        lines = sorted(self.lines(), key=lambda line: line["sequence"])
        self.assertEqual([line["sequence"] for line in lines], list(range(1, len(lines) + 1)))
        self.assertEqual(lines[0]["previous"], "0" * 64)
        self.assertEqual(len({line["previous"] for line in lines}), len(lines))
        self.assertEqual([(line["action"], line["object"]) for line in lines[-6:]],
                         [("key.created", ident) for ident in made] + [("key.revoked", made[0])])
        self.assertEqual(self.verify(), {"intact": True, "lines": len(lines), "last": len(lines), "broken_at": None, "reason": None})
        self.assertEqual(self.daemon.get("/v1/audit/verify").json["brokenAt"], None)

    def test_many_at_once_make_one_chain_and_none_is_refused(self):
        before, refused = self.verify()["last"], []

        def work():
            for _ in range(10):
                answer = self.daemon.post("/api/v1/keys/", {"name": "at once"})
                if answer.status != 201:
                    refused.append(answer)
        threads = [threading.Thread(target=work) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(refused, [])
        found = self.verify()
        self.assertEqual((found["intact"], found["last"]), (True, before + 120), found)

    def test_the_chain_goes_on_after_sigkill_and_each_account_and_mode_has_its_own(self):
        self.make_keys(3)
        before = self.verify()["last"]
        self.daemon.restart()
        self.make_keys(2)
        found = self.verify()
        self.assertEqual((found["intact"], found["last"]), (True, before + 2), found)
        tested = self.verify(key=self.daemon.test)["last"]
        self.daemon.ok(self.daemon.post("/api/v1/keys/", {"name": "tested"}, key=self.daemon.test), 201)
        self.assertEqual(self.verify(key=self.daemon.test)["last"], tested + 1)
        self.assertEqual(self.verify()["last"], before + 2)

    def change_on_disk(self, old, new):
        """Replaces bytes in the store's file while nobody has it open."""
        self.assertEqual(len(old), len(new))
        self.daemon.stop()
        path = next(os.path.join(folder, name) for folder, _, names in os.walk(self.daemon.data) for name in names if name == "data.mdb")
        with open(path, "rb") as handle:
            data = handle.read()
        self.assertIn(old, data)
        with open(path, "wb") as handle:
            handle.write(data.replace(old, new))
        self.daemon.start()

    def test_a_line_changed_on_the_disk_is_found(self):
        made = self.make_keys(4)
        number = next(line["sequence"] for line in self.lines() if line["object"] == made[1])
        self.assertTrue(self.verify()["intact"])
        self.assertRegex(self.daemon.cli("doctor").stdout, r"(?m)^ok +audit log +\d+ lines")
        self.change_on_disk(f'"action":"key.created","object":"{made[1]}"'.encode(), f'"action":"key.deleted","object":"{made[1]}"'.encode())
        found = self.verify()
        self.assertEqual((found["intact"], found["broken_at"], found["reason"]), (False, number, "changed"), found)
        self.make_keys(1)
        self.assertEqual(self.verify()["broken_at"], number, "lines added later do not heal it")
        told = next(row for row in map(json.loads, self.daemon.cli("doctor", "--json").stdout.splitlines()) if row["check"] == "audit log")
        self.assertEqual(told["result"], "fail", told)
        self.assertIn(f"line {number} is changed", told["text"])

    def test_the_newest_line_is_held_too(self):
        made = self.make_keys(2)
        self.change_on_disk(f'"object":"{made[-1]}"'.encode(), f'"object":"{made[-1][:-1]}_"'.encode())
        found = self.verify()
        self.assertEqual((found["intact"], found["reason"], found["broken_at"]), (False, "changed", found["last"]), found)

    def test_a_number_slipped_out_of_order_is_found(self):
        self.make_keys(3)
        last = self.verify()["last"]
        self.change_on_disk(f'{{"sequence":{last},"previous"'.encode(), f'{{"sequence":{last - 1},"previous"'.encode().ljust(len(f'{{"sequence":{last},"previous"')))
        found = self.verify()
        self.assertFalse(found["intact"], found)
