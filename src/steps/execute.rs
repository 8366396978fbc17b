//! The program that is executed.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use libc::{E2BIG, EACCES, EAGAIN, ELOOP, ENOENT, ENOEXEC, ENOTDIR, ETXTBSY};

use super::State;
use super::ahead::{Ahead, EnvironmentAhead};
use crate::failure::common::{blocked, module_refuses};
use crate::failure::{Case, Failure, Finding, Result, because, explains, shown};
use crate::host;
use crate::host::executable::{self, Executable, Need, Role};
use crate::host::format::{Format, machine_name, own_machine};
use crate::host::place::{Obstacle, Place};
use crate::model::Word;
use crate::sys;

/// What is executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// A program and its arguments: the rest of our own argv.
    Given(&'static [&'static CStr]),
    /// The user's shell, as a login shell.
    Shell,
    /// Nothing: the process ends, with 0, where it would execute a program.
    Nothing,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Words as a shell would take them: quoted where it is needed.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("execute")?;
        match self {
            Program::Shell => f.write_str(" the login shell"),
            Program::Nothing => f.write_str(" nothing"),
            Program::Given(words) => words
                .iter()
                .try_for_each(|word| write!(f, " {}", Word(OsStr::from_bytes(word.to_bytes())))),
        }
    }
}

impl Program {
    pub(crate) fn predict(&self, line: &str, ahead: &mut Ahead<'_>) {
        let Program::Given([first, ..]) = self else {
            return;
        };
        let Some(root) = ahead.known_root() else {
            return;
        };
        let file = OsStr::from_bytes(first.to_bytes());
        let has_slash = file.as_bytes().contains(&b'/');
        let path = match ahead.environment {
            EnvironmentAhead::Ours | EnvironmentAhead::Fewer { has_path: true } => {
                sys::variable("PATH")
            }
            EnvironmentAhead::Unknown if !has_slash => return,
            EnvironmentAhead::Fewer { .. } | EnvironmentAhead::Unknown => None,
        };
        if has_slash && ahead.moved && !file.as_bytes().starts_with(b"/") {
            return;
        }
        let executed = Executed {
            file: file.to_owned(),
            path: path.map(OsStr::to_owned),
            is_shell: false,
            elsewhere: root.is_some(),
            own_environment: ahead.environment == EnvironmentAhead::Ours,
        };
        let mut found = executable::look_up(&executed.file, executed.path.as_deref(), root);
        if !ahead.is_as_now() {
            // Whom the permissions would let pass then, nobody knows now.
            let has_x = found.mode & 0o111 != 0;
            found.may_execute = Some(has_x && found.noexec != Some(true));
            found
                .needs
                .iter_mut()
                .for_each(|need| need.may_execute = true);
        }
        for errno in [ENOENT, ENOTDIR, EACCES] {
            if ahead.tell(line, &executed, errno, |facts| {
                facts.executable = Some(found.clone()).into();
            }) {
                ahead.ends_with(exit_status(errno));
                break;
            }
        }
    }
}

/// The exit status where the program cannot be executed, for this reason (POSIX, "Exit Status for Commands").
pub(crate) const fn exit_status(errno: i32) -> u8 {
    const NOT_FOUND: u8 = 127;
    const NOT_EXECUTABLE: u8 = 126;
    if errno == ENOENT {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    }
}

/// The `PATH` of the program's environment.
pub(crate) fn search_path(state: &State) -> Option<OsString> {
    match &state.environment {
        Some(own) => own.variable("PATH").map(OsStr::to_owned),
        None => sys::variable("PATH").map(OsStr::to_owned),
    }
}

/// The user's shell: `$SHELL` of the program's environment, else the one in the passwd entry.
pub(crate) fn shell(state: &State) -> Result<CString> {
    let variable = match &state.environment {
        Some(own) => own.variable("SHELL").map(OsStr::to_owned),
        None => sys::variable("SHELL").map(OsStr::to_owned),
    };
    let shell = variable
        .filter(|shell| !shell.is_empty())
        .or_else(|| host::shell_of(sys::real_uid(), state.is_elsewhere()))
        .unwrap_or_else(|| OsString::from("/bin/sh"));
    CString::new(shell.into_vec())
        .map_err(|_| Failure::plain(Executed::default(), "SHELL: not a path"))
}

/// A program that was to be executed.
#[derive(Default)]
pub(crate) struct Executed {
    /// Its name, as given.
    pub(crate) file: OsString,
    /// The `PATH` that it was looked up in.
    pub(crate) path: Option<OsString>,
    /// It is the shell, and nobody named it on the command line.
    pub(crate) is_shell: bool,
    /// The root directory or the mount namespace is not the caller's.
    pub(crate) elsewhere: bool,
    /// Its environment is ours.
    pub(crate) own_environment: bool,
}

impl Executed {
    /// A file that is executed where the steps so far have led.
    pub(crate) fn new(
        file: OsString,
        path: Option<OsString>,
        is_shell: bool,
        state: &State,
    ) -> Executed {
        Executed {
            file,
            path,
            is_shell,
            elsewhere: state.is_elsewhere(),
            own_environment: state.environment.is_none(),
        }
    }
}

explains! {
    Executed {
        word: "exec",
        classic: "failed to execute PROGRAM",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "exec-needs",
        errors: [ENOENT, ENOTDIR],
        about: "The program is there, and the interpreter of its #! line or the loader of its ELF header is not.",
        advice: "The missing file is named; a static program needs none.",
        find: needs,
    },
    Rule {
        id: "exec-no-shell",
        errors: [ENOENT],
        about: "The program is neither ELF nor has it a #! line, and there is no /bin/sh to run it.",
        advice: "Add a #! line, or a /bin/sh.",
        find: |executed, case| {
            let by_shell = |need: &&Need| need.role == Role::Shell && !need.exists;
            let need = executed.found(case)?.needs.iter().find(by_shell)?;
            because(
                format!(
                    "{} has no #! line and is no ELF file, so /bin/sh is to run it, which is not there",
                    Word(&need.by)
                ),
                "add a #! line with an interpreter that is there",
            )
        },
    },
    Rule {
        id: "exec-elsewhere",
        errors: [ENOENT],
        about: "The program is not in this root directory: PATH or SHELL are the caller's, and fit another root.",
        advice: "{other_path}, such as /bin/sh.",
        find: |executed, case| {
            let program = executed.found(case)?;
            (program.found.is_none() && executed.elsewhere && executed.own_environment)
                .then(|| elsewhere(executed, case))?
        },
    },
    Rule {
        id: "exec-not-found",
        errors: [ENOENT, ENOTDIR],
        about: "The program is in no directory of PATH, or its path leads nowhere.",
        advice: "The part of the path that is missing is named.",
        find: not_found,
    },
    Rule {
        id: "exec-directory",
        errors: [EACCES],
        about: "It is a directory.",
        advice: "Name a program.",
        find: |executed, case| {
            let program = executed.found(case)?;
            program.is_directory?.then(|| {
                because(
                    format!("{} is a directory", Word(program.found.as_ref()?)),
                    "name a program",
                )
            })?
        },
    },
    Rule {
        id: "exec-no-file",
        errors: [EACCES],
        about: "It is a device, a FIFO or a socket.",
        advice: "Name a program.",
        find: |executed, case| {
            let program = executed.found(case)?;
            let found = program.found.as_ref()?;
            (!program.is_file? && !program.is_directory?).then(|| {
                because(
                    format!("{} is no regular file", Word(found)),
                    "name a program",
                )
            })?
        },
    },
    Rule {
        id: "exec-noexec",
        errors: [EACCES],
        about: "The program lies on a mount with noexec.",
        advice: "Copy it elsewhere, or mount without noexec.",
        find: |executed, case| {
            let program = executed.found(case)?;
            program.noexec?.then(|| {
                because(
                    format!(
                        "{} lies on a mount with noexec",
                        Word(program.found.as_ref()?)
                    ),
                    "copy it elsewhere, or mount that without noexec",
                )
            })?
        },
    },
    Rule {
        id: "exec-no-x",
        errors: [EACCES],
        about: "The program has no x bit for its user.",
        advice: "chmod +x FILE",
        find: no_x,
    },
    Rule {
        id: "exec-closed",
        errors: [EACCES],
        about: "A directory on the way to the program may not be searched.",
        advice: "The directory is named.",
        find: |executed, case| {
            let place = as_place(executed, case)?;
            let hint = match &place.obstacle {
                Some(Obstacle::Closed(directory)) => {
                    format!("chmod +x {}, or run as its owner", Word(directory))
                }
                _ => "run as its owner".to_owned(),
            };
            blocked(case, &place, &hint)
        },
    },
    Rule {
        id: "exec-needs-x",
        errors: [EACCES],
        about: "The interpreter or loader of the program may not be executed.",
        advice: "chmod +x it, or mount without noexec.",
        find: |executed, case| {
            let program = executed.found(case)?;
            let need = program
                .needs
                .iter()
                .find(|need| need.exists && !need.may_execute)?;
            because(
                format!(
                    "{}, which {} needs, may not be executed (no x bit, or a mount with noexec)",
                    Word(&need.path),
                    Word(&need.by)
                ),
                format!("chmod +x {}, or mount that without noexec", Word(&need.path)),
            )
        },
    },
    Rule {
        id: "exec-refused",
        errors: [EACCES],
        about: "A security module refuses the program, which by its permissions could be executed.",
        advice: "Have the module's profile allow it (AppArmor: \"PATH ix,\").",
        find: |executed, case| {
            let program = executed.found(case)?;
            let found = Word(program.found.as_ref()?);
            let may = program.is_file?
                && program.may_execute?
                && !program.noexec?
                && program.needs.iter().all(|need| need.exists && need.may_execute);
            may.then(|| {
                let what = format!("the execution of {found}, whose permissions let us");
                module_refuses(case, &what, &format!("{found} ix,"), false)
            })?
        },
    },
    Rule {
        id: "exec-processes",
        errors: [EAGAIN],
        about: "RLIMIT_NPROC was exceeded when the user changed.",
        advice: "Raise the limit: ulimit -u.",
        find: |_, case| {
            let limit = case.facts.processes()?.limit?;
            because(
                format!(
                    "our user has more threads than RLIMIT_NPROC ({limit}) lets it, and has changed since the start"
                ),
                "raise it: ulimit -u, prlimit --nproc",
            )
        },
    },
    Rule {
        id: "exec-too-big",
        errors: [E2BIG],
        about: "Arguments and environment together are larger than a quarter of RLIMIT_STACK, or one of them is \
                larger than 128 KiB.",
        advice: "Pass less: by xargs(1), in a file, or with {smaller}.",
        find: |_, case| {
            because(
                "either one argument is larger than 32 pages, or all and the environment together are larger than a \
                 quarter of RLIMIT_STACK",
                format!("pass less: by xargs, in a file, or with {}", case.applet.smaller()),
            )
        },
    },
    Rule {
        id: "exec-busy",
        errors: [ETXTBSY],
        about: "Somebody has the program open for writing.",
        advice: "Wait until it is written.",
        find: |executed, case| {
            because(
                format!(
                    "somebody has {} open for writing",
                    Word(executed.found(case)?.found.as_ref()?)
                ),
                "wait until it is written; fuser(1) names the process",
            )
        },
    },
    Rule {
        id: "exec-format",
        errors: [ENOEXEC],
        about: "The program is for another machine, or of no form that the kernel executes, and /bin/sh cannot run it.",
        advice: "Use a program for this machine, or register an interpreter for it in binfmt_misc.",
        find: format,
    },
    Rule {
        id: "exec-loop",
        errors: [ELOOP],
        about: "Too many symbolic links, or interpreters of interpreters.",
        advice: "Name the program itself.",
        find: |_, _| {
            because(
                "either symbolic links lead in a circle, or #! lines name scripts more than 4 deep",
                "name the program itself",
            )
        },
    },
}

impl Executed {
    /// What is found under its name.
    fn found<'a>(&self, case: &'a Case<'_>) -> Option<&'a Executable> {
        case.facts.executable((&self.file, self.path.as_deref()))
    }
}

fn needs(executed: &Executed, case: &Case<'_>) -> Option<Finding> {
    let program = executed.found(case)?;
    let missing = |need: &&Need| !need.exists && need.role != Role::Shell;
    let Need { by, role, path, .. } = program.needs.iter().find(missing)?;
    let is_interpreter = *role == Role::Interpreter;
    if let Some(name) = path.to_str().and_then(|path| path.strip_suffix('\r')) {
        return because(
            format!(
                "the #! line of {} ends with a carriage return, so it names {name}\\r",
                Word(by)
            ),
            format!("take it away: sed -i 's/\\r$//' {}", Word(by)),
        );
    }
    let what = if is_interpreter {
        "the interpreter of its #! line"
    } else {
        "the loader that its ELF header names"
    };
    let mut cause = format!("{} is there, but not {}, {what}", Word(by), Word(path));
    if let (Some(Format::Elf { machine, .. }), Some(own)) = (&program.format, own_machine())
        && *machine != own
    {
        cause.push_str(&format!(
            " (it is a program for {})",
            machine_name(*machine)
        ));
    }
    let hint = match (executed.elsewhere, is_interpreter) {
        (true, true) => "put the interpreter into this root directory",
        (true, false) => {
            "put the loader and its libraries into this root directory, or use a static program"
        }
        (false, true) => "install the interpreter, or correct the #! line",
        (false, false) => "install the loader and its libraries, or use a static program",
    };
    because(cause, hint)
}

fn elsewhere(executed: &Executed, case: &Case<'_>) -> Option<Finding> {
    let program = executed.found(case)?;
    let file = Word(&executed.file);
    if executed.is_shell {
        return because(
            format!(
                "the shell is the caller's (SHELL is {file}), and is not in this root directory"
            ),
            "name a program that is there, such as /bin/sh",
        );
    }
    if program.searched.is_empty() {
        return not_there(
            executed,
            case,
            "name a program that is in this root directory",
        );
    }
    because(
        format!(
            "{file} is not in this root directory in any directory of PATH, which is the caller's ({})",
            list(&program.searched)
        ),
        case.applet.other_path(),
    )
}

/// The kernel knows no way to execute it, nor the shell that was to run it then.
fn format(executed: &Executed, case: &Case<'_>) -> Option<Finding> {
    let program = executed.found(case)?;
    let found = Word(program.found.as_ref()?);
    let hint = "use a program for this machine, or register an interpreter for it in binfmt_misc";
    if let (Some(Format::Elf { machine, .. }), Some(own)) = (&program.format, own_machine())
        && *machine != own
    {
        let (of, here) = (machine_name(*machine), machine_name(own));
        return shown(
            format!("{found} is a program for {of}, and this machine is {here}"),
            hint,
        );
    }
    shown(
        format!(
            "the kernel can execute neither {found} nor /bin/sh, which was to run it as it has no #! line and is no \
             program for this machine"
        ),
        hint,
    )
}

fn list(directories: &[OsString]) -> String {
    let directories: Vec<_> = directories
        .iter()
        .map(|directory| directory.to_string_lossy())
        .collect();
    Word(directories.join(":").as_ref()).to_string()
}

fn not_there(executed: &Executed, case: &Case<'_>, hint: &str) -> Option<Finding> {
    blocked(case, &as_place(executed, case)?, hint)
}

fn not_found(executed: &Executed, case: &Case<'_>) -> Option<Finding> {
    let program = executed.found(case)?;
    if program.found.is_some() || (executed.elsewhere && executed.own_environment) {
        return None;
    }
    if executed.file.is_empty() {
        return because("the program's name is empty", "name a program");
    }
    if program.searched.is_empty() {
        return not_there(executed, case, "correct the path");
    }
    because(
        format!(
            "{} is in no directory of PATH ({})",
            Word(&executed.file),
            list(&program.searched)
        ),
        "install it, or name it with its path",
    )
}

fn no_x(executed: &Executed, case: &Case<'_>) -> Option<Finding> {
    let program = executed.found(case)?;
    let found = program.found.as_ref()?;
    if !program.is_file? || program.may_execute? || program.noexec == Some(true) {
        return None;
    }
    let mode = program.mode;
    if mode & 0o111 == 0 {
        return because(
            format!("{} has no x bit (its mode is {mode:04o})", Word(found)),
            format!("chmod +x {}", Word(found)),
        );
    }
    let (uid, gid) = program.owner;
    because(
        format!(
            "{} has no x bit for us (its mode is {mode:04o}, its owner {uid}:{gid})",
            Word(found)
        ),
        format!(
            "run as its owner or in its group, or chmod a+x {}",
            Word(found)
        ),
    )
}

/// The path of the program, as a place.
fn as_place(executed: &Executed, case: &Case<'_>) -> Option<Place> {
    let program = executed.found(case)?;
    Some(Place {
        path: executed.file.clone(),
        obstacle: program.obstacle.clone(),
        ..Place::default()
    })
}
