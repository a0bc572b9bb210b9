#!/usr/bin/env python3
"""What a long past and a crash in full flight cost.

  bench/scale.py --slipway build/bin/slipway [--rows 1000000] [--in-flight 10000]

Past: one run of 100 tasks is carried out, then copied row by row, events included, until the home holds so many task rows. In flight: a running
attempt is copied so many times, its processes being gone, and the daemon has to settle them all. Start is from exec to the first answer, with
the files in the page cache; latencies are of single requests to the API over one connection; idle is the mean over 20 seconds."""
import argparse
import http.client
import json
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
import harness  # noqa: E402  (the path is known only now)

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
TASKS = 100


def ulid(number):
    """Ids older than any that the daemon makes; they rise with the number."""
    text = ""
    for _ in range(24):
        text = CROCKFORD[number % 32] + text
        number //= 32
    return "01" + text


def columns(database, table):
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def copy_run(database, source, count):
    """The rows of a run under `count` other ids; what is said of the run inside its events follows."""
    statements = []
    for table, key in (("run", "id"), ("task_instance", "run"), ("attempt", "run"), ("event", "run")):
        chosen = []
        for name in columns(database, table):
            value = {key: ":new", "idempotency_key": "''"}.get(name, name)
            chosen.append("replace(body, :old, :new)" if name == "body" else value)
        statements.append(f"INSERT INTO {table} SELECT {', '.join(chosen)} FROM {table} WHERE {key} = :old")
    for number in range(count):
        for statement in statements:
            database.execute(statement, {"old": source, "new": ulid(number + 1)})
        if number % 200 == 199:
            database.commit()
    database.commit()


def open_database(slipway):
    database = sqlite3.connect(os.path.join(slipway.home, "slipway.db"))
    database.execute("PRAGMA synchronous = OFF")
    return database


def close_database(database):
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def start_seconds(slipway):
    begin = time.perf_counter()
    slipway.start()
    return time.perf_counter() - begin


def stop(slipway):
    slipway.cli("down", "-q")
    slipway.daemon.wait()
    slipway.daemon.stderr.close()


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p99_ms(slipway, paths):
    with open(os.path.join(slipway.home, "daemon.json"), encoding="utf-8") as file:
        address = json.load(file)["url"].split("//")[1]
    with open(os.path.join(slipway.home, "token"), encoding="utf-8") as file:
        headers = {"Authorization": "Bearer " + file.read().strip()}
    connection = http.client.HTTPConnection(address)
    times = []
    for path in paths:
        begin = time.perf_counter()
        connection.request("GET", "/api/v1" + path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        times.append((time.perf_counter() - begin) * 1000)
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {body[:200]}")
    return round(sorted(times)[int(len(times) * 0.99)], 2)


def past(binary, rows):
    with harness.Slipway(binary) as slipway:
        tasks = "".join(f"  t{i}: {{run: [/bin/true]}}\n" for i in range(TASKS))
        slipway.write_dag("past.yaml", "dag: past\ntasks:\n" + tasks)
        slipway.start()
        run = slipway.cli("run", "start", "past", "-o", "name").stdout.strip()
        slipway.cli("run", "watch", run, timeout=600)
        stop(slipway)
        database = open_database(slipway)
        copy_run(database, run, rows // TASKS)
        close_database(database)
        starts = []
        for _ in range(3):
            starts.append(start_seconds(slipway))
            stop(slipway)
        starts.append(start_seconds(slipway))
        pid = slipway.daemon.pid
        ids = [ulid(1 + i * (rows // TASKS) // 300) for i in range(300)]
        figures = {
            "past_task_rows": rows, "database_mb": round(os.path.getsize(os.path.join(slipway.home, "slipway.db")) / 2**20),
            "start_ms": round(sorted(starts)[1] * 1000),
            "runs_p99_ms": p99_ms(slipway, [f"/runs?limit=50&before={run}" for run in ids]),
            "runs_of_dag_p99_ms": p99_ms(slipway, [f"/runs?limit=50&dag=past&state=success&before={run}" for run in ids]),
            "run_p99_ms": p99_ms(slipway, [f"/runs/{run}" for run in ids]), "dags_p99_ms": p99_ms(slipway, ["/dags"] * 300)}
        time.sleep(40)  # the look at the file, which follows every start, is over
        before = cpu_seconds(pid)
        time.sleep(20)
        figures.update(idle_cpu_percent=round((cpu_seconds(pid) - before) / 20 * 100, 2), idle_rss_mb=round(memory_mb(pid), 1))
        begin = time.perf_counter()
        slipway.cli("db", "prune", "--keep", str(rows // TASKS - 50), "-q", "-o", "name", timeout=600)
        figures["prune_ms_per_run"] = round((time.perf_counter() - begin) * 1000 / 51, 1)
        return figures


def in_flight(binary, count):
    with harness.Slipway(binary) as slipway:
        slipway.write_dag("d.yaml", "dag: d\ntasks:\n  a: {run: [/bin/sleep, '10000']}\n")
        slipway.start()
        run = slipway.cli("run", "start", "d", "-o", "name").stdout.strip()
        deadline = time.monotonic() + 30
        while slipway.json("run", "get", run)["tasks"][0]["started_at"] is None and time.monotonic() < deadline:
            time.sleep(0.05)
        slipway.kill()
        database = open_database(slipway)
        copy_run(database, run, count)
        close_database(database)
        seconds = start_seconds(slipway)
        return {"in_flight": count, "recovery_ms": round(seconds * 1000), "recovered_rss_mb": round(memory_mb(slipway.daemon.pid), 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--in-flight", type=int, default=10_000)
    options = parser.parse_args()
    print(json.dumps({"cores": os.cpu_count(), **past(options.slipway, options.rows), **in_flight(options.slipway, options.in_flight)}))


main()
