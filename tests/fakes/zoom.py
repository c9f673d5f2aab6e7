"""A fake Zoom: tokens for a server-to-server OAuth app, and meetings."""
import base64
import http.server
import itertools
import json
import threading
import urllib.parse


class FakeZoom:
    account, client, secret = "zoom-account", "zoom-client", "zoom-client-secret-0001"

    def __init__(self):
        self.meetings, self.deleted, self.tokens, self.faults = [], [], 0, []
        self.numbers = itertools.count(81000000001)
        zoom = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers.get("Content-Length", 0))
                self.answer(*zoom.take("POST", self.path, self.headers, self.rfile.read(size)))

            def do_DELETE(self):
                self.answer(*zoom.take("DELETE", self.path, self.headers, b""))

            def answer(self, status, body):
                data = json.dumps(body).encode() if body is not None else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        base = f"http://127.0.0.1:{self.server.server_port}"
        self.config = {"account_id": self.account, "client_id": self.client, "client_secret": self.secret,
                       "base_url": base + "/v2", "oauth_url": base + "/oauth"}
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, method, path, headers, body):
        if self.faults:
            return self.faults.pop(0), {"code": 1, "message": "it failed"}
        target = urllib.parse.urlsplit(path)
        if target.path == "/oauth/token":
            query = dict(urllib.parse.parse_qsl(target.query))
            basic = "Basic " + base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
            if headers.get("Authorization") != basic or query != {"grant_type": "account_credentials", "account_id": self.account}:
                return 401, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "token_type": "bearer", "expires_in": 3599}
        if headers.get("Authorization") != f"Bearer token-{self.tokens}":
            return 401, {"code": 124, "message": "Invalid access token."}
        if method == "DELETE":
            self.deleted.append(target.path.rsplit("/", 1)[1])
            return 204, None
        if target.path != "/v2/users/me/meetings":
            return 404, {"code": 1001, "message": "no such user"}
        made = {**json.loads(body), "id": next(self.numbers)}
        made["join_url"] = f"https://zoom.example/j/{made['id']}"
        self.meetings.append(made)
        return 201, made
