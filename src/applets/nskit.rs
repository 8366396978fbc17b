//! nskit's own commands: what applets there are, and links for them.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use super::APPLETS;

/// What nskit is asked for under its own name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print this.
    Print(String),
    /// Say that the word at this index of argv names no applet: those that it does name are called before this is read.
    NoApplet(usize),
    /// Print the help of the applet whose name is at this index of argv.
    Help(usize),
    /// Make links.
    Install(Install),
    /// Find out what can be done here.
    Doctor(Doctor),
}

/// What is to be found out, and how that is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Doctor {
    /// For other programs.
    pub(crate) json: bool,
    /// By the exit status only.
    pub(crate) quiet: bool,
    /// Whether one command line would work, whose applet is at this index of argv; none: what the machine lets us do.
    pub(crate) command: Option<usize>,
}

/// The links to make.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Install {
    /// Symbolic ones.
    pub(crate) symbolic: bool,
    /// In place of files that are not our links.
    pub(crate) force: bool,
    /// Where; none: where the binary is.
    pub(crate) directory: Option<OsString>,
}

/// Reads nskit's own command line.
///
/// # Errors
/// A line that says what is not understood.
pub(crate) fn read(argv: &[&'static CStr]) -> Result<Command, OsString> {
    let word = |index: usize| {
        argv.get(index)
            .map(|word| OsStr::from_bytes(word.to_bytes()))
    };
    let only = |command: Command| match word(2) {
        None => Ok(command),
        Some(extra) => Err(quoted("unexpected operand", extra)),
    };
    match word(1) {
        None => Ok(Command::Print(help())),
        Some(first) if first == "--help" || first == "-h" => Ok(Command::Print(help())),
        Some(first) if first == "--version" || first == "-V" => Ok(Command::Print(format!(
            "nskit {}\n",
            env!("CARGO_PKG_VERSION")
        ))),
        Some(first) if first == "--list" => only(Command::Print(
            APPLETS
                .iter()
                .map(|applet| format!("{}\n", applet.name))
                .collect(),
        )),
        Some(first) if first == "help" => match (word(2), word(3)) {
            (None, _) => Ok(Command::Print(help())),
            (Some(_), None) => Ok(Command::Help(2)),
            (Some(_), Some(extra)) => Err(quoted("unexpected operand", extra)),
        },
        Some(first) if first == "--install" => install(argv).map(Command::Install),
        Some(first) if first == "doctor" => doctor(argv),
        Some(first) if first.as_bytes().starts_with(b"-") && first != "-" => {
            Err(quoted("unrecognized option", first))
        }
        Some(_) => Ok(Command::NoApplet(1)),
    }
}

fn install(argv: &[&'static CStr]) -> Result<Install, OsString> {
    let mut install = Install::default();
    let mut operands_only = false;
    for word in &argv[2..] {
        match word.to_bytes() {
            b"--" if !operands_only => operands_only = true,
            flags if !operands_only && flags.len() > 1 && flags[0] == b'-' => {
                for flag in &flags[1..] {
                    match flag {
                        b's' => install.symbolic = true,
                        b'f' => install.force = true,
                        _ => {
                            let word = OsStr::from_bytes(word.to_bytes());
                            return Err(quoted("--install: accepted are -s and -f, not", word));
                        }
                    }
                }
            }
            directory if install.directory.is_none() => {
                install.directory = Some(OsStr::from_bytes(directory).to_owned());
            }
            extra => {
                return Err(quoted(
                    "--install: one directory is enough:",
                    OsStr::from_bytes(extra),
                ));
            }
        }
    }
    Ok(install)
}

fn doctor(argv: &[&'static CStr]) -> Result<Command, OsString> {
    let mut doctor = Doctor::default();
    for (index, word) in argv.iter().enumerate().skip(2) {
        match word.to_bytes() {
            b"--json" => doctor.json = true,
            b"--quiet" => doctor.quiet = true,
            b"--help" | b"-h" => return Ok(Command::Print(help())),
            name if const { &APPLETS }
                .iter()
                .any(|applet| applet.name.as_bytes() == name) =>
            {
                doctor.command = Some(index);
                break;
            }
            _ => {
                let word = OsStr::from_bytes(word.to_bytes());
                return Err(quoted(
                    "doctor: accepted are --json, --quiet and the command line of an applet, not",
                    word,
                ));
            }
        }
    }
    Ok(Command::Doctor(doctor))
}

fn quoted(text: &str, word: &OsStr) -> OsString {
    let mut line = OsString::from(format!("{text} '"));
    line.push(word);
    line.push("'");
    line
}

fn help() -> String {
    let mut text = format!(
        "nskit {}: Linux namespaces from the command line\n\n\
         Usage:\n  \
         nskit APPLET [argument...]\n  \
         nskit doctor [--json] [--quiet] [APPLET [argument...]]\n  \
         \x20                                 try what this machine lets you do, or\n  \
         \x20                                 whether one command line would work\n  \
         nskit help [APPLET]               what --help says\n  \
         nskit --list                      print the applets, one a line\n  \
         nskit --install [-s] [-f] [DIR]   make links to nskit, one an applet\n  \
         nskit --help | --version\n\n\
         Applets:\n",
        env!("CARGO_PKG_VERSION")
    );
    for applet in &APPLETS {
        let _ = writeln!(text, "  {:<10}{}", applet.name, applet.about);
    }
    text.push_str(
        "\nCalled by the name of an applet, nskit is that applet. --install makes hard\n\
         links in DIR (where nskit is, if not given), with -s symbolic ones; a file\n\
         that is not our link already is replaced with -f only.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(text: &str) -> Result<Command, String> {
        let words: Vec<&'static CStr> = text
            .split_ascii_whitespace()
            .map(|word| &*Box::leak(std::ffi::CString::new(word).unwrap().into_boxed_c_str()))
            .collect();
        read(&words).map_err(|line| line.into_string().unwrap())
    }

    fn install_of(symbolic: bool, force: bool, directory: Option<&str>) -> Result<Command, String> {
        Ok(Command::Install(Install {
            symbolic,
            force,
            directory: directory.map(OsString::from),
        }))
    }

    fn doctor_of(json: bool, quiet: bool, command: Option<usize>) -> Result<Command, String> {
        Ok(Command::Doctor(Doctor {
            json,
            quiet,
            command,
        }))
    }

    #[test]
    fn texts_that_are_printed() {
        let help = Ok(Command::Print(help()));
        for line in [
            "nskit",
            "nskit --help",
            "nskit -h",
            "nskit help",
            "nskit --help x",
            "nskit doctor --help",
            "nskit doctor --json -h",
        ] {
            assert_eq!(read_line(line), help, "{line}");
        }
        let version = Ok(Command::Print(format!(
            "nskit {}\n",
            env!("CARGO_PKG_VERSION")
        )));
        assert_eq!(read_line("nskit --version"), version);
        assert_eq!(read_line("nskit -V"), version);
        let list = Ok(Command::Print("unshare\nnsenter\nsetns\n".to_owned()));
        assert_eq!(read_line("nskit --list"), list);
        let extra = Err("unexpected operand 'x'".to_owned());
        assert_eq!(read_line("nskit --list x"), extra);
        for applet in &APPLETS {
            let about = format!("\n  {:<10}{}\n", applet.name, applet.about);
            assert!(super::help().contains(&about), "{about}");
        }
    }

    #[test]
    fn applets_and_their_help() {
        // Whether it is one has been asked before.
        assert_eq!(read_line("nskit frobnicate"), Ok(Command::NoApplet(1)));
        assert_eq!(read_line("nskit -"), Ok(Command::NoApplet(1)));
        assert_eq!(read_line("nskit help unshare"), Ok(Command::Help(2)));
        let extra = Err("unexpected operand 'x'".to_owned());
        assert_eq!(read_line("nskit help unshare x"), extra);
        for option in ["-x", "--frobnicate", "--"] {
            let line = format!("nskit {option} unshare");
            let unknown = Err(format!("unrecognized option '{option}'"));
            assert_eq!(read_line(&line), unknown);
        }
    }

    #[test]
    fn links_that_are_asked_for() {
        for (words, expected) in [
            ("", install_of(false, false, None)),
            ("-s", install_of(true, false, None)),
            ("-f", install_of(false, true, None)),
            ("-sf dir", install_of(true, true, Some("dir"))),
            ("-s dir -f", install_of(true, true, Some("dir"))),
            ("-", install_of(false, false, Some("-"))),
            ("-f -- -s", install_of(false, true, Some("-s"))),
            ("-- --", install_of(false, false, Some("--"))),
        ] {
            assert_eq!(
                read_line(&format!("nskit --install {words}")),
                expected,
                "{words}"
            );
        }
        let refused = |words: &str| read_line(&format!("nskit --install {words}"));
        let flags = Err("--install: accepted are -s and -f, not '-sx'".to_owned());
        assert_eq!(refused("-sx"), flags);
        let one = Err("--install: one directory is enough: 'b'".to_owned());
        assert_eq!(refused("a b"), one);
    }

    #[test]
    fn what_the_doctor_is_asked() {
        for (words, expected) in [
            ("", doctor_of(false, false, None)),
            ("--json", doctor_of(true, false, None)),
            ("--quiet --json", doctor_of(true, true, None)),
            ("--json unshare --quiet", doctor_of(true, false, Some(3))),
            ("setns --help", doctor_of(false, false, Some(2))),
        ] {
            assert_eq!(
                read_line(&format!("nskit doctor {words}")),
                expected,
                "{words}"
            );
        }
        let refused = read_line("nskit doctor --json true").unwrap_err();
        assert!(refused.ends_with("of an applet, not 'true'"), "{refused}");
    }
}
