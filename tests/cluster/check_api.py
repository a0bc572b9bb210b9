#!/usr/bin/env python3
"""What every cluster of the ladder must do: objects, tokens, rights, server-side apply, watches. Level api and above."""
import json
import time

from harness import LEVEL, NOWHERE, Client, Namespace, Skipped, admin, check, expect, finish, pod, refuses, until

space = Namespace("smoke-api")


@check("a token has what its Role grants, and nothing else")
def _():
    rbac = "rbac.authorization.k8s.io/v1"
    admin.call("POST", space.core("serviceaccounts"), {"metadata": {"name": "runner"}})
    admin.call("POST", space.of(rbac, "roles"), {"metadata": {"name": "runner"}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]}]})
    admin.call("POST", space.of(rbac, "rolebindings"), {
        "metadata": {"name": "runner"}, "subjects": [{"kind": "ServiceAccount", "name": "runner", "namespace": space.name}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "runner"}})
    runner = Client(space.token("runner"))
    body = pod("by-token", spec=NOWHERE)
    space.create(body, runner)
    refuses(409, lambda: space.create(body, runner))
    refuses(403, lambda: runner.call("GET", space.core("secrets")))
    refuses(403, lambda: runner.call("GET", "/api/v1/nodes"))
    refuses(403, lambda: runner.call("POST", "/api/v1/namespaces/default/pods", body))
    refuses(401, lambda: Client("no-token").call("GET", space.core("pods")))


@check("strict validation names the unknown field")
def _():
    body = pod("typo", spec={**NOWHERE, "restartPolicee": "Never"})
    refuses(400, lambda: admin.call("POST", space.core("pods?fieldValidation=Strict&dryRun=All"), body), "restartPolicee")


@check("server-side apply: create, conflict, force")
def _():
    path, kind = space.core("configmaps/applied?fieldManager="), "application/apply-patch+yaml"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    admin.call("PATCH", path + "one", body, kind)
    body["data"]["a"] = "2"
    refuses(409, lambda: admin.call("PATCH", path + "two", body, kind))
    expect(admin.call("PATCH", path + "two&force=true", body, kind)["data"]["a"], "2")


@check("a delete by the uid of a predecessor is refused")
def _():
    first = space.create(pod("successor", spec=NOWHERE))["metadata"]["uid"]
    admin.call("DELETE", space.core("pods/successor"), {"gracePeriodSeconds": 0})
    space.create(pod("successor", spec=NOWHERE))
    refuses(409, lambda: admin.call("DELETE", space.core("pods/successor"), {"preconditions": {"uid": first}}))


@check("a full quota is a 403 that says so")
def _():
    if LEVEL == "api":
        raise Skipped("usage is counted by a controller; level control has it")
    full = Namespace("smoke-quota")
    admin.call("POST", full.core("resourcequotas"), {"metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}})
    until(lambda: admin.call("GET", full.core("resourcequotas/one")).get("status", {}).get("hard"))
    full.create(pod("first", spec=NOWHERE))
    refuses(403, lambda: full.create(pod("second", spec=NOWHERE)), "exceeded quota")
    full.delete()


@check("pods created one after another")
def _():
    count, begun = 100, time.monotonic()
    for index in range(count):
        space.create(pod(f"rate-{index}", spec=NOWHERE, labels={"set": "rate"}))
    rate = count / (time.monotonic() - begun)
    expect(len(admin.call("GET", space.core("pods?labelSelector=set%3Drate"))["items"]), count)
    admin.call("DELETE", space.core("pods?labelSelector=set%3Drate"), {"gracePeriodSeconds": 0})
    return f"{rate:.0f}/s"


@check("a watch goes on where a list ended")
def _():
    version = admin.call("GET", space.core("pods"))["metadata"]["resourceVersion"]
    space.create(pod("watched", spec=NOWHERE))
    lines = admin.call("GET", space.core(f"pods?watch=true&resourceVersion={version}&timeoutSeconds=1"), raw=True).splitlines()
    expect(("ADDED", "watched") in [(event["type"], event["object"]["metadata"].get("name")) for event in map(json.loads, lines)], True)


space.delete()
finish()
