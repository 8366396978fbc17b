//! Words as messages and printed plans show them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// A word as a shell would take it.
pub(crate) struct Word<'a>(pub(crate) &'a OsStr);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(byte);
        let bytes = self.0.as_bytes();
        if !bytes.is_empty() && bytes.iter().all(plain) {
            return write!(f, "{}", self.0.to_string_lossy());
        }
        if std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control)) {
            return write!(f, "'{}'", self.0.to_string_lossy().replace('\'', r"'\''"));
        }
        // Control characters and odd bytes, as bash, zsh and ksh read them.
        write!(f, "$'")?;
        let odd = |f: &mut fmt::Formatter<'_>, byte: &u8| write!(f, "\\x{byte:02x}");
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\'' | '\\' => write!(f, "\\{character}")?,
                    '\n' | '\t' | '\r' => write!(f, "{}", character.escape_default())?,
                    _ if character.is_control() => {
                        let mut room = [0; 4];
                        let bytes = character.encode_utf8(&mut room).as_bytes();
                        bytes.iter().try_for_each(|byte| odd(f, byte))?;
                    }
                    _ => write!(f, "{character}")?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| odd(f, byte))?;
        }
        write!(f, "'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        for (word, shown) in [
            (&b"a-Z0@%+=:,./_"[..], "a-Z0@%+=:,./_"),
            (b"", "''"),
            (b"a b", "'a b'"),
            (b"it's", r"'it'\''s'"),
            (b"a\\b", r"'a\b'"),
            ("gr\u{fc}n".as_bytes(), "'gr\u{fc}n'"),
            (b"a\nb", r"$'a\nb'"),
            (b"it's\t\\", r"$'it\'s\t\\'"),
            (b"\x1b[0m", r"$'\x1b[0m'"),
            (b"\xc2\x85a", r"$'\xc2\x85a'"),
            (b"a\xffb", r"$'a\xffb'"),
        ] {
            assert_eq!(Word(OsStr::from_bytes(word)).to_string(), shown);
        }
    }
}
