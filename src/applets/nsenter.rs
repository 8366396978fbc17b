//! `nsenter`: a program in namespaces that exist (its options, and the plan that they ask for).

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use argh::{ArgsInfo, FromArgs};

use super::common::{self, Request, Trouble, lookup_or_follow, of_option};
use crate::cli::{Attached, Declared, Parsed, Text};
use crate::plan::number::{Quoted, decimal};
use crate::plan::value::{self, OrFollow, TargetPid};
use crate::plan::{
    Enter, Environment, Fork, GroupList, Host, Ids, Kind, Kinds, Label, NewId, Plan, Reference,
    Report, Source, Step, Wanted, When, Which,
};

/// run a program in the namespaces of other processes
#[derive(Debug, FromArgs, ArgsInfo)]
pub(crate) struct Options {
    /// all namespaces of the target
    #[argh(switch, short = 'a')]
    pub(crate) all: bool,
    /// process to take the contexts from
    #[argh(option, short = 't', arg_name = "pid[:inode]")]
    pub(crate) target: Vec<Text>,
    /// mount namespace
    #[argh(option, short = 'm', arg_name = "[file]")]
    pub(crate) mount: Vec<Attached>,
    /// UTS namespace (hostname)
    #[argh(option, short = 'u', arg_name = "[file]")]
    pub(crate) uts: Vec<Attached>,
    /// IPC namespace (System V IPC, POSIX message queues)
    #[argh(option, short = 'i', arg_name = "[file]")]
    pub(crate) ipc: Vec<Attached>,
    /// network namespace
    #[argh(option, short = 'n', arg_name = "[file]")]
    pub(crate) net: Vec<Attached>,
    /// network namespace of the target's socket <fd>
    #[argh(option, short = 'N', arg_name = "fd")]
    pub(crate) net_socket: Option<Text>,
    /// PID namespace; forks (see --no-fork)
    #[argh(option, short = 'p', arg_name = "[file]")]
    pub(crate) pid: Vec<Attached>,
    /// cgroup namespace
    #[argh(option, short = 'C', arg_name = "[file]")]
    pub(crate) cgroup: Vec<Attached>,
    /// user namespace
    #[argh(option, short = 'U', arg_name = "[file]")]
    pub(crate) user: Vec<Attached>,
    /// parent user namespace of the one entered, or owner; repeat for more levels
    #[argh(switch)]
    pub(crate) user_parent: u32,
    /// time namespace
    #[argh(option, short = 'T', arg_name = "[file]")]
    pub(crate) time: Vec<Attached>,

    /// user of the program, inside
    #[argh(option, short = 'S', arg_name = "uid|name|follow")]
    pub(crate) setuid: Option<Text>,
    /// group of the program, inside; drops supplementary groups
    #[argh(option, short = 'G', arg_name = "gid|name|follow")]
    pub(crate) setgid: Option<Text>,
    /// supplementary groups of the program, inside (+)
    #[argh(option, arg_name = "gid,...|follow")]
    pub(crate) groups: Option<Text>,
    /// leave user, group and groups alone in a user namespace
    #[argh(switch)]
    pub(crate) preserve_credentials: bool,
    /// keep the capabilities held in the user namespace across exec
    #[argh(switch)]
    pub(crate) keep_caps: bool,
    /// SELinux context of the target
    #[argh(switch, short = 'Z')]
    pub(crate) follow_context: bool,
    /// the AppArmor profile of the target (+)
    #[argh(switch)]
    pub(crate) follow_apparmor: bool,

    /// cgroup of the target
    #[argh(switch, short = 'c')]
    pub(crate) join_cgroup: bool,
    /// do not fork after entering a PID namespace
    #[argh(switch, short = 'F')]
    pub(crate) no_fork: bool,
    /// send the child this signal when nsenter dies (default KILL) (+)
    #[argh(option, arg_name = "[=signal]")]
    pub(crate) kill_child: Vec<Attached>,
    /// pass signals on to the child (+)
    #[argh(option, arg_name = "[=signal,...]")]
    pub(crate) forward_signals: Vec<Attached>,

    /// root directory: the target's, or <dir>
    #[argh(option, short = 'r', arg_name = "[dir]")]
    pub(crate) root: Vec<Attached>,
    /// working directory: the target's, or <dir>
    #[argh(option, short = 'w', arg_name = "[dir]")]
    pub(crate) wd: Vec<Attached>,
    /// working directory, looked up inside
    #[argh(option, short = 'W', arg_name = "[dir]")]
    pub(crate) wdns: Vec<Attached>,

    /// environment of the target
    #[argh(switch, short = 'e')]
    pub(crate) env: bool,

    /// report on this descriptor, a line of JSON for each event (+)
    #[argh(option, arg_name = "fd")]
    pub(crate) status_fd: Option<Text>,
    /// write the program's PID to <file> before it starts (+)
    #[argh(option, arg_name = "file")]
    pub(crate) pidfile: Option<Text>,
    /// on failure say why, and what to do (+)
    #[argh(switch)]
    pub(crate) explain: bool,
    /// print the steps and change nothing (+)
    #[argh(switch)]
    pub(crate) dry_run: bool,
    /// show the version
    #[argh(switch, short = 'V')]
    #[expect(dead_code, reason = "the reader acts on it as soon as it is met")]
    pub(crate) version: bool,
}

impl Declared for Options {
    const NAME: &'static str = "nsenter";
    const OPERANDS: &'static [&'static str] = &["[program [argument...]]"];
    const SECTIONS: &'static [(&'static str, &'static str)] = &[
        ("Namespaces", "all"),
        ("Users and groups", "setuid"),
        ("Process", "join-cgroup"),
        ("Mounts and directories", "root"),
        ("Environment", "env"),
        ("Other", "status-fd"),
    ];
}

/// Turns the options into what to do.
///
/// # Errors
/// A value that cannot be used, or options that contradict each other: a line that names them.
pub(crate) fn request(
    parsed: &Parsed<Options>,
    argv: &'static [&'static CStr],
    host: &dyn Host,
) -> Result<Request, Trouble> {
    let options = &parsed.options;
    let target = target(options)?;
    let wanted = wanted(options, target)?;
    contradictions(parsed, target, &wanted)?;
    let kinds = wanted
        .iter()
        .fold(Kinds::NONE, |kinds, wanted| match wanted.which {
            Which::These(these) => kinds.and(these),
            Which::AllBut(_) | Which::Natural => Kinds::ALL,
        });
    let user = kinds.has(Kind::User) || options.user_parent > 0;
    let credentials = Credentials::of(options, user, host)?;
    let places = Places::of(options, kinds);

    let mut steps = Vec::with_capacity(24);
    if let Some(file) = &options.pidfile {
        steps.push(Step::Pidfile(file.0.clone()));
    }
    if let Some(target) = target {
        let kind = wanted
            .iter()
            .find_map(|wanted| match (&wanted.reference, wanted.which) {
                (Reference::Target(_), Which::These(kinds)) => kinds.iter().next(),
                (Reference::Target(_), Which::AllBut(_)) => Some(Kind::User),
                _ => None,
            });
        steps.push(Step::OpenTarget {
            pid: target.pid,
            inode: target.inode,
            kind,
        });
    }
    let first = steps.len();
    steps.extend(places.sources.into_iter().map(Step::Open));
    if options.env {
        steps.push(Step::Open(Source::Environment));
    }
    if credentials.follows() {
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
        steps.push(Step::CheckTarget);
    }
    steps.extend(labels.map(Step::ExecLabel));
    if user && credentials.drops_groups() {
        let unless_ours = wanted
            .iter()
            .any(|wanted| matches!(wanted.which, Which::AllBut(_)));
        steps.push(Step::DropGroupsEarly { unless_ours });
    }
    steps.push(Step::Enter(Enter {
        wanted,
        in_order: false,
        user_parent: options.user_parent,
    }));
    if options.join_cgroup {
        steps.push(Step::JoinCgroup);
    }
    steps.extend(places.steps);
    if options.env {
        steps.push(Step::Environment(Environment::Target));
    }
    let kill_child = common::kill_child(&options.kill_child)?;
    let forward = common::forward(&options.forward_signals)?;
    let for_signals = kill_child.is_some() || !forward.is_empty();
    if for_signals || kinds.has(Kind::Pid) && !options.no_fork {
        steps.push(Step::Fork(Fork {
            kill_child,
            forward,
            only_if_needed: !for_signals,
            ..Fork::default()
        }));
    }
    credentials.steps(options.keep_caps && user, &mut steps);
    steps.push(Step::Execute(common::program(
        &argv[parsed.first_operand..],
    )));

    let report = Report {
        status_fd: common::status_fd(options.status_fd.as_ref())?,
        explain: options.explain,
        ..Report::default()
    };
    let plan = Plan { steps, report };
    Ok(if options.dry_run {
        Request::Rehearse(plan)
    } else {
        Request::Run(plan)
    })
}

fn target(options: &Options) -> Result<Option<TargetPid>, Trouble> {
    if options.target.len() > 1 {
        return Err(Trouble::line("option --target may be given only once"));
    }
    let parse = |text: &Text| of_option("--target", TargetPid::parse(&text.0));
    options.target.first().map(parse).transpose()
}

/// What is to be entered: of the target, and of files.
fn wanted(options: &Options, target: Option<TargetPid>) -> Result<Vec<Wanted>, Trouble> {
    let mut of_target = Kinds::NONE;
    let mut named = Kinds::NONE;
    let mut wanted = Vec::new();
    for (given, kind) in kinds(options) {
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
    let pid = target.map(|target| target.pid);
    if let Some(text) = &options.net_socket {
        let fd = of_option("--net-socket", value::fd(&text.0))?;
        let pid = pid.ok_or_else(no_target)?;
        // A socket says more exactly which network is meant.
        wanted.retain(|wanted| wanted.which != Which::These(Kinds::NONE.with(Kind::Net)));
        of_target = of_target.without(Kind::Net);
        named = named.with(Kind::Net);
        let which = Which::These(Kinds::NONE.with(Kind::Net));
        wanted.push(Wanted {
            which,
            reference: Reference::Socket { pid, fd },
        });
    }
    if options.all {
        let pid = pid.ok_or_else(no_target)?;
        // A kind that was also asked for by name is meant so: a user namespace of our own is refused then.
        let which = if of_target.has(Kind::User) {
            Which::These(Kinds::ALL.less(named))
        } else {
            Which::AllBut(named)
        };
        wanted.insert(
            0,
            Wanted {
                which,
                reference: Reference::Target(pid),
            },
        );
    } else if !of_target.is_empty() {
        let pid = pid.ok_or_else(no_target)?;
        let which = Which::These(of_target);
        wanted.insert(
            0,
            Wanted {
                which,
                reference: Reference::Target(pid),
            },
        );
    }
    if options.user_parent > 0 && wanted.is_empty() {
        // Of the target itself, then.
        let pid = pid.ok_or_else(no_target)?;
        let which = Which::These(Kinds::NONE.with(Kind::User));
        wanted.push(Wanted {
            which,
            reference: Reference::Target(pid),
        });
    }
    Ok(wanted)
}

fn kinds(options: &Options) -> [(&[Attached], Kind); 8] {
    [
        (&options.user, Kind::User),
        (&options.cgroup, Kind::Cgroup),
        (&options.ipc, Kind::Ipc),
        (&options.uts, Kind::Uts),
        (&options.net, Kind::Net),
        (&options.pid, Kind::Pid),
        (&options.mount, Kind::Mnt),
        (&options.time, Kind::Time),
    ]
}

/// `FILE`, or `:NSID`.
fn reference(kind: Kind, file: &OsString) -> Result<Reference, Trouble> {
    let Some(number) = file.as_bytes().strip_prefix(b":") else {
        return Ok(Reference::File(file.clone()));
    };
    match decimal(number).and_then(|number| u64::try_from(number).ok()) {
        Some(id) => Ok(Reference::Id(id)),
        None => {
            let option = if kind == Kind::Mnt {
                "mount"
            } else {
                kind.name()
            };
            let number = Quoted(OsStr::from_bytes(number));
            Err(Trouble::value(
                &format!("--{option}"),
                format!("{number} after ':' is not a namespace ID, a decimal number"),
            ))
        }
    }
}

fn no_target() -> Trouble {
    Trouble::line("no target PID specified")
}

/// Refuses what cannot be, or would do nothing.
fn contradictions(
    parsed: &Parsed<Options>,
    target: Option<TargetPid>,
    wanted: &[Wanted],
) -> Result<(), Trouble> {
    let options = &parsed.options;
    if !options.wd.is_empty() && !options.wdns.is_empty() {
        let (last, first) = match parsed.last_of(&["wd", "wdns"]) {
            Some("wd") => ("wdns", "wd"),
            _ => ("wd", "wdns"),
        };
        return Err(Trouble::line(format!(
            "options --{last} and --{first} cannot be combined"
        )));
    }
    if options.wdns.iter().any(|attached| attached.0.is_none()) {
        return Err(Trouble::line(
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
            return Err(Trouble::line(text));
        }
    }
    if wanted.is_empty() {
        return Err(Trouble::line("no namespace specified"));
    }
    if options.no_fork && !(options.kill_child.is_empty() && options.forward_signals.is_empty()) {
        return Err(Trouble::line(
            "--no-fork cannot be combined with --kill-child or --forward-signals: they need a child",
        ));
    }
    Ok(())
}

/// Users and groups of the program, for nsenter and setns.
pub(super) struct Credentials {
    groups: Option<GroupList>,
    gid: Option<NewId>,
    uid: Option<NewId>,
}

impl Credentials {
    fn of(options: &Options, user: bool, host: &dyn Host) -> Result<Credentials, Trouble> {
        let mut given = Credentials::given(
            options.setuid.as_ref(),
            options.setgid.as_ref(),
            options.groups.as_ref(),
            host,
        )?;
        if user && !options.preserve_credentials {
            given.groups.get_or_insert(GroupList::DroppedIfUserEntered);
            given.gid.get_or_insert(NewId::RootIfUserEntered);
            given.uid.get_or_insert(NewId::RootIfUserEntered);
        }
        Ok(given)
    }

    /// Only what the options name.
    pub(super) fn given(
        uid: Option<&Text>,
        gid: Option<&Text>,
        groups: Option<&Text>,
        host: &dyn Host,
    ) -> Result<Credentials, Trouble> {
        let gid = gid
            .map(|text| lookup_or_follow("--setgid", Ids::Gid, &text.0, host))
            .transpose()?;
        let uid = uid
            .map(|text| lookup_or_follow("--setuid", Ids::Uid, &text.0, host))
            .transpose()?;
        let groups = groups
            .map(|text| of_option("--groups", OrFollow::parse(&text.0, value::groups)))
            .transpose()?
            .map(|groups| match groups {
                OrFollow::Follow => GroupList::Follow,
                OrFollow::Given(groups) => GroupList::These(groups),
            })
            // Another group without the groups that went with the old one.
            .or(gid.map(|_| GroupList::Dropped));
        Ok(Credentials { groups, gid, uid })
    }

    pub(super) fn follows(&self) -> bool {
        self.groups == Some(GroupList::Follow)
            || self.gid == Some(NewId::Follow)
            || self.uid == Some(NewId::Follow)
    }

    fn drops_groups(&self) -> bool {
        matches!(
            self.groups,
            Some(GroupList::Dropped | GroupList::DroppedIfUserEntered)
        )
    }

    pub(super) fn steps(self, keep: bool, steps: &mut Vec<Step>) {
        steps.extend(self.groups.map(Step::Groups));
        steps.extend(self.gid.map(Step::Gid));
        if keep && self.uid.is_some() {
            steps.push(Step::HoldCapabilities(When::UserEntered));
        }
        steps.extend(self.uid.map(Step::Uid));
        if keep {
            steps.push(Step::KeepCapabilities(When::UserEntered));
        }
    }
}

/// Root and working directory, for nsenter and setns.
pub(super) struct Places {
    /// What to open before entering.
    pub(super) sources: Vec<Source>,
    /// What to do with it after entering.
    pub(super) steps: Vec<Step>,
}

impl Places {
    fn of(options: &Options, kinds: Kinds) -> Places {
        Places::given(&options.root, &options.wd, &options.wdns, kinds)
    }

    /// `kinds`: what is entered.
    pub(super) fn given(
        root: &[Attached],
        wd: &[Attached],
        wdns: &[Attached],
        kinds: Kinds,
    ) -> Places {
        let mut places = Places {
            sources: Vec::new(),
            steps: Vec::new(),
        };
        let root = root.last();
        if let Some(Attached(path)) = root {
            places.sources.push(Source::Root(path.clone()));
            places.steps.push(Step::OpenedRoot);
        }
        if let Some(Attached(path)) = wd.last() {
            places.sources.push(Source::Directory(path.clone()));
            places.steps.push(Step::OpenedDirectory);
        } else if let Some(Attached(Some(path))) = wdns.last() {
            places.steps.push(Step::Directory(path.clone()));
        } else if root.is_some() && !kinds.has(Kind::Mnt) {
            // The old working directory stays, though no path leads to it any more. Of a mount namespace
            // that is entered, it is the root.
            places.sources.push(Source::OwnDirectory);
            places.steps.push(Step::OpenedDirectory);
        }
        places
    }
}
