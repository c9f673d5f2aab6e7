"""Media: in as a job of its own, served safely; out by upload, once."""
from tests.fakes.graph import FakeGraph
from tests.integration.test_whatsapp import CUSTOMER
from tests.integration.test_window import WithApp
from tests.support.daemon import wait_for

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
HTML = b"<html><script>alert(1)</script></html>"


class In(WithApp):
    options = {"media_max": "64KiB"}

    def file_of(self, kind):
        self.app.wait("message.received")
        message = [m for m in self.messages() if m["type"] == kind][-1]
        return message["content"]["file"]

    def info(self, file):
        return self.daemon.ok(self.daemon.get(file["url"] + "info/"))

    def test_the_message_comes_first_and_the_file_heals(self):
        self.graph.media_faults = [503, 404]
        self.graph.sends_media(CUSTOMER, PNG, "image/png", caption="our menu")
        file = self.file_of("image")
        event = self.app.wait("media.ready", 1, 30)[0]
        self.assertEqual(event["data"]["file"]["id"], file["id"])
        answer = self.daemon.get(file["url"])
        self.assertEqual((answer.status, answer.body), (200, PNG))
        self.assertEqual(answer.headers["content-type"], "image/png")
        self.assertTrue(answer.headers["content-disposition"].startswith("attachment"))
        self.assertIn("sandbox", answer.headers["content-security-policy"])
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.daemon.get(file["url"], key=False).status, 401)
        self.assertEqual(self.daemon.get(file["url"], key=self.daemon.test).status, 404)

    def test_an_address_that_has_expired_is_asked_for_anew_with_the_token(self):
        self.graph.token = "EAAtoken"
        self.graph.media_life = -1  # too late already
        self.graph.sends_media(CUSTOMER, PNG, "image/png")
        file = self.file_of("image")
        wait_for(lambda: len(self.graph.addresses) >= 1, "the first address")
        self.graph.media_life = 300
        self.app.wait("media.ready", 1, 30)
        self.assertGreaterEqual(len(self.graph.addresses), 2)
        self.assertEqual(self.daemon.get(file["url"]).body, PNG)

    def test_a_type_that_lies_is_served_as_plain_bytes(self):
        self.graph.sends_media(CUSTOMER, HTML, "image/jpeg", what="document", filename="../../x/me\"nu.html")
        self.app.wait("media.ready", 1, 30)
        file = self.file_of("document")
        answer = self.daemon.get(file["url"])
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/octet-stream"))
        self.assertEqual(answer.headers["content-disposition"], 'attachment; filename="me_nu.html"')

    def test_too_large_and_unknown_files_fail_with_a_reason_and_a_foreign_host_gets_no_token(self):
        self.graph.sends_media(CUSTOMER, PNG * 20, "image/png")
        file = self.file_of("image")
        info = wait_for(lambda: (i := self.info(file))["state"] == "failed" and i, "the failure")
        self.assertEqual(info["error"]["code"], "TOO_LARGE")
        self.assertEqual(self.daemon.get(file["url"]).status, 404)
        with FakeGraph() as thief:
            self.graph.media_host = thief.url
            thief.media = self.graph.media
            thief.media_faults = [500]
            self.graph.sends_media(CUSTOMER, PNG, "image/png")
            wait_for(lambda: len(self.messages()) >= 2 and len([m for m in self.messages() if m["type"] == "image"]) == 2, "the second")
            info = wait_for(lambda: (i := self.info(self.file_of("image")))["state"] == "failed" and i, "the second failure")
            self.assertEqual((info["error"]["code"], thief.media_faults), ("HOST", [500]), "the other host is never asked")


class Out(WithApp):
    def test_a_file_is_uploaded_once_and_sent_twice(self):
        body = (b'--XX\r\nContent-Disposition: form-data; name="file"; filename="menu.png"\r\nContent-Type: image/png\r\n\r\n' + PNG + b"\r\n--XX--\r\n")
        made = self.daemon.ok(self.daemon.call("POST", "/api/v1/files/", body, headers={"Content-Type": "multipart/form-data; boundary=XX"}), 201)
        file = made["files"][0]
        self.assertEqual((file["name"], file["size"], file["mime_type"]), ("menu.png", len(PNG), "image/png"))
        self.assertEqual(self.daemon.get(made["url"]).body, PNG)
        raw = self.daemon.ok(self.daemon.call("POST", "/api/v1/files/?name=a.png", PNG, headers={"Content-Type": "image/png"}), 201)["files"][0]
        self.assertEqual(raw["sha256"], file["sha256"])

        self.graph.says(CUSTOMER, "When does the shop open?")
        self.graph.wait_sends(1)
        for count in (2, 3):
            self.daemon.ok(self.send(type="image", text="our menu", image={"file_id": file["id"]}), 201)
            call = self.graph.wait_sends(count)[-1]
            wait_for(self.daemon.idle, "idle")
            self.assertEqual(call.body["image"], {"id": self.graph.uploads[0], "caption": "our menu"})
        self.assertEqual(len(self.graph.uploads), 1)
        self.assertEqual(self.graph.media[self.graph.uploads[0]], (PNG, "image/png"))
        self.assertEqual(self.send(type="image", image={"file_id": "x", "link": "https://x.example/a"}).status, 400)
        missing = self.daemon.ok(self.send(type="image", image={"file_id": "fil_none"}), 201)["message_id"]
        failed = wait_for(lambda: [m for m in self.out() if m["id"] == missing and m["status"] == "failed"], "the failure")[0]
        self.assertEqual(failed["error"]["code"], "FILE_GONE")
