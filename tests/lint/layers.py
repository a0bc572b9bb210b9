#!/usr/bin/env python3
"""Folders are layers: checks that every include follows a permitted edge. The table is docs/architecture.md's."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# layer: what it may include beside itself and base. cli may include everything; nothing may include cli.
EDGES = {
    "base": [],
    "text": [],
    "dag": ["text"],
    "run": ["dag"],
    "sched": ["run", "dag"],
    "http": [],
    "objects": ["http"],
    "kube": ["text", "run", "http"],
    "vault": [],
    "notify": ["run", "http"],
    "exec": ["run", "dag"],
    "pods": ["kube", "exec:interface", "run", "dag"],
    "store": ["run", "dag"],
    "engine": ["sched", "run", "dag", "exec:interface", "store:interface"],
    "dagdir": ["dag"],
    "api": ["engine", "store", "exec:interface", "sched", "run", "dag", "http", "vault"],
    "steps": ["text"],
    "ml/core": [],
    "ml/ops": ["ml/core"],
    "ml/io": ["ml/core"],
    "ml/models": ["ml/ops", "ml/io", "ml/core"],
    "ml/train": ["ml/models", "ml/ops", "ml/io", "ml/core"],
    "ml/infer": ["ml/models", "ml/ops", "ml/io", "ml/core"],
    "mlsteps": ["ml/train", "ml/infer", "ml/models", "ml/ops", "ml/io", "ml/core", "http", "objects"],
    "serve": ["ml/infer", "ml/models", "ml/ops", "ml/io", "ml/core", "http"],
}
# Headers of an executor or a store that name the interface only; engine and api know no adapter.
INTERFACES = {"slipway/exec/executor.h", "slipway/exec/attempt_folder.h", "slipway/exec/services.h", "slipway/store/store.h"}
ML = ("ml/core", "ml/ops", "ml/io", "ml/models", "ml/train", "ml/infer")
# Third-party libraries that one place owns.
OWNERS = {
    "yaml-cpp/": {"text"}, "curl/": {"http"}, "boost/": {"http"}, "sqlite3.h": {"store"}, "spdlog/": {"base"}, "sodium": {"vault"},
    "CLI/": {"cli"}, "cctz/": {"dag"}, "utf8proc": {"ml/io"}, "nlohmann/": {"base", "ml/io"}, "dnnl": {"ml/core", "ml/ops"},
}


def layer_of(path):
    """The layer of a file below src/ or include/slipway/, or of an include."""
    parts = path.split("/")
    if parts[0] == "ml" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def public_ml_layer(header):
    """include/slipway/ml is one folder for the whole tower: the header's implementation tells the layer."""
    stem = os.path.basename(header)[:-2]
    for layer in ML:
        if os.path.exists(os.path.join(ROOT, "src", layer, stem + ".cc")):
            return layer
    return None  # values only: any layer of the tower may include it


def check(path, own, lines):
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^">]+)[">]', line)
        if not match:
            continue
        quote, name = match.groups()
        for prefix, owners in OWNERS.items():
            if name.startswith(prefix) and own not in owners:
                yield f"{path}:{number}: includes <{name}>, which only {', '.join(sorted(owners))} may use"
        if path.startswith("include/") and quote == "<" and ("/" in name or name.endswith(".h")) and not name.startswith("sys/"):
            yield f"{path}:{number}: a contract header includes <{name}>; contracts have no third-party header"
        if quote == "<":
            continue
        relative = name[len("slipway/"):] if name.startswith("slipway/") else name
        if "/" not in relative:
            yield f'{path}:{number}: include "{name}" does not name its layer'
            continue
        other = layer_of(relative)
        if other == "ml":
            other = public_ml_layer(relative)
            if own.startswith("ml/") or own in ("mlsteps", "serve", "cli"):
                if other is None:
                    continue
        if other in (own, "base") or own == "cli" or own == "ml":
            continue
        permitted = EDGES.get(own)
        if permitted is None:
            yield f"{path}:{number}: layer {own} has no row in tests/lint/layers.py"
            return
        if other in permitted or (f"{other}:interface" in permitted and name in INTERFACES):
            continue
        yield f'{path}:{number}: {own} may not include {other} ("{name}")'


def main():
    problems = []
    for base in ("src", "include/slipway"):
        for folder, _, files in os.walk(os.path.join(ROOT, base)):
            for name in sorted(files):
                if not name.endswith((".cc", ".h", ".c")):
                    continue
                full = os.path.join(folder, name)
                relative = os.path.relpath(full, os.path.join(ROOT, base))
                if "/" not in relative:
                    continue  # main.cc, the composition root
                own = layer_of(relative)
                with open(full, encoding="utf-8") as file:
                    problems += check(os.path.relpath(full, ROOT), own, file.readlines())
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
