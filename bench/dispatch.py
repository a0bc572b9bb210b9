#!/usr/bin/env python3
"""How long slipway takes between the end of a task and the start of the next, and how many tasks it runs a second, every state durable.

  bench/dispatch.py --slipway build/bin/slipway [--chain 200] [--fan 1000 --fan 10000]

Chain: each task needs the one before; the gap is from ended_at of one to started_at of the next. Fan-out: independent tasks on one slot per
core; the peer is `make -jN` over the same commands, once before and once after, whose mean counts. Every task is /bin/true in a process of
its own. CPU is of the daemon, and of everything below slipway-shimd (shims and the tasks themselves); of make it is make's and its tasks'."""
import argparse
import json
import os
import resource
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
    while True:  # by the list: reading all tasks of a large run again and again would be most of what is measured
        states = {each["id"]: each["state"] for each in slipway.json("run", "list", "-n", "5")["runs"]}
        if states[name] in ("success", "failed", "cancelled"):
            return slipway.json("run", "get", name)
        time.sleep(0.3)


def cpu_seconds(pid):
    """Of a process, and of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    own, below = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / os.sysconf("SC_CLK_TCK"), below / os.sysconf("SC_CLK_TCK")


def shimd_of(slipway):
    mark = f"slipway-shimd\0{slipway.home}\0".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if file.read().startswith(mark):
                    return int(name)
        except OSError:
            continue
    raise RuntimeError("no slipway-shimd")


def make_run(count, jobs):
    """Wall and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        targets = " ".join(f"t{i}" for i in range(count))
        with open(os.path.join(folder, "Makefile"), "w", encoding="utf-8") as file:
            file.write(f"all: {targets}\n.PHONY: all {targets}\n{targets}:\n\t@/bin/true\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run(["make", "-s", f"-j{jobs}"], cwd=folder, check=True)
        took = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bench_chain(slipway, count):
    tasks = "".join(f"  t{i}: {{{f'needs: t{i - 1}, ' if i else ''}run: [/bin/true]}}\n" for i in range(count))
    slipway.write_dag("chain.yaml", "dag: chain\ntasks:\n" + tasks)
    slipway.start()
    run(slipway, "chain")  # warms the page cache
    ran = {task["task"]: task for task in run(slipway, "chain")["tasks"]}
    gaps = sorted((instant(ran[f"t{i}"]["started_at"]) - instant(ran[f"t{i - 1}"]["ended_at"])) * 1000 for i in range(1, count))
    return {"fsync_p50_ms": round(fsync_p50(slipway.home), 3), "chain_tasks": count, "chain_gap_p50_ms": round(gaps[len(gaps) // 2], 2),
            "chain_gap_p99_ms": round(gaps[int(len(gaps) * 0.99)], 2)}


def bench_fan(slipway, dag, count, cores):
    made = make_run(count, cores)
    shimd = shimd_of(slipway)
    before = cpu_seconds(slipway.daemon.pid), cpu_seconds(shimd)
    body = run(slipway, dag)
    after = cpu_seconds(slipway.daemon.pid), cpu_seconds(shimd)
    again = make_run(count, cores)
    took = instant(body["run"]["ended_at"]) - instant(body["run"]["started_at"])
    make_wall, make_cpu = ((one + two) / 2 for one, two in zip(made, again))
    daemon = after[0][0] - before[0][0]
    below = sum(after[1]) - sum(before[1])

    def each(seconds):
        return round(seconds * 1000 / count, 2)

    return {"fan_tasks": count, "fan_tasks_per_s": round(count / took, 1), "daemon_cpu_ms": each(daemon), "shims_and_tasks_cpu_ms": each(below),
            "make_tasks_per_s": round(count / make_wall, 1), "make_cpu_ms": each(make_cpu), "wall_over_make": round(took / make_wall, 2),
            "cpu_over_make": round((daemon + below) / make_cpu, 2)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--chain", type=int, default=200)
    parser.add_argument("--fan", type=int, action="append")
    options = parser.parse_args()
    cores = os.cpu_count()
    with harness.Slipway(options.slipway, slots=cores) as slipway:
        fans = options.fan or [1000, 10000]
        for count in fans:
            slipway.write_dag(f"fan{count}.yaml", f"dag: fan{count}\ntasks:\n" + "".join(f"  t{i}: {{run: [/bin/true]}}\n" for i in range(count)))
        print(json.dumps({"cores": cores, **bench_chain(slipway, options.chain)}), flush=True)
        for count in fans:
            print(json.dumps(bench_fan(slipway, f"fan{count}", count, cores)), flush=True)


main()
