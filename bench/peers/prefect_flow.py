"""Runs a workload as a Prefect flow in this process: prefect_flow.py WORKLOAD.json WORKERS. Its states go to the server of PREFECT_API_URL."""
import json
import subprocess
import sys
import time

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

with open(sys.argv[1], encoding="utf-8") as workload:
    WORK = json.load(workload)
times = {}


@task
def run_true(name):
    start = time.time()
    subprocess.run(["/bin/true"], check=True)
    times[name] = [start, time.time()]


@flow(task_runner=ThreadPoolTaskRunner(max_workers=int(sys.argv[2])))
def work():
    futures = {}
    for name, needs in WORK:
        futures[name] = run_true.submit(name, wait_for=[futures[need] for need in needs])
    for future in futures.values():
        future.wait()


work()
with open(sys.argv[1] + ".times", "w", encoding="utf-8") as out:
    json.dump(times, out)
