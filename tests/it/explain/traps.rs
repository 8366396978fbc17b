//! Command lines that are taken for something else than was meant: the classic line stays, and what was meant is said.

use super::*;

#[test]
fn a_namespace_file_behind_a_blank() {
    needs!(root(), explains());
    let hint = "--net=/run/netns/x";
    why(Tool::unshare().line("-n /run/netns/x true"))
        .because("/run/netns/x was taken for the program", hint)
        .only(1);
    let told = why(Tool::nsenter().line("-n /run/netns/x"))
        .because("the value of --net must be attached", hint)
        .only(1);
    assert_eq!(told.ran.ended, Ended::Exited(1));
    // A program of a target's that is not there is nothing of the kind, nor is one behind `--`.
    why(Tool::unshare().line("-n /no/such true")).because("there is no /no", "");
    why(Tool::unshare().line("-n -- /run/netns/x")).because("there is no", "");
    // What was said is what works.
    let holder = Holder::unshare("-u");
    let file = holder.file("uts");
    let hint = why(Tool::nsenter().line(&format!("-u {file} true"))).hint_of("must be attached");
    Tool::nsenter().arg(hint).arg("true").run().ok();
}

#[test]
fn a_process_without_a_kind() {
    needs!(root(), explains());
    let holder = Holder::unshare("-u");
    let pid = holder.pid().to_string();
    let target = || Tool::nsenter().args(["-t", &pid]);
    let added = why(target().arg("true")).to_add("no option names what is entered");
    target().args(&added).arg("true").run().ok();
    let bare = why(Tool::nsenter().arg(&pid)).hint_of("was taken for the program");
    assert_eq!(bare, format!("add -t {pid} -a for all of its namespaces"));
    why(Tool::nsenter().args(["-n", &pid])).because("named with -t", &format!("add -t {pid}"));
}

#[test]
fn a_process_by_its_name() {
    needs!(explains());
    why(Tool::nsenter().line("-t firefox -a true"))
        .because("firefox is none", "pgrep -o firefox")
        .only(1);
}

#[test]
fn options_behind_a_reference() {
    needs!(root(), explains());
    why(Tool::setns().line("net=self --fork true"))
        .because("--fork was taken for the program", "setns --fork net=self")
        .only(1);
    Tool::setns().line("--fork net=self true").run().ok();
}

#[test]
fn nothing_is_said_where_nobody_asks() {
    needs!(explains());
    let ran = Tool::nsenter().line("-t firefox -a true").run().exits(1);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr).lines().count(),
        1,
        "{ran}"
    );
    Tool::nsenter()
        .line("--explain -t firefox -a true")
        .run()
        .err_has("\n  cause: ");
}

#[test]
fn forms_of_a_reference() {
    needs!(explains());
    let ran = Tool::setns().line("nonsense true").run().exits(125);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr).lines().count(),
        1,
        "{ran}"
    );
    let mut terminal = Terminal::shell();
    terminal.types("setns nonsense true");
    terminal.expect("setns: 'nonsense' names no namespace; understood are:");
    terminal.expect("  netns:NAME\r\n");
    terminal.expect("[125]ready> ");
}

/// What is said of an option that is not known: both classic lines, and below them what it was to do.
#[track_caller]
fn unknown(tool: Tool, line: &str, cause: &str, hint: &str) {
    let ran = tool.env("NSKIT_EXPLAIN", "1").run();
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], line, "{ran}");
    assert!(lines[1].starts_with("Try '") && lines.len() < 5, "{ran}");
    assert!(
        lines[2].starts_with("  cause: ") && lines[2].contains(cause),
        "{ran}"
    );
    let said = lines.get(3).and_then(|line| line.strip_prefix("  hint: "));
    assert!(
        said.unwrap_or_default().contains(hint) && said.is_none() == hint.is_empty(),
        "{ran}"
    );
}

#[test]
fn options_of_another_applet() {
    needs!(explains());
    unknown(
        Tool::unshare().line("-t 1 -n true"),
        "unshare: invalid option -- 't'",
        "-t is nsenter's",
        "nsenter -a -t PID",
    );
    unknown(
        Tool::nsenter().line("-t 1 -u --hostname=box true"),
        "nsenter: unrecognized option '--hostname=box'",
        "no host name",
        "hostname NAME",
    );
    unknown(
        Tool::nsenter().line("-f -t 1 -p true"),
        "nsenter: invalid option -- 'f'",
        "forks by itself",
        "leave -f out",
    );
    unknown(
        Tool::nsenter().line("-t 1 -R / true"),
        "nsenter: invalid option -- 'R'",
        "-R is unshare's",
        "--root=DIR",
    );
    unknown(
        Tool::nsenter().line("-t 1 --mount-proc true"),
        "nsenter: unrecognized option '--mount-proc'",
        "--mount-proc is an option of unshare, not of nsenter",
        "",
    );
    unknown(
        Tool::nsenter().line("-t 1 --map-root-user true"),
        "nsenter: unrecognized option '--map-root-user'",
        "--map-root-user is an option of unshare, not of nsenter",
        "",
    );
    unknown(
        Tool::setns().line("-U 1 true"),
        "setns: invalid option -- 'U'",
        "setns names what it enters by references, and has no -U",
        "setns user=PID",
    );
    unknown(
        Tool::setns().line("--net=/run/netns/x true"),
        "setns: unrecognized option '--net=/run/netns/x'",
        "has no --net",
        "setns net=PID",
    );
    unknown(
        Tool::setns().line("-a 1"),
        "setns: invalid option -- 'a'",
        "has no -a",
        "setns PID",
    );
    // One guess is enough.
    let guessed = Tool::nsenter().line("--rootfs=/ -t 1 true");
    let ran = guessed.env("NSKIT_EXPLAIN", "1").run().exits(1);
    ran.err(
        "nsenter: unrecognized option '--rootfs=/'; did you mean '--root'?\n\
         Try 'nsenter --help' for more information.\n",
    );
    // Nobody has it, or nobody asks.
    for (words, asked) in [
        ("--frobnicate=1", "1"),
        ("-\u{e9}", "1"),
        ("-U 1", "0"),
        ("--explain -U 1", "0"),
    ] {
        let ran = Tool::setns()
            .line(words)
            .env("NSKIT_EXPLAIN", asked)
            .run()
            .exits(125);
        let lines = String::from_utf8_lossy(&ran.stderr).lines().count();
        assert_eq!(lines, 2, "{words}: {ran}");
    }
    Tool::setns()
        .line("--explain -U 1")
        .run()
        .exits(125)
        .err_has("\n  hint: setns user=PID");
}

#[test]
fn letters_that_are_a_file() {
    needs!(root(), explains());
    let holder = Holder::unshare("-umpf");
    let pid = holder.pid().to_string();
    for (cluster, file, hint) in [
        ("-mu", "u", "write each alone: -m -u"),
        ("-pmu", "mu", "write each alone: -p -m -u"),
        // It forks by itself.
        ("-pf", "f", "write each alone: -p"),
    ] {
        let told = why(Tool::nsenter().args(["-t", &pid, cluster, "true"]))
            .of(&format!("nsenter: cannot open {file}: {ENOENT}"))
            .because(&format!("so {file} was taken for a file"), hint)
            .only(1);
        let said = told.hint_of("was taken for a file");
        let letters = said.strip_prefix("write each alone: ").expect("letters");
        Tool::nsenter()
            .args(["-t", &pid])
            .line(letters)
            .arg("true")
            .run()
            .ok();
    }
    // A file is a file.
    for words in ["-n/no/such", "--net=u", "-nx"] {
        why(Tool::nsenter().args(["-t", &pid]).line(words).arg("true")).because("there is no ", "");
    }
}

#[test]
fn a_process_named_as_nsenter_has_it() {
    needs!(root(), explains());
    let holder = Holder::unshare("-u");
    let pid = holder.pid().to_string();
    let hint = why(Tool::setns().args(["-t", &pid, "true"]))
        .because("-t is --type here", "")
        .hint_of("-t is --type here");
    assert_eq!(
        hint,
        format!("setns {pid}, and then the program; net={pid} for one kind alone")
    );
    for reference in [pid.clone(), format!("net={pid}")] {
        Tool::setns().args([&reference, "true"]).run().ok();
    }
}

#[test]
fn ranges_that_nobody_has() {
    needs!(root(), explains());
    for words in [
        "--map-auto true",
        "--map-users=auto true",
        "--map-subids true",
    ] {
        // Nobody has this number.
        let told = why(Tool::unshare().line(words).by_user(54_321, 54_321));
        told.because("no line for 54321 is in /etc/subuid", "useradd --uid 54321");
    }
}
