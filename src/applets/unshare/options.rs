//! The options of `unshare`: names, letters, values and descriptions stand here and nowhere else.
//!
//! The letters are for the documents and the table of what a start reads: to argh each option is given by its long name, and
//! its own list of letters would be relocated at every start.

use argh::{ArgsInfo, FromArgs};

use crate::cli::{Attached, Declared, Text};
use crate::model::Kind;

/// run a program in namespaces of its own
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    example = "unshare -r id -u: be root in a user namespace of one's own",
    example = "unshare -rpf --mount-proc ps -e: processes that see no others",
    example = "unshare -rn --loopback make test: no network but the loopback interface"
)]
pub(crate) struct Options {
    /// new mount namespace; made persistent on <file>
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'm'))]
    pub(crate) mount: Vec<Attached>,
    /// new UTS namespace (hostname)
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'u'))]
    pub(crate) uts: Vec<Attached>,
    /// new IPC namespace (System V IPC, POSIX message queues)
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'i'))]
    pub(crate) ipc: Vec<Attached>,
    /// new network namespace
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'n'))]
    pub(crate) net: Vec<Attached>,
    /// new PID namespace; only children enter it (see --fork)
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'p'))]
    pub(crate) pid: Vec<Attached>,
    /// new user namespace
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'U'))]
    pub(crate) user: Vec<Attached>,
    /// new cgroup namespace
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'C'))]
    pub(crate) cgroup: Vec<Attached>,
    /// new time namespace
    #[argh(option, arg_name = "[=file]")]
    #[cfg_attr(test, argh(short = 'T'))]
    pub(crate) time: Vec<Attached>,
    /// every kind of namespace that this kernel has (+)
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'a'))]
    pub(crate) all: bool,

    /// map the effective user to this one (implies -U)
    #[argh(option, arg_name = "uid|name")]
    pub(crate) map_user: Option<Text>,
    /// map a range of users, inner:outer:count (implies -U)
    #[argh(option, arg_name = "range|auto|subids|all")]
    pub(crate) map_users: Vec<Text>,
    /// map the effective group to this one (implies -U)
    #[argh(option, arg_name = "gid|name")]
    pub(crate) map_group: Option<Text>,
    /// map a range of groups, inner:outer:count (implies -U)
    #[argh(option, arg_name = "range|auto|subids|all")]
    pub(crate) map_groups: Vec<Text>,
    /// map the effective user and group to root (implies -U)
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'r'))]
    pub(crate) map_root_user: bool,
    /// map the effective user and group to themselves (implies -U)
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'c'))]
    pub(crate) map_current_user: bool,
    /// map the first subordinate ranges of users and groups, from 0 (implies -U)
    #[argh(switch)]
    pub(crate) map_auto: bool,
    /// map the first subordinate ranges of users and groups to themselves (implies -U)
    #[argh(switch)]
    pub(crate) map_subids: bool,
    /// user and group that own the new user namespace
    #[argh(option, arg_name = "uid:gid")]
    pub(crate) owner: Option<Text>,
    /// whether setgroups(2) is allowed in the user namespace
    #[argh(option, arg_name = "allow|deny")]
    pub(crate) setgroups: Option<Text>,
    /// keep the capabilities held in the user namespace across exec
    #[argh(switch)]
    pub(crate) keep_caps: bool,
    /// user of the program, inside
    #[argh(option, arg_name = "uid|name")]
    #[cfg_attr(test, argh(short = 'S'))]
    pub(crate) setuid: Option<Text>,
    /// group of the program, inside; drops supplementary groups
    #[argh(option, arg_name = "gid|name")]
    #[cfg_attr(test, argh(short = 'G'))]
    pub(crate) setgid: Option<Text>,
    /// supplementary groups of the program, inside (+)
    #[argh(option, arg_name = "gid|name,...")]
    pub(crate) groups: Option<Text>,

    /// run the program as a child
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'f'))]
    pub(crate) fork: bool,
    /// send the child this signal when unshare dies (implies -f; default KILL)
    #[argh(option, arg_name = "[=signal]")]
    pub(crate) kill_child: Vec<Attached>,
    /// pass signals on to the child (implies -f)
    #[argh(option, arg_name = "[=signal,...]")]
    pub(crate) forward_signals: Vec<Attached>,
    /// stay as PID 1 in front of the program and reap (implies -f -p) (+)
    #[argh(option, arg_name = "[=group]")]
    pub(crate) init: Vec<Attached>,
    /// offset of the monotonic clock, with -T
    #[argh(option, arg_name = "seconds")]
    pub(crate) monotonic: Option<Text>,
    /// offset of the boot-time clock, with -T
    #[argh(option, arg_name = "seconds")]
    pub(crate) boottime: Option<Text>,
    /// host name in the UTS namespace (implies -u) (+)
    #[argh(option, arg_name = "name")]
    pub(crate) hostname: Option<Text>,
    /// bring the loopback interface up (implies -n) (+)
    #[argh(switch)]
    pub(crate) loopback: bool,

    /// propagation of the mounts in the new mount namespace
    #[argh(option, arg_name = "slave|shared|private|unchanged")]
    pub(crate) propagation: Option<Text>,
    /// mount a fresh proc on <dir> (implies -m; default /proc)
    #[argh(option, arg_name = "[=dir]")]
    pub(crate) mount_proc: Vec<Attached>,
    /// mount a fresh binfmt_misc on <dir> (implies -m -U)
    #[argh(option, arg_name = "[=dir]")]
    pub(crate) mount_binfmt: Vec<Attached>,
    /// register a binfmt_misc entry (implies --mount-binfmt)
    #[argh(option, arg_name = "string")]
    #[cfg_attr(test, argh(short = 'l'))]
    pub(crate) load_interp: Vec<Text>,
    /// root directory of the program
    #[argh(option, arg_name = "dir")]
    #[cfg_attr(test, argh(short = 'R'))]
    pub(crate) root: Option<Text>,
    /// change the root with pivot_root(2), with -R and -m (+)
    #[argh(switch)]
    pub(crate) pivot_root: bool,
    /// working directory of the program
    #[argh(option, arg_name = "dir")]
    #[cfg_attr(test, argh(short = 'w'))]
    pub(crate) wd: Option<Text>,

    /// start from an empty environment
    #[argh(switch)]
    pub(crate) clear_env: bool,
    /// keep only these variables
    #[argh(option, arg_name = "name,...")]
    pub(crate) whitelist_env: Vec<Text>,

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
    /// with --dry-run: as JSON (+)
    #[argh(switch)]
    pub(crate) json: bool,
    /// show the version
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'V'))]
    #[expect(dead_code, reason = "the reader acts on it as soon as it is met")]
    pub(crate) version: bool,
}

impl Declared for Options {
    const NAME: &'static str = "unshare";
    const TABLE: &'static [u8] = include_bytes!("../generated/unshare.table");
    const HELP: &'static str = include_str!("../generated/unshare.help");
    const VERSION: &'static str = concat!("unshare (nskit) ", env!("CARGO_PKG_VERSION"), "\n");
    const OPERANDS: &'static [&'static str] = &["[program [argument...]]"];
    const SECTIONS: &'static [(&'static str, &'static str)] = &[
        ("Namespaces", "mount"),
        ("Users and groups", "map-user"),
        ("Process", "fork"),
        ("Mounts and directories", "propagation"),
        ("Environment", "clear-env"),
        ("Other", "status-fd"),
    ];
}

impl Options {
    /// What was given for each kind, in declared order.
    pub(crate) fn of_kinds(&self) -> [(&[Attached], Kind); 8] {
        [
            (&self.mount, Kind::Mnt),
            (&self.uts, Kind::Uts),
            (&self.ipc, Kind::Ipc),
            (&self.net, Kind::Net),
            (&self.pid, Kind::Pid),
            (&self.user, Kind::User),
            (&self.cgroup, Kind::Cgroup),
            (&self.time, Kind::Time),
        ]
    }
}
