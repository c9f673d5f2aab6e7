"""A fake WhatsApp Cloud API (Graph) for tests: takes sends, posts signed webhooks, and misbehaves when told.

    with FakeGraph(app_secret="app-secret") as graph:
        channel = daemon.whatsapp(graph.url)
        graph.attach(daemon.url + channel["webhook_path"])
        graph.says("+14155550100", "When do you open?")      # a customer writes: 200 or the status
        call = graph.wait_sends(1)[0]                         # the Graph call that carries the answer
        graph.status(call, "delivered")

What is on the wire follows Meta's description: bodies of webhooks are pure ASCII with lower-case \\uXXXX escapes and "\\/",
signed over exactly those bytes; a send answers {"messaging_product", "contacts", "messages": [{"id": "wamid..."}]}; an error is
{"error": {"message", "type", "code", "error_data": {"details"}, "fbtrace_id"}}.
"""
import base64
import hashlib
import hmac
import http.server
import itertools
import json
import re
import sys
import threading
import time

from tests.support.daemon import http as http_call
from tests.support.daemon import wait_for

# Meta's codes that tests ask for by number: (HTTP status, message).
ERRORS = {
    190: (401, "Error validating access token"), 131005: (403, "Access denied"), 131031: (403, "Account has been locked"),
    131016: (500, "Service unavailable"), 131000: (500, "Something went wrong"), 2: (503, "Temporary outage"),
    130429: (400, "Rate limit hit"), 131056: (400, "Pair rate limit hit"), 131047: (400, "Re-engagement message"),
    131026: (400, "Message undeliverable"), 131009: (400, "Parameter value is not valid"), 100: (400, "Invalid parameter"),
    132001: (404, "Template does not exist"), 131053: (400, "Media upload error"), 131057: (500, "Account in maintenance mode"),
}


def escaped(value):
    """JSON as Meta sends it: compact, ASCII, lower-case escapes, escaped slashes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("/", "\\/").encode("ascii")


class Call:
    """One request that arrived: path, headers, JSON body; wamid once it was accepted."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.wamid = None
        self.at = time.monotonic()

    @property
    def text(self):
        return (self.body or {}).get("text", {}).get("body")

    @property
    def to(self):
        return (self.body or {}).get("to") or (self.body or {}).get("recipient")

    @property
    def opaque(self):
        return (self.body or {}).get("biz_opaque_callback_data")


class FakeGraph:
    def __init__(self, app_secret="app-secret", phone_number_id="106540352242922", business_account_id="102290129340398"):
        self.app_secret = app_secret
        self.phone_number_id = phone_number_id
        self.business_account_id = business_account_id
        self.hook = None
        self.templates = {}         # (name, language) -> template
        self.media = {}             # id -> (bytes, type): what customers sent and what was uploaded
        self.uploads = []           # ids of uploads, in order
        self.media_host = None      # another host that media addresses name
        self.media_faults = []      # what the next downloads get: HTTP statuses, "other" (other bytes), Holds
        self.media_sums = True      # metadata of media names their sum
        self.media_life = 300.0     # seconds for which an address of a file works, as Meta's do for five minutes
        self.addresses = {}         # what addresses of files carry -> until when they work
        self.token = None           # the only access token that is taken; None: any
        self.versions = range(19, 40)  # of the Graph API that are served
        self.receipts = []          # marks of reading, in order of arrival: (message id, typing)
        self.probes = 0             # questions about the number
        self.healthy = True         # what such a question is told
        self.calls = []             # every send, in order of arrival, accepted or not
        self.auto_status = ()       # statuses posted by themselves after each accepted send, such as ("sent", "delivered")
        self.usage = {}             # headers of usage that answers to sends carry
        self.read_delays = []       # seconds for which the next calls lie on the wire before they are read
        self.arrived = 0            # calls, read or not
        self.limits = {}            # "number": sends a second, "pair": sends to one customer in 6 s; more get 130429 and 131056
        self.status_first = False   # post them before the send's answer
        self.statuses_held = None   # an event that statuses wait for before they are posted
        self.lock = threading.RLock()
        self.untold = 0             # accepted sends whose statuses were not all taken yet
        self.talking = 0            # connections open
        self.closed = False
        self.script = []            # what the next sends get: ("error", code) | ("drop",) | ("silent",) | ("hold", event)
        self.ids = itertools.count(1)
        self.stamp = hashlib.sha256(str(time.time()).encode()).hexdigest()[:8]
        graph = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                graph._take(self, raw)

            def do_GET(self):
                graph._read(self)

            def do_DELETE(self):
                name = re.search(r"name=([a-z0-9_]+)", self.path).group(1)
                with graph.lock:
                    for key in [key for key in graph.templates if key[0] == name]:
                        del graph.templates[key]
                graph._answer(self, 200, {"success": True})

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def process_request(self, *connection):
                with graph.lock:
                    graph.talking += 1
                super().process_request(*connection)

            def process_request_thread(self, *connection):
                try:
                    super().process_request_thread(*connection)
                finally:
                    with graph.lock:
                        graph.talking -= 1

            def handle_error(self, *_):
                pass  # a caller that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def attach(self, hook):
        """The URL that webhooks go to."""
        self.hook = hook

    # -- sends --
    def fail_next(self, *codes):
        """The next sends get these Meta error codes, one each."""
        self.script += [("error", code) for code in codes]

    def drop_next(self, count=1):
        """Takes the next sends and breaks the connection off: the caller cannot know."""
        self.script += [("drop",)] * count

    def hold_next(self):
        """The next send waits until the returned event is set; it is accepted then."""
        event = threading.Event()
        self.script.append(("hold", event))
        return event

    def _take(self, handler, raw):
        if handler.path.endswith(f"/{self.phone_number_id}/media"):
            return self._upload(handler, raw)
        call = Call(handler.command, handler.path, dict(handler.headers.items()), json.loads(raw) if raw else None)
        if handler.path.endswith(f"/{self.business_account_id}/message_templates"):
            return self._template(handler, call.body)
        if (call.body or {}).get("status") == "read":
            with self.lock:
                self.receipts.append((call.body["message_id"], "typing_indicator" in call.body))
            return self._answer(handler, 200, {"success": True})
        with self.lock:
            self.arrived += 1
            delay = self.read_delays.pop(0) if self.read_delays else 0
        time.sleep(delay)
        with self.lock:
            self.calls.append(call)
            step = self.script.pop(0) if self.script else ("accept",)
        fault = self._check(call) or self._limit(call)
        if fault:
            return self._answer(handler, *self._error(*fault))
        if step[0] == "error":
            return self._answer(handler, *self._error(step[1]), self.usage)
        call.wamid = self.new_wamid()
        if step[0] == "drop":
            handler.close_connection = True
            handler.connection.close()
            return None
        if step[0] == "hold":
            step[1].wait(60)
        if self.auto_status:
            with self.lock:
                self.untold += 1
        if self.status_first:
            self._auto(call)
        body = {"messaging_product": "whatsapp", "contacts": [{"input": call.to, "wa_id": re.sub(r"\D", "", call.to or "")}],
                "messages": [{"id": call.wamid}]}
        self._answer(handler, 200, body, self.usage)
        if not self.status_first and self.auto_status:
            threading.Thread(target=self._auto, args=(call,), daemon=True).start()
        return None

    def _read(self, handler):
        """Everything that is asked with GET."""
        path = handler.path.partition("?")[0]
        if re.fullmatch(r"/v\d+\.\d/" + self.phone_number_id, path):
            self.probes += 1
            return self._answer(handler, *((200, {"id": self.phone_number_id}) if self.healthy else self._error(190)))
        if not self._knows(handler.headers):
            return self._answer(handler, *self._error(190, "no bearer token, or a wrong one"))
        if path.endswith(f"/{self.business_account_id}/message_templates"):
            return self._template_page(handler)
        media_id = path.rpartition("/")[2]
        if media_id not in self.media:
            return self._answer(handler, *self._error(100, f"path {path}"))
        data, kind = self.media[media_id]
        if path.startswith("/download/"):
            if self.addresses.get(handler.path.partition("?")[2], 0) < time.monotonic():
                return self._answer(handler, 404, {"error": {"message": "URL signature expired"}})
            fault = self.media_faults.pop(0) if self.media_faults else None
            if isinstance(fault, int):
                return self._answer(handler, fault, {})
            if hasattr(fault, "wait"):
                fault.wait()
            return self._bytes(handler, data[::-1] if fault == "other" else data, kind)
        ticket = f"ext={next(self.ids)}"
        self.addresses[ticket] = time.monotonic() + self.media_life
        about = {"messaging_product": "whatsapp", "url": f"{self.media_host or self.url}/download/{media_id}?{ticket}", "mime_type": kind,
                 "file_size": str(len(data)), "id": media_id}
        if self.media_sums:
            about["sha256"] = hashlib.sha256(data).hexdigest()
        return self._answer(handler, 200, about)

    def _template(self, handler, body):
        """A new template: pending, or refused as a double."""
        key = (body["name"], body["language"])
        with self.lock:
            if key in self.templates:
                return self._answer(handler, *self._error(100, "there is content in this language already"))
            self.templates[key] = {**body, "status": "PENDING", "id": str(7000000000000000000 + next(self.ids))}
            made = self.templates[key]
        return self._answer(handler, 200, {"id": made["id"], "status": "PENDING", "category": made["category"]})

    def _template_page(self, handler):
        """Pages of two."""
        after = re.search(r"after=(\d+)", handler.path)
        start = int(after.group(1)) if after else 0
        rows = list(self.templates.values())
        answer = {"data": rows[start:start + 2], "paging": {"cursors": {"before": str(start), "after": str(start + 2)}}}
        if start + 2 < len(rows):
            answer["paging"]["next"] = f"{self.url}/next"
        return self._answer(handler, 200, answer)

    def _upload(self, handler, raw):
        """POST /media: multipart with messaging_product and file."""
        boundary = re.search(r"boundary=(\S+)", handler.headers["Content-Type"]).group(1).encode()
        parts = {}
        for part in raw.split(b"--" + boundary)[1:-1]:
            head, _, body = part.partition(b"\r\n\r\n")
            kind = re.search(rb"Content-Type: (\S+)", head)
            parts[re.search(rb'name="(\w+)"', head).group(1).decode()] = (body[:-2], kind.group(1).decode() if kind else None)
        if parts.get("messaging_product", (b"",))[0] != b"whatsapp" or not parts.get("file"):
            return self._answer(handler, *self._error(100, "multipart"))
        with self.lock:
            media_id = str(9000000000 + next(self.ids))
            self.media[media_id] = parts["file"]
            self.uploads.append(media_id)
        return self._answer(handler, 200, {"id": media_id})

    @staticmethod
    def _bytes(handler, data, kind):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def sends_media(self, sender, data, kind, what="image", **own):
        """A customer sends a file; returns the hook's answer."""
        with self.lock:
            media_id = str(8000000000 + next(self.ids))
            self.media[media_id] = (data, kind)
        item, contact = self.message(sender, "")
        del item["text"]
        item.update({"type": what, what: {"id": media_id, "mime_type": kind, "sha256": base64.b64encode(hashlib.sha256(data).digest()).decode(), **own}})
        return self.post(self.envelope({"contacts": [contact], "messages": [item]}))

    def _auto(self, call):
        for name in self.auto_status:
            if self.statuses_held:
                self.statuses_held.wait()
            payload = self.envelope({"statuses": [self.status_item(call, name)]})
            while not self.closed and not self._posted(payload):
                time.sleep(0.1)
        with self.lock:
            self.untold -= 1

    def _posted(self, payload):
        """One try."""
        try:
            return self.post(payload).status == 200
        except OSError:
            return False  # the daemon is down at the moment

    def wait_read(self, seconds=60):
        """Waits until all that a daemon which is gone by now has sent is read and answered. Connections are taken in order, so
        when ours was, all before it were."""
        http_call("GET", self.url + "/")
        wait_for(lambda: not self.talking, "the last calls to be read", seconds)

    def wait_told(self, seconds=240):
        """Waits until every status was taken by the hook."""
        wait_for(lambda: not self.untold, "the statuses to be taken", seconds)

    def _check(self, call):
        """What Meta would refuse in the call itself, as (code, details)."""
        match = re.fullmatch(r"/v(\d+)\.\d/" + self.phone_number_id + "/messages", call.path)
        if not match:
            return (100, f"path {call.path}")
        if int(match.group(1)) not in self.versions:
            return (2635, "a version of the API that is no longer served")
        if not self._knows(call.headers):
            return (190, "no bearer token, or a wrong one")
        body = call.body or {}
        if body.get("messaging_product") != "whatsapp":
            return (100, "messaging_product")
        if body.get("type") == "text" and not 1 <= len(body.get("text", {}).get("body", "")) <= 4096:
            return (100, "text.body")
        return None

    def _knows(self, headers):
        """True if the call carries an access token that is taken."""
        said = headers.get("Authorization", "")
        return said.startswith("Bearer ") if self.token is None else said == "Bearer " + self.token

    def _limit(self, call):
        """The platform's two rate limits, as (code, details)."""
        for name, code, seconds in (("number", 130429, 1.0), ("pair", 131056, 6.0)) if self.limits else ():
            recent = [c for c in self.sends if call.at - c.at < seconds and (name == "number" or c.to == call.to)]
            if len(recent) >= self.limits.get(name, 1 << 30):
                return (code, "limit of the " + name)
        return None

    def _error(self, code, details="as the test asked"):
        status, message = ERRORS.get(code, (400, "Error"))
        return status, {"error": {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code,
                                  "error_data": {"messaging_product": "whatsapp", "details": details}, "fbtrace_id": "AfakeTrace"}}

    @staticmethod
    def _answer(handler, status, body, headers=None):
        raw = json.dumps(body).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(raw)
        except OSError:
            handler.close_connection = True  # the caller was killed meanwhile

    @property
    def sends(self):
        """Accepted message calls, in order."""
        with self.lock:
            return [call for call in self.calls if call.wamid]

    def wait_sends(self, count, seconds=20):
        wait_for(lambda: len(self.sends) >= count, f"{count} sends (have {len(self.sends)})", seconds)
        return self.sends

    def new_wamid(self):
        with self.lock:
            number = next(self.ids)
        return "wamid." + base64.b64encode(f"fake-{self.stamp}-{number:08d}".encode()).decode()

    # -- webhooks --
    def sign(self, raw, secret=None):
        return "sha256=" + hmac.new((secret or self.app_secret).encode(), raw, hashlib.sha256).hexdigest()

    def post_raw(self, raw, signature=None, timeout=30):
        """One POST of these bytes; the answer whatever it is. signature None: the right one; "": none."""
        headers = {"Content-Type": "application/json"}
        signature = self.sign(raw) if signature is None else signature
        if signature:
            headers["X-Hub-Signature-256"] = signature
        return http_call("POST", self.hook, raw, headers, timeout=timeout)

    def post(self, payload):
        return self.post_raw(escaped(payload))

    def post_until_200(self, payload, seconds=60, pause=0.1):
        """As Meta does: again until it is taken. Returns the number of tries."""
        deadline, tries = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            tries += 1
            try:
                if self.post(payload).status == 200:
                    return tries
            except OSError:
                pass  # the daemon is down at the moment
            time.sleep(pause)
        raise AssertionError("the webhook was not taken in time")

    def envelope(self, value, field="messages"):
        """One change with its metadata in Meta's envelope."""
        value = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550783881",
                                                               "phone_number_id": self.phone_number_id}, **value}
        return {"object": "whatsapp_business_account",
                "entry": [{"id": self.business_account_id, "changes": [{"field": field, "value": value}]}]}

    def account_field(self, field, value):
        """A field about the account, which names no number; returns the hook's answer."""
        return self.post({"object": "whatsapp_business_account",
                          "entry": [{"id": self.business_account_id, "time": int(time.time()), "changes": [{"field": field, "value": value}]}]})

    def echo(self, customer, text, wamid=None, **fields):
        """The business writes to a customer on its phone app; returns the hook's answer."""
        item = {"from": "15550783881", "to": customer.lstrip("+"), "id": wamid or self.new_wamid(), "timestamp": str(int(time.time())),
                "type": "text", "text": {"body": text}, **fields}
        return self.post(self.envelope({"message_echoes": [item]}, "smb_message_echoes"))

    def preference(self, customer, value):
        """A customer's choice about marketing: stop or resume; returns the hook's answer."""
        digits = customer.lstrip("+")
        return self.post(self.envelope({"contacts": [{"profile": {"name": "Zo\u00eb"}, "wa_id": digits}], "user_preferences": [
            {"wa_id": digits, "detail": "User requested it", "category": "marketing_messages", "value": value, "timestamp": int(time.time())}]},
            "user_preferences"))

    def message(self, sender, text, wamid=None, name="Zo\u00eb", at=None, **fields):
        """A messages[] item and its contacts[] item."""
        digits = sender.lstrip("+")
        item = {"from": digits, "id": wamid or self.new_wamid(), "timestamp": str(int(at or time.time())), "type": "text",
                "text": {"body": text}, **fields}
        return item, {"profile": {"name": name}, "wa_id": digits}

    def text_payload(self, sender, text, **fields):
        item, contact = self.message(sender, text, **fields)
        return self.envelope({"contacts": [contact], "messages": [item]})

    def says(self, sender, text, **fields):
        """A customer writes a text; returns the hook's answer."""
        return self.post(self.text_payload(sender, text, **fields))

    def status_item(self, call, name, at=None, error=None):
        item = {"id": call.wamid, "status": name, "timestamp": str(int(at or time.time())), "recipient_id": re.sub(r"\D", "", call.to)}
        if call.opaque:
            item["biz_opaque_callback_data"] = call.opaque
        if error:
            item["errors"] = [{"code": error, "title": ERRORS.get(error, (400, "Error"))[1], "message": "m",
                               "error_data": {"details": "as the test asked"}}]
        return item

    def status(self, call, name, **fields):
        """A status of a send; returns the hook's answer."""
        return self.post(self.envelope({"statuses": [self.status_item(call, name, **fields)]}))


def main():
    """A platform to play against by hand: prints its address, takes sends, reads lines "PHONE TEXT" and posts them to the hook."""
    hook = sys.argv[1] if len(sys.argv) > 1 else None
    with FakeGraph() as graph:
        graph.auto_status = ("sent", "delivered", "read")
        if hook:
            graph.attach(hook)
        print(f"graph_url {graph.url}, app_secret {graph.app_secret}, phone_number_id {graph.phone_number_id}", flush=True)
        for line in sys.stdin:
            sender, _, text = line.strip().partition(" ")
            if text and hook:
                print("posted:", graph.says(sender, text).status, flush=True)
            for call in graph.sends:
                print(f"-> {call.to}: {call.text}", flush=True)


if __name__ == "__main__":
    main()
