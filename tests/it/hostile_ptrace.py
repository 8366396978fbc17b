"""Root of a container, who tries to take over whoever enters it: spins on the PID that comes next.

Arguments: the way (seize, attach, getfd, fd, mem), a file that says that it is over when it is there. Prints how often
there was somebody to take, and how often that was taken who still was the program named by the third argument: what
that one executes runs here and may be taken.
"""

import ctypes
import errno
import os
import signal
import sys

WAY, OVER, VICTIM = sys.argv[1:]

PTRACE_CONT, PTRACE_ATTACH, PTRACE_DETACH = 7, 16, 17
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_EVENT_STOP = 0x4206, 0x4207, 128
SYS_pidfd_open, SYS_pidfd_getfd = 434, 438
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
libc.syscall.restype = ctypes.c_long
ptrace = libc.ptrace


def is_victim(pid):
    """Looked at after it was taken: it was the victim then, if it is now."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == VICTIM
    except OSError:
        return False


def let_go(pid, stop):
    """Waits for the stop that was asked for, lest it come afterwards, and lets the process go on."""
    try:
        while True:
            _, status = os.waitpid(pid, WALL)
            if not os.WIFSTOPPED(status):
                return
            if stop in (os.WSTOPSIG(status), status >> 16):
                break
            ptrace(PTRACE_CONT, pid, None, None)
    except ChildProcessError:
        return
    ptrace(PTRACE_DETACH, pid, None, None)


def seize(pid):
    if ptrace(PTRACE_SEIZE, pid, None, None) != 0:
        return None
    taken = is_victim(pid)
    ptrace(PTRACE_INTERRUPT, pid, None, None)
    let_go(pid, PTRACE_EVENT_STOP)
    return taken


def attach(pid):
    if ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        return None
    taken = is_victim(pid)
    let_go(pid, signal.SIGSTOP)
    return taken


def getfd(pid):
    pidfd = libc.syscall(SYS_pidfd_open, pid, 0)
    if pidfd < 0:
        return None
    taken = None
    for number in range(12):
        copy = libc.syscall(SYS_pidfd_getfd, pidfd, number, 0)
        if copy >= 0:
            taken = is_victim(pid)
            os.close(copy)
            break
        if ctypes.get_errno() != errno.EBADF:
            break
    os.close(pidfd)
    return taken


def fd(pid):
    try:
        os.readlink(f"/proc/{pid}/fd/1")
    except OSError as error:
        ctypes.set_errno(error.errno)
        return None
    return is_victim(pid)


def mem(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
    except OSError as error:
        ctypes.set_errno(error.errno)
        return None
    return is_victim(pid)


take = globals()[WAY]
# The last PID that was given here (proc(5)).
loadavg = os.open("/proc/loadavg", os.O_RDONLY)


def last():
    return int(os.pread(loadavg, 100, 0).split()[-1])


print("ready", flush=True)
tried, taken, seen = 0, 0, 0
spins = 0
following = last() + 1
while True:
    spins += 1
    if spins % 64 == 0:
        # It may have come and gone while we did not run.
        following = max(following, last())
        if spins % 4096 == 0 and os.path.exists(OVER):
            break
    success = take(following)
    if success is None and ctypes.get_errno() in (errno.ESRCH, errno.ENOENT):
        if seen == following:
            following += 1
        continue
    if seen != following:
        seen = following
        tried += 1
    if success is not None:
        taken += success
        following += 1
print(tried, taken)
