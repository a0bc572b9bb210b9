#!/usr/bin/env python3
"""The Role of manifests/base, call by call: what the daemon asks is allowed, everything else that this server knows is refused. Any level."""
import itertools
import os
import re
import subprocess

from harness import NOWHERE, Client, Namespace, Refused, admin, check, expect, finish, pod, refuses

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
VERBS = ["create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"]
# Without the last of them pods run all the same, and `task why` knows less.
NEEDED = {("create", "", "pods"), ("get", "", "pods"), ("list", "", "pods"), ("watch", "", "pods"), ("delete", "", "pods"), ("get", "", "pods/log")} | {
    (verb, group, resource) for group, resource, verbs in (
        ("apps", "deployments", "create get patch delete"), ("", "services", "create get patch delete"), ("", "services/proxy", "create get"),
        ("", "configmaps", "create patch"), ("batch", "jobs", "create get patch"), ("autoscaling", "horizontalpodautoscalers", "create patch"))
    for verb in verbs.split()}
DAEMON = NEEDED | {("list", "", "events")}
RBAC = "rbac.authorization.k8s.io/v1"

space = Namespace("slipway")


def apply(folder):
    """The accounts and roles of a kustomization; pods and policies are other checks' matter."""
    yaml = subprocess.run(["kubectl", "kustomize", os.path.join(SOURCE, "manifests", folder)], capture_output=True, text=True, check=True).stdout
    wanted = [part for part in yaml.split("\n---\n") if re.search(r"^kind: (ServiceAccount|Role|RoleBinding)$", part, re.M)]
    subprocess.run(["kubectl", "apply", "-n", space.name, "-f", "-"], input="\n---\n".join(wanted), text=True, check=True, capture_output=True)


def resources():
    """(group, resource, namespaced) of everything the server serves, subresources included."""
    bases = ["/api/v1"] + ["/apis/" + group["preferredVersion"]["groupVersion"] for group in admin.call("GET", "/apis")["groups"]]
    for base in bases:
        answer = admin.call("GET", base)
        for entry in answer["resources"]:
            yield answer["groupVersion"].rpartition("/")[0], entry["name"], entry["namespaced"]


def may(client, verb, group, resource, namespace):
    name, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, **({"subresource": sub} if sub else {}), **({"namespace": namespace} if namespace else {})}
    return client.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {"resourceAttributes": attributes}})["status"]["allowed"]


def all_rights(client, namespace):
    """Everything that the account may do with objects. Reviews of itself are everybody's."""
    found = set()
    for group, resource, namespaced in resources():
        for verb in VERBS:
            if may(client, verb, group, resource, namespace if namespaced else "") and not resource.startswith("self"):
                found.add((verb, group, resource))
    return found


def named(rights):
    return sorted(f"{verb} {resource}" for verb, _, resource in rights)


apply("base")
daemon = Client(space.token("slipway"))


@check("base grants exactly what the daemon asks")
def _():
    expect(named(all_rights(daemon, space.name)), named(DAEMON))


@check("and nothing in another namespace or of the cluster")
def _():
    expect([right for right in DAEMON if may(daemon, *right, "default") or may(daemon, *right, "")], [])


@check("the daemon asks at its start for what it needs (src/pods/rights.cc)")
def _():
    with open(os.path.join(SOURCE, "src/pods/rights.cc"), encoding="utf-8") as file:
        rows = re.findall(r'\{"(\w+)", "([\w.]*)", "(\w+)", "(\w*)"\}', file.read())
    expect(named((verb, group, resource + ("/" + sub if sub else "")) for verb, group, resource, sub in rows), named(NEEDED))


def applied(api, kind, plural, spec=None):
    """Creates an object by applying it; the second one changes what is there."""
    group = api if "/" in api else ""

    def to(name):
        body = {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **(spec or {})}
        path = space.of(group, f"{plural}/{name}") if group else space.core(f"{plural}/{name}")
        return lambda client: client.call("PATCH", path + "?fieldManager=slipway&fieldValidation=Strict", body, "application/apply-patch+yaml")
    return (lambda client: to(f"called-{next(NUMBERS)}")(client)), to("called")


NUMBERS = itertools.count()
TEMPLATE = {"metadata": {"labels": {"app": "called"}}, "spec": {**NOWHERE, "containers": [{"name": "main", "image": "localhost/none:1"}]}}
NEW_DEPLOYMENT, SAME_DEPLOYMENT = applied("apps/v1", "Deployment", "deployments",
                                          {"spec": {"selector": {"matchLabels": {"app": "called"}}, "template": TEMPLATE}})
NEW_SERVICE, SAME_SERVICE = applied("v1", "Service", "services", {"spec": {"selector": {"app": "called"}, "ports": [{"port": 80}]}})
NEW_SETTINGS, SAME_SETTINGS = applied("v1", "ConfigMap", "configmaps")
NEW_JOB, SAME_JOB = applied("batch/v1", "Job", "jobs", {"spec": {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}})
NEW_SCALER, SAME_SCALER = applied("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", {
    "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "called"}}})

# Each call as the client makes it. There is no kubelet below level node, so a log is allowed and not found.
CALLS = {
    ("create", "", "pods"): lambda client: client.call("POST", space.core("pods?fieldValidation=Strict"), pod("called", spec=NOWHERE)),
    ("get", "", "pods"): lambda client: client.call("GET", space.core("pods/called")),
    ("list", "", "pods"): lambda client: client.call("GET", space.core("pods?limit=500")),
    ("watch", "", "pods"): lambda client: client.call("GET", space.core("pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=1"), raw=True),
    ("get", "", "pods/log"): lambda client: client.call("GET", space.core("pods/called/log?timestamps=true"), raw=True),
    ("list", "", "events"): lambda client: client.call("GET", space.core("events?fieldSelector=involvedObject.name%3Dcalled")),
    ("create", "apps", "deployments"): NEW_DEPLOYMENT,
    ("patch", "apps", "deployments"): SAME_DEPLOYMENT,
    ("get", "apps", "deployments"): lambda client: client.call("GET", space.of("apps/v1", "deployments/called")),
    ("delete", "apps", "deployments"): lambda client: client.call("DELETE", space.of("apps/v1", "deployments/called"), {}),
    ("create", "", "services"): NEW_SERVICE,
    ("patch", "", "services"): SAME_SERVICE,
    ("get", "", "services"): lambda client: client.call("GET", space.core("services/called")),
    # Nobody listens, which is another matter than not being allowed to ask.
    ("get", "", "services/proxy"): lambda client: client.call("GET", space.core("services/http:called:80/proxy/"), raw=True),
    ("create", "", "services/proxy"): lambda client: client.call("POST", space.core("services/http:called:80/proxy/"), {}, raw=True),
    ("delete", "", "services"): lambda client: client.call("DELETE", space.core("services/called"), {}),
    ("create", "", "configmaps"): NEW_SETTINGS,
    ("patch", "", "configmaps"): SAME_SETTINGS,
    ("create", "batch", "jobs"): NEW_JOB,
    ("patch", "batch", "jobs"): SAME_JOB,
    ("get", "batch", "jobs"): lambda client: client.call("GET", space.of("batch/v1", "jobs/called")),
    ("create", "autoscaling", "horizontalpodautoscalers"): NEW_SCALER,
    ("patch", "autoscaling", "horizontalpodautoscalers"): SAME_SCALER,
    ("delete", "", "pods"): lambda client: client.call("DELETE", space.core("pods/called"), {"gracePeriodSeconds": 0}),
}


def forbidden(client, right):
    try:
        CALLS[right](client)
    except Refused as error:
        return error.code == 403
    return False


@check("each call of the client is allowed")
def _():
    expect(set(CALLS), DAEMON)
    expect([right for right in CALLS if forbidden(daemon, right)], [])


@check("each verb is needed: without it that call is refused")
def _():
    role = admin.call("GET", space.of(RBAC, "roles/slipway"))
    admin.call("POST", space.core("pods"), pod("called", spec=NOWHERE))
    for verb, group, resource in sorted(DAEMON):
        rules = [{**rule, "verbs": [v for v in rule["verbs"] if not (v == verb and resource in rule["resources"])]} for rule in role["rules"]]
        body = {"rules": [rule for rule in rules if rule["verbs"]]}
        admin.call("PATCH", space.of(RBAC, "roles/slipway"), body, "application/merge-patch+json")
        # The server's copy of the roles follows within moments.
        for _ in range(200):
            if not may(daemon, verb, group, resource, space.name):
                break
        expect((verb, resource, forbidden(daemon, (verb, group, resource))), (verb, resource, True))
    admin.call("PATCH", space.of(RBAC, "roles/slipway"), {"rules": role["rules"]}, "application/merge-patch+json")


@check("no Secret, no exec, no token of another account")
def _():
    refuses(403, lambda: daemon.call("GET", space.core("secrets")))
    refuses(403, lambda: daemon.call("GET", space.core("secrets/slipway-secrets")))
    refuses(403, lambda: daemon.call("POST", space.core("pods/called/exec?command=id"), {}))
    refuses(403, lambda: daemon.call("POST", space.core("serviceaccounts/slipway-task/token"), {"spec": {}}))


@check("the account of tasks has no right at all")
def _():
    expect(named(all_rights(Client(space.token("slipway-task")), space.name)), [])


space.delete()
finish()
