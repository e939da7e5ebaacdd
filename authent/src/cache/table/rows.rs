//! A list that grows without moving what it holds.

use std::ops::{Index, IndexMut};

/// Items in a row.
const ROW: usize = 64;

/// Rows of equal length, one allocation each. A `Vec` that doubles leaves a
/// third of its room unused on average, and holes where it was before.
pub(super) struct Rows<T> {
    /// All of them are full but the last.
    rows: Vec<Vec<T>>,
}

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.last().map_or(0, |last| (self.rows.len() - 1) * ROW + last.len())
    }

    pub(super) fn push(&mut self, item: T) {
        match self.rows.last_mut() {
            Some(last) if last.len() < ROW => last.push(item),
            _ => {
                let mut row = Vec::with_capacity(ROW);
                row.push(item);
                self.rows.push(row);
            }
        }
    }

    /// Removes an item; the last one takes its place.
    pub(super) fn swap_remove(&mut self, at: usize) {
        let last = self.rows.last_mut().and_then(Vec::pop).expect("there is an item to remove");
        if self.rows.last().is_some_and(Vec::is_empty) {
            self.rows.pop();
        }
        if at < self.len() {
            self[at] = last;
        }
    }
}

impl<T> Index<usize> for Rows<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.rows[at / ROW][at % ROW]
    }
}

impl<T> IndexMut<usize> for Rows<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.rows[at / ROW][at % ROW]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_list() {
        let (mut rows, mut list) = (Rows::new(), Vec::new());
        for item in 0..200 {
            rows.push(item);
            list.push(item);
        }
        for at in [199, 0, 127, 128, 3].into_iter().chain((0..195).rev()) {
            assert_eq!(rows.len(), list.len());
            assert!((0..list.len()).all(|at| rows[at] == list[at]));
            rows.swap_remove(at);
            list.swap_remove(at);
        }
        assert_eq!((rows.len(), rows.rows.len()), (0, 0));
    }
}
