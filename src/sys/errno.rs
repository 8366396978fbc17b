//! Errors of system calls, named and worded as the GNU C library does.
//!
//! Scripts compare these words, so they must not depend on the library that we are linked with: musl
//! says `Out of memory` where everybody expects `Cannot allocate memory`.

use std::fmt;

/// An errno (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Error(i32);

impl Error {
    /// The errno that the last failed call of this thread left.
    pub(crate) fn last() -> Error {
        Error(nix::errno::Errno::last_raw())
    }

    /// The error with this number.
    pub(crate) const fn from_raw(number: i32) -> Error {
        Error(number)
    }

    /// The number, one of `libc::E*`.
    pub(crate) const fn raw(self) -> i32 {
        self.0
    }

    /// Its name: `EPERM`. Numbers that the kernel does not give away are `E?`.
    pub(crate) fn name(self) -> &'static str {
        self.row().map_or("E?", |(name, _)| name)
    }

    /// The words of strerror(3) in the GNU C library, in the C locale.
    pub(crate) fn text(self) -> &'static str {
        self.row().map_or("Unknown error", |(_, text)| text)
    }

    fn row(self) -> Option<(&'static str, &'static str)> {
        let at = NUMBERS
            .iter()
            .position(|&number| i32::from(number) == self.0)?;
        WORDS.lines().nth(at)?.split_once(' ')
    }
}

impl From<nix::errno::Errno> for Error {
    fn from(errno: nix::errno::Errno) -> Error {
        Error(errno as i32)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The numbers of all errors that Linux has, in the order of [`WORDS`].
#[rustfmt::skip]
const NUMBERS: [u8; 131] = [
    libc::EPERM as u8,
    libc::ENOENT as u8,
    libc::ESRCH as u8,
    libc::EINTR as u8,
    libc::EIO as u8,
    libc::ENXIO as u8,
    libc::E2BIG as u8,
    libc::ENOEXEC as u8,
    libc::EBADF as u8,
    libc::ECHILD as u8,
    libc::EAGAIN as u8,
    libc::ENOMEM as u8,
    libc::EACCES as u8,
    libc::EFAULT as u8,
    libc::ENOTBLK as u8,
    libc::EBUSY as u8,
    libc::EEXIST as u8,
    libc::EXDEV as u8,
    libc::ENODEV as u8,
    libc::ENOTDIR as u8,
    libc::EISDIR as u8,
    libc::EINVAL as u8,
    libc::ENFILE as u8,
    libc::EMFILE as u8,
    libc::ENOTTY as u8,
    libc::ETXTBSY as u8,
    libc::EFBIG as u8,
    libc::ENOSPC as u8,
    libc::ESPIPE as u8,
    libc::EROFS as u8,
    libc::EMLINK as u8,
    libc::EPIPE as u8,
    libc::EDOM as u8,
    libc::ERANGE as u8,
    libc::EDEADLK as u8,
    libc::ENAMETOOLONG as u8,
    libc::ENOLCK as u8,
    libc::ENOSYS as u8,
    libc::ENOTEMPTY as u8,
    libc::ELOOP as u8,
    libc::ENOMSG as u8,
    libc::EIDRM as u8,
    libc::ECHRNG as u8,
    libc::EL2NSYNC as u8,
    libc::EL3HLT as u8,
    libc::EL3RST as u8,
    libc::ELNRNG as u8,
    libc::EUNATCH as u8,
    libc::ENOCSI as u8,
    libc::EL2HLT as u8,
    libc::EBADE as u8,
    libc::EBADR as u8,
    libc::EXFULL as u8,
    libc::ENOANO as u8,
    libc::EBADRQC as u8,
    libc::EBADSLT as u8,
    libc::EBFONT as u8,
    libc::ENOSTR as u8,
    libc::ENODATA as u8,
    libc::ETIME as u8,
    libc::ENOSR as u8,
    libc::ENONET as u8,
    libc::ENOPKG as u8,
    libc::EREMOTE as u8,
    libc::ENOLINK as u8,
    libc::EADV as u8,
    libc::ESRMNT as u8,
    libc::ECOMM as u8,
    libc::EPROTO as u8,
    libc::EMULTIHOP as u8,
    libc::EDOTDOT as u8,
    libc::EBADMSG as u8,
    libc::EOVERFLOW as u8,
    libc::ENOTUNIQ as u8,
    libc::EBADFD as u8,
    libc::EREMCHG as u8,
    libc::ELIBACC as u8,
    libc::ELIBBAD as u8,
    libc::ELIBSCN as u8,
    libc::ELIBMAX as u8,
    libc::ELIBEXEC as u8,
    libc::EILSEQ as u8,
    libc::ERESTART as u8,
    libc::ESTRPIPE as u8,
    libc::EUSERS as u8,
    libc::ENOTSOCK as u8,
    libc::EDESTADDRREQ as u8,
    libc::EMSGSIZE as u8,
    libc::EPROTOTYPE as u8,
    libc::ENOPROTOOPT as u8,
    libc::EPROTONOSUPPORT as u8,
    libc::ESOCKTNOSUPPORT as u8,
    libc::EOPNOTSUPP as u8,
    libc::EPFNOSUPPORT as u8,
    libc::EAFNOSUPPORT as u8,
    libc::EADDRINUSE as u8,
    libc::EADDRNOTAVAIL as u8,
    libc::ENETDOWN as u8,
    libc::ENETUNREACH as u8,
    libc::ENETRESET as u8,
    libc::ECONNABORTED as u8,
    libc::ECONNRESET as u8,
    libc::ENOBUFS as u8,
    libc::EISCONN as u8,
    libc::ENOTCONN as u8,
    libc::ESHUTDOWN as u8,
    libc::ETOOMANYREFS as u8,
    libc::ETIMEDOUT as u8,
    libc::ECONNREFUSED as u8,
    libc::EHOSTDOWN as u8,
    libc::EHOSTUNREACH as u8,
    libc::EALREADY as u8,
    libc::EINPROGRESS as u8,
    libc::ESTALE as u8,
    libc::EUCLEAN as u8,
    libc::ENOTNAM as u8,
    libc::ENAVAIL as u8,
    libc::EISNAM as u8,
    libc::EREMOTEIO as u8,
    libc::EDQUOT as u8,
    libc::ENOMEDIUM as u8,
    libc::EMEDIUMTYPE as u8,
    libc::ECANCELED as u8,
    libc::ENOKEY as u8,
    libc::EKEYEXPIRED as u8,
    libc::EKEYREVOKED as u8,
    libc::EKEYREJECTED as u8,
    libc::EOWNERDEAD as u8,
    libc::ENOTRECOVERABLE as u8,
    libc::ERFKILL as u8,
    libc::EHWPOISON as u8,
];

/// Name and words of each. One text, and no table of texts: every pointer in a table must be relocated when the
/// program starts, and errors are rare.
const WORDS: &str = "\
EPERM Operation not permitted
ENOENT No such file or directory
ESRCH No such process
EINTR Interrupted system call
EIO Input/output error
ENXIO No such device or address
E2BIG Argument list too long
ENOEXEC Exec format error
EBADF Bad file descriptor
ECHILD No child processes
EAGAIN Resource temporarily unavailable
ENOMEM Cannot allocate memory
EACCES Permission denied
EFAULT Bad address
ENOTBLK Block device required
EBUSY Device or resource busy
EEXIST File exists
EXDEV Invalid cross-device link
ENODEV No such device
ENOTDIR Not a directory
EISDIR Is a directory
EINVAL Invalid argument
ENFILE Too many open files in system
EMFILE Too many open files
ENOTTY Inappropriate ioctl for device
ETXTBSY Text file busy
EFBIG File too large
ENOSPC No space left on device
ESPIPE Illegal seek
EROFS Read-only file system
EMLINK Too many links
EPIPE Broken pipe
EDOM Numerical argument out of domain
ERANGE Numerical result out of range
EDEADLK Resource deadlock avoided
ENAMETOOLONG File name too long
ENOLCK No locks available
ENOSYS Function not implemented
ENOTEMPTY Directory not empty
ELOOP Too many levels of symbolic links
ENOMSG No message of desired type
EIDRM Identifier removed
ECHRNG Channel number out of range
EL2NSYNC Level 2 not synchronized
EL3HLT Level 3 halted
EL3RST Level 3 reset
ELNRNG Link number out of range
EUNATCH Protocol driver not attached
ENOCSI No CSI structure available
EL2HLT Level 2 halted
EBADE Invalid exchange
EBADR Invalid request descriptor
EXFULL Exchange full
ENOANO No anode
EBADRQC Invalid request code
EBADSLT Invalid slot
EBFONT Bad font file format
ENOSTR Device not a stream
ENODATA No data available
ETIME Timer expired
ENOSR Out of streams resources
ENONET Machine is not on the network
ENOPKG Package not installed
EREMOTE Object is remote
ENOLINK Link has been severed
EADV Advertise error
ESRMNT Srmount error
ECOMM Communication error on send
EPROTO Protocol error
EMULTIHOP Multihop attempted
EDOTDOT RFS specific error
EBADMSG Bad message
EOVERFLOW Value too large for defined data type
ENOTUNIQ Name not unique on network
EBADFD File descriptor in bad state
EREMCHG Remote address changed
ELIBACC Can not access a needed shared library
ELIBBAD Accessing a corrupted shared library
ELIBSCN .lib section in a.out corrupted
ELIBMAX Attempting to link in too many shared libraries
ELIBEXEC Cannot exec a shared library directly
EILSEQ Invalid or incomplete multibyte or wide character
ERESTART Interrupted system call should be restarted
ESTRPIPE Streams pipe error
EUSERS Too many users
ENOTSOCK Socket operation on non-socket
EDESTADDRREQ Destination address required
EMSGSIZE Message too long
EPROTOTYPE Protocol wrong type for socket
ENOPROTOOPT Protocol not available
EPROTONOSUPPORT Protocol not supported
ESOCKTNOSUPPORT Socket type not supported
EOPNOTSUPP Operation not supported
EPFNOSUPPORT Protocol family not supported
EAFNOSUPPORT Address family not supported by protocol
EADDRINUSE Address already in use
EADDRNOTAVAIL Cannot assign requested address
ENETDOWN Network is down
ENETUNREACH Network is unreachable
ENETRESET Network dropped connection on reset
ECONNABORTED Software caused connection abort
ECONNRESET Connection reset by peer
ENOBUFS No buffer space available
EISCONN Transport endpoint is already connected
ENOTCONN Transport endpoint is not connected
ESHUTDOWN Cannot send after transport endpoint shutdown
ETOOMANYREFS Too many references: cannot splice
ETIMEDOUT Connection timed out
ECONNREFUSED Connection refused
EHOSTDOWN Host is down
EHOSTUNREACH No route to host
EALREADY Operation already in progress
EINPROGRESS Operation now in progress
ESTALE Stale file handle
EUCLEAN Structure needs cleaning
ENOTNAM Not a XENIX named type file
ENAVAIL No XENIX semaphores available
EISNAM Is a named type file
EREMOTEIO Remote I/O error
EDQUOT Disk quota exceeded
ENOMEDIUM No medium found
EMEDIUMTYPE Wrong medium type
ECANCELED Operation canceled
ENOKEY Required key not available
EKEYEXPIRED Key has expired
EKEYREVOKED Key has been revoked
EKEYREJECTED Key was rejected by service
EOWNERDEAD Owner died
ENOTRECOVERABLE State not recoverable
ERFKILL Operation not possible due to RF-kill
EHWPOISON Memory page has hardware error
";

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn each_number_has_its_words() {
        assert_eq!(WORDS.lines().count(), NUMBERS.len());
        assert_eq!(Error::from_raw(libc::EPERM).name(), "EPERM");
        assert_eq!(Error::from_raw(libc::EHWPOISON).name(), "EHWPOISON");
        assert_eq!(Error::from_raw(0).name(), "E?");
        assert_eq!(Error::from_raw(4096).text(), "Unknown error");
    }

    #[test]
    fn words_are_those_of_glibc() {
        for number in 1..=133 {
            // SAFETY: any number is valid, and no other test of this binary calls strerror.
            let theirs = unsafe { libc::strerror(number) };
            // SAFETY: strerror returns a string that stays until its next call.
            let theirs = unsafe { CStr::from_ptr(theirs) }.to_str().unwrap();
            if !theirs.starts_with("Unknown error") {
                assert_eq!(Error::from_raw(number).text(), theirs, "errno {number}");
            }
        }
    }
}
