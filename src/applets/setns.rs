//! `setns`: any namespace by any name, and what there is (its options, and what they ask for).

use argh::{ArgsInfo, FromArgs};

use crate::cli::{Attached, Declared, Text};

/// run a program in exactly the namespaces that are named
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    note = "a ref is a PID, the path of an nsfs file, net:[inode], netns:name, fd:N, id:N, sock:PID:FD, pidfile:file, cgroup:path, self, all, parent:ref or owner:ref; kind=ref keeps that kind alone",
    note = "no program can move its parent shell: setns runs the program, or a shell, in the namespaces"
)]
pub(crate) struct Options {
    /// enter the namespaces in the order given
    #[argh(switch)]
    pub(crate) in_order: bool,
    /// tell whether the namespaces named are the same: 0 yes, 1 no
    #[argh(switch)]
    pub(crate) same: bool,
    /// with --same: print nothing
    #[argh(switch, short = 'q')]
    pub(crate) quiet: bool,
    /// show the namespaces named, or all
    #[argh(switch)]
    pub(crate) show: bool,
    /// with --show: draw who owns and contains whom
    #[argh(switch)]
    pub(crate) tree: bool,
    /// with --show: as JSON
    #[argh(switch)]
    pub(crate) json: bool,

    /// user of the program, inside
    #[argh(option, short = 'S', arg_name = "uid|name|follow")]
    pub(crate) setuid: Option<Text>,
    /// group of the program, inside; drops supplementary groups
    #[argh(option, short = 'G', arg_name = "gid|name|follow")]
    pub(crate) setgid: Option<Text>,
    /// supplementary groups of the program, inside
    #[argh(option, arg_name = "gid,...|follow")]
    pub(crate) groups: Option<Text>,
    /// keep the capabilities held in the user namespace across exec
    #[argh(switch)]
    pub(crate) keep_caps: bool,

    /// run the program as a child
    #[argh(switch, short = 'f')]
    pub(crate) fork: bool,
    /// do not fork after entering a PID namespace
    #[argh(switch, short = 'F')]
    pub(crate) no_fork: bool,

    /// root directory: the process's, or <dir>
    #[argh(option, short = 'r', arg_name = "[dir]")]
    pub(crate) root: Vec<Attached>,
    /// working directory: the process's, or <dir>
    #[argh(option, short = 'w', arg_name = "[dir]")]
    pub(crate) wd: Vec<Attached>,
    /// working directory, looked up inside
    #[argh(option, short = 'W', arg_name = "[dir]")]
    pub(crate) wdns: Vec<Attached>,

    /// say each step with its result
    #[argh(switch, short = 'v')]
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
    #[argh(switch, short = 'V')]
    pub(crate) version: bool,
}

impl Declared for Options {
    const NAME: &'static str = "setns";
    const OPERANDS: &'static [&'static str] = &[
        "ref[,ref...] [program [argument...]]",
        "--same ref ref...",
        "--show [ref...]",
    ];
    const SECTIONS: &'static [(&'static str, &'static str)] = &[
        ("Namespaces", "in-order"),
        ("Users and groups", "setuid"),
        ("Process", "fork"),
        ("Mounts and directories", "root"),
        ("Other", "verbose"),
    ];
}
