//! The heap: a cursor in a static area, and mappings when that is full.
//!
//! This program lives for some microseconds before the program that it starts, and never again needs what it has
//! freed. The C library's allocator costs five system calls and as many page faults before it gives the first
//! byte; this one costs none while a few kilobytes are enough. Only the last allocation can grow in place or be
//! taken back, which is what a vector or string that is being filled does.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr::null_mut;

/// The static area: more than any usual command line needs. Pages that are not touched cost nothing.
const AREA: usize = 256 * 1024;
/// The least that is mapped at a time when the area is full.
const CHUNK: usize = 1024 * 1024;

/// The allocator. There is one thread in this program, ever, and a child that shares our memory runs only while
/// we stand still, so nothing is locked.
///
/// The cursor lies in front of the area, so that both begin on one page.
#[repr(C)]
pub(crate) struct Bump {
    cursor: UnsafeCell<Cursor>,
    end: Cell<Option<End>>,
    area: UnsafeCell<Area>,
}

/// How this program ends when there is no more memory: who says so, and the exit status.
#[derive(Debug, Clone, Copy)]
struct End {
    name: &'static str,
    status: u8,
}

/// Aligned for anything that is usual, so that the first allocation needs no padding.
#[repr(align(16))]
struct Area(#[expect(dead_code, reason = "used by address")] [u8; AREA]);

/// What is left of the area or mapping in use, as addresses.
struct Cursor {
    next: usize,
    end: usize,
}

// SAFETY: see the type: one thread, so never two callers at a time.
unsafe impl Sync for Bump {}

impl Bump {
    /// An empty heap.
    pub(crate) const fn new() -> Bump {
        Bump {
            cursor: UnsafeCell::new(Cursor { next: 0, end: 0 }),
            end: Cell::new(None),
            area: UnsafeCell::new(Area([0; AREA])),
        }
    }

    /// From now on a lack of memory ends the program with this status, and a line under this name. The static itself
    /// stays all zeroes, which take no room in the binary.
    #[cfg_attr(test, expect(dead_code, reason = "tests have std's heap"))]
    pub(crate) fn end_with(&self, name: &'static str, status: u8) {
        self.end.set(Some(End { name, status }));
    }

    /// There is no more memory.
    #[cold]
    fn refuse(&self) -> *mut u8 {
        let End { name, status } = match self.end.get() {
            Some(end) => end,
            None if cfg!(test) => return null_mut(),
            // Not even the arguments found room.
            None => End {
                name: "nskit",
                status: 125,
            },
        };
        // In one write, without memory.
        let mut line = [0; 64];
        let mut length = 0;
        for byte in name.bytes().chain(*b": out of memory\n").take(line.len()) {
            line[length] = byte;
            length += 1;
        }
        // Whether anybody hears it changes nothing.
        let _ = super::print(super::Stream::Error, line.get(..length).unwrap_or_default());
        super::exit_now(status)
    }

    /// The cursor, set up at the first use: addresses are not known before the program runs.
    #[expect(
        clippy::mut_from_ref,
        reason = "a heap is changed through a shared static"
    )]
    fn cursor(&self) -> &mut Cursor {
        // SAFETY: one thread, and no caller keeps the reference across another call.
        let cursor = unsafe { &mut *self.cursor.get() };
        if cursor.end == 0 {
            cursor.next = self.area.get().addr();
            cursor.end = cursor.next + AREA;
        }
        cursor
    }

    /// A pointer that may be used for what lies at the address: in the area or in a mapping of ours.
    fn pointer(&self, address: usize) -> *mut u8 {
        let area = self.area.get().cast::<u8>();
        if (area.addr()..area.addr() + AREA).contains(&address) {
            area.with_addr(address)
        } else {
            std::ptr::with_exposed_provenance_mut(address)
        }
    }
}

/// New memory from the kernel (mmap(2)); its address, or none.
fn map(size: usize) -> Option<usize> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, which no other memory of ours is part of.
    let mapped = unsafe { libc::mmap(null_mut(), size, access, kind, -1, 0) };
    (mapped != libc::MAP_FAILED).then(|| mapped.expose_provenance())
}

// SAFETY: `alloc` gives memory that nobody else has, of the size and alignment asked for; `dealloc` and `realloc`
// take back or grow only what lies last.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let cursor = self.cursor();
        let start = cursor.next.next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= cursor.end => {
                cursor.next = end;
                self.pointer(start)
            }
            Some(_) => {
                // Mappings begin at a page, which is aligned for all that Rust asks for here. A size is less than
                // isize::MAX, so that there is a next multiple.
                let size = layout.size().max(CHUNK).next_multiple_of(CHUNK);
                let Some(start) = map(size).filter(|start| start % layout.align() == 0) else {
                    return self.refuse();
                };
                cursor.next = start + layout.size();
                cursor.end = start + size;
                self.pointer(start)
            }
            None => self.refuse(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let cursor = self.cursor();
        if pointer.addr() + layout.size() == cursor.next {
            cursor.next = pointer.addr();
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let cursor = self.cursor();
        let is_last = pointer.addr() + layout.size() == cursor.next;
        if is_last
            && pointer
                .addr()
                .checked_add(size)
                .is_some_and(|end| end <= cursor.end)
        {
            cursor.next = pointer.addr() + size;
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        let Ok(larger) = Layout::from_size_align(size, layout.align()) else {
            return null_mut();
        };
        // SAFETY: the layout is valid, and its size is not 0, being larger than another.
        let new = unsafe { self.alloc(larger) };
        if !new.is_null() {
            // SAFETY: both are as long as the old size at least, and the new one is nobody else's.
            unsafe { std::ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn allocations_do_not_overlap_and_the_last_one_grows_in_place() {
        static HEAP: Bump = Bump::new();
        let heap = &HEAP;
        // SAFETY: the size is not 0.
        let first = unsafe { heap.alloc(layout(3, 1)) };
        // SAFETY: as above.
        let second = unsafe { heap.alloc(layout(8, 8)) };
        assert_eq!(second.addr() % 8, 0);
        assert!(second.addr() >= first.addr() + 3);
        // SAFETY: it was allocated with this layout.
        let grown = unsafe { heap.realloc(second, layout(8, 8), 100) };
        assert_eq!(grown, second);
        // SAFETY: it was allocated with this layout, and holds three bytes.
        let moved = unsafe { heap.realloc(first, layout(3, 1), 4) };
        assert!(moved.addr() >= second.addr() + 100);
        // SAFETY: as above.
        unsafe { heap.dealloc(moved, layout(4, 1)) };
        // SAFETY: the size is not 0.
        let again = unsafe { heap.alloc(layout(4, 1)) };
        assert_eq!(again, moved, "the last one was taken back");
    }

    #[test]
    fn what_does_not_fit_is_mapped_and_keeps_its_bytes() {
        static HEAP: Bump = Bump::new();
        let heap = &HEAP;
        let size = AREA - 100;
        // SAFETY: the size is not 0.
        let small = unsafe { heap.alloc(layout(size, 1)) };
        // SAFETY: the allocation is that long.
        unsafe { small.write_bytes(7, size) };
        // SAFETY: it was allocated with this layout.
        let large = unsafe { heap.realloc(small, layout(size, 1), 3 * CHUNK) };
        assert_ne!(large, small);
        // SAFETY: that many bytes were copied.
        let bytes = unsafe { std::slice::from_raw_parts(large, size) };
        assert!(bytes.iter().all(|&byte| byte == 7));
        // SAFETY: the size is not 0.
        let impossible = unsafe { heap.alloc(layout(isize::MAX as usize - 4096, 1)) };
        assert!(impossible.is_null());
    }
}
