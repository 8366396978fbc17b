//! What is relocated at the start, and constant from then on, is made read-only: of the hardened binary only.
//!
//! It is the C library's work, which musl leaves undone in a program without a dynamic linker.

use std::ffi::{c_int, c_void};

use crate::sys::Error;

/// Takes the right to write away from what the linker marked (`PT_GNU_RELRO`, elf(5)).
pub(crate) fn protect_relocated() {
    // SAFETY: the callback has the type that it wants, and uses no data of ours.
    unsafe { libc::dl_iterate_phdr(Some(protect), std::ptr::null_mut()) };
}

/// Gives 1, which ends the list: the first object is the program itself, and a static one has no others.
extern "C" fn protect(object: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the C library hands over a structure that is whole until this returns.
    let object = unsafe { &*object };
    // SAFETY: reads a word that the kernel handed over; no memory is touched.
    let page = unsafe { libc::getauxval(libc::AT_PAGESZ) };
    let page = usize::try_from(page).expect("a word");
    for index in 0..usize::from(object.dlpi_phnum) {
        // SAFETY: there are `dlpi_phnum` headers.
        let header = unsafe { object.dlpi_phdr.add(index) };
        // SAFETY: as above; they are part of the program and do not change.
        let header = unsafe { &*header };
        if header.p_type == libc::PT_GNU_RELRO {
            let begin = object.dlpi_addr + header.p_vaddr;
            let end = begin + header.p_memsz;
            let [begin, end] = [begin, end].map(|at| usize::try_from(at).expect("an address"));
            // Whole pages only: what shares the last one with variables is written to.
            let [begin, end] = [begin, end].map(|at| at / page * page);
            // SAFETY: the linker put nothing there that is written after relocation.
            let failed =
                unsafe { libc::mprotect(begin as *mut c_void, end - begin, libc::PROT_READ) };
            assert!(failed == 0, "mprotect: {}", Error::last());
        }
    }
    1
}
