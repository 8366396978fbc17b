//! Decimal numbers from text, never cut or wrapped.
//!
//! The hard thing here: strtoul(3) takes `-1` for 2⁶⁴-1, stops at the first odd character and
//! saturates in silence; nothing of that may happen to a user ID.

use std::ffi::OsStr;
use std::fmt;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;

/// The highest user or group ID: 4294967295, which is `(uid_t) -1`, means "no ID" to the kernel
/// (setresuid(2), chown(2)).
pub(crate) const LAST_ID: u32 = u32::MAX - 1;

/// A value as an error line shows it: in quotes, odd bytes replaced, and on one line whatever it holds.
pub(crate) struct Quoted<'a>(pub(crate) &'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for c in self.0.to_string_lossy().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        f.write_str("'")
    }
}

/// Reads digits alone, so few that no number is too large: nearly every number that anybody gives, of which a long map has
/// a thousand.
fn digits_alone(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        let value = digit.wrapping_sub(b'0');
        (value < 10).then(|| number * 10 + u64::from(value))
    })
}

/// Reads a decimal number: blanks in front, one sign, digits and nothing else.
///
/// A number too large for any use here comes back as a still larger one, so that it is out of every range.
pub(crate) fn decimal(text: &[u8]) -> Option<i128> {
    match digits_alone(text) {
        Some(number) => Some(number.into()),
        None => any_decimal(text),
    }
}

fn any_decimal(text: &[u8]) -> Option<i128> {
    // The blanks that isspace(3) knows in the C locale; VT is the one that Rust leaves out.
    let start = text
        .iter()
        .position(|byte| !byte.is_ascii_whitespace() && *byte != b'\x0b')?;
    let text = &text[start..];
    let (negative, digits) = match text[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0_i128, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add((digit - b'0').into())
    });
    Some(if negative { -number } else { number })
}

/// Reads a decimal number of type `T` within `accepted`; a minus sign counts only where it has negative numbers.
///
/// # Errors
/// What is wrong with the value, and what is accepted.
pub(crate) fn within<T>(value: &OsStr, accepted: RangeInclusive<T>) -> Result<T, String>
where
    T: Copy + Into<i128> + TryFrom<i128> + fmt::Display,
{
    let (least, most) = (*accepted.start(), *accepted.end());
    let signed = least.into() < 0;
    let number = match digits_alone(value.as_bytes()) {
        Some(number) => Some(number.into()),
        None => {
            any_decimal(value.as_bytes()).filter(|_| signed || !value.as_bytes().contains(&b'-'))
        }
    };
    number
        .filter(|number| (least.into()..=most.into()).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("{} is not a number from {least} to {most}", Quoted(value)))
}

/// Reads a user or group ID, 0 to 4294967294.
///
/// # Errors
/// As [`within`]; 4294967295 is refused by name.
pub(crate) fn id(value: &OsStr) -> Result<u32, String> {
    if decimal(value.as_bytes()) == Some(i128::from(u32::MAX)) {
        return Err(format!(
            "{} means \"no ID\" to the kernel; a number from 0 to {LAST_ID} is accepted",
            Quoted(value)
        ));
    }
    within(value, 0..=LAST_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_and_one_plus_are_taken() {
        for (text, number) in [
            ("0", 0),
            ("010", 10),
            (" \t\n\x0b\x0c\r7", 7),
            ("+7", 7),
            (" +7", 7),
        ] {
            assert_eq!(
                within(OsStr::new(text), 0_u32..=100),
                Ok(number),
                "{text:?}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            " ",
            "+",
            "-",
            "++1",
            "+ 1",
            "1 ",
            "1x",
            "0x1",
            "-0",
            "-1",
            "101",
            "1.0",
            "٣",
            "18446744073709551616",
            "18446744073709551617",
            "340282366920938463463374607431768211457",
        ] {
            assert!(within(OsStr::new(text), 0_u32..=100).is_err(), "{text:?}");
        }
        assert!(within(OsStr::from_bytes(b"1\xff"), 0_u32..=100).is_err());
    }

    #[test]
    fn the_error_names_value_and_range() {
        assert_eq!(
            within(OsStr::from_bytes(b"a\xff\n"), 1_u32..=9),
            Err("'a\u{fffd}\\n' is not a number from 1 to 9".to_owned())
        );
    }

    #[test]
    fn no_id_is_refused_by_name() {
        assert_eq!(id(OsStr::new("4294967294")), Ok(LAST_ID));
        assert!(
            id(OsStr::new("4294967295"))
                .unwrap_err()
                .contains("\"no ID\"")
        );
        assert!(
            id(OsStr::new("+4294967295"))
                .unwrap_err()
                .contains("\"no ID\"")
        );
        assert!(
            id(OsStr::new("4294967296"))
                .unwrap_err()
                .contains("not a number from 0 to")
        );
    }

    proptest! {
        #[test]
        fn a_number_in_range_comes_back(number: i64, blanks in "[ \t]{0,3}") {
            let text = format!("{blanks}{number}");
            prop_assert_eq!(within(OsStr::new(&text), i64::MIN..=i64::MAX), Ok(number));
        }

        #[test]
        fn never_cut_never_wrapped(bytes: Vec<u8>, digits in "[0-9]{1,60}") {
            for text in [&bytes[..], digits.as_bytes()] {
                if let Ok(number) = within(OsStr::from_bytes(text), 0..=u32::MAX) {
                    let shown = String::from_utf8_lossy(text);
                    let plain = shown.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
                    let plain = plain.strip_prefix('+').unwrap_or(plain).trim_start_matches('0');
                    let written = if number == 0 { String::new() } else { number.to_string() };
                    prop_assert_eq!(plain, written);
                }
            }
        }
    }
}
