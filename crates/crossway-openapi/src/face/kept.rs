//! A bounded cache that is cleared when it is full.

use super::limits::{KEPT_BYTES, TOOLSETS};

/// A cache that forgets everything when it is full; what is still needed is made again.
pub(crate) struct Kept<T> {
    all: Vec<T>,
    bytes: usize,
}

impl<T> Kept<T> {
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.all.iter().find(|one| is_it(one))
    }

    /// Adds an item of this size.
    pub(crate) fn keep(&mut self, one: T, bytes: usize) {
        if self.all.len() >= TOOLSETS || self.bytes.saturating_add(bytes) > KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
        self.all.push(one);
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { all: Vec::new(), bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_many_nor_long_ones_are_kept_for_ever() {
        for (bytes, most) in [(1, TOOLSETS), (KEPT_BYTES / 4, 4), (KEPT_BYTES * 2, 1)] {
            let mut kept = Kept::default();
            for number in 0..TOOLSETS * 3 {
                kept.keep(number, bytes);
                assert_eq!(kept.find(|one| *one == number), Some(&number));
                assert!(kept.all.len() <= most && kept.bytes == kept.all.len() * bytes);
            }
        }
    }
}
