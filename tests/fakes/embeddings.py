"""A fake server for search by meaning: POST /v1/embeddings and POST /v1/rerank, the same for the same words.

A text's vector is the sum of a fixed vector for each of its words; words of one group of SYNONYMS have the same vector, so a
question that shares no letter with a passage can be next to it.

    with FakeMeaning() as meaning:
        settings = {"base_url": meaning.url, "name": "fake-meaning", "api_key": "meaning-key-0123456789"}
        meaning.status = 503           # every answer from now on; None: as it should be
        meaning.hold = Event()         # nothing is answered before it is set
        meaning.texts, meaning.calls   # what was asked
"""
import base64
import hashlib
import http.server
import json
import math
import re
import struct
import threading

DIMENSIONS = 96
SYNONYMS = [
    {"dog", "puppy", "hound", "fido"},
    {"refund", "reimburse", "cash", "umtausch"},
    {"car", "automobile", "vehicle", "auto"},
]
STOP = set("a an the is are do does can i we you my our your to of in on for with and or it be get have about when what how".split())


def word_vector(word):
    group = next((i for i, words in enumerate(SYNONYMS) if word in words), None)
    name = f"group {group}" if group is not None else word
    seed = hashlib.shake_128(name.encode()).digest(DIMENSIONS)
    return [byte / 127.5 - 1 for byte in seed]


def vector(text):
    total = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        if word not in STOP:
            total = [a + b for a, b in zip(total, word_vector(word))]
    length = math.sqrt(sum(a * a for a in total)) or 1.0
    return [a / length for a in total]


class FakeMeaning:
    def __init__(self):
        self.calls, self.texts, self.status, self.hold = [], [], None, None
        self.most, self.base64, self.dimensions = 64, False, DIMENSIONS
        self.ranks_last = None  # the reranker puts passages with this word first
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.calls.append((self.path, body, dict(self.headers)))
                if fake.hold is not None:
                    fake.hold.wait(60)
                status, answer = fake.answer(self.path, body)
                data = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path, body):
        if self.status is not None:
            return self.status, {"error": {"message": "told to fail", "type": "server_error"}}
        return self.rerank(body) if path.endswith("/rerank") else self.embed(body)

    def embed(self, body):
        texts = body["input"]
        if len(texts) > self.most:
            return 500, {"error": {"message": "input is too large to process", "type": "server_error"}}
        self.texts += texts
        rows = []
        for index, text in enumerate(texts):
            numbers = vector(body["model"] + " " + text)[:self.dimensions]
            value = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode() if self.base64 else numbers
            rows.append({"object": "embedding", "index": index, "embedding": value})
        return 200, {"object": "list", "data": rows[::-1], "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}

    def rerank(self, body):
        texts = body.get("documents", body.get("texts"))
        scores = [(index, 5.0 if self.ranks_last and self.ranks_last in text else -1.0 - index) for index, text in enumerate(texts)]
        if "texts" in body:
            return 200, [{"index": index, "score": score} for index, score in scores]
        return 200, {"results": [{"index": index, "relevance_score": score} for index, score in scores]}

    def close(self):
        if self.hold is not None:
            self.hold.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
