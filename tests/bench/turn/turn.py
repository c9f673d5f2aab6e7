"""Time from a customer's message posted by the platform to our call of the platform, with a model that answers at once.

    TEST_BINARY=build/release/chasqui python3 -m tests.bench.turn.turn [TURNS]

At 1, 16 and 256 conversations in flight: p50 and p99 in ms, turns a second, and processor time of the daemon for each turn. Model and
platform are one asyncio process of their own and answer at once with whole JSON; the time that they take is in the figures.
"""
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import statistics
import sys
import time

from tests.support.daemon import Daemon

QUESTION = "When does the shop open?"
MODEL = json.dumps({"id": "c", "object": "chat.completion", "model": "fast", "created": 1,
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "We open at nine."}}],
                    "usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()


class Peer(asyncio.Protocol):
    """An HTTP server of one answer a path: the model, or the platform, which notes when it was called for whom."""

    def __init__(self, calls):
        self.calls, self.data = calls, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
            if len(rest) < size:
                return
            self.data = rest[size:]
            self.answer(head, rest[:size])

    def answer(self, head, body):
        out = MODEL
        if b"chat/completions" not in head:
            told = json.loads(body) if body else {}
            if told.get("type") == "text":
                self.calls.send((told["to"].lstrip("+"), time.monotonic()))
            out = json.dumps({"messaging_product": "whatsapp", "success": True, "contacts": [{"input": told.get("to"), "wa_id": told.get("to")}],
                              "messages": [{"id": f"wamid.{time.monotonic_ns()}"}]}).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(out) + out)


def serve(calls, port):
    async def run():
        server = await asyncio.get_running_loop().create_server(lambda: Peer(calls), "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()
    asyncio.run(run())


class Bench:
    def __init__(self, daemon, path, calls):
        self.daemon, self.path, self.calls, self.number, self.waiting = daemon, path, calls, 0, {}

    def payload(self, sender):
        self.number += 1
        message = {"from": sender, "id": f"wamid.IN{self.number}", "timestamp": str(int(time.time())), "type": "text", "text": {"body": QUESTION}}
        value = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
                 "contacts": [{"profile": {"name": "Ann"}, "wa_id": sender}], "messages": [message]}
        return json.dumps({"object": "whatsapp_business_account",
                           "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}]}).encode()

    async def customer(self, index, turns, times):
        host, port = self.daemon.listen.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for turn in range(turns):
            sender = f"1650{index:03d}{turn:04d}"  # a new customer each: no history, no loop of machines
            body = self.payload(sender)
            sign = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
            answered = self.waiting[sender] = asyncio.get_running_loop().create_future()
            began = time.monotonic()
            writer.write(f"POST {self.path} HTTP/1.1\r\nHost: {self.daemon.listen}\r\nContent-Type: application/json\r\n"
                         f"X-Hub-Signature-256: sha256={sign}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.split(b"\r\n")[0], head
            size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(size)
            times.append((await answered - began) * 1000)
        writer.close()

    def called(self):
        while self.calls.poll():
            sender, at = self.calls.recv()
            future = self.waiting.pop(sender, None)
            if future is not None and not future.done():
                future.set_result(at)

    def cpu(self):
        with open(f"/proc/{self.daemon.process.pid}/stat", encoding="ascii") as handle:
            fields = handle.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def run(self, flight, turns, base):
        asyncio.get_running_loop().add_reader(self.calls.fileno(), self.called)
        times, began, cpu = [], time.monotonic(), self.cpu()
        await asyncio.gather(*(self.customer(base + index, max(1, turns // flight), times) for index in range(flight)))
        took, cpu = time.monotonic() - began, self.cpu() - cpu
        times.sort()
        print(f"in flight {flight:3d}: {len(times)} turns, p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * 0.99) - 1]:.1f} ms, "
              f"{len(times) / took:.0f} turns/s, {cpu / len(times) * 1000:.2f} ms of processor each", flush=True)


def main(turns):
    calls, far_calls = multiprocessing.Pipe(False)
    port, far_port = multiprocessing.Pipe(False)
    peer = multiprocessing.Process(target=serve, args=(far_calls, far_port), daemon=True)
    peer.start()
    url = f"http://127.0.0.1:{port.recv()}"
    with Daemon(quiet_time="0s", log_level="warn", http_connections_per_address="2000", address_limit="0") as daemon:
        path = daemon.whatsapp(url)["webhook_path"]
        daemon.push("Opening hours", "When does the shop open? At 9 in the morning.")
        daemon.ok(daemon.patch(f"/api/v1/agents/{daemon.agent}/", {"model": {
            "provider": "openai", "base_url": url + "/v1", "name": "fast", "api_key": "k" * 20, "stream": False}}))
        bench = Bench(daemon, path, calls)
        for flight, base in ((1, 0), (16, 1), (256, 17)):
            asyncio.run(bench.run(flight, turns, base))
    peer.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
