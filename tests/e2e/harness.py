"""A home, a DAG folder and a daemon of the real binary, for end-to-end tests. Standard library only."""
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile


class Slipway:
    def __init__(self, binary, slots=8):
        self.binary = os.path.abspath(binary)
        self.work = tempfile.mkdtemp(prefix="slipway-e2e-")
        self.home = os.path.join(self.work, "home")
        self.dags = os.path.join(self.work, "dags")
        self.slots = slots
        self.daemon = None
        os.mkdir(self.dags)
        self.env = {"PATH": os.path.dirname(self.binary) + ":" + os.environ["PATH"], "HOME": self.work, "SLIPWAY_HOME": self.home, "TZ": "UTC",
                    "LANG": "C.UTF-8", "SLIPWAY_CASE_HOME": self.home}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What serves outlives its daemon, and carries no mark.
        if os.path.isdir(os.path.join(self.home, "services")):
            self.cli("service", "stop", "--all", check=False)
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if self.daemon:
            self.daemon.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def write_dag(self, name, text):
        """Complete at once, so that the watcher never reads half a file."""
        path = os.path.join(self.dags, name)
        with open(path + ".tmp", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".tmp", path)

    def start(self, wait=True, failpoint=None):
        """Starts the daemon in the foreground of a process of ours, so that it can be killed by number. `failpoint`: see failpoints.cc."""
        env = {**self.env, "SLIPWAY_FAILPOINT": failpoint} if failpoint else self.env
        log = open(os.path.join(self.work, "daemon.log"), "ab")
        self.daemon = subprocess.Popen([self.binary, "up", "--dags", self.dags, "--listen", "127.0.0.1:0", "--slots", str(self.slots)], env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE)
        log.close()
        if wait:
            self.wait_until_up()

    def wait_until_up(self, seconds=60):
        """The daemon says so on standard error once it answers."""
        seen = b""
        while b"slipway is up at" not in seen:
            ready, _, _ = select.select([self.daemon.stderr], [], [], seconds)
            chunk = os.read(self.daemon.stderr.fileno(), 65536) if ready else b""
            seen += chunk
            if not chunk:
                raise RuntimeError(f"the daemon did not come up: {seen.decode()}")

    def wait_dead_or(self, seconds):
        """True if the daemon ended by itself within so many seconds; reads its log away meanwhile."""
        try:
            self.daemon.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stderr.close()

    def cli(self, *words, check=True, timeout=120):
        done = subprocess.run([self.binary, *words], env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise RuntimeError(f"slipway {' '.join(words)}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def json(self, *words):
        return json.loads(self.cli(*words, "-o", "json").stdout)

    def processes(self):
        """Every process that carries this home's mark: daemon, shimd, shims, tasks."""
        mark = f"SLIPWAY_CASE_HOME={self.home}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not re.fullmatch(r"\d+", name):
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue
        return found


def command_of(pid):
    """Words of a process, each ended by a zero byte; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def use_free_port(path):
    """The demo's own port may be in use on this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed = re.sub(r"port: \d+", f"port: {port}", text)
    assert changed != text
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)
