#!/usr/bin/env python3
"""A run, and a DAG file, over which the daemon aborts three times is set aside: everything else goes on, and it can be released.

  quarantine.py --slipway build/tests/slipway_failpoints"""
import argparse
import hashlib
import json
import os
import sys
import urllib.request

import harness

TASK = "dag: {dag}\ntasks:\n  a: {{run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}; sleep 1']}}\n"


def health(slipway):
    with open(os.path.join(slipway.home, "daemon.json"), encoding="utf-8") as file:
        url = json.load(file)["url"]
    with urllib.request.urlopen(url + "/api/v1/health") as reply:
        return json.load(reply)


def abort_thrice(slipway, subject):
    """The fourth daemon lives, though it would abort as well if it touched the subject."""
    failpoint = f"suspect.named=abort:1:{subject}"
    for _ in range(3):
        slipway.start(wait=False, failpoint=failpoint)
        assert slipway.wait_dead_or(30), f"the daemon did not touch {subject}"
        assert slipway.daemon.returncode == -6, slipway.daemon.returncode
        slipway.kill()
    slipway.start(failpoint=failpoint)
    found = health(slipway)
    assert found["status"] == "degraded" and found["detail"].startswith("1 of the runs"), found
    assert subject in slipway.cli("doctor", check=False).stdout


def release(slipway, name):
    slipway.cli("db", "release", name)
    slipway.cli("down")
    slipway.daemon.wait()
    slipway.start()
    assert health(slipway) == {"status": "ok"}, health(slipway)
    assert slipway.cli("db", "release", name, check=False).returncode == 5


def poisoned_run(slipway, marks):
    run = slipway.cli("run", "start", "poisoned", "-o", "name").stdout.strip()
    slipway.kill()
    abort_thrice(slipway, f"run {run}")
    other = slipway.cli("run", "start", "fine", "-o", "name").stdout.strip()
    assert slipway.cli("run", "watch", other, "--timeout", "60s", check=False).returncode == 0
    assert slipway.json("run", "get", run)["run"]["state"] in ("running", "queued")
    assert slipway.cli("run", "cancel", run, check=False).returncode == 6
    release(slipway, run)
    assert slipway.cli("run", "watch", run, "--timeout", "60s", check=False).returncode == 0
    with open(marks, encoding="utf-8") as file:
        lines = file.read().split()
    assert sorted(lines) == sorted([f"{run}/a/1", f"{other}/a/1"]), lines
    slipway.kill()


def poisoned_file(slipway, marks):
    text = TASK.format(dag="bad", marks=marks)
    slipway.write_dag("bad.yaml", text)
    subject = f"file bad.yaml@{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    abort_thrice(slipway, subject)
    other = slipway.cli("run", "start", "fine", "-o", "name").stdout.strip()
    assert slipway.cli("run", "watch", other, "--timeout", "60s", check=False).returncode == 0
    assert slipway.cli("run", "start", "bad", check=False).returncode != 0
    release(slipway, subject)
    run = slipway.cli("run", "start", "bad", "-o", "name").stdout.strip()
    assert slipway.cli("run", "watch", run, "--timeout", "60s", check=False).returncode == 0
    slipway.cli("down")
    slipway.daemon.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    options = parser.parse_args()
    with harness.Slipway(options.slipway) as slipway:
        marks = os.path.join(slipway.work, "marks")
        for dag in ("poisoned", "fine"):
            slipway.write_dag(f"{dag}.yaml", TASK.format(dag=dag, marks=marks))
        slipway.start()
        poisoned_run(slipway, marks)
        poisoned_file(slipway, marks)
        slipway.start()
        check = slipway.cli("db", "check", check=False)
        assert check.returncode == 0, check.stdout
    print("a run and a file were set aside, the rest went on; released, they did, too")
    return 0


sys.exit(main())
