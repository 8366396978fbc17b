//! `nskit`: which applet is meant, and installing links.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::harness::*;

const APPLETS: [&str; 3] = ["nsenter", "setns", "unshare"];

const NOT_THEIRS: &str = "has no binary of several applets";

/// nskit itself in a directory of its own, under this name.
///
/// Copied by another process: a descriptor open for writing that another test's child inherits for a
/// moment would make exec fail with ETXTBSY.
#[track_caller]
fn copy(place: &Place, name: &str) -> String {
    let to = place.at(name);
    Tool::program("cp")
        .arg(Tool::path_of("nskit"))
        .arg(&to)
        .run()
        .ok();
    to
}

fn version_of(applet: &str) -> String {
    format!("{applet} (nskit) {}\n", env!("CARGO_PKG_VERSION"))
}

#[test]
fn an_applet_by_its_name() {
    needs!(ours(NOT_THEIRS));
    for applet in APPLETS {
        let said = version_of(applet);
        Tool::nskit().args([applet, "-V"]).run().ok().out(&said);
        Tool::program(Tool::path_of(applet))
            .arg("-V")
            .run()
            .ok()
            .out(&said);
        for argv0 in [
            applet,
            &format!("-{applet}"),
            &format!("/any/where/{applet}"),
            &format!("./-{applet}"),
        ] {
            Tool::nskit().arg0(argv0).arg("-V").run().ok().out(&said);
        }
    }
}

#[test]
fn an_applet_named_by_the_first_operand_is_that_applet() {
    needs!(ours(NOT_THEIRS), user_namespaces());
    Tool::nskit()
        .line("unshare -Urpf sh -c")
        .arg("echo $$ $(id -u)")
        .by_ordinary()
        .run()
        .ok()
        .out("1 0\n");
    Tool::nskit().line("unshare --bogus").run().exits(1).err(
        "unshare: unrecognized option '--bogus'\nTry 'unshare --help' for more information.\n",
    );
    Tool::nskit().line("unshare nosuchprogram").run().exits(127);
    Tool::nskit()
        .line("nsenter true")
        .run()
        .exits(1)
        .err("nsenter: no namespace specified\n");
    let help = Tool::unshare().arg("--help").run().ok().text();
    assert_eq!(Tool::nskit().line("unshare --help").run().ok().text(), help);
}

#[test]
fn links_and_copies() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    std::fs::hard_link(&binary, place.at("unshare")).expect("a hard link");
    std::os::unix::fs::symlink("nskit", place.at("nsenter")).expect("a symbolic link");
    std::os::unix::fs::symlink(place.at("nsenter"), place.at("setns")).expect("a link to a link");
    for applet in APPLETS {
        Tool::program(place.at(applet))
            .arg("-V")
            .run()
            .ok()
            .out(&version_of(applet));
    }
    // Under any other name, the first operand names the applet.
    for name in ["renamed", "nskit-2", "unshare.old"] {
        let other = copy(&place, name);
        Tool::program(&other)
            .args(["setns", "-V"])
            .run()
            .ok()
            .out(&version_of("setns"));
        Tool::program(&other).arg("--list").run().ok();
    }
    // A copy named as an applet is that applet.
    let place = Place::new();
    Tool::program(copy(&place, "unshare"))
        .arg("-V")
        .run()
        .ok()
        .out(&version_of("unshare"));
}

#[test]
fn through_the_link_to_a_processes_own_program() {
    needs!(ours(NOT_THEIRS));
    // unshare executes itself, under the name "exe".
    Tool::unshare()
        .line("/proc/self/exe setns -V")
        .run()
        .ok()
        .out(&version_of("setns"));
    Tool::unshare().line("/proc/self/exe --list").run().ok();
}

#[test]
fn under_another_argv0() {
    needs!(ours(NOT_THEIRS), command("bash"));
    let nskit = Tool::path_of("nskit");
    for (argv0, applet) in [
        ("unshare", "unshare"),
        ("-nsenter", "nsenter"),
        ("x/setns", "setns"),
    ] {
        Tool::program("bash")
            .args(["-c", "exec -a \"$0\" \"$@\"", argv0])
            .arg(&nskit)
            .arg("-V")
            .run()
            .ok()
            .out(&version_of(applet));
    }
    Tool::program("bash")
        .args(["-c", "exec -a '' \"$0\" unshare -V"])
        .arg(&nskit)
        .run()
        .ok()
        .out(&version_of("unshare"));
}

#[test]
fn with_no_argv_at_all() {
    needs!(ours(NOT_THEIRS), command("perl"));
    let number = match std::env::consts::ARCH {
        "x86_64" => "59",
        "aarch64" | "riscv64" => "221",
        _ => "",
    };
    needs!(unless(
        !number.is_empty(),
        "a known number of execve(2) on this processor"
    ));
    // Shells and std always pass an argv[0]; the system call itself does not insist.
    let execve = "my $none = pack('J', 0); syscall($ARGV[1] + 0, $ARGV[0], $none, $none); die $!";
    let ran = Tool::program("perl")
        .args(["-e", execve])
        .arg(Tool::path_of("nskit"))
        .arg(number)
        .run()
        .ok();
    assert_eq!(ran.stdout, Tool::nskit().run().ok().stdout, "{ran}");
}

#[test]
fn what_it_says_of_itself() {
    needs!(ours(NOT_THEIRS));
    let ran = Tool::nskit().run().ok();
    assert_eq!(Tool::nskit().arg("--help").run().ok().stdout, ran.stdout);
    let text = ran.text();
    for part in APPLETS
        .iter()
        .chain(&["--install", "--list", env!("CARGO_PKG_VERSION")])
    {
        assert!(text.contains(part), "no {part}: {text}");
    }
    Tool::nskit()
        .arg("--version")
        .run()
        .ok()
        .out(&format!("nskit {}\n", env!("CARGO_PKG_VERSION")));
    let mut list = Tool::nskit().arg("--list").run().ok().lines();
    list.sort();
    assert_eq!(list, APPLETS);
}

#[test]
fn an_applet_that_there_is_not() {
    needs!(ours(NOT_THEIRS));
    for words in ["frob", "frob --help", "frob unshare"] {
        Tool::nskit()
            .line(words)
            .run()
            .exits(127)
            .out("")
            .err("nskit: frob: applet not found\n");
    }
    Tool::nskit()
        .arg("")
        .run()
        .exits(127)
        .out("")
        .err("nskit: : applet not found\n");
    Tool::nskit()
        .arg("--frob")
        .run()
        .exits(125)
        .out("")
        .err_has("nskit: unrecognized option '--frob'");
}

/// The names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    names.sort();
    names
}

fn inode(path: &str) -> (u64, u64) {
    let metadata = std::fs::symlink_metadata(path).expect("a file");
    (metadata.dev(), metadata.ino())
}

#[test]
fn installing_hard_links_beside_the_binary() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    let ran = Tool::program(&binary)
        .arg0("nskit")
        .arg("--install")
        .run()
        .ok();
    assert_eq!(
        names(place.path()),
        ["nsenter", "nskit", "setns", "unshare"]
    );
    for applet in APPLETS {
        assert_eq!(inode(&place.at(applet)), inode(&binary), "{applet}");
        assert!(ran.text().contains(applet), "says what it did: {ran}");
        Tool::program(place.at(applet))
            .arg("-V")
            .run()
            .ok()
            .out(&version_of(applet));
    }
    // A second time, they are our links already.
    Tool::program(&binary).arg("--install").run().ok();
    assert_eq!(
        names(place.path()),
        ["nsenter", "nskit", "setns", "unshare"]
    );
}

#[test]
fn installing_hard_links_elsewhere() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    let (bin, to) = (place.subdir("bin"), place.subdir("to"));
    let binary = copy(&place, "bin/nskit");
    Tool::program(&binary).args(["--install", &to]).run().ok();
    assert_eq!(names(Path::new(&to)), APPLETS);
    assert_eq!(names(Path::new(&bin)), ["nskit"]);
    for applet in APPLETS {
        assert_eq!(inode(&format!("{to}/{applet}")), inode(&binary));
    }
    // A directory named from where we are.
    let relative = place.subdir("relative");
    Tool::program(&binary)
        .args(["--install", "relative"])
        .dir(place.path())
        .run()
        .ok();
    assert_eq!(names(Path::new(&relative)), APPLETS);
}

#[test]
fn installing_symbolic_links() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    place.subdir("usr/lib");
    let binary = copy(&place, "usr/lib/nskit");
    let target = |path: &str| std::fs::read_link(path).expect("a symbolic link");
    // Relative where the binary is in or below the directory.
    let usr = place.at("usr");
    Tool::program(&binary)
        .args(["--install", "-s", &usr])
        .run()
        .ok();
    Tool::program(&binary).args(["--install", "-s"]).run().ok();
    // Absolute elsewhere.
    let other = place.subdir("other");
    Tool::program(&binary)
        .args(["--install", "-s", &other])
        .run()
        .ok();
    for applet in APPLETS {
        assert_eq!(target(&format!("{usr}/{applet}")), Path::new("lib/nskit"));
        assert_eq!(target(&format!("{usr}/lib/{applet}")), Path::new("nskit"));
        assert_eq!(target(&format!("{other}/{applet}")), Path::new(&binary));
        for dir in [&usr, &format!("{usr}/lib"), &other] {
            Tool::program(format!("{dir}/{applet}"))
                .arg("-V")
                .run()
                .ok()
                .out(&version_of(applet));
        }
    }
}

#[test]
fn installing_does_not_replace_what_is_not_ours() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    let to = place.subdir("to");
    let foreign = place.file("to/unshare", "somebody's");
    for words in [["--install", "-s"], ["--install", "--"]] {
        let ran = Tool::program(&binary)
            .arg0("nskit")
            .args(words)
            .arg(&to)
            .run()
            .exits(125);
        assert!(
            String::from_utf8_lossy(&ran.stderr).contains("unshare"),
            "{ran}"
        );
        assert_eq!(
            std::fs::read_to_string(&foreign).expect("it is still there"),
            "somebody's"
        );
    }
    // Nor a symbolic link to somewhere else.
    let elsewhere = place.subdir("elsewhere");
    std::os::unix::fs::symlink("/usr/bin/nsenter", place.at("elsewhere/nsenter")).expect("a link");
    Tool::program(&binary)
        .arg0("nskit")
        .args(["--install", &elsewhere])
        .run()
        .exits(125);
    assert_eq!(
        std::fs::read_link(place.at("elsewhere/nsenter")).expect("a link"),
        Path::new("/usr/bin/nsenter")
    );
    // Unless told to; and nothing temporary stays.
    for dir in [&to, &elsewhere] {
        Tool::program(&binary)
            .args(["--install", "-f", dir])
            .run()
            .ok();
        assert_eq!(names(Path::new(dir)), APPLETS);
        assert_eq!(inode(&format!("{dir}/unshare")), inode(&binary));
    }
}

#[test]
fn installing_where_it_cannot_be() {
    needs!(ours(NOT_THEIRS));
    let place = Place::new();
    let plain = place.file("plain", "");
    for (dir, why) in [
        ("/no/such/dir", "No such file or directory"),
        (&*plain, "Not a directory"),
    ] {
        let ran = Tool::nskit()
            .args(["--install", dir])
            .run()
            .exits(125)
            .out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            text.starts_with("nskit: ") && text.contains(dir) && text.contains(why),
            "{ran}"
        );
    }
    // A hard link cannot go to another file system.
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let other = Path::new("/dev/shm");
    needs!(unless(
        other.is_dir() && device(other) != device(&Tool::path_of("nskit")),
        "another file system in /dev/shm"
    ));
    let place = tempfile::tempdir_in(other).expect("a directory there");
    let ran = Tool::nskit()
        .arg("--install")
        .arg(place.path())
        .run()
        .exits(125);
    assert!(
        String::from_utf8_lossy(&ran.stderr).contains("cross-device"),
        "{ran}"
    );
    assert_eq!(names(place.path()), Vec::<String>::new());
    Tool::nskit()
        .args(["--install", "-s"])
        .arg(place.path())
        .run()
        .ok();
    assert_eq!(names(place.path()), APPLETS);
}

#[test]
fn refuses_to_give_root_to_everyone() {
    needs!(ours(NOT_THEIRS), root());
    let place = Place::new();
    let binary = copy(&place, "nskit");
    std::os::unix::fs::symlink("nskit", place.at("unshare")).expect("a link");
    for mode in [0o4755, 0o2755, 0o6755] {
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(mode)).expect("root may");
        // Before anything is parsed: not even help.
        for words in ["--help", "--list", "unshare true", "--bogus"] {
            let ran = Tool::program(&binary)
                .arg0("nskit")
                .line(words)
                .by_ordinary()
                .run()
                .exits(125)
                .out("");
            assert!(
                String::from_utf8_lossy(&ran.stderr).starts_with("nskit: "),
                "{ran}"
            );
        }
        for words in ["--help", "-V", "-u id -u", "--bogus"] {
            let ran = Tool::program(place.at("unshare"))
                .line(words)
                .by_ordinary()
                .run()
                .exits(1)
                .out("");
            assert!(
                String::from_utf8_lossy(&ran.stderr).starts_with("unshare: "),
                "{ran}"
            );
        }
    }
}

/// Becomes a user and group by real and effective IDs (the words: real user, effective user, real group, effective
/// group), and executes the rest.
const BECOME: &str = r#"
import os, sys
ruid, euid, rgid, egid = map(int, sys.argv[1:5])
os.setgroups([])
os.setresgid(rgid, egid, egid)
os.setresuid(ruid, euid, euid)
os.execv(sys.argv[5], sys.argv[6:])
"#;

/// A caller with these real and effective IDs, who calls the file by the name of an applet.
fn called_as(ids: [u32; 4], file: &str, words: &str) -> Tool {
    Tool::program("python3")
        .args(["-c", BECOME])
        .args(ids.map(|id| id.to_string()))
        .args([file, "unshare"])
        .line(words)
}

#[test]
fn a_caller_whose_real_and_effective_ids_differ_is_served() {
    needs!(root(), command("python3"));
    let unshare = Tool::path_of("unshare");
    let unshare = unshare.to_str().expect("a plain name");
    for ids in [
        [ORDINARY, 0, 0, 0],
        [0, 0, ORDINARY, 0],
        [ORDINARY, 0, ORDINARY, 0],
    ] {
        called_as(ids, unshare, "-u grep ^[UG]id: /proc/self/status")
            .run()
            .ok()
            .out(&format!(
                "Uid:\t{}\t{1}\t{1}\t{1}\nGid:\t{2}\t{3}\t{3}\t{3}\n",
                ids[0], ids[1], ids[2], ids[3]
            ));
    }
    // The effective IDs are those that count.
    called_as([0, ORDINARY, 0, 0], unshare, "-u echo it ran")
        .run()
        .exits(1)
        .out("")
        .err("unshare: unshare failed: Operation not permitted\n");
}

const REFUSED: &str =
    "unshare: refusing to run set-user-ID or set-group-ID: that would hand root to everyone\n";

#[test]
fn such_a_caller_of_a_set_user_id_binary_is_refused() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    for mode in [0o4755, 0o2755, 0o6755] {
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(mode)).expect("root may");
        called_as([ORDINARY, 0, ORDINARY, 0], &binary, "-u echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(REFUSED);
    }
}

#[test]
fn where_proc_is_not_mounted_nobody_is_given_root() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o4755)).expect("root may");
    // Somebody puts another binary where ours would be seen.
    place.subdir("self");
    std::os::unix::fs::symlink("/bin/true", place.at("self/exe")).expect("a link");
    for cover in ["umount -l /proc", "mount --bind . /proc"] {
        let started = |ids: [u32; 4], file: &str| {
            let ids = ids.map(|id| id.to_string()).join(" ");
            let ran = Tool::fixture()
                .arg("-m")
                .sh(&format!(
                    "{cover} && exec python3 -c \"$0\" {ids} {file} unshare -u echo it ran"
                ))
                .arg(BECOME)
                .dir(place.path())
                .run();
            String::from_utf8_lossy(&ran.stderr).into_owned() + &ran.text()
        };
        let refused = "unshare: refusing to run with real and effective IDs that differ: whether this is set-user-ID cannot be told: /proc/self/exe: No such file or directory\n";
        let other = [ORDINARY, ORDINARY, ORDINARY, ORDINARY];
        assert_eq!(started(other, &binary), refused, "{cover}");
        let unshare = Tool::path_of("unshare");
        let unshare = unshare.to_str().expect("a plain name");
        assert_eq!(started([ORDINARY, 0, 0, 0], unshare), refused, "{cover}");
        // Whose IDs do not differ need not be looked at.
        assert_eq!(started([0, 0, 0, 0], unshare), "it ran", "{cover}");
    }
}

#[test]
fn a_set_user_id_bit_that_counts_for_nothing_is_fine() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        user_namespaces(),
        command("setpriv")
    );
    let place = Place::new();
    copy(&place, "nskit");
    let ordinary = format!("--reuid {ORDINARY} --regid {ORDINARY} --clear-groups");
    let script = format!(
        "mkdir on && mount -t tmpfs -o nosuid,mode=755 none on && cp nskit on && chmod 6755 nskit on/nskit || exit 99
         setpriv {ordinary} on/nskit unshare -r id -u
         setpriv {ordinary} --no-new-privs ./nskit unshare -r id -u
         setpriv {ordinary} ./nskit unshare -r id -u"
    );
    let ran = Tool::fixture()
        .arg("-m")
        .sh(&script)
        .dir(place.path())
        .run();
    assert_eq!(ran.text(), "0\n0", "{ran}");
    ran.exits(125).err(&REFUSED.replace("unshare:", "nskit:"));
}

#[test]
fn file_capabilities_are_fine() {
    needs!(ours(NOT_THEIRS), root(), command("setcap"));
    let place = Place::new();
    let binary = copy(&place, "nskit");
    let set = Tool::program("setcap")
        .args(["cap_sys_admin=ep", &binary])
        .run();
    needs!(unless(set.succeeded(), "file capabilities"));
    let said = Tool::program(&binary)
        .arg0("unshare")
        .arg("-u")
        .line(INSIDE)
        .by_ordinary()
        .run()
        .ok()
        .text();
    assert_eq!(Links::said(&said).unlike(&Links::mine()), ["uts"]);
}

#[test]
fn help_of_an_applet() {
    needs!(ours("has no nskit"));
    let of = |words: &str| Tool::program(Tool::path_of("nskit")).line(words).run();
    let said = Tool::setns().arg("--help").run().ok().text();
    assert_eq!(of("help setns").ok().text(), said);
    assert_eq!(of("help").ok().text(), of("--help").ok().text());
    of("help frob")
        .exits(127)
        .err("nskit: frob: applet not found\n");
    let near = "nskit: unshar: applet not found; did you mean 'unshare'?\n";
    of("unshar -n true").exits(127).err(near);
    of("help unshar").exits(127).err(near);
}
