"""A fake MCP server over Streamable HTTP: initialize, tools/list in pages, tools/call; JSON or streams; forgets sessions when told.

    with FakeMcp() as server:
        server.tools["lookup"] = lambda arguments: "in stock"
        ... {"name": "shop", "url": server.url, "allowed_tools": ["lookup"]} ...
        server.called   # [(tool, arguments)], server.requests: [(method, headers, params)]
"""
import http.server
import json
import threading
import uuid


class FakeMcp:
    def __init__(self, stream=False, session=True, version="2025-06-18"):
        self.tools = {}
        self.requests, self.called = [], []
        self.stream, self.session, self.version = stream, session, version
        self.sessions = set()
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                with fake.lock:
                    fake.requests.append((message["method"], {k.lower(): v for k, v in self.headers.items()}, message.get("params")))
                known = self.headers.get("Mcp-Session-Id") in fake.sessions or not fake.session
                if message["method"] != "initialize" and not known:
                    self.answer(404, b"{}")
                elif "id" not in message:
                    self.answer(202, b"")
                else:
                    self.result(message, fake.act(message["method"], message.get("params") or {}))

            def result(self, message, value):
                headers = {}
                if message["method"] == "initialize" and fake.session:
                    headers["Mcp-Session-Id"] = uuid.uuid4().hex
                    fake.sessions.add(headers["Mcp-Session-Id"])
                body = {"jsonrpc": "2.0", "id": message["id"], **value}
                if not fake.stream:
                    self.answer(200, json.dumps(body).encode(), {**headers, "Content-Type": "application/json"})
                    return
                notice = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
                text = "".join(f"event: message\ndata: {json.dumps(part)}\n\n" for part in (notice, body))
                self.answer(200, text.encode(), {**headers, "Content-Type": "text/event-stream"})

            def answer(self, status, body, headers=None):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def act(self, method, params):
        if method == "initialize":
            return {"result": {"protocolVersion": self.version, "capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "1"}}}
        if method == "tools/list":
            names = sorted(self.tools)
            at = int(params.get("cursor", "0"))
            page = [{"name": name, "description": f"does {name}",
                     "inputSchema": {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}} for name in names[at:at + 1]]
            return {"result": {"tools": page, **({"nextCursor": str(at + 1)} if at + 1 < len(names) else {})}}
        if method == "tools/call":
            with self.lock:
                self.called.append((params["name"], params["arguments"]))
            try:
                return {"result": {"content": [{"type": "text", "text": self.tools[params["name"]](params["arguments"])}]}}
            except Exception as error:  # a tool's failure is a result
                return {"result": {"isError": True, "content": [{"type": "text", "text": str(error)}]}}
        return {"error": {"code": -32601, "message": "no such method"}}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
