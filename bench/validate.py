#!/usr/bin/env python3
"""What it costs to check a DAG of 10,000 tasks, each with two words to run and most with a task they need.

  bench/validate.py --slipway build/bin/slipway [--tasks 10000] [--times 7]

One process each time, from exec to exit; medians."""
import argparse
import json
import os
import resource
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    lines = [f"  t{i}: {{run: [/bin/echo, \"{i}\"]" + (f", needs: [t{i - 1}]" if i % 10 else "") + "}\n" for i in range(options.tasks)]
    seconds = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        file = os.path.join(folder, "big.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write("dag: big\ntasks:\n" + "".join(lines))
        for _ in range(options.times):
            begin = time.perf_counter()
            subprocess.run([options.slipway, "dag", "validate", file], check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
    print(json.dumps({"bench": "validate", "tasks": options.tasks, "ms": round(sorted(seconds)[options.times // 2] * 1000, 1),
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}))


main()
