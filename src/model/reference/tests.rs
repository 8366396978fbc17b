use super::*;

fn wanted(text: &str) -> Result<Wanted, String> {
    parse_wanted(OsStr::new(text))
}

#[test]
fn each_form_is_understood() {
    let cases = [
        (
            "1234",
            Reference::Process {
                pid: 1234,
                inode: None,
            },
        ),
        (
            "pid:1234",
            Reference::Process {
                pid: 1234,
                inode: None,
            },
        ),
        (
            "pid:1234:99",
            Reference::Process {
                pid: 1234,
                inode: Some(99),
            },
        ),
        ("/run/netns/blue", Reference::File("/run/netns/blue".into())),
        ("./a=b:c", Reference::File("./a=b:c".into())),
        ("netns:blue", Reference::Netns("blue".into())),
        ("fd:5", Reference::Descriptor(5)),
        (
            "net:[4026531840]",
            Reference::Link {
                kind: Kind::Net,
                inode: 4_026_531_840,
            },
        ),
        (
            "pid:[4026531836]",
            Reference::Link {
                kind: Kind::Pid,
                inode: 4_026_531_836,
            },
        ),
        (
            "cgroup:[4026531835]",
            Reference::Link {
                kind: Kind::Cgroup,
                inode: 4_026_531_835,
            },
        ),
        ("cgroup:/a b:c", Reference::Cgroup("/a b:c".into())),
        ("id:12345", Reference::Id(12345)),
        (
            "sock:12:3",
            Reference::Socket {
                of: Box::new(Reference::process(12)),
                fd: 3,
            },
        ),
        ("machine:web", Reference::Machine("web".into())),
        ("unit:web", Reference::Unit("web.service".into())),
        ("unit:a.b@c", Reference::Unit("a.b@c.service".into())),
        ("unit:run-1.scope", Reference::Unit("run-1.scope".into())),
        ("oci:3f2a", Reference::Oci("3f2a".into())),
        (
            "pidfile:/run/x.pid",
            Reference::Pidfile("/run/x.pid".into()),
        ),
        ("self", Reference::Own),
        ("all", Reference::All),
        (
            "owner:parent:fd:3",
            Reference::Owner(Box::new(Reference::Parent(Box::new(
                Reference::Descriptor(3),
            )))),
        ),
    ];
    for (text, reference) in cases {
        let expected = Wanted {
            which: Which::Natural,
            reference,
        };
        assert_eq!(wanted(text), Ok(expected), "{text}");
    }
}

#[test]
fn processes_are_told_from_numbers_and_namespaces() {
    let read = |text: &str| parse_process(OsStr::new(text));
    for text in ["1234", "1234:5", "", "x", "blue", "0x1", "a:b", " 7", "-1"] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(read("pid:7"), Some(Ok(Reference::process(7))));
    assert_eq!(read("self"), Some(Ok(Reference::Own)));
    for text in [
        "oci:a",
        "unit:a",
        "machine:a",
        "pidfile:a",
        "cgroup:a",
        "fd:3",
    ] {
        assert!(matches!(read(text), Some(Ok(_))), "{text}");
    }
    for text in [
        "netns:a",
        "/proc/1/ns/net",
        "all",
        "net:[7]",
        "id:7",
        "sock:1:2",
        "owner:pid:7",
    ] {
        let why = read(text).expect("a reference").expect_err(text);
        assert!(why.contains("names no process"), "{why}");
    }
    let why = read("oci:a/b").expect("a reference").expect_err("no name");
    assert!(why.contains("has no /"), "{why}");
}

#[test]
fn a_bare_name_may_mean_a_network() {
    let meant = |text| netns_meant(OsStr::new(text));
    for (text, reference) in [
        ("blue", "netns:blue"),
        ("net:blue", "netns:blue"),
        ("net=blue", "net=netns:blue"),
        ("net+uts=net:blue", "net+uts=netns:blue"),
        ("owner:parent:net:blue", "owner:parent:netns:blue"),
    ] {
        assert_eq!(
            meant(text),
            Some(("blue".as_ref(), reference.into())),
            "{text}"
        );
    }
    for text in ["", "net:", "net:..", "a/b", "net:a/b"] {
        assert_eq!(meant(text), None, "{text}");
    }
}

#[test]
fn relatives_nest_as_deep_as_namespaces_do_and_no_deeper() {
    let nested = |depth: usize| wanted(&format!("user={}self", "parent:".repeat(depth)));
    let mut reference = nested(64).expect("64 deep").reference;
    for _ in 0..64 {
        reference = match reference {
            Reference::Parent(inner) => *inner,
            other => panic!("{other}"),
        };
    }
    assert_eq!(reference, Reference::Own);
    for depth in [65, 1_000_000] {
        let why = nested(depth).expect_err("too deep");
        assert_eq!(why, "parent: and owner: nest 64 deep at most");
    }
}

#[test]
fn kinds_stand_in_front() {
    let kinds = [Kind::Net, Kind::Mnt].into_iter().collect();
    let reference = Reference::Process {
        pid: 7,
        inode: None,
    };
    assert_eq!(
        wanted("net+mnt=7"),
        Ok(Wanted {
            which: Which::These(kinds),
            reference
        })
    );
    assert_eq!(
        wanted("mount=/x").map(|wanted| wanted.which),
        Ok(Which::These(Kinds::NONE.with(Kind::Mnt)))
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (text, part) in [
        ("", "names no namespace"),
        ("blue", "names no namespace"),
        ("frob:3", "names no namespace"),
        ("nett=3", "'nett' is not a kind"),
        ("=3", "'' is not a kind"),
        ("net=", "names no namespace"),
        ("12x", "is no PID"),
        ("pid:0", "0 is no PID"),
        ("pid:99999999999", "is no PID"),
        ("fd:x", "is no descriptor"),
        ("sock:1", "is no descriptor"),
        ("netns:", "a name is missing"),
        ("netns:../x", "has no /"),
        ("netns:..", "neither . nor .."),
        ("machine:", "a name is missing"),
        ("machine:a/b", "a name of a machine has no /"),
        (
            "oci:.",
            "an ID of a container has no / and is neither . nor ..",
        ),
        ("oci:", "a name is missing"),
        ("unit:/", "a name of a unit has no /"),
        ("unit:a.slice", "has no process of its own"),
        ("net:[x]", "names no namespace"),
        ("parent:pid=1", "the kind comes first: pid=parent:1"),
        (
            "owner:parent:user=fd:3",
            "the kind comes first: user=owner:parent:fd:3",
        ),
        ("owner:net=7", "it is owner:/proc/PID/ns/net"),
        ("parent:frob", "'frob' names no namespace"),
    ] {
        let why = wanted(text).expect_err(text);
        assert!(why.contains(part), "{text}: {why}");
        assert_eq!(why.lines().count(), 1);
    }
}
