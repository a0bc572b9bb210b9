#!/usr/bin/env python3
"""Walks the failpoints of the daemon: at each it dies as by kill -9, is started again, and nothing may be lost or done twice.

  failpoints.py --slipway build/tests/slipway_failpoints --names build/tests/failpoint_names [--nth 1-12] [--sample N] [--seed S]

Each case: a run is under way when the daemon is killed; the next daemon dies at the point while it recovers, starts and cancels runs, sends
notices, backs up; the one after that must bring all to an end: every acknowledged run exists and ended, every attempt left one line, every
notice was sent, `db check` finds nothing and no process is left."""
import argparse
import collections
import concurrent.futures
import http.server
import json
import os
import random
import subprocess
import sys
import threading
import time

import harness

CHAIN = """dag: chain
max_active_runs: 10
notify: [{{to: hook, on: [success, failure]}}]
tasks:
  a: {{run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}; sleep 0.2']}}
  b: {{needs: a, run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}']}}
  c: {{needs: a, run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}']}}
  d: {{needs: [b, c], run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}']}}
"""
HANG = """dag: hang
max_active_runs: 10
tasks:
  a: {{run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}; sleep 1000']}}
"""
OVER = ("success", "failed", "cancelled")


class Hook:
    """Takes webhooks and remembers which runs they told of."""

    def __init__(self):
        hook = self

        class Take(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.told.add(body["data"]["run"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.told = set()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Take)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


def is_alive(slipway):
    return slipway.daemon.poll() is None


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def prepare(slipway, hook):
    marks = os.path.join(slipway.work, "marks")
    open(marks, "w", encoding="utf-8").close()
    os.makedirs(os.path.join(slipway.work, ".config/slipway"))
    with open(os.path.join(slipway.work, ".config/slipway/config.yaml"), "w", encoding="utf-8") as file:
        file.write(f'notify:\n  hook: {{webhook: "{hook.url}"}}\n')
    slipway.write_dag("chain.yaml", CHAIN.format(marks=marks))
    slipway.write_dag("hang.yaml", HANG.format(marks=marks))
    return marks


def provoke(slipway, acknowledged):
    """Everything that reaches failpoints, until the daemon is dead or nothing is left to do."""
    try:
        slipway.wait_until_up()
    except RuntimeError:
        slipway.wait_dead_or(10)  # its pipe closes a moment before it can be waited for
        return

    def begin(dag):
        done = slipway.cli("run", "start", dag, "-o", "name", check=False)
        if done.returncode == 0:
            acknowledged[done.stdout.strip()] = dag
        return done.stdout.strip()

    if not is_alive(slipway):
        return
    hang = begin("hang")
    begin("chain")
    # The cancelled attempt should be running, so that it is stopped and not only never started.
    wait_until(lambda: not is_alive(slipway) or (hang and states_of(slipway, hang).get("a") == "active"), 10)
    for words in (("run", "cancel", hang), ("db", "backup", os.path.join(slipway.work, "copy.db"))):
        if is_alive(slipway):
            slipway.cli(*words, check=False)
    wait_until(lambda: not is_alive(slipway) or not open_runs(slipway), 20)
    # The log is tidied, and the last notices go, when all is quiet.
    wait_until(lambda: not is_alive(slipway), 1.5)


def states_of(slipway, run):
    done = slipway.cli("run", "get", run, "-o", "json", check=False)
    return {task["task"]: task["state"] for task in json.loads(done.stdout)["tasks"]} if done.returncode == 0 else {}


def runs(slipway):
    done = slipway.cli("run", "list", "-n", "100", "-o", "json", check=False)
    return {run["id"]: run for run in json.loads(done.stdout)["runs"]} if done.returncode == 0 else None


def open_runs(slipway):
    known = runs(slipway)
    return known is None or [run for run in known.values() if run["state"] not in OVER]


def finish(slipway, hook, acknowledged, marks):
    """The daemon that does not die; what it leaves must be whole."""
    problems = []
    slipway.start()
    known = runs(slipway)
    problems += [f"acknowledged run {run} is gone" for run in acknowledged if run not in known]
    for run in known.values():
        if run["dag"] == "hang" and run["state"] not in OVER:
            slipway.cli("run", "cancel", run["id"], check=False)
    if not wait_until(lambda: not open_runs(slipway), 30):
        problems.append(f"still open: {open_runs(slipway)}")
    with open(marks, encoding="utf-8") as file:
        lines = collections.Counter(file.read().split())
    problems += [f"attempt {attempt} was launched {count} times" for attempt, count in lines.items() if count > 1]
    for run in runs(slipway).values():
        wanted = "success" if run["dag"] == "chain" else "cancelled"
        if run["state"] != wanted:
            problems.append(f"run {run['id']} of {run['dag']} ended {run['state']}")
        if run["dag"] != "chain":
            continue
        for item in slipway.json("run", "get", run["id"])["tasks"]:
            if item["attempt"] != 1 or lines[f"{run['id']}/{item['task']}/1"] != 1:
                problems.append(f"{run['id']}/{item['task']}: {item['attempt']} attempts, {lines[run['id'] + '/' + item['task'] + '/1']} lines")
        if not wait_until(lambda run=run: run["id"] in hook.told, 15):
            problems.append(f"nobody was told of run {run['id']}")
    slipway.cli("db", "backup", os.path.join(slipway.work, "after.db"))
    slipway.cli("down")
    check = slipway.cli("db", "check", check=False)
    if check.returncode != 0:
        problems.append(f"db check: exit {check.returncode}: {check.stdout}{check.stderr}")
    left = [harness.command_of(pid) for pid in slipway.processes() if b"sleep" in harness.command_of(pid)]
    if left:
        problems.append(f"still there: {left}")
    return problems


def walk(binary, hook, name, nth):
    """(was it reached, problems)."""
    with harness.Slipway(binary, slots=4) as slipway:
        marks = prepare(slipway, hook)
        slipway.start()
        first = slipway.cli("run", "start", "chain", "-o", "name").stdout.strip()
        acknowledged = {first: "chain"}
        slipway.kill()
        slipway.start(wait=False, failpoint=f"{name}=kill:{nth}")
        provoke(slipway, acknowledged)
        died = not is_alive(slipway)
        if died and slipway.daemon.returncode != -9:
            return True, [f"ended by itself: {slipway.daemon.returncode}: {slipway.daemon.stderr.read().decode()}"]
        slipway.kill()
        return died, finish(slipway, hook, acknowledged, marks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--names", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--nth", default="1")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    names = subprocess.run([options.names], capture_output=True, text=True, check=True).stdout.split()
    names = [name for name in names if options.only in name]
    first, _, last = options.nth.partition("-")
    cases = [(name, nth) for name in names for nth in range(int(first), int(last or first) + 1)]
    if options.sample:
        cases = random.Random(options.seed).sample(cases, min(options.sample, len(cases)))
    print(f"seed {options.seed}, {len(cases)} cases", flush=True)
    hook = Hook()
    broken = reached = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = [(case, pool.submit(walk, options.slipway, hook, *case)) for case in cases]
        for (name, nth), result in results:
            try:
                died, problems = result.result()
            except Exception as error:  # one case that cannot be driven is that case's failure
                died, problems = True, [repr(error)]
            if not died and nth == 1:
                problems.append("was never reached")
            reached += died
            broken += bool(problems)
            for problem in problems:
                print(f"BROKEN: {name} x{nth}: {problem}", flush=True)
    print(f"{len(cases)} cases, {reached} deaths, {broken} broken")
    return 1 if broken else 0


sys.exit(main())
