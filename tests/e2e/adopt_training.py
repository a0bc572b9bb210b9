#!/usr/bin/env python3
"""kill -9 of the daemon in the middle of the demo's fine-tuning, start again: the training goes on, is adopted, and the run ends green.

  adopt_training.py --slipway build/bin/slipway --source ."""
import argparse
import json
import os
import shutil
import sys

import harness


def active_training(slipway, run):
    """Pid of the training process once it has told of its progress."""
    log = slipway.cli("task", "logs", run, "finetune", check=False)
    if not any(line.startswith("progress ") for line in log.stdout.splitlines()):
        return None
    for pid in slipway.processes():
        if b"train" in harness.command_of(pid).split(b"\0")[1:2]:
            return pid
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--source", required=True)
    options = parser.parse_args()
    with harness.Slipway(options.slipway, slots=2) as slipway:
        shutil.copytree(os.path.join(options.source, "dags/demo"), os.path.join(slipway.dags, "demo"))
        harness.use_free_port(os.path.join(slipway.dags, "demo/pipeline.yaml"))
        slipway.start()
        run = slipway.cli("run", "start", "demo", "-o", "name").stdout.strip()
        pid = None
        while pid is None:
            if slipway.wait_dead_or(0.05):
                raise RuntimeError("the daemon ended by itself")
            body = slipway.json("run", "get", run)
            if body["run"]["state"] in ("success", "failed", "cancelled"):
                raise RuntimeError(f"the run ended before the training was seen: {json.dumps(body)}")
            pid = active_training(slipway, run)
        slipway.kill()
        os.kill(pid, 0)  # raises if the training died with the daemon
        slipway.start()
        done = slipway.cli("run", "watch", run, "--timeout", "300s", check=False, timeout=400)
        body = slipway.json("run", "get", run)
        tasks = {task["task"]: task for task in body["tasks"]}
        slipway.cli("service", "stop", "--all", check=False)
        if done.returncode != 0 or body["run"]["state"] != "success":
            raise RuntimeError(f"exit {done.returncode}: {json.dumps(body)}")
        assert all(task["state"] == "success" for task in tasks.values()), tasks
        assert tasks["finetune"]["attempt"] == 1, tasks["finetune"]
        print("adopted and green; accuracy", tasks["evaluate"]["outputs"]["accuracy"])
    return 0


sys.exit(main())
