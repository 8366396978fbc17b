//! `nskit doctor`: what it says is true, stable for programs, and leaves nothing.
//!
//! Other kernels (AppArmor, sysctls) are booted elsewhere; here is what this one can be made to be.

mod line;
mod places;
mod traces;
mod truth;

use serde_json::Value;

use crate::harness::*;

/// nskit is under test.
fn doctors() -> Need {
    ours("has no doctor")
}

/// The names of the checks, which never change; new ones may come.
const NAMES: &str = "rootless-container private-network many-ids user capabilities user-namespace container kernel \
    security-modules seccomp no-new-privs new-mnt new-uts new-ipc new-net new-pid new-user new-cgroup new-time new-all \
    nested map-root ranges newuidmap newgidmap map-auto proc tmpfs overlay sysfs loopback capabilities-inside \
    pivot-root persistent enter-by-pidfd enter-by-file enter-init max-mnt max-uts max-ipc max-net max-pid max-user \
    max-cgroup max-time nproc pids-max depth";

/// What the doctor has found.
struct Found {
    value: Value,
    ran: Ran,
}

/// Runs a tool that is, or executes, `nskit doctor --json`, and reads what it says.
#[track_caller]
fn found(tool: Tool) -> Found {
    let ran = tool.run();
    let value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error} in what it said: {ran}"));
    Found { value, ran }
}

/// `nskit doctor --json`.
fn doctor() -> Tool {
    Tool::nskit().line("doctor --json")
}

impl Found {
    /// The checks.
    fn checks(&self) -> &[Value] {
        self.value["checks"].as_array().expect("a list of checks")
    }

    /// A check, by its name.
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let check = self.checks().iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("there is no {name}: {}", self.ran))
    }

    /// This check has this verdict.
    #[track_caller]
    fn says(&self, name: &str, verdict: &str) -> &Self {
        let check = self.check(name);
        assert_eq!(check["verdict"], verdict, "{check}");
        self
    }

    /// This check is a no, and one of its causes has these words in it, with a hint that has those.
    #[track_caller]
    fn no(&self, name: &str, cause: &str, hint: &str) -> &Self {
        self.says(name, "no").because(name, cause, hint)
    }

    /// One of the check's causes has these words in it, with a hint that has those.
    #[track_caller]
    fn because(&self, name: &str, cause: &str, hint: &str) -> &Self {
        let check = self.check(name);
        let has = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
        let causes = check["causes"].as_array().expect("a list of causes");
        let is_said = causes
            .iter()
            .any(|one| has(&one["cause"], cause) && has(&one["hint"], hint));
        assert!(is_said, "{name} has no cause {cause:?}, {hint:?}: {check}");
        self
    }

    #[track_caller]
    fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.ran.ended, Ended::Exited(code), "{}", self.ran);
        assert!(self.ran.stderr.is_empty(), "{}", self.ran);
        self
    }
}

#[test]
fn the_form_for_programs_is_held() {
    needs!(doctors());
    let found = found(doctor());
    assert_eq!(found.value["version"], 1);
    let works = &found.value["works"];
    let status = match works {
        Value::Bool(true) => 0,
        Value::Bool(false) => 1,
        _ => 125,
    };
    found.exits(status);
    let names: Vec<&str> = found
        .checks()
        .iter()
        .map(|check| check["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, NAMES.split_ascii_whitespace().collect::<Vec<_>>());
    for check in found.checks() {
        let object = check.as_object().expect("an object");
        let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let all = [
            "causes", "detail", "group", "how", "name", "tried", "verdict", "what",
        ];
        assert_eq!(keys, all);
        let is_one_of = |key: &str, words: &str| {
            let word = check[key].as_str().expect("a word");
            assert!(words.split(' ').any(|one| one == word), "{check}");
        };
        is_one_of("verdict", "yes partly no unknown fact");
        is_one_of("how", "tried told");
        is_one_of("group", "tasks who namespaces ids inside entering limits");
        let tried = check["tried"].as_array().expect("a list");
        assert_eq!(tried.is_empty(), check["how"] == "told", "{check}");
        for one in tried {
            assert!(
                one["command"].is_string() && one["error"].is_string(),
                "{check}"
            );
            assert!(
                one["works"].is_boolean() || one["works"].is_null(),
                "{check}"
            );
            assert_eq!(one["works"] == true, one["error"] == "", "{check}");
        }
        for one in check["causes"].as_array().expect("a list") {
            assert!(
                one["cause"].is_string() && one["hint"].is_string(),
                "{check}"
            );
        }
        // Where it is not yes, there is a reason.
        if check["verdict"] == "no" || check["verdict"] == "partly" {
            assert_ne!(check["causes"].as_array().map(Vec::len), Some(0), "{check}");
        }
    }
}

#[test]
fn people_are_told_the_same() {
    needs!(doctors());
    let value = found(doctor());
    let ran = Tool::nskit().arg("doctor").run();
    let text = ran.text();
    assert!(text.starts_with("What most people want\n"), "{ran}");
    assert!(!text.contains('\x1b'), "plain where no terminal is: {ran}");
    assert_eq!(ran.ended, value.ran.ended);
    for check in value.checks() {
        let (what, verdict) = (&check["what"], &check["verdict"]);
        let verdict = match verdict.as_str() {
            Some("fact") => "-",
            word => word.expect("a word"),
        };
        let what = what.as_str().expect("words");
        let how = check["how"].as_str().expect("a word");
        let begins = format!("  {verdict:<8}{how:<6} {what}");
        assert!(
            text.lines().any(|line| line.starts_with(&begins)),
            "no {begins:?}: {ran}"
        );
    }
}

#[test]
fn quiet_is_the_status_alone() {
    needs!(doctors());
    let status = Tool::nskit().arg("doctor").run().ended;
    let quiet = Tool::nskit().line("doctor --quiet").run().out("").err("");
    assert_eq!(quiet.ended, status);
    for (command, status) in [("true", 0), ("no-such-program", 1)] {
        Tool::nskit()
            .line("doctor --quiet unshare --fork")
            .arg(command)
            .run()
            .exits(status)
            .out("")
            .err("");
    }
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    needs!(doctors());
    for words in ["doctor", "doctor --json", "doctor unshare true"] {
        Tool::shell(&format!("exec nskit {words} >/dev/full"))
            .run()
            .exits(125)
            .err("nskit: write error: No space left on device\n");
        Tool::shell(&format!("exec nskit {words} >&-"))
            .run()
            .exits(125)
            .err("nskit: write error: Bad file descriptor\n");
    }
}

#[test]
fn a_command_line_that_is_not_understood() {
    needs!(doctors());
    for word in ["--frob", "frob", "-j"] {
        let line = format!(
            "nskit: doctor: accepted are --json, --quiet and the command line of an applet, not '{word}'\n\
             Try 'nskit --help' for more information.\n"
        );
        Tool::nskit()
            .args(["doctor", word])
            .run()
            .exits(125)
            .err(&line);
    }
    let help = Tool::nskit().arg("--help").run().ok().text();
    assert!(help.contains("nskit doctor [--json]"), "{help}");
    assert_eq!(Tool::nskit().line("doctor --help").run().ok().text(), help);
}

#[test]
fn a_terminal_stays_the_callers() {
    needs!(doctors(), user_namespaces());
    let mut terminal = Terminal::shell();
    for words in ["doctor --quiet", "doctor unshare -rpf --init=group true"] {
        terminal.types(&format!("nskit {words}"));
        terminal.expect("ready> ");
        // Who were not in the foreground could not read this.
        terminal.types("read line; echo got $line");
        terminal.types("words");
        terminal.expect("got words");
        terminal.expect("[0]ready> ");
    }
}

/// What we ran out of descriptors for is not what is not there.
#[test]
fn not_everything_could_be_looked_at() {
    needs!(doctors(), command("prlimit"));
    let nskit = Tool::path_of("nskit");
    let (mut lacking, mut whole) = (0, 0);
    for count in 4..24 {
        let limited = |words: &[&str]| {
            Tool::program("prlimit")
                .arg(format!("--nofile={count}"))
                .arg(&nskit)
                .arg("doctor")
                .args(words)
                .run()
        };
        let ran = limited(&["--json"]);
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        // The loader of a debug build may need more than there are.
        if text.contains("shared libraries") {
            continue;
        }
        // getsubids(1) says its own.
        let told = "nskit: not everything could be looked at: Too many open files";
        if !text.contains(told) {
            let value = serde_json::from_slice(&ran.stdout).expect("JSON");
            let found = Found { value, ran };
            for kind in KINDS {
                let check = found.check(&format!("max-{kind}"));
                let detail = check["detail"].as_str().expect("a text");
                assert!(detail.ends_with("seen in use by all"), "{count}: {check}");
            }
            whole += 1;
            continue;
        }
        assert_eq!(text.lines().last(), Some(told), "{ran}");
        ran.exits(125);
        // With the fewest; how many are enough changes with what others have open.
        if lacking == 0 {
            limited(&["--quiet"]).exits(125);
        }
        lacking += 1;
    }
    assert!(lacking > 0 && whole > 0, "{lacking} and {whole}");
}
