#!/usr/bin/env python3
"""Pods on a real API server while everything around them fails: none is lost, none is doubled. Level api; a thread plays the kubelet.
SLIPWAY_BINARY names the program, STORM the rounds as ROUNDSxPODS by commas (default 1x30), STORM_SEED what happens in them."""
import base64
import http.client
import json
import os
import queue
import random
import socket
import statistics
import subprocess
import threading
import time

import harness
from harness import RUN, Client, Namespace, Refused, check, end_to_end, expect, finish, until

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = [tuple(map(int, part.split("x"))) for part in os.environ.get("STORM", "1x30").split(",")]
SEED = int(os.environ.get("STORM_SEED") or time.time())
WORKERS = 8
LIVES = 0.5  # seconds, at most
rng = random.Random(SEED)
space = Namespace(f"storm-{os.getpid()}")


class Gate:
    """Between the daemon and the API server: passes bytes on until everything is cut at once."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.open |= {client, server}
            for source, sink in (client, server), (server, client):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        self.end(source)
        self.end(sink)

    def end(self, one):
        self.open.discard(one)
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut(self):
        for one in list(self.open):
            self.end(one)


class Kubelet:
    """Starts every pod it sees once, and ends it a little later with an output of its own."""

    def __init__(self):
        self.lock = threading.Lock()
        self.started = {}  # attempt -> uids of the pods that were started for it
        self.seen_at, self.ended_at = {}, {}  # by attempt
        self.work = queue.Queue()
        self.known = set()
        for target in [self.watch] + [self.serve] * WORKERS:
            threading.Thread(target=target, daemon=True).start()

    def watch(self):
        while True:
            try:
                listed = Client().call("GET", space.core("pods"))
                for pod in listed["items"]:
                    self.take(pod)
                version = listed["metadata"]["resourceVersion"]
                for event in Client().stream(space.core(f"pods?watch=true&resourceVersion={version}&timeoutSeconds=60")):
                    if event["type"] == "ADDED":
                        self.take(event["object"])
                    elif event["type"] == "ERROR":
                        break
            except (OSError, http.client.HTTPException, ValueError, Refused):
                time.sleep(0.1)

    def take(self, pod):
        uid, now = pod["metadata"]["uid"], time.monotonic()
        attempt = pod["metadata"]["annotations"]["slipway/attempt"]
        if uid in self.known:
            return
        self.known.add(uid)
        with self.lock:
            self.seen_at.setdefault(attempt, now)
        self.work.put((attempt, uid, pod["metadata"]["name"]))

    def serve(self):
        client = Client()
        while True:
            attempt, uid, name = self.work.get()
            if not self.patch(client, uid, name, {"phase": "Running", "containerStatuses": [self.container({"running": {"startedAt": stamp()}})]}):
                continue  # ended before it began
            with self.lock:
                self.started.setdefault(attempt, []).append(uid)
            time.sleep(rng.random() * LIVES)
            message = json.dumps({"uid": uid})
            ended = {"terminated": {"exitCode": 0, "reason": "Completed", "message": message, "startedAt": stamp(), "finishedAt": stamp()}}
            self.patch(client, uid, name, {"phase": "Succeeded", "containerStatuses": [self.container(ended)]})
            with self.lock:
                self.ended_at[attempt] = time.monotonic()

    @staticmethod
    def container(state):
        return {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}

    @staticmethod
    def patch(client, uid, name, status):
        """False if the pod is not there any more."""
        body = {"metadata": {"uid": uid}, "status": status}
        while True:
            try:
                client.call("PATCH", space.core(f"pods/{name}/status"), body, "application/strategic-merge-patch+json")
                return True
            except Refused as error:
                if error.code in (404, 409, 422):
                    return False
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def ctl(verb, daemon):
    subprocess.run([os.path.join(HERE, "ctl.sh"), verb, daemon], check=True)


def api_answers():
    try:
        Client().call("GET", "/readyz", raw=True)
        return True
    except (OSError, http.client.HTTPException, Refused):
        return False


def etcd(path, body):
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["STORE_PORT"]), timeout=30)
    connection.request("POST", path, json.dumps(body))
    return json.loads(connection.getresponse().read())


class Token:
    """The daemon's account. Bound to a Secret: with it the token ends."""

    def __init__(self):
        self.path = os.path.join(slipway.work, "token")
        self.number = 0
        self.renew()

    def renew(self):
        old = f"bond-{self.number}"
        self.number += 1
        name = f"bond-{self.number}"
        made = Client().call("POST", space.core("secrets"), {"metadata": {"name": name}})
        bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": made["metadata"]["uid"]}
        reply = Client().call("POST", space.core("serviceaccounts/daemon/token"), {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}})
        if self.number > 1:
            Client().call("DELETE", space.core("secrets/" + old))
            time.sleep(1)  # for a moment the daemon has a token that is over
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(reply["status"]["token"])
        os.rename(self.path + ".new", self.path)


def kill_daemon():
    slipway.kill()
    slipway.start()


def kill_server():
    ctl("kill", "kube-apiserver")
    ctl("start", "kube-apiserver")
    until(api_answers, 60)


def stop_server():
    ctl("stop", "kube-apiserver")
    ctl("start", "kube-apiserver")
    until(api_answers, 60)


def pause_server():
    ctl("pause", "kube-apiserver")
    time.sleep(1 + 2 * rng.random())
    ctl("resume", "kube-apiserver")


def compact():
    revision = etcd("/v3/kv/range", {"key": base64.b64encode(b"x").decode()})["header"]["revision"]
    etcd("/v3/kv/compaction", {"revision": revision})
    gate.cut()  # what resumes now is told 410


TROUBLES = {"daemon killed": kill_daemon, "API server killed": kill_server, "API server stopped": stop_server, "API server hung": pause_server,
            "connections cut": lambda: gate.cut(), "history compacted": compact, "token ended": lambda: token.renew()}


def state(run_id):
    done = slipway.cli("run", "get", run_id, "-o", "json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def over(run_id):
    seen = state(run_id)
    return seen if seen and seen["run"]["state"] in ("success", "failed", "cancelled") else None


def fan(name, pods):
    tasks = "".join(f"  t{i}: {{run: 'true'}}\n" for i in range(pods))
    slipway.write_dag(name + ".yaml", f"dag: {name}\nmax_active_tasks: {pods}\ntasks:\n{tasks}")
    until(lambda: slipway.cli("dag", "show", name, check=False).returncode == 0, 30)


def judge(seen):
    """What must hold of a run that is over."""
    wrong = [one["task"] for one in seen["tasks"] if one["state"] != "success"]
    expect(("lost", wrong[:5]), ("lost", []))
    for one in seen["tasks"]:
        # A launch may fail (a server that has just started knows no roles yet) and be tried again; but its pod ran once.
        tried = [f"{seen['run']['id']}/{one['task']}/{number + 1}" for number in range(one["attempt"])]
        ran = [uid for attempt in tried for uid in kubelet.started.get(attempt, [])]
        expect((tried[-1], len(ran)), (tried[-1], 1))
        expect(one["outputs"], {"uid": ran[0]})


def storm(pods, counts):
    name = f"fan{pods}"
    run_id = slipway.cli("run", "start", name, "-o", "name").stdout.strip()
    end = time.monotonic() + 600
    while not (seen := over(run_id)):
        if time.monotonic() > end:
            raise TimeoutError(f"{run_id} is not over after 600 s: " + slipway.cli("run", "get", run_id, check=False).stdout[-600:])
        time.sleep(0.2 + rng.random())
        if rng.random() < 0.6:
            trouble = rng.choice(list(TROUBLES))
            counts[trouble] = counts.get(trouble, 0) + 1
            TROUBLES[trouble]()
    judge(seen)


def writes():
    """POST and DELETE of pods so far: the daemon's; the kubelet patches."""
    total = 0
    for line in Client().call("GET", "/metrics", raw=True).splitlines():
        if line.startswith("apiserver_request_total{") and 'resource="pods"' in line and ('verb="POST"' in line or 'verb="DELETE"' in line):
            total += float(line.rsplit(" ", 1)[1])
    return total


def memory():
    with open(f"/proc/{slipway.daemon.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) // 1024


slipway = end_to_end().Slipway(os.environ["SLIPWAY_BINARY"])
gate = Gate(int(os.environ["API_PORT"]))
kubelet = Kubelet()
Client().call("POST", space.core("serviceaccounts"), {"metadata": {"name": "daemon"}})
RBAC = "rbac.authorization.k8s.io"
Client().call("POST", space.of(RBAC + "/v1", "roles"), {"metadata": {"name": "daemon"}, "rules": [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}, {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}]})
Client().call("POST", space.of(RBAC + "/v1", "rolebindings"), {
    "metadata": {"name": "daemon"}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "daemon"},
    "subjects": [{"kind": "ServiceAccount", "name": "daemon", "namespace": space.name}]})
token = Token()
with open(os.path.join(slipway.work, "kubeconfig"), "w", encoding="utf-8") as config:
    json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
               "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{gate.port}", "certificate-authority": RUN + "/pki/ca.crt"}}],
               "users": [{"name": "u", "user": {"tokenFile": token.path}}]}, config)
slipway.env.update(SLIPWAY_EXECUTOR="kubernetes", SLIPWAY_KUBECONFIG=config.name, SLIPWAY_KUBE_NAMESPACE=space.name, SLIPWAY_KUBE_IMAGE="localhost/x:1")
slipway.start()
print(f"  seed {SEED}", flush=True)


@check("a chain in calm: from the end of a task to the next pod")
def _():
    tasks = "".join(f"  t{i}: {{{f'needs: t{i - 1}, ' if i else ''}run: 'true'}}\n" for i in range(20))
    slipway.write_dag("chain.yaml", f"dag: chain\ntasks:\n{tasks}")
    until(lambda: slipway.cli("dag", "show", "chain", check=False).returncode == 0, 30)
    run_id = slipway.cli("run", "start", "chain", "-o", "name").stdout.strip()
    judge(until(lambda: over(run_id), 120, 0.2))
    gaps = [kubelet.seen_at[f"{run_id}/t{i}/1"] - kubelet.ended_at[f"{run_id}/t{i - 1}/1"] for i in range(1, 20)]
    return f"p50 {statistics.median(gaps) * 1000:.0f} ms, most {max(gaps) * 1000:.0f} ms"


@check("a fan in calm: creations, writes, memory")
def _():
    pods = max(count for _, count in ROUNDS)
    fan("calm", pods)
    before = writes()
    run_id = slipway.cli("run", "start", "calm", "-o", "name").stdout.strip()
    judge(until(lambda: over(run_id), 600, 0.5))
    times = sorted(at for attempt, at in kubelet.seen_at.items() if attempt.startswith(run_id))
    rate = (len(times) - 1) / (times[-1] - times[0])
    until(lambda: not Client().call("GET", space.core("pods"))["items"], 120)
    return f"{pods} pods, {rate:.0f} created a second, {(writes() - before) / pods:.2f} writes a pod, {memory()} MB"


for rounds, count in ROUNDS:
    @check(f"{rounds} rounds of {count} pods in the storm: none lost, none doubled")
    def _(rounds=rounds, count=count):
        fan(f"fan{count}", count)
        troubles = {}
        for _ in range(rounds):
            storm(count, troubles)
        return ", ".join(f"{name} {times}x" for name, times in sorted(troubles.items()))


@check("no pod is left")
def _():
    until(lambda: not Client().call("GET", space.core("pods"))["items"], 180)


slipway.__exit__()
harness.admin = Client()
space.delete()
finish()
