#!/usr/bin/env python3
"""Zone data are replaced under a running daemon: the next tick is the new zone's, without a restart.

  zone_data.py --slipway build/bin/slipway

Exit code 77 where mounting is not allowed."""
import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ZONES = "/usr/share/zoneinfo"
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
DAG = "dag: d\nschedule: {cron: '0 12 * * *', timezone: Europe/Paris}\ntasks: {a: {noop: true}}\n"


def own_mounts():
    """The reason why there can be none, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return os.strerror(ctypes.get_errno())
    return None


def bind(source, target):
    if ctypes.CDLL(None, use_errno=True).mount(source.encode(), target.encode(), None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    options = parser.parse_args()
    program = os.path.abspath(options.slipway)
    refused = own_mounts()
    if refused:
        print(f"SKIPPED: no mounts of our own: {refused}")
        return 77
    with tempfile.TemporaryDirectory(prefix="slipway-zones-") as work:
        env = {"PATH": os.environ["PATH"], "HOME": work, "SLIPWAY_HOME": work + "/home", "LANG": "C.UTF-8"}

        def slipway(*words):
            return subprocess.run([os.path.abspath(options.slipway), *words], cwd=work, env=env, capture_output=True, text=True, check=True).stdout

        def next_hour():
            schedules = json.loads(slipway("schedule", "list", "-o", "json"))["schedules"]
            return int(schedules[0]["next"][0][11:13]) if schedules else None

        def until(holds, seconds):
            deadline = time.monotonic() + seconds
            while not holds() and time.monotonic() < deadline:
                time.sleep(0.2)
            return holds()

        def log():
            with open(work + "/home/daemon.log", encoding="utf-8") as file:
                return file.read()

        os.mkdir(work + "/dags")
        with open(work + "/dags/d.yaml", "w", encoding="utf-8") as file:
            file.write(DAG)
        slipway("up", "-d", "--dags", "dags", "--listen", "127.0.0.1:0")
        try:
            assert until(lambda: next_hour() in (10, 11), 10), next_hour()
            # Paris moves to the time of Tokyo: noon there is three o'clock in UTC.
            shutil.copytree(ZONES, work + "/zones", symlinks=True)
            shutil.copyfile(ZONES + "/Asia/Tokyo", work + "/zones/Europe/Paris.new")
            os.replace(work + "/zones/Europe/Paris.new", work + "/zones/Europe/Paris")
            bind(work + "/zones", ZONES)
            assert until(lambda: next_hour() == 3, 5), next_hour()
            assert until(lambda: "read again for new zone data" in log(), 60), log()
            print("new zone data were taken up")
        finally:
            slipway("down", "-q")
    return 0


sys.exit(main())
