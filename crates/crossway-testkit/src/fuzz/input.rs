//! Splits a fuzzer's bytes into values.

use std::hash::{BuildHasher, RandomState};

/// A reader of an input: choices first, then text.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; 0 at the end.
    pub(super) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The text before the next newline; everything if there is none.
    pub(super) fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let line = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = &self.0[end.map_or(self.0.len(), |end| end + 1)..];
        line
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Splits a text into pieces: the whole, single bytes, or pieces of pseudo-random sizes, as `seed` decides.
pub(super) fn cut(text: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut chance = u64::from(seed);
    let mut rest = text;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = match seed {
            0 => rest.len(),
            1 => 1,
            _ => {
                // Knuth's MMIX generator. Its low bits are poor, its high ones are not.
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (chance >> 33) as usize % (1 + usize::from(seed)) + usize::from(seed % 2)
            }
        };
        let (piece, left) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Checks the promise of `Hash`: equal values have equal hashes.
pub(super) fn assert_equal_hash<T: std::hash::Hash>(one: &T, other: &T) {
    let hasher = RandomState::new();
    assert_eq!(hasher.hash_one(one), hasher.hash_one(other), "equal values hash differently");
}
