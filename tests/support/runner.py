"""Runs the stories of tests/integration and prints one line for each, the log of failures only, and a count."""
import importlib
import os
import pkgutil
import sys
import time
import unittest

import tests.integration
from tests.support import traffic

# Run on their own, against the release binary.
APART = {"test_quickstart", "test_readme"}


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def line(self, word, test):
        print(f"{word} {time.monotonic() - self.began:6.1f} s  {test.id().removeprefix('tests.integration.')}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("pass", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("FAIL", test)
        print(self.failures[-1][1], flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(self, "began"):
            self.began = time.monotonic()
        self.line("FAIL", test)
        print(self.errors[-1][1], flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test)
        print("     ", reason, flush=True)


def main():
    names = sys.argv[1:]
    if not names:
        found = sorted(module.name for module in pkgutil.iter_modules(tests.integration.__path__))
        names = [name for name in found if name.startswith("test_") and name not in APART]
    suite, missing = unittest.TestSuite(), 0
    for name in names:
        module, _, case = name.partition(".")
        try:
            loaded = importlib.import_module("tests.integration." + module)
        except ImportError as error:
            print("FAIL", name, error)
            missing += 1
            continue
        loader = unittest.defaultTestLoader
        suite.addTests(loader.loadTestsFromName(case, loaded) if case else loader.loadTestsFromModule(loaded))
    result = Result()
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    suite.run(result)
    print(traffic.summary())
    bad = len(result.failures) + len(result.errors) + missing
    print(f"stories: {result.testsRun - len(result.failures) - len(result.errors) - len(result.skipped)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    return 1 if bad or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
