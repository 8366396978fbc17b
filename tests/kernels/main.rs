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

use boot::Kernel;
use libtest_mimic::{Arguments, Trial};

static KERNELS: [Kernel; 5] = [
    Kernel::x86_64("x86_64-5.10"),
    Kernel::x86_64("x86_64-6.1"),
    Kernel::x86_64("x86_64-6.12"),
    Kernel::x86_64("x86_64-newest"),
    Kernel::aarch64("aarch64-newest"),
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
    // Kernel by kernel last, so that several boot at once.
    for case in cases::all() {
        for user in case.users.clone() {
            for kernel in &there {
                let name = format!("{}::{}::{}", kernel.name, user.word(), case.name);
                let (case, kernel) = (case.clone(), *kernel);
                trials.push(Trial::test(name, move || {
                    let booted = kernel.booted()?;
                    let outcome = booted.outcome(&format!("{}.{}", case.name, user.word()))?;
                    Ok(case.judge(booted.version, outcome)?)
                }));
            }
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
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
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
