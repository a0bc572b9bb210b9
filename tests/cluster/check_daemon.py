#!/usr/bin/env python3
"""The daemon in the cluster, from manifests/base as it stands and the real image. Level node; SLIPWAY_BINARY is the command line outside."""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile

from harness import Namespace, admin, check, expect, finish, results, until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BINARY = os.environ.get("SLIPWAY_BINARY", os.path.join(SOURCE, "build/bin/slipway"))
POD = "slipway-0"
USER = 10001

space = Namespace("slipway")
# No provisioner runs here: the claim finds a volume that is a folder of this machine. fsGroup does not reach into those.
disk = tempfile.mkdtemp(prefix="slipway-home-")
os.chown(disk, USER, USER)


def kubectl(*words, stdin=None):
    done = subprocess.run(["kubectl", "-n", space.name, *words], input=stdin, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def in_pod(*words):
    return kubectl("exec", POD, "--", *words)


def ready_pod():
    """The daemon's pod once it is ready."""
    seen = space.pod(POD)
    conditions = {item["type"]: item["status"] for item in seen["status"].get("conditions", [])}
    return "deletionTimestamp" not in seen["metadata"] and conditions.get("Ready") == "True" and seen


@contextlib.contextmanager
def forwarded():
    """The Service on a port of this machine, as the chart's notes say."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(["kubectl", "-n", space.name, "port-forward", "service/slipway", f"{port}:8480"], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        try:
            yield port
        finally:
            process.terminate()


def slipway(port, *words):
    env = {"PATH": os.environ["PATH"], "HOME": disk, "SLIPWAY_SERVER": f"http://127.0.0.1:{port}", "SLIPWAY_TOKEN": in_pod("cat", "/var/lib/slipway/token").strip()}
    done = subprocess.run([BINARY, *words], env=env, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"slipway {' '.join(words)}: exit {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def status(host, address, port):
    connection = http.client.HTTPConnection(address, port, timeout=10)
    connection.request("GET", "/api/v1/health", headers={"Host": host})
    return connection.getresponse().status


@check("kubectl apply -k manifests/base, and the daemon is ready")
def _():
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "slipway-home"}, "spec": {
        "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOncePod"], "hostPath": {"path": disk}, "persistentVolumeReclaimPolicy": "Retain"}}
    admin.call("POST", "/api/v1/persistentvolumes", volume)
    kubectl("create", "configmap", "slipway-dags", "--from-file=" + os.path.join(SOURCE, "dags/hello.yaml"))
    kubectl("apply", "-k", os.path.join(SOURCE, "manifests/base"))
    try:
        until(ready_pod, 120)
    except TimeoutError as error:
        raise AssertionError(f"{error}; its log: {kubectl('logs', POD)[-2000:]}") from error


if "FAIL" in results:
    finish()


@check("it is nobody's root, and its own root is read-only")
def _():
    expect(in_pod("id", "-u").strip(), str(USER))
    expect(in_pod("sh", "-c", "touch /usr/x 2>/dev/null || echo refused").strip(), "refused")
    expect(in_pod("sh", "-c", "grep CapEff /proc/1/status").split()[1].strip("0"), "")


@check("the Service answers to its names, and to no others")
def _():
    address = admin.call("GET", space.core("services/slipway"))["spec"]["clusterIP"]
    expect(until(lambda: status("slipway.slipway.svc", address, 8480), 30), 200)
    expect([status(host, address, 8480) for host in ("slipway:8480", "localhost", "evil.example.org", address)], [200, 200, 403, 403])


@check("a run of the DAG in the ConfigMap, by the command line outside")
def _():
    with forwarded() as port:
        slipway(port, "run", "start", "hello", "-p", "name=cluster", "--wait")
        run = json.loads(slipway(port, "run", "get", "@latest", "-o", "json"))
        expect({task["state"] for task in run["tasks"]}, {"success"})
        return slipway(port, "task", "logs", "@latest", "summary").strip()


@check("what the image has of secrets: the token of its account, and nothing it may not read")
def _():
    expect(in_pod("ls", "/var/run/secrets/kubernetes.io/serviceaccount").split(), ["ca.crt", "namespace", "token"])
    expect(re.findall(r"^SLIPWAY_PORT.*", in_pod("env"), re.M), [])


@check("the pod is deleted: another one comes, with the same runs")
def _():
    before = ready_pod()["metadata"]["uid"]
    in_pod("cat", "/var/lib/slipway/daemon.json")
    kubectl("delete", "pod", POD)
    until(lambda: (lambda seen: seen and seen["metadata"]["uid"] != before)(ready_pod()), 120)
    with forwarded() as port:
        expect(len(json.loads(slipway(port, "run", "list", "-o", "json"))["runs"]), 1)


@check("the daemon is killed: the kubelet starts it again")
def _():
    def restarts():
        seen = ready_pod()
        return seen and seen["status"]["containerStatuses"][0]["restartCount"]

    # Process 1 takes no KILL from inside its namespace; TERM ends it as the kubelet would.
    in_pod("sh", "-c", "kill -TERM 1")
    expect(until(restarts, 120), 1)
    kubectl("exec", POD, "--", "slipway", "-q", "run", "list", "--limit", "1")


@check("kubectl delete: the claim and the database stay")
def _():
    kubectl("delete", "statefulset", "slipway", "--cascade=foreground")
    expect(admin.call("GET", space.core("persistentvolumeclaims/home-slipway-0"))["status"]["phase"], "Bound")
    expect(os.path.exists(os.path.join(disk, "slipway.db")), True)


space.delete()
until(lambda: not any(item["metadata"]["name"] == space.name for item in admin.call("GET", "/api/v1/namespaces")["items"]), 120)
admin.call("DELETE", "/api/v1/persistentvolumes/slipway-home")
shutil.rmtree(disk)
finish()
