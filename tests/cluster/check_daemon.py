#!/usr/bin/env python3
"""The daemon in the cluster, from manifests/base as it stands and the real image: its rights on the machine, its names, its restarts. Level node."""
import http.client
import os
import re

from harness import admin, check, expect, finish, results, until
from in_cluster import POD, SOURCE, USER, Daemon

daemon = Daemon()


def status(host, address, port):
    connection = http.client.HTTPConnection(address, port, timeout=10)
    connection.request("GET", "/api/v1/health", headers={"Host": host})
    return connection.getresponse().status


@check("kubectl apply -k manifests/base, and the daemon is ready")
def _():
    daemon.deploy([os.path.join(SOURCE, "dags/hello.yaml")])


if "FAIL" in results:
    finish()


@check("it is nobody's root, and its own root is read-only")
def _():
    expect(daemon.in_pod("id", "-u").strip(), str(USER))
    expect(daemon.in_pod("sh", "-c", "touch /usr/x 2>/dev/null || echo refused").strip(), "refused")
    expect(daemon.in_pod("grep", "CapEff", "/proc/1/status").split()[1].strip("0"), "")


@check("the Service answers to its names, and to no others")
def _():
    address = admin.call("GET", daemon.space.core("services/slipway"))["spec"]["clusterIP"]
    expect(until(lambda: status("slipway.slipway.svc", address, 8480), 30), 200)
    expect([status(host, address, 8480) for host in ("slipway:8480", "localhost", "evil.example.org", address)], [200, 200, 403, 403])


@check("no variables of other Services, one token and no more")
def _():
    expect(daemon.in_pod("ls", "/var/run/secrets/kubernetes.io/serviceaccount").split(), ["ca.crt", "namespace", "token"])
    expect(re.findall(r"^SLIPWAY_(?:PORT|SERVICE).*", daemon.in_pod("env"), re.M), [])


@check("a run of the DAG in the ConfigMap, by the command line outside")
def _():
    with daemon.cli() as slipway:
        slipway("run", "start", "hello", "-p", "name=cluster", "--wait")
        run = slipway("run", "get", "@latest", "-o", "json")
        expect({task["state"] for task in run["tasks"]}, {"success"})
        return slipway("task", "logs", "@latest", "summary").strip()


@check("the pod is deleted: another one comes, with the same runs")
def _():
    before = daemon.ready()["metadata"]["uid"]
    daemon.kubectl("delete", "pod", POD)
    until(lambda: (lambda seen: seen and seen["metadata"]["uid"] != before)(daemon.ready()), 240)
    with daemon.cli() as slipway:
        expect(len(slipway("run", "list", "-o", "json")["runs"]), 1)


@check("the daemon ends: the kubelet starts it again")
def _():
    def restarts():
        seen = daemon.ready()
        return seen and seen["status"]["containerStatuses"][0]["restartCount"]

    daemon.in_pod("sh", "-c", "kill -TERM 1")
    expect(until(restarts, 240), 1)
    daemon.in_pod("slipway", "-q", "run", "list", "--limit", "1")


@check("the StatefulSet is deleted: the claim and the database stay")
def _():
    daemon.kubectl("delete", "statefulset", "slipway", "--cascade=foreground")
    expect(admin.call("GET", daemon.space.core("persistentvolumeclaims/home-slipway-0"))["status"]["phase"], "Bound")
    expect(os.path.exists(os.path.join(daemon.home, "slipway.db")), True)


daemon.remove()
finish()
