"""Media of played customers: the same way as a platform's, with failures on demand."""
import base64
import unittest

from tests.fakes.model import FakeModel
from tests.integration.test_media import PNG
from tests.support.daemon import Daemon, wait_for

CUSTOMER = "+16505551234"
OGG = b"OggS\x00\x02" + bytes(range(256)) * 20
SAID = "When does the shop open?"


class SandboxMedia(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon().start()
        self.addCleanup(self.daemon.close)
        self.model = FakeModel("We open at nine.")
        self.addCleanup(self.model.close)
        key = self.daemon.test
        self.agent = self.daemon.ok(self.daemon.post("/api/v1/agents/", {"name": "Played shop", "model": {
            **self.model.settings, "vision": True, "transcription": self.model.transcription}}, key=key), 201)["id"]
        self.daemon.push("Opening hours", "When does the shop open? The shop opens at 9 in the morning.", key=key, agent=self.agent)

    def inbound(self, kind, **own):
        return self.daemon.post("/api/v1/sandbox/inbound/", {"from": CUSTOMER, "agent_id": self.agent, "type": kind, kind: own}, key=self.daemon.test)

    def conversation(self):
        return wait_for(lambda: self.daemon.conversations(key=self.daemon.test), "the conversation")[0]

    def replies(self):
        return [m["text"] for m in self.daemon.messages(self.conversation()["id"], key=self.daemon.test) if m["direction"] == "out"]

    def info(self):
        message = [m for m in self.daemon.messages(self.conversation()["id"], key=self.daemon.test) if m["direction"] == "in"][-1]
        return self.daemon.ok(self.daemon.get(message["content"]["file"]["url"] + "info/", key=self.daemon.test))

    def settled(self, state):
        return wait_for(lambda: (i := self.info())["state"] == state and i, f"a file that is {state}")

    def test_inline_sound_is_heard_and_an_uploaded_picture_is_seen(self):
        self.daemon.ok(self.inbound("audio", data=base64.b64encode(OGG).decode(), mime_type="audio/ogg", voice=True), 202)
        wait_for(lambda: self.replies() == ["We open at nine."], "the answer")
        self.assertEqual(self.model.sounds[0].data, OGG)
        self.assertIn(SAID, self.model.requests[0].last)

        made = self.daemon.ok(self.daemon.call("POST", "/api/v1/files/?name=a.png", PNG, headers={"Content-Type": "image/png"}, key=self.daemon.test), 201)
        self.daemon.ok(self.inbound("image", file_id=made["files"][0]["id"], caption="Is it yours?"), 202)
        wait_for(lambda: len(self.model.requests) == 2, "the second question")
        self.assertEqual(self.model.requests[1].pictures, [("image/png", PNG)])
        self.assertEqual(self.daemon.get(self.settled("ready")["url"], key=self.daemon.test).body, PNG)

    def test_special_ids_fail_as_they_are_listed_to(self):
        rows = {row["to"] for row in self.daemon.ok(self.daemon.get("/api/v1/sandbox/numbers/", key=self.daemon.test))["results"]}
        for media_id, code in (("sandbox-gone", "131052"), ("sandbox-large", "TOO_LARGE"), ("sandbox-lies", "CHECKSUM")):
            self.assertIn(media_id, rows)
            self.daemon.ok(self.inbound("image", id=media_id, caption=SAID), 202)
            wait_for(lambda: self.info().get("error", {}).get("code") == code, code)
        self.assertIn("sandbox-later", rows)
        self.daemon.ok(self.inbound("image", id="sandbox-later", caption=SAID), 202)
        self.assertEqual(self.settled("ready")["mime_type"], "image/png")

    def test_what_is_no_file_of_this_mode_is_refused(self):
        live = self.daemon.ok(self.daemon.call("POST", "/api/v1/files/?name=a.png", PNG, headers={"Content-Type": "image/png"}), 201)
        self.assertEqual(self.inbound("image", file_id=live["files"][0]["id"]).status, 404)
        for own in ({"data": "no base64"}, {"data": ""}, {"caption": "nothing"}):
            self.assertEqual(self.inbound("image", **own).status, 400, own)
        self.assertEqual(self.daemon.conversations(key=self.daemon.test), [])


if __name__ == "__main__":
    unittest.main()
