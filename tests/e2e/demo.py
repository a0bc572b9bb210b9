#!/usr/bin/env python3
"""`slipway demo` as a newcomer meets it: on a terminal, to the end; then interrupted by Ctrl-C.

  demo.py --slipway build/bin/slipway --source ."""
import argparse
import os
import pty
import re
import select
import shutil
import signal
import sys

import harness


def on_a_terminal(slipway, words, until=None, interrupt=False, seconds=240):
    """Runs a verb in a pseudo terminal; (exit code, what was shown). With `interrupt`, types Ctrl-C once `until` was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(slipway.binary, [slipway.binary, *words], slipway.env)
    shown = b""
    while True:
        ready, _, _ = select.select([terminal], [], [], seconds)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            raise RuntimeError(f"nothing shown for {seconds} s: {shown.decode()}")
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            break
        shown += chunk
        if interrupt and until in shown:
            os.write(terminal, b"\x03")
            interrupt = False
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


def check(condition, what, shown):
    if not condition:
        raise RuntimeError(f"{what}:\n{shown}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--source", required=True)
    options = parser.parse_args()
    with harness.Slipway(options.slipway) as slipway:
        shutil.copytree(os.path.join(options.source, "dags/demo"), os.path.join(slipway.dags, "demo"))
        harness.use_free_port(os.path.join(slipway.dags, "demo/pipeline.yaml"))
        words = ["demo", "--home", slipway.home, "--dags", slipway.dags]

        code, shown = on_a_terminal(slipway, words, until=b"loss", interrupt=True)
        check(code == 130, f"Ctrl-C: exit {code}", shown)
        check(not slipway.processes(), "Ctrl-C: something still runs", shown)

        code, shown = on_a_terminal(slipway, words)
        check(code == 0, f"exit {code}", shown)
        check("\x1b[" in shown and "loss" in shown and "eta" in shown, "no progress was shown", shown)
        check(re.search(r"POSITIVE\r?\n.*\r?\n\s+NEGATIVE", shown), "the answers are not there", shown)
        body = slipway.json("run", "get", "@latest")
        states = {task["task"]: task["state"] for task in body["tasks"]}
        check(states == dict.fromkeys(["download", "prepare", "finetune", "evaluate", "serve"], "success"), str(states), shown)
        outputs = next(task["outputs"] for task in body["tasks"] if task["task"] == "evaluate")
        check(outputs["accuracy_before"] <= 0.6 and outputs["accuracy"] >= 0.9, str(outputs), shown)
        check(slipway.processes(), "the model and the daemon stay up", shown)

        code, shown = on_a_terminal(slipway, words + ["--stop"])
        check(code == 0, f"--stop: exit {code}", shown)
        check(not [pid for pid in slipway.processes() if b"shimd" not in harness.command_of(pid)], "--stop: something still runs", shown)
        print("demo: right answers, accuracy", outputs["accuracy_before"], "->", outputs["accuracy"])
    return 0


sys.exit(main())
