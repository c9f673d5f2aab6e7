"""A real browser for tests: headless Chromium over its debugging pipe, in a profile of its own that is removed afterwards."""
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

from tests.support.daemon import wait_for

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe")
# Told to the page before any script of its own: what the Content-Security-Policy refused.
WATCH = "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective + ' ' + e.blockedURI));"


class Browser:
    """One tab. .requests holds every URL it asked for, .complaints console errors and exceptions."""

    def __init__(self):
        self.program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not self.program:
            raise unittest.SkipTest("chromium is not installed")
        self.home = tempfile.mkdtemp(prefix="chasqui-browser-")
        self.requests, self.complaints, self.answers, self.next, self.lock = [], [], {}, 0, threading.Lock()
        down, up = os.pipe(), os.pipe()
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (down[0], up[1])]

        def set_pipes():
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)
        self.process = subprocess.Popen([self.program, *FLAGS, "--user-data-dir=" + self.home, "about:blank"], pass_fds=(3, 4),
                                        preexec_fn=set_pipes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (down[0], up[1], *theirs):
            os.close(fd)
        self.pipe, self.news = down[1], os.fdopen(up[0], "rb")
        threading.Thread(target=self._read, daemon=True).start()
        self.session = None
        target = wait_for(lambda: next((t for t in self.tell("Target.getTargets")["targetInfos"] if t["type"] == "page"), None), "a tab")
        self.session = self.tell("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.tell(domain + ".enable")
        self.tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.pipe)
        shutil.rmtree(self.home, ignore_errors=True)

    def _read(self):
        rest = b""
        while piece := self.news.read1(1 << 16):
            *whole, rest = (rest + piece).split(b"\0")
            for text in whole:
                self._take(json.loads(text))
        self.news.close()

    def _take(self, news):
        if "id" in news:
            self.answers[news["id"]] = news
            return
        method, params = news["method"], news["params"]
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.complaints.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))

    def tell(self, method, **params):
        """One command; returns its result."""
        with self.lock:
            self.next += 1
            number = self.next
            message = {"id": number, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self.pipe, data):]
        answer = wait_for(lambda: self.answers.pop(number, None), method, 60)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def resize(self, width, height):
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url):
        self.tell("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        result = self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script, what, seconds=30):
        """Waits until the expression is true in the page."""
        return wait_for(lambda: self.run(script), what, seconds)

    def foreign(self, origin):
        """What was asked of other hosts."""
        return [url for url in self.requests if not url.startswith((origin + "/", "data:", "about:", "blob:" + origin))]
