//! The rules of reading, one by one.

mod wild;

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;

use super::super::table::Table;
use super::super::{Declared, Parsed, Reading, UsageError, read};
use super::Reader;
use crate::applets::{nsenter, setns, unshare};

/// Reads `argv`; the options one after the other as `--name`, `--name=value`, then the first
/// operand's index.
fn met<T: Declared>(argv: &[&[u8]]) -> Result<(String, usize), String> {
    let owned: Vec<_> = argv
        .iter()
        .map(|word| CString::new(*word).expect("no NUL"))
        .collect();
    let argv: Vec<&CStr> = owned.iter().map(CString::as_c_str).collect();
    let mut reader = Reader::new(Table::of::<T>(), &argv);
    let mut all = Vec::new();
    loop {
        match reader.next_option() {
            Ok(Some(met)) => all.push(match met.value {
                Some(value) => format!("{}={}", met.row.spelling(), value.escape_ascii()),
                None => met.row.spelling().to_owned(),
            }),
            Ok(None) => return Ok((all.join(" "), reader.first_operand())),
            Err(error) => {
                let UsageError(line) = error.into();
                let line = line.as_bytes().escape_ascii().to_string();
                return Err(line.replace(r"\'", "'"));
            }
        }
    }
}

/// The same for a line of words without blanks in them, with operands instead of their index.
fn words<T: Declared>(line: &str) -> Result<(String, String), String> {
    let argv: Vec<_> = line.split(' ').collect();
    let bytes: Vec<_> = argv.iter().map(|word| word.as_bytes()).collect();
    met::<T>(&bytes).map(|(options, first)| (options, argv[first..].join(" ")))
}

fn all_of<T: Declared>(argv: &[&CStr]) -> Parsed<T> {
    match read::<T>(argv) {
        Ok(Reading::Options(parsed)) => parsed,
        Ok(Reading::Text(_)) => panic!("{argv:?} is no call for help"),
        Err(usage) => panic!("{argv:?}: {usage:?}"),
    }
}

#[track_caller]
fn unshare(line: &str, options: &str, operands: &str) {
    let expected = Ok((options.to_owned(), operands.to_owned()));
    assert_eq!(words::<unshare::Options>(line), expected, "{line}");
}

#[track_caller]
fn nsenter(line: &str, options: &str, operands: &str) {
    let expected = Ok((options.to_owned(), operands.to_owned()));
    assert_eq!(words::<nsenter::Options>(line), expected, "{line}");
}

#[track_caller]
fn refused(line: &str, sentence: &str) {
    let expected = Err(sentence.to_owned());
    assert_eq!(words::<unshare::Options>(line), expected, "{line}");
}

#[test]
fn options_end_at_the_first_operand() {
    unshare("unshare -r ls -r --help", "--map-root-user", "ls -r --help");
    unshare("unshare - -r", "", "- -r");
    unshare("unshare", "", "");
    unshare("unshare  -r", "", " -r");
}

#[test]
fn options_end_behind_two_dashes() {
    unshare("unshare -r -- -m", "--map-root-user", "-m");
    unshare("unshare -- --", "", "--");
    unshare("unshare -r --", "--map-root-user", "");
}

#[test]
fn an_empty_argv_has_no_options() {
    assert_eq!(met::<unshare::Options>(&[]), Ok((String::new(), 0)));
}

#[test]
fn any_bytes_pass() {
    let argv: [&[u8]; 3] = [b"unshare", b"--mount=/\xff", b"\xfe"];
    let expected = (r"--mount=/\xff".to_owned(), 2);
    assert_eq!(met::<unshare::Options>(&argv), Ok(expected));

    let parsed = all_of::<unshare::Options>(&[c"unshare", c"--mount=/\xff", c"-R/\xfe\u{10FFFF}"]);
    let file = parsed.options.mount[0].0.as_deref().map(OsStrExt::as_bytes);
    assert_eq!(file, Some(&b"/\xff"[..]));
    let root = parsed.options.root.as_ref().expect("it was given");
    assert_eq!(root.0.as_bytes(), b"/\xfe\xf4\x8f\xbf\xbf");
}

#[test]
fn short_options_cluster() {
    unshare("unshare -Urpf", "--user --map-root-user --pid --fork", "");
    unshare("unshare -rmR/x", "--map-root-user --mount --root=/x", "");
    unshare("unshare -S0", "--setuid=0", "");
    nsenter("nsenter -t123", "--target=123", "");
    nsenter("nsenter -t 123", "--target=123", "");
    nsenter("nsenter -t=5", "--target==5", "");
    nsenter("nsenter -at1", "--all --target=1", "");
    nsenter("nsenter -at 1", "--all --target=1", "");
    nsenter("nsenter -t -a", "--target=-a", "");
}

#[test]
fn a_required_value_is_attached_or_the_next_word() {
    unshare("unshare --root=/x", "--root=/x", "");
    unshare("unshare --root /x", "--root=/x", "");
    unshare("unshare --root --fork sh", "--root=--fork", "sh");
    unshare("unshare --root -- sh", "--root=--", "sh");
    unshare("unshare --root=", "--root=", "");
    unshare("unshare --root=a=b", "--root=a=b", "");
}

#[test]
fn an_optional_value_is_attached() {
    unshare("unshare --mount=/x", "--mount=/x", "");
    unshare("unshare --mount /x", "--mount", "/x");
    unshare("unshare --mount=", "--mount=", "");
    unshare("unshare --mount==x", "--mount==x", "");
    unshare("unshare -mu", "--mount --uts", "");
    nsenter("nsenter -mu", "--mount=u", "");
    nsenter("nsenter -m u", "--mount", "u");
    nsenter("nsenter -n/run/netns/x", "--net=/run/netns/x", "");
    nsenter("nsenter -n=/run/netns/x", "--net=/run/netns/x", "");
    nsenter("nsenter -n==x", "--net==x", "");
    nsenter("nsenter -n=", "--net=", "");
    nsenter("nsenter --net==x", "--net==x", "");
    nsenter(
        "nsenter -r=/x -w=/y -W=/z",
        "--root=/x --wd=/y --wdns=/z",
        "",
    );
}

#[test]
fn no_value_an_empty_one_and_one_reach_the_applet_as_three_things() {
    let argv = [c"unshare", c"--mount", c"--mount=", c"--mount=/x"];
    let parsed = all_of::<unshare::Options>(&argv);
    let files: Vec<_> = parsed
        .options
        .mount
        .iter()
        .map(|file| file.0.clone())
        .collect();
    assert_eq!(files, [None, Some("".into()), Some("/x".into())]);
}

#[test]
fn a_long_option_may_be_cut() {
    unshare("unshare --map-root", "--map-root-user", "");
    unshare("unshare --mount-p", "--mount-proc", "");
    unshare("unshare --mount-p=/x", "--mount-proc=/x", "");
    unshare("unshare --fork", "--fork", "");
    unshare(
        "unshare --map-user 1 --map-users all",
        "--map-user=1 --map-users=all",
        "",
    );
}

#[test]
fn an_option_of_ours_takes_no_abbreviation_away() {
    // Beside --pidfile, --loopback, --hostname and --groups.
    unshare("unshare --pi", "--pid", "");
    unshare("unshare --loa :x", "--load-interp=:x", "");
    unshare("unshare --h", "--help", "");
    unshare("unshare --ho x", "--hostname=x", "");
    unshare("unshare --pidf x", "--pidfile=x", "");
    nsenter("nsenter --follow", "--follow-context", "");
    nsenter("nsenter --follow-a", "--follow-apparmor", "");
    let ambiguous = "option '--s' is ambiguous; possibilities: '--same' '--show' '--setuid' '--setgid' '--status-fd'";
    assert_eq!(
        words::<setns::Options>("setns --s"),
        Err(ambiguous.to_owned())
    );
}

#[test]
fn repeats() {
    let argv = [
        c"unshare",
        c"-r",
        c"-Rx",
        c"--root",
        c"y",
        c"-r",
        c"--map-users=1:1:1",
        c"--map-users=2:2:2",
        c"-c",
        c"--map-user=3",
    ];
    let parsed = all_of::<unshare::Options>(&argv);
    assert!(parsed.options.map_root_user);
    assert_eq!(
        parsed.options.root.as_ref().map(|root| &root.0),
        Some(&"y".into())
    );
    assert_eq!(parsed.options.map_users.len(), 2);
    assert_eq!(
        parsed.last_of(&["map-user", "map-root-user", "map-current-user"]),
        Some("map-user")
    );
    assert_eq!(
        parsed.last_of(&["map-group", "map-root-user", "map-current-user"]),
        Some("map-current-user")
    );
    assert_eq!(parsed.last_of(&["fork"]), None);
    assert_eq!(parsed.first_operand, argv.len());

    let parsed = all_of::<nsenter::Options>(&[c"nsenter", c"--user-parent", c"--user-p"]);
    assert_eq!(parsed.options.user_parent, 2);
}

#[test]
fn help_and_version_act_when_they_are_met() {
    let help = |argv: &[&CStr]| {
        matches!(
            read::<unshare::Options>(argv),
            Ok(Reading::Text(unshare::Options::HELP))
        )
    };
    assert!(help(&[c"unshare", c"-h", c"--nonsense"]));
    assert!(help(&[c"unshare", c"-rh", c"-V"]));
    assert!(help(&[c"unshare", c"-hx"]));
    assert!(help(&[c"unshare", c"--hel"]));
    assert!(!help(&[c"unshare", c"-xh"]));
    assert!(!help(&[c"unshare", c"help"]));
    assert!(!help(&[c"unshare", c"--root", c"--help"]));
    assert!(!help(&[c"unshare", c"--root", c"help"]));
    assert!(!help(&[c"unshare", c"ls", c"--help"]));
    let Ok(Reading::Text(line)) = read::<unshare::Options>(&[c"unshare", c"-V", c"-h"]) else {
        panic!("no version");
    };
    assert_eq!(
        line,
        format!("unshare (nskit) {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn mistakes() {
    refused("unshare --bogus", "unrecognized option '--bogus'");
    refused("unshare --bogus=1", "unrecognized option '--bogus=1'");
    refused("unshare ---", "unrecognized option '---'");
    refused("unshare -rx", "invalid option -- 'x'");
    refused("unshare -f=", "invalid option -- '='");
    refused("unshare -r-m", "invalid option -- '-'");
    refused(
        "unshare --m",
        "option '--m' is ambiguous; possibilities: '--mount' '--map-user' '--map-users' \
         '--map-group' '--map-groups' '--map-root-user' '--map-current-user' '--map-auto' \
         '--map-subids' '--monotonic' '--mount-proc' '--mount-binfmt'",
    );
    refused(
        "unshare --map-u=1",
        "option '--map-u=1' is ambiguous; possibilities: '--map-user' '--map-users'",
    );
    refused("unshare --root", "option '--root' requires an argument");
    refused("unshare --roo", "option '--root' requires an argument");
    refused("unshare -rR", "option requires an argument -- 'R'");
    refused(
        "unshare --fork=1",
        "option '--fork' doesn't allow an argument",
    );
    refused(
        "unshare --for=",
        "option '--for=' is ambiguous; possibilities: '--fork' '--forward-signals'",
    );
    refused(
        "unshare --map-c=",
        "option '--map-current-user' doesn't allow an argument",
    );
}

#[test]
fn mistakes_repeat_the_bytes_they_are_about() {
    let argv: [&[u8]; 2] = [b"unshare", b"--\xff"];
    let expected = r"unrecognized option '--\xff'".to_owned();
    assert_eq!(met::<unshare::Options>(&argv), Err(expected));
    let argv: [&[u8]; 2] = [b"unshare", "-ä".as_bytes()];
    let expected = r"invalid option -- '\xc3'".to_owned();
    assert_eq!(met::<unshare::Options>(&argv), Err(expected));
}

#[test]
fn a_close_miss_gets_a_suggestion() {
    refused(
        "unshare --mount-prc",
        "unrecognized option '--mount-prc'; did you mean '--mount-proc'?",
    );
    refused(
        "unshare --mout=/x",
        "unrecognized option '--mout=/x'; did you mean '--mount'?",
    );
    refused(
        "unshare --frok",
        "unrecognized option '--frok'; did you mean '--fork'?",
    );
    for (words, meant) in [
        ("unshare --chroot", "--root"),
        ("unshare --uid", "--setuid"),
        ("nsenter --uid", "--setuid"),
        ("nsenter --gid", "--setgid"),
        ("nsenter --netns", "--net"),
        ("nsenter --user-ns", "--user"),
        ("nsenter --rootfs", "--root"),
    ] {
        let (_, word) = words.split_once(' ').unwrap();
        let line = format!("unrecognized option '{word}'; did you mean '{meant}'?");
        let said = match words.starts_with("unshare") {
            true => self::words::<unshare::Options>(words),
            false => self::words::<nsenter::Options>(words),
        };
        assert_eq!(said, Err(line));
    }
    let said = words::<nsenter::Options>("nsenter --hostname");
    assert_eq!(said, Err("unrecognized option '--hostname'".to_owned()));
    refused("unshare --x", "unrecognized option '--x'");
}

/// argh has the last word on values, so no value of any option may be one that it refuses.
#[test]
fn argh_takes_every_option_with_any_value_any_number_of_times() {
    fn try_all<T: Declared>() {
        for row in Table::of::<T>().rows() {
            if matches!(row.name(), "help" | "version") {
                continue;
            }
            for value in [None, Some(""), Some("\u{10FFFF}"), Some("--help")] {
                let word = match value {
                    None => row.spelling().to_owned(),
                    Some(value) => format!("{}={value}", row.spelling()),
                };
                let word = CString::new(word).expect("no NUL");
                let argv = [c"applet", &word, &word, &word];
                let syntax = words::<T>(&argv.map(|word| word.to_str().expect("text")).join(" "));
                if let Ok((options, _)) = syntax {
                    let parsed = all_of::<T>(&argv);
                    assert_eq!(parsed.order.len(), options.split(' ').count());
                }
            }
        }
    }
    try_all::<unshare::Options>();
    try_all::<nsenter::Options>();
    try_all::<setns::Options>();
}
