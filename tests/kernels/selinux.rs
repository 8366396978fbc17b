//! A policy of SELinux in which each domain may do all but one thing.
//!
//! The hard thing: it must be small enough to be understood. What it does not declare the kernel then allows
//! (`handleunknown`), so that only those permissions stand in it that a domain lacks.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Of what a domain lacks a permission.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Any,
    /// What is labelled as itself: its processes, and their files in /proc.
    Own,
    /// What is labelled `secret`.
    Secret,
}

/// The domains, and the one permission of a class that each lacks.
pub(crate) const DOMAINS: [(&str, Object, &str, &str); 11] = [
    ("no_admin", Object::Any, "capability", "sys_admin"),
    ("no_chroot", Object::Any, "capability", "sys_chroot"),
    ("no_admin_inside", Object::Any, "cap_userns", "sys_admin"),
    ("no_userns", Object::Any, "user_namespace", "create"),
    ("no_mount", Object::Any, "filesystem", "mount"),
    ("no_mounton", Object::Any, "dir", "mounton"),
    ("no_mounton_file", Object::Any, "file", "mounton"),
    ("no_execute", Object::Secret, "file", "execute"),
    ("no_write", Object::Own, "file", "write"),
    ("no_read", Object::Secret, "file", "read"),
    ("no_net_admin", Object::Any, "cap_userns", "net_admin"),
];

/// The initial security identifiers, in the order of the kernel's numbers.
const SIDS: [&str; 27] = [
    "kernel",
    "security",
    "unlabeled",
    "fs",
    "file",
    "file_labels",
    "init",
    "any_socket",
    "port",
    "netif",
    "netmsg",
    "node",
    "igmp_packet",
    "icmp_socket",
    "tcp_socket",
    "sysctl_modprobe",
    "sysctl",
    "sysctl_fs",
    "sysctl_kernel",
    "sysctl_net",
    "sysctl_net_unix",
    "sysctl_vm",
    "sysctl_dev",
    "kmod",
    "policy",
    "scmp_packet",
    "devnull",
];

/// The policy, in secilc's language. Everything but the domains is `base`, which may do all.
fn policy() -> String {
    // The kernel takes no policy without these.
    let mut classes = vec![("process", vec!["transition", "dyntransition"])];
    for (_, _, class, permission) in DOMAINS {
        match classes.iter_mut().find(|(name, _)| *name == class) {
            Some((_, permissions)) => permissions.push(permission),
            None => classes.push((class, vec![permission])),
        }
    }
    let mut text = String::from(
        "(handleunknown allow)\n(mls false)\n(user u)\n(role r)\n(userrole u r)\n(sensitivity s0)\n\
         (sensitivityorder (s0))\n(userlevel u (s0))\n(userrange u ((s0) (s0)))\n",
    );
    let mut say = |line: String| writeln!(text, "{line}").expect("a text takes lines");
    for (class, permissions) in &classes {
        say(format!("(class {class} ({}))", permissions.join(" ")));
    }
    let names: Vec<_> = classes.iter().map(|(class, _)| *class).collect();
    say(format!("(classorder ({}))", names.join(" ")));
    // No objects but processes and their files in /proc are of these.
    let domains = ["base", "secret"]
        .into_iter()
        .chain(DOMAINS.map(|(domain, ..)| domain));
    let types: Vec<_> = domains.collect();
    for name in &types {
        say(format!("(type {name})\n(roletype r {name})"));
    }
    for sid in SIDS {
        say(format!(
            "(sid {sid})\n(sidcontext {sid} (u r base ((s0) (s0))))"
        ));
    }
    say(format!("(sidorder ({}))", SIDS.join(" ")));
    // Files get the label of the directory that they are in, or one that was asked for.
    say("(fsuse trans tmpfs (u r base ((s0) (s0))))".to_owned());
    for domain in &types {
        for object in &types {
            for (class, permissions) in &classes {
                let lacks = |permission: &&str| {
                    DOMAINS.iter().any(|(name, of, its_class, lacking)| {
                        let is_of = match of {
                            Object::Any => true,
                            Object::Own => object == domain,
                            Object::Secret => *object == "secret",
                        };
                        (name, its_class, lacking) == (domain, class, permission) && is_of
                    })
                };
                let allowed: Vec<_> = permissions
                    .iter()
                    .filter(|one| !lacks(one))
                    .copied()
                    .collect();
                if !allowed.is_empty() {
                    say(format!(
                        "(allow {domain} {object} ({class} ({})))",
                        allowed.join(" ")
                    ));
                }
            }
        }
    }
    text
}

/// Compiles it into this file.
pub(crate) fn compile(to: &Path) -> Result<(), String> {
    let source = to.with_extension("cil");
    let contexts = to.with_extension("contexts");
    std::fs::write(&source, policy()).map_err(|error| error.to_string())?;
    let compiled = Command::new("secilc")
        .args(["-c", "30", "-o"])
        .arg(to)
        .arg("-f")
        .arg(contexts)
        .arg(source)
        .output()
        .map_err(|error| format!("secilc: {error}"))?;
    if compiled.status.success() {
        return Ok(());
    }
    Err(format!(
        "secilc: {}",
        String::from_utf8_lossy(&compiled.stderr)
    ))
}
