#!/usr/bin/env python3
"""Kills the daemon again and again, at random instants, while DAGs run: of 60 tasks in three shapes, and swarms of tasks without work, which
are launched ahead of free slots.

  kill_daemon.py --slipway build/bin/slipway --kills 20 [--seed N]

Every task appends its attempt id to a file and works for 50-300 ms, in a swarm not at all. In the end: one line per attempt, never more
tasks at a time than slots, every run ended well, every acknowledged run exists, and `db check` finds nothing."""
import argparse
import collections
import os
import random
import sys

import harness

TASKS = 60
SWARM = 400
SLOTS = 8


def task(name, needs, milliseconds, marks):
    work = f"sleep {milliseconds / 1000}; " if milliseconds else ""
    command = f"echo + >> {marks}.busy; echo $SLIPWAY_ATTEMPT_ID >> {marks}; {work}echo - >> {marks}.busy"
    return f"  {name}:\n" + (f"    needs: [{', '.join(needs)}]\n" if needs else "") + f"    run: [/bin/sh, -c, '{command}']\n"


def shapes(rng, marks):
    """A chain, a fan-out with a join, six layers of ten, and a swarm."""
    def work():
        return rng.randint(50, 300)

    chain = "".join(task(f"t{i}", [f"t{i - 1}"] if i else [], work(), marks) for i in range(TASKS))
    fan = task("first", [], work(), marks) + "".join(task(f"t{i}", ["first"], work(), marks) for i in range(TASKS - 2))
    fan += task("last", [f"t{i}" for i in range(TASKS - 2)], work(), marks)
    layers = "".join(task(f"l{i // 10}-{i % 10}", [f"l{i // 10 - 1}-{(i + k) % 10}" for k in (0, 3)] if i >= 10 else [], work(), marks) for i in range(TASKS))
    swarm = "".join(task(f"s{i}", [], 0, marks) for i in range(SWARM))
    return {"chain": chain, "fan": fan, "layers": layers, "swarm": swarm}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"seed {options.seed}, {options.kills} kills", flush=True)
    with harness.Slipway(options.slipway, slots=SLOTS) as slipway:
        marks = os.path.join(slipway.work, "marks")
        for name, tasks in shapes(rng, marks).items():
            slipway.write_dag(f"{name}.yaml", f"dag: {name}\nmax_active_runs: 100\ntasks:\n{tasks}")
        slipway.start()
        acknowledged = []
        kills = 0
        while kills < options.kills:
            open_runs = [r for r in acknowledged if r not in ended(slipway)] if acknowledged else []
            while len(open_runs) < 3:
                done = slipway.cli("run", "start", rng.choice(["chain", "fan", "layers", "swarm", "swarm"]), "-o", "name", check=False)
                if done.returncode == 0:
                    acknowledged.append(done.stdout.strip())
                    open_runs.append(acknowledged[-1])
                elif done.returncode != 7:
                    raise RuntimeError(f"run start: exit {done.returncode}: {done.stderr}")
            # Most kills come in a row, so that recovery itself is killed too.
            for _ in range(min(rng.randint(1, 8), options.kills - kills)):
                if slipway.wait_dead_or(rng.uniform(0.02, 0.5)):
                    raise RuntimeError(f"the daemon ended by itself: exit {slipway.daemon.returncode}: {slipway.daemon.stderr.read().decode()}")
                slipway.kill()
                kills += 1
                slipway.start(wait=False)
            slipway.wait_until_up()
        problems = finish(slipway, acknowledged, marks)
    for problem in problems:
        print("BROKEN:", problem)
    print(f"{kills} kills, {len(acknowledged)} runs, {len(problems)} broken invariants; seed {options.seed}")
    return 1 if problems else 0


def ended(slipway):
    runs = slipway.json("run", "list", "-n", "1000")["runs"]
    return {run["id"] for run in runs if run["state"] in ("success", "failed", "cancelled")}


def finish(slipway, acknowledged, marks):
    problems = []
    for run in acknowledged:
        done = slipway.cli("run", "watch", run, "--timeout", "300s", check=False, timeout=400)
        if done.returncode != 0:
            problems.append(f"run {run} exit {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    with open(marks, encoding="utf-8") as file:
        lines = collections.Counter(file.read().split())
    busy = most = 0
    with open(marks + ".busy", encoding="utf-8") as file:
        for line in file:
            busy += 1 if line.startswith("+") else -1
            most = max(most, busy)
    if most > SLOTS:
        problems.append(f"{most} tasks at a time on {SLOTS} slots")
    problems += [f"attempt {attempt} was launched {count} times" for attempt, count in lines.items() if count > 1]
    for run in acknowledged:
        body = slipway.json("run", "get", run)
        if len(body["tasks"]) != (SWARM if body["run"]["dag"] == "swarm" else TASKS):
            problems.append(f"run {run} has {len(body['tasks'])} tasks")
        for item in body["tasks"]:
            if item["state"] != "success":
                problems.append(f"run {run}: {item['task']} ended {item['state']}: {item['reason']}")
            for number in range(1, item["attempt"] + 1):
                attempt = f"{run}/{item['task']}/{number}"
                if lines[attempt] != 1:
                    problems.append(f"attempt {attempt} left {lines[attempt]} lines")
    slipway.cli("down")
    check = slipway.cli("db", "check", check=False)
    if check.returncode != 0:
        problems.append(f"db check: exit {check.returncode}: {check.stdout}{check.stderr}")
    return problems


sys.exit(main())
