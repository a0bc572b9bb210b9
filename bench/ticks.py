#!/usr/bin/env python3
"""How late runs start when many DAGs have one tick: every DAG fires on the next full minute.

  bench/ticks.py --slipway build/bin/slipway [--dags 1000]

Lateness is from the tick to the instant at which the run started, by the daemon's own clock; the state was committed before it counts."""
import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
import harness  # noqa: E402  (the path is known only now)
from datetime import datetime  # noqa: E402


def instant(text):
    return datetime.strptime(text[:26].rstrip("Z"), "%Y-%m-%dT%H:%M:%S.%f").timestamp()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--dags", type=int, default=1000)
    options = parser.parse_args()
    with harness.Slipway(options.slipway) as slipway:
        for i in range(options.dags):
            slipway.write_dag(f"d{i}.yaml", f"dag: d{i}\nschedule: \"* * * * *\"\ntasks:\n  a: {{noop: true}}\n")
        slipway.start()
        end = time.monotonic() + 60
        while len(slipway.json("dag", "list")["dags"]) < options.dags and time.monotonic() < end:
            time.sleep(0.2)
        left = 60 - time.time() % 60
        time.sleep(left + 5 if left > 5 else left + 65)  # the tick may not fall into the reading of the folder
        runs = slipway.json("run", "list", "-n", str(options.dags))["runs"]
        tick = max(run["logical_date"] for run in runs)
        late = sorted((instant(run["started_at"]) - instant(run["logical_date"])) * 1000 for run in runs if run["logical_date"] == tick)
        print(json.dumps({"dags": options.dags, "runs_of_the_tick": len(late), "lateness_p50_ms": round(late[len(late) // 2], 1),
                          "lateness_max_ms": round(late[-1], 1), "load1": round(os.getloadavg()[0], 1)}))


main()
