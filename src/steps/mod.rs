//! What a plan is made of, one file a step: what it is, the line that it prints, how it is done, what it
//! would fail at, and why it failed.

mod advice;
pub(crate) mod ahead;
pub(crate) mod binfmt;
pub(crate) mod capabilities;
pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod enter;
pub(crate) mod environment;
pub(crate) mod execute;
pub(crate) mod file;
mod find_target;
pub(crate) mod follow;
pub(crate) mod fork;
pub(crate) mod ids;
mod ip_netns;
pub(crate) mod label;
pub(crate) mod map;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod open;
pub(crate) mod outside;
pub(crate) mod owner;
pub(crate) mod pidfile;
pub(crate) mod propagation;
pub(crate) mod root;
mod setgroups;
pub(crate) mod state;
mod step;
pub(crate) mod target;
mod trace;
pub(crate) mod trial;
pub(crate) mod unshare;

use std::fmt;

pub(crate) use advice::Advice;
pub(crate) use binfmt::{MountBinfmt, Register};
pub(crate) use capabilities::{HoldCapabilities, KeepCapabilities, When};
pub(crate) use cgroup::JoinCgroup;
pub(crate) use clock::ClockOffset;
pub(crate) use directory::{Directory, OpenedDirectory};
pub(crate) use enter::Enter;
pub(crate) use environment::Variables;
pub(crate) use execute::Program;
pub(crate) use find_target::FindTarget;
pub(crate) use fork::{Fork, Init};
pub(crate) use ids::{DropGroupsEarly, Gid, GroupList, NewId, Uid};
pub(crate) use ip_netns::{BindEtc, MountSys};
pub(crate) use label::Label;
pub(crate) use map::WriteMap;
pub(crate) use mount::MountProc;
pub(crate) use network::{Hostname, Loopback};
pub(crate) use open::Source;
pub(crate) use outside::{Helper, Outside, Via};
pub(crate) use owner::Become;
pub(crate) use propagation::MakePrivate;
pub(crate) use root::{OpenedRoot, PivotRoot, Root};
pub(crate) use state::State;
pub(crate) use step::{Do, say};
pub(crate) use target::{CheckTarget, OpenTarget};
pub(crate) use trial::Trial;
pub(crate) use unshare::Unshare;

use crate::failure::Result;
use crate::model::value::{Propagation, Setgroups};
use ahead::Ahead;

/// The steps that there are, each of a type of its own, and what is asked of all of them alike.
macro_rules! steps {
    ($($name:ident($type:ty)),* $(,)?) => {
        /// A step of a plan.
        ///
        /// It is done by the process that came as far as it: before [`Step::Fork`] the one that was started, after it the
        /// child. Only what stands in [`Step::Outside`] is done by somebody else.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Step {
            /// Start the helper: there are two of us then.
            Helper(Helper),
            /// Everything after this happens in a child; we wait for it.
            Fork(Fork),
            /// Become the program.
            Execute(Program),
            $(#[allow(missing_docs)] $name($type),)*
        }

        impl fmt::Display for Step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Step::Helper(step) => step.fmt(f),
                    Step::Fork(step) => step.fmt(f),
                    Step::Execute(step) => step.fmt(f),
                    $(Step::$name(step) => step.fmt(f),)*
                }
            }
        }

        impl Step {
            /// Does it, unless it changes who goes on: that is the loop's to do.
            pub(crate) fn run(&self, state: &mut State) -> Result<()> {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => Ok(()),
                    $(Step::$name(step) => apart(step, state),)*
                }
            }

            /// Tells what it would fail at, and follows where it leads.
            pub(crate) fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
                match self {
                    Step::Helper(_) => {}
                    Step::Fork(step) => step.predict(line, ahead),
                    Step::Execute(step) => step.predict(line, ahead),
                    $(Step::$name(step) => step.predict(line, ahead),)*
                }
            }

            /// Whether what --verbose tells of it is told while it is done.
            pub(crate) fn tells_itself(&self) -> bool {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => true,
                    $(Step::$name(_) => <$type as Do>::TELLS_ITSELF,)*
                }
            }
        }

        impl Step {
            /// Whether it makes us somebody else.
            pub(crate) fn changes_ids(&self) -> bool {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => false,
                    $(Step::$name(_) => <$type as Do>::CHANGES_IDS,)*
                }
            }
        }

        $(impl From<$type> for Step {
            fn from(step: $type) -> Step {
                Step::$name(step)
            }
        })*
    };
}

steps! {
    Advice(Advice),
    Become(Become),
    BindEtc(BindEtc),
    CheckTarget(CheckTarget),
    ClockOffset(ClockOffset),
    Directory(Directory),
    DropGroupsEarly(DropGroupsEarly),
    Enter(Enter),
    Environment(Variables),
    ExecLabel(Label),
    FindTarget(FindTarget),
    Gid(Gid),
    Groups(GroupList),
    HoldCapabilities(HoldCapabilities),
    Hostname(Hostname),
    JoinCgroup(JoinCgroup),
    KeepCapabilities(KeepCapabilities),
    Loopback(Loopback),
    MakePrivate(MakePrivate),
    MountBinfmt(MountBinfmt),
    MountProc(MountProc),
    MountSys(MountSys),
    Open(Source),
    OpenTarget(OpenTarget),
    OpenedDirectory(OpenedDirectory),
    OpenedRoot(OpenedRoot),
    Outside(Outside),
    PivotRoot(PivotRoot),
    Propagation(Propagation),
    Register(Register),
    Root(Root),
    Setgroups(Setgroups),
    Trial(Trial),
    Uid(Uid),
    Unshare(Unshare),
    WriteMap(WriteMap),
}

/// Does a step in a frame of its own: each has the stack that it needs, not that of the largest.
#[inline(never)]
fn apart<S: Do>(step: &S, state: &mut State) -> Result<()> {
    step.run(state)
}

/// Whatever has causes of its own, in the order of doing.
#[cfg(test)]
pub(crate) const ROWS: &[crate::failure::cause::Rows] = &[
    Become::ROWS,
    Unshare::ROWS,
    Setgroups::ROWS,
    map::Mapping::ROWS,
    outside::map_program::MapByProgram::ROWS,
    ClockOffset::ROWS,
    target::TargetProcess::ROWS,
    target::OtherProcess::ROWS,
    file::OpenFile::ROWS,
    enter::causes::Setns::ROWS,
    fork::NewProcess::ROWS,
    outside::bind::Bind::ROWS,
    Propagation::ROWS,
    root::ChangeRoot::ROWS,
    Directory::ROWS,
    mount::Mounting::ROWS,
    Register::ROWS,
    GroupList::ROWS,
    Gid::ROWS,
    Uid::ROWS,
    execute::Executed::ROWS,
];

#[cfg(test)]
mod tests;
