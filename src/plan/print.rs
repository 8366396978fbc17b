//! How steps print: a line each, as `--dry-run` and the golden plans show them.

use std::fmt;

use super::step::*;
use crate::model::Word;
use crate::model::idmap::IdMap;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Helper => write!(f, "start a helper that stays outside"),
            Step::Become { uid, gid } => {
                write!(f, "become user {uid}, group {gid}, no other groups")
            }
            Step::Unshare(kinds) => write!(f, "unshare {kinds}"),
            Step::Setgroups(value) => write!(f, "write /proc/self/setgroups: {}", value.as_str()),
            Step::WriteMap(ids, map) => {
                write!(f, "write /proc/self/{}: {}", ids.file(), Lines(map))
            }
            Step::Outside(Outside::Maps(maps)) => {
                for (index, (ids, map, via)) in maps.iter().enumerate() {
                    let gap = if index == 0 {
                        "outside: "
                    } else {
                        ", and at once: "
                    };
                    match via {
                        Via::File => write!(f, "{gap}write our {}: {}", ids.file(), Lines(map))?,
                        Via::Program => write!(f, "{gap}{} {}", ids.helper(), Lines(map))?,
                    }
                }
                Ok(())
            }
            Step::Outside(Outside::Bind(binds)) => {
                for (index, (kind, file)) in binds.iter().enumerate() {
                    let gap = if index == 0 { "outside: " } else { ", " };
                    write!(
                        f,
                        "{gap}bind our {} on {}",
                        kind.file_for_children(),
                        Word(file)
                    )?;
                }
                Ok(())
            }
            Step::ClockOffset { clock, seconds } => {
                write!(
                    f,
                    "write /proc/self/timens_offsets: {} {seconds} 0",
                    clock.name()
                )
            }
            Step::OpenTarget {
                pid, inode: None, ..
            } => write!(f, "open process {pid}"),
            Step::OpenTarget {
                pid,
                inode: Some(inode),
                ..
            } => {
                write!(f, "open process {pid}, with pidfd inode {inode}")
            }
            Step::Open(source) => write!(f, "{source}"),
            Step::CheckTarget => write!(f, "check that the process still lives"),
            Step::DropGroupsEarly { unless_ours } => {
                let condition = if *unless_ours {
                    ", and the target's user namespace is not ours"
                } else {
                    ""
                };
                write!(
                    f,
                    "drop the supplementary groups, if that is permitted here{condition}"
                )
            }
            Step::Enter(enter) => write!(f, "{enter}"),
            Step::JoinCgroup => write!(f, "join the target's cgroups"),
            Step::ExecLabel(Label::Selinux) => {
                write!(f, "take the target's SELinux context at exec")
            }
            Step::ExecLabel(Label::Apparmor) => {
                write!(f, "take the target's AppArmor profile at exec")
            }
            Step::Fork(fork) => write!(f, "{fork}"),
            Step::Propagation(propagation) => {
                write!(f, "make / and all below it {}", propagation.as_str())
            }
            Step::MakePrivate(dir) => {
                write!(
                    f,
                    "make {} private, or the mount that it lies on",
                    Word(dir)
                )
            }
            Step::MountProc(dir) => write!(f, "mount proc on {}", Word(dir)),
            Step::MountBinfmt(dir) => write!(f, "mount binfmt_misc on {}", Word(dir)),
            Step::Register { dir, entry } => {
                write!(f, "register in {}: {}", Word(dir), Word(entry))
            }
            Step::Root(dir) => write!(f, "chroot to {}, then to its /", Word(dir)),
            Step::PivotRoot(dir) => write!(f, "pivot_root to {}, the old root gone", Word(dir)),
            Step::OpenedRoot => write!(f, "chroot to the directory opened"),
            Step::Directory(dir) => write!(f, "change to {}", Word(dir)),
            Step::OpenedDirectory => write!(f, "change to the directory opened"),
            Step::Hostname(name) => write!(f, "set the host name to {}", Word(name)),
            Step::Loopback => write!(f, "bring lo up"),
            Step::Groups(GroupList::These(groups)) => {
                write!(f, "setgroups")?;
                groups.iter().try_for_each(|group| write!(f, " {group}"))
            }
            Step::Groups(GroupList::Dropped) => write!(f, "drop the supplementary groups"),
            Step::Groups(GroupList::DroppedIfUserEntered) => {
                write!(
                    f,
                    "drop the supplementary groups, if a user namespace was entered"
                )
            }
            Step::Groups(GroupList::Follow) => write!(f, "take the target's supplementary groups"),
            Step::Gid(NewId::These(gid)) => write!(f, "setgid {gid}"),
            Step::Gid(NewId::Follow) => write!(f, "take the target's group"),
            Step::Gid(NewId::RootIfUserEntered) => {
                write!(f, "setgid 0, if a user namespace was entered")
            }
            Step::Uid(NewId::These(uid)) => write!(f, "setuid {uid}"),
            Step::Uid(NewId::Follow) => write!(f, "take the target's user"),
            Step::Uid(NewId::RootIfUserEntered) => {
                write!(f, "setuid 0, if a user namespace was entered")
            }
            Step::HoldCapabilities(when) => write!(f, "keep the capabilities across setuid{when}"),
            Step::KeepCapabilities(when) => write!(f, "keep the capabilities across exec{when}"),
            Step::Environment(Environment::Empty) => write!(f, "empty the environment"),
            Step::Environment(Environment::Only(names)) => {
                write!(f, "keep of the environment:")?;
                names
                    .iter()
                    .try_for_each(|name| write!(f, " {}", Word(name)))
            }
            Step::Environment(Environment::Target) => write!(f, "take the target's environment"),
            Step::Pidfile(file) => write!(f, "write the PID to {}", Word(file)),
            Step::Advise(line) => write!(f, "say: {line}"),
            Step::Execute(program) => write!(f, "execute {program}"),
        }
    }
}

/// A map on one line.
struct Lines<'a>(&'a IdMap);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.0.extents().iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{gap}{} {} {}",
                extent.inside(),
                extent.outside(),
                extent.count()
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Root(None) => write!(f, "open the target's root directory"),
            Source::Root(Some(dir)) | Source::Directory(Some(dir)) => {
                write!(f, "open {}", Word(dir))
            }
            Source::Directory(None) => write!(f, "open the target's working directory"),
            Source::OwnDirectory => write!(f, "open our working directory"),
            Source::Environment => write!(f, "read the target's environment"),
            Source::Credentials => write!(f, "read the target's user and groups"),
            Source::Cgroups => write!(f, "open the target's cgroups"),
            Source::Label(Label::Selinux) => write!(f, "read the target's SELinux context"),
            Source::Label(Label::Apparmor) => write!(f, "read the target's AppArmor profile"),
        }
    }
}

impl fmt::Display for Enter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enter")?;
        for (index, wanted) in self.wanted.iter().enumerate() {
            write!(f, "{}{wanted}", if index == 0 { " " } else { "; " })?;
        }
        for _ in 0..self.user_parent {
            f.write_str(", of the user namespace its parent")?;
        }
        if self.in_order {
            f.write_str(", in this order")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fork")?;
        if self.only_if_needed {
            f.write_str(" if a PID namespace was entered")?;
        }
        match self.init {
            None => {}
            Some(Init::Program) => f.write_str(", stay as PID 1")?,
            Some(Init::Group) => {
                f.write_str(", stay as PID 1, pass signals on to the process group")?
            }
        }
        if let Some(signal) = self.kill_child {
            write!(f, ", kill the child with {signal} when we die")?;
        }
        if !self.forward.is_empty() {
            f.write_str(", pass on")?;
            self.forward
                .iter()
                .try_for_each(|signal| write!(f, " {signal}"))?;
        }
        Ok(())
    }
}
