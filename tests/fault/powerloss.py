#!/usr/bin/env python3
"""What is left when the power fails: replays a recorded run of the store, cut at many points.

A run of store_driver is recorded by the preloaded shim (record.h): each write to the data file and to the two files of its
journal, each sync, each acknowledgement, in order; the driver brings the journal in again and again meanwhile. For a cut at one place of that record the disk surely holds what was synced before it, and of
the writes that were not synced any part: none, all, some of them, some of their 4 KiB pages, some of their 512-byte
sectors. Such files are built, and the driver opens each: everything acknowledged before the cut must be there, whole,
with indexes and counts that fit, and the store must take more.

Three runs, the second and third being the proof that the test can see:
  real      the store as it is: every cut must be survived
  no sync   the store opened without any sync: loss must be found
  deaf disk the record of the real run, read as if fdatasync did nothing and only writes through O_DSYNC were durable:
            a store whose head is newer than its body, and a journal that is not there; loss or damage must be found

  powerloss.py --driver PATH --shim PATH [--cuts N] [--seed N] [--writers N] [--steps N] [--keep DIR]
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HEAD = struct.Struct("=HHIQ")
FILES = ("data.mdb", "journal-0", "journal-1")
GRAINS = {"writes": 1 << 62, "pages": 4096, "sectors": 512}  # what a disk keeps or drops as a whole
CHECK_SECONDS = 60
OUTCOMES = {0: "well", 1: "lost", 2: "damaged"}


class Record:
    """One entry of the shim's log."""
    __slots__ = ("kind", "file", "offset", "data")

    def __init__(self, kind, file, offset, data):
        self.kind, self.file, self.offset, self.data = kind, file, offset, data


def read_log(path):
    with open(path, "rb") as handle:
        raw = handle.read()
    records, at = [], 0
    while at < len(raw):
        kind, file, size, offset = HEAD.unpack_from(raw, at)
        at += HEAD.size
        records.append(Record(chr(kind), file, offset, raw[at:at + size]))
        at += size
    strange = [r.data for r in records if r.kind == "X"]
    if strange:
        sys.exit(f"powerloss: the run changed the file in a way that cannot be replayed: {strange[0]}")
    return records


def put(image, offset, data):
    if len(image) < offset + len(data):
        image.extend(bytes(offset + len(data) - len(image)))
    image[offset:offset + len(data)] = data


def pieces(low, high, grain):
    """The range cut at the multiples of grain."""
    while low < high:
        end = min(high, (low // grain + 1) * grain)
        yield low, end
        low = end


class Disk:
    """The durable part of the files and the writes that may or may not be on them, up to a moving place in the record."""

    def __init__(self, records, writers, deaf=False):
        self.records, self.deaf, self.place = records, deaf, 0
        self.durable = [bytearray() for _ in FILES]
        self.there = set()  # files that were written to
        self.pending = []  # [number, file, offset or None, data or the new size]
        self.acked = [0] * writers
        self.named = False

    def advance(self, place):
        while self.place < place:
            self.step(self.place, self.records[self.place])
            self.place += 1

    def step(self, number, record):
        if record.kind == "W":
            self.pending.append([number, record.file, record.offset, bytearray(record.data)])
            self.there.add(record.file)
        elif record.kind == "T":
            self.pending.append([number, record.file, None, record.offset])
        elif record.kind == "E" and not self.deaf:
            self.settle(record.file, record.offset)
        elif record.kind == "D":
            self.settle_one(record.offset)
        elif record.kind == "N":
            self.named = True
        elif record.kind == "A":
            self.acknowledge(record.data.decode())

    def settle(self, synced, began):
        """A sync of a file is over: what was written to it before it began is durable."""
        left = []
        for write in self.pending:
            number, file, offset, data = write
            if number < began and file == synced:
                self.apply(self.durable[file], offset, data)
            else:
                left.append(write)
        self.pending = left

    def settle_one(self, number):
        """One write is durable; an older one that it overlaps must not come over it again."""
        _, file, offset, data = next(write for write in self.pending if write[0] == number)
        self.apply(self.durable[file], offset, data)
        self.pending = [write for write in self.pending if write[0] != number]
        for _, elsewhere, other, bytes_there in self.pending:
            if other is None or elsewhere != file:
                continue
            low, high = max(other, offset), min(other + len(bytes_there), offset + len(data))
            if low < high:
                bytes_there[low - other:high - other] = data[low - offset:high - offset]

    @staticmethod
    def apply(image, offset, data):
        if offset is not None:
            put(image, offset, data)
        elif data < len(image):
            del image[data:]
        else:
            image.extend(bytes(data - len(image)))

    def acknowledge(self, text):
        for line in text.splitlines():
            words = line.split()
            if words[0] in ("refused", "reads"):
                continue
            if not self.named:
                sys.exit("powerloss: acknowledged before the file's name was durable")
            self.acked[int(words[0])] = int(words[1])

    def after_cut(self, policy, chance):
        """Files that the disk may hold if the power fails now."""
        images = [bytearray(image) if file in self.there else None for file, image in enumerate(self.durable)]
        share = chance.random()
        for _, file, offset, data in self.pending:
            if policy == "none":
                continue
            if policy == "all" or offset is None:
                if policy == "all" or chance.random() < share:
                    self.apply(images[file], offset, data)
                continue
            for low, high in pieces(offset, offset + len(data), GRAINS[policy]):
                if chance.random() < share:
                    put(images[file], low, data[low - offset:high - offset])
        return images


def record_run(options, work, nosync=False):
    """Runs the driver under the shim; returns the records."""
    data, log = os.path.join(work, "data"), os.path.join(work, "log")
    os.mkdir(data, 0o700)
    env = {**os.environ, "LD_PRELOAD": options.shim, "TEST_RECORD_LOG": log, "TEST_RECORD_FILES": ":".join(os.path.join(data, name) for name in FILES),
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0"}
    command = [options.driver, "run", data, str(options.writers), str(options.steps)] + (["nosync"] if nosync else [])
    with open(os.path.join(work, "acks"), "wb") as acks:
        def ack_descriptor():
            os.dup2(acks.fileno(), 3)
            os.set_inheritable(3, True)  # dup2 leaves it as it is when it is 3 already
        done = subprocess.run(command, env=env, preexec_fn=ack_descriptor, close_fds=False, capture_output=True, text=True,
                              timeout=180)
    if done.returncode != 0:
        sys.exit(f"powerloss: the driver ended with {done.returncode}\n{done.stderr}")
    return read_log(log)


def places(records, count, chance):
    """Where to cut: behind acknowledgements, just before a sync or a durable write ends, anywhere."""
    acks = [i + 1 for i, r in enumerate(records) if r.kind == "A"]
    ends = [i for i, r in enumerate(records) if r.kind in "ED"]
    chosen = [chance.choice(acks) for _ in range(count * 2 // 5)] + [chance.choice(ends) for _ in range(count // 5)]
    chosen += [chance.randrange(len(records) + 1) for _ in range(count - len(chosen))]
    return sorted(chosen)


def check(options, images, acked, work):
    """What the driver says of the files: (outcome, words)."""
    data = os.path.join(work, "cut")
    shutil.rmtree(data, ignore_errors=True)
    os.mkdir(data, 0o700)
    for name, image in zip(FILES, images):
        if image is not None:
            with open(os.path.join(data, name), "wb") as handle:
                handle.write(image)
    try:
        done = subprocess.run([options.driver, "check", data, *map(str, acked)], capture_output=True, text=True,
                              timeout=CHECK_SECONDS, errors="replace")
    except subprocess.TimeoutExpired:
        return "damaged", "the check hung"
    return OUTCOMES.get(done.returncode, "damaged"), f"exit {done.returncode}: {done.stderr.strip()[-600:]}"


def keep(options, images, name):
    for file, image in zip(FILES, images):
        if options.keep and image is not None:
            os.makedirs(os.path.join(options.keep, name), exist_ok=True)
            with open(os.path.join(options.keep, name, file), "wb") as handle:
                handle.write(image)


def replay(options, records, count, chance, work, deaf=False):
    """Cuts at `count` places; returns the number of each outcome and the first bad one's description."""
    disk, found, first = Disk(records, options.writers, deaf), dict.fromkeys(OUTCOMES.values(), 0), ""
    policies = ("none", "all", "writes", "pages", "sectors")
    for place in places(records, count, chance):
        disk.advance(place)
        policy = chance.choice(policies)
        images = disk.after_cut(policy, chance)
        outcome, words = check(options, images, disk.acked, work)
        found[outcome] += 1
        if outcome != "well" and not first:
            first = f"cut at record {place} of {len(records)}, unsynced: {policy}, acknowledged {disk.acked}: {outcome}, {words}"
            keep(options, images, f"cut-{place}-{policy}")
    return found, first


def roomy():
    """Where to work: in memory if there is room, for no real disk has a part in this; else the usual place."""
    memory = "/dev/shm"
    return memory if os.path.isdir(memory) and shutil.disk_usage(memory).free > 1 << 29 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--cuts", type=int, default=int(os.environ.get("TEST_POWER_CUTS", "200")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TEST_SEED", random.randrange(1 << 30))))
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--keep")
    options = parser.parse_args()
    options.shim = os.path.abspath(options.shim)
    chance, failed = random.Random(options.seed), False
    top = tempfile.mkdtemp(prefix="chasqui-powerloss-", dir=roomy())
    print(f"seed {options.seed}")
    try:
        logs = {}
        for name, nosync in (("real", False), ("no sync", True)):
            work = os.path.join(top, name.replace(" ", "-"))
            os.mkdir(work)
            logs[name] = record_run(options, work, nosync)
        few = max(options.cuts // 5, 20)
        for name, log, cuts, deaf in (("real", "real", options.cuts, False), ("no sync", "no sync", few, False),
                                      ("deaf disk", "real", few, True)):
            began = time.monotonic()
            found, first = replay(options, logs[log], cuts, chance, top, deaf)
            right = found["well"] == cuts if name == "real" else found["well"] < cuts
            failed = failed or not right
            kinds = {kind: sum(r.kind == kind for r in logs[log]) for kind in "WDEA"}
            print(f"{name:9}: {cuts} cuts of {kinds['W']} writes, {kinds['E']} syncs, {kinds['D']} durable writes, {kinds['A']} "
                  f"acknowledgements: {found['well']} well, {found['lost']} lost, {found['damaged']} damaged "
                  f"({time.monotonic() - began:.1f} s) {'as it must be' if right else 'WRONG'}")
            if first and (name == "real" or not right):
                print("  " + first)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
