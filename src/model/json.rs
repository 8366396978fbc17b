//! JSON (RFC 8259): its parts are put together for other programs to read, and members read of what other programs wrote.
//!
//! The hard thing: what is read may be written by somebody who means harm, so nothing of it is kept in memory but what
//! was asked for, and it has an end in depth.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
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

/// A member of an object; the value is JSON.
pub(crate) fn member(name: &str, value: impl fmt::Display) -> String {
    format!("\"{name}\":{value}")
}

pub(crate) fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

pub(crate) fn list(values: impl Iterator<Item = impl fmt::Display>) -> String {
    let mut text = String::from("[");
    for (index, value) in values.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{value}");
    }
    text + "]"
}

pub(crate) fn or_null(value: Option<impl fmt::Display>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}

/// How deep arrays and objects may lie in each other.
const DEPTH: usize = 127;

/// The members with these names of a JSON object, each as the JSON text of its value; of several members with one name
/// the last. The whole of the text is looked at.
///
/// # Errors
/// Where it is no JSON, or too deep: at which byte.
pub(crate) fn members<'a, const N: usize>(
    text: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a str>; N], usize> {
    let text = std::str::from_utf8(text).map_err(|error| error.valid_up_to())?;
    let mut scanner = Scanner { text, at: 0 };
    let mut found = [None; N];
    scanner.blanks();
    scanner.object(0, &mut |name, value| {
        if let Some(place) = names.iter().position(|wanted| *wanted == name) {
            found[place] = Some(value);
        }
    })?;
    scanner.blanks();
    match scanner.peek() {
        None => Ok(found),
        Some(_) => Err(scanner.at),
    }
}

/// A value that is a whole number, written as digits, from 0 to 2^64-1.
pub(crate) fn whole_number(value: &str) -> Option<u64> {
    let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| is_digits)
}

/// Told of each member of an object: its name, and the text of its value.
type OnMember<'a, 't> = &'a mut dyn FnMut(&str, &'t str);

/// A place in a text. What its functions find wrong is told by the place.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Whether this byte comes next; then it is passed.
    fn has(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), usize> {
        if self.has(byte) { Ok(()) } else { Err(self.at) }
    }

    /// One value, `depth` deep; gives its text.
    fn value(&mut self, depth: usize) -> Result<&'t str, usize> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.object(depth, &mut |_, _| {})?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => {
                self.string()?;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let mut words = ["true", "false", "null"].into_iter();
                let word = words.find(|word| rest.starts_with(word));
                self.at += word.ok_or(self.at)?.len();
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn object(&mut self, depth: usize, tell: OnMember<'_, 't>) -> Result<(), usize> {
        self.list(depth, b'{', b'}', &mut |scanner| {
            let name = scanner.string()?;
            scanner.blanks();
            scanner.expect(b':')?;
            scanner.blanks();
            let value = scanner.value(depth + 1)?;
            tell(&name, value);
            Ok(())
        })
    }

    fn array(&mut self, depth: usize) -> Result<(), usize> {
        self.list(depth, b'[', b']', &mut |scanner| {
            scanner.value(depth + 1).map(|_| ())
        })
    }

    /// Elements with commas between them.
    fn list(
        &mut self,
        depth: usize,
        begin: u8,
        end: u8,
        element: &mut dyn FnMut(&mut Self) -> Result<(), usize>,
    ) -> Result<(), usize> {
        if depth >= DEPTH {
            return Err(self.at);
        }
        self.expect(begin)?;
        self.blanks();
        if self.has(end) {
            return Ok(());
        }
        loop {
            element(self)?;
            self.blanks();
            if self.has(end) {
                return Ok(());
            }
            self.expect(b',')?;
            self.blanks();
        }
    }

    fn number(&mut self) -> Result<(), usize> {
        self.has(b'-');
        if !self.has(b'0') {
            self.digits()?;
        }
        if self.has(b'.') {
            self.digits()?;
        }
        if self.has(b'e') || self.has(b'E') {
            let _ = self.has(b'+') || self.has(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), usize> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(self.at)
        }
    }

    /// A string; copied only if something in it is escaped.
    fn string(&mut self) -> Result<Cow<'t, str>, usize> {
        self.expect(b'"')?;
        let mut string = Cow::Borrowed("");
        let mut start = self.at;
        loop {
            let here = self.at;
            match self.peek() {
                Some(byte @ (b'"' | b'\\')) => {
                    string += self.text.get(start..here).unwrap_or_default();
                    self.at += 1;
                    if byte == b'"' {
                        return Ok(string);
                    }
                    let escaped = self.escaped()?;
                    string.to_mut().push(escaped);
                    start = self.at;
                }
                None | Some(0..b' ') => return Err(here),
                Some(_) => self.at += 1,
            }
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Result<char, usize> {
        let start = self.at;
        let byte = self.peek().ok_or(start)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let mut units = [first, 0];
                let mut count = 1;
                if char::from_u32(first.into()).is_none() {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    units[1] = self.unit()?;
                    count = 2;
                }
                let mut characters = char::decode_utf16(units.into_iter().take(count));
                characters.next().and_then(Result::ok).ok_or(start)?
            }
            _ => return Err(start),
        })
    }

    /// Four hexadecimal digits: a unit of UTF-16.
    fn unit(&mut self) -> Result<u16, usize> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(self.at)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let unit = u16::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        let unit = unit.ok_or(self.at)?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn members_of_a_state() {
        let text = br#" {"id":"web", "init_process_pid" :27656,
            "config":{"init_process_pid":1,"x":[1,{"y":[]}]}, "\u0069nit_process_start":1269260 } "#;
        let found = members(text, ["init_process_pid", "init_process_start", "pid"]);
        assert_eq!(found, Ok([Some("27656"), Some("1269260"), None]));
        let twice = members(br#"{"a":1,"a":"x"}"#, ["a"]);
        assert_eq!(twice, Ok([Some("\"x\"")]));
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(whole_number("18446744073709551615"), Some(u64::MAX));
        for value in ["18446744073709551616", "-1", "1.0", "1e3", "\"1\"", "null"] {
            assert_eq!(whole_number(value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_where_it_ceases_to_be_one() {
        for (text, at) in [
            (&b""[..], 0),
            (b"[]", 0),
            (b"{", 1),
            (b"{}x", 2),
            (b"{\"a\":1,}", 7),
            (b"{\"a\":01}", 6),
            (b"{\"a\":\"\\ud800x\"}", 12),
            (b"{\"a\":\"\xff\"}", 6),
            (b"{\"a\":\"\n\"}", 6),
            (b"{\"a\":tru}", 5),
            (b"{\"\\u+123\":1}", 4),
            ("{\"\\u12\u{e9}\":1}".as_bytes(), 4),
        ] {
            assert_eq!(members(text, ["a"]), Err(at), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
        };
        assert!(members(&nested(DEPTH - 1), ["a"]).is_ok());
        for depth in [DEPTH, 500_000] {
            assert_eq!(members(&nested(depth), ["a"]), Err(DEPTH + 4), "{depth}");
        }
    }

    /// What another scanner makes of a text; none where its own bounds differ: it takes no number beyond those of an f64.
    fn theirs(text: &[u8]) -> Option<Result<Option<serde_json::Value>, ()>> {
        match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(value) => Some(value.as_object().map(|of| of.get("a").cloned()).ok_or(())),
            Err(error) if error.to_string().contains("out of range") => None,
            Err(_) => Some(Err(())),
        }
    }

    fn agrees(text: &[u8]) {
        let Some(theirs) = theirs(text) else { return };
        let ours = members(text, ["a"]).map_err(|_| ());
        let ours = ours.map(|[value]| value.map(|text| serde_json::from_str(text).unwrap()));
        assert_eq!(ours, theirs, "{}", text.escape_ascii());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300_f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let name = prop_oneof![Just("a".to_owned()), any::<String>()].boxed();
        leaf.prop_recursive(4, 64, 8, move |inner| {
            let members = prop::collection::vec((name.clone(), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner, 0..8).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Bits and pieces that JSON is made of, put together as it happens.
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"\\u0061\"",
        "\"",
        "\\",
        "\\n",
        "\\ud83d",
        "\\ude00",
        "0",
        "12",
        "-",
        ".5",
        "e+3",
        "E",
        "true",
        "null",
        "fals",
        " ",
        "\u{e9}",
    ];

    proptest! {
        #[test]
        fn another_reader_agrees(value in value(), pretty: bool, cut: prop::sample::Index, byte: u8) {
            let write = if pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
            let mut text = write(&value).unwrap();
            agrees(&text);
            let at = cut.index(text.len());
            text[at] = byte;
            agrees(&text);
            agrees(&text[..at]);
        }

        #[test]
        fn another_reader_agrees_on_what_looks_like_json(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
            close: bool,
        ) {
            agrees(pieces.concat().as_bytes());
            let value = format!("{{\"a\":{}{}", pieces.concat(), if close { "}" } else { "\"}" });
            agrees(value.as_bytes());
        }
    }

    #[test]
    fn strings_are_json() {
        let odd = OsStr::from_bytes(b"a\"b\\c\nd\x01e\xffz\xc2\x85");
        let back: String = serde_json::from_str(&string(odd)).unwrap();
        assert_eq!(back, "a\"b\\c\nd\u{1}e\u{fffd}z\u{85}");
    }
}
