#!/usr/bin/env python3
"""Controllers, a scheduler and fake nodes: rollouts, garbage collection, evictions, a thousand pods to their end. Level control.

  check_control.py [PODS]    the nodes are objects that kwok keeps alive; how a fake pod ends is written in its annotations"""
import concurrent.futures
import sys
import time

from harness import Client, Namespace, Refused, admin, check, expect, finish, until

PODS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
NODES = 5
FAKE = {"nodeSelector": {"type": "fake"}, "tolerations": [{"key": "fake", "operator": "Exists"}]}
space = Namespace("fakes")


def node(index):
    room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
    return {"apiVersion": "v1", "kind": "Node", "status": {"allocatable": room, "capacity": room},
            "spec": {"taints": [{"key": "fake", "effect": "NoSchedule"}]}, "metadata": {
                "name": f"fake-{index}", "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {"type": "fake"}}}


def fake_pod(name, notes):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"set": "fake"}, "annotations": notes},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}], **FAKE}}


def node_ready(name):
    conditions = admin.call("GET", "/api/v1/nodes/" + name)["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


@check(f"{NODES} fake nodes are ready")
def _():
    for index in range(NODES):
        admin.call("POST", "/api/v1/nodes", node(index))
    until(lambda: all(node_ready(f"fake-{index}") for index in range(NODES)))


@check(f"{PODS} pods run to their end, one of twenty with exit code 3")
def _():
    def create(indices):
        client = Client()
        for index in indices:
            code = "3" if index % 20 == 19 else "0"
            space.create(fake_pod(f"fake-{index}", {"fake/run": "500ms", "fake/exit-code": code, "fake/message": f"result {index}"}), client)

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(create, [range(start, PODS, 4) for start in range(4)]))
    made = time.monotonic() - begun

    def all_ended():
        items = admin.call("GET", space.core("pods?labelSelector=set%3Dfake"))["items"]
        return all(item["status"].get("phase") in ("Succeeded", "Failed") for item in items) and items

    items = until(all_ended, 300, 0.5)
    took = time.monotonic() - begun
    expect(len(items), PODS)
    for item in items:
        index = int(item["metadata"]["name"].rsplit("-", 1)[1])
        end = item["status"]["containerStatuses"][0]["state"]["terminated"]
        expect((end["exitCode"], end["message"]), (3 if index % 20 == 19 else 0, f"result {index}"))
    return f"created in {made:.1f} s, ended after {took:.1f} s"


def deployment(image, replicas=3):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}], **FAKE}}}}


def rolled_out():
    seen = admin.call("GET", space.of("apps/v1", "deployments/web"))
    status, wanted = seen.get("status", {}), seen["spec"]["replicas"]
    return (status.get("observedGeneration", 0) >= seen["metadata"]["generation"] and status.get("replicas") == wanted
            and status.get("updatedReplicas") == wanted and status.get("availableReplicas") == wanted)


@check("a Deployment rolls out, changes by server-side apply and rolls out again")
def _():
    path = space.of("apps/v1", "deployments/web?fieldManager=check&force=true")
    for image in ("none:1", "none:2"):
        admin.call("PATCH", path, deployment(image), "application/apply-patch+yaml")
        until(rolled_out)
        expect(admin.call("GET", space.of("apps/v1", "deployments/web"))["spec"]["template"]["spec"]["containers"][0]["image"], image)


@check("an eviction marks the pod as disrupted")
def _():
    space.create(fake_pod("evicted", {"fake/run": "10m"}))
    space.wait("evicted", lambda seen: seen["status"].get("phase") == "Running")
    events = space.watch("evicted")
    admin.call("POST", space.core("pods/evicted/eviction"), {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted"}})
    reasons = set()
    for event in events:
        reasons |= {item.get("reason") for item in event["object"]["status"].get("conditions", []) if item["type"] == "DisruptionTarget"}
        if event["type"] == "DELETED":
            break
    expect(reasons, {"EvictionByEvictionAPI"})


@check("a foreground delete takes the Deployment's pods along")
def _():
    admin.call("DELETE", space.of("apps/v1", "deployments/web"), {"propagationPolicy": "Foreground", "gracePeriodSeconds": 5})

    def gone():
        try:
            admin.call("GET", space.of("apps/v1", "deployments/web"))
            return False
        except Refused as error:
            expect(error.code, 404)
            return True

    until(gone)
    expect(admin.call("GET", space.core("pods?labelSelector=app%3Dweb"))["items"], [])


space.delete()
finish()
