"""What the checks of the ladder share: a plain client of the API server, pods, and a line for each check. Standard library only.
Run by exec.sh, which sets CLUSTER_RUN, CLUSTER_LEVEL and API_PORT."""
import http.client
import importlib.util
import json
import os
import ssl
import time
import traceback

RUN = os.environ["CLUSTER_RUN"]
LEVEL = os.environ["CLUSTER_LEVEL"]
IMAGE = "localhost/busybox:1"


class Refused(Exception):
    """An answer of 300 or more; the body is a Status object, as text."""

    def __init__(self, code, body):
        super().__init__(f"{code} {body[:300]}")
        self.code, self.body = code, body


class Client:
    """One connection. With a token it is that account, else the administrator."""

    def __init__(self, token=None):
        self.token = token
        self.context = ssl.create_default_context(cafile=RUN + "/pki/ca.crt")
        if token is None:
            self.context.load_cert_chain(RUN + "/pki/admin.crt", RUN + "/pki/admin.key")
        self.connection = None

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", int(os.environ["API_PORT"]), context=self.context, timeout=120)

    def call(self, method, path, body=None, kind="application/json", raw=False):
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        headers = {"Content-Type": kind, "Accept": "*/*" if raw else "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            self.connection.request(method, path, json.dumps(body) if isinstance(body, (dict, list)) else body, headers)
            reply = self.connection.getresponse()
            text = reply.read().decode()
        except (OSError, http.client.HTTPException):
            self.connection = None
            if fresh or method != "GET":
                raise
            return self.call(method, path, body, kind, raw)  # the server ends connections that were idle for a while
        if reply.status >= 300:
            raise Refused(reply.status, text)
        return text if raw else json.loads(text)

    def stream(self, path):
        """The events of a watch."""
        connection = self.connect()
        connection.request("GET", path, headers={"Authorization": "Bearer " + self.token} if self.token else {})
        for line in connection.getresponse():
            yield json.loads(line)


def end_to_end():
    """The module that runs a daemon of the real binary; it is called harness, too."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/harness.py")
    spec = importlib.util.spec_from_file_location("end_to_end", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Skipped(Exception):
    """A check that cannot be had here; it is told, and counts as neither passed nor failed."""


results = []


def check(name):
    """Runs the function at once. A failed check is a result: the others go on."""
    def run(function):
        begun = time.monotonic()
        try:
            verdict, note = "ok", function()
        except Skipped as reason:
            verdict, note = "SKIP", reason
        except Exception as error:  # pylint: disable=broad-except
            verdict, note = "FAIL", f"{type(error).__name__}: {error}"
            if os.environ.get("TRACE"):
                traceback.print_exc()
        results.append(verdict)
        print(f"  {verdict:4} {time.monotonic() - begun:6.2f} s  {name}" + (f": {note}" if note is not None else ""), flush=True)
        return function
    return run


def finish():
    """Exit status of the script: nothing checked is no success either."""
    raise SystemExit("FAIL" in results or "ok" not in results)


def expect(value, wanted):
    if value != wanted:
        raise AssertionError(f"got {value!r}, wanted {wanted!r}")


def refuses(code, function, text=""):
    try:
        function()
    except Refused as error:
        expect(error.code, code)
        if text not in error.body:
            raise AssertionError(f"{text!r} is not in {error.body}") from error
        return
    raise AssertionError(f"was not refused with {code}")


def until(good, seconds=60, step=0.05):
    """The first true value of good(); what the API refuses meanwhile counts as not yet."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            last = good()
            if last:
                return last
        except Refused as error:
            last = error
        time.sleep(step)
    raise TimeoutError(f"not within {seconds} s; last: {str(last)[:900]}")


admin = Client()


class Namespace:
    """Objects of one namespace."""

    def __init__(self, name, labels=None):
        self.name = name
        # One of that name may still be on its way out.
        until(lambda: admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}}))
        if LEVEL == "api":  # no controller makes it, and no pod is admitted without it
            admin.call("POST", self.core("serviceaccounts"), {"metadata": {"name": "default"}})
        until(lambda: admin.call("GET", self.core("serviceaccounts/default")))

    def core(self, path):
        return f"/api/v1/namespaces/{self.name}/{path}"

    def of(self, group, path):
        return f"/apis/{group}/namespaces/{self.name}/{path}"

    def token(self, account):
        reply = admin.call("POST", self.core(f"serviceaccounts/{account}/token"), {"spec": {"expirationSeconds": 600}})
        return reply["status"]["token"]

    def create(self, body, client=admin):
        return client.call("POST", self.core("pods"), body)

    def pod(self, name):
        return admin.call("GET", self.core("pods/" + name))

    def log(self, name, query=""):
        return admin.call("GET", self.core(f"pods/{name}/log{query}"), raw=True)

    def wait(self, name, good, seconds=60):
        return until(lambda: (lambda seen: good(seen) and seen)(self.pod(name)), seconds)

    def wait_for_line(self, name, line):
        self.wait(name, started)
        until(lambda: line in self.log(name))

    def watch(self, name):
        """The events of one pod from now on."""
        version = self.pod(name)["metadata"]["resourceVersion"]
        return Client().stream(self.core(f"pods?watch=true&fieldSelector=metadata.name%3D{name}&resourceVersion={version}&timeoutSeconds=30"))

    def delete(self):
        admin.call("DELETE", "/api/v1/namespaces/" + self.name)
        if LEVEL == "api":  # what a controller does elsewhere
            rbac = "rbac.authorization.k8s.io/v1"
            for path in self.core("pods"), self.core("serviceaccounts"), self.of(rbac, "roles"), self.of(rbac, "rolebindings"):
                admin.call("DELETE", path, {"gracePeriodSeconds": 0})
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}, "spec": {"finalizers": []}}
            admin.call("PUT", f"/api/v1/namespaces/{self.name}/finalize", space)


def pod(name, script=None, spec=None, container=None, labels=None):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"restartPolicy": "Never", "enableServiceLinks": False, "automountServiceAccountToken": False, "containers": [
                {"name": "main", "image": IMAGE, "command": ["sh", "-c", script or "exit 0"], **(container or {})}], **(spec or {})}}


# Of a pod that shall never run: no node has this label.
NOWHERE = {"nodeSelector": {"no": "where"}}
# A shell that notices TERM.
LOOP = "while :; do sleep 0.1; done"


def ended(seen):
    return seen["status"].get("phase") in ("Succeeded", "Failed")


def started(seen):
    return seen["status"].get("phase") == "Running"


def main_state(seen):
    return seen["status"]["containerStatuses"][0]["state"]
