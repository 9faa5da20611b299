//! A lock-free table of values by small numbers.

use std::sync::OnceLock;

/// The number of slots in the first segment. Each segment has twice as many as the previous one.
const FIRST: usize = 32;

/// The number of segments: numbers below four thousand millions have a slot.
const SEGMENTS: usize = 27;

/// A table with a value for each number that was looked up. Values stay and never move, so that a lookup takes two loads and no lock.
pub(super) struct Slots<T>([OnceLock<Box<[OnceLock<T>]>>; SEGMENTS]);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; SEGMENTS])
    }
}

impl<T> Slots<T> {
    /// Returns the value of a number, creating it if needed, or `None` if the number is too large.
    pub(super) fn get_or_init(&self, number: usize, make: impl FnOnce() -> T) -> Option<&T> {
        let index = number.checked_add(FIRST)?;
        let at = (index.ilog2() - FIRST.ilog2()) as usize;
        let length = FIRST << at;
        let segment = self.0.get(at)?.get_or_init(|| (0..length).map(|_| OnceLock::new()).collect());
        Some(segment.get(index - length)?.get_or_init(make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_value_of_its_own_and_keeps_it() {
        let slots = Slots::default();
        let numbers: Vec<usize> = (0..1000).chain([4095, 65_536]).collect();
        for number in &numbers {
            assert_eq!(slots.get_or_init(*number, || *number), Some(number));
        }
        for number in &numbers {
            assert_eq!(slots.get_or_init(*number, || unreachable!("it is there")), Some(number));
        }
        assert_eq!(slots.get_or_init(usize::MAX, || 0), None);
        assert_eq!(slots.get_or_init(1 << 60, || 0), None);
    }
}
