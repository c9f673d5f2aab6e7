"""The fake Graph server keeps its word: run with `python3 -m unittest discover -s tests/fakes`."""

import http.client
import http.server
import json
import threading
import unittest

from graph import BSUID, FakeGraph, encode, sign


def send(graph, body, token="t", version="v26.0", number=None):
    """One call as the bridge makes it; (status, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", int(graph.url.rsplit(":", 1)[1]), timeout=10)
    path = f"/{version}/{number or graph.number_id}/messages"
    connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
    try:
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def text(to="+16505551234", **more):
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hi"}, **more}


class Hook:
    """A webhook receiver that answers with the given statuses, then 200."""

    def __init__(self, *statuses):
        self.posts, statuses = [], list(statuses)
        posts = self.posts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posts.append((self.headers["X-Hub-Signature-256"], self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/whatsapp/chn_1"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def words(self):
        return [json.loads(data)["entry"][0]["changes"][0]["value"]["statuses"][0]["status"] for _, data in self.posts]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class GraphTest(unittest.TestCase):
    def setUp(self):
        self.graph = FakeGraph(app_secret="test_app_secret", token="t").start()

    def tearDown(self):
        self.graph.stop()

    def test_accepts(self):
        status, body = send(self.graph, text())
        self.assertEqual(status, 200)
        self.assertEqual(body["contacts"], [{"input": "+16505551234", "wa_id": "16505551234"}])
        self.assertEqual(self.graph.accepted()[0].wamid, body["messages"][0]["id"])

    def test_refuses(self):
        rows = [
            ("token", text(), {"token": "x"}, 401, 190),
            ("number", text(), {"number": "1"}, 400, 33),
            ("product", {"to": "+1", "type": "text", "text": {"body": "x"}}, {}, 400, 100),
            ("recipient", {"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}, {}, 400, 131008),
            ("no BSUID", {"messaging_product": "whatsapp", "recipient": "+1", "type": "text"}, {}, 400, 131009),
            ("object", {"messaging_product": "whatsapp", "to": "+1", "type": "image"}, {}, 400, 131008),
            ("long", text(text={"body": "x" * 4097}), {}, 400, 100),
        ]
        for label, body, how, status, code in rows:
            with self.subTest(label):
                got = send(self.graph, body, **how)
                self.assertEqual((got[0], got[1]["error"]["code"]), (status, code))

    def test_bsuid_in_to_is_lost(self):
        self.assertEqual(send(self.graph, text("US.1349"))[0], 200)
        self.assertEqual(len(self.graph.lost), 1)
        self.assertTrue(BSUID.match("US.ENT.99"))

    def test_plans(self):
        self.graph.fail(131056, times=2, to="+1")
        self.graph.drop()
        self.assertEqual(send(self.graph, text("+1"))[1]["error"]["code"], 131056)
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            send(self.graph, text("+2"))
        self.assertEqual(send(self.graph, text("+1"))[0], 400)
        self.assertEqual(send(self.graph, text("+1"))[0], 200)
        self.assertEqual(len(self.graph.accepted()), 2)
        self.assertEqual([call.status for call in self.graph.wait_for_messages(4)], [400, 0, 400, 200])

    def test_hold(self):
        self.graph.hold()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(send(self.graph, text())))
        thread.start()
        with self.assertRaises(AssertionError):
            self.graph.wait_for_messages(1, timeout=0.1)
        self.graph.release()
        thread.join(10)
        self.assertEqual(answers[0][0], 200)

    def test_wire_form(self):
        data = encode({"a": "Zo\u00eb \U0001f44b a/b"})
        self.assertEqual(data, b'{"a":"Zo\\u00eb \\ud83d\\udc4b a\\/b"}')
        empty = b'{"object":"whatsapp_business_account","entry":[]}'
        want = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"
        self.assertEqual(sign("test_app_secret", empty), want)

    def test_posts_until_200(self):
        hook = Hook(503, 500)
        wamid = self.graph.post_message(hook.url, "h\u00e9/", user_id="US.7")
        self.assertEqual(len(hook.posts), 3)
        signature, data = hook.posts[2]
        self.assertEqual(signature, sign("test_app_secret", data))
        message = json.loads(data)["entry"][0]["changes"][0]["value"]["messages"][0]
        self.assertEqual((message["id"], message["text"]["body"], message["from_user_id"]), (wamid, "h\u00e9/", "US.7"))
        hook.close()

    def test_status_before_response(self):
        hook = Hook()
        self.graph.auto_statuses(hook.url, before_response=True)
        self.assertEqual(send(self.graph, text(biz_opaque_callback_data="msg_1"))[0], 200)
        self.assertEqual(hook.words()[0], "sent")
        self.graph.stop()
        self.assertEqual(hook.words(), ["sent", "delivered", "read"])
        hook.close()
        self.graph = FakeGraph().start()


if __name__ == "__main__":
    unittest.main()
