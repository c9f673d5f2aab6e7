"""A customer's app: receives signed event webhooks, records them, answers as told."""
import hashlib
import hmac
import http.server
import json
import threading

from tests.support.daemon import wait_for


class FakeApp:
    """FakeApp().url takes POSTs; .events holds the parsed bodies in order of arrival, .calls (headers, raw body)."""

    def __init__(self):
        self.calls = []
        self.statuses = []  # answers to give first, one for each call; then 200
        self.lock = threading.Lock()
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with app.lock:
                    app.calls.append((dict(self.headers.items()), body))
                    status = app.statuses.pop(0) if app.statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def events(self):
        with self.lock:
            return [json.loads(body) for _, body in self.calls]

    def types(self):
        return [event["type"] for event in self.events]

    def wait(self, event_type, count=1, seconds=20):
        """Waits for that many events of the type and returns them."""
        return wait_for(lambda: (found := [e for e in self.events if e["type"] == event_type]) and len(found) >= count and found,
                        f"{count} x {event_type} (have {self.types()})", seconds)


def signature_of(secret, body):
    """What X-ConvoAI-Signature must be."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
