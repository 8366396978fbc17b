"""Executes a program as on an older kernel: calls that are newer are unknown (ENOSYS).

usage: as_old_kernel.py NUMBER PROGRAM [WORD...]
NUMBER is that of the last call that the kernel has, as x86_64 numbers them: 334 rseq (Linux 4.18), 433 fspick (5.2).
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, JUMP_IF_ABOVE, RETURN = 0x20, 0x25, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x50000

last, words = int(sys.argv[1]), sys.argv[2:]
lines = (LOAD, 0, 0, 0), (JUMP_IF_ABOVE, 0, 1, last), (RETURN, 0, 0, FAIL | errno.ENOSYS), (RETURN, 0, 0, ALLOW)
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
program = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
    sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
os.execvp(words[0], words)
