"""Runs the claims and prints a table: id, result, what was measured or noted. `python3 -m tests.claims.run [PAGE-NN...]`

The requests that the pages show stand below the claims. A claim without a test is a failure. Results: pass, FAIL, note (nothing to test: the text says why).
"""
import concurrent.futures
import importlib
import re
import sys
import time
import traceback
import unittest

from tests.claims.case import PAGES, Claim

MODULES = ("test_convoai_waiting", "test_convoai", "test_convoai_limits", "test_nexvio", "test_rovixal", "test_rovixal_parts", "test_vivi", "test_vivollo",
           "test_examples", "test_npm")
AT_ONCE = 3  # modules, each with a daemon of its own
NAME = re.compile(r"test_([A-Z]+)_(\d\d)_")


class Table(unittest.TestResult):
    """rows: id -> (result, remark, seconds)."""

    def __init__(self):
        super().__init__()
        self.rows = {}

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def row(self, test, result, remark):
        found = NAME.match(getattr(test, "_testMethodName", ""))
        if found:
            self.rows["-".join(found.groups())] = (result, remark, time.monotonic() - self.began)

    def addSuccess(self, test):
        self.row(test, "pass", "; ".join(getattr(test, "figures", [])) or (test.shortDescription() or ""))

    def fault(self, test, error):
        self.row(test, "FAIL", str(error[1]).split("\n", 1)[0][:160])
        print(test, "".join(traceback.format_exception(*error)), sep="\n", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.fault(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.fault(test, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.row(test, "note", reason.removeprefix("note: "))


def wanted(suite, names):
    """The tests of the claims that are asked for; all without names."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from wanted(test, names)
        elif not names or any(test._testMethodName.startswith("test_" + name.replace("-", "_")) for name in names):
            yield test


def run(module, names):
    """One module's rows and its faults outside of the claims."""
    table, suite = Table(), unittest.TestSuite()
    try:
        loaded = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("tests.claims." + module))
    except ImportError as error:
        return {}, [str(error)]
    suite.addTests(wanted(loaded, names))
    suite.run(table)
    return table.rows, [text for test, text in table.errors if not isinstance(test, Claim)]


def main():
    names = sys.argv[1:]
    began, found, outside = time.monotonic(), {}, []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for rows, faults in pool.map(lambda module: run(module, names), MODULES):
            found.update(rows)
            outside += faults
    others = sorted(name for name in found if name.split("-")[0] not in PAGES)
    every = [f"{page}-{number:02d}" for page, count in PAGES.items() for number in range(1, count + 1)] + others
    rows = {claim: found.get(claim, ("FAIL", "no test ran", 0)) for claim in every if not names or claim in found}
    print(f"{'claim':10} {'result':6} {'took':>7}  remark")
    for claim, (result, remark, took) in rows.items():
        print(f"{claim:10} {result:6} {took:5.1f} s  {remark}".rstrip())
    count = {word: sum(row[0] == word for row in rows.values()) for word in ("pass", "FAIL", "note")}
    for fault in outside:
        print("fault outside of the claims:", fault)
    bad = count["FAIL"] + len(outside)
    print(f"claims: {count['pass']} passed, {bad} failed, {count['note']} noted, {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
