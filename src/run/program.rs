//! The program: which it is, its environment, and its execution.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::Run;
use super::child::fork_failed;
use super::ended::Ended;
use crate::failure::{Failure, Result, line};
use crate::steps::Program;
use crate::steps::execute::{Executed, exit_status, search_path, shell};
use crate::sys::{self, ArgList, Environment, OwnArgs};

impl Run<'_> {
    /// Executes the program in this process; PID 1 stays in front of it.
    pub(super) fn execute(&mut self, program: &Program) -> Result<Ended> {
        let args;
        let is_shell = matches!(program, Program::Shell);
        let given = match program {
            Program::Given(words) => {
                let first = self.args.words().len() - words.len();
                Some((
                    Cow::from(words.first().copied().unwrap_or_default()),
                    ArgList::Given(self.args.tail(first)),
                ))
            }
            Program::Shell => {
                let file = shell(&self.state)?;
                args = OwnArgs::new(vec![login_name(&file)]);
                Some((Cow::from(file), ArgList::Own(&args)))
            }
            Program::Nothing => None,
        };
        let execute = |run: &mut Self| match &given {
            Some((file, args)) => run.replace(file, *args, is_shell),
            // It has started as far as anybody can see, and has ended.
            None => sys::exit_now(0),
        };
        match self.inside.take() {
            Some(inside) => self.stay_in_front(inside, execute),
            None => Err(execute(self)),
        }
    }

    /// Replaces this process by the program. Returns only the reason why not.
    fn replace(&mut self, file: &CStr, args: ArgList<'_>, is_shell: bool) -> Failure {
        // Nobody looks through an environment for a PATH that is not searched.
        let has_slash = file.to_bytes().contains(&b'/');
        let path = if has_slash {
            None
        } else {
            search_path(&self.state)
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
        // The program is not to find blocked what its caller had not.
        let blocked = match self.mask.map(sys::set_blocked).transpose() {
            Ok(blocked) => blocked,
            Err(error) => return fork_failed(error),
        };
        let error = sys::execute(file, args, environment, path.as_deref());
        if let Some(blocked) = blocked {
            let _ = sys::set_blocked(blocked);
        }
        let name = OsStr::from_bytes(file.to_bytes());
        let executed = Executed::new(name.to_owned(), path, is_shell, &self.state);
        let line = line(["failed to execute ".as_ref(), name]);
        Failure {
            status: Some(exit_status(error.raw())),
            ..Failure::new(executed, line, error)
        }
    }
}

/// What a login shell is called: `-` and the last component of its path.
fn login_name(file: &CString) -> CString {
    let path = file.to_bytes();
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    CString::new([b"-", name].concat()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_shell_is_called_by_its_last_name() {
        assert_eq!(login_name(&c"/usr/bin/zsh".into()).as_c_str(), c"-zsh");
        assert_eq!(login_name(&c"sh".into()).as_c_str(), c"-sh");
        assert_eq!(login_name(&c"/odd/".into()).as_c_str(), c"-");
    }
}
