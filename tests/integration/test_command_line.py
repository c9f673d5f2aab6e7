"""The command line as scripts rely on it: init, serve, exit codes, JSON."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from tests.support.daemon import CHASQUI, Daemon


class CommandLine(unittest.TestCase):
    def test_init_prints_one_object_and_a_second_run_changes_nothing(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        self.assertRegex(daemon.account, r"^acc_[0-9A-Z]{26}$")
        self.assertRegex(daemon.agent, r"^agt_[0-9A-Z]{26}$")
        self.assertRegex(daemon.live, r"^ck_live_[0-9A-Za-z]{28}$")
        self.assertRegex(daemon.test, r"^ck_test_[0-9A-Za-z]{28}$")
        self.assertEqual(os.stat(daemon.data).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(os.path.join(daemon.data, "master.key")).st_mode & 0o777, 0o600)
        again = daemon.cli("init", "--json")
        self.assertEqual(again.returncode, 6, again.stderr)
        self.assertEqual(again.stdout, "")
        with daemon:
            self.assertEqual(daemon.ok(daemon.get("/api/v1/me/"))["agents_count"], 1)

    def test_serve_on_port_0_says_where_and_ends_with_0_on_sigterm(self):
        with Daemon() as daemon:
            self.assertRegex(daemon.url, r"^http://127\.0\.0\.1:\d+$")
            self.assertNotEqual(daemon.url.rsplit(":", 1)[1], "0")
            self.assertEqual(daemon.stop(), 0)

    def test_serve_without_init_says_what_to_do(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        done = daemon.cli("serve", "--data", daemon.data + "-none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("chasqui init", done.stderr)

    def test_two_daemons_on_one_directory_the_second_refuses(self):
        with Daemon() as daemon:
            done = daemon.cli("serve", "--listen", "127.0.0.1:0")
            self.assertEqual(done.returncode, 1)
            self.assertIn("another", done.stderr)
            self.assertEqual(daemon.get("/healthz", key=False).status, 200)

    def test_a_taken_port_is_a_clear_sentence(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            daemon = Daemon()
            self.addCleanup(daemon.close)
            done = daemon.cli("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("--listen", done.stderr)

    def test_unknown_words_get_the_nearest_known_one(self):
        for args, near in ((["inti"], "init"), (["serve", "--lisen", "x"], "--listen"), (["help", "kx"], "kb")):
            done = subprocess.run([CHASQUI, *args], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(near, done.stderr, args)

    def test_a_bad_configuration_file_names_the_line(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        path = os.path.join(daemon.dir, "chasqui.conf")
        for text, wanted in (("[http]\nlisten = 127.0.0.1:0\nlistn = x\n", ":3"), ("[http]\nthreads = many\n", ":2"),
                             ("[http]\nthreads = 900\n", ":2")):
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
            done = daemon.cli("check-config", "--config", path)
            self.assertEqual(done.returncode, 8, text)
            self.assertIn("chasqui.conf" + wanted, done.stderr)

    def test_effective_configuration_says_where_each_value_comes_from(self):
        done = subprocess.run([CHASQUI, "check-config", "--effective", "--json", "--workers", "3"], capture_output=True, text=True,
                              env={**os.environ, "CHASQUI_HTTP_THREADS": "2"})
        rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
        self.assertEqual((rows["jobs.workers"]["value"], rows["jobs.workers"]["source"]), ("3", "flag"))
        self.assertEqual((rows["http.threads"]["value"], rows["http.threads"]["source"]), ("2", "environment"))
        self.assertEqual(rows["http.listen"]["source"], "default")

    def test_chat_kb_send_and_keys_work_through_the_socket(self):
        with Daemon() as daemon:
            docs = os.path.join(daemon.dir, "docs")
            os.makedirs(docs)
            with open(os.path.join(docs, "returns.md"), "w", encoding="utf-8") as handle:
                handle.write("# Returns\n\nYou can return any item within 30 days of purchase. Bring the receipt.\n")
            with open(os.path.join(docs, "faq.csv"), "w", encoding="utf-8") as handle:
                handle.write('question,answer\r\n"Do you ship to Norway?","Yes, to Norway and Sweden, within 6 days."\r\n')
            first = daemon.cli_json("kb", "push", docs)
            self.assertEqual((first["created"], first["failed"]), (2, 0))
            again = daemon.cli_json("kb", "push", docs)
            self.assertEqual((again["created"], again["unchanged"]), (0, 2))
            hits = daemon.cli_json("kb", "search", "how long can I return something?")
            self.assertIn("30 days", hits["results"][0]["text"])
            listed = daemon.cli("kb", "ls")
            self.assertIn("Returns", listed.stdout)
            said = daemon.cli("chat", "Do you ship to Norway?")
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertIn("Norway and Sweden", said.stdout)
            lines = daemon.cli("chat", stdin="How can I return any item?\n")
            self.assertIn("30 days", lines.stdout)
            sent = daemon.cli_json("send", "+14155550177", "Your order is ready")
            self.assertEqual(sent["status"], "queued")
            made = daemon.cli_json("keys", "create", "till", "--scopes", "read")
            self.assertRegex(made["key"], r"^ck_test_")
            self.assertEqual(daemon.get("/api/v1/me/", key=made["key"]).status, 200)
            self.assertEqual(daemon.cli("keys", "revoke", made["id"]).returncode, 0)
            self.assertEqual(daemon.get("/api/v1/me/", key=made["key"]).status, 401)
            self.assertEqual(daemon.cli("kb", "rm", "doc_nope").returncode, 3)

    def test_a_second_account_is_apart(self):
        with Daemon() as daemon:
            second = daemon.cli_json("accounts", "create", "--name", "Other shop", "--plan", "pro")
            self.assertEqual(set(second), {"account_id", "agent_id", "live_key", "test_key", "data_dir"})
            self.assertEqual(daemon.get(f"/api/v1/agents/{daemon.agent}/", key=second["live_key"]).status, 404)
            self.assertEqual(daemon.get(f"/api/v1/agents/{second['agent_id']}/", key=second["live_key"]).status, 200)
            self.assertEqual(daemon.get("/api/v1/me/", key=second["live_key"]).headers["x-ratelimit-limit"], "300")

    def test_no_daemon_is_exit_5(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        done = daemon.cli("agents", "ls")
        self.assertEqual(done.returncode, 5)
        self.assertIn("chasqui serve", done.stderr)

    def test_a_remembered_key_works_over_http(self):
        with Daemon() as daemon:
            saved = daemon.cli("init", "--api-key", daemon.test, "--url", daemon.url)
            self.assertEqual(saved.returncode, 0, saved.stderr)
            me = daemon.cli_json("get", "/api/v1/me/")
            self.assertEqual(me["mode"], "test")

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_the_manual_page_is_well_formed_and_names_every_option(self):
        page = subprocess.run([CHASQUI, "man"], capture_output=True, text=True, check=True).stdout
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page, capture_output=True, text=True)
        self.assertEqual((lint.returncode, lint.stdout), (0, ""))
        shown = subprocess.run(["mandoc", "-T", "ascii"], input=page, capture_output=True, text=True, check=True).stdout
        shown = re.sub(r".\x08", "", shown)
        for row in map(json.loads, subprocess.run([CHASQUI, "check-config", "--effective", "--json"], capture_output=True,
                                                  text=True, env={"PATH": os.environ["PATH"]}).stdout.splitlines()):
            self.assertIn(row["name"].split(".")[1], shown)

    def test_sighup_reloads_and_sigint_ends(self):
        with Daemon() as daemon:
            daemon.process.send_signal(signal.SIGHUP)
            self.assertEqual(daemon.get("/healthz", key=False).status, 200)
            daemon.process.send_signal(signal.SIGINT)
            self.assertEqual(daemon.process.wait(30), 0)
            daemon._closed()
            self.assertTrue(re.search(r"serve\.reloaded", daemon.log_text()))
