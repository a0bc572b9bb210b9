"""The daemon in the cluster, from manifests/base and the real image, and the command line outside of it. Level node."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile

from harness import Namespace, admin, until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BINARY = os.environ.get("SLIPWAY_BINARY", os.path.join(SOURCE, "build/bin/slipway"))
POD = "slipway-0"
USER = 10001


class Daemon:
    def __init__(self):
        self.space = Namespace("slipway")
        self.volumes, self.folders = [], []
        self.home = self.volume("slipway-home", "20Gi", "ReadWriteOncePod", {"namespace": "slipway", "name": "home-slipway-0"})

    def volume(self, name, size, mode, claim, folder=None):
        """No provisioner runs here: a claim finds a folder of this machine, which fsGroup does not reach into."""
        if folder is None:
            folder = tempfile.mkdtemp(prefix=name + "-")
            os.chown(folder, USER, USER)
            os.chmod(folder, 0o777)  # of a folder below it the kubelet makes the rights the same, the owner root
            self.folders.append(folder)
        admin.call("POST", "/api/v1/persistentvolumes", {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
            "capacity": {"storage": size}, "accessModes": [mode], "hostPath": {"path": folder}, "claimRef": claim, "persistentVolumeReclaimPolicy": "Retain"}})
        self.volumes.append(name)
        return folder

    def claim(self, name, folder=None):
        """A claim with its volume; the folder."""
        path = self.volume("slipway-" + name, "1Gi", "ReadWriteMany", {"namespace": self.space.name, "name": name}, folder)
        admin.call("POST", self.space.core("persistentvolumeclaims"), {"metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "slipway-" + name, "storageClassName": ""}})
        return path

    def kubectl(self, *words, stdin=None, timeout=120):
        done = subprocess.run(["kubectl", "-n", self.space.name, *words], input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def in_pod(self, *words):
        return self.kubectl("exec", POD, "--", *words)

    def ready(self):
        """The daemon's pod once it is ready."""
        seen = self.space.pod(POD)
        conditions = {item["type"]: item["status"] for item in seen["status"].get("conditions", [])}
        return "deletionTimestamp" not in seen["metadata"] and conditions.get("Ready") == "True" and seen

    def deploy(self, dags, env=None):
        """Returns once it is ready; `dags` are files, `env` settings beside those of the base."""
        self.kubectl("create", "configmap", "slipway-dags", *("--from-file=" + path for path in dags))
        self.kubectl("apply", "-k", os.path.join(SOURCE, "manifests/base"))
        if env:
            self.kubectl("set", "env", "statefulset/slipway", *(f"{name}={value}" for name, value in env.items()))
        try:
            self.kubectl("rollout", "status", "statefulset/slipway", "--timeout=240s", timeout=300)
            until(self.ready, 60)
        except (RuntimeError, TimeoutError) as error:
            raise AssertionError(f"{error}; its log: {self.kubectl('logs', POD)[-2000:]}") from error

    @contextlib.contextmanager
    def cli(self):
        """A function that runs the command line on this machine, through a forwarded port as the chart's notes say."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "SLIPWAY_SERVER": f"http://127.0.0.1:{port}",
               "SLIPWAY_TOKEN": self.in_pod("cat", "/var/lib/slipway/token").strip()}

        def run(*words, codes=(0,)):
            done = subprocess.run([BINARY, *words], env=env, capture_output=True, text=True, check=False, timeout=600)
            if done.returncode not in codes:
                raise RuntimeError(f"slipway {' '.join(words)}: exit {done.returncode}: {done.stderr}{done.stdout}")
            return json.loads(done.stdout) if words[-1] == "json" else done.stdout

        words = ["kubectl", "-n", self.space.name, "port-forward", "service/slipway", f"{port}:8480"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            try:
                yield run
            finally:
                process.terminate()

    def remove(self):
        self.space.delete()
        until(lambda: all(item["metadata"]["name"] != self.space.name for item in admin.call("GET", "/api/v1/namespaces")["items"]), 240)
        for name in self.volumes:
            admin.call("DELETE", "/api/v1/persistentvolumes/" + name)
        for folder in self.folders:
            shutil.rmtree(folder)
