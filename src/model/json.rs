//! Strings as JSON has them, for what other programs read.

use std::ffi::OsStr;
use std::fmt::Write as _;

/// A string as JSON has it (RFC 8259, section 7). Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn string(text: &OsStr) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.to_string_lossy().chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            '\r' => json.push_str("\\r"),
            other if other.is_control() => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn strings_are_json() {
        let odd = OsStr::from_bytes(b"a\"b\\c\nd\x01e\xffz\xc2\x85");
        let back: String = serde_json::from_str(&string(odd)).unwrap();
        assert_eq!(back, "a\"b\\c\nd\u{1}e\u{fffd}z\u{85}");
    }
}
