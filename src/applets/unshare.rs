//! `unshare`: new namespaces for a program (its options, and the plan that they ask for).

mod advice;
mod options;

use std::ffi::{CStr, OsStr};

use advice::advice;
pub(crate) use options::Options;

use super::common::{self, InvalidOptions, Request, lookup, of_option, words_of};
use crate::cli::{Attached, Parsed};
use crate::host::Host;
use crate::model::binfmt::Registration;
use crate::model::idmap::{Range, RangeSpec};
use crate::model::value::{self, Propagation, Setgroups};
use crate::model::{AppletName, Clock, IdMap, Ids, Kind, Kinds};
use crate::plan::{Plan, Report};
use crate::steps::Step;
use crate::steps::outside::bind::Bind;
use crate::steps::{
    Become, ClockOffset, Directory, Fork, Gid, GroupList, Helper, HoldCapabilities, Hostname, Init,
    KeepCapabilities, Loopback, MakePrivate, MountBinfmt, MountProc, NewId, Outside, PivotRoot,
    Register, Root, Uid, Unshare, Variables, Via, When, WriteMap,
};

/// The default directories of file systems that are mounted.
const PROC: &str = "/proc";
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

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
    let kinds = kinds(options, host);
    if options.all && kinds.is_empty() {
        let line = "--all: this kernel makes no namespaces that we know of";
        return Err(InvalidOptions::line(line));
    }
    let fork = fork(options)?;
    contradictions(options, kinds, fork.is_some())?;

    let maps = [map(parsed, Ids::Uid, host)?, map(parsed, Ids::Gid, host)?];
    let owner = options
        .owner
        .as_ref()
        .map(|text| {
            let lookup = |ids, name: &OsStr| host.lookup(ids, name);
            of_option("--owner", value::Owner::parse(&text.0, lookup))
        })
        .transpose()?;
    let privileged = owner.is_some() && host.may_map(Ids::Gid);
    let setgroups = setgroups(options, maps[1].as_ref(), privileged)?;
    let binds = binds(options);
    let (mut own, outside) = writers(maps, owner.is_some(), host);

    let mut steps = Vec::with_capacity(24);
    let mut clocks = clocks(options, host)?;
    let mut setgroups = setgroups;
    let mut outside = Vec::from_iter((!outside.is_empty()).then_some(Outside::Maps(outside)));
    if owner.is_some() {
        // Our files in /proc are not ours then.
        let before = setgroups.take().map(Outside::Setgroups);
        outside.splice(0..0, before);
        outside.extend(clocks.drain(..).map(Outside::Clock));
    }
    let binds = (!binds.is_empty()).then_some(Outside::Bind(binds));
    let forks = fork.is_some();
    let work = outside.iter().chain(&binds).cloned().collect();
    let pidfile = options.pidfile.as_ref().map(|file| file.0.clone());
    steps.extend(Helper::new(work, pidfile, forks).map(Step::Helper));
    if let Some(owner) = owner {
        steps.push(
            Become {
                uid: owner.uid,
                gid: owner.gid,
            }
            .into(),
        );
    }
    if !kinds.is_empty() {
        steps.push(Unshare(kinds).into());
    }
    steps.extend(setgroups.map(Step::Setgroups));
    steps.append(&mut own);
    steps.extend(outside.into_iter().map(Step::Outside));
    steps.extend(clocks.into_iter().map(Step::ClockOffset));
    steps.extend(fork.map(Step::Fork));
    steps.extend(binds.map(Step::Outside));
    mounts(options, kinds, forks, &mut steps)?;
    if let Some(name) = &options.hostname {
        steps.push(Hostname(name.0.clone()).into());
    }
    if options.loopback {
        steps.push(Loopback.into());
    }
    credentials(options, kinds, host, &mut steps)?;
    if let Some(environment) = environment(options)? {
        steps.push(Step::Environment(environment));
    }
    let operands = parsed.operands(argv);
    advice(options, operands, kinds, forks, host, &mut steps);
    steps.push(Step::Execute(common::program(operands)));

    let report = Report {
        applet: AppletName::Unshare,
        argv,
        status_fd: common::status_fd(options.status_fd.as_ref())?,
        explain: options.explain,
        verbose: false,
    };
    let plan = Plan { steps, report };
    Ok(Request::of(plan, options.dry_run, options.json))
}

/// The steps that write maps ourselves, and the maps that are written from outside.
fn writers(
    maps: [Option<Map>; 2],
    has_owner: bool,
    host: &dyn Host,
) -> (Vec<Step>, Vec<(Ids, IdMap, Via)>) {
    let (mut own, mut outside) = (Vec::new(), Vec::new());
    for (ids, map) in [Ids::Uid, Ids::Gid].into_iter().zip(maps) {
        let Some(map) = map else { continue };
        // One ID of our own we may write ourselves, unless somebody else will own the namespace.
        if map.is_own && !has_owner {
            own.push(WriteMap { ids, map: map.map }.into());
        } else {
            let via = if host.may_map(ids) {
                Via::File
            } else {
                Via::Program
            };
            outside.push((ids, map.map, via));
        }
    }
    (own, outside)
}

/// The namespaces to make: those asked for, and those that other options imply.
fn kinds(options: &Options, host: &dyn Host) -> Kinds {
    let mut kinds = if options.all {
        host.kinds()
    } else {
        Kinds::NONE
    };
    for (given, kind) in options.of_kinds() {
        if !given.is_empty() {
            kinds = kinds.with(kind);
        }
    }
    let binfmt = !options.mount_binfmt.is_empty() || !options.load_interp.is_empty();
    let maps = options.map_root_user
        || options.map_current_user
        || options.map_user.is_some()
        || options.map_group.is_some()
        || !options.map_users.is_empty()
        || !options.map_groups.is_empty()
        || options.map_auto
        || options.map_subids;
    let implied = [
        (maps || options.owner.is_some() || binfmt, Kind::User),
        (!options.mount_proc.is_empty() || binfmt, Kind::Mnt),
        (!options.init.is_empty(), Kind::Pid),
        (options.hostname.is_some(), Kind::Uts),
        (options.loopback, Kind::Net),
    ];
    implied
        .into_iter()
        .filter(|(implied, _)| *implied)
        .fold(kinds, |kinds, (_, kind)| kinds.with(kind))
}

/// The files on which namespaces are made persistent; of several for one kind, the last.
fn binds(options: &Options) -> Vec<Bind> {
    options
        .of_kinds()
        .into_iter()
        .filter_map(|(given, kind)| {
            let file = given.iter().rev().find_map(|attached| attached.0.clone())?;
            Some(Bind { kind, file })
        })
        .collect()
}

/// How to fork, if at all.
fn fork(options: &Options) -> Result<Option<Fork>, InvalidOptions> {
    let kill_child = common::kill_child(&options.kill_child)?;
    let forward = common::forward(&options.forward_signals)?;
    let init = match options.init.last() {
        None => None,
        Some(Attached(None)) => Some(Init::Program),
        Some(Attached(Some(word))) if word == "group" => Some(Init::Group),
        Some(Attached(Some(word))) => {
            return Err(InvalidOptions::value(
                "--init",
                format!("{} is not group", common::quoted(word)),
            ));
        }
    };
    let forks = options.fork || kill_child.is_some() || !forward.is_empty() || init.is_some();
    Ok(forks.then_some(Fork {
        kill_child,
        forward,
        patient: true,
        init,
        only_if_needed: false,
    }))
}

/// Refuses options that contradict each other.
fn contradictions(options: &Options, kinds: Kinds, forks: bool) -> Result<(), InvalidOptions> {
    let refuse = |line: &str| Err(InvalidOptions::line(line));
    if (options.monotonic.is_some() || options.boottime.is_some()) && !kinds.has(Kind::Time) {
        return refuse(
            "options --monotonic and --boottime require unsharing of a time namespace (-T)",
        );
    }
    if !forks && options.pid.iter().any(|attached| attached.0.is_some()) {
        return refuse(
            "--pid=FILE needs --fork: a PID namespace can be bound once it has a process",
        );
    }
    if options.json && !options.dry_run {
        return refuse(common::JSON_OF_PLAN);
    }
    if options.pivot_root && options.root.is_none() {
        return refuse("--pivot-root needs --root: the directory to pivot to");
    }
    if options.pivot_root && !kinds.has(Kind::Mnt) {
        return refuse(
            "--pivot-root needs --mount: only a new mount namespace can get another root",
        );
    }
    Ok(())
}

/// A map, and whether it is one ID of our own.
struct Map {
    map: IdMap,
    is_own: bool,
}

/// The map of users or groups, if one is asked for.
fn map(parsed: &Parsed<Options>, ids: Ids, host: &dyn Host) -> Result<Option<Map>, InvalidOptions> {
    let options = parsed.options;
    let (name, option, given, range_option, specs) = match ids {
        Ids::Uid => (
            "map-user",
            "--map-user",
            &options.map_user,
            "--map-users",
            &options.map_users,
        ),
        Ids::Gid => (
            "map-group",
            "--map-group",
            &options.map_group,
            "--map-groups",
            &options.map_groups,
        ),
    };
    let outside = || host.effective(ids);
    let single = match parsed.last_of(&[name, "map-root-user", "map-current-user"]) {
        None => None,
        Some("map-root-user") => Some((0, outside())),
        Some("map-current-user") => Some((outside(), outside())),
        Some(_) => match given {
            Some(text) => Some((lookup(option, ids, &text.0, host)?, outside())),
            None => None,
        },
    };
    let mut ranges = Vec::with_capacity(specs.len());
    let mut add = |option: &str, spec: RangeSpec| -> Result<(), InvalidOptions> {
        match spec {
            RangeSpec::Extent(extent) => ranges.push(Range::given(extent)),
            RangeSpec::Auto => ranges.push(Range::auto(of_option(option, host.subids(ids))?)),
            RangeSpec::SubIds => ranges.push(Range::subids(of_option(option, host.subids(ids))?)),
            RangeSpec::All => {
                let own = of_option(option, host.own_map(ids))?;
                let all = Range::all(&own);
                if all.is_empty() {
                    let text = "all: this user namespace has no ID map".to_owned();
                    return Err(InvalidOptions::value(option, text));
                }
                ranges.extend(all);
            }
        }
        Ok(())
    };
    for spec in specs {
        let spec = of_option(range_option, RangeSpec::parse(&spec.0))?;
        add(range_option, spec)?;
    }
    if options.map_auto {
        add("--map-auto", RangeSpec::Auto)?;
    }
    if options.map_subids {
        add("--map-subids", RangeSpec::SubIds)?;
    }
    if single.is_none() && ranges.is_empty() {
        return Ok(None);
    }
    let is_own = ranges.is_empty();
    let map = of_option(range_option, IdMap::new(single, &ranges, host.page_size()))?;
    Ok(Some(Map { map, is_own }))
}

/// What to write to /proc/self/setgroups; `privileged`: a map of groups of our own is written with privilege.
fn setgroups(
    options: &Options,
    groups: Option<&Map>,
    privileged: bool,
) -> Result<Option<Setgroups>, InvalidOptions> {
    let given = options
        .setgroups
        .as_ref()
        .map(|text| of_option("--setgroups", Setgroups::parse(&text.0)))
        .transpose()?;
    // Without privilege the kernel takes a map of groups only where setgroups is denied.
    let must_deny = !privileged && groups.is_some_and(|map| map.is_own);
    match given {
        Some(Setgroups::Allow) if must_deny => Err(InvalidOptions::line(
            "options --setgroups=allow and --map-group are mutually exclusive",
        )),
        None if must_deny => Ok(Some(Setgroups::Deny)),
        given => Ok(given),
    }
}

fn clocks(options: &Options, host: &dyn Host) -> Result<Vec<ClockOffset>, InvalidOptions> {
    let clocks = [
        ("--monotonic", &options.monotonic, Clock::Monotonic),
        ("--boottime", &options.boottime, Clock::Boottime),
    ];
    let mut offsets = Vec::new();
    for (option, text, clock) in clocks {
        let Some(text) = text else { continue };
        let seconds = of_option(option, value::seconds(&text.0))?;
        let range = host.offset_range(clock);
        if !range.contains(&seconds) {
            let (least, most) = range.into_inner();
            let text = format!("{seconds} is out of range: now {least} to {most} is accepted");
            return Err(InvalidOptions::value(option, text));
        }
        offsets.push(ClockOffset { clock, seconds });
    }
    Ok(offsets)
}

/// Propagation, root, directory, proc and binfmt_misc.
fn mounts(
    options: &Options,
    kinds: Kinds,
    forks: bool,
    steps: &mut Vec<Step>,
) -> Result<(), InvalidOptions> {
    let propagation = match &options.propagation {
        None => Propagation::Private,
        Some(text) => of_option("--propagation", Propagation::parse(&text.0))?,
    };
    if kinds.has(Kind::Mnt) && propagation != Propagation::Unchanged {
        steps.push(Step::Propagation(propagation));
    }
    let mut entries = Vec::with_capacity(options.load_interp.len());
    for entry in &options.load_interp {
        entries.push(of_option("--load-interp", Registration::parse(&entry.0))?);
    }
    let binfmt_given = options
        .mount_binfmt
        .last()
        .map(|attached| attached.0.clone());
    let binfmt = (binfmt_given.is_some() || !entries.is_empty())
        .then(|| binfmt_given.flatten().unwrap_or_else(|| BINFMT.into()));
    let mut proc = options
        .mount_proc
        .last()
        .map(|attached| attached.0.clone().unwrap_or_else(|| PROC.into()));
    if let Some(dir) = &binfmt
        && dir == BINFMT
        && proc.is_none()
        && kinds.has(Kind::Pid)
        && forks
    {
        // The directory lies in proc, which need not be there inside, and can be mounted for this namespace.
        proc = Some(PROC.into());
    }
    // An interpreter that is opened when it is registered is looked up in the old root.
    let (early, late): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| options.root.is_some() && entry.opens_now());
    if !early.is_empty() {
        // It is one file system wherever it is mounted; this place exists.
        steps.push(MountBinfmt(BINFMT.into()).into());
        steps.extend(early.into_iter().map(|entry| {
            Register {
                dir: BINFMT.into(),
                entry: entry.text().to_owned(),
            }
            .into()
        }));
    }
    if let Some(root) = &options.root {
        steps.push(if options.pivot_root {
            PivotRoot(root.0.clone()).into()
        } else {
            Root(root.0.clone()).into()
        });
    }
    if let Some(directory) = &options.wd {
        steps.push(Directory(directory.0.clone()).into());
    }
    if let Some(dir) = proc {
        // Else it may appear where we came from, whose /proc would be dead with our PID namespace. binfmt_misc
        // cannot: it comes with a new user namespace, and no mount spreads from there (mount_namespaces(7)).
        if propagation != Propagation::Private {
            steps.push(MakePrivate(dir.clone()).into());
        }
        steps.push(MountProc(dir).into());
    }
    if let Some(dir) = binfmt {
        steps.push(MountBinfmt(dir.clone()).into());
        steps.extend(late.into_iter().map(|entry| {
            Register {
                dir: dir.clone(),
                entry: entry.text().to_owned(),
            }
            .into()
        }));
    }
    Ok(())
}

fn credentials(
    options: &Options,
    kinds: Kinds,
    host: &dyn Host,
    steps: &mut Vec<Step>,
) -> Result<(), InvalidOptions> {
    let keep = options.keep_caps && kinds.has(Kind::User);
    let groups = options
        .groups
        .as_ref()
        .map(|text| {
            of_option(
                "--groups",
                value::groups(&text.0, &|name| host.lookup(Ids::Gid, name)),
            )
        })
        .transpose()?;
    if let Some(groups) = groups {
        steps.push(Step::Groups(GroupList::Given(groups)));
    } else if options.setgid.is_some() {
        steps.push(Step::Groups(GroupList::Dropped));
    }
    if let Some(text) = &options.setgid {
        steps.push(Gid(NewId::Given(lookup("--setgid", Ids::Gid, &text.0, host)?)).into());
    }
    if let Some(text) = &options.setuid {
        if keep {
            steps.push(HoldCapabilities(When::Always).into());
        }
        steps.push(Uid(NewId::Given(lookup("--setuid", Ids::Uid, &text.0, host)?)).into());
    }
    if keep {
        steps.push(KeepCapabilities(When::Always).into());
    }
    Ok(())
}

/// The program's environment, if it is not ours.
fn environment(options: &Options) -> Result<Option<Variables>, InvalidOptions> {
    if options.whitelist_env.is_empty() {
        return Ok(options.clear_env.then_some(Variables::Empty));
    }
    let mut names = Vec::new();
    for list in words_of(&options.whitelist_env) {
        names.extend(of_option("--whitelist-env", value::variables(list))?);
    }
    Ok(Some(Variables::Only(names)))
}
