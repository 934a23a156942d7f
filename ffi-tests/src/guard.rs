//! Memory between two pages that may not be touched: one element read or written outside of an operand ends the process. Sanitizers
//! miss masked and whole-vector accesses past an end; the page protection does not.

use std::ptr::{NonNull, null_mut};

/// Readable and writable memory between two inaccessible pages.
pub struct Guarded {
    map: NonNull<u8>,
    page: usize,
    len: usize,
}

impl Guarded {
    /// Room for `bytes`, rounded up to whole pages.
    pub fn new(bytes: usize) -> Guarded {
        // SAFETY: `sysconf` has no memory arguments.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let len = bytes.max(1).next_multiple_of(page);
        // SAFETY: a new anonymous mapping; no existing memory is touched.
        let map = unsafe { libc::mmap(null_mut(), len + 2 * page, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        // SAFETY: the pages between the first and the last of the mapping made above.
        let opened = unsafe { libc::mprotect(map.byte_add(page), len, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0);
        Guarded { map: NonNull::new(map.cast()).unwrap(), page, len }
    }

    /// `n` elements that begin at the first accessible byte, or end at the last.
    fn slice<T: Copy>(&mut self, n: usize, at_end: bool) -> *mut [T] {
        let bytes = n * size_of::<T>();
        assert!(bytes <= self.len);
        let offset = self.page + if at_end { self.len - bytes } else { 0 };
        // SAFETY: the offset lies inside of the mapping.
        let start: *mut T = unsafe { self.map.as_ptr().add(offset) }.cast();
        assert!(start.is_aligned());
        std::ptr::slice_from_raw_parts_mut(start, n)
    }

    /// A copy of `values` whose last byte (`at_end`) or first byte touches an inaccessible page.
    pub fn place<T: Copy>(&mut self, values: &[T], at_end: bool) -> &mut [T] {
        let place = self.slice::<T>(values.len(), at_end);
        // SAFETY: `slice` gave aligned memory of that many elements, borrowed from `self`, which the copy initialises.
        unsafe {
            place.cast::<T>().copy_from_nonoverlapping(values.as_ptr(), values.len());
            &mut *place
        }
    }

    /// `n` elements of `value`, placed like [`place`](Self::place).
    pub fn fill<T: Copy>(&mut self, n: usize, value: T, at_end: bool) -> &mut [T] {
        let place = self.slice::<T>(n, at_end);
        // SAFETY: as above.
        unsafe {
            (0..n).for_each(|i| place.cast::<T>().add(i).write(value));
            &mut *place
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, which nothing refers to any more.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.len + 2 * self.page) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child process that reads one byte outside of either end dies by a signal; without this the tests that use guards would
    /// prove nothing.
    #[test]
    fn a_read_outside_of_either_end_is_caught() {
        for at_end in [false, true] {
            let mut memory = Guarded::new(100);
            let slice = memory.place(&[7u8; 100], at_end);
            assert_eq!(slice, [7; 100]);
            let outside = if at_end { slice.as_ptr().wrapping_add(100) } else { slice.as_ptr().wrapping_sub(1) };
            // SAFETY: the child only reads one byte and leaves without running anything else of this process.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: deliberately out of bounds; `_exit` is allowed after a fork.
                unsafe {
                    libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                    libc::signal(libc::SIGBUS, libc::SIG_DFL);
                    outside.read_volatile();
                    libc::_exit(0);
                }
            }
            let mut status = 0;
            // SAFETY: waits for the child made above.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert!(libc::WIFSIGNALED(status), "the guard page did not catch the read");
        }
    }
}
