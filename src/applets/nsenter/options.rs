//! The options of `nsenter`: names, letters, values and descriptions stand here and nowhere else.
//!
//! The letters are for the documents and the table of what a start reads: to argh each option is given by its long name, and
//! its own list of letters would be relocated at every start.

use argh::{ArgsInfo, FromArgs};

use crate::cli::{Attached, Declared, Text};
use crate::model::Kind;

/// run a program in the namespaces of other processes
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    example = "nsenter -t 1234 -n ip address: the network of a process, our programs",
    example = "nsenter -t 1234 -a: a shell in all namespaces of a process",
    example = "nsenter --net=/run/netns/blue sh: a namespace that a file holds"
)]
pub(crate) struct Options {
    /// all namespaces of the target
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'a'))]
    pub(crate) all: bool,
    /// process to take the contexts from; a ref as in setns(1), say oci:ID
    #[argh(option, arg_name = "pid[:inode]|ref")]
    #[cfg_attr(test, argh(short = 't'))]
    pub(crate) target: Vec<Text>,
    /// mount namespace
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'm'))]
    pub(crate) mount: Vec<Attached>,
    /// UTS namespace (hostname)
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'u'))]
    pub(crate) uts: Vec<Attached>,
    /// IPC namespace (System V IPC, POSIX message queues)
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'i'))]
    pub(crate) ipc: Vec<Attached>,
    /// network namespace
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'n'))]
    pub(crate) net: Vec<Attached>,
    /// network namespace of the target's socket <fd>
    #[argh(option, arg_name = "fd")]
    #[cfg_attr(test, argh(short = 'N'))]
    pub(crate) net_socket: Option<Text>,
    /// PID namespace; forks (see --no-fork)
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'p'))]
    pub(crate) pid: Vec<Attached>,
    /// cgroup namespace
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'C'))]
    pub(crate) cgroup: Vec<Attached>,
    /// user namespace
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'U'))]
    pub(crate) user: Vec<Attached>,
    /// parent user namespace of the one entered, or owner; repeat for more levels
    #[argh(switch)]
    pub(crate) user_parent: u32,
    /// time namespace
    #[argh(option, arg_name = "[file]")]
    #[cfg_attr(test, argh(short = 'T'))]
    pub(crate) time: Vec<Attached>,

    /// user of the program, inside
    #[argh(option, arg_name = "uid|name|follow")]
    #[cfg_attr(test, argh(short = 'S'))]
    pub(crate) setuid: Option<Text>,
    /// group of the program, inside; drops supplementary groups
    #[argh(option, arg_name = "gid|name|follow")]
    #[cfg_attr(test, argh(short = 'G'))]
    pub(crate) setgid: Option<Text>,
    /// supplementary groups of the program, inside (+)
    #[argh(option, arg_name = "gid|name,...|follow")]
    pub(crate) groups: Option<Text>,
    /// leave user, group and groups alone in a user namespace
    #[argh(switch)]
    pub(crate) preserve_credentials: bool,
    /// keep the capabilities held in the user namespace across exec
    #[argh(switch)]
    pub(crate) keep_caps: bool,
    /// SELinux context of the target
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'Z'))]
    pub(crate) follow_context: bool,
    /// the AppArmor profile of the target (+)
    #[argh(switch)]
    pub(crate) follow_apparmor: bool,

    /// cgroup of the target
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'c'))]
    pub(crate) join_cgroup: bool,
    /// do not fork after entering a PID namespace
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'F'))]
    pub(crate) no_fork: bool,
    /// send the child this signal when nsenter dies (default KILL) (+)
    #[argh(option, arg_name = "[=signal]")]
    pub(crate) kill_child: Vec<Attached>,
    /// pass signals on to the child (+)
    #[argh(option, arg_name = "[=signal,...]")]
    pub(crate) forward_signals: Vec<Attached>,

    /// root directory: the target's, or <dir>
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'r'))]
    pub(crate) root: Vec<Attached>,
    /// working directory: the target's, or <dir>
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'w'))]
    pub(crate) wd: Vec<Attached>,
    /// working directory, looked up inside
    #[argh(option, arg_name = "[dir]")]
    #[cfg_attr(test, argh(short = 'W'))]
    pub(crate) wdns: Vec<Attached>,

    /// environment of the target
    #[argh(switch)]
    #[cfg_attr(test, argh(short = 'e'))]
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
    const NAME: &'static str = "nsenter";
    const TABLE: &'static [u8] = include_bytes!("../generated/nsenter.table");
    const HELP: &'static str = include_str!("../generated/nsenter.help");
    const VERSION: &'static str = concat!("nsenter (nskit) ", env!("CARGO_PKG_VERSION"), "\n");
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

impl Options {
    /// What was given for each kind, in the order of entering.
    pub(crate) fn of_kinds(&self) -> [(&[Attached], Kind); 8] {
        [
            (&self.user, Kind::User),
            (&self.cgroup, Kind::Cgroup),
            (&self.ipc, Kind::Ipc),
            (&self.uts, Kind::Uts),
            (&self.net, Kind::Net),
            (&self.pid, Kind::Pid),
            (&self.mount, Kind::Mnt),
            (&self.time, Kind::Time),
        ]
    }
}
