//! The kernel's entry, without a C library: numbers of system calls, and the two ways to make a child.
//!
//! The hard thing: a child that shares our memory must not return through a frame of the parent. Both
//! kinds of children here call a function that never returns.

use core::arch::asm;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const PAUSE: usize = 34;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const GETPPID: usize = 110;
    pub const PRCTL: usize = 157;
    pub const MOUNT: usize = 165;
    pub const FUTEX: usize = 202;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const UNSHARE: usize = 272;
    pub const SETNS: usize = 308;
    pub const PIDFD_OPEN: usize = 434;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const MOUNT: usize = 40;
    pub const OPENAT: usize = 56;
    pub const WRITE: usize = 64;
    pub const PAUSE: usize = 73; // ppoll(2), which waits for ever when asked about nothing
    pub const EXIT_GROUP: usize = 94;
    pub const UNSHARE: usize = 97;
    pub const FUTEX: usize = 98;
    pub const PRCTL: usize = 167;
    pub const GETPPID: usize = 173;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const WAIT4: usize = 260;
    pub const SETNS: usize = 268;
    pub const PIDFD_OPEN: usize = 434;
}

pub use number::*;

/// One system call with up to five arguments; a negative result is an errno.
///
/// # Safety
/// The arguments must be what the call takes; pointers among them must fit what the kernel does.
#[inline(always)]
pub unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result: isize;
    // SAFETY: the caller answers for the arguments; the registers are those of the kernel's convention.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _)
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c,
             in("x3") d, in("x4") e)
    };
    result
}

/// What a child does; it never returns.
pub type Body = extern "C" fn(*const *const u8) -> !;

/// A child that shares our memory and runs beside us, on a stack of its own that ends at `top`.
///
/// # Safety
/// The stack must be big enough for `body` and used by nothing else; `top` is aligned to 16 bytes.
#[inline(always)]
pub unsafe fn beside(top: *mut u8, body: Body, argument: *const *const u8) -> isize {
    // CLONE_VM, and SIGCHLD at the end.
    let flags: usize = 0x100 | 17;
    let result: isize;
    // SAFETY: the child has its own stack and never comes back out of `body`.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "mov rdi, {argument}", "call {body}", "ud2", "2:",
             argument = in(reg) argument, body = in(reg) body,
             inout("rax") CLONE => result, in("rdi") flags, in("rsi") top, in("rdx") 0,
             in("r10") 0, in("r8") 0, out("rcx") _, out("r11") _)
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", "cbnz x0, 2f", "mov x0, {argument}", "blr {body}", "brk 1", "2:",
             argument = in(reg) argument, body = in(reg) body,
             in("x8") CLONE, inout("x0") flags => result, in("x1") top, in("x2") 0, in("x3") 0,
             in("x4") 0)
    };
    result
}
