//! glibc's own getopt_long(3), called in this process: what our reader of argv is held against.
//!
//! The hard thing here: getopt_long(3) keeps its place in global variables and prints its errors
//! itself. One lock goes around every use, and the C `stderr`, which is a variable that nothing else
//! in a Rust test writes through, points into memory meanwhile.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

/// `struct option` of getopt_long(3).
#[repr(C)]
struct LongOption {
    name: *const c_char,
    has_arg: c_int,
    flag: *mut c_int,
    val: c_int,
}

unsafe extern "C" {
    fn getopt_long(
        argc: c_int,
        argv: *const *const c_char,
        optstring: *const c_char,
        longopts: *const LongOption,
        longindex: *mut c_int,
    ) -> c_int;

    static mut optarg: *const c_char;
    static mut optind: c_int;
    static mut stderr: *mut libc::FILE;
}

/// A row of the table: the long name, `has_arg` (0 no value, 1 required, 2 optional), and what to
/// return when it is met.
pub(crate) type OptionRow<'a> = (&'a CStr, c_int, c_int);

/// What getopt_long(3) made of a command line.
#[derive(Debug)]
pub(crate) struct Parse {
    /// What it returned, call by call, with `optarg`; without the last -1 or '?'.
    pub(crate) met: Vec<(c_int, Option<Vec<u8>>)>,
    /// The first operand's index.
    pub(crate) first_operand: usize,
    /// The line on standard error, if it gave one; nothing was read behind it.
    pub(crate) error: Option<Vec<u8>>,
}

/// Reads `argv` up to the first error. `rows_for` gives the table to use for the word that is next.
pub(crate) fn parse<'a>(
    argv: &[&CStr],
    short: &CStr,
    rows_for: impl Fn(&CStr) -> &'a [OptionRow<'a>],
) -> Parse {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().expect("no panic in here");

    let stderr_text = StderrText::capture();
    let pointers: Vec<_> = argv
        .iter()
        .map(|word| word.as_ptr())
        .chain([null()])
        .collect();
    // 0 makes glibc forget the line before (getopt(3), NOTES).
    set_place(0);
    let mut met = Vec::new();
    let failed = loop {
        let rows = argv
            .get(place().max(1))
            .map_or(&[][..], |&next| rows_for(next));
        let table: Vec<_> = rows
            .iter()
            .map(|&(name, has_arg, val)| LongOption {
                name: name.as_ptr(),
                has_arg,
                flag: null_mut(),
                val,
            })
            .chain([LongOption {
                name: null(),
                has_arg: 0,
                flag: null_mut(),
                val: 0,
            }])
            .collect();
        let argc = c_int::try_from(argv.len()).expect("a short line");
        // SAFETY: both tables end with a null entry, and all strings outlive the call; a short string
        // that begins with `+` makes glibc leave the order of argv alone.
        let val = unsafe {
            getopt_long(
                argc,
                pointers.as_ptr(),
                short.as_ptr(),
                table.as_ptr(),
                null_mut(),
            )
        };
        match val {
            -1 => break false,
            val if val == c_int::from(b'?') => break true,
            val => met.push((val, value())),
        }
    };
    let first_operand = place();
    let text = stderr_text.finish();
    Parse {
        met,
        first_operand,
        error: failed.then_some(text),
    }
}

fn place() -> usize {
    // SAFETY: only `parse` touches the variable, under its lock.
    let place = unsafe { optind };
    usize::try_from(place).expect("an index")
}

fn set_place(place: c_int) {
    // SAFETY: only `parse` touches the variable, under its lock.
    unsafe { optind = place }
}

fn value() -> Option<Vec<u8>> {
    // SAFETY: only `parse` touches the variable, under its lock.
    let value = unsafe { optarg };
    if value.is_null() {
        return None;
    }
    // SAFETY: glibc set it to the end of a word of argv, or to a whole one, and those still live.
    let value = unsafe { CStr::from_ptr(value) };
    Some(value.to_bytes().to_vec())
}

/// What is written to the C `stderr` meanwhile. The stream's buffer and its length are boxed, since
/// the stream keeps their addresses.
struct StderrText {
    real: *mut libc::FILE,
    stream: *mut libc::FILE,
    place: Box<(*mut c_char, usize)>,
}

impl StderrText {
    fn capture() -> Self {
        let mut place = Box::new((null_mut(), 0));
        // SAFETY: both out-pointers stay valid until `finish` closes the stream.
        let stream = unsafe { libc::open_memstream(&raw mut place.0, &raw mut place.1) };
        assert!(!stream.is_null(), "open_memstream: out of memory");
        // SAFETY: only `parse` touches the variable, under its lock.
        let real = unsafe { stderr };
        // SAFETY: as above; the stream is open until after the real one is back.
        unsafe { stderr = stream };
        Self {
            real,
            stream,
            place,
        }
    }

    fn finish(self) -> Vec<u8> {
        // SAFETY: as in `capture`.
        unsafe { stderr = self.real };
        // SAFETY: the stream is open, and closed only here.
        unsafe { libc::fclose(self.stream) };
        let (text, length) = *self.place;
        // SAFETY: fclose left the buffer and its length there.
        let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec();
        // SAFETY: open_memstream's buffer is ours to free, and nothing points to it any more.
        unsafe { libc::free(text.cast()) };
        bytes
    }
}
