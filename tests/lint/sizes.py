#!/usr/bin/env python3
"""Size budgets with a ratchet: a file over 600 lines or a function over 70 may only shrink. `--update` rewrites the baseline."""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASELINE = os.path.join(ROOT, "tests/lint/sizes_baseline.json")
FILE_MAX = 600
FUNCTION_MAX = 70


def sources():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "src", "include", "tests", "bench"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f for f in listed.stdout.split("\n") if f.endswith((".cc", ".h", ".c")) and os.path.isfile(os.path.join(ROOT, f))]


def functions(lines):
    """Bodies that begin with a line ending in '{' at an indent of 0 or 2 and end with '}' at the same indent."""
    start = {}
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip(" "))
        if indent > 2:
            continue
        text = line.strip()
        opens = text.endswith("{") and "(" in text + (lines[number - 1] if number else "")
        if opens and not re.match(r"(namespace|class|struct|enum|union|extern|switch|for|while|if|else|do)\b", text) and "= {" not in text:
            start[indent] = number
        elif text.startswith("}") and indent in start:
            yield start[indent] + 1, number - start.pop(indent) + 1, lines[number]


def main():
    over = {}
    for path in sources():
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.read().split("\n")
        if len(lines) - 1 > FILE_MAX:
            over[path] = len(lines) - 1
        if path.startswith("tests/"):
            continue
        for number, length, _ in functions(lines):
            if length > FUNCTION_MAX:
                name = re.sub(r"\W+", "_", lines[number - 1].strip())[:60]
                over[f"{path}#{name}"] = length
    if "--update" in sys.argv:
        with open(BASELINE, "w", encoding="utf-8") as file:
            json.dump(over, file, indent=1, sort_keys=True)
            file.write("\n")
        return
    with open(BASELINE, encoding="utf-8") as file:
        allowed = json.load(file)
    problems = []
    for what, length in sorted(over.items()):
        limit = allowed.get(what)
        if limit is None:
            problems.append(f"{what}: {length} lines; the limit is {FUNCTION_MAX if '#' in what else FILE_MAX}. Split it by noun")
        elif length > limit:
            problems.append(f"{what}: grew from {limit} to {length} lines; what is over its limit may only shrink")
    for what, limit in sorted(allowed.items()):
        if over.get(what, 0) < limit:
            problems.append(f"{what}: shrank; run tests/lint/sizes.py --update to keep the gain")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
