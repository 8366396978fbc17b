//! What recorded failures are made of: facts of some situations, and the steps that failed in them.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::host::capability::Capability;
use crate::host::executable::{Executable, Need, Role};
use crate::host::facts::{Fact, Facts};
use crate::host::format::Format;
use crate::host::map_program::{MapProgram, SubRanges};
use crate::host::mountinfo::ProcMount;
use crate::host::namespace::{NamespaceFacts, Relation};
use crate::host::place::{Obstacle, Place};
use crate::host::procfs::ProcAccess;
use crate::host::target::TargetFacts;
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids, Kind, Kinds};
use crate::steps::enter::causes::Setns;
use crate::steps::execute::Executed;
use crate::steps::map::Mapping;
use crate::steps::mount::Mounting;
use crate::steps::outside::bind::Bind;
use crate::steps::outside::map_program::MapByProgram;
use crate::steps::{Register, Unshare};
use crate::sys::Error;

/// All capabilities of Linux 6.18.
pub(super) const ALL: u64 = (1 << 41) - 1;

pub(super) fn known<T>(value: T) -> Fact<T> {
    Some(value).into()
}

/// These facts, but for a capability.
pub(super) fn without(capability: Capability, facts: Facts<'static>) -> Facts<'static> {
    let set = ALL & !(1 << capability as u32);
    Facts {
        capabilities: known(set),
        cap_eff: known(set),
        ..facts
    }
}

/// What AppArmor makes of these facts with a profile that it enforces.
pub(super) fn confined(facts: Facts<'static>) -> Facts<'static> {
    Facts {
        label: known("tight (enforce)".into()),
        ..facts
    }
}

/// The same, where the profile has no capabilities.
pub(super) fn masked(facts: Facts<'static>) -> Facts<'static> {
    Facts {
        capabilities: known(0),
        ..confined(facts)
    }
}

pub(super) fn map(text: &str) -> Fact<IdMap> {
    known(id_map(text))
}

pub(super) fn error(number: i32) -> Option<Error> {
    Some(Error::from_raw(number))
}

/// An ordinary user outside of all containers.
pub(super) fn ordinary() -> Facts<'static> {
    Facts {
        capabilities: known(0),
        cap_eff: known(0),
        proc_access: known(ProcAccess::Granted),
        uid: known(1000),
        real_uid: known(1000),
        gid: known(1000),
        is_initial_user: known(true),
        has_initial_mounts: known(true),
        uid_map: map("0 0 4294967295\n"),
        gid_map: map("0 0 4294967295\n"),
        seccomp: known(0),
        no_new_privs: known(false),
        kernel: known((6, 18)),
        ..Facts::default()
    }
}

/// Root in a user namespace of an ordinary user.
pub(super) fn inside() -> Facts<'static> {
    Facts {
        is_initial_user: known(false),
        has_initial_mounts: known(false),
        uid_map: map("0 1000 1\n"),
        gid_map: map("0 1000 1\n"),
        setgroups: known(Setgroups::Deny),
        ..root()
    }
}

/// Root in a user namespace that root of the machine has made, with all IDs mapped to themselves.
pub(super) fn all_ids() -> Facts<'static> {
    Facts {
        is_initial_user: known(false),
        has_initial_mounts: known(false),
        ..root()
    }
}

/// Root of the machine.
pub(super) fn root() -> Facts<'static> {
    Facts {
        capabilities: known(ALL),
        cap_eff: known(ALL),
        uid: known(0),
        real_uid: known(0),
        gid: known(0),
        ..ordinary()
    }
}

pub(super) fn unshare(kinds: &[Kind]) -> Unshare {
    Unshare(kinds.iter().copied().collect())
}

pub(super) fn id_map(text: &str) -> IdMap {
    IdMap::parse(text.as_bytes()).expect("a map")
}

pub(super) fn own_map(ids: Ids, text: &str) -> Mapping {
    Mapping {
        ids,
        map: id_map(text),
        from_outside: false,
    }
}

pub(super) fn outer_map(text: &str) -> Mapping {
    Mapping {
        from_outside: true,
        ..own_map(Ids::Uid, text)
    }
}

pub(super) fn newuidmap() -> MapByProgram {
    MapByProgram {
        ids: Ids::Uid,
        map: id_map("0 1000 1\n1 100000 65536\n"),
    }
}

pub(super) fn mount(fstype: &'static str) -> Mounting {
    Mounting {
        fstype,
        target: "/proc".into(),
    }
}

pub(super) fn register() -> Register {
    Register {
        dir: "/proc/sys/fs/binfmt_misc".into(),
        entry: ":abc:E::abc::/bin/cat:".into(),
    }
}

pub(super) fn bind(kind: Kind) -> Bind {
    Bind {
        kind,
        file: "/run/ns/a b".into(),
    }
}

pub(super) fn enter(kinds: &[Kind]) -> Setns {
    Setns::Into {
        kinds: kinds.iter().copied().collect(),
        pid: Some(77),
        file: None,
    }
}

pub(super) fn exec(file: &str, path: Option<&str>) -> Executed {
    Executed {
        file: file.into(),
        path: path.map(OsString::from),
        own_environment: true,
        ..Executed::default()
    }
}

pub(super) fn exec_elsewhere(file: &str, is_shell: bool) -> Executed {
    Executed {
        file: file.into(),
        path: Some("/opt/bin:/bin".into()),
        is_shell,
        elsewhere: true,
        own_environment: true,
    }
}

pub(super) fn place(path: &str, obstacle: Option<Obstacle>) -> Fact<Place> {
    known(Place {
        path: path.into(),
        obstacle,
        ..Place::default()
    })
}

/// Some other process of another user.
pub(super) fn other_process() -> TargetFacts {
    TargetFacts {
        pid: 77,
        proc_is_there: Some(true),
        hidden: Some(false),
        exists: Some(true),
        state: Some(b'S'),
        uids: Some([0, 0, 0]),
        gids: Some([0, 0, 0]),
        files_of: Some(0),
        has_our_map: Some(true),
    }
}

pub(super) fn gone() -> TargetFacts {
    TargetFacts {
        pid: 77,
        proc_is_there: Some(true),
        hidden: Some(false),
        exists: Some(false),
        ..TargetFacts::default()
    }
}

/// Another user's process, where /proc hides those.
pub(super) fn hidden() -> TargetFacts {
    TargetFacts {
        hidden: Some(true),
        exists: Some(true),
        ..gone()
    }
}

pub(super) fn zombie() -> TargetFacts {
    TargetFacts {
        state: Some(b'Z'),
        ..other_process()
    }
}

/// A program that is there and can be executed.
pub(super) fn program(path: &str) -> Executable {
    Executable {
        found: Some(path.into()),
        is_file: Some(true),
        mode: 0o755,
        owner: (0, 0),
        noexec: Some(false),
        may_execute: Some(true),
        format: Some(Format::Other),
        ..Executable::default()
    }
}

pub(super) fn need(by: &str, path: &str, role: Role, exists: bool) -> Need {
    Need {
        by: by.into(),
        role,
        path: path.into(),
        exists,
        may_execute: false,
    }
}

pub(super) fn with_program(program: Executable) -> Facts<'static> {
    Facts {
        executable: known(program),
        ..Facts::default()
    }
}

pub(super) fn with_target(facts: Facts<'static>, target: TargetFacts) -> Facts<'static> {
    Facts {
        target: known(target),
        kinds: known(Kinds::ALL),
        ..facts
    }
}

pub(super) fn with_namespace(facts: Facts<'static>, namespace: NamespaceFacts) -> Facts<'static> {
    Facts {
        namespaces: known(vec![namespace]),
        kinds: known(Kinds::ALL),
        setns_probe: error(libc::EBADF).into(),
        ..facts
    }
}

/// A namespace that could be opened.
pub(super) fn namespace(kind: Kind, owner: Relation) -> NamespaceFacts {
    NamespaceFacts {
        is_namespace: Some(true),
        found: Some(kind),
        is_ours: Some(false),
        owner: Some(owner),
        ..NamespaceFacts::asked(kind)
    }
}

pub(super) fn helper() -> MapProgram {
    MapProgram {
        path: Some("/usr/bin/newuidmap".into()),
        set_user_id: Some(true),
        capabilities: Some(false),
        nosuid: Some(false),
    }
}

pub(super) fn subids(ranges: &[(u32, u32)]) -> Fact<SubRanges> {
    known(SubRanges {
        owner: "ann".into(),
        has_account: Some(true),
        ranges: ranges.to_vec(),
        elsewhere: false,
    })
}

pub(super) fn proc(covered: &[&str], read_only: bool) -> ProcMount {
    ProcMount {
        point: "/proc".into(),
        read_only,
        covered: covered.iter().map(PathBuf::from).collect(),
    }
}
