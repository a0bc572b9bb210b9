#!/usr/bin/env python3
"""Tasks as pods of the real image, by a daemon in the cluster: results, logs, shared files, bad ends, restarts, the demo. Level node."""
import hashlib
import os
import subprocess

from harness import admin, check, expect, finish, results, until
from in_cluster import POD, SOURCE, Daemon

HERE = os.path.dirname(os.path.abspath(__file__))
# How each task of dags/pods.yaml ends: state, class of its failure.
ENDS = {"make": ("success", None), "read": ("success", None), "talk": ("success", None), "told": ("success", None), "fails": ("failed", "user"),
        "hungry": ("failed", "oom"), "late": ("failed", "timeout"), "unconfigured": ("failed", "config")}

daemon = Daemon()
daemon.claim("workspace")
daemon.claim("demo", os.path.join(SOURCE, "dags/demo"))


def task_pods():
    return admin.call("GET", daemon.space.core("pods?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dslipway"))["items"]


def running(prefix):
    """A pod of another run may still be on its way out."""
    found = [item for item in task_pods() if item["status"]["phase"] == "Running" and item["metadata"]["name"].startswith(prefix)]
    return found and found[0]["metadata"]["name"]


@check("the daemon is ready")
def _():
    admin.call("POST", daemon.space.core("secrets"), {"metadata": {"name": "slipway-secrets"}, "stringData": {"WORD": "sesame"}})
    daemon.deploy([os.path.join(HERE, "dags", name) for name in sorted(os.listdir(os.path.join(HERE, "dags")))], {"SLIPWAY_KUBE_WORKSPACE_CLAIM": "workspace"})


if "FAIL" in results:
    finish()


with daemon.cli() as slipway:
    slipway("run", "start", "pods", "--wait", codes=(0, 1))
    tasks = {task["task"]: task for task in slipway("run", "get", "@latest", "-o", "json")["tasks"]}

    for name, (state, failure) in ENDS.items():
        @check(f"{name}: {state}" + (f", {failure}" if failure else ""))
        def _(task=tasks[name], wanted=(state, failure)):
            expect((task["state"], task["class"]), wanted)
            return task["reason"] or None

    @check("every line of a log, and the files that a run shares")
    def _():
        lines = "".join(f"{number}\n" for number in range(1, 20001))
        # The result is committed first, the rest of the log is read after it.
        until(lambda: hashlib.sha256(slipway("task", "logs", "@latest", "talk").encode()).digest() == hashlib.sha256(lines.encode()).digest())
        text = slipway("task", "logs", "@latest", "read").splitlines()
        expect((text[0].startswith("made in pods-make-"), text[1:]), (True, ["10001", "read-only"]))

    @check("an image that is not there is told while it is tried again")
    def _():
        slipway("run", "start", "nowhere")
        until(lambda: "ErrImageNeverPull" in slipway("run", "get", "@latest"), 120)
        slipway("run", "cancel", "@latest")
        slipway("run", "wait", "@latest", codes=(9,))

    @check("no pod is left")
    def _():
        until(lambda: not task_pods(), 180)


@check("a daemon that is replaced finds its pods again, and starts none twice")
def _():
    with daemon.cli() as slipway:
        slipway("run", "start", "long")
        until(lambda: running("long-count-"))
    before = {item["metadata"]["uid"] for item in task_pods()}
    old = daemon.ready()["metadata"]["uid"]
    daemon.kubectl("delete", "pod", POD)
    until(lambda: (lambda seen: seen and seen["metadata"]["uid"] != old)(daemon.ready()), 240)
    with daemon.cli() as slipway:
        expect({item["metadata"]["uid"] for item in task_pods()} <= before, True)
        slipway("run", "wait", "@latest")
        attempts = slipway("task", "attempts", "@latest", "count", "-o", "json")["attempts"]
        expect(len(attempts), 1)
        expect(slipway("task", "logs", "@latest", "count"), "".join(f"{number}\n" for number in range(1, 41)))


@check("the demo's reviews prepared, a model trained on them and evaluated, each in its pod")
def _():
    with daemon.cli() as slipway:
        slipway("run", "start", "tune", "--wait")
        outputs = next(task["outputs"] for task in slipway("run", "get", "@latest", "-o", "json")["tasks"] if task["task"] == "evaluate")
        expect(outputs["accuracy"] >= 0.9, True)
        return f"accuracy {outputs['accuracy_before']} before, {outputs['accuracy']} after"


@check("a pod that somebody deletes is no success")
def _():
    with daemon.cli() as slipway:
        slipway("run", "start", "long")
        daemon.kubectl("delete", "pod", until(lambda: running("long-count-")))
        slipway("run", "wait", "@latest", codes=(1, 9))


def doctor():
    done = subprocess.run(["kubectl", "-n", daemon.space.name, "exec", POD, "--", "slipway", "doctor"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@check("doctor names each right that the account lacks, and none otherwise")
def _():
    path = daemon.space.of("rbac.authorization.k8s.io/v1", "roles/slipway")
    rules = admin.call("GET", path)["rules"]
    expect("may not" in doctor(), False)
    for place, rule in enumerate(rules):
        for verb in rule["verbs"]:
            less = [{**other, "verbs": [v for v in other["verbs"] if at != place or v != verb]} for at, other in enumerate(rules)]
            admin.call("PATCH", path, {"rules": [other for other in less if other["verbs"]]}, "application/merge-patch+json")
            if rule["resources"] == ["events"]:
                continue  # it can do without
            wanted = f"may not {verb} {rule['resources'][0]} in namespace slipway"
            try:
                until(lambda text=wanted: text in doctor(), 30)
            finally:
                admin.call("PATCH", path, {"rules": rules}, "application/merge-patch+json")
    until(lambda: "may not" not in doctor(), 30)


daemon.remove()
finish()
