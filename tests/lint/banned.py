#!/usr/bin/env python3
"""Tokens that may not appear, each with what to write instead. A file may be exempt by name; an exemption that is not needed is an error."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SRC = ("src/", "include/")
ALL = ("src/", "include/", "tests/", "bench/", "dags/", "manifests/", "dev", "docs/", "README.md", "CMakeLists.txt")

# (pattern, where, replacement, exempt files)
RULES = [
    (r"\b(system_clock|steady_clock|high_resolution_clock)::now\s*\(", SRC, "take an Instant, or a Clock by reference (base/time.h)",
     {"src/http/server.cc"}),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|\bsleep\s*\(", SRC + ("tests/",), "wait for a condition with a deadline", set()),
    (r"\brandom_device\b|\bmt19937|\bsrand\s*\(|\brand\s*\(", SRC, "take an Rng (base/rng.h)", set()),
    (r"(?<![\w.])new\s+[A-Za-z_:]+\s*[({<]", SRC, "std::make_unique, or a constructor behind unique_ptr(new T) in a factory of T's own", None),
    (r"\bdelete\s+[a-z_]", SRC, "an owner with a destructor", set()),
    (r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\b.*\b(FROM|INTO|SET|VALUES|\()", SRC, "a named statement in src/store", None),
    (r"\bstd::(cout|cerr)\b", SRC, "Session::out, Session::err or a Logger", {"src/main.cc"}),
    (r"\b(TODO|FIXME|XXX|HACK)\b", ALL, "an issue, or the thing itself", {"tests/lint/banned.py"}),
    (r"\bnot[ _-]implemented\b|\bunimplemented\b", ALL, "ErrorCode::Unsupported with what works instead", {"tests/lint/banned.py"}),
    (r"\bstatic\s+(?!const|constexpr|inline|cast|_)(std::)?[a-z_:<>]+\s+[a-z_]+\s*(=|;|\{)", SRC, "a member; there are no mutable globals", None),
    (r"\busing namespace (?!std::\w*literals)", SRC, "the name itself", set()),
    (r"#pragma clang diagnostic|NOLINT", SRC, "code that the check accepts", None),
]
# Places where a rule does not apply at all.
SKIP = {
    r"(?<![\w.])new\s+[A-Za-z_:]+\s*[({<]": ("std::unique_ptr<", "unique_ptr(new"),
}


def files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [f for f in listed if f.endswith((".cc", ".h", ".c", ".py", ".sh", ".md", ".yaml", ".txt", ".cmake", ".go", ".in", ".tpl")) or f in ("dev", ".ci/run") or f.endswith("/Containerfile")]


def strip_comments(text):
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def main():
    problems = []
    for path in files():
        full = os.path.join(ROOT, path)
        if not os.path.isfile(full) or path.startswith("tests/ml/fixtures/"):
            continue
        with open(full, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        for pattern, where, instead, exempt in RULES:
            if not path.startswith(where) or (exempt and path in exempt):
                continue
            if "SELECT" in pattern and path.startswith("src/store/"):
                continue
            code_only = where is SRC or where == SRC + ("tests/",)
            if code_only and not path.endswith((".cc", ".h", ".c")):
                continue
            for number, line in enumerate(lines, 1):
                text = re.sub(r"//.*", "", line) if code_only else line
                if code_only and "SELECT" not in pattern:
                    text = re.sub(r'"(\\.|[^"\\])*"', '""', text)
                if re.search(pattern, text) and not any(word in line for word in SKIP.get(pattern, ())):
                    problems.append(f"{path}:{number}: `{re.search(pattern, text).group(0).strip()}`: write {instead}")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
