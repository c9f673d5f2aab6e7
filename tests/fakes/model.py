"""A fake model server (chat completions, and Anthropic Messages at /v1/messages) for tests: streams or answers at once, and misbehaves when told.

    with FakeModel() as model:
        model.says("We open at nine.")                # the answer from now on
        model.next(Error(429, retry_after="2"), Stream("Hello", done=False))   # the next two requests, then the answer
        ... {"provider": "openai", "base_url": model.url, "name": "fake", "api_key": "k"} ...
        request = model.wait_requests(1)[0]           # .body, .headers, .system, .last (the newest message's text)

A behaviour is an object with play(handler, request); requests that find none in the script get model.default. What waits,
waits for an event (Hold), never for a clock: model.hold() makes one that is let go by .release() or at the end of the test.
"""
import base64
import http.server
import json
import re
import socket
import struct
import threading
import time

from tests.support.daemon import wait_for

USAGE = {"prompt_tokens": 90, "completion_tokens": 12, "total_tokens": 102, "prompt_tokens_details": {"cached_tokens": 0}}


class Request:
    """One call that arrived."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.at = time.monotonic()
        self.gone = threading.Event()  # our answer could not be written: the client hung up

    @property
    def pictures(self):
        """(type, bytes) of each picture in the newest message."""
        content = self.messages[-1]["content"] if self.messages else []
        found = []
        for part in content if isinstance(content, list) else []:
            if part.get("type") == "image_url":
                kind, _, data = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
                found.append((kind, base64.b64decode(data, validate=True)))
            elif part.get("type") == "image":
                found.append((part["source"]["media_type"], base64.b64decode(part["source"]["data"], validate=True)))
        return found

    @property
    def messages(self):
        return self.body.get("messages", [])

    @property
    def is_anthropic(self):
        return self.path.endswith("/messages")

    @property
    def system(self):
        own = plain(self.body.get("system"))
        return own or "\n".join(m["content"] for m in self.messages if m["role"] == "system")

    @property
    def tools(self):
        """Names of the tools that are offered."""
        return [tool.get("function", tool)["name"] for tool in self.body.get("tools", [])]

    @property
    def results(self):
        """Texts of the tools' results, in order."""
        found = [m["content"] for m in self.messages if m["role"] == "tool"]
        for message in self.messages:
            if isinstance(message["content"], list):
                found += [part["content"] for part in message["content"] if part.get("type") == "tool_result"]
        return found

    @property
    def is_note(self):
        """It asks for a note about a conversation, not for an answer to a customer."""
        return "You write notes for the staff" in self.system

    @property
    def last(self):
        return plain(self.messages[-1]["content"]) if self.messages else ""

    @property
    def text(self):
        """All of the prompt."""
        return "\n".join(plain(m["content"]) for m in self.messages)


def plain(content):
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


class Sound:
    """One voice message that was to be written down: fields of the form, the file's name, type and bytes."""

    def __init__(self, headers, raw):
        self.headers, self.fields, self.at = headers, {}, time.monotonic()
        boundary = re.search(r"boundary=(\S+)", headers["Content-Type"]).group(1).encode()
        for part in raw.split(b"--" + boundary)[1:-1]:
            head, _, body = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="(\w+)"', head).group(1).decode()
            self.fields[name] = body[:-2]
            if name == "file":
                self.filename = re.search(rb'filename="([^"]+)"', head).group(1).decode()
                self.type = re.search(rb"Content-Type: (\S+)", head).group(1).decode()
        self.data = self.fields.pop("file")
        self.fields = {name: value.decode() for name, value in self.fields.items()}
        self.gone = threading.Event()


class Hold:
    """Something that waits until the test lets it go on; reached says that it waits."""

    def __init__(self):
        self.reached, self.gate = threading.Event(), threading.Event()

    def wait(self):
        self.reached.set()
        self.gate.wait(120)

    def wait_reached(self, seconds=20):
        if not self.reached.wait(seconds):
            raise AssertionError("the model server was not asked")

    def release(self):
        self.gate.set()


def chunk(delta=None, finish=None, **more):
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake-1",
             "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]}
    value.update(more)
    return value


def event(value):
    return "data: " + (value if isinstance(value, str) else json.dumps(value)) + "\n\n"


class Stream:
    """A stream of pieces: texts, dicts (whole chunks) or Holds.

    newline: "\\n", "\\r\\n" or "\\r"; step: bytes for each write, None all at once; done: [DONE] at the end; finish: the
    finish reason, None for none; usage: "last" (a chunk of its own), "each" or None; first: raw text before everything;
    cut: the connection ends after so many bytes.
    """

    def __init__(self, *pieces, newline="\n", step=None, done=True, finish="stop", usage="last", first="", cut=None):
        self.pieces, self.newline, self.step, self.done = pieces, newline, step, done
        self.finish, self.usage, self.first, self.cut = finish, usage, first, cut

    def parts(self):
        each = {"usage": USAGE} if self.usage == "each" else {}
        yield self.first
        yield event(chunk({"role": "assistant", "content": ""}))
        for piece in self.pieces:
            if isinstance(piece, Hold):
                yield piece
            else:
                yield event(piece if isinstance(piece, dict) else chunk({"content": piece}, **each))
        if self.finish:
            yield event(chunk(finish=self.finish, **each))
        if self.usage == "last":
            yield event({"id": "chatcmpl-1", "choices": [], "usage": USAGE})
        if self.done:
            yield event("[DONE]")

    def play(self, handler, request):
        handler.head(200, {"Content-Type": "text/event-stream; charset=utf-8", "x-request-id": "req_fake"})
        sent = 0
        for part in self.parts():
            if isinstance(part, Hold):
                part.wait()
                continue
            data = part.replace("\n", self.newline).encode()
            if self.cut is not None and sent + len(data) > self.cut:
                handler.put(data[:self.cut - sent])
                return
            for at in range(0, len(data), self.step or max(len(data), 1)):
                handler.put(data[at:at + (self.step or len(data))])
            sent += len(data)


class Whole:
    """A complete JSON answer, whatever was asked for."""

    def __init__(self, text, finish="stop", usage=USAGE, **message):
        self.value = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake-1",
                      "choices": [{"index": 0, "finish_reason": finish,
                                   "message": {"role": "assistant", "content": text, **message}}]}
        if usage:
            self.value["usage"] = usage

    def play(self, handler, request):
        handler.whole(200, json.dumps(self.value).encode())


class Says:
    """A stream if a stream was asked for, else JSON. text may be a function of the request."""

    def __init__(self, text, pieces=3):
        self.text, self.pieces = text, pieces

    def play(self, handler, request):
        text = self.text(request) if callable(self.text) else self.text
        if request.is_anthropic:
            Blocks({"type": "text", "text": text}).play(handler, request)
            return
        if not request.body.get("stream"):
            Whole(text).play(handler, request)
            return
        size = max(1, -(-len(text) // self.pieces))
        Stream(*[text[at:at + size] for at in range(0, len(text), size)]).play(handler, request)


class Tools:
    """Calls of tools: (name, arguments) each; arguments a dict, or text as it is. broken: how the pieces come: "pieces" of three
    bytes, "whole" in one chunk without id, "zero" always index 0."""

    def __init__(self, *calls, said="", way="pieces"):
        self.calls, self.said, self.way = [(n, a if isinstance(a, str) else json.dumps(a)) for n, a in calls], said, way

    def pieces(self):
        for number, (name, text) in enumerate(self.calls):
            if self.way == "whole":
                yield chunk({"tool_calls": [{"function": {"name": name, "arguments": text}, "index": number}]})
                continue
            index = 0 if self.way == "zero" else number
            yield chunk({"tool_calls": [{"index": index, "id": f"c{number}", "type": "function",
                                         "function": {"name": name, "arguments": ""}}]})
            for at in range(0, len(text), 3):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": text[at:at + 3]}}]})

    def play(self, handler, request):
        if request.is_anthropic:
            blocks = [{"type": "text", "text": self.said}] if self.said else []
            blocks += [{"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": text}
                       for n, (name, text) in enumerate(self.calls)]
            Blocks(*blocks, stop="tool_use").play(handler, request)
        elif request.body.get("stream"):
            Stream(*([self.said] if self.said else []), *self.pieces(), finish="tool_calls").play(handler, request)
        else:
            Whole(self.said or None, finish="tool_calls",
                  tool_calls=[{"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": text}}
                              for n, (name, text) in enumerate(self.calls)]).play(handler, request)


MESSAGES_USAGE = {"input_tokens": 40, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 1}


class Blocks:
    """An answer of Anthropic Messages, a stream if asked for. A tool_use block's input is text, sent in pieces. error: an event
    after the blocks; stop: None cuts the stream before its end."""

    def __init__(self, *blocks, stop="end_turn", error=None):
        self.blocks, self.stop, self.error = blocks, stop, error

    def events(self):
        yield "message_start", {"message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-fake",
                                            "content": [], "stop_reason": None, "usage": MESSAGES_USAGE}}
        yield "ping", {}
        yield "an_event_of_tomorrow", {"index": 0, "delta": {"type": "text_delta", "text": "never shown"}}
        for number, block in enumerate(self.blocks):
            yield "content_block_start", {"index": number, "content_block": {**block, **({"text": ""} if block["type"] == "text" else {"input": {}})}}
            kind, field, text = (("text_delta", "text", block["text"]) if block["type"] == "text"
                                 else ("input_json_delta", "partial_json", block["input"]))
            for at in range(0, len(text), 5):
                yield "content_block_delta", {"index": number, "delta": {"type": kind, field: text[at:at + 5]}}
            yield "content_block_stop", {"index": number}
        if self.error:
            yield "error", {"error": self.error}
        elif self.stop:
            yield "message_delta", {"delta": {"stop_reason": self.stop, "stop_sequence": None}, "usage": {"output_tokens": 12}}
            yield "message_stop", {}

    def play(self, handler, request):
        if request.body.get("stream"):
            handler.head(200, {"Content-Type": "text/event-stream", "request-id": "req_fake"})
            for name, data in self.events():
                handler.put(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())
            return
        content = [{**b, "input": json.loads(b["input"])} if b["type"] == "tool_use" else b for b in self.blocks]
        handler.whole(200, json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-fake", "content": content,
                                       "stop_reason": self.stop, "usage": {**MESSAGES_USAGE, "output_tokens": 12}}).encode(),
                      {"request-id": "req_fake"})


class Error:
    """An HTTP error. body: dict, text or bytes; None makes OpenAI's shape of message, code, type and param."""

    def __init__(self, status, message="it failed", code=None, type="error", param=None, body=None, retry_after=None,
                 headers=None):
        self.status, self.headers = status, dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        if body is None:
            body = {"error": {"message": message, "type": type, "param": param, "code": code}}
        self.body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body if isinstance(body, bytes) else body.encode()

    def play(self, handler, request):
        handler.whole(self.status, self.body, self.headers)


class Raw:
    """Bytes with a status and a content type: broken JSON, HTML, ten megabytes."""

    def __init__(self, body, status=200, content_type="application/json"):
        self.body, self.status, self.content_type = body if isinstance(body, bytes) else body.encode(), status, content_type

    def play(self, handler, request):
        handler.whole(self.status, self.body, {"Content-Type": self.content_type})


class Reset:
    """The connection breaks before any answer."""

    def play(self, handler, request):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True


class Silence:
    """No answer until the hold is let go; then the inner behaviour, or the connection closes."""

    def __init__(self, hold, then=None):
        self.hold, self.then = hold, then

    def play(self, handler, request):
        self.hold.wait()
        if self.then is not None:
            self.then.play(handler, request)


class Drip:
    """Text that never ends, a piece for each time the hold is asked; ends when the client goes or the test does."""

    def __init__(self, hold, piece="and so on "):
        self.hold, self.piece = hold, piece

    def play(self, handler, request):
        handler.head(200, {"Content-Type": "text/event-stream"})
        self.hold.reached.set()
        while not self.hold.gate.wait(0.5) and not request.gone.is_set():
            handler.put(event(chunk({"content": self.piece})).encode())


# The spellings of "the prompt is too long" that are in use.
CONTEXT_ERRORS = (
    Error(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded", type="invalid_request_error"),
    Error(400, body={"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 13392, "n_ctx": 8192,
                               "message": "request (13392 tokens) exceeds the available context size (8192 tokens)"}}),
    Error(400, body={"object": "error", "type": "BadRequestError", "code": 400,
                     "message": "This model's maximum context length is 32768 tokens. However, you requested 32818 tokens"}),
    Error(400, body={"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens"}}),
)


class FakeModel:
    """url is the base URL for an agent's model; requests holds what came, in order."""

    def __init__(self, text="I am a model."):
        self.default = Says(text)
        self.script, self.requests, self.holds = [], [], []
        self.sounds, self.hearing, self.hears = [], [], "When does the shop open?"  # asked for; next answers; else this text
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.endswith("/audio/transcriptions"):
                    fake.listen(self, raw)
                    return
                try:
                    body = json.loads(raw)
                except ValueError:
                    body = {}
                self.request_seen = Request(self.path, dict(self.headers.items()), body)
                with fake.lock:
                    fake.requests.append(self.request_seen)
                    behaviour = fake.script.pop(0) if fake.script else fake.default
                behaviour.play(self, self.request_seen)

            def do_GET(self):
                self.whole(200, json.dumps({"object": "list", "data": [{"id": "fake-1", "object": "model"}]}).encode())

            def head(self, status, headers):
                """An answer without a length: it ends with the connection."""
                self.close_connection = True
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()

            def whole(self, status, body, headers=None):
                self.send_response(status)
                headers = {"Content-Type": "application/json", **(headers or {})}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.put(body)

            def put(self, data):
                try:
                    self.wfile.write(data)
                    self.wfile.flush()
                except OSError:
                    if hasattr(self, "request_seen"):
                        self.request_seen.gone.set()
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def listen(self, handler, raw):
        """POST /audio/transcriptions: what hearing holds (texts or behaviours), then the text that is heard."""
        sound = Sound(dict(handler.headers.items()), raw)
        with self.lock:
            self.sounds.append(sound)
            heard = self.hearing.pop(0) if self.hearing else self.hears
        if isinstance(heard, str):
            handler.whole(200, json.dumps({"text": heard}).encode())
        else:
            handler.request_seen = sound
            heard.play(handler, sound)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for hold in self.holds:
            hold.release()
        self.server.shutdown()
        self.server.server_close()

    @property
    def settings(self):
        """The model part of an agent that uses this server."""
        return {"provider": "openai", "base_url": self.url, "name": "fake-1", "api_key": "model-key-0123456789"}

    @property
    def transcription(self):
        """The part of an agent's model that has voice messages written down here."""
        return {"base_url": self.url, "name": "fake-ear", "api_key": "ear-key-0123456789"}

    @property
    def messages_settings(self):
        """The same server spoken to as Anthropic Messages."""
        return {**self.settings, "provider": "anthropic", "base_url": self.url.removesuffix("/v1")}

    def says(self, text):
        """The answer for every request that finds no script."""
        self.default = Says(text)

    def always(self, behaviour):
        self.default = behaviour

    def next(self, *behaviours):
        """What the next requests get, in order."""
        with self.lock:
            self.script.extend(behaviours)

    def hold(self):
        hold = Hold()
        self.holds.append(hold)
        return hold

    def wait_requests(self, count, seconds=20):
        """Waits for that many requests in all and returns them."""
        return wait_for(lambda: len(self.requests) >= count and list(self.requests), f"{count} model requests", seconds)
