#!/usr/bin/env python3
"""Real containers on a real kubelet: how pods end, what they leave, how they are reached. Level node."""
import http.client
import os
import subprocess
import tempfile
import time

from harness import IMAGE, LOOP, Namespace, admin, check, ended, expect, finish, main_state, pod, started, until

space = Namespace("smoke-node")


def end_of(body):
    space.create(body)
    return space.wait(body["metadata"]["name"], ended, 120)


@check("exit code, log and termination message")
def _():
    begun = time.monotonic()
    seen = end_of(pod("fails", "echo hi; echo why >/dev/termination-log; exit 3"))
    end = main_state(seen)["terminated"]
    expect((seen["status"]["phase"], end["exitCode"], end["reason"], end["message"]), ("Failed", 3, "Error", "why\n"))
    expect(space.log("fails"), "hi\n")
    return f"{time.monotonic() - begun:.1f} s from create to Failed"


@check("without a message the end of the log stands in, if asked for")
def _():
    seen = end_of(pod("fallback", "echo last words; exit 1", container={"terminationMessagePolicy": "FallbackToLogsOnError"}))
    expect(main_state(seen)["terminated"]["message"], "last words\n")


@check("a followed log has every line, stamped")
def _():
    space.create(pod("follow", "for i in 1 2 3; do echo line $i; sleep 0.5; done"))
    space.wait("follow", lambda seen: seen["status"].get("phase") != "Pending")
    lines = space.log("follow", "?follow=true&timestamps=true").splitlines()
    expect([line.split(" ", 1)[1] for line in lines], ["line 1", "line 2", "line 3"])


@check("activeDeadlineSeconds: Failed, DeadlineExceeded")
def _():
    seen = end_of(pod("deadline", "sleep 60", spec={"activeDeadlineSeconds": 2, "terminationGracePeriodSeconds": 1}))
    expect((seen["status"]["phase"], seen["status"]["reason"]), ("Failed", "DeadlineExceeded"))


@check("more memory than the limit: OOMKilled, 137")
def _():
    seen = end_of(pod("oom", "dd if=/dev/zero of=/dev/null bs=200M count=1", container={"resources": {"limits": {"memory": "32Mi"}}}))
    end = main_state(seen)["terminated"]
    expect((end["reason"], end["exitCode"]), ("OOMKilled", 137))


def last_event(name, act):
    """What the watch shows of a pod before it is gone."""
    events = space.watch(name)
    act()
    for event in events:
        if event["type"] == "DELETED":
            return event["object"]
    raise AssertionError("the watch ended before the pod")


@check("TERM on delete, within the grace time")
def _():
    space.create(pod("graceful", f"trap 'exit 7' TERM; echo up; {LOOP}"))
    space.wait_for_line("graceful", "up")
    last = last_event("graceful", lambda: admin.call("DELETE", space.core("pods/graceful"), {"gracePeriodSeconds": 10}))
    expect((last["status"]["phase"], main_state(last)["terminated"]["exitCode"]), ("Failed", 7))


@check("KILL after the grace time")
def _():
    space.create(pod("stubborn", f"trap '' TERM; echo up; {LOOP}"))
    space.wait_for_line("stubborn", "up")
    last = last_event("stubborn", lambda: admin.call("DELETE", space.core("pods/stubborn"), {"gracePeriodSeconds": 2}))
    expect(main_state(last)["terminated"]["exitCode"], 137)


@check("an eviction: DisruptionTarget, and the code that TERM led to")
def _():
    space.create(pod("evicted", f"trap 'exit 143' TERM; echo up; {LOOP}", spec={"terminationGracePeriodSeconds": 5}))
    space.wait_for_line("evicted", "up")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted"}}
    last = last_event("evicted", lambda: admin.call("POST", space.core("pods/evicted/eviction"), body))
    reasons = [item["reason"] for item in last["status"]["conditions"] if item["type"] == "DisruptionTarget"]
    expect((last["status"]["phase"], main_state(last)["terminated"]["exitCode"], reasons), ("Failed", 143, ["EvictionByEvictionAPI"]))


@check("an emptyDir over its limit: Evicted")
def _():
    body = pod("too-big", "dd if=/dev/zero of=/shared/x bs=1M count=20; sleep 120",
               container={"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
               spec={"volumes": [{"name": "shared", "emptyDir": {"sizeLimit": "4Mi"}}], "terminationGracePeriodSeconds": 0})
    seen = end_of(body)
    expect((seen["status"]["phase"], seen["status"]["reason"]), ("Failed", "Evicted"))
    return seen["status"]["message"]


@check("volumes: an emptyDir shared by two containers, a path of the node")
def _():
    with tempfile.TemporaryDirectory(prefix="slipway-node-") as folder:
        os.chmod(folder, 0o777)
        body = pod("volumes", "while [ ! -e /shared/x ]; do sleep 0.1; done; cat /shared/x; cp /shared/x /host/y", container={
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}, {"name": "host", "mountPath": "/host"}]})
        body["spec"]["volumes"] = [{"name": "shared", "emptyDir": {}}, {"name": "host", "hostPath": {"path": folder}}]
        body["spec"]["containers"].append({"name": "writer", "image": IMAGE, "command": ["sh", "-c", "echo shared >/shared/x"],
                                           "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]})
        expect(end_of(body)["status"]["phase"], "Succeeded")
        expect(space.log("volumes", "?container=main"), "shared\n")
        with open(folder + "/y", encoding="utf-8") as file:
            expect(file.read(), "shared\n")


@check("a Secret and a ConfigMap in a pod")
def _():
    admin.call("POST", space.core("secrets"), {"metadata": {"name": "hush"}, "stringData": {"word": "sesame"}})
    admin.call("POST", space.core("configmaps"), {"metadata": {"name": "settings"}, "data": {"a": "2"}})
    body = pod("projected", "echo $WORD; cat /config/a", spec={"volumes": [{"name": "c", "configMap": {"name": "settings"}}]}, container={
        "env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "hush", "key": "word"}}}], "volumeMounts": [{"name": "c", "mountPath": "/config"}]})
    expect(end_of(body)["status"]["phase"], "Succeeded")
    expect(space.log("projected").split(), ["sesame", "2"])


@check("a sidecar does not hold up the end")
def _():
    body = pod("sidecar", "echo done")
    body["spec"]["initContainers"] = [{"name": "side", "image": IMAGE, "command": ["sh", "-c", f"trap 'exit 0' TERM; {LOOP}"], "restartPolicy": "Always"}]
    expect(end_of(body)["status"]["phase"], "Succeeded")


@check("an image that is nowhere: ErrImagePull or ImagePullBackOff")
def _():
    space.create(pod("no-image", container={"image": "localhost/absent:1"}))
    seen = space.wait("no-image", lambda seen: "reason" in (seen["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {})
                      and main_state(seen)["waiting"]["reason"] != "ContainerCreating")
    reason = main_state(seen)["waiting"]["reason"]
    expect(reason in ("ErrImagePull", "ImagePullBackOff"), True)
    return reason


@check("a Service reaches the pods of a Deployment, also from a pod")
def _():
    script = "mkdir /w; hostname >/w/index.html; exec httpd -f -p 8080 -h /w"
    web = {"name": "web", "image": IMAGE, "command": ["sh", "-c", script], "ports": [{"containerPort": 8080}],
           "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}
    admin.call("POST", space.of("apps/v1", "deployments"), {"metadata": {"name": "web"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [web]}}}})
    service = admin.call("POST", space.core("services"), {"metadata": {"name": "web"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}})
    until(lambda: admin.call("GET", space.of("apps/v1", "deployments/web"))["status"].get("availableReplicas") == 2)
    address = service["spec"]["clusterIP"]

    def fetch():
        try:
            connection = http.client.HTTPConnection(address, 80, timeout=5)
            connection.request("GET", "/")
            return connection.getresponse().read().decode().strip()
        except OSError:
            return None

    expect(until(fetch, 20).startswith("web-"), True)
    expect(end_of(pod("caller", f"for i in 1 2 3 4 5; do curl -sf --max-time 5 http://{address}/ || exit 1; done"))["status"]["phase"], "Succeeded")


@check("a pod reaches the API server")
def _():
    expect(end_of(pod("in-cluster", "curl -skf --max-time 5 https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/readyz"))["status"]["phase"], "Succeeded")
    expect(space.log("in-cluster"), "ok")


@check("kubectl exec")
def _():
    space.create(pod("shell", "sleep 60", spec={"terminationGracePeriodSeconds": 0}))
    space.wait("shell", started)
    words = ["kubectl", "-n", space.name, "exec", "shell", "--", "sh", "-c", "echo inside; exit 5"]
    reply = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    expect((reply.stdout, reply.returncode), ("inside\n", 5))


@check("50 short pods at once")
def _():
    begun = time.monotonic()
    for index in range(50):
        space.create(pod(f"many-{index}", labels={"set": "many"}))
    path = space.core("pods?labelSelector=set%3Dmany")
    until(lambda: all(ended(item) for item in admin.call("GET", path)["items"]), 600, 0.5)
    expect({item["status"]["phase"] for item in admin.call("GET", path)["items"]}, {"Succeeded"})
    return f"{time.monotonic() - begun:.0f} s until all had ended"


space.delete()
finish()
