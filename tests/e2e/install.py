#!/usr/bin/env python3
"""What `cmake --install` puts down works without the tree it came from.

  install.py --cmake cmake --build build"""
import argparse
import os
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-install-") as prefix:
        subprocess.run([options.cmake, "--install", options.build, "--prefix", prefix], check=True, capture_output=True)
        env = {"PATH": os.path.join(prefix, "bin") + ":/usr/bin:/bin", "HOME": prefix, "LANG": "C.UTF-8"}
        subprocess.run(["slipway", "init", "-q"], check=True, cwd=prefix, env=env, capture_output=True)
        done = subprocess.run(["slipway", "dag", "test", "-q", "dags/hello.yaml"], check=True, cwd=prefix, env=env, capture_output=True, text=True)
        assert "summary success" in done.stdout, done.stdout
        with open(os.path.join(prefix, "share/man/man1/slipway.1"), encoding="utf-8") as page:
            text = page.read()
        assert text.startswith(".TH SLIPWAY 1") and "run backfill" in text, text[:200]
        files = sorted(os.path.relpath(os.path.join(folder, name), prefix) for folder, _, names in os.walk(prefix) for name in names)
        left = [file for file in files if not file.startswith((".local/", "dags/"))]
        assert left == ["bin/slipway", "share/man/man1/slipway.1"], left
    print("installed, it runs a DAG and has its manual page")
    return 0


sys.exit(main())
