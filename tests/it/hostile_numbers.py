"""Takes a process of an inner PID namespace by its number, while /proc is that of the outer one, where another
process has the same number.

Runs in the inner namespace, with the outer /proc. The process has FROM=inner in its environment, another host name's
namespace, user 7, group 8 and /usr as its working directory. Prints what each command says.

usage: hostile_numbers.py NUMBER NSENTER SETNS
"""

import os
import subprocess
import sys

NUMBER, NSENTER, SETNS = int(sys.argv[1]), sys.argv[2], sys.argv[3]

with open("/proc/sys/kernel/ns_last_pid", "w") as last:
    last.write(str(NUMBER - 1))
inner = subprocess.Popen(
    ["unshare", "-u", "setpriv", "--reuid", "7", "--regid", "8", "--clear-groups", "env", "-i", "FROM=inner", "/bin/cat"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    cwd="/usr",
)
assert inner.pid == NUMBER, f"{inner.pid} was given instead of {NUMBER}"
# It is cat, once it answers.
inner.stdin.write(b"\n")
inner.stdin.flush()
assert inner.stdout.read(1) == b"\n"

OLD_KERNEL = "strace -qq -o /dev/null -e trace=ioctl -e inject=ioctl:error=ENOTTY".split()
TARGET = [NSENTER, "-t", str(NUMBER), "-u"]
for command in (
    TARGET + ["-e", "/usr/bin/env"],
    TARGET + ["-w", "/bin/pwd"],
    TARGET + ["-S", "follow", "-G", "follow", "/usr/bin/id", "-u"],
    [SETNS, "-w", "-S", "follow", f"uts=pid:{NUMBER}", "/bin/sh", "-c", "pwd; id -u"],
    [SETNS, "--same", "--quiet", f"uts={NUMBER}", "uts=self"],
    [SETNS, "--same", "--quiet", f"net={NUMBER}", "net=self"],
    # Before Linux 6.11 a pidfd gives no namespaces.
    OLD_KERNEL + [SETNS, "--same", "--quiet", f"uts={NUMBER}", "uts=self"],
    [SETNS, str(NUMBER), "/bin/readlink", "/proc/self/ns/uts"],
):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode().strip().replace(os.readlink("/proc/self/ns/uts"), "here").replace("\n", " ")
    print(done.returncode, "elsewhere" if said.startswith("uts:[") else said)

inner.kill()
inner.wait()
# Who is not there any more is not mistaken for who has the number outside.
done = subprocess.run(TARGET + ["-e", "/usr/bin/env"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(done.returncode, done.stdout.decode().strip())
