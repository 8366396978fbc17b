//! Why it failed, and what to do: the lines under the classic one, each for a failure that is made for real.
//!
//! Causes that take another kernel, or AppArmor, are tested in the program itself, over recorded facts.

mod enter;
mod execute;
mod followed;
mod forecast;
mod maps;
mod mounts;
mod terminal;
mod traps;
mod unshare;

pub(crate) use unshare::{CHROOT, filtered};

use crate::harness::*;

const EPERM: &str = "Operation not permitted";
const EINVAL: &str = "Invalid argument";
const ENOENT: &str = "No such file or directory";
const EACCES: &str = "Permission denied";

/// A failure with its explanation.
struct Told {
    /// The classic line.
    line: String,
    /// Each cause with its hint.
    causes: Vec<(String, String)>,
    ran: Ran,
}

/// nskit is under test.
fn explains() -> Need {
    ours("explains nothing")
}

/// Runs the tool with `NSKIT_EXPLAIN=1`, and reads what it says of its failure.
#[track_caller]
fn why(tool: Tool) -> Told {
    let ran = tool.env("NSKIT_EXPLAIN", "1").run();
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    let mut told = Told {
        line: String::new(),
        causes: Vec::new(),
        ran,
    };
    for line in text.lines() {
        if let Some(cause) = line.strip_prefix("  cause: ") {
            told.causes.push((cause.to_owned(), String::new()));
        } else if let Some(hint) = line.strip_prefix("  hint: ") {
            let (_, last) = told.causes.last_mut().expect("a hint follows a cause");
            assert_eq!(last, "", "a cause has one hint: {text}");
            hint.clone_into(last);
        } else if told.causes.is_empty() {
            line.clone_into(&mut told.line);
        }
    }
    assert!(!told.ran.succeeded(), "nothing failed: {}", told.ran);
    assert!(!told.causes.is_empty(), "no cause: {}", told.ran);
    told
}

impl Told {
    /// The classic line is exactly this.
    #[track_caller]
    fn of(self, line: &str) -> Self {
        assert_eq!(self.line, line, "{}", self.ran);
        self
    }

    /// One of the causes has these words in it, and its hint those.
    #[track_caller]
    fn because(self, cause: &str, hint: &str) -> Self {
        let is_said = self
            .causes
            .iter()
            .any(|(its_cause, its_hint)| its_cause.contains(cause) && its_hint.contains(hint));
        assert!(
            is_said,
            "no cause {cause:?} with a hint {hint:?}: {}",
            self.ran
        );
        self
    }

    /// The hint of the cause with these words in it, as it is to be followed.
    #[track_caller]
    fn hint_of(&self, cause: &str) -> String {
        let said = self
            .causes
            .iter()
            .find(|(its_cause, _)| its_cause.contains(cause));
        let (_, hint) = said.unwrap_or_else(|| panic!("no cause {cause:?}: {}", self.ran));
        hint.clone()
    }

    /// The options that the hint of that cause says to add.
    #[track_caller]
    fn to_add(&self, cause: &str) -> Vec<String> {
        let hint = self.hint_of(cause);
        let (_, added) = hint
            .split_once("add ")
            .unwrap_or_else(|| panic!("nothing to add: {hint}"));
        let words = added.split_whitespace();
        let options: Vec<String> = words
            .take_while(|word| word.starts_with('-'))
            .map(|word| word.trim_end_matches([',', ';', ':']).to_owned())
            .collect();
        assert!(!options.is_empty(), "nothing to add: {hint}");
        options
    }

    /// There are no more causes than this.
    #[track_caller]
    fn only(self, count: usize) -> Self {
        assert_eq!(self.causes.len(), count, "{}", self.ran);
        self
    }
}

/// A failure that an ordinary user gets by asking for what takes privilege.
fn refused() -> Tool {
    Tool::unshare().line("-n true").by_ordinary()
}

const REFUSED: &str = "unshare: unshare failed: Operation not permitted\n";

#[test]
fn nothing_more_than_the_classic_line_where_no_terminal_is() {
    needs!(root());
    refused().run().exits(1).err(REFUSED);
    // Neither 0, 1 nor anything that was thought of.
    for value in ["", "2", "yes"] {
        refused().env("NSKIT_EXPLAIN", value).run().err(REFUSED);
    }
}

#[test]
fn the_first_line_is_the_classic_one_whoever_wants_more() {
    needs!(root(), explains());
    let explained = format!(
        "{REFUSED}  cause: CAP_SYS_ADMIN is missing (CapEff is 0000000000000000), which a new namespace (net) takes \
         without -U\n  hint: add -r, which makes you root in a user namespace of your own, or run as root\n"
    );
    refused()
        .env("NSKIT_EXPLAIN", "1")
        .run()
        .exits(1)
        .err(&explained);
    let by_option = || Tool::unshare().line("--explain -n true").by_ordinary();
    by_option().run().exits(1).err(&explained);
    by_option()
        .env("NSKIT_EXPLAIN", "0")
        .run()
        .exits(1)
        .err(REFUSED);
}

#[test]
fn each_applet_has_the_option() {
    needs!(explains());
    for tool in [
        Tool::unshare().line("--explain no-such-program"),
        Tool::nsenter().line("--explain --uts=/proc/self/ns/net true"),
        Tool::setns().line("--explain no/such/file true"),
        Tool::setns().line("--show --explain no/such/file"),
        Tool::setns().line("--same --explain no/such/file self"),
    ] {
        tool.run().err_has("\n  cause: ");
    }
}

#[test]
fn a_terminal_explains_by_itself() {
    needs!(explains());
    let mut terminal = Terminal::shell();
    terminal.types("unshare no-such-program");
    terminal.expect("unshare: failed to execute no-such-program: No such file or directory");
    terminal.expect("  cause: no-such-program is in no directory of PATH");
    terminal.expect("  hint: ");
    terminal.expect("[127]ready> ");
    terminal.types("NSKIT_EXPLAIN=0 unshare no-such-program");
    terminal.expect("unshare: failed to execute no-such-program: No such file or directory");
    let rest = terminal.expect("[127]ready> ");
    assert!(!rest.contains("cause"), "{rest}");
}

#[test]
fn a_pid_namespace_without_a_fork_gets_advice_at_a_terminal() {
    needs!(root(), explains());
    let mut terminal = Terminal::shell();
    terminal.types("unshare -p true");
    terminal.expect("unshare: add --fork: only children enter the new PID namespace");
    terminal.expect("[0]ready> ");
    Tool::unshare().line("-p true").run().ok();
}

#[test]
fn a_report_has_the_causes_too() {
    needs!(root(), explains());
    let ran = Tool::unshare()
        .line("--status-fd=1 -n true")
        .by_ordinary()
        .run()
        .exits(1)
        .err(REFUSED);
    let report: serde_json::Value = serde_json::from_str(&ran.text()).expect("a line of JSON");
    let error = &report["error"];
    assert_eq!(error["step"], "unshare");
    assert_eq!(error["errno"], "EPERM");
    let part = |name: &str| error[name].as_str().unwrap_or_default();
    assert!(
        part("cause").starts_with("CAP_SYS_ADMIN is missing"),
        "{ran}"
    );
    assert!(part("hint").starts_with("add -r"), "{ran}");
}

#[test]
fn two_causes_are_both_named() {
    needs!(root(), explains(), command("setpriv"), command("newuidmap"));
    let place = Place::new();
    let powerless = place.at("newuidmap");
    // Each of them alone would refuse it: no bit, no_new_privs, no account, no line in /etc/subuid.
    let newuidmap = find("newuidmap").expect("a need that was looked at");
    std::fs::copy(newuidmap, &powerless).expect("a copy");
    let plain = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&powerless, plain).expect("our file");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.path().display());
    why(Tool::program("setpriv")
        .arg("--no-new-privs")
        .arg(Tool::path_of("unshare"))
        .line("--map-users=0:100000:5 true")
        .env("PATH", path)
        .by_ordinary())
    .of("unshare: newuidmap failed: exit status 1")
    .because(
        "neither set-user-ID root nor has it file capabilities",
        "chmod u+s",
    )
    .because("no_new_privs is set", "NoNewPrivileges")
    .because(
        &format!("/etc/subuid has no line for {ORDINARY}"),
        &format!("{ORDINARY}:100000:5"),
    )
    .because("is not in /etc/passwd", "useradd")
    .only(4);
}

#[test]
fn where_nothing_fits_what_was_looked_at_is_said() {
    needs!(root(), explains());
    let name = "x".repeat(65);
    let told = why(Tool::unshare()
        .arg(format!("--hostname={name}"))
        .arg("true"))
    .of("unshare: sethostname failed: Invalid argument")
    .because("none of those known; looked at: user 0, CapEff ", "")
    .only(1);
    assert_eq!(told.causes[0].1, "", "nothing can be advised: {}", told.ran);
}

#[test]
fn without_proc_that_is_said() {
    needs!(root(), explains());
    let name = "x".repeat(65);
    why(Tool::fixture().line("-m").sh(&format!(
        "umount -l /proc && exec unshare --hostname={name} true"
    )))
    .because("looked at: user 0, ", "")
    .because("capabilities by capget(2) ", "")
    .because("/proc is not mounted here", "");
}

#[test]
fn without_proc_what_needs_it() {
    needs!(root(), explains());
    for words in [
        "-Ur true",
        "--map-users=0:0:10 true",
        "-T -f --boottime=3 true",
    ] {
        why(Tool::fixture()
            .line("-m")
            .sh(&format!("umount -l /proc && exec unshare {words}")))
        .because("/proc is not mounted here", "mount -t proc proc /proc")
        .only(1);
    }
}

/// The names of the system calls that a successful run makes, in their order.
#[track_caller]
fn calls(words: &[&str]) -> Vec<String> {
    let place = Place::new();
    let trace = place.at("trace");
    Tool::program("strace")
        .args(["-f", "-o", &trace])
        .arg(Tool::path_of("unshare"))
        .args(words)
        .arg("true")
        .run()
        .ok();
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_pid, call)| Some(call.trim_start().split_once('(')?.0.to_owned()))
        .collect()
}

#[test]
fn success_costs_nothing() {
    needs!(root(), explains(), command("strace"));
    for words in ["-u", "-Ur", "-m"] {
        let plain = calls(&[words]);
        let explained = calls(&["--explain", words]);
        assert!(plain.len() > 3, "{plain:?}");
        assert_eq!(plain, explained, "{words}");
    }
}
