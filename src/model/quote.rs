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
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\'' | '\\' => write!(f, "\\{character}")?,
                    _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                    _ => write!(f, "{character}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        write!(f, "'")
    }
}
