//! The program: which it is, its environment, and its execution.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::Run;
use super::ended::Ended;
use crate::failure::{Failure, Result, line};
use crate::host;
use crate::steps::Program;
use crate::steps::execute::Executed;
use crate::sys::{self, ArgList, Environment, OwnArgs};

/// Not found (POSIX, "Exit Status for Commands").
const NOT_FOUND: u8 = 127;
/// Found, but not executable.
const NOT_EXECUTABLE: u8 = 126;

impl Run<'_> {
    /// Executes the program in this process; PID 1 stays in front of it.
    pub(super) fn execute(&mut self, program: &Program) -> Result<Ended> {
        let shell;
        let is_shell = matches!(program, Program::Shell);
        let (file, args) = match program {
            Program::Given(words) => {
                let first = self.args.words().len() - words.len();
                (
                    CString::from(words[0]),
                    ArgList::Given(self.args.tail(first)),
                )
            }
            Program::Shell => {
                let file = self.shell()?;
                shell = OwnArgs::new(vec![login_name(&file)]);
                (file, ArgList::Own(&shell))
            }
        };
        if let Some(inside) = self.inside.take() {
            return self.stay_in_front(inside, |run| run.replace(&file, args, is_shell));
        }
        Err(self.replace(&file, args, is_shell))
    }

    /// Replaces this process by the program. Returns only the reason why not.
    fn replace(&mut self, file: &CString, args: ArgList<'_>, is_shell: bool) -> Failure {
        let path = match &self.state.environment {
            Some(own) => own.variable("PATH").map(OsStr::to_owned),
            None => sys::variable("PATH").map(OsStr::to_owned),
        };
        if let Err(failure) = self.announce() {
            return failure;
        }
        if let Some(death) = &self.parent_death
            && let Err(failure) = death.signals_program()
        {
            return failure;
        }
        let environment = match &self.state.environment {
            Some(own) => Environment::These(own),
            None => Environment::Same,
        };
        let blocked = self.mask.and_then(|mask| sys::set_blocked(mask).ok());
        let error = sys::execute(file, args, environment, path.as_deref());
        if let Some(blocked) = blocked {
            let _ = sys::set_blocked(blocked);
        }
        let name = OsStr::from_bytes(file.to_bytes());
        let executed = Executed {
            file: name.to_owned(),
            path,
            is_shell,
            elsewhere: self.state.is_elsewhere(),
            own_environment: self.state.environment.is_none(),
        };
        let status = if error.raw() == libc::ENOENT {
            NOT_FOUND
        } else {
            NOT_EXECUTABLE
        };
        let line = line(["failed to execute ".as_ref(), name]);
        Failure {
            status: Some(status),
            ..Failure::new(executed, line, error)
        }
    }

    /// The user's shell: `$SHELL` of the program's environment, else the one in the passwd entry.
    fn shell(&self) -> Result<CString> {
        let variable = match &self.state.environment {
            Some(own) => own.variable("SHELL").map(OsStr::to_owned),
            None => sys::variable("SHELL").map(OsStr::to_owned),
        };
        let shell = variable
            .filter(|shell| !shell.is_empty())
            .or_else(|| host::shell_of(sys::real_uid(), self.state.is_elsewhere()))
            .unwrap_or_else(|| OsString::from("/bin/sh"));
        CString::new(shell.into_vec())
            .map_err(|_| Failure::plain(Executed::default(), "SHELL: not a path"))
    }
}

/// What a login shell is called: `-` and the last component of its path.
fn login_name(file: &CString) -> CString {
    let path = file.to_bytes();
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    CString::new([b"-", name].concat()).unwrap_or_default()
}
