//! Where we are: in which user namespace, in a container or a chroot, under which security modules.

use super::mountinfo::Mount;
use super::namespace::is_initial;
use super::procfs::text_at;
use crate::model::Kind;
use crate::sys::{self, For, Limit, Proc};

/// Who made our user namespace, as a user of it.
pub(crate) fn maker_of_user_namespace(proc: &Proc) -> Option<u32> {
    let own = proc.open("self/ns/user", For::Reading).ok()?;
    sys::owner_uid(std::os::fd::AsFd::as_fd(&own)).ok()
}

/// The facts by which a container or a chroot is seen, a phrase each.
pub(crate) fn signs(proc: &Proc, mounts: Option<&[Mount]>) -> Vec<String> {
    let mut signs = Vec::new();
    if let Some(name) = sys::variable("container") {
        signs.push(format!("the variable container is {}", name.display()));
    }
    // One text, not a table, which every start would relocate.
    let files = "/run/.containerenv /.dockerenv /run/systemd/container".split(' ');
    for path in files {
        match sys::stat(path.as_ref()) {
            Ok(_) => signs.push(format!("there is {path}")),
            Err(error) if matches!(error.raw(), libc::ENOENT | libc::ENOTDIR) => {}
            Err(_) => signs.push(format!("whether there is {path} cannot be seen")),
        }
    }
    match is_initial(proc, Kind::Pid) {
        Some(true) => {}
        Some(false) => signs.push("the PID namespace is not the initial one".to_owned()),
        None => signs.push("the PID namespace cannot be seen".to_owned()),
    }
    if let Some(mounts) = mounts {
        match mounts
            .iter()
            .rev()
            .find(|mount| mount.point.as_os_str() == "/")
        {
            None => signs.push("/ is no mount point (a chroot)".to_owned()),
            Some(mount) if mount.fs_type == "overlay" => signs.push("/ is an overlay".to_owned()),
            Some(_) => {}
        }
    }
    signs
}

/// The security modules that are active, with commas between them; none where securityfs is not mounted.
pub(crate) fn security_modules() -> Option<String> {
    let text = sys::read_file("/sys/kernel/security/lsm".as_ref(), Limit::FILE).ok()?;
    let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
    (!text.is_empty()).then_some(text)
}

/// The release of the kernel, as uname(1) says it.
pub(crate) fn release(proc: &Proc) -> Option<String> {
    text_at(proc, "sys/kernel/osrelease")
}
