#!/usr/bin/env python3
"""The same work for slipway and its peers, one after the other: one JSON object a line for each peer and workload.

  bench/peers/run.py [PEER...] [--workloads chain4,chain100,fan100,wide1000]

Every peer runs in a process of its own below this one, so that all of its CPU and memory is counted, also that of daemons it leaves. A peer that
cannot be had, or breaks, gives a line with `missing`, a shout on stderr and exit 1 at the end; the others run."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import measure
import peers


def one(name, workloads):
    measure.adopt_orphans()
    peer = peers.ALL[name]()
    folder = tempfile.mkdtemp(prefix=f"peer-{name}-")
    try:
        before = measure.tree_cpu_seconds()
        cold = peer.start(folder)
        if cold is not None:
            cpu = measure.tree_cpu_seconds() - before
            time.sleep(5)
            print(json.dumps({"peer": peer.name, "cold_start_s": round(cold, 2), "cold_start_cpu_s": round(cpu, 2),
                              "idle_pss_mb": round(measure.tree_memory_mb(), 1)}), flush=True)
        for workload in workloads:
            tasks = measure.WORKLOADS[workload]
            before = measure.tree_cpu_seconds()
            times, seconds, done = peer.run(workload, tasks)
            cpu = measure.tree_cpu_seconds() - before
            print(json.dumps({"peer": peer.name, "workload": workload, **measure.row(tasks, times, seconds, cpu, done),
                              "load1": round(os.getloadavg()[0], 1)}), flush=True)
    finally:
        measure.end_tree()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peers", nargs="*", default=list(peers.ALL))
    parser.add_argument("--workloads", default=",".join(measure.WORKLOADS))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    workloads = options.workloads.split(",")
    if options.inside:
        return one(options.peers[0], workloads)
    missing = 0
    for name in options.peers:
        done = subprocess.run([sys.executable, os.path.abspath(__file__), name, "--workloads", options.workloads, "--inside"], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            missing += 1
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(json.dumps({"peer": name, "missing": reason[:300]}), flush=True)
            print(f"bench: PEER MISSING OR BROKEN: {name}: {reason}", file=sys.stderr)
    return 1 if missing else 0


sys.exit(main())
