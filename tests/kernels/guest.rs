//! What is in the machine: busybox, nskit, a few of Debian's programs, and the cases.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::boot::Kernel;
use crate::case::{Case, User};
use crate::selinux;

/// Where the kernels and Debian's programs are, with which machines are made.
pub(crate) fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".kernels")
}

/// Debian's programs in the machine, beside busybox and what they are linked with.
const PROGRAMS: [&str; 4] = [
    "bin/newuidmap",
    "bin/newgidmap",
    "bin/dash",
    "sbin/apparmor_parser",
];

/// Makes the initial file system in `place`, with what is to be tried, and gives its path.
pub(crate) fn image(
    kernel: &Kernel,
    tries: &[(Case, User)],
    place: &Path,
) -> Result<PathBuf, String> {
    let root = place.join("root");
    fill(kernel, tries, &root)
        .map_err(|error| format!("cannot make a machine's files: {error}"))?;
    if kernel.has_selinux() {
        selinux::compile(&place.join("policy"))?;
        copy(&place.join("policy"), &root.join("policy"), 0o644)
            .map_err(|error| error.to_string())?;
    }
    let image = place.join("image");
    // Everything belongs to root, also when the tests do not run as root.
    let packed = Command::new("sh")
        .args(["-c", "find . | cpio -o -H newc -R 0:0 --quiet >\"$0\""])
        .arg(&image)
        .current_dir(&root)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("sh: {error}"))?;
    if packed.success() {
        Ok(image)
    } else {
        Err(format!("cpio: {packed}"))
    }
}

fn fill(kernel: &Kernel, tries: &[(Case, User)], root: &Path) -> std::io::Result<()> {
    for dir in [
        "dev", "etc", "new", "proc", "run", "sys", "tmp", "usr/bin", "usr/sbin", "cases",
    ] {
        fs::create_dir_all(root.join(dir))?;
    }
    for dir in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{dir}"), root.join(dir))?;
    }
    let debian = kernels().join(format!("guest-{}", kernel.arch)).join("usr");
    for dir in ["lib", "lib64"] {
        if debian.join(dir).exists() {
            libraries(&debian.join(dir), &root.join("usr").join(dir))?;
        }
    }
    fs::create_dir_all(root.join("usr/lib64"))?;
    // What a profile of AppArmor says which kernel it was written for with.
    let abi = Path::new("etc/apparmor.d/abi");
    fs::create_dir_all(root.join(abi))?;
    let from = kernels().join(format!("guest-{}", kernel.arch)).join(abi);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(
            &entry.path(),
            &root.join(abi).join(entry.file_name()),
            0o644,
        )?;
    }
    for program in PROGRAMS.iter().chain(&["bin/busybox"]) {
        copy(
            &debian.join(program),
            &root.join("usr").join(program),
            0o755,
        )?;
    }
    for program in &PROGRAMS[..2] {
        fs::set_permissions(
            root.join("usr").join(program),
            fs::Permissions::from_mode(0o4755),
        )?;
    }
    copy(&kernel.nskit(), &root.join("bin/nskit"), 0o755)?;
    for (link, file) in [
        ("sh", "dash"),
        ("unshare", "nskit"),
        ("nsenter", "nskit"),
        ("setns", "nskit"),
    ] {
        symlink(file, root.join("bin").join(link))?;
    }
    if let Some(module) = kernel.module("binfmt_misc") {
        copy(&module, &root.join("binfmt_misc.ko"), 0o644)?;
    }
    for (name, text) in [("init", INIT), ("second", SECOND), ("as-init", AS_INIT)] {
        fs::write(root.join(name), text)?;
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o755))?;
    }
    for (name, text) in ETC {
        fs::write(root.join("etc").join(name), text)?;
    }
    let mut list = String::new();
    for (case, user) in tries {
        let script = format!("{PRELUDE}{}", case.script);
        fs::write(root.join("cases").join(&case.name), script)?;
        writeln!(list, "{} {}", case.name, user.word()).expect("a text takes lines");
    }
    fs::write(root.join("cases/.list"), list)
}

fn copy(from: &Path, to: &Path, mode: u32) -> std::io::Result<()> {
    fs::copy(from, to).map_err(|error| {
        std::io::Error::new(error.kind(), format!("{}: {error}", from.display()))
    })?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}

/// Copies the shared libraries, and the links to them, without the many modules of the C library.
fn libraries(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(&path)?, &target)?;
        } else if entry.file_type()?.is_dir() {
            if name.ends_with("-linux-gnu") {
                libraries(&path, &target)?;
            }
        } else if name.contains(".so") {
            copy(&path, &target, 0o755)?;
        }
    }
    Ok(())
}

const ETC: [(&str, &str); 4] = [
    (
        "passwd",
        "root:x:0:0::/:/bin/sh\nordinary:x:1000:1000::/:/bin/sh\n",
    ),
    ("group", "root:x:0:\nordinary:x:1000:\n"),
    ("subuid", "ordinary:100000:65536\n"),
    ("subgid", "ordinary:100000:65536\n"),
];

/// PID 1 of the initial file system, which is no place for pivot_root(2): all goes on in a file system of its own.
const INIT: &str = r"#!/bin/busybox sh
/bin/busybox mount -t tmpfs -o mode=755 new /new
/bin/busybox cp -a /bin /lib /lib64 /sbin /usr /etc /cases /second /dev /proc /run /sys /tmp /new
/bin/busybox cp /*.ko /policy /new
exec /bin/busybox switch_root /new /second
";

/// PID 1: runs the cases one after the other.
const SECOND: &str = r#"#!/bin/sh
for applet in $(/bin/busybox --list); do
    # Ours are there, and dash: busybox' own shell takes its own unshare before any in PATH.
    [ -e "/bin/$applet" ] || /bin/busybox ln -s busybox "/bin/$applet"
done
export PATH=/bin:/usr/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t securityfs securityfs /sys/kernel/security
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmp /tmp
if [ -e /policy ]; then
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    cat /policy >/sys/fs/selinux/load
    dmesg | grep -i selinux
fi
dmesg -n 1
echo "@nskit kernel $(uname -r)"
said() {
    if [ -s "$1" ]; then echo "=$(base64 -w 0 <"$1")"; else echo =; fi
}
while read -r name user; do
    export T=/tmp/$name.$user R=
    mkdir "$T"
    if [ "$user" = root ]; then
        timeout -s KILL 60 /bin/sh "/cases/$name" </dev/null >/tmp/out 2>/tmp/err
    else
        R=-r
        chown "$user:$user" "$T"
        timeout -s KILL 60 su -s /bin/sh "$user" "/cases/$name" </dev/null >/tmp/out 2>/tmp/err
    fi
    status=$?
    read -r uptime rest </proc/uptime
    echo "@nskit case $name.$user $status $uptime $(said /tmp/out) $(said /tmp/err)"
    rm -rf "$T"
done </cases/.list
echo "@nskit end"
reboot -f
"#;

/// What every case has in front of it.
const PRELUDE: &str = r#"
cd "$T"
HELD=
trap 'kill -9 $HELD 2>/dev/null' EXIT
# Keeps what `unshare WORDS` makes, in a process $PID.
hold() {
    rm -f "$T/pid"
    unshare --pidfile="$T/pid" "$@" sleep 1000 </dev/null >"$T/held" 2>&1 &
    HELD="$HELD $!"
    until [ "$(cat "/proc/$(cat "$T/pid" 2>/dev/null)/comm" 2>/dev/null)" = sleep ]; do
        usleep 10000
        kill -0 $! 2>/dev/null || { cat "$T/held" >&2; exit 99; }
    done
    PID=$(cat "$T/pid")
    HELD="$HELD $PID"
}
# Loads the profile of AppArmor $1, which allows everything but what the rule $2 does, and has the rules $3 too.
confine() {
    {
        echo "abi <abi/4.0>,"
        echo "profile $1 {"
        for rule in file capability network mount umount pivot_root ptrace signal unix dbus userns mqueue change_profile; do
            [ "$rule" = "$2" ] || echo "$rule,"
        done
        echo "$3 }"
    } | apparmor_parser --replace --skip-cache --config-file /dev/null --Include /etc/apparmor.d
}
# Executes the words after $1 under that profile.
under() {
    (
        echo "exec $1" >/proc/self/attr/exec
        shift
        exec "$@"
    )
}
MINE=$(ls -l /proc/self/ns)
export MINE
# The kinds in which $1, of what `ls -l` says of /proc/PID/ns, is not with us.
unlike() {
    for kind in cgroup ipc mnt net pid time user uts; do
        link=${1#*-> $kind:}
        case $MINE in *"-> $kind:${link%%]*}]"*) ;; *) printf '%s ' $kind ;; esac
    done
    echo
}
"#;

/// What nskit runs as PID 1 of the initial file system.
const AS_INIT: &str = r#"
/bin/busybox echo "@nskit init $$ $(/bin/busybox ls /proc/1/ns | /bin/busybox wc -w) $(/bin/busybox readlink /proc/1/exe)"
/bin/busybox mount -t proc proc /proc
/bin/busybox reboot -f
"#;
