//! What is said where AppArmor refuses something: its profile is named, and nothing else is blamed.

use crate::case::Case;

/// What would be false of each of these.
const FALSE: [&str; 6] = [
    "none of those known",
    "chroot whose root",
    "not mounted here",
    "is missing (CapEff",
    "outside the container",
    "refused whatever",
];

/// Run by root, under a profile of the case's name that allows all but the rule, and has these rules too.
fn lacking(name: &str, rule: &str, more: &str, script: &str) -> Case {
    let script = format!("confine {name} '{rule}' '{more}'; under {name} /bin/sh -c '{script}'");
    Case::new(name, &script).root()
}

/// A failure of which the profile is named, and how it would allow it.
fn refused(case: Case, status: i32, name: &str, rule: &str) -> Case {
    let case = case
        .fails(status)
        .err_has(&format!("our label is {name} (enforce)"))
        .err_has(&format!("have the profile allow it (\"{rule}"));
    FALSE.into_iter().fold(case, |case, part| case.lacks(part))
}

pub(super) fn cases() -> Vec<Case> {
    let one = |name: &str, rule: &str, more: &str, script: &str, status, allow: &str| {
        refused(lacking(name, rule, more, script), status, name, allow)
    };
    let ordinary = |script: &str| format!("su -s /bin/sh ordinary -c \"{script}\"");
    let mut cases = vec![
        one(
            "apparmor_capability",
            "capability",
            "",
            "unshare --explain -n true",
            1,
            "capability sys_admin,",
        ),
        one(
            "apparmor_capability_of_chroot",
            "",
            "deny capability sys_chroot,",
            "unshare --explain -R / true",
            1,
            "capability sys_chroot,",
        ),
        one(
            "apparmor_capability_of_setns",
            "capability",
            "",
            "setns --explain net=1 true",
            125,
            "capability sys_admin,",
        ),
        // In a user namespace of our own the file asks for it.
        one(
            "apparmor_capability_inside",
            "capability",
            "",
            "unshare --explain -Ur true",
            1,
            "capability sys_admin,",
        )
        .err_has("cannot open /proc/self/setgroups: Permission denied"),
        one(
            "apparmor_mount",
            "mount",
            "",
            "unshare --explain -m true",
            1,
            "mount,",
        ),
        // From another mount namespace our own /proc is refused by the path that was opened before.
        one(
            "apparmor_mount_proc",
            "mount",
            "",
            "unshare --explain -pf --mount-proc true",
            1,
            "mount,",
        ),
        one(
            "apparmor_mount_inside",
            "mount",
            "",
            &ordinary("unshare --explain -rpf --mount-proc true"),
            1,
            "mount,",
        ),
        one(
            "apparmor_mount_of_proc_alone",
            "mount",
            "",
            "mkdir \"$T/p\"; unshare --explain -m --propagation unchanged --mount-proc=\"$T/p\" true",
            1,
            "mount,",
        ),
        one(
            "apparmor_bind",
            "mount",
            "",
            "touch \"$T/uts\"; unshare --explain --uts=\"$T/uts\" true",
            1,
            "mount,",
        ),
        one(
            "apparmor_pivot_root",
            "pivot_root",
            "",
            "mkdir \"$T/r\"; unshare --explain -m -R \"$T/r\" --pivot-root true",
            1,
            "pivot_root,",
        ),
        one(
            "apparmor_setgroups",
            "",
            "deny /proc/*/setgroups w,",
            &ordinary("unshare --explain -Ur true"),
            1,
            "@{PROC}/*/setgroups w,",
        ),
        one(
            "apparmor_uid_map",
            "",
            "deny /proc/*/uid_map w,",
            &ordinary("unshare --explain -Ur true"),
            1,
            "@{PROC}/*/uid_map w,",
        ),
        one(
            "apparmor_exec",
            "",
            "deny /bin/ls x, deny /usr/bin/ls x, deny /usr/bin/busybox x,",
            "unshare --explain -n /bin/ls",
            126,
            "/bin/ls ix,",
        ),
        lacking(
            "apparmor_dry_run",
            "mount",
            "",
            "unshare --explain --dry-run -m true",
        )
        .out_has("execute true")
        .lacks("would fail"),
        // The kernel asks AppArmor of user namespaces from Linux 6.7 on.
        lacking(
            "apparmor_userns_foretold",
            "userns",
            "",
            "unshare --explain --dry-run -U true",
        )
        .out_has("unshare user")
        .lacks("would fail"),
        refused(
            lacking("apparmor_userns", "userns", "", "unshare --explain -U true").since(6, 7),
            1,
            "apparmor_userns",
            "userns,",
        ),
        refused(
            lacking(
                "apparmor_userns_ordinary",
                "userns",
                "",
                &ordinary("unshare --explain -Ur true"),
            )
            .since(6, 7),
            1,
            "apparmor_userns_ordinary",
            "userns,",
        ),
        // Where nothing of /proc can be read the label is told by the kernel alone, from Linux 6.8 on.
        refused(
            lacking(
                "apparmor_proc",
                "",
                "deny /proc/** rw,",
                &ordinary("unshare --explain -Ur true"),
            )
            .fails(1)
            .err_has("a security module refuses us /proc/self/setgroups")
            .lacks("none of those known")
            .since(6, 8),
            1,
            "apparmor_proc",
            "@{PROC}/*/setgroups w,",
        ),
    ];
    // The doctor names it too, in lines and in JSON; a user namespace is asked for from Linux 6.7 on.
    for (name, rule, by, allowed) in [
        (
            "apparmor_doctor_capability",
            "capability",
            "sh -c",
            "capability sys_admin,",
        ),
        (
            "apparmor_doctor_mount",
            "mount",
            "su -s /bin/sh ordinary -c",
            "mount,",
        ),
        (
            "apparmor_doctor_userns",
            "userns",
            "su -s /bin/sh ordinary -c",
            "userns,",
        ),
    ] {
        let label = format!("our label is {name} (enforce)");
        let is_old = rule == "userns";
        let says = |name: &str, command: &str, allowed: &str| {
            let script = format!(
                "confine {label_name} {rule}; under {label_name} {by} \"{command}\"",
                label_name = name.trim_end_matches("_json"),
            );
            let case = Case::new(name, &script).root();
            let case = if is_old {
                case.out_has("").since(6, 7)
            } else {
                case
            };
            let case = case
                .fails(1)
                .err("")
                .out_has(&label)
                .out_has(&format!("have the profile allow it ({allowed})"));
            let of_others = ["is missing (CapEff", "outside the container"];
            let of_us = FALSE.into_iter().filter(|part| !of_others.contains(part));
            of_us.fold(case, |case, part| case.lacks(part))
        };
        cases.push(says(name, "nskit doctor", &format!("\"{allowed}\"")));
        cases.push(says(
            &format!("{name}_json"),
            "nskit doctor --json",
            &format!("\\\"{allowed}\\\""),
        ));
    }
    for (name, words, status) in [
        ("apparmor_ptrace", "nsenter --explain -t $PID -n true", 1),
        (
            "apparmor_ptrace_all",
            "nsenter --explain -t $PID -a true",
            1,
        ),
        ("apparmor_ptrace_setns", "setns --explain $PID true", 125),
    ] {
        let script = format!(
            "hold -n; confine {name} ptrace 'deny ptrace,'; under {name} /bin/sh -c \"{words}\""
        );
        cases.push(refused(
            Case::new(name, &script).root(),
            status,
            name,
            "ptrace,",
        ));
    }
    // What the hint says makes it work.
    cases.push(
        Case::new(
            "apparmor_hint_of_ptrace",
            "hold -n; confine 'apparmor_hint flags=(attach_disconnected)' '' ''; under apparmor_hint setns $PID readlink /proc/self/ns/net >\"$T/in\"; readlink /proc/$PID/ns/net | cmp - \"$T/in\" && echo inside",
        )
        .root()
        .out("inside"),
    );
    cases
}
