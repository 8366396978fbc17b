//! No unwinder in the release build: a panic says what and where, and aborts.
//!
//! The message of a panic in std brings in an unwinder, a reader of debugging information and a decompressor: a
//! third of the whole binary, for a backtrace that could show only addresses, as symbols are stripped. All of it
//! hangs on the functions here; where they are ours, the optimizer sees that the rest is never reached.
//!
//! The hard thing: all names that std refers to must be here. One that is missing makes the linker take the C
//! library's unwinder after all, and complain of two.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK` of the Itanium C++ ABI: there is no further frame.
const END_OF_STACK: c_int = 5;

/// The walk over the stack, for a backtrace: it meets no frame.
// SAFETY: it has the name and the form of the unwinder's function, and does what that one does without frames.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(
    _frame: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    _argument: *mut c_void,
) -> c_int {
    END_OF_STACK
}

/// Functions of the unwinder that are called only while a stack is unwound, which `panic = "abort"` never does.
macro_rules! never_called {
    ($($name:ident)+) => {
        $(
            // SAFETY: it has the name of the unwinder's function; with whatever arguments, it does not return.
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )+
    };
}

never_called! {
    _Unwind_GetDataRelBase
    _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_Resume
    _Unwind_SetGR
    _Unwind_SetIP
}
