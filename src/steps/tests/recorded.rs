//! Failures as they were seen, some of them on other kernels and under other security modules.

use crate::failure::cause::Rows;
use crate::failure::{Case, Explain};
use crate::host::bounds::Processes;
use crate::host::capability::Capability;
use crate::host::executable::{Executable, Role};
use crate::host::facts::Facts;
use crate::host::format::Format;
use crate::host::map_program::{MapProgram, SubRanges};
use crate::host::namespace::{NamespaceFacts, Relation};
use crate::host::place::{Obstacle, Place};
use crate::host::procfs::ProcAccess;
use crate::host::target::{Pidfds, TargetFacts};
use crate::model::value::{Propagation, Setgroups};
use crate::model::{AppletName, Clock, Ids, Kind, Kinds};
use crate::steps::enter::causes::Setns;
use crate::steps::file::OpenFile;
use crate::steps::fork::NewProcess;
use crate::steps::root::ChangeRoot;
use crate::steps::target::{OtherProcess, TargetProcess};
use crate::steps::{Become, ClockOffset, Directory, Gid, GroupList, NewId, Uid};

use super::situations::*;

/// A failure as it was seen, and the row that knows it.
pub(super) struct Recorded {
    pub(super) id: &'static str,
    pub(super) step: Box<dyn Explain>,
    pub(super) errno: i32,
    pub(super) facts: Facts<'static>,
}

#[rustfmt::skip]
pub(super) fn recorded() -> Vec<Recorded> {
    use libc::{E2BIG, EACCES, EAGAIN, EBUSY, EEXIST, EINVAL, ELOOP, ENODEV, ENOENT, ENOEXEC, ENOMEM, ENOSPC, ENOSYS, ENOTDIR, EPERM, ERANGE, EROFS, ESRCH, ETXTBSY, EUSERS};
    let user_net = || unshare(&[Kind::User, Kind::Net]);
    let user = || unshare(&[Kind::User]);
    let passes = |facts: Facts<'static>| Facts { unshare_probe: error(EINVAL).into(), root_is_mount: known(true), ..facts };
    let bounded = |processes: Processes| Facts { processes: known(processes), ..ordinary() };
    vec![
        case("unshare-privilege", unshare(&[Kind::Net]), EPERM, Facts { kinds: known(Kinds::ALL.without(Kind::User)), ..passes(ordinary()) }),
        case("unshare-privilege", unshare(&[Kind::Net, Kind::Uts]), EPERM, passes(ordinary())),
        case("unshare-privilege", unshare(&[Kind::Net]), EPERM, masked(passes(root()))),
        case("unshare-privilege", unshare(&[Kind::User, Kind::Net]), EPERM, masked(passes(root()))),
        case("unshare-privilege", unshare(&[Kind::Net]), EPERM, Facts { label: None.into(), ..masked(passes(root())) }),
        case("unshare-privilege", unshare(&[Kind::Net]), EPERM, Facts { cap_eff: None.into(), ..passes(ordinary()) }),
        case("unshare-seccomp", user(), EPERM, Facts { seccomp: known(2), unshare_probe: error(EPERM).into(), ..ordinary() }),
        case("unshare-seccomp", user(), ENOSYS, Facts { seccomp: known(0), unshare_probe: error(ENOSYS).into(), ..root() }),
        case("unshare-seccomp", user(), EPERM, Facts { seccomp: None.into(), unshare_probe: error(EPERM).into(), ..ordinary() }),
        case("unshare-sysctl", user(), EPERM, passes(Facts { userns_clone: known(0), ..ordinary() })),
        case("unshare-sysctl", user(), EPERM, passes(Facts { userns_clone: known(0), ..all_ids() })),
        case("unshare-apparmor", user_net(), EACCES, passes(Facts { apparmor_restricts: known(1), label: known("unconfined".into()), ..ordinary() })),
        case("unshare-apparmor", unshare(&[Kind::Net]), EPERM, passes(Facts { apparmor_restricts: known(1), label: known("unprivileged_userns (enforce)".into()), ..inside() })),
        case("unshare-chroot", user(), EPERM, Facts { unshare_probe: error(EINVAL).into(), root_is_mount: known(false), ..root() }),
        case("unshare-unmapped", user(), EPERM, passes(Facts { uid: known(65534), gid: known(65534), uid_map: map(""), gid_map: map(""), ..inside() })),
        case("unshare-unmapped", user(), EPERM, passes(Facts { gid: known(65534), ..inside() })),
        case("unshare-refused", user(), EPERM, passes(ordinary())),
        case("unshare-refused", user(), EACCES, passes(ordinary())),
        case("unshare-refused", user(), EACCES, passes(Facts { label: known("docker-default (enforce)".into()), ..ordinary() })),
        case("unshare-refused", user(), EPERM, confined(passes(ordinary()))),
        case("unshare-refused", user(), EACCES, Facts { seccomp: known(2), ..passes(ordinary()) }),
        case("unshare-threads", user(), EINVAL, Facts { threads: known(3), ..ordinary() }),
        case("unshare-kind", unshare(&[Kind::User]), EPERM, Facts { kinds: known(Kinds::ALL.without(Kind::User)), ..passes(ordinary()) }),
        case("unshare-kind", unshare(&[Kind::Time, Kind::Net, Kind::Pid]), EINVAL, Facts { kinds: known(Kinds::ALL.without(Kind::Time).without(Kind::Pid)), ..root() }),
        case("unshare-pid-twice", unshare(&[Kind::Pid]), EINVAL, Facts { kinds: known(Kinds::ALL), unentered: known(Kinds::NONE.with(Kind::Pid)), ..root() }),
        case("unshare-pid-owner", unshare(&[Kind::Pid]), EINVAL, Facts { kinds: known(Kinds::ALL), unentered: known(Kinds::NONE), ..root() }),
        case("unshare-limit-zero", user_net(), ENOSPC, Facts { limits: known(vec![(Kind::User, 0), (Kind::Net, 0)]), ..ordinary() }),
        case("unshare-limit-zero", user_net(), EUSERS, Facts { limits: known(vec![(Kind::User, 500), (Kind::Net, 0)]), ..ordinary() }),
        case("unshare-limit", user_net(), ENOSPC, Facts { limits: known(vec![(Kind::User, 500), (Kind::Net, 7)]), ..ordinary() }),
        case("unshare-limit", unshare(&[Kind::Uts]), ENOSPC, Facts { limits: known(vec![(Kind::Uts, 7)]), ..root() }),
        case("unshare-limit", unshare(&[Kind::Uts]), ENOSPC, root()),
        case("unshare-processes", user(), EAGAIN, bounded(Processes { limit: Some(10), ours: Some(10), ..Processes::default() })),
        case("fork-processes", NewProcess, EAGAIN, bounded(Processes { limit: Some(10), ours: Some(12), ..Processes::default() })),
        case("fork-processes", NewProcess, EAGAIN, bounded(Processes { cgroups: vec![("/sys/fs/cgroup/a/b".into(), 3, 30), ("/sys/fs/cgroup/a".into(), 40, 40)], ..Processes::default() })),
        case("fork-processes", NewProcess, EAGAIN, bounded(Processes { threads_max: Some(900), pid_max: Some(32768), all: Some(900), ..Processes::default() })),
        case("fork-some-bound", NewProcess, EAGAIN, Facts { processes: known(Processes { limit: Some(10), ours: Some(50), pid_max: Some(32768), all: Some(90), ..Processes::default() }), ..root() }),
        case("fork-some-bound", NewProcess, EAGAIN, Facts { processes: known(Processes { limit: Some(10), ours: Some(50), ..Processes::default() }), ..inside() }),
        case("fork-dead-init", NewProcess, ENOMEM, Facts { unentered: known(Kinds::NONE.with(Kind::Pid)), memory: known(123_456), ..root() }),
        case("fork-dead-init", NewProcess, ENOMEM, Facts { unentered: known(Kinds::NONE), memory: known(12), ..root() }),
        case("fork-seccomp", NewProcess, ENOSYS, Facts { seccomp: None.into(), ..root() }),
        case("fork-seccomp", NewProcess, EPERM, Facts { seccomp: known(2), ..root() }),
        case("fork-seccomp", NewProcess, EACCES, Facts { seccomp: known(2), label: known("u:r:t:s0".into()), ..root() }),

        case("map-privilege", outer_map("0 100000 65536\n"), EPERM, ordinary()),
        case("map-privilege", outer_map("0 1001 1\n"), EPERM, ordinary()),
        case("map-privilege", outer_map("0 1000 1\n1 100000 65536\n"), EPERM, ordinary()),
        case("map-setgroups", own_map(Ids::Gid, "0 1000 1\n"), EPERM, Facts { setgroups: known(Setgroups::Allow), gid_map: map(""), ..inside() }),
        case("map-root", outer_map("0 0 10\n"), EPERM, without(Capability::Setfcap, root())),
        case("map-root", own_map(Ids::Uid, "0 0 1\n"), EPERM, Facts { uid_map: map(""), ..inside() }),
        case("map-apparmor", own_map(Ids::Uid, "0 1000 1\n"), EPERM, Facts { label: known("unprivileged_userns (enforce)".into()), ..inside() }),
        case("map-apparmor", own_map(Ids::Uid, "0 1000 1\n"), EPERM, Facts { apparmor_restricts: known(1), ..inside() }),
        case("map-unmapped", outer_map("0 1000 1\n1 100000 65536\n"), EPERM, Facts { uid_map: map("0 1000 1\n1 100000 1000\n"), ..root() }),
        case("map-unmapped", outer_map("0 5 20\n"), EPERM, Facts { uid_map: map("0 1000 10\n20 2000 10\n"), ..root() }),
        case("map-capabilities", own_map(Ids::Uid, "0 1000 1\n"), EPERM, Facts { capabilities: known(0), cap_eff: known(0), ..inside() }),
        case("map-file", own_map(Ids::Uid, "0 1000 1\n"), ENOENT, Facts { proc_access: known(ProcAccess::Missing), ..inside() }),
        case("map-file", own_map(Ids::Uid, "0 1000 1\n"), EACCES, confined(Facts { may_write: known(true), ..inside() })),
        case("map-file", own_map(Ids::Uid, "0 1000 1\n"), EACCES, Facts { may_write: known(true), ..inside() }),
        case("map-extents", outer_map(&(0..6).map(|n| format!("{n} {} 1\n", n * 2)).collect::<String>()), EINVAL, Facts { kernel: known((4, 9)), ..root() }),
        case("map-read-only", own_map(Ids::Uid, "0 1000 1\n"), EROFS, Facts { proc_is_read_only: known(true), ..inside() }),
        case("setgroups-file-read-only", Setgroups::Deny, EROFS, Facts { proc_is_read_only: known(true), ..inside() }),
        case("clock-read-only", ClockOffset { clock: Clock::Boottime, seconds: 1 }, EROFS, Facts { proc_is_read_only: known(true), ..inside() }),
        case("helper-account", newuidmap(), 0, Facts { map_program: known(helper()), subids: known(SubRanges { owner: "4711".into(), has_account: Some(false), ranges: vec![(100_000, 65536)], elsewhere: false }), ..ordinary() }),
        case("helper-missing", newuidmap(), ENOENT, Facts { map_program: known(MapProgram::default()), ..ordinary() }),
        case("helper-powerless", newuidmap(), 0, Facts { map_program: known(MapProgram { set_user_id: Some(false), ..helper() }), ..ordinary() }),
        case("helper-nosuid", newuidmap(), 0, Facts { map_program: known(MapProgram { nosuid: Some(true), ..helper() }), ..ordinary() }),
        case("helper-no-new-privs", newuidmap(), 0, Facts { no_new_privs: known(true), map_program: known(helper()), ..ordinary() }),
        case("helper-ranges", newuidmap(), 0, Facts { map_program: known(helper()), subids: subids(&[]), ..ordinary() }),
        case("helper-ranges", newuidmap(), 0, Facts { map_program: known(helper()), subids: subids(&[(100_000, 1000), (300_000, 5)]), ..ordinary() }),
        case("setgroups-file-order", Setgroups::Allow, EPERM, inside()),
        case("setgroups-file-order", Setgroups::Deny, EPERM, inside()),
        case("setgroups-file-order", Setgroups::Deny, EPERM, Facts { setgroups: known(Setgroups::Allow), ..root() }),
        case("setgroups-file-privilege", Setgroups::Deny, EACCES, ordinary()),
        case("setgroups-file-privilege", Setgroups::Deny, EACCES, masked(inside())),
        case("setgroups-file-refused", Setgroups::Deny, ENOENT, Facts { proc_access: known(ProcAccess::Missing), ..inside() }),
        case("setgroups-file-refused", Setgroups::Deny, EACCES, confined(Facts { may_write: known(true), ..inside() })),
        case("clock-file", ClockOffset { clock: Clock::Boottime, seconds: 1 }, EACCES, confined(Facts { may_write: known(true), ..inside() })),
        case("clock-range", ClockOffset { clock: Clock::Boottime, seconds: -900 }, ERANGE, Facts { offsets: known(-885..=4_611_685_133), ..root() }),
        case("clock-privilege", ClockOffset { clock: Clock::Monotonic, seconds: 1 }, EPERM, without(Capability::SysTime, root())),
        case("setgroups-denied", GroupList::Dropped, EPERM, inside()),
        case("setgroups-no-map", GroupList::Dropped, EPERM, Facts { gid_map: map(""), setgroups: known(Setgroups::Allow), ..inside() }),
        case("setgroups-privilege", GroupList::Dropped, EPERM, ordinary()),
        case("setgroups-unmapped", GroupList::Given(vec![0, 5]), EINVAL, inside()),
        case("setgid-unmapped", Gid(NewId::Given(5)), EINVAL, inside()),
        case("setuid-unmapped", Uid(NewId::Given(66_000)), EINVAL, Facts { uid_map: map("0 1000 1\n1 100000 65536\n70000 2 1\n"), ..inside() }),
        case("setuid-unmapped", Uid(NewId::Given(0)), EINVAL, Facts { uid_map: map(""), ..inside() }),
        case("setgid-privilege", Gid(NewId::Given(5)), EPERM, ordinary()),
        case("setuid-privilege", Uid(NewId::Given(5)), EPERM, ordinary()),
        case("owner-privilege", Become { uid: 1000, gid: 1000 }, EPERM, ordinary()),

        case("propagation-chroot", Propagation::Private, EINVAL, Facts { root_is_mount: known(false), ..root() }),
        case("propagation-seccomp", Propagation::Private, EPERM, Facts { seccomp: known(2), mount_probe: error(EPERM).into(), ..inside() }),
        case("propagation-apparmor", Propagation::Private, EACCES, Facts { apparmor_restricts: known(1), ..inside() }),
        case("propagation-refused", Propagation::Private, EACCES, confined(inside())),
        case("propagation-refused", Propagation::Private, EACCES, inside()),
        case("propagation-refused", Propagation::Private, EACCES, confined(Facts { seccomp: known(2), ..inside() })),
        case("mount-refused", mount("proc"), EACCES, confined(Facts { place: place("/proc", None), ..inside() })),
        case("mount-refused", mount("proc"), EACCES, Facts { place: place("/proc", None), label: known("u:r:t:s0".into()), ..inside() }),
        case("mount-seccomp", mount("proc"), EPERM, Facts { seccomp: known(2), mount_probe: error(EPERM).into(), ..inside() }),
        case("mount-apparmor", mount("proc"), EPERM, Facts { label: known("unprivileged_userns (enforce)".into()), ..inside() }),
        case("mount-proc-owner", mount("proc"), EPERM, Facts { pid_owner: known(Relation::Outside), unentered: known(Kinds::NONE), ..inside() }),
        case("mount-proc-owner", mount("proc"), EPERM, Facts { pid_owner: known(Relation::Outside), unentered: known(Kinds::NONE.with(Kind::Pid)), ..inside() }),
        case("mount-proc-masked", mount("proc"), EPERM, Facts { pid_owner: known(Relation::Ours), procs: known(vec![proc(&["/proc/kcore", "/proc/keys", "/proc/acpi", "/proc/timer_list"], false)]), ..inside() }),
        case("mount-proc-read-only", mount("proc"), EPERM, Facts { pid_owner: known(Relation::Ours), procs: known(vec![proc(&[], true), proc(&["/proc/kcore"], false)]), ..inside() }),
        case("mount-busy", mount("proc"), EBUSY, root()),
        case("mount-directory", mount("proc"), ENOENT, Facts { place: place("/a/proc", Some(Obstacle::Missing("/a".into()))), ..root() }),
        case("mount-directory", mount("proc"), ENOTDIR, Facts { place: known(Place { path: "/etc/passwd".into(), is_directory: Some(false), ..Place::default() }), ..root() }),
        case("mount-unknown-type", mount("binfmt_misc"), ENODEV, root()),
        case("mount-binfmt", mount("binfmt_misc"), EPERM, Facts { kernel: known((6, 1)), ..inside() }),
        case("binfmt-unmapped", register(), EACCES, Facts { uid: known(65534), uid_map: map(""), ..inside() }),
        case("binfmt-unmapped", register(), EACCES, Facts { uid: known(65534), ..inside() }),
        case("binfmt-registered", register(), EEXIST, inside()),
        case("bind-missing", bind(Kind::Net), ENOENT, Facts { place: place("/run/ns/a b", Some(Obstacle::Missing("/run/ns/a b".into()))), ..root() }),
        case("bind-missing", bind(Kind::Net), ENOENT, Facts { place: place("/run/ns/a b", Some(Obstacle::Missing("/run/ns".into()))), ..root() }),
        case("bind-missing", bind(Kind::Net), EACCES, Facts { place: place("/run/ns/a b", Some(Obstacle::Closed("/run/ns".into()))), ..root() }),
        case("bind-missing", bind(Kind::Net), ENOENT, Facts { place: place("/run/ns/a b", Some(Obstacle::Dangling("/run/ns/a b".into(), "gone".into()))), ..root() }),
        case("bind-directory", bind(Kind::Net), ENOTDIR, Facts { place: known(Place { path: "/run/ns/a b".into(), is_directory: Some(true), ..Place::default() }), ..root() }),
        case("bind-directory", bind(Kind::Net), ENOTDIR, Facts { place: place("/run/ns/a b", Some(Obstacle::NoDirectory("/run/ns".into()))), ..root() }),
        case("bind-shared", bind(Kind::Mnt), EINVAL, Facts { place: known(Place { path: "/run/ns/a b".into(), mount: Some(("/run".into(), true)), ..Place::default() }), ..root() }),
        case("bind-privilege", bind(Kind::Net), EPERM, ordinary()),
        case("bind-seccomp", bind(Kind::Net), EPERM, Facts { seccomp: known(2), mount_probe: error(EPERM).into(), ..root() }),
        case("root-privilege", ChangeRoot::CHROOT, EPERM, ordinary()),
        case("root-privilege", ChangeRoot { capability: Capability::SysAdmin, ..ChangeRoot::to("/a".as_ref()) }, EPERM, without(Capability::SysAdmin, root())),
        case("bind-refused", bind(Kind::Net), EACCES, confined(Facts { place: place("/run/ns/a b", None), ..root() })),
        case("root-refused", ChangeRoot::to("/a".as_ref()), EACCES, confined(Facts { place: place("/a", None), ..root() })),
        case("root-path", ChangeRoot::to("/a/b".as_ref()), ENOENT, Facts { place: place("/a/b", Some(Obstacle::Missing("/a".into()))), ..root() }),
        case("directory-path", Directory("/a/b".into()), ENOTDIR, Facts { place: place("/a/b", Some(Obstacle::NoDirectory("/a".into()))), ..root() }),

        case("target-gone", TargetProcess(77), ENOENT, with_target(root(), gone())),
        case("target-gone", TargetProcess(77), ENOENT, with_target(ordinary(), TargetFacts { hidden: Some(true), ..gone() })),
        case("target-zombie", TargetProcess(77), ESRCH, with_target(root(), zombie())),
        case("target-inode", TargetProcess(77), libc::EOPNOTSUPP, Facts { pidfds: known(Pidfds::Alike), ..with_target(root(), other_process()) }),
        case("target-inode", TargetProcess(77), libc::EOPNOTSUPP, Facts { pidfds: known(Pidfds::Missing), ..with_target(root(), other_process()) }),
        case("target-other", OtherProcess { pid: 77, expected: 1, found: 4711 }, ESRCH, root()),
        case("open-proc", OpenFile("/proc/self".into()), ENOENT, Facts { proc_access: known(ProcAccess::Missing), ..root() }),
        case("open-gone", OpenFile("/proc/77/root".into()), ENOENT, with_target(root(), gone())),
        case("open-gone", OpenFile("/proc/77/root".into()), ENOENT, with_target(root(), TargetFacts { proc_is_there: Some(false), ..gone() })),
        case("open-zombie", OpenFile("/proc/77/root".into()), ENOENT, with_target(root(), zombie())),
        case("open-kind", OpenFile("/proc/77/ns/time".into()), ENOENT, Facts { kinds: known(Kinds::ALL.without(Kind::Time)), target: known(other_process()), ..root() }),
        case("open-kind", OpenFile("/proc/self/ns/time".into()), ENOENT, Facts { kinds: known(Kinds::ALL.without(Kind::Time)), proc_access: known(ProcAccess::Granted), place: place("/proc/self/ns/time", Some(Obstacle::Missing("/proc/self/ns/time".into()))), ..root() }),
        case("open-path", OpenFile("/run/netns/x".into()), ENOENT, Facts { place: place("/run/netns/x", Some(Obstacle::Missing("/run/netns".into()))), ..root() }),
        case("open-path", OpenFile("/run/netns/uxrd".into()), ENOENT, Facts { place: place("/run/netns/uxrd", Some(Obstacle::Missing("/run/netns/uxrd".into()))), meant: known("uxred".into()), ..root() }),
        case("open-path", OpenFile("/a/x".into()), ENOENT, Facts { place: place("/a/x", Some(Obstacle::Missing("/a".into()))), ..root() }),
        case("open-path", OpenFile("/closed/x".into()), EACCES, Facts { place: place("/closed/x", Some(Obstacle::Closed("/closed".into()))), ..ordinary() }),
        case("open-traced", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(ordinary(), other_process())),
        case("open-traced", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(ordinary(), TargetFacts { uids: Some([1000; 3]), gids: Some([1000, 4, 4]), ..other_process() })),
        case("open-traced", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(ordinary(), TargetFacts { uids: Some([1000; 3]), gids: Some([1000; 3]), ..other_process() })),
        case("open-refused", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(root(), other_process())),
        case("open-refused", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(ordinary(), TargetFacts { uids: Some([1000; 3]), gids: Some([1000; 3]), files_of: Some(1000), ..other_process() })),
        case("open-refused", OpenFile("/proc/77/ns/net".into()), EACCES, confined(with_target(root(), other_process()))),
        case("open-refused", OpenFile("/proc/77/ns/net".into()), EACCES, confined(with_target(inside(), other_process()))),
        case("open-refused", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(inside(), other_process())),
        case("open-traced", OpenFile("/proc/77/ns/net".into()), EACCES, confined(with_target(ordinary(), other_process()))),
        case("open-traced", OpenFile("/proc/77/ns/net".into()), EACCES, with_target(ordinary(), TargetFacts { uids: Some([100_000; 3]), has_our_map: Some(false), ..other_process() })),
        case("open-hidden", OpenFile("/proc/77/ns/net".into()), ENOENT, with_target(ordinary(), hidden())),
        case("setns-hidden", enter(&[Kind::User]), EPERM, with_target(with_namespace(ordinary(), NamespaceFacts { closed: error(ENOENT), ..NamespaceFacts::asked(Kind::User) }), hidden())),
        case("setns-seccomp", enter(&[Kind::Net]), EPERM, Facts { seccomp: known(2), setns_probe: error(EPERM).into(), ..root() }),
        case("setns-privilege", enter(&[Kind::Net]), EPERM, with_namespace(ordinary(), NamespaceFacts { owner_uid: Some(1000), ..namespace(Kind::Net, Relation::Below) })),
        case("setns-privilege", Setns::Into { kinds: Kinds::NONE.with(Kind::Net), pid: None, file: None }, EPERM, with_namespace(ordinary(), NamespaceFacts { owner_uid: Some(1000), ..namespace(Kind::Net, Relation::Below) })),
        case("setns-privilege", enter(&[Kind::Net]), EPERM, with_namespace(ordinary(), namespace(Kind::Net, Relation::Ours))),
        case("setns-chroot-privilege", enter(&[Kind::Mnt]), EPERM, with_namespace(without(Capability::SysChroot, root()), namespace(Kind::Mnt, Relation::Ours))),
        case("setns-owner", enter(&[Kind::User]), EPERM, with_namespace(ordinary(), NamespaceFacts { owner_uid: Some(1001), ..namespace(Kind::User, Relation::Below) })),
        case("setns-outside", enter(&[Kind::User]), EPERM, with_namespace(inside(), namespace(Kind::User, Relation::Outside))),
        case("setns-outside", enter(&[Kind::Net]), EPERM, with_namespace(inside(), namespace(Kind::Net, Relation::Outside))),
        case("setns-traced", enter(&[Kind::User]), EPERM, with_target(with_namespace(ordinary(), NamespaceFacts { closed: error(EACCES), ..NamespaceFacts::asked(Kind::User) }), other_process())),
        case("setns-refused", enter(&[Kind::Net]), EPERM, with_target(with_namespace(inside(), NamespaceFacts { closed: error(EACCES), ..NamespaceFacts::asked(Kind::Net) }), other_process())),
        case("setns-own-user", enter(&[Kind::User]), EINVAL, with_namespace(root(), NamespaceFacts { is_ours: Some(true), ..namespace(Kind::User, Relation::Ours) })),
        case("setns-pid-ancestor", enter(&[Kind::Pid]), EINVAL, with_namespace(root(), NamespaceFacts { descends: Some(false), ..namespace(Kind::Pid, Relation::Ours) })),
        case("setns-no-namespace", enter(&[Kind::Net]), EINVAL, with_namespace(root(), NamespaceFacts { is_namespace: Some(false), ..NamespaceFacts::asked(Kind::Net) })),
        case("setns-kind", enter(&[Kind::Net]), EINVAL, with_namespace(root(), NamespaceFacts { found: Some(Kind::Uts), ..namespace(Kind::Net, Relation::Ours) })),
        case("setns-kind", Setns::WrongKind { asked: Kind::Net, found: Kind::Uts }, EINVAL, Facts::default()),
        case("setns-missing-kind", enter(&[Kind::Time]), EINVAL, Facts { kinds: known(Kinds::ALL.without(Kind::Time)), ..with_namespace(root(), NamespaceFacts { closed: error(ENOENT), ..NamespaceFacts::asked(Kind::Time) }) }).with_kinds(Kinds::ALL.without(Kind::Time)),
        case("setns-threads", enter(&[Kind::User]), EINVAL, Facts { threads: known(3), ..with_namespace(root(), namespace(Kind::User, Relation::Below)) }),
        case("setns-threads", enter(&[Kind::Time]), EUSERS, Facts { threads: known(3), ..with_namespace(root(), namespace(Kind::Time, Relation::Ours)) }),
        case("setns-threads", enter(&[Kind::Mnt]), EINVAL, Facts { threads: known(3), ..with_namespace(root(), namespace(Kind::Mnt, Relation::Ours)) }),
        case("setns-ended", enter(&[Kind::Net]), ESRCH, with_target(root(), zombie())),
        case("setns-ended", enter(&[Kind::Net]), ESRCH, with_target(root(), gone())),

        case("exec-needs", exec("/a/script", None), ENOENT, with_program(Executable { format: Some(Format::Script(vec![])), needs: vec![need("/a/script", "/usr/bin/python9", Role::Interpreter, false)], ..program("/a/script") })),
        case("exec-needs", exec("/a/script", None), ENOENT, with_program(Executable { format: Some(Format::Script(vec![])), needs: vec![need("/a/script", "/bin/sh\r", Role::Interpreter, false)], ..program("/a/script") })),
        case("exec-needs", exec_elsewhere("/a/script", false), ENOENT, with_program(Executable { format: Some(Format::Script(vec![])), needs: vec![need("/a/script", "/bin/sh", Role::Interpreter, true), need("/bin/sh", "/lib64/ld-linux-x86-64.so.2", Role::Loader, false)], ..program("/a/script") })),
        case("exec-needs", exec("/a/x", None), ENOENT, with_program(Executable { format: Some(Format::Elf { machine: 22, loader: Some(b"/lib/ld64.so.1".to_vec()) }), needs: vec![need("/a/x", "/lib/ld64.so.1", Role::Loader, false)], ..program("/a/x") })),
        case("exec-no-shell", exec("/a/x", None), ENOENT, with_program(Executable { needs: vec![need("/a/x", "/bin/sh", Role::Shell, false)], ..program("/a/x") })),
        case("exec-elsewhere", exec_elsewhere("ls", false), ENOENT, with_program(Executable { searched: vec!["/opt/bin".into(), "/bin".into()], ..Executable::default() })),
        case("exec-elsewhere", exec_elsewhere("/bin/zsh", true), ENOENT, with_program(Executable { obstacle: Some(Obstacle::Missing("/bin/zsh".into())), ..Executable::default() })),
        case("exec-elsewhere", exec_elsewhere("/bin/zsh", false), ENOENT, with_program(Executable { obstacle: Some(Obstacle::Missing("/bin".into())), ..Executable::default() })),
        case("exec-not-found", exec("ls", Some("/opt")), ENOENT, with_program(Executable { searched: vec!["/opt".into()], ..Executable::default() })),
        case("exec-not-found", exec("/a/b/c", None), ENOENT, with_program(Executable { obstacle: Some(Obstacle::Missing("/a/b".into())), ..Executable::default() })),
        case("exec-not-found", exec("/a/b/c", None), ENOTDIR, with_program(Executable { obstacle: Some(Obstacle::NoDirectory("/a/b".into())), ..Executable::default() })),
        case("exec-not-found", exec("", None), ENOENT, with_program(Executable::default())),
        case("exec-directory", exec("/a", None), EACCES, with_program(Executable { is_directory: Some(true), is_file: Some(false), may_execute: Some(false), ..program("/a") })),
        case("exec-no-file", exec("/dev/null", None), EACCES, with_program(Executable { is_file: Some(false), is_directory: Some(false), may_execute: Some(false), ..program("/dev/null") })),
        case("exec-noexec", exec("/mnt/x", None), EACCES, with_program(Executable { noexec: Some(true), may_execute: Some(false), ..program("/mnt/x") })),
        case("exec-no-x", exec("/a/x", None), EACCES, with_program(Executable { mode: 0o644, may_execute: Some(false), ..program("/a/x") })),
        case("exec-no-x", exec("/a/x", None), EACCES, with_program(Executable { mode: 0o700, may_execute: Some(false), ..program("/a/x") })),
        case("exec-closed", exec("/closed/x", None), EACCES, with_program(Executable { obstacle: Some(Obstacle::Closed("/closed".into())), ..Executable::default() })),
        case("exec-needs-x", exec("/a/x", None), EACCES, with_program(Executable { needs: vec![need("/a/x", "/a/interpreter", Role::Interpreter, true)], ..program("/a/x") })),
        case("exec-refused", exec("/a/x", None), EACCES, confined(Facts { seccomp: known(0), ..with_program(program("/a/x")) })),
        case("exec-processes", exec("/a/x", None), EAGAIN, Facts { processes: known(Processes { limit: Some(3), ..Processes::default() }), ..with_program(program("/a/x")) }),
        case("exec-too-big", exec("/a/x", None), E2BIG, with_program(program("/a/x"))),
        case("exec-busy", exec("/a/x", None), ETXTBSY, with_program(program("/a/x"))),
        case("exec-format", exec("/a/x", None), ENOEXEC, with_program(Executable { format: Some(Format::Elf { machine: 22, loader: None }), ..program("/a/x") })),
        case("exec-format", exec("/a/x", None), ENOEXEC, with_program(program("/a/x"))),
        case("exec-loop", exec("/a/x", None), ELOOP, with_program(program("/a/x"))),
    ]
}

fn case(
    id: &'static str,
    step: impl Explain + 'static,
    errno: i32,
    facts: Facts<'static>,
) -> Recorded {
    let step = Box::new(step);
    Recorded {
        id,
        step,
        errno,
        facts,
    }
}

impl Recorded {
    fn with_kinds(mut self, kinds: Kinds) -> Self {
        self.facts.kinds = known(kinds);
        self
    }

    /// As it is of an applet in which it occurs.
    pub(super) fn case(&self) -> Case<'_> {
        self.case_of(self.applets()[0])
    }

    pub(super) fn case_of(&self, applet: AppletName) -> Case<'_> {
        Case {
            errno: self.errno,
            facts: &self.facts,
            applet,
        }
    }

    /// The applets in which it occurs.
    pub(super) fn applets(&self) -> Vec<AppletName> {
        let has = |rows: &&Rows| rows.rules.iter().any(|rule| rule.id == self.id);
        let rows = crate::steps::ROWS.iter().find(has).expect(self.id);
        let of = |name: &&str| AppletName::of(name.as_bytes()).expect(name);
        rows.applets.iter().map(of).collect()
    }
}
