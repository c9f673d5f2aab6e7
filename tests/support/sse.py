"""A reader of server-sent events in a thread of its own."""
import http.client
import json
import threading
import urllib.parse

from tests.support.daemon import wait_for


class EventStream:
    """.frames holds (event, id, data) in order, .comments the comment lines; .ended is true once the server closed."""

    def __init__(self, daemon, path="/api/v1/events/stream/", key=None, last=None, read=True):
        target = urllib.parse.urlsplit(daemon.url)
        self.connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        headers = {"Authorization": "Bearer " + (key or daemon.live)}
        if last:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.frames, self.comments, self.ended = [], [], False
        if read:
            self.start()

    def start(self):
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        name, ident, data = "message", None, []
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\r\n")
                if line.startswith(":"):
                    self.comments.append(line)
                elif line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("id:"):
                    ident = line[3:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())
                elif not line and data:
                    self.frames.append((name, ident, json.loads("\n".join(data))))
                    name, data = "message", []
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self.ended = True

    def types(self):
        return [name for name, _, _ in list(self.frames)]

    def wait(self, count, seconds=20):
        """Waits for that many frames and returns them."""
        return wait_for(lambda: len(self.frames) >= count and list(self.frames), f"{count} frames (have {self.types()})", seconds)

    def close(self):
        if self.connection.sock:
            self.connection.sock.shutdown(2)
        self.connection.close()
