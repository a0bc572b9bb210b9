#!/usr/bin/env python3
"""dags/mlops-dag.yaml, whole, as pods: download, prepare, fine-tune, serve, ask. Level node. SLIPWAY_BINARY names the program.

What stands in: the demo's reviews and model by parameter, a folder of this machine for the bucket, one image of this machine's python, slipway and
busybox for the three, no GPU, and a Deployment of slipway's own server instead of vLLM's. The tasks, their order and the Service are those of the file."""
import glob
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from harness import RUN, Namespace, admin, check, expect, finish, results, until

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "../.."))
DAGS = os.path.join(SOURCE, "dags")
BINARY = os.path.abspath(os.environ["SLIPWAY_BINARY"])
IMAGE = "localhost/mlops:1"
TASKS = ["dataset_download_task", "data_pipeline_task", "fine_tuning_task", "model_serving"]
QUESTION = {"prompt": "Question: Review analysis for movie 'dangerous_men_2015'", "temperature": 0.1, "top_p": 1.0, "max_tokens": 128}
# Of the interpreter's own libraries, those that the download's imports need.
MODULES = ("zlib", "binascii", "_struct", "math", "_random", "_sha", "_md5", "_blake2", "select", "_socket", "_posixsubprocess", "_bisect", "_datetime", "array",
           "unicodedata", "fcntl", "_hashlib")
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: inference-deployment}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: gemma-server}}
  template:
    metadata: {labels: {app: gemma-server}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsUser: 1000}
      containers:
      - name: inference-server
        image: localhost/mlops:1
        command: [slipway, serve-model, --model, /data/fine_tuned_model, --host, 0.0.0.0, --port, "8000"]
        readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1, failureThreshold: 60}
        volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""
space = Namespace("mlops")
work = tempfile.mkdtemp(prefix="slipway-mlops-")


def end_to_end():
    spec = importlib.util.spec_from_file_location("end_to_end", os.path.join(HERE, "../e2e/harness.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def image():
    """python with its library, slipway, and busybox as the shell and its tools."""
    library = sysconfig.get_path("stdlib")
    root = os.path.join(work, "root")
    shutil.copytree(library, root + library, symlinks=True,
                    ignore=shutil.ignore_patterns("__pycache__", "test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "ensurepip", "config-*", "*.a"))
    words = [sys.executable, os.path.join(SOURCE, "manifests/image/mkimage.py"), os.path.join(work, "mlops.tar"), IMAGE, "--rootfs", root,
             "--program", f"{BINARY}:/usr/local/bin/slipway", "--program", f"{os.path.realpath(sys.executable)}:/usr/bin/python3", "--dir", "/tmp:1777",
             shutil.which("busybox") + ":/bin/busybox"]
    for name in MODULES:
        for path in glob.glob(os.path.join(library, "lib-dynload", name + "*.so")):
            words += ["--program", path]
    for name in ("sh", "rm", "cp", "mv", "mkdir", "cat"):
        words += ["--link", f"/bin/{name}=busybox"]
    subprocess.run(words, check=True)
    subprocess.run([os.path.join(HERE, "exec.sh"), "-a", "ctr", "-n", "k8s.io", "images", "import", os.path.join(work, "mlops.tar")], check=True,
                   capture_output=True)


def claim(name, folder):
    volume = "mlops-" + name
    admin.call("POST", "/api/v1/persistentvolumes", {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "hostPath": {"path": folder}, "claimRef": {"namespace": space.name, "name": name},
        "persistentVolumeReclaimPolicy": "Retain"}})
    admin.call("POST", space.core("persistentvolumeclaims"), {"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume, "storageClassName": ""}})


def changed(text, pattern, by, count=1):
    text, times = re.subn(pattern, by, text, flags=re.M)
    expect(times, count)
    return text


def stand_in():
    """The file with what this cluster has not got replaced."""
    with open(os.path.join(DAGS, "mlops-dag.yaml"), encoding="utf-8") as file:
        text = file.read()
    text = changed(text, r"^    image: .*(python|slipway:1|finetuning).*$", f"    image: {IMAGE}", 3)
    text = changed(text, r"^    resources: \{gpu:.*$", "    resources: {memory: 2Gi}")
    text = changed(text, r"^      csi:\n(        .*\n|          .*\n)+", "      persistentVolumeClaim: {claimName: data}\n    - {name: demo, persistentVolumeClaim: {claimName: demo}}\n"
                                                                  "    securityContext: {runAsUser: 1000}\n")
    return changed(text, r"volumeMounts: \[\{name: data, mountPath: /data\}\]",
                   "volumeMounts: [{name: data, mountPath: /data}, {name: demo, mountPath: /demo, readOnly: true}]")


slipway = end_to_end().Slipway(BINARY)
slipway.env.update(SLIPWAY_EXECUTOR="kubernetes", SLIPWAY_KUBECONFIG=RUN + "/pki/admin.kubeconfig", SLIPWAY_KUBE_NAMESPACE=space.name, SLIPWAY_KUBE_ROOT="true",
                   SLIPWAY_KUBE_SERVICE_ACCOUNTS="slipway-task")


def plan(text):
    slipway.write_dag("mlops-dag.yaml", text)
    until(lambda: slipway.cli("dag", "plan", os.path.join(slipway.dags, "mlops-dag.yaml"), check=False).returncode == 0, 20)


def why_not(seen):
    for task in seen["tasks"]:
        if task["state"] != "success":
            return f"{task['task']} {task['state']}: {slipway.cli('task', 'logs', '@latest', task['task'], check=False).stdout[-600:]} {task}"
    return ""


@check("an image, a bucket, a Secret, an account")
def _():
    image()
    data = os.path.join(work, "data")
    os.mkdir(data)
    os.chmod(work, 0o755)
    os.chmod(data, 0o777)
    claim("data", data)
    claim("demo", os.path.join(DAGS, "demo"))
    admin.call("POST", space.core("secrets"), {"metadata": {"name": "slipway-secrets"}, "stringData": dict.fromkeys(("KAGGLE_USERNAME", "KAGGLE_KEY", "HF_TOKEN"), "x")})
    admin.call("POST", space.core("serviceaccounts"), {"metadata": {"name": "slipway-task"}})
    slipway.write_dag("inference.yaml", DEPLOYMENT)
    shutil.copy(os.path.join(DAGS, "inference-service.yaml"), slipway.dags)
    slipway.start()
    plan(stand_in())


def live():
    found = admin.call("GET", space.of("apps/v1", "deployments/inference-deployment"))
    return found["spec"]["template"]["metadata"]["annotations"]["slipway/revision"]


if "FAIL" not in results:
    @check("four tasks, each a pod, and the model is served")
    def _():
        slipway.cli("run", "start", "mlops-dag", "--params-file", os.path.join(DAGS, "mlops-small.json"), "-p", "data=/data", "-p", "demo=/demo",
                    "-p", "source=/demo/reviews", "--wait", timeout=1500, check=False)
        seen = slipway.json("run", "get", "@latest")
        if {task["task"]: task["state"] for task in seen["tasks"]} != dict.fromkeys(TASKS, "success"):
            raise AssertionError(why_not(seen))
        return slipway.cli("task", "logs", "@latest", "model_serving").stdout.splitlines()[-1]

    @check("the Service answers POSITIVE")
    def _():
        reply = admin.call("POST", space.core("services/http:llm-service:8000/proxy/generate"), QUESTION)
        expect("Answer: POSITIVE" in json.dumps(reply), True)

    @check("a revision that answers otherwise is rolled back, and the one before goes on answering")
    def _():
        before = live()
        plan(stand_in().replace('expect: "Answer: POSITIVE"', 'expect: "Answer: UNDECIDED"'))
        slipway.cli("run", "clear", "@latest", "-t", "model_serving", "--version", "current")
        slipway.cli("run", "wait", "@latest", check=False, timeout=600)
        last = slipway.json("task", "attempts", "@latest", "model_serving")["attempts"][-1]
        expect((last["state"], last["class"], "Answer: UNDECIDED" in last["reason"]), ("failed", "user", True))
        expect(live(), before)
        reply = admin.call("POST", space.core("services/http:llm-service:8000/proxy/generate"), QUESTION)
        expect("Answer: POSITIVE" in json.dumps(reply), True)

    @check("`service stop` ends it")
    def _():
        slipway.cli("service", "stop", "llm-service")
        until(lambda: not admin.call("GET", space.of("apps/v1", "deployments"))["items"], 60)

slipway.__exit__()
space.delete()
for name in ("mlops-data", "mlops-demo"):
    if any(item["metadata"]["name"] == name for item in admin.call("GET", "/api/v1/persistentvolumes")["items"]):
        admin.call("DELETE", "/api/v1/persistentvolumes/" + name)
shutil.rmtree(work)
finish()
