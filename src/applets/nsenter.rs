//! `nsenter`: a program in namespaces that exist (its options, and the plan that they ask for).

mod options;

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

pub(crate) use options::Options;

use super::common::{self, InvalidOptions, Request, of_option};
use super::entering::{CredentialOptions, Places, kinds_of, open_target};
use crate::cli::{Attached, Parsed, Text};
use crate::host::Host;
use crate::model::number::{Quoted, decimal};
use crate::model::reference::parse_process;
use crate::model::value::{self, TargetPid};
use crate::model::{AppletName, Kind, Kinds, Reference, Wanted, Which};
use crate::plan::{Plan, Report};
use crate::steps::Step;
use crate::steps::{
    CheckTarget, DropGroupsEarly, Enter, Fork, Helper, JoinCgroup, Label, Source, Variables,
};

/// Turns the options into what to do.
///
/// # Errors
/// A value that cannot be used, or options that contradict each other: a line that names them.
// Its frame is not to lie below the one in which argh reads.
#[inline(never)]
pub(crate) fn request(
    parsed: &Parsed<Options>,
    argv: &'static [&'static CStr],
    host: &dyn Host,
) -> Result<Request, InvalidOptions> {
    let options = parsed.options;
    let target = target(options)?;
    let wanted = wanted(options, target.as_ref())?;
    contradictions(parsed, target.as_ref(), &wanted)?;
    let kinds = kinds_of(&wanted);
    let user = kinds.has(Kind::User) || options.user_parent > 0;
    let mut credentials = CredentialOptions::of(
        options.setuid.as_ref(),
        options.setgid.as_ref(),
        options.groups.as_ref(),
        host,
    )?;
    if user && !options.preserve_credentials {
        credentials = credentials.or_root();
    }
    let places = Places::of(&options.root, &options.wd, &options.wdns, kinds);

    let kill_child = common::kill_child(&options.kill_child)?;
    let forward = common::forward(&options.forward_signals)?;
    let for_signals = kill_child.is_some() || !forward.is_empty();

    let mut steps = Vec::with_capacity(24);
    let pidfile = options.pidfile.as_ref().map(|file| file.0.clone());
    steps.extend(Helper::new(Vec::new(), pidfile, for_signals).map(Step::Helper));
    open(
        options,
        target.as_ref(),
        &wanted,
        places.sources,
        credentials.follows(),
        &mut steps,
    );
    if user && credentials.drops_groups() {
        let unless_ours = wanted
            .iter()
            .any(|wanted| matches!(wanted.which, Which::AllBut(_)));
        steps.push(DropGroupsEarly { unless_ours }.into());
    }
    steps.push(Step::Enter(Enter {
        wanted,
        in_order: false,
        user_parent: options.user_parent,
    }));
    if options.join_cgroup {
        steps.push(JoinCgroup.into());
    }
    steps.extend(places.steps);
    if options.env {
        steps.push(Step::Environment(Variables::Target));
    }
    if for_signals || kinds.has(Kind::Pid) && !options.no_fork {
        steps.push(Step::Fork(Fork {
            kill_child,
            forward,
            only_if_needed: !for_signals,
            ..Fork::default()
        }));
    }
    credentials.steps(options.keep_caps && user, &mut steps);
    steps.push(Step::Execute(common::program(parsed.operands(argv))));

    let report = Report {
        applet: AppletName::Nsenter,
        argv,
        status_fd: common::status_fd(options.status_fd.as_ref())?,
        explain: options.explain,
        ..Report::default()
    };
    let plan = Plan { steps, report };
    Ok(Request::of(plan, options.dry_run, options.json))
}

/// Opens and reads what is taken along, before anything is entered. `follows`: the target's users and groups too.
fn open(
    options: &Options,
    target: Option<&Reference>,
    wanted: &[Wanted],
    sources: Vec<Source>,
    follows: bool,
    steps: &mut Vec<Step>,
) {
    if let Some(target) = target {
        let kind = wanted
            .iter()
            .find_map(|wanted| match (&wanted.reference, wanted.which) {
                (Reference::Target(_), Which::These(kinds)) => kinds.iter().next(),
                (Reference::Target(_), Which::AllBut(_)) => Some(Kind::User),
                _ => None,
            });
        steps.push(open_target(target, kind));
    }
    let first = steps.len();
    steps.extend(sources.into_iter().map(Step::Open));
    if options.env {
        steps.push(Step::Open(Source::Environment));
    }
    if follows {
        steps.push(Step::Open(Source::Credentials));
    }
    if options.join_cgroup {
        steps.push(Step::Open(Source::Cgroups));
    }
    let labels = [
        (options.follow_context, Label::Selinux),
        (options.follow_apparmor, Label::Apparmor),
    ];
    let labels = labels
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, label)| label);
    steps.extend(labels.clone().map(|label| Step::Open(Source::Label(label))));
    if target.is_some() && steps.len() > first {
        steps.push(CheckTarget.into());
    }
    steps.extend(labels.map(Step::ExecLabel));
}

fn target(options: &Options) -> Result<Option<Reference>, InvalidOptions> {
    if options.target.len() > 1 {
        return Err(InvalidOptions::line(
            "option --target may be given only once",
        ));
    }
    let parse = |text: &Text| {
        let read = parse_process(&text.0).unwrap_or_else(|| {
            let is_word = text
                .0
                .as_bytes()
                .first()
                .is_some_and(u8::is_ascii_alphabetic);
            let TargetPid { pid, inode } =
                TargetPid::parse(&text.0).map_err(|why| match is_word {
                    true => format!("{} is neither a PID nor {PROCESSES}", Quoted(&text.0)),
                    false => why,
                })?;
            Ok(Reference::Process { pid, inode })
        });
        of_option("--target", read)
    };
    options.target.first().map(parse).transpose()
}

/// How a process is named, but by its number, for errors.
const PROCESSES: &str =
    "one of oci:ID, machine:NAME, unit:NAME, pidfile:FILE, cgroup:PATH, fd:N, pid:PID, self";

/// What is to be entered: of the target, and of files.
fn wanted(options: &Options, target: Option<&Reference>) -> Result<Vec<Wanted>, InvalidOptions> {
    let mut of_target = Kinds::NONE;
    let mut named = Kinds::NONE;
    let mut wanted = Vec::new();
    for (given, kind) in options.of_kinds() {
        if given.is_empty() {
            continue;
        }
        match given.iter().rev().find_map(|attached| attached.0.as_ref()) {
            None => of_target = of_target.with(kind),
            Some(file) => {
                named = named.with(kind);
                let reference = reference(kind, file)?;
                wanted.push(Wanted {
                    which: Which::These(Kinds::NONE.with(kind)),
                    reference,
                });
            }
        }
    }
    let target = || {
        let reference = match target.ok_or_else(no_target)? {
            Reference::Process { pid, .. } => Reference::process(*pid),
            other => other.clone(),
        };
        Ok(Reference::Target(Box::new(reference)))
    };
    if let Some(text) = &options.net_socket {
        let fd = of_option("--net-socket", value::fd(&text.0))?;
        let of = Box::new(target()?);
        // A socket says more exactly which network is meant.
        wanted.retain(|wanted| wanted.which != Which::These(Kinds::NONE.with(Kind::Net)));
        of_target = of_target.without(Kind::Net);
        named = named.with(Kind::Net);
        let which = Which::These(Kinds::NONE.with(Kind::Net));
        wanted.push(Wanted {
            which,
            reference: Reference::Socket { of, fd },
        });
    }
    if options.all {
        let reference = target()?;
        // A kind that was also asked for by name is meant so: a user namespace of our own is refused then.
        let which = if of_target.has(Kind::User) {
            Which::These(Kinds::ALL.less(named))
        } else {
            Which::AllBut(named)
        };
        wanted.insert(0, Wanted { which, reference });
    } else if !of_target.is_empty() {
        let reference = target()?;
        let which = Which::These(of_target);
        wanted.insert(0, Wanted { which, reference });
    }
    if options.user_parent > 0 && wanted.is_empty() {
        // Of the target itself, then.
        let reference = target()?;
        let which = Which::These(Kinds::NONE.with(Kind::User));
        wanted.push(Wanted { which, reference });
    }
    Ok(wanted)
}

/// `FILE`, or `:NSID`.
fn reference(kind: Kind, file: &OsString) -> Result<Reference, InvalidOptions> {
    let Some(number) = file.as_bytes().strip_prefix(b":") else {
        return Ok(Reference::File(file.clone()));
    };
    match decimal(number).and_then(|number| u64::try_from(number).ok()) {
        Some(id) => Ok(Reference::Id(id)),
        None => {
            let option = kind.option();
            let number = Quoted(OsStr::from_bytes(number));
            Err(InvalidOptions::value(
                &format!("--{option}"),
                format!("{number} after ':' is not a namespace ID, a decimal number"),
            ))
        }
    }
}

fn no_target() -> InvalidOptions {
    InvalidOptions::line("no target PID specified")
}

/// Refuses what cannot be, or would do nothing.
fn contradictions(
    parsed: &Parsed<Options>,
    target: Option<&Reference>,
    wanted: &[Wanted],
) -> Result<(), InvalidOptions> {
    let options = parsed.options;
    if options.json && !options.dry_run {
        return Err(InvalidOptions::line(common::JSON_OF_PLAN));
    }
    if !options.wd.is_empty() && !options.wdns.is_empty() {
        let (last, first) = match parsed.last_of(&["wd", "wdns"]) {
            Some("wd") => ("wdns", "wd"),
            _ => ("wd", "wdns"),
        };
        return Err(InvalidOptions::line(format!(
            "options --{last} and --{first} cannot be combined"
        )));
    }
    if options.wdns.iter().any(|attached| attached.0.is_none()) {
        return Err(InvalidOptions::line(
            "--wdns: needs a directory, attached: --wdns=<dir>",
        ));
    }
    if target.is_none() {
        let follow = |text: &Option<Text>| text.as_ref().is_some_and(|text| text.0 == "follow");
        let bare = |given: &[Attached]| given.last().is_some_and(|attached| attached.0.is_none());
        let needs = [
            (bare(&options.root), "root"),
            (bare(&options.wd), "cwd"),
            (options.env, "environ"),
            (options.join_cgroup, "cgroup"),
            (
                options.follow_context || options.follow_apparmor,
                "attr/current",
            ),
            (follow(&options.setuid), "uid"),
            (follow(&options.setgid), "gid"),
            (follow(&options.groups), "groups"),
        ];
        if let Some((_, what)) = needs.into_iter().find(|(needed, _)| *needed) {
            let text = format!("neither filename nor target pid supplied for {what}");
            return Err(InvalidOptions::line(text));
        }
    }
    if wanted.is_empty() {
        return Err(InvalidOptions::line("no namespace specified"));
    }
    if options.no_fork && !(options.kill_child.is_empty() && options.forward_signals.is_empty()) {
        return Err(InvalidOptions::line(
            "--no-fork cannot be combined with --kill-child or --forward-signals: they need a child",
        ));
    }
    Ok(())
}
