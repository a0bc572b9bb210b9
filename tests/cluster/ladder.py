#!/usr/bin/env python3
"""Climbs the ladder of clusters, rung by rung. A rung that cannot be had says so, loudly, and is never counted as passed.

  ladder.py [--if-built] [--slipway BINARY] [--image ARCHIVE] [L1] [L2] [L3]

  L1  etcd and kube-apiserver           names, rights, strict validation, manifests, pods in a storm of failures
  L2  + controllers, scheduler, kwok    rollouts, garbage collection, a thousand pods that are only objects
  L3  + containerd and kubelet          real containers

Exit status: 0 if no rung failed, 1 if one did, 77 if none could be had. --if-built builds nothing."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77

RUNGS = {
    "L1": {"level": "api", "checks": ["check_api.py", "check_rights.py", "check_manifests.py"], "binary_checks": ["check_rollouts.py", "check_storm.py"],
           # So long a server that is to end waits for its watches.
           "env": {"APISERVER_FLAGS": "--request-timeout=10s"}, "helm": True},
    "L2": {"level": "control", "checks": ["check_api.py", "check_control.py"], "binary_checks": ["check_rollouts.py"], "kwok": True},
    "L3": {"level": "node", "checks": ["check_api.py", "check_node.py", "check_pod_tasks.py", "check_rollouts.py", "check_mlops.py"],
           "image_checks": ["check_daemon.py", "check_pods.py"]},
}
# Debian package of each program.
PROGRAMS = {"openssl": "openssl", "curl": "curl", "gcc": "gcc"}
NODE_PROGRAMS = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables", "conntrack": "conntrack",
                 "ip": "iproute2", "nsenter": "util-linux", "busybox": "busybox-static"}


def script(name, **env):
    return subprocess.run([os.path.join(HERE, name)], env={**os.environ, **env}, check=False).returncode


def missing(programs):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return sorted({package for program, package in programs.items() if shutil.which(program, path=path) is None})


def lacking(rung):
    """Why this rung cannot be had here, or None."""
    wanted = dict(PROGRAMS)
    if rung["level"] == "node":
        if os.geteuid() != 0:
            return "needs root: a kubelet mounts and makes namespaces"
        with open("/proc/filesystems", encoding="ascii") as file:
            if "overlay" not in file.read():
                return "needs overlayfs, which this kernel does not have"
        if not os.path.isdir("/sys/fs/cgroup/memory"):
            return "needs cgroup v1: nobody has tried the node on this machine's cgroup v2"
        if not os.path.exists("/usr/lib/cni/bridge"):
            return "needs the Debian package containernetworking-plugins"
        wanted.update(NODE_PROGRAMS)
    packages = missing(wanted)
    return "needs the Debian packages " + " ".join(packages) if packages else None


def folder():
    """Where build.sh leaves things; the same rule as in lib.sh."""
    with open(os.path.join(HERE, "tools/go.mod"), encoding="utf-8") as file:
        version = re.search(r"^\tk8s.io/kubernetes (v[0-9.]+)$", file.read(), re.M).group(1)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    home = os.environ.get("CLUSTER_HOME") or os.path.join(cache, "slipway/cluster")
    return os.environ.get("CLUSTER_BUILD") or os.path.join(home, version)


def built(rung):
    names = ["clustertools"] + (["kwok"] if rung.get("kwok") else [])
    return all(os.path.exists(os.path.join(folder(), "bin", name)) for name in names)


def climb(name, rung, options):
    """Verdict and reason."""
    reason = lacking(rung)
    if reason:
        return "SKIPPED", reason
    if options.if_built and not built(rung):
        return "SKIPPED", "its tools are not built: ./dev test-cluster builds them"
    env = {"CLUSTER_LEVEL": rung["level"], "CLUSTER_NAME": f"{name}-{os.getpid()}", "CLUSTER_KWOK": "1" if rung.get("kwok") else "0",
           "CLUSTER_HELM": "1" if rung.get("helm") else "0", **rung.get("env", {})}
    if not options.if_built and script("build.sh", **env) != 0:
        return "SKIPPED", "its tools cannot be built here"
    if options.slipway:
        env["SLIPWAY_BINARY"] = os.path.abspath(options.slipway)
    checks = list(rung["checks"]) + (rung.get("binary_checks", []) if options.slipway else [])
    if rung.get("image_checks") and options.image and os.path.exists(options.image):
        env["CLUSTER_IMAGES"] = os.path.abspath(options.image)
        checks += rung["image_checks"]
    elif rung.get("image_checks"):
        print(f" SKIPPED {', '.join(rung['image_checks'])}: there is no image; ./dev image makes it", flush=True)
    try:
        if script("up.sh", **env) != 0:
            return "FAILED", "the cluster does not come up"
        if rung.get("kwok") and subprocess.run([os.path.join(HERE, "ctl.sh"), "start", "kwok"], env={**os.environ, **env}, check=False).returncode != 0:
            return "FAILED", "kwok does not start"
        failed = [check for check in checks if run_check(check, env) != 0]
    finally:
        script("down.sh", **env)
    return ("FAILED", "in " + ", ".join(failed)) if failed else ("ok", "")


def run_check(check, env):
    print(f" {check}", flush=True)
    words = [os.path.join(HERE, "exec.sh"), sys.executable, os.path.join(HERE, check)]
    return subprocess.run(words, env={**os.environ, **env}, check=False).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rungs", nargs="*", metavar="RUNG", help="L1, L2, L3; default all")
    parser.add_argument("--if-built", action="store_true")
    parser.add_argument("--slipway", help="the binary that runs in the cluster")
    parser.add_argument("--image", help="its image, as an archive")
    options = parser.parse_args()
    unknown = set(options.rungs) - set(RUNGS)
    if unknown:
        parser.error(f"no rung {', '.join(sorted(unknown))}; there are {', '.join(RUNGS)}")
    verdicts = []
    for name, rung in RUNGS.items():
        if options.rungs and name not in options.rungs:
            continue
        print(f"== {name}, level {rung['level']}", flush=True)
        begun = time.monotonic()
        verdict, reason = climb(name, rung, options)
        verdicts.append((verdict, f"{verdict:8} {time.monotonic() - begun:5.0f} s  {name}" + (f": {reason}" if reason else "")))
    print("\n".join(line for _, line in verdicts))
    words = {verdict for verdict, _ in verdicts}
    sys.exit(1 if "FAILED" in words else 0 if "ok" in words else SKIPPED)


main()
