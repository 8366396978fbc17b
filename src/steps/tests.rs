//! The rules over recorded facts: each row once at least, with all that it says in a file to be read.

mod hints;
mod led;
mod maps;
mod recorded;
mod situations;

use std::collections::BTreeSet;
use std::path::Path;

use crate::failure::cause::{Cause, Rule, causes, is_one_of, proved};
use crate::failure::{Case, Explain, Finding};
use crate::host::bounds::Processes;
use crate::host::facts::Facts;
use crate::host::procfs::ProcAccess;
use crate::host::target::Pidfds;
use crate::model::{AppletName, Ids, Kind, Kinds};
use crate::steps::fork::NewProcess;
use crate::steps::target::TargetProcess;
use crate::steps::unshare::probed;
use crate::sys::Error;
use recorded::{Recorded, recorded};
use situations::{error, inside, known, map, ordinary, own_map, root, unshare};

/// What is said of each recorded failure, as people see it.
const SAID: &str = "src/steps/tests/said.txt";

fn rules() -> impl Iterator<Item = &'static Rule> {
    crate::steps::ROWS.iter().flat_map(|rows| rows.rules)
}

/// What the row of this name finds.
fn finding(step: &dyn Explain, case: &Case<'_>, id: &str) -> Option<Finding> {
    let mut found = Vec::new();
    step.find(case, &mut found);
    found.into_iter().find(|finding| finding.id == id)
}

#[test]
fn every_row_has_been_recorded_and_has_a_name_of_its_own() {
    let names: Vec<_> = rules().map(|rule| rule.id).collect();
    let unique: BTreeSet<_> = names.iter().copied().collect();
    assert_eq!(names.len(), unique.len());
    let seen: BTreeSet<_> = recorded().iter().map(|one| one.id).collect();
    assert_eq!(seen, unique);
}

#[test]
fn each_recorded_failure_is_told_by_its_row() {
    for one in recorded() {
        let case = one.case();
        let rule = rules().find(|rule| rule.id == one.id).expect(one.id);
        assert!(
            is_one_of(one.errno, rule.errors),
            "{}: {}",
            one.id,
            one.errno
        );
        let finding = finding(&*one.step, &case, one.id);
        let cause = finding
            .unwrap_or_else(|| panic!("{} finds nothing", one.id))
            .cause;
        let causes = causes(&*one.step, &case);
        assert!(causes.contains(&cause), "{}: {causes:?}", one.id);
    }
}

/// The lines about a failure of this applet.
fn said(one: &Recorded, applet: AppletName) -> String {
    let mut text = String::new();
    for Cause { cause, hint } in causes(&*one.step, &one.case_of(applet)) {
        assert!(!cause.is_empty() && !hint.is_empty(), "{}", one.id);
        assert!(
            !cause.contains("  ") && !hint.contains("  "),
            "{}: {cause}; {hint}",
            one.id
        );
        assert!(!cause.contains('\n') && !hint.contains('\n'), "{}", one.id);
        assert!(!cause.ends_with('.') && !hint.ends_with('.'), "{}", one.id);
        text.push_str(&format!("  cause: {cause}\n  hint: {hint}\n"));
    }
    text
}

#[test]
fn what_is_said() {
    let mut text = String::new();
    for one in recorded() {
        let error = match one.errno {
            0 => "-".to_owned(),
            number => format!("{:?}", Error::from_raw(number)),
        };
        // Those that say the same, together.
        let mut sayings: Vec<(Vec<&str>, String)> = Vec::new();
        for applet in one.applets() {
            let said = said(&one, applet);
            match sayings.iter_mut().find(|(_, other)| *other == said) {
                Some((names, _)) => names.push(applet.as_str()),
                None => sayings.push((vec![applet.as_str()], said)),
            }
        }
        let is_one = sayings.len() == 1;
        for (names, said) in sayings {
            let names = if is_one {
                String::new()
            } else {
                format!(" ({})", names.join(", "))
            };
            text.push_str(&format!("{} {error}{names}\n{said}", one.id));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAID);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).expect(SAID);
    }
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = is.lines().zip(text.lines()).find(|(is, said)| is != said);
    assert!(
        is == text,
        "{SAID} differs, first in {differs:?}; UPDATE_DOCS=1 cargo test said rewrites it"
    );
}

/// Each step with the facts and the errors of every other: no row panics, or speaks of an error that is not its own, and
/// none is certain of what it was told with nothing at hand but another's facts.
#[test]
fn facts_of_another_failure() {
    let all = recorded();
    for step in &all {
        for facts in &all {
            for errno in [step.errno, facts.errno] {
                let case = Case {
                    errno,
                    facts: &facts.facts,
                    applet: AppletName::default(),
                };
                let mut found = Vec::new();
                step.step.find(&case, &mut found);
                for Finding { cause, id, .. } in found {
                    let rule = rules().find(|rule| rule.id == id).expect(id);
                    assert!(is_one_of(errno, rule.errors), "{id}: {errno}");
                    let texts = [&cause.cause, &cause.hint];
                    assert!(
                        texts.iter().all(|text| !text.contains('\n')),
                        "{id}: {cause:?}"
                    );
                    assert!(!cause.cause.is_empty(), "{id}");
                }
            }
        }
    }
}

/// A row is certain of nothing that was not seen.
#[test]
fn unknown_facts_prove_nothing() {
    // Here the error alone says it, or the stage does.
    let by_itself = [
        "mount-busy",
        "mount-unknown-type",
        "exec-too-big",
        "exec-loop",
        "map-extents",
        "target-other",
        "binfmt-registered",
        "setns-kind",
    ];
    for one in recorded() {
        let facts = Facts::default();
        let case = Case {
            facts: &facts,
            ..one.case()
        };
        let found = finding(&*one.step, &case, one.id);
        let is_proved = found.is_some_and(|finding| finding.is_proved);
        assert!(!is_proved || by_itself.contains(&one.id), "{}", one.id);
    }
}

/// What is only possible is not said beside what is proved.
#[test]
fn what_is_proved_comes_alone() {
    let possible = Facts {
        uid_map: map(""),
        ..inside()
    };
    let proved = Facts {
        label: known("unprivileged_userns (enforce)".into()),
        ..possible.clone()
    };
    let step = own_map(Ids::Uid, "0 0 1\n");
    let said = |facts: &Facts<'static>| {
        let errno = libc::EPERM;
        let applet = AppletName::Unshare;
        causes(
            &step,
            &Case {
                errno,
                facts,
                applet,
            },
        )
    };
    let [one] = &said(&possible)[..] else {
        panic!("{:?}", said(&possible));
    };
    assert!(one.cause.starts_with("either CAP_SETFCAP"), "{one:?}");
    let [one] = &said(&proved)[..] else {
        panic!("{:?}", said(&proved));
    };
    assert!(one.cause.contains("AppArmor profile"), "{one:?}");
}

#[test]
fn of_two_causes_both_are_named() {
    // A container's filter, and a sysctl: either alone would refuse.
    let facts = Facts {
        seccomp: known(2),
        unshare_probe: error(libc::EPERM).into(),
        userns_clone: known(0),
        ..ordinary()
    };
    let case = Case {
        applet: AppletName::Unshare,
        errno: libc::EPERM,
        facts: &facts,
    };
    let found = causes(&unshare(&[Kind::User]), &case);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].cause.contains("seccomp"));
    assert!(
        found[1]
            .cause
            .contains("kernel.unprivileged_userns_clone is 0")
    );
}

#[test]
fn where_nothing_fits_nothing_is_named() {
    let case = Case {
        applet: AppletName::Unshare,
        errno: libc::EPERM,
        facts: &root(),
    };
    assert_eq!(causes(&unshare(&[Kind::Net]), &case), []);
    assert_eq!(
        case.facts.looked_at(),
        "user 0, CapEff 000001ffffffffff, Seccomp 0, NoNewPrivs 0, the ID maps"
    );
}

/// What a sysctl refuses before the kernel looks at the flags is not asked for by the probe.
#[test]
fn a_sysctl_is_not_taken_for_a_filter() {
    let all = Kinds::ALL;
    let facts = |seccomp, userns_clone| Facts {
        seccomp: known(seccomp),
        userns_clone,
        ..ordinary()
    };
    let others = all.without(Kind::User);
    assert_eq!(probed(all, &facts(0, known(0))), others);
    assert_eq!(probed(all, &facts(0, known(1))), others);
    assert_eq!(probed(all, &facts(0, None.into())), others);
    assert_eq!(probed(all, &facts(2, known(0))), others);
    assert_eq!(probed(all, &facts(2, known(1))), all);
    // No such sysctl; and none that can be seen.
    assert_eq!(probed(all, &facts(2, None.into())), all);
    let unseen = Facts {
        proc_access: known(ProcAccess::Missing),
        ..facts(2, None.into())
    };
    assert_eq!(probed(all, &unseen), others);
}

#[test]
fn a_chroot_is_never_eacces() {
    for one in recorded() {
        if one.errno == libc::EACCES {
            let causes = causes(&*one.step, &one.case());
            assert!(
                causes.iter().all(|cause| !cause.cause.contains("chroot")),
                "{}",
                one.id
            );
        }
    }
}

#[test]
fn a_filter_that_lets_the_call_pass_is_not_blamed() {
    let facts = Facts {
        seccomp: known(2),
        unshare_probe: error(libc::EINVAL).into(),
        root_is_mount: known(false),
        ..root()
    };
    let case = Case {
        applet: AppletName::Unshare,
        errno: libc::EPERM,
        facts: &facts,
    };
    let found = causes(&unshare(&[Kind::User]), &case);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].cause.contains("chroot"));
}

/// With CAP_SYS_PTRACE the kernel does not ask who a process belongs to, so that is no reason then.
#[test]
fn who_may_trace_is_not_told_of_other_users() {
    let mut tried = 0;
    for one in recorded() {
        let traced = |facts: &Facts<'static>| {
            let case = Case {
                facts,
                ..one.case()
            };
            finding(&*one.step, &case, one.id).is_some_and(|finding| finding.is_proved)
        };
        if !matches!(one.id, "open-traced" | "setns-traced") || !traced(&one.facts) {
            continue;
        }
        tried += 1;
        let with = |bit: u64| Facts {
            capabilities: one.facts.capabilities().map(|set| set | bit).into(),
            ..one.facts.clone()
        };
        assert!(!traced(&with(1 << 19)), "CAP_SYS_PTRACE: {}", one.id);
        assert!(traced(&with(1 << 18 | 1 << 20)), "others: {}", one.id);
    }
    assert_eq!(tried, 4);
}

/// Only pidfds that are known to be alike, or missing, prove that an inode tells nothing.
#[test]
fn pidfds_with_inodes_of_their_own_are_not_blamed() {
    let facts = Facts {
        pidfds: known(Pidfds::Distinct),
        ..root()
    };
    let case = Case {
        applet: AppletName::Unshare,
        errno: libc::EOPNOTSUPP,
        facts: &facts,
    };
    assert_eq!(causes(&TargetProcess(77), &case), []);
}

#[test]
fn root_is_not_told_of_limits_that_do_not_bind_it() {
    let facts = Facts {
        processes: known(Processes {
            limit: Some(1),
            ours: Some(100),
            ..Processes::default()
        }),
        ..root()
    };
    let case = Case {
        applet: AppletName::Unshare,
        errno: libc::EAGAIN,
        facts: &facts,
    };
    assert_eq!(finding(&NewProcess, &case, "fork-processes"), None);
}

/// That a security module refused something shows only once it has: a profile alone foretells nothing.
#[test]
fn what_takes_an_error_to_prove_is_not_foretold() {
    let mut tried = BTreeSet::new();
    for one in recorded() {
        let case = one.case();
        let found = finding(&*one.step, &case, one.id);
        if found.is_none_or(|finding| !finding.is_by_error) {
            continue;
        }
        tried.insert(one.id);
        assert_eq!(proved(&*one.step, &case), [], "{}", one.id);
    }
    assert!(tried.len() >= 10, "{tried:?}");
}
