//! Why namespaces could not be made, or no process be started in them.

use super::*;

const FAILED: &str = "unshare: unshare failed: ";

/// A program that refuses system calls to the program that it executes: `NAME[:MASK][=ERRNO],… PROGRAM …`, the mask
/// being flags in the first argument, the error EPERM if none is given.
pub(super) const FILTER: &str = r#"
import ctypes, os, platform, struct, sys
NUMBERS = {
    "x86_64": dict(unshare=272, setns=308, mount=165, pivot_root=155, clone=56, clone3=435, fork=57, vfork=58),
    "aarch64": dict(unshare=97, setns=268, mount=40, pivot_root=41, clone=220, clone3=435),
    "i386": dict(unshare=310, setns=346, mount=21, pivot_root=217, clone=120, clone3=435, fork=2, vfork=190),
}
# A 64-bit kernel runs programs of 32 bits too, whose calls have other numbers.
NUMBERS = NUMBERS["i386" if open(sys.argv[2], "rb").read(5)[4:] == b"\x01" else platform.machine()]
LOAD, EQUAL, ANY, RETURN = 0x20, 0x15, 0x45, 0x06
REFUSE, ALLOW = 0x00050000, 0x7fff0000
code = []
for word in sys.argv[1].split(","):
    call, _, error = word.partition("=")
    name, _, mask = call.partition(":")
    if name not in NUMBERS:
        continue
    code.append((LOAD, 0, 0, 0))
    if mask:
        code += [(EQUAL, 0, 3, NUMBERS[name]), (LOAD, 0, 0, 16), (ANY, 0, 1, int(mask, 0))]
    else:
        code.append((EQUAL, 0, 1, NUMBERS[name]))
    code.append((RETURN, 0, 0, REFUSE | int(error or 1)))
code.append((RETURN, 0, 0, ALLOW))
text = b"".join(struct.pack("HBBI", *line) for line in code)
room = ctypes.create_string_buffer(text, len(text))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(len(code), ctypes.addressof(room))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(SECCOMP, FILTER, ctypes.byref(program)) == 0, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[2], sys.argv[2:])
"#;

/// A program under that filter.
pub(crate) fn filtered(calls: &str, applet: &str) -> Tool {
    Tool::program("python3")
        .args(["-c", FILTER, calls])
        .arg(Tool::path_of(applet))
}

#[test]
fn no_privilege() {
    needs!(root(), explains());
    why(Tool::unshare().line("-mn true").by_ordinary())
        .of(&format!("{FAILED}{EPERM}"))
        .because("CAP_SYS_ADMIN is missing", "add -r")
        .only(1);
}

#[test]
fn root_without_the_capability() {
    needs!(root(), explains(), command("setpriv"));
    why(Tool::program("setpriv")
        .line("--bounding-set=-sys_admin --inh-caps=-sys_admin")
        .arg(Tool::path_of("unshare"))
        .line("-m true"))
    .of(&format!("{FAILED}{EPERM}"))
    .because("CAP_SYS_ADMIN is missing", "run as root")
    .only(1);
}

#[test]
fn a_filter() {
    needs!(explains(), command("python3"));
    why(filtered("unshare", "unshare")
        .line("-Ur true")
        .by_ordinary())
    .of(&format!("{FAILED}{EPERM}"))
    .because(
        "a seccomp filter refuses unshare(2) (Seccomp is 2",
        "seccomp profile",
    )
    .only(1);
}

#[test]
fn a_filter_of_one_kind_as_systemd_sets_it() {
    needs!(root(), explains(), command("python3"));
    // CLONE_NEWNET.
    let only_net = || filtered("unshare:0x40000000", "unshare");
    why(only_net().line("-n true"))
        .of(&format!("{FAILED}{EPERM}"))
        .because("a seccomp filter refuses unshare(2)", "RestrictNamespaces=")
        .only(1);
    only_net().line("-u true").run().ok();
}

#[test]
fn a_filter_and_no_privilege() {
    needs!(root(), explains(), command("python3"));
    why(filtered("unshare", "unshare").line("-n true").by_ordinary())
        .because("a seccomp filter", "seccomp profile")
        .because("CAP_SYS_ADMIN is missing", "add -r")
        .only(2);
}

/// Makes `$1` a root directory of bind mounts, with all that programs need, and runs the rest in it.
pub(crate) const CHROOT: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
root="$1/root"
mkdir "$root"
for name in bin lib lib64 sbin usr proc dev tmp; do
    test -e "/$name" || continue
    if test -L "/$name"; then cp -P "/$name" "$root/$name"
    else mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; fi
done
shift
"#;

/// In a chroot whose root is no mount point.
fn chrooted(place: &Place, words: &str) -> Tool {
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&format!("{CHROOT}exec chroot \"$root\" {words}"))
        .arg("sh")
        .arg(place.subdir("new"))
}

#[test]
fn a_chroot() {
    needs!(root(), explains(), command("chroot"));
    let place = Place::new();
    why(chrooted(&place, "unshare -U true"))
        .of(&format!("{FAILED}{EPERM}"))
        .because("this is a chroot (/ is no mount point)", "pivot_root(2)")
        .only(1);
}

#[test]
fn a_chroot_whose_root_is_a_mount_point_is_only_possible() {
    needs!(root(), explains(), command("chroot"));
    let place = Place::new();
    let tool = Tool::fixture()
        .line("-m --propagation private")
        .sh("mount --rbind / \"$1\" && exec chroot \"$1\" unshare -U true")
        .arg("sh")
        .arg(place.subdir("new"));
    why(tool)
        .of(&format!("{FAILED}{EPERM}"))
        .because(
            "either this is a chroot whose root is a mount point, or a security module",
            "",
        )
        .only(1);
}

#[test]
fn propagation_in_a_chroot() {
    needs!(root(), explains(), command("chroot"));
    let place = Place::new();
    why(chrooted(&place, "unshare -m true"))
        .of(&format!(
            "unshare: cannot change root filesystem propagation: {EINVAL}"
        ))
        .because(
            "/ is no mount point here (a chroot)",
            "--propagation unchanged",
        )
        .only(1);
    let rehearsal = chrooted(&place, "unshare --dry-run -m true").run().exits(1);
    let foretold = "would fail: make / and all below it private: Invalid argument\n  cause: / is no mount point";
    assert!(rehearsal.text().contains(foretold), "{rehearsal}");
    for words in ["", "--dry-run"] {
        let words = format!("unshare {words} -m --propagation unchanged true");
        chrooted(&place, &words).run().ok();
    }
}

#[test]
fn ids_that_are_not_mapped() {
    needs!(explains(), user_namespaces());
    why(Tool::fixture()
        .arg("-U")
        .arg(Tool::path_of("unshare"))
        .line("-U true")
        .by_ordinary())
    .of(&format!("{FAILED}{EPERM}"))
    .because(
        "our user and group have no IDs in this user namespace",
        "unshare -r",
    )
    .only(1);
}

#[test]
fn a_pid_namespace_that_was_not_entered() {
    needs!(root(), explains());
    why(Tool::fixture()
        .line("-p")
        .arg(Tool::path_of("unshare"))
        .line("-p true"))
    .of(&format!("{FAILED}{EINVAL}"))
    .because("already unshared here and not entered", "--fork")
    .only(1);
}

#[test]
fn limits_of_namespaces() {
    needs!(explains(), user_namespaces());
    let limited = |limits: &str, words: &str| {
        Tool::fixture()
            .line("-Ur")
            .sh(&format!("{limits} exec unshare {words}"))
            .by_ordinary()
    };
    let zero = |kind: &str| format!("echo 0 >/proc/sys/user/max_{kind}_namespaces;");
    why(limited(&zero("net"), "-n true"))
        .of(&format!("{FAILED}No space left on device"))
        .because(
            "user.max_net_namespaces is 0 here",
            "sysctl user.max_net_namespaces",
        )
        .only(1);
    why(limited(&(zero("user") + &zero("uts")), "-Uun true"))
        .because(
            "user.max_user_namespaces and user.max_uts_namespaces are 0 here",
            "sysctl",
        )
        .because("this is not about disk space", "")
        .only(1);
    // The first one takes up all that there may be.
    let one = "echo 1 >/proc/sys/user/max_net_namespaces;";
    why(limited(one, "-n unshare -n true"))
        .because(
            "user.max_net_namespaces (1 here) is reached",
            "raise the limit",
        )
        .only(1);
}

#[test]
fn nesting_that_is_too_deep() {
    needs!(explains(), user_namespaces());
    let words = ["unshare", "-r"].repeat(40);
    why(Tool::program(Tool::path_of("unshare"))
        .arg("-r")
        .args(words)
        .arg("true")
        .by_ordinary())
    .of(&format!("{FAILED}No space left on device"))
    .because("or namespaces are nested deeper than 32", "");
}

#[test]
fn a_limit_on_processes() {
    needs!(root(), explains(), command("prlimit"));
    // Somebody else of this user, so that the limit is reached for sure.
    let _other = Holder::of(Tool::program("env").by_ordinary(), "");
    why(Tool::program("prlimit")
        .arg("--nproc=1")
        .arg(Tool::path_of("unshare"))
        .line("-f true")
        .by_ordinary())
    .of("unshare: fork failed: Resource temporarily unavailable")
    .because("RLIMIT_NPROC is 1 and our user has ", "prlimit --nproc")
    .only(1);
}

/// A cgroup of a test's own that bounds processes; gone with the guard.
struct Bounded(std::path::PathBuf);

impl Bounded {
    fn new(most: u32) -> Option<Self> {
        let parents = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
        let cgroup = parents.into_iter().find_map(|parent| {
            let path =
                std::path::Path::new(parent).join(format!("nskit-test-{}", std::process::id()));
            std::fs::create_dir(&path).ok()?;
            let cgroup = Self(path);
            cgroup.0.join("pids.max").exists().then_some(cgroup)
        })?;
        std::fs::write(cgroup.0.join("pids.max"), most.to_string()).ok()?;
        Some(cgroup)
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        eventually("the cgroup is empty", || std::fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_cgroup_that_is_full() {
    needs!(root(), explains());
    let cgroup = Bounded::new(1);
    needs!(unless(cgroup.is_some(), "a cgroup hierarchy with pids.max"));
    let path = cgroup
        .as_ref()
        .expect("a need that was looked at")
        .0
        .display()
        .to_string();
    why(Tool::shell(&format!(
        "echo $$ >{path}/cgroup.procs && exec unshare -f true"
    )))
    .of("unshare: fork failed: Resource temporarily unavailable")
    .because(
        &format!("pids.max of {path} is 1 and pids.current 1"),
        "pids.max",
    )
    .only(1);
}

#[test]
fn a_pid_namespace_whose_init_has_ended() {
    needs!(root(), explains());
    why(Tool::fixture()
        .line("-p")
        .sh("/bin/true; exec unshare -f true"))
    .of("unshare: fork failed: Cannot allocate memory")
    .because(
        "either the init of the PID namespace for children",
        "--fork",
    )
    .because("or memory is short (MemAvailable is ", "")
    .only(1);
}

#[test]
fn a_filter_of_new_processes() {
    needs!(explains(), command("python3"));
    why(filtered("clone,clone3,fork,vfork", "unshare").line("-f true"))
        .of(&format!("unshare: fork failed: {EPERM}"))
        .because("a seccomp filter refuses new processes", "seccomp profile")
        .only(1);
}
