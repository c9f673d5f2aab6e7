"""VIVI's page, VIVI-01 to 24: a channel with a key of its own, spoken to by stream, invoke, batch and files."""
import http.client
import json
import threading
import time
import urllib.parse
import uuid

from tests.claims.case import HOURS, Claim
from tests.fakes.model import Stream
from tests.support.daemon import wait_for
from tests.support.daemon import http as http_call

UNASSIGNED = "CHANNEL_UNASSIGNED"


class Channel(Claim):
    def setUp(self):
        super().setUp()
        self.channel = self.ok(self.post(self.base + "/channels/", {"type": "api", "name": "Own app"}), 201)
        self.root = f"{self.daemon.url}/channelsApi/{self.channel['channel_id']}"
        self.key = {"vivi-api-key": self.channel["api_key"], "Content-Type": "application/json"}

    def speak(self, verb="invoke", headers=None, raw=None, **body):
        """A call with the channel's own key."""
        body = {"message": "hi", "threadId": "t1", **body}
        body = {name: value for name, value in body.items() if value is not ...}
        return http_call("POST", f"{self.root}/{verb}", raw if raw is not None else body, self.key if headers is None else headers)

    def lines(self, answer):
        """The events of a stream; each line that is not empty must be one."""
        found = []
        for line in answer.body.decode().split("\n"):
            if line.strip():
                self.assertTrue(line.startswith("data: "), line)
                found.append(json.loads(line[6:]))
        return found

    def stream(self, **body):
        answer = self.speak("stream", **body)
        self.assertEqual(answer.status, 200, answer)
        return self.lines(answer)

    def talks(self):
        return {row["id"] for row in self.conversations()}

    def test_VIVI_01_a_channel_has_an_id_and_a_key(self):
        self.assertTrue(self.channel["channel_id"] and self.channel["api_key"])

    def test_VIVI_02_a_channel_has_a_document_of_its_own(self):
        told = http_call("GET", self.root + "/openapi.json", headers=self.key)
        self.assertEqual(told.status, 200)
        self.assertTrue(told.json["openapi"].startswith("3."))
        for verb in ("stream", "invoke", "batch", "files"):
            path = next(path for path in told.json["paths"] if path.endswith("/" + verb))
            self.assertIn("post", told.json["paths"][path])
        self.assertIn("threadId", json.dumps(told.json))

    def test_VIVI_03_a_channel_works_once_it_is_assigned(self):
        path = f"{self.base}/channels/{self.channel['id']}/"
        self.ok(self.patch(path, {"agent_id": None}))
        answer = self.speak()
        self.assertEqual((answer.status, answer.json["error"]["code"]), (409, UNASSIGNED))
        for where in (path, f"/api/v1/channels/{self.channel['id']}/"):
            again = self.patch(where, {"agent_id": self.agent})
            if again.status == 200:
                break
        self.assertEqual((again.status, self.speak().status), (200, 200))

    def test_VIVI_04_a_window_to_test_in(self):
        page = http_call("GET", self.root + "/docs")
        self.assertEqual((page.status, page.headers["content-type"].split(";")[0]), (200, "text/html"))
        text = page.body.decode()
        for asset in [part.split('"')[0] for part in text.split('src="')[1:]]:
            told = http_call("GET", urllib.parse.urljoin(self.root + "/docs", asset))
            self.assertEqual(told.status, 200, asset)
            text += told.body.decode()
        self.assertIn("vivi-api-key", text)
        self.assertIn("stream", text)

    def test_VIVI_05_stream(self):
        answer = self.speak("stream")
        self.assertEqual((answer.status, answer.headers["content-type"].split(";")[0]), (200, "text/event-stream"))

    def test_VIVI_06_the_key_is_in_vivi_api_key(self):
        self.assertEqual(self.speak("stream", headers={"vivi-api-key": self.channel["api_key"]}).status, 200)

    def test_VIVI_07_the_key_is_needed(self):
        for headers in ({}, {"vivi-api-key": "wrong"}):
            self.assertEqual(self.speak("stream", headers=headers).status, 401)

    def test_VIVI_08_a_message_is_needed(self):
        answer = self.speak("stream", message=...)
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "message"))

    def test_VIVI_09_a_thread_is_a_conversation(self):
        answer = self.speak("stream", threadId=...)
        self.assertEqual((answer.status, answer.json["error"]["field"]), (400, "threadId"))
        for thread, count in (("a", 1), ("a", 1), ("b", 2)):
            self.stream(threadId=thread)
            self.assertEqual(len(self.talks()), count, thread)

    def test_VIVI_10_a_thread_may_be_any_text(self):
        for thread in (str(uuid.uuid4()), "conversationId", "Order 17/b é"):
            self.stream(threadId=thread)

    def test_VIVI_11_a_user_is_optional(self):
        user = str(uuid.uuid4())
        for number, value in enumerate((..., None, user)):
            self.stream(threadId=str(number), userId=value)
        listed = self.ok(self.get("/api/v1/contacts/?page_size=100"))["results"]
        self.assertEqual(len([c for c in listed if any(user in i["value"] for i in c["identities"])]), 1)

    def uploaded(self, data=b"The parcel number is PX-7788.", name="note.txt"):
        """The address of an uploaded file."""
        mark = "----claim"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
        raw = head.encode() + data + f"\r\n--{mark}--\r\n".encode()
        answer = http_call("POST", self.root + "/files", raw, {"vivi-api-key": self.channel["api_key"],
                                                               "Content-Type": f"multipart/form-data; boundary={mark}"})
        self.assertIn(answer.status, (200, 201), answer)
        return answer.json

    def test_VIVI_12_files_are_optional(self):
        url = self.uploaded()["url"]
        for value in (..., None, url, [url]):
            self.stream(attachedFiles=value)

    def test_VIVI_13_an_attached_file_reaches_the_model(self):
        model = self.model()
        self.stream(message="What is in my note?", attachedFiles=[self.uploaded()["url"]])
        self.assertTrue(any("PX-7788" in request.text for request in model.requests))

    def test_VIVI_14_lines_of_the_stream(self):
        for event in self.stream():
            self.assertLessEqual({"message", "event"}, set(event))

    def test_VIVI_15_the_first_event(self):
        self.assertEqual(self.stream()[0], {"message": "", "event": "on_chat_model_start"})

    def test_VIVI_16_pieces_make_the_stored_reply(self):
        self.model(text="One two three four five.")
        pieces = self.stream()[1:-1]
        self.assertEqual({event["event"] for event in pieces}, {"on_chat_model_stream"})
        said = [m["text"] for m in self.daemon.messages(self.talks().pop(), key=self.test) if m["direction"] == "out"]
        self.assertEqual(["".join(event["message"] for event in pieces)], said)

    def test_VIVI_17_the_last_event(self):
        last = self.stream()[-1]
        self.assertEqual((last["message"], last["event"]), ("", "on_chat_model_end"))
        self.measured("the last event tells besides: " + ", ".join(sorted(set(last) - {"message", "event"})))

    def test_VIVI_18_lines_come_while_the_model_writes(self):
        model = self.model()
        holds = [model.hold(), model.hold()]
        model.next(Stream("We open ", holds[0], "at nine ", holds[1], "every day."))
        target = urllib.parse.urlsplit(self.root)
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("POST", target.path + "/stream", json.dumps({"message": "hi", "threadId": "t1"}), self.key)
        answer, came = connection.getresponse(), []
        reader = threading.Thread(target=lambda: came.extend((time.monotonic(), line) for line in iter(answer.readline, b"") if line.strip()))
        reader.start()
        for hold in holds:
            hold.wait_reached()
            time.sleep(1)
            hold.release()
        reader.join(20)
        gaps = [after[0] - before[0] for before, after in zip(came, came[1:])]
        self.measured("gaps of " + " and ".join(f"{gap:.1f} s" for gap in sorted(gaps)[-2:]))
        self.assertTrue(all(gap > 0.5 for gap in sorted(gaps)[-2:]), came)

    def test_VIVI_19_invoke(self):
        self.teach(*HOURS)
        wait_for(lambda: "9 in the morning" in self.ok(self.speak(message="When does the shop open?"), 200)["message"], "the answer")

    def test_VIVI_20_batch(self):
        rows = [{"message": f"hi {number}", "threadId": f"b{number}"} for number in range(4)]
        answer = http_call("POST", self.root + "/batch", {"messages": rows}, self.key)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([row["threadId"] for row in answer.json["results"]], [row["threadId"] for row in rows])
        self.assertTrue(all(row["message"] for row in answer.json["results"]))
        bare = http_call("POST", self.root + "/batch", rows, self.key)
        self.measured(f"a bare array: {bare.status}")

    def test_VIVI_21_files(self):
        told = self.uploaded()
        self.assertTrue(told["url"].startswith("http"))
        self.assertEqual(len(told["files"]), 1)

    def test_VIVI_22_the_pages_own_client(self):
        from tests.claims.examples.vivi_stream import talk
        events = [json.loads(line.removeprefix("data: ")) for line in talk(self.daemon.url, self.channel["channel_id"], self.channel["api_key"])]
        self.assertEqual([events[0]["event"], events[-1]["event"]], ["on_chat_model_start", "on_chat_model_end"])

    def test_VIVI_23_the_key_is_rotated(self):
        told = self.ok(self.post(f"{self.base}/channels/{self.channel['id']}/rotate-key/"), 200, 201)
        old = self.speak()
        self.assertEqual(old.status, 401, "the old one stops")
        self.key["vivi-api-key"] = told["api_key"]
        self.assertEqual(self.speak().status, 200)

    def test_VIVI_24_five_are_told_and_four_are_named(self):
        self.note("the page speaks of five endpoints and names four: VIVI-05, 19, 20 and 21")
