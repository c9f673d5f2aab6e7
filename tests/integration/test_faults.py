"""A full disk, a disk that fails, no descriptors, a second daemon, SIGTERM under load: refused before it is acknowledged, or kept."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
import unittest

from tests.support.customers import Customers, assert_answered_once, open_shop
from tests.support.daemon import ROOT, Daemon, wait_for

MIB = 1 << 20
RECOVERY_SECONDS = 5


class Fault(unittest.TestCase):
    """A daemon with a WhatsApp channel, knowledge and customers."""

    def serve(self, daemon):
        open_shop(self, daemon)

    def customers(self, **how):
        customers = Customers(self.graph, **how)
        self.addCleanup(customers.end)
        return customers

    def ready(self):
        return self.daemon.get("/readyz", key=False)

    def assert_unready(self, reason):
        """Says why it is unready; everything that reads goes on."""
        answer = wait_for(lambda: (lambda a: a.status == 503 and a)(self.ready()), "readiness to end", 5)
        self.assertEqual(answer.json["reason"], reason)
        self.assertEqual(self.daemon.get("/healthz", key=False).status, 200)
        self.daemon.ok(self.daemon.get("/api/v1/conversations/"))
        self.assertIn("chasqui_store_disk_low", self.daemon.get("/metrics").body.decode())

    def assert_all_answered(self, customers):
        customers.end()
        wait_for(self.daemon.idle, "the queues to empty", 120)
        assert_answered_once(self, self.daemon, self.graph, customers.acked)


class DiskFull(Fault):
    SIZE = 48 * MIB

    def setUp(self):
        daemon = Daemon(send_doubt_grace="20s", **self.options)
        made = daemon.data + ".made"
        os.rename(daemon.data, made)
        os.mkdir(daemon.data, 0o700)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=0700", "tmpfs", daemon.data],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            shutil.rmtree(daemon.dir)
            self.skipTest("a small file system needs the right to mount: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", daemon.data], check=True)
        shutil.copytree(made, daemon.data, dirs_exist_ok=True)
        self.serve(daemon)
        self.filler = os.path.join(daemon.data, "filler")

    def free(self):
        room = os.statvfs(self.daemon.data)
        return room.f_bavail * room.f_frsize

    def fill(self, leave):
        """Fills the file system but for `leave` bytes, while others write, too."""
        with open(self.filler, "wb", buffering=0) as handle:
            for piece in (MIB, 4096):
                try:
                    while self.free() >= leave + piece or leave == 0:
                        handle.write(bytes(piece))
                except OSError:
                    pass

    def full_and_well_again(self, leave, reason):
        customers = self.customers(threads=3)
        customers.wait(200, 10)
        self.fill(leave)
        customers.wait(503, 40)
        refused = customers.began_after(0, 503)
        self.assertEqual([post for post in refused if not post.retry_after or int(post.retry_after) < 1], [])
        if reason:
            self.assert_unready(reason)
        self.daemon.ok(self.daemon.get("/api/v1/conversations/"))
        self.assertEqual(self.daemon.get("/healthz", key=False).status, 200)
        os.unlink(self.filler)
        freed = time.monotonic()
        customers.wait(200, 1, RECOVERY_SECONDS)
        recovered = time.monotonic() - freed
        wait_for(lambda: self.ready().status == 200, "readiness", RECOVERY_SECONDS)
        customers.wait(200, 5)
        self.assert_all_answered(customers)
        print(f"      {customers.count(200)} acknowledged, {customers.count(503)} refused, well again in {recovered:.2f} s")


class DiskLow(DiskFull):
    options = {"store_disk_reserve": "8MiB"}

    def test_less_than_the_reserve_is_refused_and_goes_on_when_there_is_room(self):
        self.full_and_well_again(4 * MIB, "disk_low")


class DiskReallyFull(DiskFull):
    options = {"store_disk_reserve": "0"}

    def test_not_a_byte_left_is_refused_and_goes_on_when_there_is_room(self):
        self.full_and_well_again(0, None)


class DiskFails(Fault):
    def setUp(self):
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        self.serve(Quiet(send_doubt_grace="20s", store_read_only_grace="0s"))

    def inject(self, calls):
        """From now on these calls on the store's files fail with EIO, in every thread."""
        store = os.path.join(self.daemon.data, "store")
        paths = [part for name in os.listdir(store) for part in ("-P", os.path.join(store, name))]
        tracer = subprocess.Popen(["strace", "-f", "-o", os.path.join(self.daemon.dir, "strace"), *paths, "-e", "trace=" + calls,
                                   "-e", f"inject={calls}:error=EIO", "-p", str(self.daemon.process.pid)],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(tracer.stderr.close)
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.wait()
            self.skipTest("strace may not attach: " + said.strip())

        def end():
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
        self.addCleanup(end)
        return end

    def lines(self):
        return self.daemon.log_text().count("\n")

    def fails_for_good(self, calls):
        customers = self.customers(threads=3)
        customers.wait(200, 15)
        end = self.inject(calls)
        wait_for(lambda: customers.count(503), "a refusal", 20)
        moment = max(post.ended for post in customers.began_after(0, 503)[:1])
        self.assert_unready("read_only")
        customers.wait(503, 20)
        end()  # the disk is well again, but what the failed sync left out is not known
        before = self.lines(), cpu(self.daemon.process.pid)
        customers.wait(503, 30)
        time.sleep(1)
        lines, busy = self.lines() - before[0], cpu(self.daemon.process.pid) - before[1]
        self.assertEqual(customers.began_after(moment, 200), [], "acknowledged after a failed write")
        self.assert_unready("read_only")
        self.assertLess(lines, 300)
        acked = customers.count(200)
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        customers.wait(200, 3)
        self.assert_all_answered(customers)
        print(f"      {acked} acknowledged before, {customers.count(503)} refused, {lines} log lines and {busy:.2f} s of "
              "processor time while read-only")

    def test_failed_sync_is_the_last_acknowledgement_until_a_restart(self):
        self.fails_for_good("fdatasync,fsync")

    def test_read_only_for_longer_than_the_grace_it_ends_to_be_started_again(self):
        self.daemon.stop()
        self.daemon.options["store_read_only_grace"] = "2s"
        self.daemon.start()
        customers = self.customers(threads=3)
        customers.wait(200, 15)
        end = self.inject("fdatasync,fsync")
        self.assert_unready("read_only")
        self.assertIn("store.read_only_grace", self.ready().json["error"]["message"])
        self.assertEqual(self.daemon.process.wait(30), 9)
        end()
        log = self.daemon.log_text()
        self.assertIn("event=serve.stopping reason=read_only exit=9", log)
        self.assertIn("event=serve.stopped", log, "an end, not a crash")
        self.daemon._closed()
        self.daemon.start()
        customers.wait(200, 3)
        self.assertEqual(self.ready().status, 200)
        self.assert_all_answered(customers)

    def test_failed_write_is_the_last_acknowledgement_until_a_restart(self):
        self.fails_for_good("write,pwrite64,writev,pwritev,pwritev2")


class Damaged(unittest.TestCase):
    """What a crash of the machine, a full disk or a hand may have made of the store's file."""
    DAMAGES = (("empty", lambda good: b""), ("cut to two pages", lambda good: good[:8192]),
               ("cut to half", lambda good: good[:len(good) // 2]), ("without a head", lambda good: bytes(8192) + good[8192:]),
               ("half a head", lambda good: bytes(4096) + good[4096:]), ("something else", lambda good: b"x" * len(good)),
               ("all but the head", lambda good: good[:8192] + b"\xa5" * (len(good) - 8192)), ("gone", None))

    def test_a_damaged_store_is_refused_with_the_way_out_and_never_served_as_empty(self):
        daemon = Daemon().start()
        self.addCleanup(daemon.close)
        for number in range(30):
            daemon.push(f"Page {number}", f"Line {number} of what the shop knows. " * 40)
        there = daemon.ok(daemon.get(f"/api/v1/agents/{daemon.agent}/knowledge/?page_size=100"))
        path = os.path.join(daemon.data, "store", "data.mdb")
        self.assertEqual(daemon.stop(), 0)
        with open(path, "rb") as handle:
            good = handle.read()
        for label, damage in self.DAMAGES:
            with self.subTest(label):
                os.unlink(path)
                if damage:
                    with open(path, "wb") as handle:
                        handle.write(damage(good))
                done = daemon.cli("serve", "--listen", "127.0.0.1:0", timeout=30)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertIn("chasqui restore", done.stderr)
        with open(path, "wb") as handle:
            handle.write(good)
        daemon.start()
        self.assertEqual(daemon.ok(daemon.get(f"/api/v1/agents/{daemon.agent}/knowledge/?page_size=100")), there)


class LogFull(Fault):
    def test_a_log_that_takes_nothing_holds_nothing_up(self):
        with open("/dev/full", "wb") as full:
            daemon = Daemon()
            daemon.log_handle = full
            self.serve(daemon)
            customers = self.customers(threads=2)
            customers.wait(200, 20)
            self.assert_all_answered(customers)
            self.assertEqual(self.ready().status, 200)
            self.daemon.restart()
            self.assertEqual(self.daemon.stop(), 0)
            self.daemon.log_handle = None
            self.daemon.start()


class Unit(unittest.TestCase):
    def test_the_unit_starts_again_what_gave_up(self):
        with open(os.path.join(ROOT, "deploy", "chasqui.service"), encoding="utf-8") as handle:
            lines = handle.read().splitlines()
        self.assertIn("Restart=on-failure", lines)
        self.assertEqual([line for line in lines if line.startswith(("RestartPreventExitStatus", "SuccessExitStatus"))], [])


class Quiet(Daemon):
    """The leak check cannot run in a traced process."""

    def env(self):
        return {**super().env(), "ASAN_OPTIONS": "detect_leaks=0"}


def cpu(pid):
    """Processor seconds used by a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as handle:
        fields = handle.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Descriptors(Fault):
    SECONDS = 4

    def setUp(self):
        self.serve(Daemon())

    def test_without_descriptors_it_waits_quietly_and_goes_on(self):
        pid = self.daemon.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))
        host, port = self.daemon.listen.rsplit(":", 1)
        lines = self.daemon.log_text().count("\n")
        sockets = [socket.create_connection((host, int(port))) for _ in range(60)]
        try:
            began, busy = time.monotonic(), cpu(pid)
            time.sleep(self.SECONDS)
            share = (cpu(pid) - busy) / (time.monotonic() - began)
        finally:
            for each in sockets:
                each.close()
        lines = self.daemon.log_text().count("\n") - lines
        print(f"      {100 * share:.1f} % of a core, {lines} log lines in {self.SECONDS} s")
        self.assertLess(share, 0.05)
        self.assertLess(lines, 100)
        wait_for(lambda: self.daemon.get("/healthz", key=False).status == 200, "an answer", RECOVERY_SECONDS)
        self.assertEqual(self.graph.says("+16505550001", "When does the shop open?").status, 200)
        self.graph.wait_sends(1)


class OneAtATime(Fault):
    def setUp(self):
        self.serve(Daemon(send_doubt_grace="20s"))

    def test_second_daemon_on_the_same_data_is_refused_and_harms_nothing(self):
        customers = self.customers(threads=2)
        customers.wait(200, 5)
        second = self.daemon.cli("serve", "--listen", "127.0.0.1:0")
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another chasqui", second.stderr)
        customers.wait(200, 5)
        self.assert_all_answered(customers)

    def test_sigterm_under_load_ends_well_and_loses_nothing(self):
        customers = self.customers(threads=4, pause=0)
        for _ in range(4):
            customers.wait(200, 25)
            began = time.monotonic()
            self.assertEqual(self.daemon.stop(), 0)
            print(f"      stopped in {time.monotonic() - began:.2f} s with {customers.count(200)} acknowledged")
            self.daemon.start()
        self.assert_all_answered(customers)
