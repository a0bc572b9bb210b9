#!/usr/bin/env python3
"""How long slipway takes between the end of a task and the start of the next, and how many tasks it runs a second, every state durable.

  bench/dispatch.py --slipway build/bin/slipway [--chain 200] [--fan 1000]

Chain: each task needs the one before; the gap is from ended_at of one to started_at of the next. Fan-out: independent tasks on one slot per
core; the peer is `make -jN` over the same commands in the same minute. Every task is /bin/true in a process of its own."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
import harness  # noqa: E402  (the path is known only now)


def instant(text):
    from datetime import datetime
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").timestamp()


def fsync_p50(folder):
    """Median of 100 fsyncs of 4 KiB, in milliseconds: what one commit costs at least."""
    with open(os.path.join(folder, "fsync"), "wb") as file:
        times = []
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begin = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begin)
    return sorted(times)[50] * 1000


def run(slipway, dag):
    name = slipway.cli("run", "start", dag, "-o", "name").stdout.strip()
    slipway.cli("run", "watch", name, timeout=600)
    return slipway.json("run", "get", name)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_seconds(count, jobs):
    with tempfile.TemporaryDirectory() as folder:
        targets = " ".join(f"t{i}" for i in range(count))
        with open(os.path.join(folder, "Makefile"), "w", encoding="utf-8") as file:
            file.write(f"all: {targets}\n.PHONY: all {targets}\n{targets}:\n\t@/bin/true\n")
        begin = time.perf_counter()
        subprocess.run(["make", "-s", f"-j{jobs}"], cwd=folder, check=True)
        return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--chain", type=int, default=200)
    parser.add_argument("--fan", type=int, default=1000)
    options = parser.parse_args()
    cores = os.cpu_count()
    with harness.Slipway(options.slipway, slots=cores) as slipway:
        chain = "".join(f"  t{i}: {{{f'needs: t{i - 1}, ' if i else ''}run: [/bin/true]}}\n" for i in range(options.chain))
        fan = "".join(f"  t{i}: {{run: [/bin/true]}}\n" for i in range(options.fan))
        slipway.write_dag("chain.yaml", "dag: chain\ntasks:\n" + chain)
        slipway.write_dag("fan.yaml", "dag: fan\ntasks:\n" + fan)
        slipway.start()
        run(slipway, "chain")  # warms the page cache
        tasks = {task["task"]: task for task in run(slipway, "chain")["tasks"]}
        gaps = sorted((instant(tasks[f"t{i}"]["started_at"]) - instant(tasks[f"t{i - 1}"]["ended_at"])) * 1000 for i in range(1, options.chain))
        before = cpu_seconds(slipway.daemon.pid)
        body = run(slipway, "fan")
        spent = cpu_seconds(slipway.daemon.pid) - before
        took = instant(body["run"]["ended_at"]) - instant(body["run"]["started_at"])
        peer = make_seconds(options.fan, cores)
        print(json.dumps({
            "cores": cores, "fsync_p50_ms": round(fsync_p50(slipway.home), 3), "chain_tasks": options.chain,
            "chain_gap_p50_ms": round(gaps[len(gaps) // 2], 2), "chain_gap_p99_ms": round(gaps[int(len(gaps) * 0.99)], 2),
            "fan_tasks": options.fan, "fan_tasks_per_s": round(options.fan / took, 1), "fan_daemon_cpu_ms_per_task": round(spent * 1000 / options.fan, 2),
            "make_tasks_per_s": round(options.fan / peer, 1), "fan_over_make": round(took / peer, 2)}))


main()
