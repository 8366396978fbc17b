"""Takes the target from nsenter at every point of its way.

Runs in a PID namespace of its own, where a number can be given again. nsenter is traced and stopped before
one system call after the other; there the target is killed, and then it stays a zombie, or is gone, or another
process gets its number. Whatever nsenter makes of that, it must not mix the two: the program is all in the
first, or all in the second, or not run, with one line that says why. Prints what was wrong.

usage: nsenter_target.py zombie|gone|another old|new NSENTER WORD...
One WORD must be -e, since the environment says which process it is of.
"""

import ctypes
import errno
import fcntl
import os
import signal
import struct
import subprocess
import sys
import time

FATE, KERNEL, *WORDS = sys.argv[1:]
PROGRAM = ["sh", "-c", "echo $WHO; readlink /proc/self/ns/net /proc/self/ns/user"]
PTRACE_TRACEME, PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SETOPTIONS = 0, 7, 24, 0x4200
PTRACE_GET_SYSCALL_INFO = 0x420E
OPTIONS = 0x100000 | 1 | 16  # EXITKILL, TRACESYSGOOD, TRACEEXEC
EVENT_EXEC = signal.SIGTRAP | 4 << 8
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, SYS_pidfd_open = 22, 2, 434
NS_GET_PARENT = 0xB702

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, data=0):
    if libc.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def without_pidfds():
    """From here on pidfd_open(2) is an unknown call, as before Linux 5.3."""
    lines = (0x20, 0, 0, 0), (0x15, 0, 1, SYS_pidfd_open), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(code)))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


class Target:
    def __init__(self, who):
        unshare = "exec unshare -Ur unshare -Urnu cat"
        self.process = subprocess.Popen(["env", "WHO=" + who, "sh", "-c", unshare], stdin=subprocess.PIPE)
        self.pid = self.process.pid
        while "(cat) S" not in open(f"/proc/{self.pid}/stat").read():
            time.sleep(0.0005)
        user = os.open(f"/proc/{self.pid}/ns/user", os.O_RDONLY)
        parent = fcntl.ioctl(user, NS_GET_PARENT)
        users = [os.readlink(f"/proc/{self.pid}/ns/user"), f"user:[{os.fstat(parent).st_ino}]"]
        net = os.readlink(f"/proc/{self.pid if {'-a', '-n'} & set(WORDS) else 'self'}/ns/net")
        self.said = [f"{who}\n{net}\n{user}\n" for user in users]
        os.close(user)
        os.close(parent)

    def kill(self):
        self.process.kill()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def reap(self):
        self.process.kill()
        self.process.wait()


def start(target):
    out, err = os.memfd_create("out"), os.memfd_create("err")
    pid = os.fork()
    if pid == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        if KERNEL == "old":
            without_pidfds()
        ptrace(PTRACE_TRACEME, 0)
        os.execv(WORDS[0], [WORDS[0], "-t", str(target.pid), *WORDS[1:], *PROGRAM])
    os.waitpid(pid, 0)
    ptrace(PTRACE_SETOPTIONS, pid, OPTIONS)
    return pid, out, err


def first_call():
    """How many calls there are until the target is opened; before that the loader is at work."""
    target = Target("first")
    pid, out, err = start(target)
    calls, number = 0, None
    while number != SYS_pidfd_open:
        for _ in range(1 if calls == 0 else 2):
            ptrace(PTRACE_SYSCALL, pid)
            _, status = os.waitpid(pid, 0)
            assert os.WIFSTOPPED(status), "nsenter opens no pidfd"
        info = ctypes.create_string_buffer(32)
        libc.ptrace(PTRACE_GET_SYSCALL_INFO, pid, ctypes.c_void_p(len(info)), info)
        (number,) = struct.unpack_from("Q", info, 24)
        calls += 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    target.reap()
    os.close(out)
    os.close(err)
    return calls


def attempt(calls):
    """Takes the target away before the call with this number; says whether there was such a call."""
    target = first = Target("first")
    pid, out, err = start(first)
    for stop in range(2 * calls - 1):  # at the beginning and at the end of each call
        ptrace(PTRACE_SYSCALL, pid)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status) or status >> 8 == EVENT_EXEC:
            break
    more = os.WIFSTOPPED(status) and status >> 8 != EVENT_EXEC
    first.kill()
    if FATE != "zombie":
        first.reap()
    if FATE == "another":
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(first.pid - 1))
        target = Target("second")
        assert target.pid == first.pid, "the number was not given again"
    while os.WIFSTOPPED(status):
        ptrace(PTRACE_CONT, pid)
        _, status = os.waitpid(pid, 0)
    target.reap()
    code = os.waitstatus_to_exitcode(status)
    said, complaint = os.pread(out, 4096, 0).decode(), os.pread(err, 4096, 0).decode()
    os.close(out)
    os.close(err)
    if code == 0:
        right = said in first.said + target.said and complaint == ""
    else:
        one_line = complaint.count("\n") == 1 and complaint.startswith("nsenter: ")
        right = code == 1 and said == "" and one_line
    if not right:
        print(f"before call {calls}: status {code}, out {said!r}, err {complaint!r}")
    return more, code


calls, codes = first_call(), set()
more = True
while more:
    more, code = attempt(calls)
    codes.add(code)
    calls += 1
print("outcomes", *sorted(codes))
