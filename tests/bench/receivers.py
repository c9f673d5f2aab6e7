"""The servers that the ingest benchmark measures, and the processes that belong to them: started privately, on free loopback
ports, with their data below one scratch directory, and ended by their own ids."""
import json
import os
import re
import shutil
import socket
import subprocess
import time

from tests.fakes.graph import FakeGraph
from tests.support.daemon import http, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "app-secret"
PHONE_ID = "106540352242922"
NODE_ENTRIES = ("bullmq", "express", "fastify")
TICK = os.sysconf("SC_CLK_TCK")
DRAIN_SECONDS = 300
INTAKE = 'chasqui_jobs{queue="intake"}'


class Failure(Exception):
    """Ends the run with one sentence."""


# ---- processes ----

started = []


def spawn(args, log, **kwargs):
    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=log, **kwargs)
    started.append(process)
    return process


def stop(process):
    """Ends one process that this run started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


def stop_all():
    while started:
        stop(started.pop())


def cpu_seconds(pids):
    """User and system time of the processes so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as handle:
            fields = handle.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_mib(pids):
    """Memory of the processes' own; pages of the mapped store are the page cache's."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as handle:
            total += int(re.search(r"^RssAnon:\s+(\d+) kB", handle.read(), re.M).group(1))
    return total / 1024


def written_kib(pids):
    """What the processes wrote so far, answers to clients included. (write_bytes of the same file would count whole folios of the page
    cache for each page, many times what reaches the disk.)"""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/io", encoding="ascii") as handle:
            total += int(re.search(r"^wchar: (\d+)", handle.read(), re.M).group(1))
    return total / 1024


# ---- the servers ----


class Server:
    """One receiver: start() sets url and processes; stored() says how many posts it holds durably, or None."""

    kind = "message"
    status_id = None

    def __init__(self, name, scratch):
        self.name = name
        self.dir = os.path.join(scratch, name)
        self.url = None
        self.processes = []
        os.mkdir(self.dir)

    def launch(self, args, **kwargs):
        """Starts a program that prints "listening on URL"; returns the URL."""
        path = os.path.join(self.dir, "log")
        with open(path, "ab") as log:
            process = spawn(args, log, stdout=subprocess.PIPE, text=True, **kwargs)
        self.processes.append(process)
        line = process.stdout.readline()
        match = re.fullmatch(r"listening on (http://\S+)\n", line)
        if not match:
            with open(path, encoding="utf-8", errors="replace") as log:
                raise Failure(f"{self.name} did not start, it said {line!r}:\n{log.read()[-2000:]}")
        return match.group(1)

    def pids(self):
        return [process.pid for process in self.processes]

    def settle(self):
        """Waits until no job is left and the server does nothing any more; returns the seconds that took."""
        began = time.monotonic()
        while self.figures().get(INTAKE, 0) > 0 and time.monotonic() - began < DRAIN_SECONDS:
            time.sleep(0.1)
        before = cpu_seconds(self.pids())
        quiet = 0
        while quiet < 2:
            if time.monotonic() - began > DRAIN_SECONDS:
                raise Failure(f"{self.name} was still busy {DRAIN_SECONDS} s after the load ended")
            time.sleep(0.15)
            now = cpu_seconds(self.pids())
            quiet = quiet + 1 if now - before <= 1.5 / TICK else 0
            before = now
        return max(0.0, time.monotonic() - began - 0.3)

    def stored(self):
        return None

    def clear(self):
        """Forgets what the round stored, where that is needed to keep memory bounded."""

    def figures(self):
        """The store's counters by name; nothing where there is no store of ours."""
        return {}


class Front(Server):
    """The HTTP front alone."""

    extra = ()

    def start(self, options):
        program = os.path.join(options.build, "tests", "bench_front")
        self.base = self.launch([program, self.name, "--secret", SECRET, *self.extra])
        self.url = self.base + "/hooks/whatsapp/bench"


class Measured(Server):
    """A server with Chasqui's store in it, whose /metrics can be read."""

    def figures(self):
        lines = http("GET", self.base + "/metrics").body.decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("chasqui_"))
        return {name: float(value) for name, value in pairs}


class Commit(Measured, Front):
    def start(self, options):
        self.extra = ("--data", os.path.join(self.dir, "data"))
        super().start(options)


class Daemon(Measured):
    """Chasqui itself with its default options, one WhatsApp channel and a paused agent."""

    def start(self, options):
        with FakeGraph(app_secret=SECRET, phone_number_id=PHONE_ID) as graph:
            self.launch_daemon(options)
            agent = f"/api/v1/agents/{self.agent}/"
            self.call("PATCH", agent, {"status": "paused"})
            channel = self.call("POST", agent + "channels/", {
                "type": "whatsapp", "phone_number_id": PHONE_ID, "display_phone_number": "+15550783881",
                "business_account_id": "102290129340398", "access_token": "EAAtoken", "app_secret": SECRET,
                "verify_token": "verify-me", "graph_url": graph.url})
            self.url = self.base + channel["webhook_path"]
            graph.attach(self.url)
            self.warm(graph, agent)

    def launch_daemon(self, options):
        data = os.path.join(self.dir, "data")
        env = {key: value for key, value in os.environ.items() if not key.startswith("CHASQUI_")}
        env.update(HOME=self.dir, XDG_CONFIG_HOME=self.dir)
        done = subprocess.run([options.chasqui, "--data", data, "init", "--name", "Bench", "--email", "bench@shop.example", "--json"],
                              capture_output=True, text=True, env=env, timeout=60)
        if done.returncode != 0:
            raise Failure(f"chasqui init: {done.stderr}")
        made = json.loads(done.stdout)
        self.key, self.agent = made["live_key"], made["agent_id"]
        self.base = self.launch([options.chasqui, "serve", "--data", data, "--listen", "127.0.0.1:0", "--allow-private-networks",
                                 *options.serve], env=env)

    def warm(self, graph, agent):
        """What must have happened before the load; nothing for customers' messages."""

    def call(self, method, path, body=None):
        answer = http(method, self.base + path, body, {"Authorization": "Bearer " + self.key})
        if not 200 <= answer.status < 300:
            raise Failure(f"{method} {path}: {answer!r}")
        return answer.json


class Statuses(Daemon):
    kind = "status"

    def warm(self, graph, agent):
        """Sends the one message that all statuses are about."""
        graph.says("+15550000000", "Hello")
        self.settle()
        sent = self.call("POST", agent + "messages/", {"to": "+15550000000", "type": "text", "text": "Good morning"})
        wait_for(lambda: self.call("GET", f"/api/v1/messages/{sent['message_id']}/")["status"] == "sent", "the message to be sent")
        self.status_id = graph.sends[0].wamid


class Node(Server):
    """A Node receiver with a Redis of its own."""

    def start(self, options):
        self.redis_port = free_port()
        with open(os.path.join(self.dir, "redis.log"), "ab") as log:
            self.processes.append(spawn(["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", self.dir,
                                         "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                                         "--auto-aof-rewrite-percentage", "0", "--daemonize", "no"], log, stdout=log))
        wait_for(lambda: port_open(self.redis_port), "Redis")
        env = {**os.environ, "NODE_ENV": "production", "NODE_PATH": os.path.join(options.node, "node_modules"),
               "BENCH_SECRET": SECRET, "BENCH_REDIS_PORT": str(self.redis_port)}
        self.url = self.launch(["node", os.path.join(HERE, "node", self.name + ".js")], env=env) + "/hooks/whatsapp/bench"

    def redis(self, *words):
        """One command; returns the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.redis_port), 60) as sock:
            sock.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            answer = b""
            while not answer.endswith(b"\r\n"):
                answer += sock.recv(4096)
        return answer.decode().strip()

    def stored(self):
        return int(self.redis("LLEN", "bull:hooks:wait")[1:])

    def clear(self):
        self.redis("FLUSHALL")


CLASSES = {"bare": Front, "signature": Front, "commit": Commit, "chasqui": Daemon, "statuses": Statuses, "fastify": Node, "express": Node}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def port_open(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# ---- what must be there first ----


def need_packages(programs):
    """Installs Debian's packages of the programs that are missing."""
    packages = {"redis-server": "redis-server", "node": "nodejs", "npm": "npm"}
    missing = [packages[program] for program in programs if not shutil.which(program)]
    if missing:
        print("installing with apt-get:", *missing, flush=True)
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*as_root, "apt-get", "update", "-qq"], check=True)
        subprocess.run([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
                        "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL)


def need_node_packages(folder):
    """npm install outside the repository; nothing to do when the packages are there."""
    if all(os.path.isdir(os.path.join(folder, "node_modules", name)) for name in NODE_ENTRIES):
        return
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(HERE, "node", "package.json"), folder)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL)


def need_disk(folder):
    """A memory file system would make every sync free."""
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True)
    if done.stdout.strip() in ("tmpfs", "ramfs"):
        raise Failure(f"{folder} is in memory; give --scratch a folder on disk")
