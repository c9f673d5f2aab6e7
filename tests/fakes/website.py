"""A small website for stories of knowledge sources: pages set and changed by the test, conditional requests answered, every
request kept."""
import hashlib
import http.server
import threading
import time


class Website:
    def __init__(self):
        self.pages = {}      # path -> (type, bytes, headers)
        self.redirects = {}  # path -> location
        self.statuses = {}   # path -> status
        self.failing = {}    # path -> (status, answers left that have it, Retry-After or None)
        self.requests = []   # (path, headers, status)
        self.times = []      # when they came
        self.slow = {}       # path -> seconds before the answer
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                site.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, path, body, kind="text/html; charset=utf-8"):
        self.pages[path] = (kind, body.encode() if isinstance(body, str) else body)

    def page(self, path, title, text, *links):
        anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
        self.put(path, f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p><nav>{anchors}</nav></body></html>")

    def sitemap(self, path, *paths):
        rows = "".join(f"<url><loc>{self.url}{p}</loc></url>" for p in paths)
        self.put(path, f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>',
                 "application/xml")

    def asked(self, path):
        """Statuses of the answers to requests for this path."""
        return [status for p, _, status in self.requests if p == path]

    def answer(self, handler):
        path = handler.path
        self.times.append(time.monotonic())
        time.sleep(self.slow.get(path, 0))
        kind, body = self.pages.get(path, ("text/plain", b"no such page"))
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        status = 200 if path in self.pages else 404
        after = None
        trouble, left, wait = self.failing.get(path, (0, 0, None))
        if left > 0:
            self.failing[path] = (trouble, left - 1, wait)
            status, after = trouble, wait
        elif path in self.statuses:
            status = self.statuses[path]
        elif path in self.redirects:
            status = 302
        elif status == 200 and handler.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        self.requests.append((path, dict(handler.headers), status))
        handler.send_response(status)
        if status == 302:
            handler.send_header("Location", self.redirects[path])
            body = b""
        handler.send_header("Content-Type", kind)
        handler.send_header("ETag", etag)
        if after is not None:
            handler.send_header("Retry-After", after)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        try:
            handler.wfile.write(body)
        except OSError:
            pass
