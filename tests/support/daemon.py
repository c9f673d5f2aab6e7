"""A private Chasqui for a test: its own data directory, a free port, the real binary; killed and restarted at will."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from tests.support import traffic

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHASQUI = os.environ.get("TEST_BINARY", os.path.join(ROOT, "build", "release", "chasqui"))


def wait_for(condition, what, seconds=20.0):
    """Returns the condition's first true value; fails the test when it stays false."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class Answer:
    """An HTTP answer: status, headers (lower-case names), raw body, parsed JSON (None if it is none)."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def http(method, url, body=None, headers=None, timeout=60, head_only=False):
    """One HTTP call; a dict or list goes as JSON, bytes as they are. Any status is an answer. head_only: a good answer's body is
    not waited for (a stream has no end)."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with _opener.open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.getheaders(), b"" if head_only else answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers.items(), error.read())


class Daemon:
    """`chasqui init` + `chasqui serve`. Options are flags without dashes: Daemon(quiet_time="0s")."""

    def __init__(self, **options):
        self.dir = tempfile.mkdtemp(prefix="chasqui-test-")
        self.data = os.path.join(self.dir, "data")
        self.options = {"quiet_time": "0s", "allow_private_networks": None, **options}
        self.process = None
        self.starts = []        # moments of the monotonic clock
        self.log_handle = None  # a file that takes the log in place of ours
        self.url = None
        self.listen = "127.0.0.1:0"  # the free port found at the first start is kept for later ones
        made = self.cli_json("init", "--name", "Test shop", "--email", "owner@shop.example")
        self.account, self.agent = made["account_id"], made["agent_id"]
        self.live, self.test = made["live_key"], made["test_key"]

    # -- life --
    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def flags(self):
        flags = []
        for name, value in self.options.items():
            flags.append("--" + name.replace("_", "-"))
            if value is not None:
                flags.append(str(value))
        return flags

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "ab")
        log = self.log_handle or self.log
        self.starts.append(time.monotonic())
        self.process = subprocess.Popen([CHASQUI, "serve", "--data", self.data, "--listen", self.listen, *self.flags()],
                                        stdout=subprocess.PIPE, stderr=log, env=self.env(), text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on (https?://\S+)\n", line)
        if not match:
            self.process.wait(10)
            raise AssertionError(f"serve said {line!r}, exit {self.process.returncode}, log:\n{self.log_text()[-3000:]}")
        self.url = match.group(1)
        self.listen = self.url.partition("://")[2]
        return self

    def kill(self):
        """SIGKILL: nothing gets a chance to finish."""
        self.process.kill()
        self.process.wait()
        self._closed()

    def stop(self, seconds=40):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self._closed()
        return code

    def _closed(self):
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def restart(self):
        if self.process:
            self.kill()
        return self.start()

    def close(self):
        try:
            if self.process:
                code = self.stop()
                assert code == 0, f"exit {code} on SIGTERM, log:\n{self.log_text()[-4000:]}"
            for report in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
                assert report not in self.log_text(), self.log_text()[-6000:]
        finally:
            if self.process:
                self.kill()
            if os.environ.get("TEST_KEEP"):
                print("kept", self.dir)
            else:
                shutil.rmtree(self.dir, ignore_errors=True)

    def log_text(self):
        if not os.path.exists(os.path.join(self.dir, "log")):
            return ""
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as handle:
            return handle.read()

    # -- command line --
    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHASQUI_")}
        return {**env, "HOME": self.dir, "XDG_CONFIG_HOME": os.path.join(self.dir, "config"), "NO_COLOR": "1"}

    def cli(self, *args, stdin=None, timeout=60):
        """Runs a command against this data directory; returns the finished process."""
        return subprocess.run([CHASQUI, "--data", self.data, *args], input=stdin, capture_output=True, text=True,
                              env=self.env(), timeout=timeout)

    def cli_json(self, *args):
        done = self.cli(*args, "--json")
        assert done.returncode == 0, f"{args}: exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    # -- REST --
    def call(self, method, path, body=None, key=None, headers=None, **kwargs):
        headers = dict(headers or {})
        if key is not False:
            headers.setdefault("Authorization", "Bearer " + (key or self.live))
        answer = http(method, self.url + path, body, headers, **kwargs)
        traffic.document_of(lambda: http("GET", self.url + "/openapi.json")).check(method, path, body, answer)
        return answer

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, {} if body is None else body, **kwargs)

    def patch(self, path, body, **kwargs):
        return self.call("PATCH", path, body, **kwargs)

    def delete(self, path, **kwargs):
        return self.call("DELETE", path, **kwargs)

    def ok(self, answer, *statuses):
        """Asserts the status (2xx unless said otherwise) and returns the JSON."""
        fine = answer.status in statuses if statuses else 200 <= answer.status < 300
        assert fine, f"unexpected {answer!r}"
        return answer.json

    # -- short cuts --
    def push(self, title, content, doc_type="text", key=None, agent=None):
        return self.ok(self.post(f"/api/v1/agents/{agent or self.agent}/knowledge/",
                                 {"title": title, "content": content, "doc_type": doc_type}, key=key))

    def whatsapp(self, graph_url, phone_number_id="106540352242922", key=None, agent=None, **fields):
        """A WhatsApp channel whose Graph API is the fake one."""
        body = {"type": "whatsapp", "phone_number_id": phone_number_id, "display_phone_number": "+15550783881",
                "business_account_id": "102290129340398", "access_token": "EAAtoken", "app_secret": "app-secret",
                "verify_token": "verify-me", "graph_url": graph_url, **fields}
        return self.ok(self.post(f"/api/v1/agents/{agent or self.agent}/channels/", body, key=key), 201)

    def conversations(self, key=None):
        return self.ok(self.get("/api/v1/conversations/?page_size=100", key=key))["results"]

    def idle(self):
        """True when no job waits or is under way (housekeeping aside)."""
        rows = self.cli_json("get", "/admin/queue/")["results"]
        return all(row["jobs"] == 0 for row in rows if row["queue"] != "sweep")

    def messages(self, conversation, key=None):
        return self.ok(self.get(f"/api/v1/conversations/{conversation}/messages/?page_size=100", key=key))["results"]
