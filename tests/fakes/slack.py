"""A fake Slack: incoming webhooks, chat.postMessage, and an app whose Events API posts signed callbacks.

    with FakeSlack() as slack:
        {"type": "slack", "config": {"bot_token": slack.token, "signing_secret": slack.secret, "channel": slack.channel, "base_url": slack.url}}
        slack.posts                      # bodies of chat.postMessage in order, each with the "ts" it was given
        slack.reply(events_url, ts, "I am here")   # somebody writes in the thread; the daemon's answer
"""
import hashlib
import hmac
import http.server
import itertools
import json
import threading
import time

from tests.support.daemon import http as http_call


class FakeSlack:
    token, secret, channel = "xoxb-fake-token-0001", "8f742231b10e8888abcd99yyyzzz85a5", "C0123456"

    def __init__(self):
        self.posts, self.notices, self.faults = [], [], []  # faults: (status, body) to answer first
        self.numbers = itertools.count(1)
        slack = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                status, answer = slack.take(self.path, self.headers, body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if not isinstance(answer, bytes) else "text/plain")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        base = f"http://127.0.0.1:{self.server.server_port}"
        self.url, self.webhook = base + "/api", base + "/services/T000/B000/secretpath"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, path, headers, body):
        if self.faults:
            return self.faults.pop(0)
        if path.startswith("/services/"):
            self.notices.append(body)
            return 200, b"ok"
        if path != "/api/chat.postMessage":
            return 404, {"ok": False, "error": "unknown_method"}
        if headers.get("Authorization") != "Bearer " + self.token:
            return 200, {"ok": False, "error": "invalid_auth"}
        if body.get("channel") != self.channel or not body.get("text"):
            return 200, {"ok": False, "error": "channel_not_found"}
        ts = f"1700000000.{next(self.numbers):06d}"
        self.posts.append({**body, "ts": ts})
        return 200, {"ok": True, "channel": self.channel, "ts": ts, "message": {"text": body["text"]}}

    def post(self, url, body, secret=None, at=None):
        """What Slack's Events API would post."""
        data, at = json.dumps(body).encode(), str(int(at or time.time()))
        mac = hmac.new((secret or self.secret).encode(), b"v0:" + at.encode() + b":" + data, hashlib.sha256).hexdigest()
        return http_call("POST", url, data, {"Content-Type": "application/json", "X-Slack-Request-Timestamp": at, "X-Slack-Signature": "v0=" + mac})

    def reply(self, url, thread, text, event_id=None, **fields):
        number = next(self.numbers)
        event = {"type": "message", "channel": self.channel, "user": "U777", "text": text, "thread_ts": thread,
                 "ts": f"1700000001.{number:06d}", "user_profile": {"real_name": "Ana"}, **fields}
        return self.post(url, {"type": "event_callback", "team_id": "T000", "event_id": event_id or f"Ev{number:08d}", "event": event})
