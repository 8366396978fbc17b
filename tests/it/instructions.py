"""Counts the instructions of a program, one step after the other, until it executes another (ptrace(2)), and so those of its
children, one of which may do that. For x86_64.

Arguments: the program and its arguments. Prints how many instructions there were, how many bytes of its stack the first process
used, and how many of them lay neither in the section .text.start, where .ci/layout.ld puts together what a start runs, nor in the
few bytes before it. With --symbols FILE in front, the same binary with its symbols (CARGO_PROFILE_RELEASE_STRIP=none), also how
many in each function, marked with a * where that lies elsewhere, and which of them met a page that was not there.
"""

import bisect
import collections
import ctypes
import os
import signal
import struct
import subprocess
import sys

TRACEME, PEEKUSER, SINGLESTEP, SETOPTIONS = 0, 3, 9, 0x4200
O_TRACEFORK, O_TRACEVFORK, O_TRACECLONE, O_TRACEEXEC, O_EXITKILL = 2, 4, 8, 0x10, 0x100000
EVENT_EXEC = signal.SIGTRAP | 4 << 8
# Waits for children of every sort (waitpid(2)).
WALL = 0x40000000
# The pointers to the instruction and to the stack in struct user of x86_64.
RIP, RSP = 16 * 8, 19 * 8

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    value = libc.ptrace(request, pid, address, data)
    if value == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def stopped():
    """Which process was stopped, and what stopped it: a signal, with the event that ptrace(2) tells of."""
    status = 0
    # Where a child has ended, another process goes on.
    while not os.WIFSTOPPED(status):
        try:
            pid, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            sys.exit("all have ended, and no program was executed")
    return pid, status >> 8


def minor_faults(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[7])


def base(pid):
    file = os.readlink(f"/proc/{pid}/exe")
    with open(f"/proc/{pid}/maps") as maps:
        return next(int(line.partition("-")[0], 16) for line in maps if line.rstrip().endswith(file))


def end_of_start(file):
    """Where the section .text.start ends (elf(5))."""
    with open(file, "rb") as binary:
        data = binary.read()
    table, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    sections = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
    for name, _, _, address, _, length in sections:
        if data[sections[names][4] + name:].startswith(b".text.start\0"):
            return address + length
    return 0


def functions(file):
    """The addresses where functions begin, and their names."""
    found = []
    for line in subprocess.run(["nm", "-C", file], capture_output=True, text=True, check=True).stdout.splitlines():
        address, kind, name = line.split(" ", 2)
        if address and kind in "tTwW":
            found.append((int(address, 16), name))
    found.sort()
    return [address for address, _ in found], [name for _, name in found]


def main(arguments):
    symbols = None
    if arguments[0] == "--symbols":
        symbols, arguments = functions(arguments[1]), arguments[2:]
    child = os.fork()
    if child == 0:
        ptrace(TRACEME, 0)
        os.execv(arguments[0], arguments)
    stopped()
    events = O_TRACEFORK | O_TRACEVFORK | O_TRACECLONE | O_TRACEEXEC
    ptrace(SETOPTIONS, child, None, events | O_EXITKILL)
    first, faults = base(child), minor_faults(child)
    end = end_of_start(f"/proc/{child}/exe")
    count, outside, by_name, where = 0, 0, collections.Counter(), []
    top = lowest = ptrace(PEEKUSER, child, RSP)
    stepped, known, passed = child, {child}, None
    while True:
        at = ptrace(PEEKUSER, stepped, RIP) - first
        count += 1
        outside += at >= end
        if stepped == child:
            lowest = min(lowest, ptrace(PEEKUSER, child, RSP))
        if symbols:
            name = symbols[1][bisect.bisect_right(symbols[0], at) - 1]
            by_name[name + " *" * (at >= end)] += 1
            before = minor_faults(stepped)
        ptrace(SINGLESTEP, stepped, None, passed)
        pid, why = stopped()
        if symbols and pid == stepped and minor_faults(pid) > before:
            where.append(f"a page fault at {at:#x} in {name}")
        if why == EVENT_EXEC:
            break
        # A new child begins with SIGSTOP; one that has ended has its parent get SIGCHLD.
        is_new = why == signal.SIGSTOP and pid not in known
        passed = why if why == signal.SIGCHLD else None
        if why & 0xff != signal.SIGTRAP and not is_new and not passed:
            sys.exit(f"signal {why}")
        known.add(pid)
        stepped = pid
    print(count, top - lowest, outside)
    for name, number in by_name.most_common():
        print(f"{number:7} {name}")
    print(*where, sep="\n")


main(sys.argv[1:])
