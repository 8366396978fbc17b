//! Values of any bytes, in a text form that passes through argh, and optional values.
//!
//! The hard thing here: argh takes `&str` only, and a path may be any bytes. So each byte that is
//! not UTF-8 travels as the character U+10FF00 + byte, and a genuine one of those characters (all
//! are for private use) as its own four bytes: what comes out is what went in, whatever it was.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use argh::FromArgValue;

/// A required value: any bytes except NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) OsString);

impl FromArgValue for Text {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        Ok(Self(decode(text)))
    }
}

/// An optional value, which can only be attached (`--mount=FILE`): `None` when the option stood alone.
///
/// `--mount`, `--mount=` and `--mount=/x` are three things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached(pub(crate) Option<OsString>);

impl FromArgValue for Attached {
    fn from_arg_value(token: &str) -> Result<Self, String> {
        Ok(Self(token.strip_prefix('=').map(decode)))
    }
}

/// The token of an optional value: nothing, or `=` and the value.
pub(super) fn attach(value: Option<&[u8]>) -> &str {
    match value {
        None => "",
        Some(bytes) => ["=", encode(bytes)].concat().leak(),
    }
}

/// The text form of `bytes`; they themselves when they are plain UTF-8, else a text that is never freed: a command line has
/// few of those.
pub(super) fn encode(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain(text) => text,
        _ => escape(bytes).leak(),
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for genuine in chunk.valid().chars() {
            if stands_for_byte(genuine) {
                text.extend(genuine.encode_utf8(&mut [0; 4]).bytes().map(stand_in));
            } else {
                text.push(genuine);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    text
}

/// The bytes of which `text` is the text form.
fn decode(text: &str) -> OsString {
    if is_plain(text) {
        return OsString::from(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        if stands_for_byte(character) {
            // The low byte of U+10FFxx is the byte that it stands for.
            bytes.push(character as u32 as u8);
        } else {
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    OsString::from_vec(bytes)
}

/// Whether every character stands for itself; the quick answer first.
fn is_plain(text: &str) -> bool {
    text.is_ascii() || !text.contains(stands_for_byte)
}

/// Bytes outside UTF-8 are never below 0x80.
fn stands_for_byte(character: char) -> bool {
    ('\u{10FF80}'..='\u{10FFFF}').contains(&character)
}

/// The character that stands for a byte of 0x80 or more.
fn stand_in(byte: u8) -> char {
    char::from_u32(0x10_FF00 | u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    proptest! {
        #[test]
        fn any_bytes_come_out_as_they_went_in(bytes: Vec<u8>) {
            let back = decode(encode(&bytes));
            prop_assert_eq!(back.as_bytes(), &bytes[..]);
        }

        #[test]
        fn characters_beside_the_stand_ins_come_out_as_they_went_in(
            text in "[\u{10FF70}-\u{10FFFF}a\u{e9}]{0,8}", cut in 0..4usize,
        ) {
            // Cut at the front, the first character falls apart into bytes that are not UTF-8.
            let bytes = &text.as_bytes()[cut.min(text.len())..];
            let back = decode(encode(bytes));
            prop_assert_eq!(back.as_bytes(), bytes);
        }
    }

    #[test]
    fn a_byte_and_the_character_that_stands_for_it_stay_apart() {
        assert_eq!(encode(b"\xff"), "\u{10FFFF}");
        assert_eq!(
            encode("\u{10FFFF}".as_bytes()),
            "\u{10FFF4}\u{10FF8F}\u{10FFBF}\u{10FFBF}"
        );
    }

    #[test]
    fn plain_text_is_not_copied() {
        let text = "/run/é";
        assert!(std::ptr::eq(encode(text.as_bytes()), text));
    }

    #[test]
    fn no_value_an_empty_one_and_one_are_three_things() {
        for value in [None, Some(&b""[..]), Some(b"="), Some(b"/x"), Some(b"\xff")] {
            let Attached(back) = Attached::from_arg_value(attach(value)).unwrap();
            assert_eq!(back.as_deref().map(OsStrExt::as_bytes), value);
        }
    }
}
