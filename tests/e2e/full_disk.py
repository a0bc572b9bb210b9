#!/usr/bin/env python3
"""A home on a small file system of its own that is really full: nothing is acknowledged, what runs goes on, and so does the daemon once there is space.

  full_disk.py --slipway build/bin/slipway

Exit code 77 where mounting is not allowed."""
import argparse
import ctypes
import json
import os
import sys
import time
import urllib.request

import harness

DAG = """dag: d
max_active_runs: 100
tasks:
  a: {{run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}; while [ ! -e {gate} ]; do sleep 0.05; done']}}
  b: {{needs: a, run: [/bin/sh, -c, 'echo $SLIPWAY_ATTEMPT_ID >> {marks}']}}
"""


def mount_tmpfs(folder, megabytes):
    """The reason why it cannot be done, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={megabytes}m,mode=700".encode())
    return None if done == 0 else os.strerror(ctypes.get_errno())


def unmount(folder):
    ctypes.CDLL(None).umount2(folder.encode(), 2)  # MNT_DETACH: what still runs below it keeps its files


def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def health(slipway):
    with open(os.path.join(slipway.home, "daemon.json"), encoding="utf-8") as file:
        url = json.load(file)["url"]
    with urllib.request.urlopen(url + "/api/v1/health") as reply:
        return json.load(reply)


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def scenario(slipway):
    marks, gate, filler = (os.path.join(slipway.work, name) for name in ("marks", "gate", "home/filler"))
    slipway.write_dag("d.yaml", DAG.format(marks=marks, gate=gate))
    slipway.start()
    acknowledged = [slipway.cli("run", "start", "d", "-o", "name").stdout.strip()]
    assert until(lambda: os.path.exists(marks), 30), "the task did not start"
    fill(filler)

    first = None
    for _ in range(2000):  # the database may have some room of its own left
        first = slipway.cli("run", "start", "d", "-o", "name", check=False)
        if first.returncode != 0:
            break
        acknowledged.append(first.stdout.strip())
        fill(filler)
    # The command whose own commit met the full disk waits for it and is carried out in the end; all others are refused.
    assert first.returncode in (7, 8), first
    refused = slipway.cli("run", "start", "d", "-o", "name", check=False)
    assert refused.returncode == 7, refused
    assert until(lambda: health(slipway)["status"] == "degraded", 10), health(slipway)
    known = {run["id"] for run in slipway.json("run", "list", "-n", "1000")["runs"]}
    assert known >= set(acknowledged), "reading works, and what was acknowledged is there"
    assert slipway.daemon.poll() is None, "the daemon ended"

    with open(gate, "w", encoding="utf-8"):
        pass
    os.remove(filler)
    assert until(lambda: health(slipway)["status"] == "ok", 30), health(slipway)
    made = [run["id"] for run in slipway.json("run", "list", "-n", "1000")["runs"]]
    assert set(made) >= set(acknowledged) and len(made) == len(acknowledged) + (first.returncode == 8), (made, acknowledged, first)
    for run in made:
        done = slipway.cli("run", "watch", run, "--timeout", "120s", check=False)
        assert done.returncode == 0, f"{run}: exit {done.returncode}: {done.stdout}{done.stderr}"
    with open(marks, encoding="utf-8") as file:
        lines = file.read().split()
    assert len(lines) == len(set(lines)), "an attempt was launched twice"
    assert set(lines) >= {f"{run}/{task}/1" for run in made for task in "ab"}, lines
    slipway.cli("down")
    slipway.daemon.wait()
    check = slipway.cli("db", "check", check=False)
    assert check.returncode == 0, check.stdout
    print(f"full, refused (the first: exit {first.returncode}), and on again; {len(made)} runs, all ended well")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    options = parser.parse_args()
    with harness.Slipway(options.slipway) as slipway:
        os.mkdir(slipway.home, 0o700)
        problem = mount_tmpfs(slipway.home, 8)
        if problem:
            print(f"SKIPPED, NOTHING WAS PROVED: a tmpfs cannot be mounted here: {problem}")
            return 77
        try:
            scenario(slipway)
        finally:
            if slipway.daemon:
                slipway.daemon.kill()
            unmount(slipway.home)
    return 0


sys.exit(main())
