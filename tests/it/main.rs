//! Black-box tests: each starts a binary and looks at what a user would see.
//!
//! The same tests run against util-linux: `UNDER_TEST=theirs cargo test --test it` takes `unshare`
//! and `nsenter` from `PATH`, or from `$UNDER_TEST_DIR`. `NSKIT_BIN` names another nskit than the one
//! that cargo built. What a machine cannot run is said aloud (`SKIP …`), and is a failure with
//! `MUST_RUN=1`.
//!
//! The hard thing: libtest runs tests in threads, and a threaded process can neither unshare(2) nor
//! fork safely. So no test does; every namespace belongs to a process that a test started.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "what the program must not do, its tests and measurements may"
)]

#[macro_use]
mod harness;

mod alone;
mod argv;
mod as_old_kernel;
mod count;
mod descriptors;
mod descriptors_held;
mod doctor;
mod documents;
mod exit;
mod explain;
mod faults;
mod helper;
mod hostile;
mod hostile_ptrace;
mod inherit;
mod invocations;
mod killable;
mod make_install;
mod named_containers;
mod named_units;
mod nsenter_basic;
mod nsenter_cgroup;
mod nsenter_containers;
mod nsenter_context;
mod nsenter_credentials;
mod nsenter_environment;
mod nsenter_named;
mod nsenter_old_kernels;
mod nsenter_order;
mod nsenter_places;
mod nsenter_target;
mod nsenter_waiting;
mod nskit;
mod packages;
mod pidfile;
mod setns_basic;
mod setns_find;
mod setns_ip_netns;
mod setns_lsns;
mod setns_show;
mod unshare_basic;
mod unshare_credentials;
mod unshare_dry_run;
mod unshare_maps;
mod unshare_mounts;
mod unshare_old_kernels;
mod unshare_ordinary;
mod unshare_persistence;
mod unshare_processes;
mod unshare_report;
mod unshare_settings;
mod unshare_subordinate;
mod unshare_terminal;
mod values;
mod waiting;
mod waiting_signals;
