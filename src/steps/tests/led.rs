//! Where steps lead those after them: in a rehearsal, and in what is handed on when they are done.

use std::ffi::OsStr;

use super::situations::id_map;
use crate::host::facts::Facts;
use crate::model::value::Setgroups;
use crate::model::{AppletName, Ids, Kind, Kinds};
use crate::steps::ahead::{Ahead, EnvironmentAhead};
use crate::steps::map::{Mapping, WriteMap};
use crate::steps::{Do, Gid, GroupList, NewId, State, Step, Uid, Variables};
use crate::sys;

fn ahead() -> Ahead<'static> {
    Ahead::new(AppletName::Unshare, &[])
}

/// In a new user namespace.
fn inside() -> Ahead<'static> {
    let mut ahead = ahead();
    ahead.made = Kinds::NONE.with(Kind::User);
    ahead
}

fn variables(names: &[&str]) -> Variables {
    Variables::Only(names.iter().map(Into::into).collect())
}

/// Goes these steps.
fn follow<'a>(steps: &'a [Step], ahead: &mut Ahead<'a>) {
    for step in steps {
        step.predict(&step.to_string(), ahead);
    }
}

/// The lines and errors that have been told of.
fn told<'a>(ahead: &'a Ahead<'_>) -> Vec<(&'a str, Option<i32>)> {
    let told = ahead.foretold.iter();
    told.map(|one| (one.line.as_str(), one.error.map(sys::Error::raw)))
        .collect()
}

#[test]
fn what_a_new_user_namespace_is_given() {
    let (uids, gids) = (id_map("0 1000 1\n"), id_map("0 100 1\n"));
    let users = WriteMap {
        ids: Ids::Uid,
        map: uids.clone(),
    };
    let mut ahead = inside();
    Setgroups::Deny.predict("setgroups", &mut ahead);
    users.predict("users", &mut ahead);
    Mapping::predict("groups", Ids::Gid, &gids, &mut ahead);
    let mut facts = Facts::default();
    ahead.as_inside()(&mut facts);
    assert_eq!(facts.uid_map(), Some(&uids));
    assert_eq!(facts.gid_map(), Some(&gids));
    assert_eq!(facts.setgroups(), Some(Setgroups::Deny));
    // What is allowed stays what it is outside.
    let mut ahead = inside();
    Setgroups::Allow.predict("setgroups", &mut ahead);
    let mut facts = Facts::default();
    ahead.as_inside()(&mut facts);
    assert_eq!(facts.setgroups(), None);
}

#[test]
fn users_and_groups_that_a_new_user_namespace_lacks() {
    let (uids, gids) = (id_map("0 1000 1\n"), id_map("0 100 1\n5 105 1\n"));
    let mut ahead = inside();
    ahead.has_map(Ids::Uid, &uids);
    ahead.has_map(Ids::Gid, &gids);
    let mut steps: Vec<Step> = Vec::new();
    for id in [0, 5, 6] {
        steps.push(Uid(NewId::Given(id)).into());
        steps.push(Gid(NewId::Given(id)).into());
    }
    // Who that is turns out only then.
    steps.push(Uid(NewId::Follow).into());
    steps.push(Gid(NewId::RootIfUserEntered).into());
    follow(&steps, &mut ahead);
    let invalid = Some(libc::EINVAL);
    assert_eq!(
        told(&ahead),
        [
            ("setuid 5", invalid),
            ("setuid 6", invalid),
            ("setgid 6", invalid)
        ]
    );
}

#[test]
fn groups_that_a_new_user_namespace_denies() {
    let gids = id_map("0 100 1\n");
    let mut ahead = inside();
    ahead.has_map(Ids::Gid, &gids);
    let steps: [Step; 4] = [
        Setgroups::Deny.into(),
        GroupList::Dropped.into(),
        GroupList::Given(vec![0]).into(),
        GroupList::Follow.into(),
    ];
    follow(&steps, &mut ahead);
    let denied = Some(libc::EPERM);
    assert_eq!(
        told(&ahead),
        [
            ("drop the supplementary groups", denied),
            ("setgroups 0", denied)
        ]
    );
}

/// After somebody else's user namespace, or as somebody else, our privilege is not known.
#[test]
fn where_privilege_is_not_known_nothing_is_foretold() {
    let (uids, gids) = (id_map("0 1000 1\n"), id_map("0 100 1\n"));
    let steps: [Step; 2] = [Uid(NewId::Given(5)).into(), GroupList::Dropped.into()];
    let mut entered = ahead();
    entered.entered = Kinds::NONE.with(Kind::User);
    let mut other = ahead();
    other.owner = Some((1000, 1000));
    for mut ahead in [entered, other] {
        ahead.has_map(Ids::Uid, &uids);
        ahead.has_map(Ids::Gid, &gids);
        follow(&steps, &mut ahead);
        assert_eq!(told(&ahead), []);
    }
}

#[test]
fn what_is_left_of_the_environment() {
    let led = |variables: &Variables| {
        let mut ahead = ahead();
        variables.predict("environment", &mut ahead);
        ahead.environment
    };
    let fewer = |has_path| EnvironmentAhead::Fewer { has_path };
    assert!(led(&Variables::Empty) == fewer(false));
    assert!(led(&variables(&["HOME", "PATH"])) == fewer(true));
    assert!(led(&variables(&["HOME", "PATHS"])) == fewer(false));
    assert!(led(&Variables::Target) == EnvironmentAhead::Unknown);

    let (other, _) = std::env::vars_os()
        .find(|(name, _)| name != "PATH")
        .expect("another variable");
    let other = other.to_str().expect("a plain name");
    let done = |variables: &Variables| {
        let mut state = State::default();
        state.opened.environment = vec![c"PATH=/target".into()];
        variables.run(&mut state).expect("done");
        let kept = state.environment.expect("one of its own");
        let path = kept.variable("PATH").map(OsStr::to_owned);
        (path, kept.variable(other).is_some())
    };
    let ours = sys::variable("PATH").expect("a PATH").to_owned();
    assert_eq!(done(&Variables::Empty), (None, false));
    assert_eq!(done(&variables(&["PATH"])), (Some(ours), false));
    assert_eq!(done(&variables(&[other])), (None, true));
    assert_eq!(done(&variables(&["PAT", "NO SUCH"])), (None, false));
    assert_eq!(done(&Variables::Target), (Some("/target".into()), false));
}
