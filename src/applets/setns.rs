//! `setns`: any namespace by any name, and what there is (its options, and what they ask for).

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use argh::{ArgsInfo, FromArgs};

use super::common::{self, InvalidOptions, Request, of_option, word};
use super::entering::{CredentialOptions, Places, kinds_of, open_target};
use crate::cli::{Attached, Declared, Parsed, Text};
use crate::host::Host;
use crate::model::listing::{self, Columns, Form, Listing};
use crate::model::number::Quoted;
use crate::model::reference::{a_form_a_line, netns_meant, parse_wanted};
use crate::model::value::{Propagation, TargetPid};
use crate::model::{AppletName, Kind, Kinds, Reference, Wanted, Which};
use crate::plan::{Plan, Report};
use crate::steps::{BindEtc, CheckTarget, Enter, Fork, Helper, MountSys, Source, Step, Unshare};

/// run a program in exactly the namespaces that are named
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    example = "setns netns:blue ip address: a network that ip netns has named",
    example = "setns oci:3f2a sh: a container, by the beginning of its ID",
    example = "setns --show --tree: all namespaces, who owns and contains whom",
    note = "a ref is a PID, the path of an nsfs file, net:[inode], netns:name, fd:N, id:N, sock:PID:FD, pidfile:file, cgroup:path, machine:name, unit:name, oci:ID, self, all, parent:ref or owner:ref; kind=ref keeps that kind alone",
    note = "no program can move its parent shell: setns runs the program, or a shell, in the namespaces"
)]
pub(crate) struct Options {
    /// enter the namespaces in the order given
    #[argh(switch)]
    pub(crate) in_order: bool,
    /// set up /sys and /etc as ip netns exec does for the network named by netns:
    #[argh(switch)]
    pub(crate) ip_netns: bool,
    /// tell whether the namespaces named are the same: 0 yes, 1 no
    #[argh(switch)]
    pub(crate) same: bool,
    /// with --same: print nothing
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'q'))]
    pub(crate) quiet: bool,
    /// show the namespaces named, or all
    #[argh(switch)]
    pub(crate) show: bool,
    /// with --show: draw who owns and contains whom
    #[argh(switch)]
    pub(crate) tree: bool,
    /// with --same, --show or --dry-run: as JSON
    #[argh(switch)]
    pub(crate) json: bool,
    /// with --show: only namespaces of these kinds
    #[argh(option, long = "type", arg_name = "kind,...")]
    #[cfg_attr(test, argh(short = 't'))]
    pub(crate) kinds: Vec<Text>,
    /// with --show: those of this process
    #[argh(option, arg_name = "pid[:inode]")]
    #[cfg_attr(test, argh(short = 'p'))]
    pub(crate) task: Vec<Text>,
    /// with --show: a line for each process in them
    #[argh(switch)]
    pub(crate) processes: bool,
    /// with --show: these columns; with + in front, also these
    #[argh(option, arg_name = "column,...|all")]
    #[cfg_attr(test, argh(short = 'o'))]
    pub(crate) output: Option<Text>,
    /// with --show: no headings
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'n'))]
    pub(crate) noheadings: bool,
    /// with --show: one blank between cells, none in them
    #[argh(switch)]
    pub(crate) raw: bool,
    /// with --show: the limits too, also where namespaces are named
    #[argh(switch)]
    pub(crate) limits: bool,
    /// with --tree: kernel threads too
    #[argh(switch)]
    pub(crate) kernel_threads: bool,
    /// with --tree: also each process of the caller's PID namespace, and those that are alike
    #[argh(switch)]
    pub(crate) all_processes: bool,

    /// user of the program, inside
    #[argh(option, arg_name = "uid|name|follow")]
    #[cfg_attr(test, argh(short = 'S'))]
    pub(crate) setuid: Option<Text>,
    /// group of the program, inside; drops supplementary groups
    #[argh(option, arg_name = "gid|name|follow")]
    #[cfg_attr(test, argh(short = 'G'))]
    pub(crate) setgid: Option<Text>,
    /// supplementary groups of the program, inside
    #[argh(option, arg_name = "gid|name,...|follow")]
    pub(crate) groups: Option<Text>,
    /// keep the capabilities held in the user namespace across exec
    #[argh(switch)]
    pub(crate) keep_caps: bool,

    /// run the program as a child
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'f'))]
    pub(crate) fork: bool,
    /// do not fork after entering a PID namespace
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'F'))]
    pub(crate) no_fork: bool,

    /// root directory: the process's, or <dir>
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'r'))]
    pub(crate) root: Vec<Attached>,
    /// working directory: the process's, or <dir>
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'w'))]
    pub(crate) wd: Vec<Attached>,
    /// working directory, looked up inside
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'W'))]
    pub(crate) wdns: Vec<Attached>,

    /// say each step with its result
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'v'))]
    pub(crate) verbose: bool,
    /// report on this descriptor, a line of JSON for each event
    #[argh(option, arg_name = "fd")]
    pub(crate) status_fd: Option<Text>,
    /// write the program's PID to <file> before it starts
    #[argh(option, arg_name = "file")]
    pub(crate) pidfile: Option<Text>,
    /// on failure say why, and what to do
    #[argh(switch)]
    pub(crate) explain: bool,
    /// print the steps and change nothing
    #[argh(switch)]
    pub(crate) dry_run: bool,
    /// show the version
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'V'))]
    #[expect(dead_code, reason = "the reader acts on it as soon as it is met")]
    pub(crate) version: bool,
}

impl Declared for Options {
    const NAME: &'static str = "setns";
    const TABLE: &'static [u8] = include_bytes!("generated/setns.table");
    const HELP: &'static str = include_str!("generated/setns.help");
    const VERSION: &'static str = concat!("setns (nskit) ", env!("CARGO_PKG_VERSION"), "\n");
    const OPERANDS: &'static [&'static str] = &[
        "ref[,ref...] [program [argument...]]",
        "--same ref ref...",
        "--show [ref[,ref...]...]",
    ];
    const SECTIONS: &'static [(&'static str, &'static str)] = &[
        ("Namespaces", "in-order"),
        ("Comparing and showing", "same"),
        ("Users and groups", "setuid"),
        ("Process", "fork"),
        ("Mounts and directories", "root"),
        ("Other", "verbose"),
    ];
}

/// Turns the options and references into what to do.
///
/// # Errors
/// A reference or value that cannot be used, or options that contradict each other.
// Its frame is not to lie below the one in which argh reads.
#[inline(never)]
pub(crate) fn request(
    parsed: &Parsed<Options>,
    argv: &'static [&'static CStr],
    host: &dyn Host,
) -> Result<Request, InvalidOptions> {
    let options = parsed.options;
    let operands = parsed.operands(argv);
    contradictions(options)?;
    if options.same {
        let wanted: Vec<Wanted> = operands
            .iter()
            .map(|operand| read(word(operand), host))
            .collect::<Result<_, _>>()?;
        if wanted.len() < 2 {
            return Err(InvalidOptions::line("--same: needs two references or more"));
        }
        return Ok(Request::Same {
            wanted,
            quiet: options.quiet,
            json: options.json,
        });
    }
    if let Some(option) = of_show(options) {
        return show(parsed, operands, option, host);
    }
    let Some((references, rest)) = operands.split_first() else {
        return Err(InvalidOptions::line(
            "no namespace specified: setns REF[,REF...] [program [argument...]]",
        ));
    };
    let program = match rest.split_first() {
        Some((first, rest)) if first.to_bytes() == b"--" => rest,
        _ => rest,
    };
    enter(parsed, argv, references, program, host)
}

/// `REF[,REF…]`.
fn list(references: &'static CStr, host: &dyn Host) -> Result<Vec<Wanted>, InvalidOptions> {
    let texts = references.to_bytes().split(|&byte| byte == b',');
    texts
        .map(|text| read(OsStr::from_bytes(text), host))
        .collect()
}

/// The option that asks for namespaces to be shown.
fn of_show(options: &Options) -> Option<&'static str> {
    let given = [
        (options.show, "--show"),
        (options.tree, "--tree"),
        (!options.kinds.is_empty(), "--type"),
        (!options.task.is_empty(), "--task"),
        (options.processes, "--processes"),
        (options.output.is_some(), "--output"),
        (options.noheadings, "--noheadings"),
        (options.raw, "--raw"),
        (options.limits, "--limits"),
        (options.kernel_threads, "--kernel-threads"),
        (options.all_processes, "--all-processes"),
        // Last, since --same and --dry-run take it too.
        (options.json && !options.dry_run, "--json"),
    ];
    given.into_iter().find_map(|(is, name)| is.then_some(name))
}

/// Namespaces to show; `asked_by` is the option that asks for that.
fn show(
    parsed: &Parsed<Options>,
    operands: &'static [&'static CStr],
    asked_by: &str,
    host: &dyn Host,
) -> Result<Request, InvalidOptions> {
    let options = parsed.options;
    if let Some(option) = parsed.last_of(&["root"]) {
        return Err(InvalidOptions(
            format!("--{option} cannot be combined with {asked_by} (-r of lsns is --raw)").into(),
        ));
    }
    let form = match (options.tree, options.json) {
        (false, false) => Form::Table,
        (true, false) => Form::Tree,
        (false, true) => Form::Json,
        (true, true) => Form::JsonTree,
    };
    only_of(options, form)?;
    let mut kinds = Kinds::NONE;
    for text in &options.kinds {
        kinds = kinds.union(of_option("--type", listing::kinds(&text.0))?);
    }
    if let Some(kind) = kinds.less(host.kinds()).iter().next() {
        let why = format!("this kernel has no {kind} namespaces");
        return Err(InvalidOptions::value("--type", why));
    }
    let columns = match &options.output {
        None => Columns::Usual(Vec::new()),
        Some(text) => of_option("--output", Columns::parse(&text.0))?,
    };
    let mut wanted = Vec::new();
    for text in &options.task {
        let TargetPid { pid, inode } = of_option("--task", TargetPid::parse(&text.0))?;
        wanted.push(Wanted {
            which: Which::Natural,
            reference: Reference::Process { pid, inode },
        });
    }
    for operand in operands {
        wanted.extend(list(operand, host)?);
    }
    let is_all = wanted.is_empty();
    if is_all {
        wanted.push(Wanted {
            which: Which::Natural,
            reference: Reference::All,
        });
    }
    let mut listing = Listing {
        form,
        kinds: if kinds.is_empty() { Kinds::ALL } else { kinds },
        columns,
        headings: !options.noheadings,
        raw: options.raw,
        processes: options.processes,
        limits: options.limits,
        kernel_threads: options.kernel_threads,
        all_processes: options.all_processes,
    };
    listing.limits |= is_all && !listing.processes && listing.is_for_people();
    Ok(Request::Show { wanted, listing })
}

/// Refuses options that mean nothing in this form.
fn only_of(options: &Options, form: Form) -> Result<(), InvalidOptions> {
    let of_table = [
        (options.output.is_some(), "--output"),
        (options.noheadings, "--noheadings"),
        (options.raw, "--raw"),
    ];
    let of_tree = [
        (options.kernel_threads, "--kernel-threads"),
        (options.all_processes, "--all-processes"),
    ];
    let refused = |given: &[(bool, &'static str)], why: &str| match given.iter().find(|one| one.0) {
        Some((_, name)) => Err(InvalidOptions::line(format!("{name} {why}"))),
        None => Ok(()),
    };
    match form {
        Form::Table => refused(&of_tree, "needs --tree"),
        Form::Tree => {
            refused(&of_table, "cannot be combined with --tree")?;
            let processes = [(options.processes, "--processes")];
            refused(&processes, "cannot be combined with --tree")
        }
        Form::Json | Form::JsonTree => {
            refused(
                &of_table,
                "cannot be combined with --json, which has everything",
            )?;
            refused(
                &of_tree,
                "cannot be combined with --json, which has everything",
            )
        }
    }
}

/// Namespaces to enter, and a program to run there.
fn enter(
    parsed: &Parsed<Options>,
    argv: &'static [&'static CStr],
    references: &'static CStr,
    program: &'static [&'static CStr],
    host: &dyn Host,
) -> Result<Request, InvalidOptions> {
    let options = parsed.options;
    let mut wanted = list(references, host)?;
    if wanted
        .iter()
        .any(|wanted| wanted.reference == Reference::All)
    {
        return Err(InvalidOptions::line(
            "all: names every namespace, for --same and --show only",
        ));
    }
    let kinds = kinds_of(&wanted);
    let credentials = CredentialOptions::of(
        options.setuid.as_ref(),
        options.setgid.as_ref(),
        options.groups.as_ref(),
        host,
    )?;
    let places = Places::of(&options.root, &options.wd, &options.wdns, kinds);
    let ip_netns = ip_netns(options, &wanted)?;
    let of_process = |source: &Source| {
        matches!(
            source,
            Source::Root(None) | Source::Directory(None) | Source::Credentials
        )
    };

    let mut steps = Vec::with_capacity(16);
    let pidfile = options.pidfile.as_ref().map(|file| file.0.clone());
    steps.extend(Helper::new(Vec::new(), pidfile, options.fork).map(Step::Helper));
    let mut sources = places.sources;
    if credentials.follows() {
        sources.push(Source::Credentials);
    }
    if sources.iter().any(of_process) {
        steps.push(process(&mut wanted)?);
        steps.extend(sources.into_iter().map(Step::Open));
        steps.push(CheckTarget.into());
    } else {
        steps.extend(sources.into_iter().map(Step::Open));
    }
    steps.push(Step::Enter(Enter {
        wanted,
        in_order: options.in_order,
        user_parent: 0,
    }));
    if let Some(name) = ip_netns {
        steps.push(Unshare(Kinds::NONE.with(Kind::Mnt)).into());
        steps.push(Propagation::Slave.into());
        steps.push(MountSys { name: name.clone() }.into());
        steps.push(BindEtc { name }.into());
    }
    steps.extend(places.steps);
    if options.fork || kinds.has(Kind::Pid) && !options.no_fork {
        steps.push(Step::Fork(Fork {
            only_if_needed: !options.fork,
            ..Fork::default()
        }));
    }
    credentials.steps(options.keep_caps, &mut steps);
    steps.push(Step::Execute(common::program(program)));

    let report = Report {
        applet: AppletName::Setns,
        argv,
        status_fd: common::status_fd(options.status_fd.as_ref())?,
        explain: options.explain,
        verbose: options.verbose,
    };
    let plan = Plan { steps, report };
    Ok(Request::of(plan, options.dry_run, options.json))
}

/// Reads a reference. What names no namespace, but would with `netns:` before it, is told so.
fn read(text: &OsStr, host: &dyn Host) -> Result<Wanted, InvalidOptions> {
    parse_wanted(text).map_err(|why| {
        let meant = netns_meant(text).filter(|(name, _)| host.has_netns(name));
        InvalidOptions::line(match meant {
            Some((_, meant)) => {
                let (text, meant) = (Quoted(text), Quoted(&meant));
                format!("{text} names no namespace; did you mean {meant}?")
            }
            None => a_form_a_line(&why)
                .filter(|_| host.at_terminal())
                .unwrap_or(why),
        })
    })
}

/// The name of the network for `--ip-netns`.
fn ip_netns(options: &Options, wanted: &[Wanted]) -> Result<Option<OsString>, InvalidOptions> {
    if !options.ip_netns {
        return Ok(None);
    }
    let has = |wanted: &Wanted, kind| match wanted.which {
        Which::These(kinds) => kinds.has(kind),
        _ => false,
    };
    if wanted.iter().any(|wanted| has(wanted, Kind::Mnt)) {
        return Err(InvalidOptions::line(
            "--ip-netns: has a mount namespace of its own, and none can be entered",
        ));
    }
    let mut names = wanted.iter().filter_map(|wanted| match &wanted.reference {
        Reference::Netns(name) => Some(name),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(Some(name.clone())),
        _ => Err(InvalidOptions::line(
            "--ip-netns: needs one network namespace, named by netns:<name>",
        )),
    }
}

/// The one process named, whose directories or credentials are to be taken.
fn process(wanted: &mut [Wanted]) -> Result<Step, InvalidOptions> {
    let is_process = |wanted: &&mut Wanted| {
        let reference = &wanted.reference;
        reference.may_be_process()
            && !matches!(reference, Reference::Descriptor(_) | Reference::Own)
    };
    let mut processes = wanted.iter_mut().filter(is_process);
    match (processes.next(), processes.next()) {
        (Some(process), None) => {
            let step = open_target(&process.reference, Some(Kind::Mnt));
            if !matches!(process.reference, Reference::Process { .. }) {
                // A name may mean another process the next time.
                let opened = Box::new(process.reference.clone());
                process.reference = Reference::Target(opened);
            }
            Ok(step)
        }
        _ => Err(InvalidOptions::line(
            "--root, --wd and follow without a value take those of a process: name one, and no other",
        )),
    }
}

fn contradictions(options: &Options) -> Result<(), InvalidOptions> {
    let refuse = |line: &str| Err(InvalidOptions::line(line));
    if options.fork && options.no_fork {
        return refuse("--fork and --no-fork cannot be combined");
    }
    let of_show = of_show(options);
    if options.ip_netns
        && let Some(option) = options.same.then_some("--same").or(of_show)
    {
        return refuse(&format!(
            "--ip-netns is for entering: it cannot be combined with {option}"
        ));
    }
    if options.same
        && let Some(option) = of_show.filter(|&option| option != "--json")
    {
        return refuse(&format!("--same cannot be combined with {option}"));
    }
    if options.quiet && options.json {
        return refuse("--quiet and --json cannot be combined");
    }
    if options.quiet && !options.same {
        return refuse("--quiet needs --same");
    }
    if !options.wd.is_empty() && !options.wdns.is_empty() {
        return refuse("options --wd and --wdns cannot be combined");
    }
    if options.wdns.iter().any(|attached| attached.0.is_none()) {
        return refuse("--wdns: needs a directory, attached: --wdns=<dir>");
    }
    Ok(())
}
