#!/usr/bin/env python3
"""What may lie at the top of the tree."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = {"CMakeLists.txt", "CMakePresets.json", "README.md", "bench", "dags", "dev", "docs", "include", "manifests", "src", "tests"}


def main():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {path.split("/")[0] for path in listed.splitlines() if os.path.lexists(os.path.join(ROOT, path))}
    stray = sorted(name for name in names - TOP if not name.startswith("."))
    for name in stray:
        print(f"{name}: nothing of that name belongs at the top of the tree; remove it, or put it where its kind is")
    sys.exit(1 if stray else 0)


main()
