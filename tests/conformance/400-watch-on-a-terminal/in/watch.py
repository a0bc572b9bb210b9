# `run watch` on a terminal of ten lines: what stands there at the end, and whether it ever was higher.
import fcntl, os, pty, re, struct, sys, termios

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 80, 0, 0))
    os.execvp("slipway", ["slipway", "run", "watch", "--no-color", sys.argv[1]])
shown = b""
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # the other end is closed
        break
    if not chunk:
        break
    shown += chunk
_, status = os.waitpid(pid, 0)
frames = re.split(r"\x1b\[\d+A", shown.decode().replace("\r\n", "\n").replace("\x1b[2K", ""))
print("higher than the terminal:", sum(frame.count("\n") > 9 for frame in frames))
last = frames[-1].rstrip("\n")  # lines of a higher frame before it are emptied
print(re.sub(" {2,}", "  ", re.sub(r"\d+(\.\d+)?s|[0-9a-z]{26}", "T", last)))
print("exit", os.waitstatus_to_exitcode(status))
