"""The command line around events: listen, events tail, trigger, verify, dead letters, queue."""
import base64
import json
import os
import stat
import subprocess
import unittest

from tests.integration.test_events import misfits
from tests.support import receivers
from tests.support.app import FakeApp, signature_of
from tests.support.daemon import CHASQUI, Daemon, wait_for
from tests.support.receivers import Receiver, plain

TRIGGERS = ("conversation.started", "conversation.updated", "conversation.ended", "message.received", "message.sent",
            "message.delivered", "message.read", "message.failed", "handoff.triggered", "agent.joined", "agent.message.sent",
            "handoff.resolved", "feedback.received", "knowledge.synced", "knowledge.failed", "channel.updated", "media.ready",
            "lead.created", "lead.qualified", "appointment.booked", "appointment.cancelled", "appointment.reminder", "window.closing")
OTHERS = ("message.transcribed", "template.updated", "webhook.failing", "webhook.disabled", "webhook.test")


class CommandCase(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(webhooks_schedule_test="0,1000", source_retry="10ms").start()
        self.addCleanup(self.daemon.close)

    def spawn(self, *args):
        """A command that stays; its standard error tells when it is ready."""
        process = subprocess.Popen([CHASQUI, "--data", self.daemon.data, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.daemon.env())
        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def trigger(self, event):
        done = self.daemon.cli("trigger", event)
        self.assertEqual(done.returncode, 0, done.stderr)


class Listen(CommandCase):
    def start(self, app, *args):
        listen = self.spawn("listen", "--forward-to", app.url, *args)
        self.assertIn(app.url, listen.stderr.readline())
        secret = listen.stderr.readline().split()[-1]
        self.trigger("conversation.updated")  # proves that the stream is open: before it is, nothing comes
        return listen, secret

    def first(self, listen, app):
        """Triggers until the listener, which says nothing when its stream opens, has got something."""
        def got():
            if not app.calls:
                self.trigger("conversation.updated")
            return app.calls
        wait_for(got, "a first event")

    def test_events_are_forwarded_signed_and_told_and_r_sends_the_last_again(self):
        with FakeApp() as app:
            listen, secret = self.start(app, "--events", "conversation.updated")
            self.first(listen, app)
            headers, body = app.calls[0]
            self.assertEqual(headers["X-ConvoAI-Signature"], signature_of(secret, body))
            event = json.loads(body)
            line = listen.stdout.readline().split()
            self.assertRegex(line[0], r"^\d\d:\d\d:\d\d$")
            self.assertEqual((line[1], line[2], line[4], line[5]), ("200", "conversation.updated", "ms", event["id"]))
            stored = {e["id"]: e for e in self.daemon.ok(self.daemon.get("/api/v1/events/?page_size=100", key=self.daemon.test))["results"]}
            self.assertEqual(stored[event["id"]], event)
            count = len(app.calls)
            listen.stdin.write("r\n")
            listen.stdin.flush()
            wait_for(lambda: len(app.calls) > count, "the last one again")
            self.assertEqual(app.calls[-1][1], app.calls[-2][1])
            self.assertEqual(set(app.types()), {"conversation.updated"})

    def test_the_secret_stays_the_same_across_restarts_and_only_its_owner_reads_it(self):
        with FakeApp() as app:
            first, second = self.start(app)[1], self.start(app)[1]
            self.assertEqual(first, second)
            mode = os.stat(os.path.join(self.daemon.data, "listen.secret")).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_it_goes_on_where_it_stopped_when_the_daemon_comes_back(self):
        with FakeApp() as app:
            listen, _ = self.start(app, "--events", "conversation.updated")
            self.first(listen, app)
            self.daemon.restart()
            before = len(app.calls)
            self.trigger("conversation.updated")
            wait_for(lambda: len(app.calls) > before, "events after the restart", 30)
            ids = [e["id"] for e in app.events]
            self.assertEqual(len(set(ids)), len(ids))


class Others(CommandCase):
    def test_tail_prints_what_happens(self):
        tail = self.spawn("events", "tail", "--json", "--events", "conversation.updated", "--limit", "1")
        wait_for(lambda: self.trigger("conversation.updated") or tail.poll() is not None, "the tail to end")
        self.assertEqual(tail.returncode, 0)
        self.assertEqual(json.loads(tail.stdout.read())["type"], "conversation.updated")

    def test_every_trigger_makes_its_event_happen(self):
        told = self.daemon.cli("trigger", "list")
        types = {row["type"] for row in self.daemon.ok(self.daemon.get("/api/v1/webhooks/events/"))["results"]}
        self.assertEqual(set(told.stdout.split()) - {"escalation.triggered"}, set(TRIGGERS))
        self.assertEqual(set(TRIGGERS) | set(OTHERS), types)
        for event in OTHERS:
            self.assertIn(f"not here: {event} ", told.stderr)
            done = self.daemon.cli("trigger", event)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{event} cannot be played: it ", done.stderr)
        with FakeApp() as app:
            self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": ["*"]}, key=self.daemon.test), 201)
            for event in TRIGGERS:
                before = app.types().count(event)
                self.trigger(event)
                app.wait(event, before + 1, 60)
            schemas = {row["type"]: row["schema"] for row in self.daemon.ok(self.daemon.get("/api/v1/webhooks/events/"))["results"]}
            for event in app.events:
                self.assertEqual(misfits(schemas[event["type"]], event), [], event["type"])
        self.assertEqual(self.daemon.cli("trigger", "no.such").returncode, 2)
        self.assertEqual(self.daemon.cli("--live", "trigger", "message.received").returncode, 2)

    def test_verify_says_yes_and_no(self):
        with FakeApp() as app:
            secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
            self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": ["conversation.updated"], "secret": secret},
                                            key=self.daemon.test), 201)
            self.trigger("conversation.updated")
            app.wait("conversation.updated")
            headers, body = app.calls[0]
        standard = ["--id", headers["webhook-id"], "--timestamp", headers["webhook-timestamp"],
                    "--signature", headers["webhook-signature"]]
        plain_one = ["--signature", headers["X-ConvoAI-Signature"]]
        text = body.decode()
        for flags in (standard, plain_one):
            self.assertEqual(self.daemon.cli("verify", "--secret", secret, *flags, stdin=text).returncode, 0)
            self.assertEqual(self.daemon.cli("verify", "--secret", secret, *flags, stdin=text + " ").returncode, 8)
            self.assertEqual(self.daemon.cli("verify", "--secret", secret + "x", *flags, stdin=text).returncode, 8)
        old = [*standard[:3], str(int(headers["webhook-timestamp"]) - 301), *standard[4:]]
        self.assertEqual(self.daemon.cli("verify", "--secret", secret, *old, stdin=text).returncode, 8)
        shown = self.daemon.cli("verify", "--secret", secret, *standard[:4], stdin=text).stdout
        self.assertIn(headers["X-ConvoAI-Signature"], shown)
        self.assertIn(headers["webhook-signature"], shown)

    def test_queue_shows_what_waits_by_destination_and_age(self):
        app = Receiver(plain(receivers.answer(500)))
        self.addCleanup(app.close)
        made = self.daemon.ok(self.daemon.post("/v1/webhooks/", {"url": app.url, "events": ["conversation.updated"]},
                                               key=self.daemon.test), 201)
        for _ in range(3):
            self.trigger("conversation.updated")
        def waiting():
            rows = self.daemon.cli_json("queue")["results"]
            return [r for r in rows if r["queue"] == "deliver" and r["destination"] == made["id"] and r["jobs"] == 3]
        row = wait_for(waiting, "three deliveries that wait")[0]
        self.assertEqual(sum(row["by_age"]), 3)
        shown = self.daemon.cli("queue").stdout
        self.assertIn(made["id"], shown)
        self.assertIn("DESTINATION", shown)

    def test_dead_letters_are_listed_retried_and_dropped(self):
        self.assertEqual(self.daemon.cli_json("dead-letters", "ls")["results"], [])
        self.assertEqual(self.daemon.cli("dead-letters", "retry", "ded_none").returncode, 3)
        self.assertEqual(self.daemon.cli("dead-letters", "drop").returncode, 2)
        for verb in ("retry", "drop"):
            done = self.daemon.cli("dead-letters", verb, "--all")
            self.assertEqual((done.returncode, done.stderr.strip()[-1]), (0, "0"))
