"""What a tree of processes costs, and the work that every peer is given. Standard library only."""
import ctypes
import os
import resource
import signal
import time

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36

# name -> list of (task, tasks before it). Every task is /bin/true in a process of its own.
WORKLOADS = {
    "chain4": [(f"t{i}", [f"t{i - 1}"] if i else []) for i in range(4)],
    "chain100": [(f"t{i}", [f"t{i - 1}"] if i else []) for i in range(100)],
    "fan100": [("first", [])] + [(f"t{i}", ["first"]) for i in range(100)] + [("last", [f"t{i}" for i in range(100)])],
    "wide1000": [(f"t{i}", []) for i in range(1000)],
}


def adopt_orphans():
    """Processes whose parent ends become ours, so that daemons are counted too."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root=None):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parents.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
            except OSError:
                continue
    found, todo = [], [root or os.getpid()]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def tree_cpu_seconds():
    """CPU of everything below this process, also of what has ended."""
    total = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = total.ru_utime + total.ru_stime
    for pid in descendants():
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            seconds += sum(int(field) for field in fields[11:15]) / TICKS
        except OSError:
            continue
    return seconds


def tree_memory_mb():
    """Proportional set size of everything below this process."""
    kilobytes = 0
    for pid in descendants():
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
                kilobytes += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return kilobytes / 1024


def end_tree():
    """Ends everything below this process: politely, then not."""
    for sign, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        for pid in descendants():
            try:
                os.kill(pid, sign)
            except OSError:
                continue
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.05)
            except ChildProcessError:
                return


def wait_for(what, seconds, poll=0.05):
    """The first true answer of `what`, or None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(poll)
    return None


def gaps_ms(tasks, times):
    """From the end of a task's last predecessor to its own start, of those that are known; times: task -> (start, end)."""
    return sorted((times[task][0] - max(times[need][1] for need in needs)) * 1000
                  for task, needs in tasks if needs and task in times and all(need in times for need in needs))


def row(tasks, times, seconds, cpu, done):
    """One workload's figures. `done` may be fewer than were asked for."""
    is_chain = sum(len(needs) for _, needs in tasks) == len(tasks) - 1 and len({need for _, needs in tasks for need in needs}) == len(tasks) - 1
    gaps = gaps_ms(tasks, times) if is_chain else []  # elsewhere a gap is mostly the wait for a worker
    figures = {"tasks": len(tasks), "done": done, "seconds": round(seconds, 2), "tasks_per_s": round(done / seconds, 1),
               "cpu_ms_per_task": round(cpu * 1000 / max(done, 1), 2)}
    if gaps:
        figures |= {"gap_p50_ms": round(gaps[len(gaps) // 2], 2), "gap_p99_ms": round(gaps[int(len(gaps) * 0.99)], 2)}
    return figures
