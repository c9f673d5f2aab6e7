"""Every row of the table of Meta's error codes, driven through the fake Graph server: the behaviour of its class is seen."""
import os
import re

from tests.integration.test_whatsapp import WhatsAppCase
from tests.support.daemon import ROOT, wait_for

ROW = re.compile(r"^X\((\d+), (\d+), WHATSAPP_(\w+), (\d+), (\d+), (\d+), ")


def rows():
    with open(os.path.join(ROOT, "channels", "whatsapp", "tbl_errors.h"), encoding="utf-8") as handle:
        found = [ROW.match(line) for line in handle]
    return [(int(m[1]), int(m[2]), m[3], int(m[4]), int(m[6])) for m in found if m]


class Table(WhatsAppCase):
    options = {"probe_every": "1h"}

    def send(self, code, number):
        answer = self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/messages/",
                                  {"to": f"+1650{code:07d}{number}"[:13], "type": "template", "template": {"name": "t", "language": {"code": "en"}},
                                   "channel_id": self.channel["id"]})
        return self.daemon.ok(answer, 201)["message_id"]

    def message(self, message_id):
        return self.daemon.ok(self.daemon.get(f"/api/v1/messages/{message_id}/"))

    def becomes(self, message_id, status, seconds=20):
        return wait_for(lambda: (m := self.message(message_id))["status"] == status and m, f"{message_id} to be {status}", seconds)

    def paused(self):
        return self.daemon.ok(self.daemon.get(self.path))["status"] == "paused"

    def refused(self, code, message_id):
        self.assertEqual(self.becomes(message_id, "failed")["error"]["code"], str(code))
        self.assertFalse(self.paused(), "one message's refusal does not stop the number")

    def pauses(self, code, message_id):
        wait_for(self.paused, f"the pause for {code}")
        self.assertEqual(self.daemon.get(self.path).json["reason"]["code"], str(code))
        self.assertEqual(self.message(message_id)["status"], "queued", "nothing is lost")
        self.daemon.ok(self.daemon.patch(self.path, {"status": "active"}))

    def waits(self, code, message_id, wait_ms):
        line = wait_for(lambda: re.search(rf"event=send.later message={message_id} code=\"?{code}\"? wait_ms=(\d+)", self.daemon.log_text()), f"the wait for {code}")
        self.assertTrue(wait_ms / 2 <= int(line[1]) <= wait_ms, f"{code}: {line[0]}")
        self.assertEqual(self.message(message_id)["status"], "queued")
        if wait_ms > 2000:  # some hold the whole channel: the operator lets it go on
            self.daemon.ok(self.daemon.patch(self.path, {"status": "active"}))

    def test_each_row_behaves_as_its_class(self):
        self.path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        table = rows()
        self.assertGreater(len(table), 50)
        for first, last, kind, wait_ms, _ in table:
            for number, code in enumerate(sorted({first, last})):
                with self.subTest(code=code, kind=kind):
                    before = len(self.graph.calls)
                    self.graph.fail_next(code)
                    message_id = self.send(code, number)
                    wait_for(lambda: len(self.graph.calls) > before, f"the call for {code}")
                    if kind in ("REFUSED", "TEMPLATE"):
                        self.refused(code, message_id)
                    elif kind in ("AUTH", "ACCOUNT"):
                        self.pauses(code, message_id)
                    else:
                        self.waits(code, message_id, wait_ms)
                        if wait_ms <= 2000:  # it goes out by itself; the long waits stay behind
                            self.becomes(message_id, "sent")

    def test_rows_with_a_bound_give_up_after_it(self):
        self.path = f"/api/v1/agents/{self.daemon.agent}/channels/{self.channel['id']}/"
        for first, _, kind, _, tries in rows():
            if kind == "RETRY" and tries == 3:
                self.graph.fail_next(*[first] * tries)
                self.assertEqual(self.becomes(self.send(first, 7), "failed", 30)["error"]["code"], str(first))
