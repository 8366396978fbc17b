//! What is said of command lines, and of those beside them that mean what they say.

use std::ffi::CString;

use super::*;
use crate::failure::Unexplained;
use crate::sys;

/// A command line as it is given to us, with the applet's name in front.
struct Line(Vec<CString>);

impl Line {
    fn of(text: &str) -> Line {
        let words = text.split_ascii_whitespace();
        Line(words.map(|word| CString::new(word).unwrap()).collect())
    }

    fn argv(&self) -> Vec<&CStr> {
        self.0.iter().map(CString::as_c_str).collect()
    }

    fn applet(&self) -> AppletName {
        AppletName::of(self.0[0].to_bytes()).unwrap()
    }
}

/// The cause and the hint about a failure of this command line.
fn said_of(text: &str, failure: &Failure) -> Option<(String, String)> {
    let line = Line::of(text);
    let cause = trap(line.applet(), &line.argv(), failure)?;
    Some((cause.cause, cause.hint))
}

/// Where the program could not be executed.
fn not_executed(text: &str) -> Option<(String, String)> {
    let error = sys::Error::from_raw(libc::ENOENT);
    let line = "failed to execute it";
    said_of(text, &Failure::new(Unexplained("exec"), line, error))
}

/// Where the command line itself was refused.
fn refused(text: &str) -> Option<(String, String)> {
    let failure = Failure::plain(Unexplained("command-line"), "it is refused");
    said_of(text, &failure)
}

/// Where a file could not be opened.
fn not_opened(text: &str, file: &str, errno: i32) -> Option<(String, String)> {
    let error = sys::Error::from_raw(errno);
    let line = format!("cannot open {file}");
    said_of(text, &Failure::new(Unexplained("open"), line, error))
}

fn some(cause: &str, hint: &str) -> Option<(String, String)> {
    Some((cause.to_owned(), hint.to_owned()))
}

#[test]
fn a_file_behind_a_blank() {
    let of = |file: &str, option: &str| {
        let cause =
            format!("{file} was taken for the program: the value of --{option} must be attached");
        some(&cause, &format!("--{option}={file}"))
    };
    for said in [not_executed, refused] {
        assert_eq!(
            said("unshare -n /run/netns/x true"),
            of("/run/netns/x", "net")
        );
        assert_eq!(said("unshare -rn /run/netns/x"), of("/run/netns/x", "net"));
        assert_eq!(
            said("nsenter -u /proc/1/ns/uts"),
            of("/proc/1/ns/uts", "uts")
        );
        for fine in [
            "unshare -n /no/such true",
            "unshare -n -- /run/netns/x",
            "unshare -nr /run/netns/x",
            "unshare --net=/run/x /run/netns/y",
            "unshare /run/netns/x",
            "unshare -n",
            "setns -f /run/netns/x",
        ] {
            assert_eq!(said(fine), None, "{fine}");
        }
    }
    // Then it was no program that failed.
    let failure = Failure::plain(Unexplained("unshare"), "unshare failed");
    assert_eq!(said_of("unshare -n /run/netns/x true", &failure), None);
}

#[test]
fn a_process_by_its_name() {
    let cause = "a process is named by its PID, and firefox is none";
    let expected = some(cause, "-t \"$(pgrep -o firefox)\"");
    assert_eq!(refused("nsenter -t firefox -a true"), expected);
    assert_eq!(refused("nsenter -t firefox true"), expected);
    assert_eq!(not_executed("nsenter -t firefox -a true"), None);
    for fine in [
        "nsenter -t 12 -a true",
        "nsenter -t 1x -a true",
        "nsenter -t x:12 -a true",
        "nsenter --target= -a true",
    ] {
        assert_eq!(refused(fine), None, "{fine}");
    }
}

#[test]
fn a_process_without_a_kind_and_a_number_without_an_option() {
    let expected = some(
        "--target names the process, and no option names what is entered of it",
        "add -a for all of its namespaces, or some of -m -u -i -n -p -C -U -T",
    );
    assert_eq!(refused("nsenter -t 12 true"), expected);
    assert_eq!(refused("nsenter -t 12 -F true"), expected);
    for fine in ["-a", "-n", "-pm", "--net-socket=3"] {
        let line = format!("nsenter -t 12 {fine} true");
        assert_eq!(refused(&line), None, "{fine}");
    }
    let cause = "12 was taken for the program: a process is named with -t";
    let all = some(cause, "add -t 12 -a for all of its namespaces");
    assert_eq!(refused("nsenter 12 true"), all);
    assert_eq!(refused("nsenter -F 12"), all);
    for names_kind in ["-a", "-n", "-pm", "--net-socket=3"] {
        let line = format!("nsenter {names_kind} 12");
        assert_eq!(refused(&line), some(cause, "add -t 12"), "{line}");
    }
    for fine in [
        "nsenter",
        "nsenter -a",
        "nsenter 12x",
        "nsenter true 12",
        "unshare 12",
    ] {
        assert_eq!(refused(fine), None, "{fine}");
    }
    assert_eq!(not_executed("nsenter 12"), None);
}

#[test]
fn options_behind_a_reference() {
    let expected = some(
        "--fork was taken for the program: options stand in front of the reference",
        "setns --fork net=self, and then the program",
    );
    for line in ["setns net=self --fork true", "setns -v net=self --fork"] {
        assert_eq!(not_executed(line), expected, "{line}");
    }
    assert_eq!(refused("setns net=self --fork true"), None);
    for fine in [
        "setns net=self - x",
        "setns net=self -- x",
        "setns net=self true -x",
        "setns net=self",
        "setns",
    ] {
        assert_eq!(not_executed(fine), None, "{fine}");
    }
}

#[test]
fn a_process_as_nsenter_has_it() {
    let expected = some(
        "-t is --type here, which kinds are shown: a process is named by a reference, and 77 is one",
        "setns 77, and then the program; net=77 for one kind alone",
    );
    assert_eq!(refused("setns -t 77 true"), expected);
    assert_eq!(not_executed("setns -t 77 true"), None);
    for fine in [
        "setns -t net 77",
        "setns --type= 77",
        "setns 77",
        "setns -t 7x 1",
    ] {
        assert_eq!(refused(fine), None, "{fine}");
    }
}

#[test]
fn letters_that_are_a_file() {
    let of = |first: char, file: &str, alone: &str| {
        let cause =
            format!("the letters behind -{first} are its value, so {file} was taken for a file");
        some(&cause, &format!("write each alone: {alone}"))
    };
    let missing = |line: &str, file: &str| not_opened(line, file, libc::ENOENT);
    assert_eq!(missing("nsenter -t 1 -mu true", "u"), of('m', "u", "-m -u"));
    assert_eq!(missing("nsenter -pmu", "mu"), of('p', "mu", "-p -m -u"));
    // It forks by itself.
    assert_eq!(missing("nsenter -t 1 -pf true", "f"), of('p', "f", "-p"));
    assert_eq!(missing("nsenter -pmf true", "mf"), of('p', "mf", "-p -m"));
    for (fine, file) in [
        ("nsenter -t 1 --net=u true", "u"),
        // No such option, and one that takes a value of its own.
        ("nsenter -t 1 -nx true", "x"),
        ("nsenter -t 1 -nS true", "S"),
        // Not the file of a namespace, or not this file.
        ("nsenter -t 1 -wu true", "u"),
        ("nsenter -t 1 -mu true", "n"),
        // The program's own.
        ("nsenter -t 1 --net=u program -nu", "u"),
        ("unshare -mu true", "u"),
    ] {
        assert_eq!(missing(fine, file), None, "{fine}");
    }
    let mu = "nsenter -t 1 -mu true";
    assert_eq!(not_opened(mu, "u", libc::EACCES), None);
    let error = sys::Error::from_raw(libc::ENOENT);
    let failure = Failure::new(Unexplained("open"), "cannot read u", error);
    assert_eq!(said_of(mu, &failure), None);
}

#[test]
fn ranges_that_nobody_has() {
    let refused = |text: &str, line: &str| {
        let failure = Failure::plain(Unexplained("command-line"), line);
        said_of(text, &failure)
    };
    // Why there are none is told of this machine.
    let first = no_ranges().into_iter().next();
    let expected = first.map(|Cause { cause, hint }| (cause, hint));
    for file in ["/etc/subuid", "/etc/subgid"] {
        let line = format!("no line for 1 is in {file}");
        assert_eq!(refused("unshare --map-auto true", &line), expected);
        assert_eq!(refused("unshare -n true", &line), None);
        assert_eq!(
            refused("unshare --map-auto true", &format!("{line}s")),
            None
        );
    }
}

#[test]
fn options_that_an_applet_does_not_know() {
    use AppletName::{Nsenter, Setns, Unshare};
    let of = |applet, line: &str| {
        unknown(applet, line.as_ref()).map(|Cause { cause, hint }| (cause, hint))
    };
    let long = |name: &str| format!("unrecognized option '--{name}'");
    let short = |letter: &str| format!("invalid option -- '{letter}'");
    let target = |option: &str| {
        let cause = format!(
            "unshare makes namespaces, and enters none of a process: {option} is nsenter's"
        );
        some(&cause, "nsenter -a -t PID, and then the program")
    };
    assert_eq!(of(Unshare, &short("t")), target("-t"));
    assert_eq!(of(Unshare, &long("target")), target("--target"));
    assert_eq!(of(Unshare, &long("target=1")), target("--target"));
    let hostname = of(Nsenter, &long("hostname=box")).unwrap();
    assert!(hostname.0.contains("so no host name"), "{hostname:?}");
    for (line, option) in [(short("f"), "-f"), (long("fork"), "--fork")] {
        let cause = "nsenter forks by itself where it enters a PID namespace";
        assert_eq!(
            of(Nsenter, &line),
            some(cause, &format!("leave {option} out"))
        );
    }
    let root = of(Nsenter, &short("R")).unwrap();
    assert!(root.0.starts_with("-R is unshare's"), "{root:?}");
    let has_no =
        |option: &str| format!("setns names what it enters by references, and has no {option}");
    for (line, option) in [
        (short("a"), "-a"),
        (long("all"), "--all"),
        (long("target"), "--target"),
    ] {
        let hint = "setns PID, and then the program, for all namespaces of a process";
        assert_eq!(of(Setns, &line), some(&has_no(option), hint));
    }
    for (line, option) in [(short("U"), "-U"), (long("user=1"), "--user")] {
        let hint = "setns user=PID, and then the program; user=/run/x for a file";
        assert_eq!(of(Setns, &line), some(&has_no(option), hint));
    }
    // What another has.
    let other = |option: &str, other: &str, applet: &str| {
        some(
            &format!("{option} is an option of {other}, not of {applet}"),
            "",
        )
    };
    let proc = other("--mount-proc", "unshare", "nsenter");
    assert_eq!(of(Nsenter, &long("mount-proc")), proc);
    assert_eq!(of(Nsenter, &long("mount-proc=/x")), proc);
    assert_eq!(
        of(Unshare, &long("show")),
        other("--show", "setns", "unshare")
    );
    assert_eq!(of(Unshare, &short("Z")), other("-Z", "nsenter", "unshare"));
    // One guess is enough; and nobody has these.
    let guessed = format!("{}; did you mean '--mount'?", long("mount-proc"));
    assert_eq!(of(Nsenter, &guessed), None);
    for nobody_s in [
        long("frobnicate"),
        long(""),
        long("=1"),
        long("mount_proc"),
        short("?"),
        short("y"),
        "unrecognized option '--mount-proc".to_owned(),
        "option '--mount-proc' is ambiguous".to_owned(),
    ] {
        assert_eq!(of(Nsenter, &nobody_s), None, "{nobody_s}");
    }
}

#[test]
fn options_that_were_met() {
    let has = |text: &str, option: &str| {
        let line = Line::of(text);
        has_seen(line.applet(), &line.argv(), option)
    };
    assert!(has("unshare --explain -n", "explain"));
    assert!(has("nsenter -t 1 --explain --no-such", "explain"));
    assert!(!has("nsenter -t 1 --no-such --explain", "explain"));
    assert!(!has("setns net=self --explain", "explain"));
    assert!(!has("unshare -n", "explain"));
}
