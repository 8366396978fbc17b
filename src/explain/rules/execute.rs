//! Why a program could not be executed.

use std::ffi::OsString;

use libc::{E2BIG, EACCES, EAGAIN, ELOOP, ENOENT, ENOTDIR, ETXTBSY};

use super::mounts::blocked;
use super::{Case, Finding, because};
use crate::failure::{Executed, Stage};
use crate::host::executable::{Executable, Need, Role};
use crate::host::format::{Format, machine_name, own_machine};
use crate::host::place::Place;
use crate::model::Word;

rules![
    Rule {
        id: "exec-needs",
        step: "exec",
        errors: [ENOENT, ENOTDIR],
        about: "The program is there, and the interpreter of its #! line or the loader of its ELF header is not.",
        advice: "The missing file is named; a static program needs none.",
        find: needs,
    },
    Rule {
        id: "exec-no-shell",
        step: "exec",
        errors: [ENOENT],
        about: "The program is neither ELF nor has it a #! line, and there is no /bin/sh to run it.",
        advice: "Add a #! line, or a /bin/sh.",
        find: |case| {
            let by_shell = |need: &&Need| need.role == Role::Shell && !need.exists;
            let need = program(case)?.needs.iter().find(by_shell)?;
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
        step: "exec",
        errors: [ENOENT],
        about: "The program is not in this root directory: PATH or SHELL are the caller's, and fit another root.",
        advice: "Add --env (nsenter), set PATH, or name a program such as /bin/sh.",
        find: |case| {
            let (executed, program) = (executed(case)?, program(case)?);
            (program.found.is_none() && executed.elsewhere && executed.own_environment)
                .then(|| elsewhere(case))?
        },
    },
    Rule {
        id: "exec-not-found",
        step: "exec",
        errors: [ENOENT, ENOTDIR],
        about: "The program is in no directory of PATH, or its path leads nowhere.",
        advice: "The part of the path that is missing is named.",
        find: not_found,
    },
    Rule {
        id: "exec-directory",
        step: "exec",
        errors: [EACCES],
        about: "It is a directory.",
        advice: "Name a program.",
        find: |case| {
            let program = program(case)?;
            program.is_directory.then(|| {
                because(
                    format!("{} is a directory", Word(program.found.as_ref()?)),
                    "name a program",
                )
            })?
        },
    },
    Rule {
        id: "exec-no-file",
        step: "exec",
        errors: [EACCES],
        about: "It is a device, a FIFO or a socket.",
        advice: "Name a program.",
        find: |case| {
            let program = program(case)?;
            let found = program.found.as_ref()?;
            (!program.is_file && !program.is_directory).then(|| {
                because(
                    format!("{} is no regular file", Word(found)),
                    "name a program",
                )
            })?
        },
    },
    Rule {
        id: "exec-noexec",
        step: "exec",
        errors: [EACCES],
        about: "The program lies on a mount with noexec.",
        advice: "Copy it elsewhere, or mount without noexec.",
        find: |case| {
            let program = program(case)?;
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
        step: "exec",
        errors: [EACCES],
        about: "The program has no x bit for us.",
        advice: "chmod +x FILE",
        find: no_x,
    },
    Rule {
        id: "exec-closed",
        step: "exec",
        errors: [EACCES],
        about: "A directory on the way to the program may not be searched.",
        advice: "The directory is named.",
        find: |case| {
            let place = as_place(case)?;
            blocked(case, &place, "chmod +x it, or run as its owner")
        },
    },
    Rule {
        id: "exec-needs-x",
        step: "exec",
        errors: [EACCES],
        about: "The interpreter or loader of the program may not be executed.",
        advice: "chmod +x it, or mount without noexec.",
        find: |case| {
            let program = program(case)?;
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
                "chmod +x it, or mount that without noexec",
            )
        },
    },
    Rule {
        id: "exec-processes",
        step: "exec",
        errors: [EAGAIN],
        about: "RLIMIT_NPROC was exceeded when the user changed.",
        advice: "Raise the limit: ulimit -u.",
        find: |case| {
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
        step: "exec",
        errors: [E2BIG],
        about: "Arguments and environment together are larger than a quarter of RLIMIT_STACK, or one of them is \
                larger than 128 KiB.",
        advice: "Pass less, by xargs(1) or in a file.",
        find: |_| {
            because(
                "either one argument is larger than 32 pages, or all and the environment together are larger than a \
                 quarter of RLIMIT_STACK",
                "pass less: by xargs, in a file, or with a smaller environment (--clear-env)",
            )
        },
    },
    Rule {
        id: "exec-busy",
        step: "exec",
        errors: [ETXTBSY],
        about: "Somebody has the program open for writing.",
        advice: "Wait until it is written.",
        find: |case| {
            because(
                format!(
                    "somebody has {} open for writing",
                    Word(program(case)?.found.as_ref()?)
                ),
                "wait until it is written; fuser(1) names the process",
            )
        },
    },
    Rule {
        id: "exec-loop",
        step: "exec",
        errors: [ELOOP],
        about: "Too many symbolic links, or interpreters of interpreters.",
        advice: "Name the program itself.",
        find: |_| {
            because(
                "either symbolic links lead in a circle, or #! lines name scripts more than 4 deep",
                "name the program itself",
            )
        },
    },
];

fn executed<'a>(case: &'a Case<'_>) -> Option<&'a Executed> {
    match case.stage {
        Stage::Execute(executed) => Some(executed),
        _ => None,
    }
}

fn program<'a>(case: &'a Case<'_>) -> Option<&'a Executable> {
    let Executed { file, path, .. } = executed(case)?;
    case.facts.executable((file, path.as_deref()))
}

fn needs(case: &Case<'_>) -> Option<Finding> {
    let (executed, program) = (executed(case)?, program(case)?);
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

fn elsewhere(case: &Case<'_>) -> Option<Finding> {
    let (executed, program) = (executed(case)?, program(case)?);
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
        return not_there(case, "name a program that is in this root directory");
    }
    because(
        format!(
            "{file} is not in this root directory in any directory of PATH, which is the caller's ({})",
            list(&program.searched)
        ),
        "add --env (nsenter) to take the target's PATH, set PATH, or name the program with its path",
    )
}

fn list(directories: &[OsString]) -> String {
    let directories: Vec<_> = directories
        .iter()
        .map(|directory| directory.to_string_lossy())
        .collect();
    Word(directories.join(":").as_ref()).to_string()
}

fn not_there(case: &Case<'_>, hint: &str) -> Option<Finding> {
    blocked(case, &as_place(case)?, hint)
}

fn not_found(case: &Case<'_>) -> Option<Finding> {
    let (executed, program) = (executed(case)?, program(case)?);
    if program.found.is_some() || (executed.elsewhere && executed.own_environment) {
        return None;
    }
    if executed.file.is_empty() {
        return because("the program's name is empty", "name a program");
    }
    if program.searched.is_empty() {
        return not_there(case, "correct the path");
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

fn no_x(case: &Case<'_>) -> Option<Finding> {
    let program = program(case)?;
    let found = program.found.as_ref()?;
    if !program.is_file || program.may_execute? || program.noexec == Some(true) {
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
        "run as its owner or in its group, or chmod a+x it",
    )
}

/// The path of the program, as a place.
fn as_place(case: &Case<'_>) -> Option<Place> {
    let (executed, program) = (executed(case)?, program(case)?);
    Some(Place {
        path: executed.file.clone(),
        obstacle: program.obstacle.clone(),
        ..Place::default()
    })
}
