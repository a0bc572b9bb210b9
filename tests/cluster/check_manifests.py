#!/usr/bin/env python3
"""Every object of manifests/ is judged by the real API server, strictly, as a dry run; pods of ours are `restricted`. Any level."""
import json
import os
import shutil
import subprocess

from harness import Namespace, Refused, Skipped, admin, check, expect, finish, refuses

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BINARY = os.environ.get("SLIPWAY_BINARY", os.path.join(SOURCE, "build/bin/slipway"))
STRICT = "?dryRun=All&fieldValidation=Strict"
CHART = os.path.join(SOURCE, "manifests/helm/slipway")
# Every way that values.yaml offers beside its defaults.
CHART_VALUES = [[], ["--set", "dags.claim=team-dags"], ["--set", "dags.bucket=team-dags"],
                ["--set", "networkPolicy.enabled=false", "--set", "persistence.storageClass=fast", "--set", "behindProxy={slipway.example.org}"]]


def run(*words, stdin=None):
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def objects(yaml):
    """kubectl reads the YAML, so no reader of our own stands between the file and the server."""
    text = run("kubectl", "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", stdin=yaml)
    decoder, items, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        item, at = decoder.raw_decode(text, at)
        items += item["items"] if item["kind"] == "List" else [item]
        at += len(text[at:]) - len(text[at:].lstrip())
    return items


def path_of(item):
    group, _, version = item["apiVersion"].rpartition("/")
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    known = {entry["kind"]: entry for entry in admin.call("GET", base)["resources"] if "/" not in entry["name"]}[item["kind"]]
    space = f"/namespaces/{item['metadata'].get('namespace', 'default')}" if known["namespaced"] else ""
    return f"{base}{space}/{known['name']}"


def judge(yaml):
    """The kinds that the server took; dies on the first that it does not."""
    kinds = []
    for item in objects(yaml):
        try:
            admin.call("POST", path_of(item) + STRICT, item)
        except Refused as error:
            # The namespace is there: namespaced objects need it, dry run or not.
            if item["kind"] != "Namespace" or error.code != 409:
                raise AssertionError(f"{item['kind']} {item['metadata']['name']}: {error}") from error
        kinds.append(item["kind"])
    return kinds


def pod_of(items, kind):
    template = next(item for item in items if item["kind"] == kind)["spec"]["template"]
    volumes = [{"name": "home", "emptyDir": {}}] if kind == "StatefulSet" else []
    spec = {**template["spec"], "volumes": template["spec"]["volumes"] + volumes, "serviceAccountName": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged"}, "spec": spec}


space = Namespace("slipway")
strict = Namespace("strict", {"pod-security.kubernetes.io/enforce": "restricted"})

for name in ("base", "overlays/kind", "overlays/gke"):
    @check(f"manifests/{name}")
    def _(folder=name):
        kinds = judge(run("kubectl", "kustomize", os.path.join(SOURCE, "manifests", folder)))
        for kind in ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget"):
            expect(kind in kinds, True)
        return f"{len(kinds)} objects"

    @check(f"manifests/{name}: the daemon's pod is restricted")
    def _(folder=name):
        body = pod_of(objects(run("kubectl", "kustomize", os.path.join(SOURCE, "manifests", folder))), "StatefulSet")
        admin.call("POST", strict.core("pods") + STRICT, body)
        body["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        refuses(403, lambda: admin.call("POST", strict.core("pods") + STRICT, body), "violates PodSecurity")


@check("a misspelt field would have been found")
def _():
    yaml = run("kubectl", "kustomize", os.path.join(SOURCE, "manifests/base")).replace("maxUnavailable:", "maxUnavailabel:")
    try:
        judge(yaml)
    except AssertionError as error:
        expect("maxUnavailabel" in str(error), True)
        return
    raise AssertionError("maxUnavailabel was taken")


def read_objects(name):
    with open(os.path.join(SOURCE, "manifests", name), encoding="utf-8") as file:
        text = file.read()
    judge(text)
    return objects(text)


@check("inference.yaml is the Deployment of the guide")
def _():
    deployment, = read_objects("inference.yaml")
    template = deployment["spec"]["template"]
    spec, server = template["spec"], template["spec"]["containers"][0]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    bucket = volumes["gcs-fuse-csi-ephemeral"]["csi"]
    expect((deployment["metadata"]["name"], deployment["spec"]["replicas"], server["image"]), ("inference-deployment", 1, "vllm/vllm-openai:latest"))
    expect(server["resources"], {"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2"}})
    expect(server["args"], ["--model=/modeldata/fine_tuned_model", "--tokenizer=/modeldata/fine_tuned_model", "--tensor-parallel-size=2"])
    expect({mount["mountPath"] for mount in server["volumeMounts"]}, {"/dev/shm", "/modeldata"})
    expect(volumes["dshm"]["emptyDir"], {"medium": "Memory"})
    expect((template["metadata"]["annotations"], spec["nodeSelector"]), ({"gke-gcsfuse/volumes": "true"}, {"cloud.google.com/gke-accelerator": "nvidia-l4"}))
    expect([item["key"] for item in spec["tolerations"]], ["nvidia.com/gpu", "on-demand"])
    caches = {name: value for name, value in bucket["volumeAttributes"].items() if name not in ("bucketName", "mountOptions")}
    expect(caches, {"fileCacheCapacity": "20Gi", "fileCacheForRangeRead": "true", "metadataStatCacheCapacity": "-1", "metadataTypeCacheCapacity": "-1",
                    "metadataCacheTTLSeconds": "-1"})


@check("inference-service.yaml is the Service of the guide")
def _():
    service, = read_objects("inference-service.yaml")
    deployment, = read_objects("inference.yaml")
    expect((service["metadata"]["name"], service["spec"]["type"], service["spec"]["ports"][0]["port"]), ("llm-service", "LoadBalancer", 8000))
    expect(service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"])


@check("the volume of DAGs on GKE is the guide's")
def _():
    items = {item["kind"]: item for item in objects(run("kubectl", "kustomize", os.path.join(SOURCE, "manifests/overlays/gke")))}
    volume, claim = items["PersistentVolume"]["spec"], items["PersistentVolumeClaim"]["spec"]
    expect((volume["csi"]["driver"], volume["mountOptions"], volume["capacity"]["storage"]), ("gcsfuse.csi.storage.gke.io", ["implicit-dirs"], "5Gi"))
    expect((claim["accessModes"], claim["resources"]["requests"]["storage"]), (["ReadWriteMany"], "5Gi"))
    expect(items["StatefulSet"]["spec"]["template"]["metadata"]["annotations"], {"gke-gcsfuse/volumes": "true"})


def preview(task):
    """The pod of a task, as the settings of overlays/gke would have it."""
    settings = {"SLIPWAY_EXECUTOR": "kubernetes", "SLIPWAY_KUBE_NAMESPACE": "slipway", "SLIPWAY_KUBE_SERVICE_ACCOUNTS": "slipway-task", "SLIPWAY_KUBE_ROOT": "true"}
    words = [BINARY, "dag", "render", os.path.join(SOURCE, "dags/mlops-dag.yaml"), "--task", task, "--manifest"]
    return json.loads(subprocess.run(words, env={**os.environ, **settings}, capture_output=True, text=True, check=True).stdout)


@check("the pods of dags/mlops-dag.yaml; the one that fine-tunes has the guide's GPU, time and names")
def _():
    admin.call("POST", space.core("serviceaccounts"), {"metadata": {"name": "slipway-task"}})
    for task in ("dataset_download_task", "data_pipeline_task", "fine_tuning_task"):
        admin.call("POST", space.core("pods") + STRICT, preview(task))
    spec = preview("fine_tuning_task")["spec"]
    main = next(item for item in spec["containers"] if item["name"] == "main")
    env = {item["name"]: item.get("value", item.get("valueFrom", {}).get("secretKeyRef")) for item in main["env"]}
    expect((main["resources"]["limits"]["nvidia.com/gpu"], spec["nodeSelector"]), ("1", {"cloud.google.com/gke-accelerator": "nvidia-l4"}))
    expect((env["MODEL_ID"], env["NEW_MODEL_NAME"], env["PREPARED_DATA_URL"]), ("google/gemma-2-9b-it", "fine_tuned_model", "prepared_data.jsonl"))
    expect((env["HF_TOKEN"], spec["serviceAccountName"]), ({"name": "slipway-secrets", "key": "HF_TOKEN"}, "slipway-task"))
    expect({mount["mountPath"] for mount in main["volumeMounts"]} >= {"/data"}, True)


def helm():
    found = shutil.which("helm")
    if not found:
        raise Skipped("helm is not there; CLUSTER_HELM=1 tests/cluster/build.sh builds it")
    return found


def rendered(*values):
    """What helm would send this very server."""
    return run(helm(), "template", "slipway", CHART, "--namespace", "slipway", "--kube-version", admin.call("GET", "/version")["gitVersion"], *values)


for values in CHART_VALUES:
    @check("helm template " + " ".join(values))
    def _(given=tuple(values)):
        kinds = judge(rendered(*given))
        expect("StatefulSet" in kinds and "Secret" not in kinds, True)
        return f"{len(kinds)} objects"


@check("the chart's schema refuses a misspelt value")
def _():
    reply = subprocess.run([helm(), "template", CHART, "--set", "resorces.cpu=1"], capture_output=True, text=True, check=False)
    expect((reply.returncode != 0, "resorces" in reply.stderr), (True, True))


@check("helm lint --strict")
def _():
    run(helm(), "lint", "--strict", CHART)


@check("the chart and manifests/base are the same objects")
def _():
    def plain(items):
        return {(item["kind"], item["metadata"]["name"]): item.get("spec") or item.get("rules") or item.get("data") for item in items}

    base = plain(objects(run("kubectl", "kustomize", os.path.join(SOURCE, "manifests/base"))))
    base.pop(("Namespace", "slipway"))  # helm install --create-namespace makes it
    expect(plain(objects(rendered())), base)


space.delete()
strict.delete()
finish()
