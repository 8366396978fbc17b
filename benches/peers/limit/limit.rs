//! The limit: a program without a C library that makes only the system calls of a case.
//!
//! Its arguments are steps, then `--` and the program with its arguments:
//!
//! | step | does |
//! | --- | --- |
//! | `unshare FLAGS` | new namespaces; FLAGS in hexadecimal |
//! | `write FILE TEXT` | opens FILE and writes TEXT with one call |
//! | `setns PID FLAGS` | enters these namespaces of the process |
//! | `enter FILE FLAGS` | enters the namespace of an nsfs file |
//! | `private` | makes every mount private |
//! | `proc` | mounts a fresh proc on /proc |
//! | `share` | does the rest in a child that shares our memory, and ends with its status; unlike vfork(2) it leaves us killable |
//! | `copy` | the same in a child that has a copy of our memory, as who enters the namespaces of others must |
//! | `helpers FLAGS [HELPER … ;] …` | starts the helpers beside us (at most two), each with our PID put in as its first argument; makes the new namespaces; lets the helpers run; waits for them |
//! | `outside FLAGS FILE TEXT` | the same with one helper, which writes TEXT to our /proc/PID/FILE |
//! | `print BYTES` | writes so many bytes, and ends with 0 |
//! | `hold` | forks a child that does nothing; prints its PID; waits for it; each dies with its parent |
//!
//! A system call that fails ends it with the errno as status, a step that makes no sense with 199, a helper
//! or a child that fails with 200, one that was killed with 201.

#![no_std]
#![no_main]
// No C library, so no strlen or memcpy that loops could be turned into.
#![no_builtins]

mod kernel;

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::{Body, call};

/// A word of argv, ended by a NUL.
type Word = *const u8;
/// A place in argv.
type Words = *const Word;

/// The environment, set once at the start.
static ENVIRONMENT: AtomicPtr<Word> = AtomicPtr::new(core::ptr::null_mut());
/// 1 as soon as the helpers may run: a futex.
static GO: AtomicU32 = AtomicU32::new(0);

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    "ud2",
    begin = sym begin,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, 0",
    "mov x0, sp",
    "bl {begin}",
    "brk 1",
    begin = sym begin,
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(199)
}

/// `stack` is what the kernel laid out for a new program: argc, argv, null, the environment, null.
extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel's layout (execve(2)): argc is the first word, the environment begins behind
    // argv's null, and nothing of it ever moves.
    unsafe {
        let argc = *stack;
        let argv: Words = stack.add(1).cast();
        ENVIRONMENT.store(argv.add(argc + 1).cast_mut(), Ordering::Relaxed);
        steps(argv.add(1))
    }
}

/// Does the steps from `words` on, and executes the program.
extern "C" fn steps(mut words: Words) -> ! {
    loop {
        let step = word(words, 0);
        if is(step, b"--") {
            execute(words.wrapping_add(1), 1);
        } else if is(step, b"unshare") {
            kernel(kernel::UNSHARE, [hexadecimal(word(words, 1)), 0, 0, 0, 0]);
            words = words.wrapping_add(2);
        } else if is(step, b"write") {
            write_file(word(words, 1), word(words, 2));
            words = words.wrapping_add(3);
        } else if is(step, b"setns") {
            let pid = number(word(words, 1), 10);
            let pidfd = kernel(kernel::PIDFD_OPEN, [pid, 0, 0, 0, 0]);
            kernel(kernel::SETNS, [pidfd, hexadecimal(word(words, 2)), 0, 0, 0]);
            words = words.wrapping_add(3);
        } else if is(step, b"enter") {
            let file = open(word(words, 1), READ);
            kernel(kernel::SETNS, [file, hexadecimal(word(words, 2)), 0, 0, 0]);
            words = words.wrapping_add(3);
        } else if is(step, b"private") {
            // MS_REC and MS_PRIVATE.
            mount(c"none", c"/", c"", 0x4000 | 0x40000);
            words = words.wrapping_add(1);
        } else if is(step, b"proc") {
            // MS_NOSUID, MS_NODEV, MS_NOEXEC.
            mount(c"proc", c"/proc", c"proc", 2 | 4 | 8);
            words = words.wrapping_add(1);
        } else if is(step, b"share") {
            // SAFETY: the stack is the child's alone; it does the rest of the steps, while we only wait.
            let child = unsafe { kernel::beside(stack(0), steps, words.wrapping_add(1)) };
            wait(child);
        } else if is(step, b"copy") {
            match fork() {
                0 => words = words.wrapping_add(1),
                child => wait(child),
            }
        } else if is(step, b"helpers") {
            words = helpers(words.wrapping_add(1));
        } else if is(step, b"outside") {
            beside(word(words, 1), &[writer], words.wrapping_add(2));
            words = words.wrapping_add(4);
        } else if is(step, b"print") {
            print(number(word(words, 1), 10));
        } else if is(step, b"hold") {
            hold();
        } else {
            exit(199);
        }
    }
}

fn word(words: Words, index: usize) -> Word {
    // SAFETY: argv ends with a null pointer, at which `is` says no and the steps end.
    unsafe { *words.add(index) }
}

/// One system call that must succeed.
fn kernel(name: usize, [a, b, c, d, e]: [usize; 5]) -> usize {
    // SAFETY: the callers below give each call what it takes, with pointers to memory that lives on.
    let result = unsafe { call(name, a, b, c, d, e) };
    usize::try_from(result).unwrap_or_else(|_| exit(result.unsigned_abs()))
}

fn exit(status: usize) -> ! {
    loop {
        // SAFETY: this call takes a number and does not return.
        unsafe { call(kernel::EXIT_GROUP, status, 0, 0, 0, 0) };
    }
}

fn execute(argv: Words, first: usize) -> ! {
    let environment = ENVIRONMENT.load(Ordering::Relaxed) as usize;
    let program = word(argv, first - 1) as usize;
    kernel(kernel::EXECVE, [program, argv as usize, environment, 0, 0]);
    exit(199)
}

const READ: usize = 0;
const WRITE: usize = 1;

fn open(path: Word, how: usize) -> usize {
    const AT_FDCWD: usize = -100_isize as usize;
    const CLOSE_ON_EXEC: usize = 0o2_000_000;
    kernel(
        kernel::OPENAT,
        [AT_FDCWD, path as usize, how | CLOSE_ON_EXEC, 0, 0],
    )
}

fn write_file(path: Word, text: Word) {
    let file = open(path, WRITE);
    kernel(kernel::WRITE, [file, text as usize, length(text), 0, 0]);
}

fn mount(source: &core::ffi::CStr, on: &core::ffi::CStr, kind: &core::ffi::CStr, flags: usize) {
    let address = |text: &core::ffi::CStr| text.as_ptr() as usize;
    kernel(
        kernel::MOUNT,
        [address(source), address(on), address(kind), flags, 0],
    );
}

/// Waits for the child, and ends with its status.
fn wait(child: isize) -> ! {
    let status = wait_for(child);
    exit(if status & 0x7f == 0 { status >> 8 } else { 201 })
}

fn wait_for(child: isize) -> usize {
    let mut status = 0_u32;
    let address = &raw mut status as usize;
    kernel(kernel::WAIT4, [child as usize, address, 0, 0, 0]);
    // SAFETY: the kernel has written our own variable, through its address.
    unsafe { (&raw const status).read_volatile() as usize }
}

/// The helpers of ID maps, as many as there are groups of words up to `;`. Gives what comes behind.
fn helpers(words: Words) -> Words {
    let mut second = end_of(words.wrapping_add(1));
    if is(word(second, 0), b"--") {
        beside(word(words, 0), &[helper], words.wrapping_add(1));
    } else {
        second = end_of(second);
        beside(word(words, 0), &[helper, helper], words.wrapping_add(1));
    }
    second
}

/// The word behind the next `;`.
fn end_of(mut words: Words) -> Words {
    while !is(word(words, 0), b";") {
        words = words.wrapping_add(1);
    }
    words.wrapping_add(1)
}

/// The end of one of two stacks for children that share our memory.
fn stack(index: usize) -> *mut u8 {
    #[repr(align(16))]
    struct Stack(#[allow(dead_code)] [u8; 4096]);
    static mut STACKS: [Stack; 2] = [const { Stack([0; 4096]) }; 2];
    let stacks = (&raw mut STACKS).cast::<Stack>();
    stacks.wrapping_add(index + 1).cast()
}

/// Starts these children at the same time, as soon as the new namespaces are there; waits for them.
fn beside(flags: Word, bodies: &[Body], mut words: Words) {
    let mut children = [0_isize; 2];
    for ((index, body), child) in bodies.iter().enumerate().zip(&mut children) {
        // SAFETY: the stack of this index, which only this child uses.
        *child = unsafe { kernel::beside(stack(index), *body, words) };
        if bodies.len() > 1 {
            words = end_of(words);
        }
    }
    kernel(kernel::UNSHARE, [hexadecimal(flags), 0, 0, 0, 0]);
    GO.store(1, Ordering::Release);
    const FUTEX_WAKE: usize = 1;
    kernel(kernel::FUTEX, [GO.as_ptr() as usize, FUTEX_WAKE, 2, 0, 0]);
    for child in children.iter().take(bodies.len()) {
        match wait_for(*child) {
            0 => {}
            status => exit(if status & 0x7f == 0 { 200 } else { 201 }),
        }
    }
}

/// Returns as soon as the new namespaces are there.
fn wait_for_go() {
    while GO.load(Ordering::Acquire) == 0 {
        const FUTEX_WAIT: usize = 0;
        // Woken, or too late to sleep (EAGAIN): the loop looks again.
        // SAFETY: the futex is a static; no time limit is a null pointer.
        unsafe { call(kernel::FUTEX, GO.as_ptr() as usize, FUTEX_WAIT, 0, 0, 0) };
    }
}

/// A helper that writes a file of our parent: `words` are its name and the text.
extern "C" fn writer(words: Words) -> ! {
    wait_for_go();
    // "/proc/PID/FILE"
    let mut path = [0_u8; 64];
    let parent = decimal(kernel(kernel::GETPPID, [0; 5]));
    let digits = parent.iter().skip_while(|digit| **digit == b'0');
    let digits = digits.take_while(|digit| **digit != 0);
    let name = word(words, 0);
    // SAFETY: an index below the word's length.
    let name = (0..length(name)).map(|index| unsafe { *name.add(index) });
    let text = b"/proc/"
        .iter()
        .chain(digits)
        .copied()
        .chain([b'/'])
        .chain(name);
    for (place, byte) in path.iter_mut().take(63).zip(text) {
        *place = byte;
    }
    write_file(path.as_ptr(), word(words, 1));
    exit(0)
}

/// A helper: `words` are its program and arguments up to `;`; the PID comes between.
extern "C" fn helper(words: Words) -> ! {
    wait_for_go();
    let parent = decimal(kernel(kernel::GETPPID, [0; 5]));
    let mut argv = [core::ptr::null(); 8];
    let mut rest = words;
    for (index, place) in argv.iter_mut().take(7).enumerate() {
        if index == 1 {
            *place = parent.as_ptr();
            continue;
        }
        if is(word(rest, 0), b";") {
            break;
        }
        *place = word(rest, 0);
        rest = rest.wrapping_add(1);
    }
    execute(argv.as_ptr(), 1)
}

fn print(bytes: usize) -> ! {
    // Zeros in the BSS, which take no room in the file; nobody looks at what is printed.
    static TEXT: [AtomicU32; 2048] = [const { AtomicU32::new(0) }; 2048];
    kernel(
        kernel::WRITE,
        [1, TEXT.as_ptr() as usize, bytes.min(4 * TEXT.len()), 0, 0],
    );
    exit(0)
}

fn hold() -> ! {
    die_with_parent();
    let child = fork();
    if child == 0 {
        die_with_parent();
        loop {
            // SAFETY: it asks about no descriptor and has no time limit, so it only waits.
            unsafe { call(kernel::PAUSE, 0, 0, 0, 0, 0) };
        }
    }
    let text = decimal(child as usize).map(|byte| if byte == 0 { b'\n' } else { byte });
    kernel(kernel::WRITE, [1, text.as_ptr() as usize, text.len(), 0, 0]);
    wait(child)
}

fn fork() -> isize {
    // SAFETY: a plain fork, by clone(2) with nothing but SIGCHLD: the child has a copy of our memory.
    let child = unsafe { call(kernel::CLONE, 17, 0, 0, 0, 0) };
    if child < 0 {
        exit(child.unsigned_abs());
    }
    child
}

fn die_with_parent() {
    const PR_SET_PDEATHSIG: usize = 1;
    const SIGKILL: usize = 9;
    kernel(kernel::PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}

fn is(word: Word, text: &[u8]) -> bool {
    if word.is_null() {
        return false;
    }
    for (index, byte) in text.iter().chain(&[0]).enumerate() {
        // SAFETY: all bytes before this one were equal to `text`, so the word's NUL is not behind us.
        if unsafe { *word.add(index) } != *byte {
            return false;
        }
    }
    true
}

fn length(word: Word) -> usize {
    let mut length = 0;
    // SAFETY: words end with a NUL, and no byte before this one was it.
    while unsafe { *word.add(length) } != 0 {
        length += 1;
    }
    length
}

/// The number in ten digits, with a NUL behind them.
fn decimal(number: usize) -> [u8; 11] {
    let mut text = *b"0000000000\0";
    let mut rest = number;
    for place in text.iter_mut().rev().skip(1) {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

fn hexadecimal(word: Word) -> usize {
    number(word, 16)
}

fn number(word: Word, base: u32) -> usize {
    let mut value = 0;
    for index in 0..length(word) {
        // SAFETY: `index` is below the word's length.
        let digit = char::from(unsafe { *word.add(index) }).to_digit(base);
        value = value * base as usize + digit.unwrap_or_else(|| exit(199)) as usize;
    }
    value
}
