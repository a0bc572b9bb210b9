"""The peers: how each is started, given a workload and asked how it went. A peer is a class with

  start(folder) -> seconds until it answers, or None where nothing has to run beforehand
  run(name, tasks) -> (times: task -> (start, end) by the peer's own account, seconds, tasks done)
"""
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CORES = os.cpu_count()
LIMIT = 150  # seconds for one workload; what is done by then is counted


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status < 500
    except OSError:
        return False


def quiet(folder, name):
    return open(os.path.join(folder, name), "ab")


class Slipway:
    name = "slipway"

    def __init__(self):
        sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
        import harness
        self.home = harness.Slipway(os.path.join(ROOT, "build", "bin", "slipway"), slots=CORES)

    def start(self, _):
        begin = time.perf_counter()
        self.home.start()
        return time.perf_counter() - begin

    def run(self, name, tasks):
        from datetime import datetime
        lines = "".join(f"  {task}: {{run: [/bin/true]{', needs: [' + ', '.join(needs) + ']' if needs else ''}}}\n" for task, needs in tasks)
        self.home.write_dag(name + ".yaml", f"dag: {name}\ntasks:\n{lines}")
        measure.wait_for(lambda: name in [dag["id"] for dag in self.home.json("dag", "list")["dags"]], 20)
        begin = time.perf_counter()
        run = self.home.cli("run", "start", name, "-o", "name").stdout.strip()
        self.home.cli("run", "watch", run, timeout=LIMIT)
        seconds = time.perf_counter() - begin
        instant = lambda text: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").timestamp()
        rows = self.home.json("run", "get", run)["tasks"]
        times = {row["task"]: (instant(row["started_at"]), instant(row["ended_at"])) for row in rows}
        return times, seconds, sum(row["state"] == "success" for row in rows)


class Make:
    name, words = "make", ["make", "-s", f"-j{CORES}"]

    def start(self, folder):
        self.folder = folder
        subprocess.run([self.words[0], "--version"], check=True, capture_output=True)

    def write(self, tasks):
        text = f".PHONY: all {' '.join(task for task, _ in tasks)}\nall: {' '.join(task for task, _ in tasks)}\n"
        text += "".join(f"{task}: {' '.join(needs)}\n\t@/bin/true\n" for task, needs in tasks)
        return "Makefile", text

    # Neither tells when a task began; a chain's seconds over its tasks are the whole step.
    def run(self, _, tasks):
        file, text = self.write(tasks)
        with open(os.path.join(self.folder, file), "w", encoding="utf-8") as out:
            out.write(text)
        begin = time.perf_counter()
        subprocess.run(self.words, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
        return {}, time.perf_counter() - begin, len(tasks)


class Ninja(Make):
    name, words = "ninja", ["ninja", f"-j{CORES}", "--quiet"]

    def write(self, tasks):
        text = "rule true\n  command = /bin/true\n" + "".join(f"build {task}: true {' '.join(needs)}\n" for task, needs in tasks)
        return "build.ninja", text


class PythonPeer:
    """One that lives in a virtual environment which `install` made."""

    def program(self, word):
        return os.path.join(ROOT, "build", "peers", self.venv, "bin", word)

    def start(self, folder):
        self.folder = folder
        self.env = dict(os.environ, HOME=folder, LANG="C.UTF-8", **self.settings())
        if not os.access(self.program("python"), os.X_OK):
            raise RuntimeError(f"not installed: bench/peers/install {self.venv}")
        return self.serve()

    def settings(self):
        return {}

    # The script writes {"task": [start, end]} beside the workload's file.
    def run(self, name, tasks):
        path = os.path.join(self.folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(tasks, file)
        begin = time.perf_counter()
        done = subprocess.run([self.program("python"), os.path.join(HERE, self.script), path, str(CORES), *self.words()], env=self.env,
                              cwd=self.folder, stdout=quiet(self.folder, "out"), stderr=subprocess.STDOUT, timeout=LIMIT * 2)
        seconds = time.perf_counter() - begin
        if done.returncode != 0:
            raise RuntimeError(f"{self.script} ended with {done.returncode}: " + open(os.path.join(self.folder, "out"), errors="replace").read()[-400:])
        with open(path + ".times", encoding="utf-8") as file:
            times = json.load(file)
        return times, seconds, len(times)


class LuigiLocal(PythonPeer):
    name, venv, script = "luigi, local scheduler", "luigi", "luigi_tasks.py"

    def serve(self):
        return None

    def words(self):
        return []


class LuigiServer(LuigiLocal):
    name = "luigi, luigid"

    def serve(self):
        self.port = free_port()
        begin = time.perf_counter()
        subprocess.Popen([self.program("luigid"), "--port", str(self.port), "--address", "127.0.0.1", "--state-path", self.folder + "/state"],
                         env=self.env, stdout=quiet(self.folder, "server"), stderr=subprocess.STDOUT)
        if not measure.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/static/visualiser/index.html"), 60):
            raise RuntimeError("luigid did not come up")
        return time.perf_counter() - begin

    def words(self):
        return [str(self.port)]


class Prefect(PythonPeer):
    name, venv, script = "prefect", "prefect", "prefect_flow.py"

    def settings(self):
        self.port = free_port()
        return {"PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api", "PREFECT_HOME": self.folder + "/prefect", "PREFECT_LOGGING_LEVEL": "ERROR",
                "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

    def serve(self):
        begin = time.perf_counter()
        subprocess.Popen([self.program("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(self.port)], env=self.env, cwd=self.folder,
                         stdout=quiet(self.folder, "server"), stderr=subprocess.STDOUT)
        if not measure.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/api/health"), 120):
            raise RuntimeError("the server did not come up")
        return time.perf_counter() - begin

    def words(self):
        return []


class Airflow(PythonPeer):
    name, venv = "airflow", "airflow"
    DAG = """import json, os
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
for name in {names!r}:
    with DAG(name, schedule=None, start_date=datetime(2024, 1, 1), catchup=False, max_active_tasks=1000) as dag:
        made = {{}}
        for task, needs in json.load(open({folder!r} + "/" + name + ".json")):
            made[task] = BashOperator(task_id=task, bash_command="/bin/true")
            for need in needs:
                made[need] >> made[task]
    globals()[name] = dag
"""

    def settings(self):
        self.port = free_port()
        return {"AIRFLOW_HOME": self.folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__API__PORT": str(self.port),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
                "AIRFLOW__CORE__PARALLELISM": "16", "PATH": os.path.dirname(self.program("airflow")) + ":" + os.environ["PATH"]}

    def serve(self):
        os.makedirs(self.folder + "/dags", exist_ok=True)
        for name, tasks in measure.WORKLOADS.items():
            with open(f"{self.folder}/{name}.json", "w", encoding="utf-8") as file:
                json.dump(tasks, file)
        with open(self.folder + "/dags/peers.py", "w", encoding="utf-8") as file:
            file.write(self.DAG.format(names=list(measure.WORKLOADS), folder=self.folder))
        begin = time.perf_counter()
        subprocess.Popen([self.program("airflow"), "standalone"], env=self.env, cwd=self.folder, stdout=quiet(self.folder, "server"), stderr=subprocess.STDOUT)
        if not measure.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/api/v2/monitor/health"), 240, 0.5):
            raise RuntimeError("the API did not answer within 240 s")
        seconds = time.perf_counter() - begin
        if not measure.wait_for(lambda: self.query("SELECT count(*) FROM dag")[0][0] >= len(measure.WORKLOADS), 120, 1):
            raise RuntimeError("the DAGs were not found within 120 s")
        return seconds

    def query(self, statement, *values):
        try:
            with sqlite3.connect(f"file:{self.folder}/airflow.db?mode=ro", uri=True, timeout=10) as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError:
            return [(0,)]

    def run(self, name, tasks):
        from datetime import datetime
        begin = time.perf_counter()
        subprocess.run([self.program("airflow"), "dags", "trigger", name], env=self.env, check=True, stdout=quiet(self.folder, "out"),
                       stderr=subprocess.STDOUT, timeout=120)
        over = "SELECT count(*) FROM dag_run WHERE dag_id = ? AND state IN ('success', 'failed')"
        measure.wait_for(lambda: self.query(over, name)[0][0], LIMIT, 1)
        seconds = time.perf_counter() - begin
        rows = self.query("SELECT task_id, start_date, end_date FROM task_instance WHERE dag_id = ? AND state = 'success'", name)
        instant = lambda text: datetime.fromisoformat(text).timestamp()
        times = {row[0]: (instant(row[1]), instant(row[2])) for row in rows if len(row) == 3}
        return times, seconds, len(times)


ALL = {"slipway": Slipway, "make": Make, "ninja": Ninja, "luigi": LuigiLocal, "luigid": LuigiServer, "prefect": Prefect, "airflow": Airflow}
