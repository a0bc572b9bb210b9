#!/usr/bin/env python3
"""Runs one behaviour case through the real binary.

  run.py --slipway build/bin/slipway tests/conformance/010-dag-validate

A case is a folder: `cmd` (a bash script, run in a fresh folder with the contents of `in/`), `out` (its standard output), optionally `err` (its
standard error) and `exit` (its exit code, default 0). In `out` and `err`, `{{*}}` stands for any text within a line, `{{**}}` alone on a line for any
number of lines. HOME and SLIPWAY_HOME are inside the fresh folder; a daemon that the case leaves running is stopped. SLIPWAY_REWRITE=1
rewrites `out`, `err` and `exit` where they differ; put the wildcards back by hand."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile


def pattern(expected):
    lines = []
    for line in expected.split("\n"):
        if line == "{{**}}":
            lines.append(r"(?:.*\n)*?")
            continue
        lines.append(".*".join(re.escape(part) for part in line.split("{{*}}")) + "\n")
    text = "".join(lines)
    return text[:-1] if text.endswith("\n") else text


def stop_daemon(home):
    """Ends whatever the case started: the daemon and the helper that holds its tasks."""
    for folder, _, files in os.walk("/proc"):
        del files
        if not re.fullmatch(r"/proc/\d+", folder):
            continue
        try:
            with open(folder + "/environ", "rb") as file:
                if f"SLIPWAY_CASE_HOME={home}".encode() in file.read().split(b"\0"):
                    os.kill(int(folder[6:]), signal.SIGKILL)
        except OSError:
            continue


def read(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("case")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="slipway-case-")
    home = os.path.join(work, "home")
    try:
        folder = os.path.join(work, "in")
        shutil.copytree(os.path.join(options.case, "in"), folder) if os.path.isdir(os.path.join(options.case, "in")) else os.mkdir(folder)
        env = {"PATH": os.path.dirname(os.path.abspath(options.slipway)) + ":" + os.environ["PATH"], "HOME": work, "SLIPWAY_HOME": home,
               "SLIPWAY_CASE_HOME": home, "LANG": "C.UTF-8", "TZ": "UTC", "SOURCE": os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        try:
            done = subprocess.run(["bash", os.path.abspath(os.path.join(options.case, "cmd"))], cwd=folder, env=env, capture_output=True, text=True,
                                  timeout=120, stdin=subprocess.DEVNULL)
        finally:
            stop_daemon(home)
        seen = {"out": done.stdout.replace(work, "WORK"), "err": done.stderr.replace(work, "WORK"), "exit": f"{done.returncode}\n"}
        expected = {name: read(os.path.join(options.case, name)) for name in seen}
        expected["exit"] = expected["exit"] or "0\n"
        expected["out"] = expected["out"] or ""
        differs = [name for name in seen if expected[name] is not None and not re.fullmatch(pattern(expected[name]), seen[name])]
        if differs and os.environ.get("SLIPWAY_REWRITE"):
            for name in differs:
                with open(os.path.join(options.case, name), "w", encoding="utf-8") as file:
                    file.write(seen[name])
            return 0
        for name in differs:
            print(f"--- {name}, expected\n{expected[name]}--- {name}, seen\n{seen[name]}")
        if differs and "err" not in differs:
            print(f"--- err\n{seen['err']}")
        return 1 if differs else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


sys.exit(main())
