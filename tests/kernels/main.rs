//! nskit on other kernels than this machine's: Debian's, booted under QEMU's emulation.
//!
//! `make test-kernels` gets the kernels and runs this. Each case on each kernel is a test of its own, and a kernel
//! is booted once, for all cases; `NSKIT_KERNELS` names some kernels. What cannot be booted is said aloud (`SKIP …`), and is a failure with `MUST_RUN=1`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "what the program must not do, its tests and measurements may"
)]

mod boot;
mod case;
mod cases;
mod guest;
mod selinux;

use std::sync::Arc;

use boot::{Kernel, Wanted};
use libtest_mimic::{Arguments, Trial};

static KERNELS: [Kernel; 9] = [
    Kernel::x86_64("x86_64-5.10"),
    Kernel::x86_64("x86_64-6.1"),
    Kernel::x86_64("x86_64-6.12"),
    Kernel::x86_64("x86_64-newest"),
    Kernel::aarch64("aarch64-newest"),
    Kernel::selinux("x86_64-6.1-selinux", "x86_64-6.1"),
    Kernel::selinux("x86_64-newest-selinux", "x86_64-newest"),
    Kernel::small("x86_64-without-user", "-m -u -i -n -C", cases::without_user),
    Kernel::small("x86_64-without-namespaces", "-m", cases::without_namespaces),
];

fn main() {
    let (there, lacking): (Vec<_>, Vec<_>) = KERNELS
        .iter()
        .filter(|kernel| is_wanted(kernel.name))
        .partition(|kernel| kernel.lacks().is_none());
    let mut trials: Vec<_> = lacking.into_iter().map(skip).collect();
    trials.push(Trial::test("every_option_has_a_case", || {
        cases::every_option().map_err(Into::into)
    }));
    let arguments = Arguments::from_args();
    let asked = arguments.clone();
    // A machine runs only what is asked for.
    let wanted: Arc<Wanted> = Arc::new(move |name| {
        let is = |filter: &String| match asked.exact {
            true => name == filter,
            false => name.contains(filter),
        };
        asked.filter.iter().all(is) && !asked.skip.iter().any(is)
    });
    // Each kernel has a list; they are taken in turns, so that several boot at once.
    let mut lists: Vec<_> = there.iter().map(|kernel| kernel.tries()).collect();
    loop {
        let before = trials.len();
        for (kernel, tries) in there.iter().copied().zip(&mut lists) {
            let Some((case, user)) = tries.next() else {
                continue;
            };
            let wanted = Arc::clone(&wanted);
            trials.push(Trial::test(kernel.test_name(&case, user), move || {
                let booted = kernel.booted(&*wanted)?;
                let outcome = booted.outcome(&format!("{}.{}", case.name, user.word()))?;
                Ok(case.judge(booted.version, outcome)?)
            }));
        }
        if trials.len() == before {
            break;
        }
    }
    for kernel in there {
        let name = format!("{}::pid_1_of_an_initial_file_system", kernel.name);
        trials.push(Trial::test(name, || {
            let console = kernel.boot_as_init()?;
            let wanted = "@nskit init 1 ";
            if console.contains(wanted) {
                return Ok(());
            }
            Err(format!("no {wanted:?}:\n{}", boot::tail(&console)).into())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Whether `NSKIT_KERNELS` names it, or nothing.
fn is_wanted(name: &str) -> bool {
    std::env::var("NSKIT_KERNELS").map_or(true, |names| {
        names.split_ascii_whitespace().any(|one| one == name)
    })
}

/// Says what a kernel cannot be booted for.
fn skip(kernel: &'static Kernel) -> Trial {
    Trial::test(kernel.name, || {
        let line = format!(
            "SKIP kernels {}: lacks {}",
            kernel.name,
            kernel.lacks().unwrap_or_default()
        );
        eprintln!("{line}");
        if std::env::var_os("MUST_RUN").is_some_and(|value| value == "1") {
            return Err(format!("MUST_RUN=1, but {line}").into());
        }
        Ok(())
    })
}
