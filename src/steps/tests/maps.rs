//! Where the causes about ID maps begin and end, and how maps are written.

use libc::{EINVAL, ENOENT, ENOSPC, EPERM};

use super::finding;
use super::situations::*;
use crate::failure::{Case, Explain};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::model::{AppletName, Ids};
use crate::steps::map::{Mapping, write_file};

/// What the row of this name says of a failure.
fn said(step: &impl Explain, errno: i32, facts: &Facts<'_>, id: &str) -> Option<String> {
    let case = Case {
        errno,
        facts,
        applet: AppletName::Unshare,
    };
    finding(step, &case, id).map(|finding| finding.cause.cause)
}

fn outer_groups(text: &str) -> Mapping {
    Mapping {
        ids: Ids::Gid,
        ..outer_map(text)
    }
}

#[test]
fn one_id_of_one_s_own_takes_no_privilege() {
    let privilege =
        |mapping: Mapping| said(&mapping, EPERM, &ordinary(), "map-privilege").is_some();
    for text in ["0 1001 1\n", "0 1000 2\n", "0 1000 1\n1 100000 65536\n"] {
        assert!(privilege(outer_map(text)), "users {text}");
        assert!(privilege(outer_groups(text)), "groups {text}");
        // Inside, nobody is asked whether they have it outside.
        assert!(!privilege(own_map(Ids::Uid, text)), "{text}");
    }
    assert!(!privilege(outer_map("0 1000 1\n")));
    assert!(!privilege(outer_map("70 1000 1\n")));
    assert!(!privilege(outer_groups("0 1000 1\n")));
}

#[test]
fn user_0_of_the_parent_takes_a_capability_of_its_own() {
    let root = |mapping: Mapping, kernel: Option<(u32, u32)>| {
        let facts = Facts {
            kernel: kernel.into(),
            ..without(Capability::Setfcap, root())
        };
        said(&mapping, EPERM, &facts, "map-root").is_some()
    };
    let now = Some((6, 18));
    for text in ["0 0 1\n", "5 0 10\n", "0 1 10\n10 0 1\n"] {
        assert!(root(outer_map(text), now), "{text}");
        assert!(root(own_map(Ids::Uid, text), now), "{text}");
        assert!(!root(outer_groups(text), now), "{text}");
        assert!(root(outer_map(text), Some((5, 12))), "{text}");
        assert!(!root(outer_map(text), Some((5, 11))), "{text}");
        assert!(root(outer_map(text), None), "{text}");
    }
    // There is a user 0 inside, who is another outside.
    assert!(!root(outer_map("0 1 10\n"), now));
    assert!(!root(own_map(Ids::Uid, "0 1 10\n"), now));
}

#[test]
fn old_kernels_take_five_ranges() {
    let text = |count| (0..count).map(|n| format!("{n} {} 1\n", n * 2));
    let refused = |count, kernel| {
        let mapping = outer_map(&text(count).collect::<String>());
        let facts = Facts {
            kernel: known(kernel),
            ..root()
        };
        said(&mapping, EINVAL, &facts, "map-extents").is_some()
    };
    assert!(refused(6, (4, 14)));
    assert!(!refused(5, (4, 14)));
    assert!(!refused(6, (4, 15)));
}

#[test]
fn the_first_outer_id_that_the_parent_lacks() {
    let lacks = |text: &str, parent: &str| {
        let facts = Facts {
            uid_map: map(parent),
            ..root()
        };
        let said = said(&outer_map(text), EPERM, &facts, "map-unmapped")?;
        said.split(' ').nth(2)?.parse::<u32>().ok()
    };
    let parent = "10 1000 10\n20 3000 10\n40 5000 10\n";
    assert_eq!(lacks("0 10 20\n", parent), None);
    assert_eq!(lacks("0 10 1\n", parent), None);
    assert_eq!(lacks("0 49 1\n", parent), None);
    assert_eq!(lacks("0 9 1\n", parent), Some(9));
    assert_eq!(lacks("0 9 2\n", parent), Some(9));
    assert_eq!(lacks("0 50 1\n", parent), Some(50));
    // Both ends exist, and what is between does not.
    assert_eq!(lacks("0 25 20\n", parent), Some(30));
    assert_eq!(lacks("0 29 2\n", parent), Some(30));
    assert_eq!(lacks("0 12 3\n1 45 10\n", parent), Some(50));
}

#[test]
fn a_file_of_proc_is_written_once_or_the_line_says_what_failed() {
    let file = tempfile::NamedTempFile::new().expect("a file of ours");
    let step = || own_map(Ids::Uid, "0 1000 1\n");
    let path = file.path().to_str().expect("a path of letters");
    write_file(path, b"0 1000 1\n", step).expect("written");
    assert_eq!(std::fs::read(path).expect("our file"), b"0 1000 1\n");
    for (path, line, errno) in [
        ("/dev/full", "write failed /dev/full", ENOSPC),
        ("/no/such", "cannot open /no/such", ENOENT),
    ] {
        let failure = write_file(path, b"deny", step).expect_err(line);
        assert_eq!(failure.line, *line);
        assert_eq!(failure.error.map(|error| error.raw()), Some(errno));
        assert_eq!(failure.step.word(), "map");
    }
}
