//! binfmt_misc registration strings: what can be said of one before the kernel sees it.
//!
//! A string is `:name:type:offset:magic:mask:interpreter:flags`, where the first byte, whatever it is,
//! is the delimiter (the kernel's admin-guide/binfmt-misc). The hard thing here: the kernel's only answer
//! to a wrong one is EINVAL, so what is certainly wrong is said here; what may be right is left to the kernel.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::model::number::Quoted;

/// The longest string that the kernel takes, in bytes.
const LONGEST: usize = 1920;

/// The form, for errors.
const FORM: &str = ":name:type:offset:magic:mask:interpreter:flags";

/// A registration string that has the right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registration {
    text: OsString,
    opens_now: bool,
}

impl Registration {
    /// Reads the value of `--load-interp`.
    ///
    /// # Errors
    /// What is wrong with the string, as the first thing that the kernel would refuse.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        let wrong = |what: &str| format!("{} {what}; {FORM} is accepted", Quoted(value));
        let text = value.as_bytes();
        if text.is_empty() {
            return Err(wrong("registers nothing"));
        }
        if text.len() > LONGEST {
            return Err(format!(
                "the string is {} bytes long; the kernel takes at most {LONGEST}",
                text.len()
            ));
        }
        // The kernel passes over one newline at the end, which `echo` leaves.
        let (delimiter, rest) = (text[0], text[1..].strip_suffix(b"\n").unwrap_or(&text[1..]));
        let fields = split(rest, delimiter)
            .ok_or_else(|| wrong("has not seven fields that each begin with its first byte"))?;
        let [name, kind, offset, magic, mask, interpreter, flags] = fields;

        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
            return Err(wrong("has no name that a file can have"));
        }
        match kind {
            b"E" if magic.is_empty() => {
                return Err(wrong("has no file name extension in the field 'magic'"));
            }
            b"E" if magic.contains(&b'/') => {
                return Err(wrong("has a '/' in the file name extension"));
            }
            b"E" => {}
            b"M" => {
                if !is_offset(offset) {
                    return Err(wrong("has an offset that is not a decimal number"));
                }
                let magic = unescaped_length(magic)
                    .ok_or_else(|| wrong("has a '\\x' without two hex digits"))?;
                let mask = unescaped_length(mask)
                    .ok_or_else(|| wrong("has a '\\x' without two hex digits"))?;
                if magic == 0 {
                    return Err(wrong("has no magic"));
                }
                if mask != 0 && mask != magic {
                    return Err(wrong("has a mask that is not as long as the magic"));
                }
            }
            _ => return Err(wrong("is neither of type E (extension) nor M (magic)")),
        }
        if interpreter.is_empty() {
            return Err(wrong("has no interpreter"));
        }
        if let Some(flag) = flags.iter().find(|flag| !b"POCF".contains(flag)) {
            return Err(wrong(&format!(
                "has the flag '{}', not one of P, O, C, F",
                flag.escape_ascii()
            )));
        }
        Ok(Self {
            text: value.to_owned(),
            opens_now: flags.contains(&b'F'),
        })
    }

    /// The bytes for the file `register`, to be written at once.
    pub(crate) fn text(&self) -> &OsStr {
        &self.text
    }

    /// The flag `F`: the kernel opens the interpreter when it is registered, not when it is used, so it
    /// is found by its path at that time, and runs also where that path leads elsewhere.
    pub(crate) fn opens_now(&self) -> bool {
        self.opens_now
    }
}

/// The seven fields; the last one ends with the string.
fn split(text: &[u8], delimiter: u8) -> Option<[&[u8]; 7]> {
    let mut fields = [&text[..0]; 7];
    let mut rest = text;
    for place in 0..6 {
        // A hex digit of an escape is no delimiter, even where it is the same character.
        let escapes = fields[1] == b"M" && matches!(place, 3 | 4);
        let end = end_of_field(rest, delimiter, escapes)?;
        *fields.get_mut(place)? = rest.get(..end)?;
        rest = rest.get(end + 1..)?;
    }
    fields[6] = rest;
    Some(fields)
}

/// Where the next delimiter is.
fn end_of_field(text: &[u8], delimiter: u8, escapes: bool) -> Option<usize> {
    let mut place = 0;
    while *text.get(place)? != delimiter {
        let escape = escapes && text[place..].starts_with(b"\\x");
        place += if escape { 4 } else { 1 };
    }
    Some(place)
}

/// Whether the kernel reads this as the place of the magic: nothing, or a number as kstrtoint() takes it.
fn is_offset(text: &[u8]) -> bool {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    text.is_empty() || (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// How many bytes are meant, `\xHH` being one; `None` if the two digits are not there.
fn unescaped_length(text: &[u8]) -> Option<usize> {
    let (mut place, mut length) = (0, 0);
    while place < text.len() {
        if text[place..].starts_with(b"\\x") {
            let digits = text.get(place + 2..place + 4)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            place += 4;
        } else {
            place += 1;
        }
        length += 1;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Registration, String> {
        Registration::parse(OsStr::new(text))
    }

    /// Each was taken by Linux 6.18.
    #[test]
    fn what_the_kernel_takes() {
        for (text, opens_now) in [
            (":n:E::foo::/bin/true:", false),
            (":n:E::foo::/bin/true:F", true),
            (":n:E::foo::/bin/true:POCF", true),
            (":n:E::foo::/bin/true:POC", false),
            (":n:E::foo::/bin/true:FF\n", true),
            (":n:E::foo::true:", false),
            (":n:E:9:foo:mask:/bin/true:", false),
            (":n:M:0:foo::/bin/true:", false),
            (":n:M:+1:foo:aaa:/bin/true:", false),
            (r":n:M::\x7fELF\x02::/bin/true:", false),
            (r":n:M::\x7fE:\xff\xff:/bin/true:OC", false),
            ("xnxExxfooxx/bin/truex", false),
            (",n,E,,foo,,/bin/true,F", true),
            (r"fnfMff\xffff/bin/truef", false),
            (":n:E::f::/:", false),
        ] {
            let registration = parse(text).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(
                (registration.text(), registration.opens_now()),
                (OsStr::new(text), opens_now)
            );
        }
    }

    /// Each was refused by Linux 6.18.
    #[test]
    fn what_the_kernel_refuses() {
        for (text, what) in [
            ("", "registers nothing"),
            (":", "seven fields"),
            ("\n", "seven fields"),
            (":n:E::foo::/bin/true", "seven fields"),
            ("/bin/true", "seven fields"),
            (":n:E::foo::/bin/true::", "flag ':'"),
            (":n:E::foo::/bin/true:FX", "flag 'X'"),
            (":n:E::foo::/bin/true:F\n\n", "flag '\\n'"),
            ("::E::foo::/bin/true:", "no name"),
            (":a/b:E::foo::/bin/true:", "no name"),
            (":..:E::foo::/bin/true:", "no name"),
            (":n:X::foo::/bin/true:", "type E"),
            (":n:EE::foo::/bin/true:", "type E"),
            (":n:::foo::/bin/true:", "type E"),
            (":n:E::::/bin/true:", "no file name extension"),
            (":n:E::f/o::/bin/true:", "'/' in"),
            (":n:M:0x1:foo::/bin/true:", "offset"),
            (":n:M:-1:foo::/bin/true:", "offset"),
            (":n:M: 1:foo::/bin/true:", "offset"),
            (":n:M::::/bin/true:", "no magic"),
            (":n:M::foo:aa:/bin/true:", "as long as"),
            (r":n:M::foo:\xff\xff:/bin/true:", "as long as"),
            (r":n:M::\x7::/bin/true:", "seven fields"),
            (r":n:M::\xzz::/bin/true:", "two hex digits"),
            (":n:E::foo:::", "no interpreter"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(what), "{text:?}: {why}");
        }
    }

    #[test]
    fn the_longest() {
        let of = |length: usize| format!(":n:E::{}::/:", "a".repeat(length - 10));
        assert!(parse(&of(LONGEST)).is_ok());
        assert_eq!(
            parse(&of(LONGEST + 1)),
            Err("the string is 1921 bytes long; the kernel takes at most 1920".to_owned())
        );
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, likely in r":n:M:[0-9]?:(\\x[0-9a-g]{1,2}|.){0,3}:.{0,3}:.?:[POCFX]{0,2}\n?") {
            for text in [&bytes[..], likely.as_bytes()] {
                match Registration::parse(OsStr::from_bytes(text)) {
                    Ok(registration) => prop_assert_eq!(registration.text().as_bytes(), text),
                    Err(why) => prop_assert!(!why.chars().any(char::is_control), "{:?}", why),
                }
            }
        }
    }
}
