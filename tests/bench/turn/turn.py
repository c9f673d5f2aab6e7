"""Time from a customer's message posted by the platform to our call of the platform, with a model that answers at once.

    TEST_BINARY=build/release/chasqui python3 -m tests.bench.turn.turn [--turns N] [--in-flight 1,16,256] [--options "flag=value ..."]

For each number of conversations in flight: p50 and p99 of a turn, p50 of the post's 200, turns a second, and for each turn the
processor time of the daemon and its commits. Customers, model and platform are the C program bench_turn, one thread that answers at
once; its time is in the figures. Before each row stands its floor: the same turns through a process that answers the post, asks the
model and calls the platform, and does nothing else.

WhatsApp lets one number send 80 messages a second, and the daemon keeps to that; here the pacing by number is off (--number-rate 0),
else that rule is all that would be measured. Every customer writes once, so the pacing of a pair of number and customer and the
quiet time (0 s) do not count either.
"""
import argparse
import json
import os
import re
import subprocess
import urllib.request

from tests.support.daemon import CHASQUI, Daemon

PROGRAM = os.path.join(os.path.dirname(CHASQUI), "tests", "bench_turn")


class Program:
    """bench_turn: a line in, a line of JSON out."""

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def cpu_ms(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as handle:
        fields = handle.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def commits(daemon):
    with urllib.request.urlopen(daemon.url + "/metrics") as answer:
        return float(re.search(r"^chasqui_store_commits_total (\S+)", answer.read().decode(), re.M).group(1))


def row(daemon, program, flight, turns):
    floor = program.ask(f"floor {flight} {turns}")
    before, cpu = commits(daemon), cpu_ms(daemon.process)
    got = program.ask(f"turns {flight} {turns}")
    cpu, made = cpu_ms(daemon.process) - cpu, commits(daemon) - before
    print(f"in flight {flight:3d}: p50 {got['p50_ms']:.2f} ms, p99 {got['p99_ms']:.2f} ms, 200 after {got['ack_p50_ms']:.2f} ms, {got['per_s']:.0f} turns/s, "
          f"{cpu / turns:.2f} ms of processor and {made / turns:.2f} commits each; floor p50 {floor['p50_ms']:.2f} ms, p99 {floor['p99_ms']:.2f} ms, "
          f"{floor['per_s']:.0f}/s", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--turns", type=int, default=2000)
    options.add_argument("--in-flight", default="1,16,256")
    options.add_argument("--options", default="", help="of the daemon, such as number_rate=80")
    chosen = options.parse_args()
    own = dict(pair.split("=") for pair in chosen.options.split())
    program = Program()
    url = f"http://127.0.0.1:{program.port}"
    settings = {"quiet_time": "0s", "log_level": "warn", "http_connections_per_address": "2000", "address_limit": "0", "number_rate": "0"}
    with Daemon(**{**settings, **own}) as daemon:
        path = daemon.whatsapp(url)["webhook_path"]
        daemon.push("Delivery", "Do you deliver on Saturdays and what does it cost? We deliver on Saturdays for five euros.")
        daemon.ok(daemon.patch(f"/api/v1/agents/{daemon.agent}/", {"model": {
            "provider": "openai", "base_url": url + "/v1", "name": "fast", "api_key": "k" * 20, "stream": False}}))
        program.tell(f"target {daemon.listen.split(':')[1]} {path}")
        program.ask("turns 1 20")  # connections and caches are warm
        for flight in map(int, chosen.in_flight.split(",")):
            row(daemon, program, flight, max(chosen.turns, 4 * flight))
    program.close()


if __name__ == "__main__":
    main()
