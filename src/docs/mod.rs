//! Completions and man pages, made from the declarations and held against the committed files.
//!
//! `UPDATE_DOCS=1 cargo test docs` writes the files; without that a file that is not what the
//! declarations give fails its test.

mod bash;
mod crates;
mod declaration;
pub(crate) mod diagnostics;
mod fish;
mod help;
mod man;
mod value_name;
mod zsh;

use std::path::Path;
use std::process::{Command, Output};

use crate::applets::{nsenter, setns, unshare};
use crate::cli::Declared;
use crate::model::listing::Column;
use declaration::{Declaration, DeclaredOption};
use value_name::{Part, parts};

/// What documents need to know of an applet.
struct Applet {
    name: &'static str,
    description: &'static str,
    sections: &'static [(&'static str, &'static str)],
    declaration: Declaration,
    /// Whether the first operand is a reference to a namespace, not the program.
    takes_refs: bool,
}

impl Applet {
    fn of<T: Declared>() -> Self {
        Self {
            name: T::NAME,
            description: T::get_args_info().description,
            sections: T::SECTIONS,
            declaration: Declaration::of::<T>(),
            takes_refs: T::OPERANDS[0].starts_with("ref"),
        }
    }

    /// All of them, in the order in which people are told of them.
    fn all() -> [Self; 3] {
        [
            Self::of::<unshare::Options>(),
            Self::of::<nsenter::Options>(),
            Self::of::<setns::Options>(),
        ]
    }
}

/// What a shell can offer for a value besides words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Files,
    Directories,
    Users,
    Groups,
    Signals,
    Processes,
    Variables,
}

/// What can stand for an option's value.
#[derive(Debug, PartialEq, Eq)]
struct Values {
    kind: Kind,
    /// Words to be typed as they are.
    words: Vec<&'static str>,
    /// Whether several may be given, with commas.
    list: bool,
}

impl Values {
    fn of(row: DeclaredOption) -> Self {
        let name = row.value_name();
        let list = name.contains(",...");
        let mut placeholders = parts(name).filter_map(|part| match part {
            Part::Placeholder(word) => Some(word),
            Part::Literal(_) | Part::Between(_) => None,
        });
        let kind = match (placeholders.next(), placeholders.next()) {
            (Some("file"), _) => Kind::Files,
            (Some("dir"), _) => Kind::Directories,
            (Some("signal"), _) => Kind::Signals,
            (Some("pid"), _) => Kind::Processes,
            (Some("uid"), Some("name")) => Kind::Users,
            (Some("gid"), Some("name")) => Kind::Groups,
            (Some("name"), None) if list => Kind::Variables,
            _ => Kind::Nothing,
        };
        let words = parts(name).filter_map(|part| match part {
            Part::Literal(word) => Some(word),
            Part::Placeholder(_) | Part::Between(_) => None,
        });
        let mut words: Vec<&str> = words.collect();
        match parts(name).next() {
            Some(Part::Placeholder("kind")) => {
                words.extend(crate::model::Kind::ALL.map(|kind| kind.name()))
            }
            Some(Part::Placeholder("column")) => words.extend(Column::ALL.map(Column::name)),
            _ => {}
        }
        Self { kind, words, list }
    }
}

/// Says in a made file where it comes from; `#` begins a comment in all three shells.
const MADE: &str =
    "# Made from the options' declarations: UPDATE_DOCS=1 cargo test docs. Do not edit.\n";

/// Holds the committed file against what was made, or writes it.
#[track_caller]
fn committed(path: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, made).expect(path);
    }
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = is.lines().zip(made.lines()).find(|(is, made)| is != made);
    assert!(
        is == made,
        "{path} is not what the declarations give; UPDATE_DOCS=1 cargo test docs rewrites it. \
         First lines that differ: {differs:?}"
    );
}

/// The text of a committed file.
fn text_of(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(file).expect(path)
}

/// Starts another program on `arguments`, in the project's directory; `None`, after saying so, when
/// it is not installed here, unless `MUST_RUN` forbids that.
fn started(test: &str, program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Whoever runs the tests has keys and a history of their own.
        .env("INPUTRC", "/dev/null")
        .env("HISTFILE", "")
        .env("TERM", "dumb")
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(
                std::env::var_os("MUST_RUN").is_none_or(|value| value != "1"),
                "{test} must run, but there is no {program}"
            );
            println!("SKIP {test}: lacks {program}");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Whether a program is installed; if not, says so as [`started`] does.
fn installed(test: &str, program: &str) -> bool {
    started(test, program, &["--version"]).is_some()
}

/// What another program prints, line by line; it must say nothing else and succeed.
fn lines_of(test: &str, program: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let output = started(test, program, arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{program} {arguments:?}: {}\n{errors}",
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().map(str::to_owned).collect())
}

/// Whether a file is there; if not, says so as [`started`] does.
fn there(test: &str, file: &str) -> bool {
    let there = Path::new(file).exists();
    if !there {
        assert!(
            std::env::var_os("MUST_RUN").is_none_or(|value| value != "1"),
            "{test} must run, but there is no {file}"
        );
        println!("SKIP {test}: lacks {file}");
    }
    there
}

/// Holds what is offered for a process against /proc: all with a command line, none without.
#[track_caller]
fn is_of_users(offers: &[String]) {
    let own = std::process::id().to_string();
    assert!(offers.contains(&own), "{own} in {offers:?}");
    let pids = offers
        .iter()
        .filter(|offer| offer.bytes().all(|byte| byte.is_ascii_digit()));
    // Of one that is ending the command line is empty too, so its flags are looked at (PF_KTHREAD).
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let flags = stat.rsplit_once(") ").and_then(|(_, rest)| {
            let flags = rest.split(' ').nth(6)?;
            flags.parse::<u32>().ok()
        });
        assert!(
            flags.is_none_or(|flags| flags & 0x0020_0000 == 0),
            "{pid} is the kernel's: {stat}"
        );
    }
}

/// What follows an option in one word, where TAB goes on from a directory; and signals, cgroups, the program's own
/// completion.
const ATTACHED: &[(&str, &str)] = &[
    ("nsenter -nsrc/cl\tgeto", "<nsenter><-nsrc/cli/getopt>"),
    ("unshare -rRsrc/cl\tgeto", "<unshare><-rRsrc/cli/getopt>"),
    (
        "unshare --mount=src/cl\tgeto",
        "<unshare><--mount=src/cli/getopt>",
    ),
    ("unshare --kill-child=KIL", "<unshare><--kill-child=KILL>"),
    (
        "unshare -Urp --kill-child=SIGKI",
        "<unshare><-Urp><--kill-child=SIGKILL>",
    ),
    ("unshare --kill-child=EXI", "<unshare><--kill-child=EXI>"),
    (
        "unshare --forward-signals=INT,SIGTE",
        "<unshare><--forward-signals=INT,SIGTERM>",
    ),
    (
        "unshare -r nsenter --user-p",
        "<unshare><-r><nsenter><--user-parent>",
    ),
    (
        "nskit setns self nsenter --user-p",
        "<nskit><setns><self><nsenter><--user-parent>",
    ),
    (
        "nskit unshare -r nskit nsenter --user-p",
        "<nskit><unshare><-r><nskit><nsenter><--user-parent>",
    ),
];

/// Where the shell has a completion for sudo(8).
const UNDER_SUDO: &[(&str, &str)] = &[
    ("sudo nsenter --user-p", "<sudo><nsenter><--user-parent>"),
    (
        "sudo unshare -r nsenter --user-p",
        "<sudo><unshare><-r><nsenter><--user-parent>",
    ),
    (
        "setns self sudo nskit nsenter --user-p",
        "<setns><self><sudo><nskit><nsenter><--user-parent>",
    ),
];

/// Lines as they are typed, and what TAB makes of them in bash and zsh.
const TYPED: &[(&str, &str)] = &[
    ("unshare --mount-p", "<unshare><--mount-proc>"),
    ("unshare --mount=src/cl", "<unshare><--mount=src/cli>"),
    ("unshare --root src/cl", "<unshare><--root><src/cli>"),
    ("unshare -rR src/cl", "<unshare><-rR><src/cli>"),
    ("unshare -rRsrc/cl", "<unshare><-rRsrc/cli>"),
    ("unshare --propagation=sl", "<unshare><--propagation=slave>"),
    ("unshare --setgroups de", "<unshare><--setgroups><deny>"),
    (
        "unshare --forward-signals=INT,TER",
        "<unshare><--forward-signals=INT,TERM>",
    ),
    ("unshare -r mkfif", "<unshare><-r><mkfifo>"),
    ("unshare -r -- mkfif", "<unshare><-r><--><mkfifo>"),
    ("unshare mkfifo --for", "<unshare><mkfifo><--for>"),
    ("unshare mkfifo src/cl", "<unshare><mkfifo><src/cli>"),
    ("nsenter -nsrc/cl", "<nsenter><-nsrc/cli>"),
    ("nsenter -S foll", "<nsenter><-S><follow>"),
    ("setns net=sel", "<setns><net=self>"),
    (
        "setns self,user=owner:pidf",
        "<setns><self,user=owner:pidfile:>",
    ),
    ("setns pidfile:src/cl", "<setns><pidfile:src/cli>"),
    ("setns oci:completed-3", "<setns><oci:completed-3f2a>"),
    (
        "setns self,net=oci:completed-3",
        "<setns><self,net=oci:completed-3f2a>",
    ),
    (
        "nsenter -t oci:completed-3",
        "<nsenter><-t><oci:completed-3f2a>",
    ),
    ("nsenter --target=mach", "<nsenter><--target=machine:>"),
    ("setns self -- mkfif", "<setns><self><--><mkfifo>"),
    ("setns --same self al", "<setns><--same><self><all>"),
    ("nskit nsen", "<nskit><nsenter>"),
    ("nskit unshare --mount-p", "<nskit><unshare><--mount-proc>"),
    ("nskit doc", "<nskit><doctor>"),
    (
        "nskit doctor --json unshare --mount-p",
        "<nskit><doctor><--json><unshare><--mount-proc>",
    ),
    ("nskit --install src/cl", "<nskit><--install><src/cli>"),
];

/// A runtime directory in which two containers are written down, and a directory that is none. Their names begin like none of
/// this machine: those are offered too.
fn containers() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for file in [
        "runc/completed-3f2a/state.json",
        "docker/runtime-runc/moby/completed-77/state.json",
        "crun/completed-3/other",
    ] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect(file);
        std::fs::write(path, "{}").expect(file);
    }
    dir
}

/// The applets, and programs, as functions that print their arguments.
const FUNCTIONS: &str = r#"PS1=; for f in unshare nsenter setns nskit sudo; do
    eval "$f() { printf \"<%s>\" $f \"\$@\"; echo DONE; }"; done"#;
const FISH_FUNCTIONS: &str = r#"function fish_prompt; end; function fish_right_prompt; end
    for f in unshare nsenter setns nskit sudo; eval "function $f; printf '<%s>' $f \$argv; echo DO''NE; end"; end"#;

/// Types [`TYPED`] and `more` in an interactive shell, which zsh's zpty gives a terminal.
fn typed_in(test: &str, shell: &str, setup: &str, more: &[(&str, &str)]) {
    let lines: Vec<_> = TYPED.iter().chain(more).copied().collect();
    let setup = format!("{}; {setup}", FUNCTIONS.replace('\n', " "));
    typed(test, shell, &setup, &lines);
}

/// Types lines in an interactive shell, and looks at what each became.
fn typed(test: &str, shell: &str, setup: &str, lines: &[(&str, &str)]) {
    let containers = containers();
    let setup = format!(
        "export XDG_RUNTIME_DIR={}; {setup}",
        containers.path().display()
    );
    let mut arguments = vec!["600", "zsh", "-f", "src/docs/drive.zsh", shell, &setup];
    arguments.extend(lines.iter().map(|(line, _)| line));
    let Some(became) = lines_of(test, "timeout", &arguments) else {
        return;
    };
    for ((line, expected), became) in lines.iter().zip(&became) {
        // bash leaves the slash behind a directory, zsh takes it away again.
        assert_eq!(became.replace("/>", ">"), *expected, "{line}");
    }
    assert_eq!(became.len(), lines.len(), "{shell} stopped: {became:?}");
}

#[test]
fn a_value_is_completed_by_what_its_name_says() {
    let [unshare, nsenter, _] = Applet::all();
    let of = |applet: &Applet, name: &str| {
        let mut rows = applet.declaration.options();
        Values::of(rows.find(|row| row.name() == name).expect(name))
    };
    let value = |kind, words: &[&'static str], list| Values {
        kind,
        words: words.to_vec(),
        list,
    };
    assert_eq!(of(&unshare, "mount"), value(Kind::Files, &[], false));
    assert_eq!(of(&unshare, "root"), value(Kind::Directories, &[], false));
    assert_eq!(of(&unshare, "map-user"), value(Kind::Users, &[], false));
    assert_eq!(of(&unshare, "owner"), value(Kind::Nothing, &[], false));
    assert_eq!(of(&unshare, "hostname"), value(Kind::Nothing, &[], false));
    assert_eq!(
        of(&unshare, "forward-signals"),
        value(Kind::Signals, &[], true)
    );
    assert_eq!(
        of(&unshare, "whitelist-env"),
        value(Kind::Variables, &[], true)
    );
    assert_eq!(
        of(&unshare, "setgroups"),
        value(Kind::Nothing, &["allow", "deny"], false)
    );
    assert_eq!(
        of(&nsenter, "setgid"),
        value(Kind::Groups, &["follow"], false)
    );
    assert_eq!(of(&nsenter, "target"), value(Kind::Processes, &[], false));
}
