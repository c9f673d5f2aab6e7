#!/usr/bin/env python3
"""Each write and sync of the store's file fails once in turn, below the store, by strace.

For n = 1, 2, ... store_driver runs with its n-th call of one sort failing. After an I/O error no step may be acknowledged any
more; after "no space" the store goes on by itself, unless it was the head that could not be written, in place: then LMDB gives
the file up as after an I/O error. In either case snapshots must be had to the end, and what is on the disk afterwards
must fit what was acknowledged. Ends with 77, which ctest counts as skipped, where strace is not there or may not trace.

  syscalls.py --driver PATH [--each N]
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

WRITERS, STEPS = 2, 6
SKIPPED = 77
SORTS = (("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("writev", "EIO"), ("writev", "ENOSPC"))


def run(driver, work, call, error, nth):
    """One run with a failing call: (exit code, lines on the acknowledgements' descriptor, number of calls that failed)."""
    data = os.path.join(work, "data")
    os.mkdir(data, 0o700)
    acks, log = os.path.join(work, "acks"), os.path.join(work, "strace")
    command = ["strace", "-f", "-o", log, "-P", os.path.join(data, "data.mdb"), "-e", f"trace={call}",
               "-e", f"inject={call}:error={error}:when={nth}", driver, "run", data, str(WRITERS), str(STEPS)]
    with open(acks, "wb") as handle:
        def ack_descriptor():
            os.dup2(handle.fileno(), 3)
            os.set_inheritable(3, True)  # dup2 leaves it as it is when it is 3 already
        done = subprocess.run(command, preexec_fn=ack_descriptor, close_fds=False, capture_output=True, timeout=120, check=False,
                              env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    if not os.path.exists(log):
        return done.returncode, [], None
    with open(acks, encoding="ascii") as lines, open(log, encoding="utf-8", errors="replace") as trace:
        return done.returncode, lines.read().splitlines(), trace.read().count("(INJECTED)")


def judge(code, lines, error):
    """(steps acknowledged for each writer, what is wrong or "")."""
    acked, failed, reads = [0] * WRITERS, set(), None
    for words in map(str.split, lines):
        if words[0] == "reads":
            reads = words[1]
        elif words[0] == "refused":
            failed.update({words[1]} if words[3] == "io" else ())
        elif words[0] in failed:
            return acked, f"step {words[1]} of writer {words[0]} was acknowledged after an I/O error"
        else:
            acked[int(words[0])] = int(words[1])
    if code == 2 and not lines:
        return acked, ""  # it failed while the store was opened
    if code != 0:
        return acked, f"the driver ended with {code}"
    if reads != "ok":
        return acked, f"reading: {reads}"
    if error == "ENOSPC" and not failed and acked != [STEPS] * WRITERS:
        return acked, f"a full disk did not pass: {acked} acknowledged"
    return acked, ""


def fails_in_turn(driver, top, call, error, each):
    """Returns (runs in which the call failed, what is wrong or "")."""
    for nth in range(1, each + 1):
        work = tempfile.mkdtemp(dir=top)
        code, lines, failed = run(driver, work, call, error, nth)
        if failed is None:
            print("syscalls: strace may not trace here")
            sys.exit(SKIPPED)
        if failed == 0:
            return nth - 1, ""
        acked, wrong = judge(code, lines, error)
        if not wrong:
            checked = subprocess.run([driver, "check", os.path.join(work, "data"), *map(str, acked)], capture_output=True,
                                     text=True, timeout=120, check=False)
            wrong = checked.returncode and f"afterwards: exit {checked.returncode}: {checked.stderr.strip()[-500:]}"
        if wrong:
            return nth, f"call {nth}: {wrong}"
        shutil.rmtree(work)
    return each, ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--each", type=int, default=int(os.environ.get("TEST_FAULT_CALLS", "16")))
    options = parser.parse_args()
    if not shutil.which("strace"):
        print("syscalls: needs strace")
        return SKIPPED
    top = tempfile.mkdtemp(prefix="chasqui-syscalls-")
    bad = 0
    try:
        for call, error in SORTS:
            count, wrong = fails_in_turn(options.driver, top, call, error, options.each)
            print(f"{call:10} {error:7} {count} calls failed in turn {wrong}", flush=True)
            bad += bool(wrong) or count == 0
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
