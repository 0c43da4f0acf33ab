//! Counts the memory that a thread holds.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

fn add(bytes: usize) {
    HELD.set(HELD.get().saturating_add(bytes));
    MOST.set(MOST.get().max(HELD.get()));
}

// SAFETY: every call goes to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller upholds the contract, which is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: the caller upholds the contract, which is that of the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    // A list that doubles touches as much memory while it moves as it can hold afterwards.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        add(size);
        // SAFETY: the caller upholds the contract, which is that of the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs something, and returns the most bytes that it held at once.
pub(crate) fn peak(run: &mut dyn FnMut()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    run();
    MOST.get() - before
}
