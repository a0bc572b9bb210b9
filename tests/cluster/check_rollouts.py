#!/usr/bin/env python3
"""`service:` and `apply:` tasks of a daemon on a real cluster. Any level: below `control` nothing becomes ready, below `node` nothing runs.
SLIPWAY_BINARY names the program."""
import importlib.util
import json
import os

from harness import IMAGE, LEVEL, RUN, Namespace, Refused, Skipped, admin, check, expect, finish, until

HERE = os.path.dirname(os.path.abspath(__file__))
SERVES = LEVEL == "node"
ROLLS_OUT = LEVEL != "api"


def end_to_end():
    spec = importlib.util.spec_from_file_location("end_to_end", os.path.join(HERE, "../e2e/harness.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


space = Namespace("rollouts-" + LEVEL)
slipway = end_to_end().Slipway(os.environ["SLIPWAY_BINARY"])
slipway.env.update(SLIPWAY_EXECUTOR="kubernetes", SLIPWAY_KUBECONFIG=RUN + "/pki/admin.kubeconfig", SLIPWAY_KUBE_NAMESPACE=space.name,
                   SLIPWAY_KUBE_IMAGE=IMAGE)
# The image's own user is root, which a restricted pod may not be.
HEAD = "defaults: {grace: 1s, pod: {securityContext: {runAsUser: 1000}}}\nparams: {word: {type: string, default: POSITIVE}}\n"
# busybox's server, with a page that holds the word.
SERVER = "mkdir -p /tmp/www; echo \"$WORD\" >/tmp/www/index.html; echo serving; exec httpd -f -p $PORT -h /tmp/www"


def dag(name, text, files=None):
    for file, content in (files or {}).items():
        slipway.write_dag(file, content)
    slipway.write_dag(name + ".yaml", f"dag: {name}\n{HEAD}{text}")
    # Nothing to change: the daemon has taken this text and these files.
    until(lambda: slipway.cli("dag", "plan", os.path.join(slipway.dags, name + ".yaml"), check=False).returncode == 0, 20)


def run(name, *words):
    return slipway.cli("run", "start", name, *words, "-o", "name").stdout.strip()


def over(run_id, seconds=180):
    return until(lambda: (lambda seen: seen["run"]["state"] in ("success", "failed", "cancelled") and seen)(slipway.json("run", "get", run_id)),
                 seconds, 0.2)


def ended(run_id, wanted, seconds=180):
    seen = over(run_id, seconds)
    last = slipway.json("task", "attempts", run_id, seen["tasks"][0]["task"])["attempts"]
    if seen["run"]["state"] != wanted:
        raise AssertionError(f"{seen['run']['state']}, not {wanted}: {last}")
    return last[-1] if last else {}


def log(run_id, task):
    return slipway.cli("task", "logs", run_id, task).stdout


def deployment(name):
    try:
        return admin.call("GET", space.of("apps/v1", "deployments/" + name))
    except Refused as error:
        if error.code == 404:
            return None
        raise


slipway.start()
SETTINGS = """# two objects
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {word: "${{ params.word }}", file: "a: 1\\n"}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""


@check("apply: the server takes both objects, with the run's parameters, under our name")
def _():
    dag("settings", "tasks:\n  put: {apply: objects.yaml}\n", {"objects.yaml": SETTINGS})
    run_id = run("settings", "-p", "word=first")
    ended(run_id, "success")
    found = admin.call("GET", space.core("configmaps/settings"))
    expect((found["data"]["word"], found["metadata"]["managedFields"][0]["manager"]), ("first", "slipway"))
    if "ConfigMap settings applied" not in log(run_id, "put") or "HorizontalPodAutoscaler web applied" not in log(run_id, "put"):
        raise AssertionError(log(run_id, "put"))


@check("a field that is left out of the manifest goes")
def _():
    dag("settings", "tasks:\n  put: {apply: objects.yaml}\n", {"objects.yaml": SETTINGS.replace(', file: "a: 1\\n"', "")})
    ended(run("settings", "-p", "word=second"), "success")
    expect(admin.call("GET", space.core("configmaps/settings"))["data"], {"word": "second"})


@check("a field of another manager is a conflict that names it")
def _():
    admin.call("PATCH", space.core("configmaps/settings?fieldManager=somebody&force=true"),
               {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"word": "theirs"}}, "application/apply-patch+yaml")
    last = ended(run("settings"), "failed")
    expect((last["class"], '"somebody"' in last["reason"]), ("config", True))
    return last["reason"][:90]


@check("a misspelt field is refused, before the run and in it")
def _():
    dag("typo", "tasks:\n  put: {apply: misspelt.yaml}\n", {"misspelt.yaml": SETTINGS.replace("maxReplicas", "maxReplica").replace("name: settings", "name: other")})
    planned = slipway.cli("dag", "plan", "--cluster", os.path.join(slipway.dags, "typo.yaml"), check=False)
    expect((planned.returncode, "maxReplica" in planned.stderr), (3, True))
    last = ended(run("typo"), "failed")
    if last["class"] != "config" or "maxReplica" not in last["reason"]:
        raise AssertionError(last)


WEB = """tasks:
  serve:
    service:
      name: web
      run: ["sh", "-c", 'SERVER']
      port: 8000
      health: /
      rollout_timeout: TIMEOUT
      smoke: {get: /, expect: POSITIVE}
    env: {WORD: "${{ params.word }}"}
""".replace("SERVER", SERVER)


def web(timeout="60s", smoke=SERVES):
    text = WEB.replace("TIMEOUT", timeout)
    return text if smoke else text.replace("      smoke: {get: /, expect: POSITIVE}\n", "")


@check("the Deployment and the Service that are made of a command are ones that the cluster takes")
def _():
    dag("web", web())
    path = os.path.join(slipway.dags, "web.yaml")
    shown = json.loads(slipway.cli("dag", "render", path, "--task", "serve", "--manifest").stdout)
    expect([item["kind"] for item in shown["items"]], ["Deployment", "Service"])
    planned = slipway.cli("dag", "plan", "--cluster", path, check=False)
    expect((planned.returncode in (0, 4), planned.stderr), (True, ""))


def let_go(path):
    """Nobody collects garbage below `control`, so what is deleted with its dependants keeps its finalizer: we take the controller's part."""
    until(lambda: "deletionTimestamp" in admin.call("GET", path)["metadata"], 30)
    admin.call("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")


def live():
    return deployment("web")["spec"]["template"]["metadata"]["annotations"]["slipway/revision"]


if not ROLLS_OUT:
    @check("what does not roll out in time is taken back")
    def _():
        dag("web", web("2s"))
        run_id = run("web")
        why = until(lambda: (lambda text: "Deployment web" in text and text)(slipway.cli("task", "why", run_id, "serve").stdout), 20, 0.05)
        for path in (space.of("apps/v1", "deployments/web"), space.core("services/web")):
            let_go(path)
        last = ended(run_id, "failed", 60)
        expect((last["class"], "no revision was live before" in last["reason"], deployment("web")), ("user", True, None))
        return why.strip()[:80]
else:
    @check("a service is rolled out" + (", asked, and live" if SERVES else " and live"))
    def _():
        dag("web", web())
        run_id = run("web")
        ended(run_id, "success")
        expect(live(), f"{run_id}/serve/1")
        shown = slipway.json("service", "get", "web")
        expect((shown["revision"], shown["url"], shown["revision_up"]), (f"{run_id}/serve/1", f"http://web.{space.name}.svc:8000", True))
        if SERVES and "answered POSITIVE" not in log(run_id, "serve"):
            raise AssertionError(log(run_id, "serve"))
        return log(run_id, "serve").splitlines()[-1]

    @check("an older run is live again by `service rollback`")
    def _():
        first = live()
        ended(run("web"), "success")
        expect(live() != first, True)
        slipway.cli("service", "rollback", "web", "--watch")
        expect(live().split("/")[0], first.split("/")[0])

    @check("a stop during the deploy puts back what was live")
    def _():
        if not SERVES:
            raise Skipped("the nodes are only objects, and every pod is ready at once: there is nothing to interrupt")
        before = live()
        dag("web", web().replace("health: /", "health: /never"))
        run_id = run("web")
        until(lambda: live() != before, 60)
        slipway.cli("run", "cancel", run_id)
        expect(over(run_id)["run"]["state"], "cancelled")
        expect(live(), before)

    @check("recreate deletes the old Deployment first")
    def _():
        old = deployment("web")["metadata"]["uid"]
        dag("web", web().replace("      port: 8000\n", "      port: 8000\n      strategy: recreate\n"))
        ended(run("web"), "success")
        expect(deployment("web")["metadata"]["uid"] != old, True)

if SERVES:
    @check("a revision whose answer is wrong is rolled back, and the old one goes on answering")
    def _():
        before = live()
        dag("web", web())
        last = ended(run("web", "-p", "word=NEGATIVE"), "failed")
        expect((last["class"], "does not hold `POSITIVE`" in last["reason"], live()), ("user", True, before))
        answer = admin.call("GET", space.core("services/http:web:8000/proxy/"), raw=True)
        expect("POSITIVE" in (answer if isinstance(answer, str) else answer.decode()), True)
        return last["reason"]

    @check("a server that crashes is told with its last words")
    def _():
        before = live()
        dag("web", web().replace("exec httpd", "echo no model >&2; exit 3; exec httpd"))
        run_id = run("web")
        last = ended(run_id, "failed", 240)
        expect(("exit code 3" in last["reason"], live()), (True, before))
        if "no model" not in log(run_id, "serve"):
            raise AssertionError(log(run_id, "serve"))
        return last["reason"]

    @check("an image that is not there is told while it is waited for, and ends with the rollout's time")
    def _():
        dag("web", web("8s").replace("    env:", "    image: localhost/absent:1\n    image_pull_policy: Never\n    env:"))
        last = ended(run("web"), "failed")
        expect("ErrImageNeverPull" in last["reason"], True)
        return last["reason"][:100]

    @check("a Job is applied and waited for")
    def _():
        job = """apiVersion: batch/v1
kind: Job
metadata: {name: count}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000}
      containers:
      - {name: main, image: IMAGE, command: [sh, -c, "exit 0"], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
""".replace("IMAGE", IMAGE)
        dag("job", "tasks:\n  count: {apply: a-job.yaml}\n", {"a-job.yaml": job})
        run_id = run("job")
        ended(run_id, "success")
        if "Job count: complete" not in log(run_id, "count"):
            raise AssertionError(log(run_id, "count"))

    @check("the daemon is killed during a deploy: the next one goes on, and nothing is rolled out twice")
    def _():
        dag("web", web().replace("exec httpd", "sleep 4; exec httpd"))
        run_id = run("web")
        until(lambda: "old to go" in log(run_id, "serve"), 60, 0.05)
        generation = deployment("web")["metadata"]["generation"]
        slipway.kill()
        slipway.start()
        ended(run_id, "success")
        expect((live(), deployment("web")["metadata"]["generation"], len(slipway.json("task", "attempts", run_id, "serve")["attempts"])),
               (f"{run_id}/serve/1", generation, 1))

if ROLLS_OUT:
    @check("`service stop` leaves neither Deployment nor Service")
    def _():
        slipway.cli("service", "stop", "web")
        until(lambda: deployment("web") is None, 60)
        expect([item["metadata"]["name"] for item in admin.call("GET", space.core("services"))["items"]], [])


slipway.__exit__()
space.delete()
finish()
