#!/usr/bin/env python3
"""The daemon on a real cluster: DAGs whose tasks are pods. Level node. SLIPWAY_BINARY names the program."""
import hashlib
import json
import os
import subprocess
import time

import harness
from harness import IMAGE, RUN, Client, Namespace, check, end_to_end, expect, finish, until

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = 40_000  # characters of a line: more than any buffer on its way


def admin():
    """A connection of its own: the API server is ended on the way."""
    return Client()


def ctl(verb, daemon):
    subprocess.run([os.path.join(HERE, "ctl.sh"), verb, daemon], check=True)


space = Namespace("smoke-pod-tasks")
slipway = end_to_end().Slipway(os.environ["SLIPWAY_BINARY"])
slipway.env.update(SLIPWAY_EXECUTOR="kubernetes", SLIPWAY_KUBECONFIG=RUN + "/pki/admin.kubeconfig", SLIPWAY_KUBE_NAMESPACE=space.name,
                   SLIPWAY_KUBE_IMAGE=IMAGE)
# The image's own user is root, which a restricted pod may not be.
HEAD = "defaults: {grace: 2s, pod: {securityContext: {runAsUser: 1000}}}\n"


def dag(name, tasks):
    slipway.write_dag(name + ".yaml", f"dag: {name}\n{HEAD}tasks:\n{tasks}")
    until(lambda: slipway.cli("dag", "show", name, check=False).returncode == 0, 20)


def run(name):
    """Started; its id."""
    return slipway.cli("run", "start", name, "-o", "name").stdout.strip()


def state(run_id):
    return slipway.json("run", "get", run_id)


def over(run_id, seconds=120):
    return until(lambda: (lambda seen: seen["run"]["state"] in ("success", "failed", "cancelled") and seen)(state(run_id)), seconds, 0.2)


def attempts(run_id, task):
    return slipway.json("task", "attempts", run_id, task)["attempts"]


def log(run_id, task):
    return slipway.cli("task", "logs", "-f", run_id, task).stdout


def pods():
    return admin().call("GET", space.core("pods"))["items"]


def created():
    """Every pod that was ever scheduled in the namespace, by name; events outlive them."""
    events = admin().call("GET", space.core("events"))["items"]
    return [event["involvedObject"]["uid"] for event in events if event["reason"] == "Scheduled"]


def running(run_id, task, line):
    until(lambda: line in slipway.cli("task", "logs", run_id, task, check=False).stdout, 90, 0.2)


@check("doctor asks for the account's rights")
def _():
    found = {item["what"]: item for item in slipway.json("doctor")["checks"]}
    expect(found["cluster"]["state"], "ok")
    return found["cluster"]["detail"]


slipway.start()


@check("outputs go from pod to pod, logs are the same to the byte")
def _():
    long = "x" * TEXT
    dag("flow", f"""
  first:
    run: |
      i=0; while [ $i -lt 300 ]; do echo "line $i"; i=$((i+1)); done
      printf '%s\\n\\n' {long}
      printf '{{"rows": 42}}' >$SLIPWAY_OUTPUT
    outputs: {{rows: integer}}
  second:
    needs: first
    run: [sh, -c, 'echo "$ROWS in $SLIPWAY_POD"; echo last >&2']
    env: {{ROWS: "${{{{ tasks.first.outputs.rows }}}}"}}
""")
    run_id = run("flow")
    expect(over(run_id)["run"]["state"], "success")
    wanted = "".join(f"line {i}\n" for i in range(300)) + long + "\n\n"
    got = log(run_id, "first")
    expect(hashlib.sha256(got.encode()).hexdigest(), hashlib.sha256(wanted.encode()).hexdigest())
    words = log(run_id, "second")
    if not words.startswith("42 in flow-second-") or not words.endswith("last\n"):
        raise AssertionError(words)


@check("an exit code is the task's failure")
def _():
    dag("fails", "  a: {run: 'echo no; exit 3'}\n")
    run_id = run("fails")
    expect(over(run_id)["run"]["state"], "failed")
    last = attempts(run_id, "a")[-1]
    expect((last["exit_code"], last["class"]), (3, "user"))


@check("too little memory is class oom, and the next attempt has more")
def _():
    dag("hungry", "  a: {run: 'dd if=/dev/zero of=/dev/null bs=60M count=1', resources: {memory: 32Mi}, "
                  "retry: {limit: 1, delay: 0s}, on_oom: {memory: x4, max: 128Mi}}\n")
    run_id = run("hungry")
    expect(over(run_id)["run"]["state"], "success")
    expect([one.get("class") or "" for one in attempts(run_id, "a")], ["oom", ""])


@check("a cancel ends the container, TERM first")
def _():
    dag("long", "  a: {run: 'trap \"echo bye; exit 9\" TERM; echo up; while :; do sleep 0.1; done'}\n")
    run_id = run("long")
    running(run_id, "a", "up")
    slipway.cli("run", "cancel", run_id)
    expect(over(run_id)["run"]["state"], "cancelled")
    expect(log(run_id, "a"), "up\nbye\n")


@check("a pod that cannot start says why")
def _():
    dag("absent", "  a: {run: 'true', image: 'localhost/absent:1', image_pull_policy: IfNotPresent}\n")
    run_id = run("absent")
    why = until(lambda: (lambda text: "Pull" in text and text)(slipway.cli("task", "why", run_id, "a").stdout), 60, 0.2)
    slipway.cli("run", "cancel", run_id)
    over(run_id)
    return why.strip()[:100]


@check("the daemon is killed and started again: the same pods, each line once")
def _():
    dag("steady", "".join(f"  t{i}: {{run: 'i=0; while [ $i -lt 60 ]; do echo \"{i} line $i\"; i=$((i+1)); sleep 0.1; done'}}\n" for i in range(4)))
    before = len(created())
    run_id = run("steady")
    for kill in range(3):
        running(run_id, "t0", f"0 line {5 + kill * 10}\n")
        slipway.kill()
        slipway.start()
    expect(over(run_id)["run"]["state"], "success")
    for i in range(4):
        expect(len(attempts(run_id, f"t{i}")), 1)
        expect(log(run_id, f"t{i}"), "".join(f"{i} line {k}\n" for k in range(60)))
    expect(len(created()) - before, 4)


@check("the API server is killed and started again: nothing is lost, nothing runs twice")
def _():
    before = len(created())
    run_id = run("steady")
    running(run_id, "t0", "0 line 5\n")
    ctl("kill", "kube-apiserver")
    time.sleep(2)
    ctl("start", "kube-apiserver")
    expect(over(run_id, 180)["run"]["state"], "success")
    for i in range(4):
        expect(len(attempts(run_id, f"t{i}")), 1)
        expect(log(run_id, f"t{i}"), "".join(f"{i} line {k}\n" for k in range(60)))
    expect(len(created()) - before, 4)


@check("a pod that somebody deletes is cancelled, or tried again where the task says so")
def _():
    for name, extra, wanted in (("gone", "", "cancelled"), ("back", ", on_delete: retry", "success")):
        dag(name, f"  a: {{run: 'if [ $SLIPWAY_ATTEMPT = 1 ]; then echo up; sleep 60; fi', retry: {{infra_limit: 1}}{extra}}}\n")
        run_id = run(name)
        running(run_id, "a", "up")
        mine = [one for one in pods() if one["metadata"]["name"].startswith(name + "-a-")]
        admin().call("DELETE", space.core("pods/" + mine[0]["metadata"]["name"]), {"gracePeriodSeconds": 1})
        seen = over(run_id, 180)
        expect({one["task"]: one["state"] for one in seen["tasks"]}["a"], wanted)


@check("the manifest that is shown is one that the cluster takes")
def _():
    path = os.path.join(slipway.dags, "flow.yaml")
    manifest = json.loads(slipway.cli("dag", "render", path, "--task", "first", "--manifest").stdout)
    expect(manifest["spec"]["containers"][0]["image"], IMAGE)
    admin().call("POST", space.core("pods?dryRun=All&fieldValidation=Strict"), manifest)
    bad = os.path.join(slipway.work, "bad.yaml")
    with open(bad, "w", encoding="utf-8") as file:
        file.write(f"dag: bad\n{HEAD}tasks:\n  a: {{run: 'true', pod: {{nodeSelektor: {{a: b}}}}}}\n")
    refused = slipway.cli("dag", "plan", "--cluster", bad, check=False)
    expect(refused.returncode, 3)
    if "nodeSelektor" not in refused.stderr:
        raise AssertionError(refused.stderr)


@check("no pod is left")
def _():
    until(lambda: not pods(), 180)


slipway.__exit__()
harness.admin = harness.Client()
space.delete()
finish()
