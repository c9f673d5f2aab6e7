#!/usr/bin/env python3
"""The shape of the tree, held by machine: sizes, direction of includes, banned calls, words that do not belong.

Rules (each violation is one line and fails the run):
  size      a .c file has at most 800 lines, a header 320, tables aside; a function at most 100 lines
  layers    includes between folders point one way: bridge -> agent -> channels, kb -> queue -> queue/base; no circles
  walls     lmdb.h, http_parser.h, curl.h and libpq-fe.h are each included by one file (kept behind one wrapper)
  banned    strcpy strcat sprintf atoi strtok gets alloca; an assignment inside a condition
  essay     every .c and .h begins with a comment saying what it is
  queries   every query parameter that a handler reads stands in bridge/api/tbl_queries.h
  words     no leftovers (to-do marks) and no path of somebody's machine
"""
import os
import re
import subprocess
import sys
from collections import defaultdict

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = ("bridge", "agent", "channels", "kb", "queue")
RANK = {"queue/base": 0, "queue": 1, "channels": 2, "kb": 2, "agent": 3, "bridge": 4}
WALLS = {"lmdb.h": "queue/base/kv", "http_parser.h": "bridge/http/", "curl/curl.h": "queue/base/httpc",
         "libpq-fe.h": "queue/engine_pg"}
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|atoi|atol|strtok|gets|alloca)\s*\(")
ASSIGN = re.compile(r"\b(if|while)\s*\([^=!<>;]*[^=!<>;&|]\s=\s[^=]")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK|not implemented|(?<![\x22/])placeholder)\b")
MACHINE = re.compile(r"(^|[^A-Za-z0-9_.$}/-])/(work|farm|home/[a-z]+)/|\.\./shared")
problems = []


def problem(rule, place, text):
    problems.append(f"{rule:8} {place}: {text}")


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in out.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, name))]


def room(path):
    """The top room of a file, queue/base counted apart."""
    if path.startswith("queue/base/"):
        return "queue/base"
    return path.split("/")[0]


def strip(text):
    """The code without comments and strings; line breaks stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def functions(code):
    """(name, first line, length) of each function: its braces stand alone in the first column."""
    lines = code.split("\n")
    start, name = None, ""
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            head = " ".join(lines[max(0, number - 5):number - 1])
            found = re.findall(r"(\w+)\s*\(", head)
            start, name = number, found[0] if found else "?"
            if found and len(found) > 1 and head.rstrip().endswith(")"):
                name = found[0]
        elif line.startswith("}") and start is not None:
            if not line.startswith("};"):
                yield name, start, number - start + 1
            start = None


def check_sizes(path, text, code):
    lines = text.count("\n")
    table = os.path.basename(path).startswith("tbl_")
    limit = 320 if path.endswith(".h") else 800
    if lines > limit and not table:
        problem("size", path, f"{lines} lines, at most {limit}")
    for name, line, length in functions(code):
        if length > 100:
            problem("size", f"{path}:{line}", f"{name} has {length} lines, at most 100")


def check_includes(path, text, edges):
    for kind, name in INCLUDE.findall(text):
        for header, home in WALLS.items():
            if name == header and not path.startswith(home):
                problem("walls", path, f"only {home}* may include {header}")
        if kind != '"':
            continue
        mine, theirs = room(path), room(name)
        if theirs not in RANK:
            problem("layers", path, f'"{name}" is not a path from the root')
        elif RANK[theirs] > RANK[mine] or (RANK[theirs] == RANK[mine] and mine != theirs):
            problem("layers", path, f"{mine} must not include {theirs} ({name})")
        edges[os.path.dirname(path)].add(os.path.dirname(name))


def check_circles(edges):
    """A folder that can be reached from itself over another one."""
    for start in sorted(edges):
        seen, queue = set(), [n for n in edges[start] if n != start]
        while queue:
            node = queue.pop()
            if node in seen:
                continue
            seen.add(node)
            if node == start:
                problem("layers", start, "stands in a circle of folders")
                break
            queue.extend(n for n in edges.get(node, ()) if n != node)


def check_queries(path, text):
    """The query's names, out of the table once."""
    if not hasattr(check_queries, "known"):
        with open(os.path.join(ROOT, "bridge/api/tbl_queries.h"), encoding="utf-8") as handle:
            check_queries.known = set(re.findall(r'^QUERY\(\w+, "(\w+)"', handle.read(), re.M)) | {"page", "page_size", "cursor"}
    for name in re.findall(r'call_query\(\w+, "(\w+)"\)', text):
        if name not in check_queries.known and name != "type":  # the old name of types
            problem("queries", path, f"{name} is not in tbl_queries.h")


def check_words(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if LEFTOVER.search(line):
            problem("words", f"{path}:{number}", LEFTOVER.search(line).group(0))
        if MACHINE.search(line):
            problem("words", f"{path}:{number}", "a path of somebody's machine")


def check_code(path, text, edges):
    code = strip(text)
    if not text.startswith("/*"):
        problem("essay", path, "does not begin with a comment that says what it is")
    check_sizes(path, text, code)
    if path.startswith("bridge/api/"):
        check_queries(path, text)
    check_includes(path, text, edges)
    for number, line in enumerate(code.split("\n"), 1):
        if BANNED.search(line):
            problem("banned", f"{path}:{number}", BANNED.search(line).group(1))
        if ASSIGN.search(line) and " for " not in line:
            problem("banned", f"{path}:{number}", "assignment inside a condition")


def main():
    edges = defaultdict(set)
    files = tracked()
    count = 0
    for path in files:
        if path == "tests/check/shape.py" or path.startswith("tests/eval/") or "/vendor/" in path:
            continue
        with open(os.path.join(ROOT, path), "rb") as handle:
            raw = handle.read()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", "replace")
        check_words(path, text)
        if path.endswith((".c", ".h")) and path.split("/")[0] in CODE:
            check_code(path, text, edges)
            count += 1
    check_circles(edges)
    for line in problems:
        print(line)
    print(f"shape: {count} source files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
