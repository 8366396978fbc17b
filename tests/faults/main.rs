//! Each system call of canonical command lines fails once, and each process is killed or stopped at it.
//!
//! A run ends well if it comes to what it comes to without a fault, or fails with a line that says so and leaves nothing.
//! Without more it does a tenth, another each day, and says which; `NSKIT_FAULTS=3/10` does the same again, `NSKIT_FAULTS=all`
//! (`make test-faults`) does everything, `NSKIT_FAULTS=0.1:12:EPERM` one fault of the tests that are named, and shows it.
//!
//! The hard thing: who forks and traces must be one thread. So this process only starts workers, each PID 1 of a PID
//! namespace in which nothing else lives, and what a run leaves behind cannot hide.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "what the program must not do, its tests and measurements may"
)]
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports))]

#[cfg(target_arch = "x86_64")]
mod cases;
#[cfg(target_arch = "x86_64")]
mod fault;
#[cfg(target_arch = "x86_64")]
mod ground;
#[cfg(target_arch = "x86_64")]
mod judge;
#[cfg(target_arch = "x86_64")]
mod launch;
#[cfg(target_arch = "x86_64")]
mod model;
#[cfg(target_arch = "x86_64")]
mod printed;
#[cfg(target_arch = "x86_64")]
mod state;
#[cfg(target_arch = "x86_64")]
mod stress;
#[cfg(target_arch = "x86_64")]
mod tracer;
#[cfg(target_arch = "x86_64")]
mod trials;
#[cfg(target_arch = "x86_64")]
mod worker;

#[cfg(target_arch = "x86_64")]
fn main() {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some(state::WORD) => std::process::exit(state::tell()),
        Some(launch::WORD) => launch::launch(words),
        Some(launch::TIED) => launch::tie(words),
        Some(worker::WORD) => std::process::exit(worker::work(words)),
        Some(stress::WORD) => std::process::exit(stress::work(words)),
        Some(model::WORD) => std::process::exit(model::work(words)),
        _ => trials::run(),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    eprintln!("N/A faults: the registers of a call are read as x86_64 has them");
}
