"""A stand-in for Meta's Graph API, for integration tests: WhatsApp's side of the bridge, on loopback.

    with FakeGraph(app_secret="secret", token="EAAtoken") as graph:
        # a channel is created with graph_url=graph.url; then a customer writes
        graph.post_message(hook_url, "When are you open?", sender="16505551234")
        call = graph.wait_for_messages(1)[0]          # what the bridge sent
        assert call.body["text"]["body"]
        graph.walk(hook_url, call)                     # sent, delivered, read

What it does like Meta: checks the token and the request's shape and answers with Meta's error objects; accepts a BSUID in "to" with 200
and then loses the message; posts webhooks as compact pure-ASCII JSON (\\uXXXX in lower case, "/" as "\\/") with an
X-Hub-Signature-256 over exactly those bytes, and posts again until it gets a 200.

What tests can ask of it: the next answers (fail, drop, delay, hold, answer), statuses on its own for every accepted message
(auto_statuses), also before the response, duplicates, batches. Every request is recorded in calls.

One FakeGraph owns one HTTP server with a thread per connection; all its methods may be called from any thread. Python 3.11 or later,
standard library only.
"""

import argparse
import base64
import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import threading
import time
import urllib.parse

# HTTP statuses of error codes that do not come with 400 (Meta: "Error codes").
STATUS_OF_CODE = {
    0: 401, 190: 401, 3: 500, 10: 403, 131005: 403, 368: 403, 131031: 403, 130497: 403, 2: 503, 133004: 503,
    131000: 500, 131016: 500, 131057: 500, 131045: 500, 133000: 500, 132001: 404,
}
BSUID = re.compile(r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$")
MESSAGES_PATH = re.compile(r"^/(v\d+\.\d+)/([A-Za-z0-9_-]+)/messages$")
TYPES = {
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "interactive", "template",
    "reaction",
}


def encode(payload):
    """The bytes of a webhook as Meta writes them."""
    return json.dumps(payload, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(secret, data):
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def new_wamid():
    """An opaque message id of the usual look and length."""
    return "wamid." + base64.b64encode(os.urandom(39)).decode()


def error_body(code, message, details=""):
    """Meta's error object."""
    return {
        "error": {
            "message": f"(#{code}) {message}",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details or message},
            "fbtrace_id": base64.b64encode(os.urandom(8)).decode().rstrip("="),
        }
    }


class Call:
    """One request the server got. body: parsed JSON or None; wamid: set if a message was accepted; status: what was answered, None if
    nothing was."""

    def __init__(self, method, path, headers, raw):
        self.method, self.path, self.headers, self.raw = method, path, headers, raw
        self.at = time.monotonic()
        self.wamid = None
        self.status = None
        match = MESSAGES_PATH.match(path)
        self.version, self.number_id = match.groups() if match else (None, None)
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None

    @property
    def is_message(self):
        """True for a POST of a message (not of a read mark)."""
        return self.method == "POST" and isinstance(self.body, dict) and "type" in self.body

    @property
    def recipient(self):
        return (self.body or {}).get("to") or (self.body or {}).get("recipient")


class Plan:
    """What becomes of the next message calls that match: kind "answer", "drop" or "delay"."""

    def __init__(self, kind, times, to, **how):
        self.kind, self.times, self.to, self.how = kind, times, to, how

    def fits(self, call):
        return self.to is None or call.recipient == self.to


class FakeGraph:
    """The platform. number_id and display_number are those of the webhooks it posts; token None accepts any bearer."""

    def __init__(self, app_secret="app-secret", token=None, number_id="106540352242922", display_number="15550783881",
                 account_id="102290129340398", port=0):
        self.app_secret, self.token = app_secret, token
        self.number_id, self.display_number, self.account_id = number_id, display_number, account_id
        self.calls = []
        self.lost = []  # calls that were accepted and then lost, as Meta does with a BSUID in "to"
        self._plans = collections.deque()
        self._auto = None
        self._gate = threading.Event()
        self._gate.set()
        self._changed = threading.Condition()
        self._threads = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    # ---- life ----

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        """Answers nothing any more; waits for statuses that are on their way."""
        self._gate.set()
        for thread in list(self._threads):
            thread.join(10)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- what happens to the next calls ----

    def fail(self, code, message="told to fail", details="", status=None, times=1, to=None, headers=None):
        """Refuses the next `times` messages (to `to`, if given) with Meta's error `code`."""
        status = status if status is not None else STATUS_OF_CODE.get(code, 400)
        self.answer(status, error_body(code, message, details), times=times, to=to, headers=headers)

    def answer(self, status, body, times=1, to=None, headers=None):
        """Answers the next messages with exactly this; body: an object (as JSON) or bytes."""
        self._plan(Plan("answer", times, to, status=status, body=body, headers=headers or {}))

    def drop(self, times=1, to=None, accept=True):
        """Closes the connection without an answer. accept: the message was taken all the same, and its statuses come."""
        self._plan(Plan("drop", times, to, accept=accept))

    def delay(self, seconds, times=1, to=None):
        """Accepts, but answers so much later."""
        self._plan(Plan("delay", times, to, seconds=seconds))

    def hold(self):
        """Lets all calls wait from now on, until release()."""
        self._gate.clear()

    def release(self):
        self._gate.set()

    def auto_statuses(self, hook_url, ladder=("sent", "delivered", "read"), before_response=False, pause=0.0):
        """Posts these statuses for every message accepted from now on; before_response: the first of them before the answer to the call
        goes out. hook_url None switches it off."""
        self._auto = (hook_url, tuple(ladder), before_response, pause) if hook_url else None

    def _plan(self, plan):
        with self._changed:
            self._plans.append(plan)

    def _next_plan(self, call):
        with self._changed:
            for plan in self._plans:
                if plan.fits(call):
                    plan.times -= 1
                    if plan.times == 0:
                        self._plans.remove(plan)
                    return plan
        return None

    # ---- what was called ----

    def messages(self, to=None):
        """The message calls so far, refused ones too."""
        with self._changed:
            return [call for call in self.calls if call.is_message and to in (None, call.recipient)]

    def accepted(self, to=None):
        return [call for call in self.messages(to) if call.wamid]

    def wait_for_messages(self, count, timeout=15.0, to=None):
        """Waits until at least `count` message calls were answered; returns them. AssertionError after `timeout`."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                done = [c for c in self.calls if c.is_message and to in (None, c.recipient) and c.status is not None]
                if len(done) >= count:
                    return done
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{len(done)} of {count} messages after {timeout} s")
                self._changed.wait(left)

    def record(self, call):
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()

    def answered(self, call, status):
        with self._changed:
            call.status = status
            self._changed.notify_all()

    # ---- answering a call ----

    def judge(self, call):
        """What Meta would say to the request itself: (status, body); None if it is fine."""
        bearer = call.headers.get("authorization", "")
        if not bearer.startswith("Bearer ") or (self.token is not None and bearer != "Bearer " + self.token):
            return 401, error_body(190, "Invalid OAuth access token")
        if call.version is None or call.method != "POST":
            return 400, error_body(100, "Unsupported request", "the path or method is none of this API")
        if call.number_id != self.number_id:
            return 400, error_body(33, "Object does not exist", "unknown phone number id")
        return self._judge_body(call.body)

    @staticmethod
    def _judge_body(body):
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            return 400, error_body(100, "Invalid parameter", "messaging_product must be whatsapp")
        if body.get("status") == "read":
            return None if body.get("message_id") else (400, error_body(131009, "Parameter value is not valid"))
        kind = body.get("type", "text")
        if not body.get("to") and not body.get("recipient"):
            return 400, error_body(131008, "Required parameter is missing", "to or recipient")
        if body.get("recipient") and not BSUID.match(body["recipient"]):
            return 400, error_body(131009, "Parameter value is not valid", "recipient")
        if kind not in TYPES or not body.get(kind):
            return 400, error_body(131008, "Required parameter is missing", str(kind))
        if len(body.get("biz_opaque_callback_data", "")) > 512:
            return 400, error_body(131009, "Parameter value is not valid", "biz_opaque_callback_data")
        if kind == "text" and not 0 < len(body["text"].get("body", "")) <= 4096:
            return 400, error_body(100, "Invalid parameter", "text.body must have 1 to 4096 characters")
        return None

    def accept(self, call):
        """Takes the message; the body of the answer."""
        to, recipient = call.body.get("to"), call.body.get("recipient")
        call.wamid = new_wamid()
        contact = {"input": to or recipient}
        if to and BSUID.match(to):
            self.lost.append(call)
        elif to:
            contact["wa_id"] = re.sub(r"\D", "", to)
        else:
            contact["user_id"] = recipient
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": call.wamid}]}

    def serve(self, call):
        """Decides one call: (status, body, headers), or None to close without an answer."""
        self._gate.wait()
        if call.is_message:
            plan = self._next_plan(call)
            if plan is not None:
                return self._serve_planned(call, plan)
        refused = self.judge(call)
        if refused is not None:
            return (*refused, {})
        if not call.is_message:
            return 200, {"success": True}, {}
        body = self.accept(call)
        self._start_statuses(call)
        return 200, body, {}

    def _serve_planned(self, call, plan):
        if plan.kind == "answer":
            return plan.how["status"], plan.how["body"], plan.how["headers"]
        if plan.kind == "drop":
            if plan.how["accept"] and self.judge(call) is None:
                self.accept(call)
                self._start_statuses(call)
            return None
        time.sleep(plan.how["seconds"])
        return self.serve(call)

    def _start_statuses(self, call):
        """Statuses of their own accord, in a thread; the first one at once if it is to come before the answer."""
        if self._auto is None or call in self.lost:
            return
        hook_url, ladder, before, pause = self._auto
        if before and ladder:
            self.post_status(hook_url, call, ladder[0])
            ladder = ladder[1:]
        thread = threading.Thread(target=self.walk, args=(hook_url, call, ladder, pause), daemon=True)
        self._threads.append(thread)
        thread.start()

    # ---- webhooks ----

    def message(self, text=None, sender="16505551234", wamid=None, user_id=None, at=None, kind="text", **content):
        """One entry of messages[]. sender None: a person who is known by BSUID only. content: the type's own object."""
        entry = {"id": wamid or new_wamid(), "timestamp": str(int(at if at is not None else time.time())), "type": kind}
        if sender is not None:
            entry["from"] = sender
        if user_id is not None:
            entry["from_user_id"] = user_id
        if kind == "text":
            entry["text"] = {"body": text}
        elif content:
            entry[kind] = content
        return entry

    def status(self, call, word, at=None, errors=None, opaque=True):
        """One entry of statuses[] about an accepted call."""
        entry = {"id": call.wamid, "status": word, "timestamp": str(int(at if at is not None else time.time()))}
        if call.body.get("to"):
            entry["recipient_id"] = re.sub(r"\D", "", call.body["to"])
        else:
            entry["recipient_user_id"] = call.body["recipient"]
        if opaque and call.body.get("biz_opaque_callback_data"):
            entry["biz_opaque_callback_data"] = call.body["biz_opaque_callback_data"]
        if errors:
            entry["errors"] = errors
        return entry

    def value(self, messages=(), statuses=(), name="Ana", number_id=None):
        """The value of one change of the field "messages"."""
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": self.display_number, "phone_number_id": number_id or self.number_id},
        }
        contacts = {}
        for entry in messages:
            key = entry.get("from") or entry.get("from_user_id")
            contacts[key] = {"profile": {"name": name}}
            if "from" in entry:
                contacts[key]["wa_id"] = entry["from"]
            if "from_user_id" in entry:
                contacts[key]["user_id"] = entry["from_user_id"]
        if messages:
            value["contacts"] = list(contacts.values())
            value["messages"] = list(messages)
        if statuses:
            value["statuses"] = list(statuses)
        return value

    def payload(self, *values):
        """A whole webhook of changes of the field "messages"."""
        changes = [{"field": "messages", "value": value} for value in values]
        return {"object": "whatsapp_business_account", "entry": [{"id": self.account_id, "changes": changes}]}

    def post_message(self, hook_url, text, sender="16505551234", name="Ana", **more):
        """A customer writes; returns the message's wamid once the bridge has acknowledged it."""
        entry = self.message(text, sender, **more)
        self.post_until_200(hook_url, encode(self.payload(self.value([entry], name=name))))
        return entry["id"]

    def post_status(self, hook_url, call, word, **more):
        """A status of an accepted message."""
        self.post_until_200(hook_url, encode(self.payload(self.value(statuses=[self.status(call, word, **more)]))))

    def walk(self, hook_url, call, ladder=("sent", "delivered", "read"), pause=0.0):
        """The statuses of a ladder, one post each."""
        for word in ladder:
            time.sleep(pause)
            self.post_status(hook_url, call, word)

    def post_until_200(self, hook_url, data, timeout=30.0):
        """Posts signed bytes again and again, as Meta does, until the answer is 200; returns the number of posts. AssertionError
        with the last answer after `timeout`."""
        end = time.monotonic() + timeout
        posts, wait, last = 0, 0.05, None
        while time.monotonic() < end:
            posts += 1
            try:
                last = self.post(hook_url, data)[0]
                if last == 200:
                    return posts
            except (OSError, http.client.HTTPException) as broken:
                last = broken
            time.sleep(wait)
            wait = min(wait * 2, 2.0)
        raise AssertionError(f"no 200 for a webhook after {posts} posts: {last}")

    def post(self, hook_url, data, signature=None, timeout=10.0):
        """One post; (status, body). signature None: the right one; "": none at all."""
        where = urllib.parse.urlsplit(hook_url)
        headers = {"Content-Type": "application/json", "User-Agent": "facebookexternalua"}
        signature = sign(self.app_secret, data) if signature is None else signature
        if signature:
            headers["X-Hub-Signature-256"] = signature
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)
        try:
            connection.request("POST", where.path + (f"?{where.query}" if where.query else ""), data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def verify(self, hook_url, token, challenge="1158201444", mode="subscribe"):
        """The subscription's handshake; (status, body)."""
        where = urllib.parse.urlsplit(hook_url)
        query = urllib.parse.urlencode({"hub.mode": mode, "hub.challenge": challenge, "hub.verify_token": token})
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
        try:
            connection.request("GET", f"{where.path}?{query}")
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _handler_of(graph):
    """The request handler class of one FakeGraph."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            """Tests look at calls, not at a log."""

        def _handle(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path.split("?")[0], headers, raw)
            graph.record(call)
            decided = graph.serve(call)
            try:
                self._answer(decided)
            except OSError:
                self.close_connection = True  # the bridge was killed meanwhile
            graph.answered(call, decided[0] if decided else 0)

        def _answer(self, decided):
            if decided is None:
                self.close_connection = True
                return
            status, body, headers = decided
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _handle

    return Handler


def main():
    """Stands alone, for playing by hand: prints its URL, then one line for each call."""
    parser = argparse.ArgumentParser(description="a stand-in for Meta's Graph API on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--app-secret", default="app-secret")
    parser.add_argument("--number-id", default="106540352242922")
    parser.add_argument("--hook", help="post sent, delivered, read for each message to this URL")
    args = parser.parse_args()
    with FakeGraph(args.app_secret, number_id=args.number_id, port=args.port) as graph:
        graph.auto_statuses(args.hook, pause=0.2)
        print(graph.url, flush=True)
        seen = 0
        while True:
            calls = graph.wait_for_messages(seen + 1, timeout=10**9)
            for call in calls[seen:]:
                print(json.dumps({"status": call.status, "wamid": call.wamid, "body": call.body}), flush=True)
            seen = len(calls)


if __name__ == "__main__":
    main()
