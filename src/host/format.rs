//! What a program file says that it needs to be executed: the interpreter of its `#!` line, or the loader that
//! its ELF header names (execve(2), elf(5)).
//!
//! The hard thing: the file may be anything, cut off anywhere, and every number in it a lie.

/// What kind of program a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// A script, and the interpreter that its first line names, as it is written there.
    Script(Vec<u8>),
    /// An ELF file, and its loader if it has one.
    Elf {
        /// `e_machine`.
        machine: u16,
        /// The path in `PT_INTERP`.
        loader: Option<Vec<u8>>,
    },
    /// Neither.
    Other,
}

/// How much of a first line the kernel looks at (`BINPRM_BUF_SIZE`, Linux 5.1).
const LINE: usize = 256;
/// A path longer than this none is (limits.h, `PATH_MAX`).
const PATH: u64 = 4096;
/// `PT_INTERP` of elf(5).
const INTERPRETER: u32 = 3;

impl Format {
    /// Looks at a file, of which `read` gives up to so many bytes from an offset on.
    pub(crate) fn of(read: &dyn Fn(u64, usize) -> Vec<u8>) -> Format {
        let head = read(0, LINE);
        if let Some(line) = head.strip_prefix(b"#!") {
            return script(line);
        }
        elf(&head, read).unwrap_or(Format::Other)
    }
}

/// The interpreter in what follows `#!`.
fn script(line: &[u8]) -> Format {
    // The kernel divides at a blank or a tab only: a carriage return is a part of the name.
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = line.iter().position(|byte| matches!(byte, b'\n' | 0));
    let whole = &line[..end.unwrap_or(line.len())];
    let first = whole.iter().position(|byte| !is_blank(byte));
    let line = whole
        .get(first.unwrap_or(whole.len())..)
        .unwrap_or_default();
    let name = line.split(is_blank).next().unwrap_or_default();
    // What goes on behind all that it looks at it does not take for a name.
    let is_cut = end.is_none() && name.len() == line.len() && whole.len() + b"#!".len() == LINE;
    if name.is_empty() || is_cut {
        return Format::Other;
    }
    Format::Script(name.to_vec())
}

/// The numbers of an ELF file, in its own byte order and width.
struct Layout {
    big: bool,
    wide: bool,
}

impl Layout {
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.big {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        })
    }

    /// A number at one place in 32-bit files and at another, of 8 bytes, in 64-bit files.
    fn either(&self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        if self.wide {
            self.number(bytes, wide, 8)
        } else {
            self.number(bytes, narrow, 4)
        }
    }
}

fn elf(head: &[u8], read: &dyn Fn(u64, usize) -> Vec<u8>) -> Option<Format> {
    let class = head.strip_prefix(b"\x7fELF")?;
    let layout = Layout {
        wide: *class.first()? == 2,
        big: *class.get(1)? == 2,
    };
    let machine = u16::try_from(layout.number(head, 18, 2)?).ok()?;
    let without_loader = Format::Elf {
        machine,
        loader: None,
    };
    let loader = || -> Option<Vec<u8>> {
        let table = layout.either(head, 28, 32)?;
        let [size, count] = if layout.wide { [54, 56] } else { [42, 44] };
        let size = usize::try_from(layout.number(head, size, 2)?).ok()?;
        let count = usize::try_from(layout.number(head, count, 2)?).ok()?;
        if size == 0 {
            return None;
        }
        // Both are 16 bits wide, so this is less than 4 GiB; the file ends where it ends.
        let headers = read(table, size.checked_mul(count)?.min(64 * 1024));
        let header = headers
            .chunks_exact(size)
            .find(|header| layout.number(header, 0, 4) == Some(u64::from(INTERPRETER)))?;
        let offset = layout.either(header, 4, 8)?;
        let length = layout.either(header, 16, 32)?.min(PATH);
        let path = read(offset, usize::try_from(length).ok()?);
        let path = path.split(|byte| *byte == 0).next()?;
        (!path.is_empty()).then(|| path.to_vec())
    };
    Some(match loader() {
        None => without_loader,
        loader => Format::Elf { machine, loader },
    })
}

/// The machine of this program, as `e_machine` numbers it (elf(5)); `None` for those not listed here.
pub(crate) const fn own_machine() -> Option<u16> {
    if cfg!(target_arch = "x86_64") {
        Some(62)
    } else if cfg!(target_arch = "aarch64") {
        Some(183)
    } else if cfg!(target_arch = "riscv64") {
        Some(243)
    } else {
        None
    }
}

/// The usual name of a machine.
pub(crate) fn machine_name(machine: u16) -> String {
    let name = match machine {
        3 => "i386",
        8 => "mips",
        20 => "ppc",
        21 => "ppc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        other => return format!("machine {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> Format {
        Format::of(&|offset, length| {
            let from = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            bytes[from..bytes.len().min(from.saturating_add(length))].to_vec()
        })
    }

    #[test]
    fn first_lines() {
        let script = |name: &[u8]| Format::Script(name.to_vec());
        assert_eq!(of(b"#!/bin/sh\necho"), script(b"/bin/sh"));
        assert_eq!(
            of(b"#! \t/usr/bin/env python3 -u\n"),
            script(b"/usr/bin/env")
        );
        assert_eq!(of(b"#!/bin/sh\r\necho\r\n"), script(b"/bin/sh\r"));
        assert_eq!(of(b"#!/bin/sh"), script(b"/bin/sh"));
        assert_eq!(of(b"#!relative\0x\n"), script(b"relative"));
        // Only a blank and a tab may stand in front.
        assert_eq!(of(b"#!\r\necho\r\n"), script(b"\r"));
        assert_eq!(of(b"#!\t\x0c/bin/sh\n"), script(b"\x0c/bin/sh"));
        for other in [
            &b"#!\n/bin/sh"[..],
            b"#!",
            b"#! \t\n",
            b"#",
            b"",
            b" #!/bin/sh",
            b"echo",
        ] {
            assert_eq!(of(other), Format::Other, "{}", other.escape_ascii());
        }
    }

    /// The kernel does not execute what may be a part of a name only, and leaves the file to a shell.
    #[test]
    fn a_name_that_is_cut_is_no_interpreter() {
        let of_length = |length: usize, end: &str| {
            let name = format!("/{}", "x".repeat(length - 1));
            (of(format!("#!{name}{end}").as_bytes()), name.into_bytes())
        };
        for end in ["\n", " -x\n", "\t", "\0"] {
            let (found, name) = of_length(LINE - 3, end);
            assert_eq!(found, Format::Script(name), "{end:?}");
            let (found, _) = of_length(LINE - 2, end);
            assert_eq!(found, Format::Other, "{end:?}");
        }
        let (found, name) = of_length(LINE - 3, "");
        assert_eq!(found, Format::Script(name), "the file ends there");
    }

    /// A made file: a header, one program header that is none, then the one of the loader.
    fn made(wide: bool, big: bool) -> Vec<u8> {
        let mut bytes = vec![0_u8; 512];
        let mut put = |at: usize, size: usize, number: u64| {
            let all = number.to_be_bytes();
            let mut number = all[8 - size..].to_vec();
            if !big {
                number.reverse();
            }
            bytes[at..at + size].copy_from_slice(&number);
        };
        let (class, order) = (if wide { 2 } else { 1 }, if big { 2 } else { 1 });
        put(4, 1, class);
        put(5, 1, order);
        put(18, 2, 183);
        if wide {
            for (at, size, number) in [(32, 8, 64), (54, 2, 56), (56, 2, 2)] {
                put(at, size, number);
            }
            for (at, size, number) in [(64, 4, 1), (120, 4, 3), (128, 8, 400), (152, 8, 20)] {
                put(at, size, number);
            }
        } else {
            for (at, size, number) in [(28, 4, 64), (42, 2, 32), (44, 2, 2)] {
                put(at, size, number);
            }
            for (at, size, number) in [(64, 4, 1), (96, 4, 3), (100, 4, 400), (112, 4, 20)] {
                put(at, size, number);
            }
        }
        bytes[..4].copy_from_slice(b"\x7fELF");
        bytes[400..417].copy_from_slice(b"/lib/ld-odd.so.1\0");
        bytes
    }

    #[test]
    fn loaders_of_either_width_and_order() {
        for (wide, big) in [(true, false), (true, true), (false, false), (false, true)] {
            let expected = Format::Elf {
                machine: 183,
                loader: Some(b"/lib/ld-odd.so.1".to_vec()),
            };
            assert_eq!(of(&made(wide, big)), expected, "wide {wide}, big {big}");
        }
    }

    #[test]
    fn the_loader_may_stand_behind_many_headers() {
        let mut bytes = made(true, false);
        // Of 40 headers, 56 bytes each, the last is the one.
        let (first, last) = (64, 64 + 39 * 56);
        bytes.resize(last + 56, 0);
        bytes.copy_within(120..176, last);
        bytes[first..400].fill(0);
        bytes[56] = 40;
        let Format::Elf { loader, .. } = of(&bytes) else {
            panic!("an ELF file");
        };
        assert_eq!(loader.as_deref(), Some(&b"/lib/ld-odd.so.1"[..]));
    }

    #[test]
    fn a_file_that_is_cut_has_no_loader() {
        let whole = made(true, false);
        for length in 0..400 {
            match of(&whole[..length]) {
                Format::Elf { loader: None, .. } => assert!(length >= 20),
                Format::Other => assert!(length < 20),
                other => panic!("{length} bytes are {other:?}"),
            }
        }
    }

    #[test]
    fn the_shell_of_this_machine() {
        let bytes = std::fs::read("/bin/sh").unwrap();
        let Format::Elf { machine, .. } = of(&bytes) else {
            panic!("/bin/sh is an ELF file");
        };
        assert!(own_machine().is_none_or(|own| own == machine));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, at in 0_usize..200, byte: u8) {
            of(&bytes);
            of(&[b"#!", &bytes[..]].concat());
            let mut elf = made(bytes.len() % 2 == 0, bytes.len() % 3 == 0);
            elf[4 + at] = byte;
            of(&elf);
        }
    }
}
