//! nskit: `unshare`, `nsenter` and `setns` in one binary.
//!
//! The way through the program is argv → options → plan → run. An applet turns its options into a
//! [`plan::Plan`], which is data and prints; [`run`] does it, step after step, over [`sys`].
//!
//! This room decides which applet is called, and is the only one that prints an error or exits. What is `cold`
//! in it does not start a program: it lies elsewhere in the binary, so that a start touches fewer pages.

#![cfg_attr(not(test), no_main)]
// What clippy.toml forbids, tests may do: they are threads, print, and read what they have written.
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

mod applets;
mod cli;
#[cfg(test)]
mod docs;
mod doctor;
mod explain;
mod failure;
#[cfg(test)]
mod fuzz;
mod host;
#[cfg(test)]
mod layers;
mod model;
mod plan;
mod run;
mod show;
mod steps;
mod sys;

use std::ffi::{CStr, OsStr};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;

use applets::common::Request;
use applets::nskit::{Command, Doctor, Install};
use applets::{APPLETS, Applet, CommandLineError, Response, traps};
use failure::{Failure, Unexplained};
use host::Machine;
use model::listing::Listing;
use model::{AppletName, Wanted, nearest};
use plan::{Plan, Report};
use run::Outcome;
use show::{Shown, Verdict};
use sys::{Args, Proc, Stream};

#[cfg(not(test))]
entry!(begin, start);

#[cfg(not(test))]
#[global_allocator]
static HEAP: sys::Bump = sys::Bump::new();

/// The name of this program itself, where no applet is called.
const OWN_NAME: &str = "nskit";
/// The exit status of failures of nskit's own commands.
const OWN_FAILURE: u8 = 125;
/// The exit status when there is no such applet, as of a shell that finds no program.
const NO_APPLET: u8 = 127;

/// Says how to end where there is not even memory for the arguments; `word` is the first of them.
#[cfg(not(test))]
fn begin(word: &'static CStr) {
    if let Some(applet) = applet(name_in(word)) {
        HEAP.end_with(applet.name, applet.failure_status);
    }
}

/// Does what the arguments ask for; gives the exit status.
#[cfg_attr(test, allow(dead_code))]
fn start(args: &Args) -> u8 {
    let argv = args.words();
    let name = argv.first().map_or(&b""[..], |word| name_in(word));
    if sys::is_set_id() != Ok(false) {
        return refuse_set_id(name);
    }
    match applet(name) {
        Some(applet) => call(applet, argv, args),
        // `nskit unshare …` is a start like the others, and costs no more.
        None => match argv.get(1).and_then(|word| applet(word.to_bytes())) {
            Some(applet) => call(applet, &argv[1..], args),
            None => own(argv, args),
        },
    }
}

/// Before anything is parsed.
#[cold]
fn refuse_set_id(name: &[u8]) -> u8 {
    let text = match sys::is_set_id() {
        Ok(_) => "refusing to run set-user-ID or set-group-ID: that would hand root to everyone"
            .to_owned(),
        Err(error) => format!(
            "refusing to run with real and effective IDs that differ: whether this is set-user-ID cannot be told: \
             /proc/self/exe: {error}"
        ),
    };
    let status = applet(name).map_or(OWN_FAILURE, |applet| applet.failure_status);
    fail(OsStr::from_bytes(name), text.as_ref(), status)
}

/// The name in a word by which we are called: its last component, without the `-` of a login shell.
fn name_in(word: &'static CStr) -> &'static [u8] {
    let word = word.to_bytes();
    let name = word.rsplit(|&byte| byte == b'/').next().unwrap_or(word);
    name.strip_prefix(b"-").unwrap_or(name)
}

fn applet(name: &[u8]) -> Option<&'static Applet> {
    const { &APPLETS }
        .iter()
        .find(|applet| applet.name.as_bytes() == name)
}

/// Under our own name, or any other, where the first operand names no applet.
#[cold]
fn own(argv: &'static [&'static CStr], args: &Args) -> u8 {
    match applets::nskit::read(argv) {
        Err(line) => {
            fail(OWN_NAME.as_ref(), &line, OWN_FAILURE);
            say_try(OWN_NAME.as_ref());
            OWN_FAILURE
        }
        Ok(Command::Print(text)) => print_help(OWN_NAME, &text, OWN_FAILURE),
        Ok(Command::Install(install)) => make_links(&install),
        Ok(Command::Doctor(asked)) => examine(&asked, argv, args),
        Ok(Command::NoApplet(index)) => {
            no_applet(argv.get(index).map_or(&b""[..], |word| word.to_bytes()))
        }
        Ok(Command::Help(index)) => {
            let word = argv.get(index).copied().unwrap_or_default();
            match applet(word.to_bytes()) {
                Some(applet) => call(applet, vec![word, c"--help"].leak(), args),
                None => no_applet(word.to_bytes()),
            }
        }
    }
}

#[cold]
fn no_applet(name: &[u8]) -> u8 {
    let mut line = OsStr::from_bytes(name).to_owned();
    line.push(": applet not found");
    let names = const { &APPLETS }
        .each_ref()
        .map(|applet| applet.name.as_bytes());
    if let Some(near) = nearest(name, names.into_iter()) {
        line.push("; did you mean '");
        line.push(OsStr::from_bytes(near));
        line.push("'?");
    }
    fail(OWN_NAME.as_ref(), &line, NO_APPLET)
}

fn make_links(install: &Install) -> u8 {
    let names = const { &APPLETS }.each_ref().map(|applet| applet.name);
    let Install {
        symbolic,
        force,
        directory,
    } = install;
    match run::install(&names, directory.as_deref(), *symbolic, *force) {
        Ok(text) => print(OWN_NAME, &text, OWN_FAILURE),
        // The error with its causes, on one line.
        Err(error) => fail(
            OWN_NAME.as_ref(),
            format!("{error:#}").as_ref(),
            OWN_FAILURE,
        ),
    }
}

/// Tells what can be done here: 0 when it can, 1 when not, our failure's status when that cannot be found out.
fn examine(asked: &Doctor, argv: &'static [&'static CStr], args: &Args) -> u8 {
    let found = match asked.command {
        None => doctor::machine(args),
        Some(index) => doctor::command_line(argv.get(index..).unwrap_or_default(), args),
    };
    let lack = sys::lack();
    let status = match found.works() {
        _ if lack.is_some() => OWN_FAILURE,
        Some(true) => 0,
        Some(false) => 1,
        None => OWN_FAILURE,
    };
    if asked.quiet {
        return status;
    }
    let text = if asked.json {
        found.json()
    } else {
        found.text()
    };
    match (print(OWN_NAME, &text, OWN_FAILURE), lack) {
        (0, Some(error)) => fail_partly(OWN_NAME, error, status),
        (0, None) => status,
        (failure, _) => failure,
    }
}

/// Says that what was printed may not be all, since we ran out of something; gives the status.
#[cold]
fn fail_partly(name: &str, error: sys::Error, status: u8) -> u8 {
    let line = format!("{}: {error}", show::NOT_ALL);
    fail(name.as_ref(), line.as_ref(), status)
}

/// Calls an applet; `argv` begins with its name.
fn call(applet: &'static Applet, argv: &'static [&'static CStr], args: &Args) -> u8 {
    #[cfg(not(test))]
    HEAP.end_with(applet.name, applet.failure_status);
    match (applet.ask)(argv, &Machine) {
        // Never freed: of a parent that has forked that would be one page more, just before it ends (3 µs).
        Ok(Response::Do(Request::Run(plan))) => run(applet, &ManuallyDrop::new(plan), args),
        other => answer(applet, other, argv, args),
    }
}

/// Does what is no start of a program, or says why there is none.
#[cold]
fn answer(
    applet: &'static Applet,
    answer: Result<Response, CommandLineError>,
    argv: &'static [&'static CStr],
    args: &Args,
) -> u8 {
    match answer {
        Ok(Response::Print(text)) => print_help(applet.name, text, applet.failure_status),
        Ok(Response::Do(Request::Run(plan))) => run(applet, &plan, args),
        Ok(Response::Do(Request::DryRun { plan, json })) => dry_run(applet, &plan, json),
        Ok(Response::Do(Request::Same {
            wanted,
            quiet,
            json,
        })) => match same(applet, &wanted, quiet, json) {
            Ok(status) => status,
            Err(failure) => report_plainly(applet, failure, argv),
        },
        Ok(Response::Do(Request::Show { wanted, listing })) => {
            match show(applet, &wanted, &listing) {
                Ok(status) => status,
                Err(failure) => report_plainly(applet, failure, argv),
            }
        }
        Err(CommandLineError::Usage(usage)) => {
            fail(applet.name.as_ref(), &usage.0, applet.failure_status);
            say_try(applet.name.as_ref());
            explain_usage(applet, &usage.0, argv);
            applet.failure_status
        }
        Err(CommandLineError::Invalid(invalid, status_fd, explain)) => {
            let failure = Failure::plain(Unexplained("command-line"), invalid.0);
            let status = status_fd.and_then(|number| run::StatusFd::adopt(number).ok());
            let how = Report {
                applet: AppletName::of(applet.name.as_bytes()).unwrap_or_default(),
                argv,
                status_fd,
                explain,
                ..Report::default()
            };
            report(applet, failure, &how, &Proc::default(), status.as_ref())
        }
    }
}

fn run(applet: &Applet, plan: &Plan, args: &Args) -> u8 {
    let proc = own_proc(plan);
    let inquiry = |failure: &mut Failure| explain::inquire(failure, &plan.report, &proc);
    let Outcome { result, status } = run::run(plan, args, &proc, &inquiry);
    match result {
        Ok(ended) => ended.follow(),
        Err(failure) => report(applet, failure, &plan.report, &proc, status.as_ref()),
    }
}

/// Our own /proc, opened if the name may come to mean another before somebody asks why the plan failed, or what a child
/// does with signals.
fn own_proc(plan: &Plan) -> Proc {
    let proc = Proc::default();
    if plan.leaves_our_files() && explain::is_wanted(&plan.report)
        || plan.waits_beside_another_proc()
    {
        proc.keep();
    }
    proc
}

/// Shows what would be done; gives the exit status that doing it would give as far as that is foreseen.
#[cold]
fn dry_run(applet: &Applet, plan: &Plan, json: bool) -> u8 {
    let proc = own_proc(plan);
    match run::dry_run(plan) {
        Ok(rehearsal) => {
            let text = if json {
                rehearsal.json(applet.failure_status)
            } else {
                rehearsal.text()
            };
            match print(applet.name, &text, applet.failure_status) {
                0 => rehearsal.status(applet.failure_status),
                failure => failure,
            }
        }
        Err(failure) => report(applet, failure, &plan.report, &proc, None),
    }
}

/// Compares namespaces: 0 when they are the same, 1 when they differ, our failure's status when that cannot be
/// told.
#[cold]
fn same(applet: &Applet, wanted: &[Wanted], quiet: bool, json: bool) -> Result<u8, Failure> {
    let (verdict, table) = run::same(wanted, json)?;
    let status = match verdict {
        Verdict::Same => 0,
        Verdict::Differs => 1,
        Verdict::Unknown => applet.failure_status,
    };
    if quiet {
        return Ok(status);
    }
    Ok(match print(applet.name, &table, applet.failure_status) {
        0 => status,
        failure => failure,
    })
}

#[cold]
fn show(applet: &Applet, wanted: &[Wanted], listing: &Listing) -> Result<u8, Failure> {
    let Shown { text, lack } = run::show(wanted, listing)?;
    Ok(
        match (print(applet.name, &text, applet.failure_status), lack) {
            (0, Some(error)) => fail_partly(applet.name, error, applet.failure_status),
            (status, _) => status,
        },
    )
}

/// As [`report`], of a failure in our own namespaces, where no program was to run.
#[cold]
fn report_plainly(applet: &Applet, failure: Failure, argv: &'static [&'static CStr]) -> u8 {
    report(
        applet,
        failure,
        &asked_on(applet, argv),
        &Proc::default(),
        None,
    )
}

/// How a command line wants its failures reported, where no plan was made that says it.
#[cold]
fn asked_on(applet: &Applet, argv: &'static [&'static CStr]) -> Report {
    let name = AppletName::of(applet.name.as_bytes()).unwrap_or_default();
    Report {
        applet: name,
        argv,
        explain: traps::has_seen(name, argv, "explain"),
        ..Report::default()
    }
}

/// Says what failed, and where it is wanted why; facts in /proc are read in `proc`.
#[cold]
fn report(
    applet: &Applet,
    mut failure: Failure,
    how: &Report,
    proc: &Proc,
    status: Option<&run::StatusFd>,
) -> u8 {
    explain::inquire(&mut failure, how, proc);
    // What was meant says more than why what was said cannot be.
    if explain::is_wanted(how)
        && let Some(cause) = traps::trap(how.applet, how.argv, &failure)
    {
        failure.causes = Some([cause].into());
    }
    if !failure.said.is_empty() {
        let _ = sys::print(Stream::Error, &failure.said);
    }
    let mut line = failure.line.clone();
    if let Some(error) = failure.error {
        line.push(": ");
        line.push(error.text());
    }
    let code = fail(
        applet.name.as_ref(),
        &line,
        failure.status.unwrap_or(applet.failure_status),
    );
    if explain::is_printed(how) {
        let causes = failure.causes.as_deref().unwrap_or_default();
        let _ = sys::print(Stream::Error, explain::lines(causes).as_bytes());
    }
    if let Some(status) = status {
        status.failed(&failure);
    }
    code
}

/// Says what an option that is not known was perhaps to do, where that is wanted.
#[cold]
fn explain_usage(applet: &Applet, line: &OsStr, argv: &'static [&'static CStr]) {
    let how = asked_on(applet, argv);
    if explain::is_printed(&how)
        && let Some(cause) = traps::unknown(how.applet, line)
    {
        let _ = sys::print(Stream::Error, explain::lines(&[cause]).as_bytes());
    }
}

/// Prints one line of error; gives the exit status.
#[cold]
fn fail(name: &OsStr, line: &OsStr, status: u8) -> u8 {
    let mut text = name.as_bytes().to_vec();
    text.extend_from_slice(b": ");
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    // Whether anybody hears it changes nothing.
    let _ = sys::print(Stream::Error, &text);
    status
}

/// The second line of an error on the command line.
#[cold]
fn say_try(name: &OsStr) {
    let text = format!("Try '{} --help' for more information.\n", name.display());
    let _ = sys::print(Stream::Error, text.as_bytes());
}

/// Prints `--help`, or a shorter text, for the terminal that standard output may be; gives the exit status.
#[cold]
fn print_help(name: &str, text: &str, failure: u8) -> u8 {
    if !sys::is_terminal(Stream::Output) {
        return print(name, text, failure);
    }
    let columns = sys::columns(Stream::Output);
    let fitted = applets::help::fitted(text, columns, explain::takes_colours());
    print(name, &fitted, failure)
}

/// Prints to standard output; gives the exit status.
fn print(name: &str, text: &str, failure: u8) -> u8 {
    match sys::print(Stream::Output, text.as_bytes()) {
        Ok(()) => 0,
        Err(error) => fail(
            name.as_ref(),
            format!("write error: {error}").as_ref(),
            failure,
        ),
    }
}
