//! Capabilities and other attributes of a process that prctl(2) sets.

use super::{Result, check};

/// The capabilities of a process, a bit each (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Those that are in force.
    pub(crate) effective: u64,
    /// Those that may be put in force.
    pub(crate) permitted: u64,
    /// Those that an executed program may inherit.
    pub(crate) inheritable: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`: 64 bits in two halves.
const VERSION: u32 = 0x2008_0522;

/// Our own capabilities (capget(2)).
pub(crate) fn capabilities() -> Result<Capabilities> {
    let mut header = Header {
        version: VERSION,
        pid: 0,
    };
    let mut halves = [Half {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    }; 2];
    // SAFETY: version 3 makes the kernel write two halves.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) })?;
    let [low, high] = halves;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(Capabilities {
        effective: join(low.effective, high.effective),
        permitted: join(low.permitted, high.permitted),
        inheritable: join(low.inheritable, high.inheritable),
    })
}

/// Sets our own capabilities (capset(2)).
pub(crate) fn set_capabilities(set: Capabilities) -> Result<()> {
    let mut header = Header {
        version: VERSION,
        pid: 0,
    };
    // The casts keep the low half on purpose.
    let half = |shift: u32| Half {
        effective: (set.effective >> shift) as u32,
        permitted: (set.permitted >> shift) as u32,
        inheritable: (set.inheritable >> shift) as u32,
    };
    let halves = [half(0), half(32)];
    // SAFETY: version 3 makes the kernel read two halves.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) }).map(drop)
}

/// Adds a capability, by number, to those that survive execve(2) (prctl(2), `PR_CAP_AMBIENT_RAISE`).
pub(crate) fn raise_ambient(capability: u32) -> Result<()> {
    prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong,
        capability.into(),
    )
}

/// Whether permitted capabilities survive a change from user ID 0 (prctl(2), `PR_SET_KEEPCAPS`).
pub(crate) fn keep_capabilities_across_setuid(keep: bool) -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, keep.into(), 0)
}

/// The signal that we get when our parent ends; 0 for none (prctl(2), `PR_SET_PDEATHSIG`).
pub(crate) fn set_parent_death_signal(signal: i32) -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong, 0)
}

/// Whether our /proc files belong to us, a core may be dumped, and those with our IDs may trace us (prctl(2),
/// `PR_SET_DUMPABLE`).
pub(super) fn set_dumpable(dumpable: bool) -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, dumpable.into(), 0)
}

/// Has nobody but root trace this process or read its memory, and no core dumped of it.
pub(crate) fn make_undumpable() -> Result<()> {
    set_dumpable(false)
}

fn prctl(option: i32, second: libc::c_ulong, third: libc::c_ulong) -> Result<()> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: the options used here take numbers, no pointers; the unused ones must be 0.
    check(unsafe { libc::prctl(option, second, third, NONE, NONE) }.into()).map(drop)
}
