"""Runs a workload with Luigi: luigi_tasks.py WORKLOAD.json WORKERS [PORT of luigid]. A task's target is a file, as Luigi wants it."""
import json
import os
import subprocess
import sys
import tempfile
import time

import luigi

with open(sys.argv[1], encoding="utf-8") as workload:
    NEEDS = dict(json.load(workload))
FOLDER = tempfile.mkdtemp(prefix="luigi-bench-")


class True_(luigi.Task):
    name = luigi.Parameter()
    folder = luigi.Parameter(default=FOLDER)  # luigid remembers the tasks of the workload before

    def requires(self):
        return [True_(name=need) for need in NEEDS[self.name]]

    def output(self):
        return luigi.LocalTarget(os.path.join(FOLDER, self.name))

    def run(self):
        start = time.time()
        subprocess.run(["/bin/true"], check=True)
        with self.output().open("w") as file:
            file.write(f"{start} {time.time()}")


server = {"local_scheduler": True} if len(sys.argv) < 4 else {"scheduler_port": int(sys.argv[3]), "scheduler_host": "127.0.0.1"}
luigi.build([True_(name=name) for name in NEEDS], workers=int(sys.argv[2]), log_level="ERROR", **server)
times = {}
for name in NEEDS:
    with open(os.path.join(FOLDER, name), encoding="utf-8") as done:
        times[name] = [float(word) for word in done.read().split()]
with open(sys.argv[1] + ".times", "w", encoding="utf-8") as out:
    json.dump(times, out)
