//! The command lines that are made to fail.
//!
//! In a line stand for what the ground has: `@F` the directory of files, `@A` a process in namespaces of its own, `@U`
//! one that is in a user namespace of root's too, `@O` one of the ordinary user's, `@ROOT` a directory with a system in it,
//! `@NET` the number of `@A`'s network, `@STATE` the program.

/// Who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    /// One with subordinate IDs.
    Ordinary,
}

/// What comes out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It runs the program, which tells what it finds.
    Runs,
    /// It fails whatever happens.
    Fails,
    /// It prints what it sees; an error that is seen is told in it, or there is a failure.
    Prints,
}

/// A command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) user: User,
    pub(crate) kind: Kind,
    pub(crate) line: &'static str,
}

const fn root(name: &'static str, line: &'static str) -> Case {
    Case {
        name,
        user: User::Root,
        kind: Kind::Runs,
        line,
    }
}

const fn user(name: &'static str, line: &'static str) -> Case {
    Case {
        name,
        user: User::Ordinary,
        kind: Kind::Runs,
        line,
    }
}

const fn fails(case: Case) -> Case {
    Case {
        kind: Kind::Fails,
        ..case
    }
}

const fn prints(case: Case) -> Case {
    Case {
        kind: Kind::Prints,
        ..case
    }
}

/// All of them; those with the most calls first.
pub(crate) const CASES: &[Case] = &[
    prints(root("doctor", "nskit doctor")),
    prints(user("doctor_ordinary", "nskit doctor")),
    prints(root(
        "doctor_of_a_line",
        "nskit doctor unshare -Urpf --mount-proc",
    )),
    prints(user(
        "doctor_of_a_line_ordinary",
        "nskit doctor --json unshare --map-auto -r",
    )),
    prints(root("show", "setns --show")),
    prints(root(
        "show_processes_as_json",
        "setns --show --json --processes",
    )),
    prints(root("show_tree", "setns --show --tree")),
    prints(root("show_one", "setns --show @A")),
    prints(root("same", "setns --same @A self")),
    root(
        "every_kind_persistent",
        "unshare --mount=@F/mnt --uts=@F/uts --ipc=@F/ipc --net=@F/net --pid=@F/pid --user=@F/user \
         --cgroup=@F/cgroup --time=@F/time --fork @STATE",
    ),
    root(
        "three_persistent_without_a_child",
        "unshare --uts=@F/uts --ipc=@F/ipc --net=@F/net @STATE",
    ),
    root(
        "persistent_with_a_pid_file",
        "unshare -f --pidfile @F/number --status-fd 3 --uts=@F/uts @STATE",
    ),
    root("all", "unshare -a -r --fork @STATE"),
    user("all_ordinary", "unshare -a -r --fork @STATE"),
    user("root_of_its_own", "unshare -Ur @STATE"),
    user(
        "root_in_a_pid_namespace",
        "unshare -Urpf --mount-proc @STATE",
    ),
    user(
        "current_user_keeps_capabilities",
        "unshare -Uc --keep-caps @STATE",
    ),
    user("map_auto", "unshare --map-auto -r @STATE"),
    user(
        "map_auto_forks",
        "unshare --map-auto -r -pf --mount-proc @STATE",
    ),
    user(
        "map_users_auto_as_one_of_them",
        "unshare --map-users auto --map-groups auto -S 3 -G 4 @STATE",
    ),
    user("map_subids", "unshare --map-subids @STATE"),
    root(
        "maps_of_root",
        "unshare -U --map-users 0:0:100 --map-groups 0:0:100 -S 5 -G 6 --groups 7,8 @STATE",
    ),
    root(
        "owner",
        "unshare -U --owner 47231:47231 --map-users 0:0:10 --map-groups 0:0:10 @STATE",
    ),
    user("setgroups_denied", "unshare -Ur --setgroups deny @STATE"),
    user("init", "unshare -Ur --init @STATE"),
    root(
        "init_with_proc",
        "unshare --init --kill-child --forward-signals --mount-proc @STATE",
    ),
    root("init_of_a_group", "unshare --init=group @STATE"),
    root(
        "init_with_a_status",
        "unshare --init --status-fd 3 --pidfile @F/number @STATE",
    ),
    root("pivot_root", "unshare -m -R @ROOT --pivot-root -w / @STATE"),
    user(
        "pivot_root_ordinary",
        "unshare -Urmpf -R @ROOT --pivot-root --mount-proc @STATE",
    ),
    root("root_and_directory", "unshare -R @ROOT -w /tmp @STATE"),
    root("clocks", "unshare -T --monotonic 5 --boottime 7 -f @STATE"),
    root("hostname", "unshare --hostname other @STATE"),
    user(
        "hostname_and_loopback",
        "unshare -Ur --hostname other --loopback @STATE",
    ),
    root("shared", "unshare -m --propagation shared @STATE"),
    root(
        "unchanged_with_proc",
        "unshare -m -pf --propagation unchanged --mount-proc=@F/dir @STATE",
    ),
    user("binfmt", "unshare -Ur --mount-binfmt @STATE"),
    root("clear_env", "unshare -u --clear-env @STATE"),
    root("whitelist_env", "unshare -f --whitelist-env HOME @STATE"),
    user("status", "unshare -Urf --status-fd 3 @STATE"),
    root("pid_file", "unshare -u --pidfile @F/number @STATE"),
    root("kill_child", "unshare --kill-child=TERM -u @STATE"),
    fails(root(
        "no_program",
        "unshare --uts=@F/uts --pidfile @F/number /nothing",
    )),
    fails(user(
        "no_program_explained",
        "unshare -Urpf --explain nothing",
    )),
    fails(root(
        "no_program_behind_init",
        "unshare --init --uts=@F/uts --explain nothing",
    )),
    fails(root("no_program_entered", "nsenter -t @A -a /nothing")),
    prints(root("dry_run", "unshare --dry-run -Urpf --mount-proc true")),
    prints(root(
        "dry_run_of_entering",
        "nsenter --dry-run -t @A -a true",
    )),
    prints(root("install", "nskit --install -s @F/dir")),
    root("enter_all", "nsenter -t @A -a @STATE"),
    root(
        "enter_all_of_it",
        "nsenter -t @U -a -r -w -e -c -S follow -G follow @STATE",
    ),
    root(
        "enter_groups",
        "nsenter -t @U -a --groups follow -S follow @STATE",
    ),
    root("enter_a_pid_namespace", "nsenter -t @A -m -p @STATE"),
    root(
        "enter_without_a_child",
        "nsenter -t @A -p -n --no-fork @STATE",
    ),
    root(
        "enter_a_user_namespace",
        "nsenter -t @U -U --preserve-credentials -n @STATE",
    ),
    root("enter_some", "nsenter -t @A -n -u -i -C -T @STATE"),
    root("enter_a_file", "nsenter --net=/run/netns/blue @STATE"),
    root("enter_a_parent", "nsenter -t @O -n --user-parent @STATE"),
    root("enter_a_root", "nsenter -t @A -m -r@ROOT -w/tmp @STATE"),
    root("enter_a_directory", "nsenter -t @A -m -W/tmp @STATE"),
    user(
        "enter_own",
        "nsenter -t @O -a --preserve-credentials @STATE",
    ),
    root(
        "enter_with_reports",
        "nsenter -t @A -p --pidfile @F/number --status-fd 3 --kill-child --forward-signals @STATE",
    ),
    root("ref_pid", "setns @A @STATE"),
    root("ref_inode", "setns net:[@NET] @STATE"),
    root("ref_netns", "setns netns:blue @STATE"),
    root(
        "ref_netns_with_its_files",
        "setns --ip-netns netns:blue @STATE",
    ),
    root("ref_pidfile", "setns net=pidfile:@F/../numbers/a @STATE"),
    root("ref_oci", "setns oci:box @STATE"),
    root("ref_machine", "setns machine:box @STATE"),
    root("ref_parent", "setns -v parent:/proc/@A/ns/pid @STATE"),
    root("ref_owner", "setns owner:/proc/@O/ns/net @STATE"),
    root(
        "refs_in_order",
        "setns --in-order -S 0 uts=@A,user=@U,net=@U @STATE",
    ),
    root("nskit_bare", "nskit unshare -u @STATE"),
];
