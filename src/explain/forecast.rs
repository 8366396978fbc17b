//! What a plan would fail at, as far as that can be seen without doing anything.
//!
//! The hard thing: each step is looked at from where we are now, but would be done from where the steps before it
//! lead. What those change (privilege, maps, the root directory) is followed here; where that cannot be known,
//! nothing is foretold.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use super::rules::{self, Case};
use crate::failure::{Entering, Executed, Stage};
use crate::host::capability::Capability;
use crate::host::executable;
use crate::host::facts::Facts;
use crate::host::ids::{map_of, setgroups_of};
use crate::host::namespace::{self, NamespaceFacts, Relation};
use crate::host::target::Process;
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids, Kind, Kinds};
use crate::plan::{Plan, Step};
use crate::steps::{
    Become, Directory, Gid, GroupList, MountProc, NewId, OpenTarget, Outside, PivotRoot, Program,
    Root, Source, Uid, Unshare, Variables, Via, WriteMap,
};
use crate::sys::{self, For, Proc};

/// A line for each step that would fail, with its causes and hints. `entering`: what the plan enters.
pub(crate) fn foresee(plan: &Plan, entering: &[Entering]) -> String {
    let mut ahead = Ahead {
        entering,
        pid: None,
        made: Kinds::NONE,
        entered: Kinds::NONE,
        forked: false,
        maps: [None, None],
        into: None,
        groups_denied: false,
        owner: None,
        root: RootAhead::Ours,
        moved: false,
        environment: None,
        text: String::new(),
    };
    for step in &plan.steps {
        ahead.look_at(step);
    }
    ahead.text
}

/// The root directory that a step would be done in.
enum RootAhead {
    Ours,
    Open(OwnedFd),
    Unknown,
}

/// Where the steps so far would have led.
struct Ahead<'a> {
    entering: &'a [Entering],
    /// The target process.
    pid: Option<i32>,
    made: Kinds,
    entered: Kinds,
    forked: bool,
    /// The new user namespace's maps of users and of groups.
    maps: [Option<&'a IdMap>; 2],
    /// A process of the user namespace that would be entered.
    into: Option<i32>,
    /// setgroups is denied in the new user namespace.
    groups_denied: bool,
    /// The user and group that we would have become for good.
    owner: Option<(u32, u32)>,
    root: RootAhead,
    /// The working directory is not ours any more.
    moved: bool,
    environment: Option<&'a Variables>,
    text: String,
}

impl<'a> Ahead<'a> {
    /// Tells if a step would fail with this error, 0 for none, with facts that `change` makes those of its time.
    fn tell(
        &mut self,
        step: &dyn std::fmt::Display,
        stage: Stage,
        errno: i32,
        change: impl FnOnce(&mut Facts<'_>),
    ) -> bool {
        let proc = Proc::default();
        let mut facts = Facts::new(&proc);
        change(&mut facts);
        // A filter answers with an error of its own.
        let filter = match stage {
            Stage::Unshare(kinds) => facts.unshare_probe(kinds),
            Stage::Enter { kinds, .. } => facts.setns_probe(kinds),
            _ => None,
        };
        let answer = filter.filter(|answer| !matches!(answer.raw(), libc::EINVAL | libc::EBADF));
        let errno = match answer {
            Some(answer) if errno == libc::EPERM => answer.raw(),
            _ => errno,
        };
        let causes = rules::proved(&Case {
            stage: &stage,
            errno,
            facts: &facts,
        });
        if causes.is_empty() {
            return false;
        }
        // Writing to a string does not fail.
        let _ = write!(self.text, "would fail: {step}");
        if errno != 0 {
            let _ = write!(self.text, ": {}", sys::Error::from_raw(errno));
        }
        self.text.push('\n');
        self.text.push_str(&super::lines_of(&causes));
        true
    }

    fn has_new_user(&self) -> bool {
        self.made.has(Kind::User)
    }

    /// Whether our privilege would be what it is now.
    fn is_as_now(&self) -> bool {
        !self.has_new_user() && !self.entered.has(Kind::User) && self.owner.is_none()
    }

    /// Makes facts those of root in the new user namespace, where there would be one.
    fn as_inside(&self) -> impl Fn(&mut Facts<'_>) + use<> {
        let inside = self.has_new_user();
        let maps = self
            .maps
            .map(|map| map.cloned().or_else(|| IdMap::parse(b"")));
        let denied = self.groups_denied;
        move |facts| {
            if inside {
                facts.capabilities = Some(u64::MAX).into();
                let [uids, gids] = maps.clone();
                (facts.uid_map, facts.gid_map) = (uids.into(), gids.into());
                if denied {
                    facts.setgroups = Some(Setgroups::Deny).into();
                }
            }
        }
    }

    fn look_at(&mut self, step: &'a Step) {
        match step {
            Step::Become(Become { uid, gid }) => {
                self.tell(step, Stage::Become, libc::EPERM, |_| {});
                self.owner = Some((*uid, *gid));
            }
            Step::Unshare(Unshare(kinds)) => self.unshare(step, *kinds),
            Step::Setgroups(value) => self.setgroups(step, *value),
            Step::WriteMap(WriteMap { ids, map }) => {
                self.map(step, *ids, map);
                self.maps[*ids as usize] = Some(map);
            }
            Step::Outside(Outside::Maps(maps)) => {
                for (ids, map, via) in maps {
                    match via {
                        Via::File => self.map(step, *ids, map),
                        Via::Program => self.map_program(step, *ids, map),
                    }
                    self.maps[*ids as usize] = Some(map);
                }
            }
            Step::Outside(Outside::Bind(binds)) => self.binds(step, binds),
            Step::Outside(Outside::Setgroups(value)) => self.setgroups(step, *value),
            Step::Fork(_) => {
                let has_time = self.made.has(Kind::Time);
                let made = move |facts: &mut Facts<'_>| {
                    facts.unentered = has_time.then_some(Kinds::NONE.with(Kind::Time)).into();
                };
                let _ = self.tell(step, Stage::Fork, libc::EAGAIN, |_| {})
                    || self.tell(step, Stage::Fork, libc::EINVAL, made);
                self.forked = true;
            }
            Step::OpenTarget(OpenTarget { pid, .. }) => self.pid = Some(*pid),
            Step::Open(source) => self.open(source),
            Step::Enter(_) => self.enter(),
            Step::Propagation(_) => {
                let as_inside = self.as_inside();
                let _ = self.tell(step, Stage::Propagation, libc::EINVAL, |_| {})
                    || self.tell(step, Stage::Propagation, libc::EPERM, as_inside);
            }
            Step::MountProc(MountProc(dir)) => self.mount_proc(step, dir),
            Step::Root(Root(dir)) | Step::PivotRoot(PivotRoot(dir)) => self.change_root(step, dir),
            Step::OpenedRoot(_) => self.moved = true,
            Step::Directory(Directory(dir)) => {
                if matches!(self.root, RootAhead::Ours) && !self.moved {
                    self.path(step, Stage::Directory(Some(dir.clone())));
                }
                self.moved = true;
            }
            Step::OpenedDirectory(_) => self.moved = true,
            Step::Groups(GroupList::Given(_) | GroupList::Dropped) => {
                self.credential(step, Stage::Groups, libc::EPERM);
            }
            Step::Groups(GroupList::DroppedIfUserEntered) => self.drop_groups(step),
            Step::Gid(Gid(NewId::Given(gid))) => self.id(step, Stage::Gid(*gid)),
            Step::Uid(Uid(NewId::Given(uid))) => self.id(step, Stage::Uid(*uid)),
            Step::Environment(environment) => self.environment = Some(environment),
            Step::Execute(program) => self.execute(step, program),
            // Nothing is foretold of these.
            _ => {}
        }
    }

    fn unshare(&mut self, step: &Step, kinds: Kinds) {
        let owner = self.owner;
        if self.is_as_now() || owner.is_some() {
            for errno in [libc::EPERM, libc::EINVAL, libc::ENOSPC] {
                let failed = self.tell(step, Stage::Unshare(kinds), errno, |facts| {
                    if let Some((uid, gid)) = owner {
                        (facts.uid, facts.gid) = (Some(uid).into(), Some(gid).into());
                    }
                });
                if failed {
                    break;
                }
            }
        }
        self.made = self.made.union(kinds);
    }

    fn setgroups(&mut self, step: &Step, value: Setgroups) {
        let inside = self.has_new_user();
        self.tell(step, Stage::Setgroups, libc::EPERM, |facts| {
            if inside {
                facts.gid_map = IdMap::parse(b"").into();
                facts.capabilities = Some(u64::MAX).into();
            }
            // To deny again what is denied is allowed.
            if value == Setgroups::Deny && facts.setgroups() == Some(Setgroups::Deny) {
                *facts = Facts::default();
            }
        });
        self.groups_denied = value == Setgroups::Deny;
    }

    /// A map that is written with the privilege that we have now.
    fn map(&mut self, step: &Step, ids: Ids, map: &IdMap) {
        let stage = || Stage::Map {
            ids,
            text: map.text(),
            outside: true,
        };
        let _ = self.tell(step, stage(), libc::EPERM, |_| {})
            || self.tell(step, stage(), libc::EINVAL, |_| {});
    }

    fn map_program(&mut self, step: &Step, ids: Ids, map: &IdMap) {
        let stage = || Stage::MapProgram {
            ids,
            text: map.text(),
        };
        let _ =
            self.tell(step, stage(), libc::ENOENT, |_| {}) || self.tell(step, stage(), 0, |_| {});
    }

    fn binds(&mut self, step: &Step, binds: &[(Kind, OsString)]) {
        for (kind, file) in binds {
            for errno in [libc::EPERM, libc::ENOENT, libc::ENOTDIR, libc::EINVAL] {
                let stage = Stage::Bind {
                    kind: *kind,
                    file: file.clone(),
                };
                if self.tell(step, stage, errno, |_| {}) {
                    break;
                }
            }
        }
    }

    /// What is opened before anything changes: a dry run opens it too, so that it is known to be there.
    fn open(&mut self, source: &Source) {
        let root = match source {
            Source::Root(Some(path)) => Some(path.clone()),
            Source::Root(None) => self.pid.and_then(root_of),
            _ => return,
        };
        self.root = root
            .and_then(|root| sys::open(&root, For::Directory).ok())
            .map_or(RootAhead::Unknown, RootAhead::Open);
    }

    /// Something that fails where a path leads nowhere.
    fn path(&mut self, step: &Step, stage: Stage) {
        for errno in [libc::ENOENT, libc::ENOTDIR, libc::EACCES] {
            if self.tell(step, stage.clone(), errno, |_| {}) {
                break;
            }
        }
    }

    fn enter(&mut self) {
        let all: Kinds = self
            .entering
            .iter()
            .fold(Kinds::NONE, |all, one| all.union(one.kinds));
        let seen: Vec<_> = self.entering.iter().map(seen).collect();
        // A user namespace brings the privilege along for what belongs to it.
        let enters_user = seen
            .iter()
            .flatten()
            .any(|one| one.asked == Kind::User && one.is_ours != Some(true));
        for (one, namespaces) in self.entering.iter().zip(seen) {
            let stage = || Stage::Enter {
                kinds: one.kinds,
                pid: one.pid,
            };
            let what = format!("enter {}", one.kinds);
            for errno in [libc::EINVAL, libc::EPERM] {
                let is_left_out = |namespace: &NamespaceFacts| {
                    namespace.is_ours == Some(true) && (one.leaves_ours || errno == libc::EPERM)
                };
                let is_brought = |namespace: &NamespaceFacts| {
                    errno == libc::EPERM
                        && enters_user
                        && namespace.asked != Kind::User
                        && namespace.owner != Some(Relation::Outside)
                };
                let mut namespaces = namespaces.clone();
                namespaces.retain(|one| !is_left_out(one) && !is_brought(one));
                if self.tell(&what, stage(), errno, |facts| {
                    facts.namespaces = Some(namespaces).into()
                }) {
                    break;
                }
            }
        }
        self.entered = if enters_user {
            all
        } else {
            all.without(Kind::User)
        };
        self.into = self
            .entering
            .iter()
            .filter(|one| enters_user && one.kinds.has(Kind::User))
            .find_map(|one| one.pid);
        if all.has(Kind::Mnt) {
            let mut of_mounts = self.entering.iter().filter(|one| one.kinds.has(Kind::Mnt));
            let path = of_mounts.find_map(|one| one.pid).and_then(root_of);
            self.root = path
                .and_then(|path| sys::open(&path, For::Directory).ok())
                .map_or(RootAhead::Unknown, RootAhead::Open);
            self.moved = true;
        }
    }

    fn mount_proc(&mut self, step: &Step, dir: &OsStr) {
        let stage = || Stage::Mount {
            kind: "proc",
            target: dir.to_owned(),
        };
        if matches!(self.root, RootAhead::Ours)
            && (self.tell(step, stage(), libc::ENOENT, |_| {})
                || self.tell(step, stage(), libc::ENOTDIR, |_| {}))
        {
            return;
        }
        let as_inside = self.as_inside();
        let (inside, made, forked) = (self.has_new_user(), self.made.has(Kind::Pid), self.forked);
        self.tell(step, stage(), libc::EPERM, |facts| {
            as_inside(facts);
            if inside {
                let is_own = made && forked;
                let owner = if is_own {
                    Relation::Ours
                } else {
                    Relation::Outside
                };
                facts.pid_owner = Some(owner).into();
                let unentered = if made && !forked {
                    Kinds::NONE.with(Kind::Pid)
                } else {
                    Kinds::NONE
                };
                facts.unentered = Some(unentered).into();
            } else {
                // What covers parts of a proc is locked only in a new user namespace (mount_namespaces(7)).
                facts.procs = None.into();
            }
        });
    }

    fn change_root(&mut self, step: &Step, dir: &OsStr) {
        let as_inside = self.as_inside();
        let stage = Stage::Root(Some(dir.to_owned()));
        if !self.tell(step, stage.clone(), libc::EPERM, as_inside) {
            self.path(step, stage);
        }
        self.root = sys::open(dir, For::Directory).map_or(RootAhead::Unknown, RootAhead::Open);
        self.moved = true;
    }

    /// Something that needs privilege over our own credentials.
    fn credential(&mut self, step: &Step, stage: Stage, errno: i32) -> bool {
        if !self.is_as_now() && !self.has_new_user() {
            return false;
        }
        let as_inside = self.as_inside();
        self.tell(step, stage, errno, as_inside)
    }

    /// The groups of a target's user namespace, where they could not be dropped before it is entered.
    fn drop_groups(&mut self, step: &Step) {
        let Some(pid) = self.into else { return };
        let proc = Proc::default();
        let early = Facts::new(&proc);
        if early.has(Capability::Setgid) == Some(true) && early.setgroups() != Some(Setgroups::Deny)
        {
            return;
        }
        let Some(number) = Process::Ours(pid).number(&proc) else {
            return;
        };
        let process = number.to_string();
        let setgroups = setgroups_of(&proc, &process);
        let gid_map = map_of(&proc, &process, Ids::Gid).ok();
        self.tell(step, Stage::Groups, libc::EPERM, |facts| {
            facts.capabilities = Some(u64::MAX).into();
            facts.setgroups = setgroups.into();
            facts.gid_map = gid_map.into();
        });
    }

    fn id(&mut self, step: &Step, stage: Stage) {
        let _ = self.credential(step, stage.clone(), libc::EPERM)
            || self.credential(step, stage, libc::EINVAL);
    }

    fn execute(&mut self, step: &Step, program: &Program) {
        let Program::Given([first, ..]) = program else {
            return;
        };
        let root = match &self.root {
            RootAhead::Ours => None,
            RootAhead::Open(root) => Some(root),
            RootAhead::Unknown => return,
        };
        let file = OsStr::from_bytes(first.to_bytes());
        let has_slash = file.as_bytes().contains(&b'/');
        let path = match self.environment {
            None => sys::variable("PATH"),
            Some(Variables::Only(names)) if names.iter().any(|name| name == "PATH") => {
                sys::variable("PATH")
            }
            Some(Variables::Target) if !has_slash => return,
            Some(_) => None,
        };
        if has_slash && self.moved && !file.as_bytes().starts_with(b"/") {
            return;
        }
        let executed = Executed {
            file: file.to_owned(),
            path: path.map(OsStr::to_owned),
            is_shell: false,
            elsewhere: root.is_some(),
            own_environment: self.environment.is_none(),
        };
        let mut program = executable::look_up(&executed.file, executed.path.as_deref(), root);
        if !self.is_as_now() {
            // Whom the permissions would let pass then, nobody knows now.
            let has_x = program.mode & 0o111 != 0;
            program.may_execute = Some(has_x && program.noexec != Some(true));
            program
                .needs
                .iter_mut()
                .for_each(|need| need.may_execute = true);
        }
        for errno in [libc::ENOENT, libc::ENOTDIR, libc::EACCES] {
            let stage = Stage::Execute(Box::new(executed.clone()));
            if self.tell(step, stage, errno, |facts| {
                facts.executable = Some(program.clone()).into()
            }) {
                break;
            }
        }
    }
}

/// The root directory of a process.
fn root_of(pid: i32) -> Option<OsString> {
    let number = Process::Ours(pid).number(&Proc::default())?;
    Some(format!("/proc/{number}/root").into())
}

/// What can be seen of the namespaces that are entered.
fn seen(entering: &Entering) -> Vec<NamespaceFacts> {
    let (pid, file) = (entering.pid, entering.file.as_ref());
    namespace::look_at(&Proc::default(), entering.kinds, pid, file)
}
