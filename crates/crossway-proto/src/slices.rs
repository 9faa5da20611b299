//! A chain of byte slices, for vectored writes.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::Message;

/// Up to this length, bytes are copied into one piece: writing one piece is cheaper than writing its slices.
pub(crate) const COPIED: usize = 4 * 1024;

/// The slices of a message with one splice (head, id, tail) and of the two ends of a frame.
const INLINE: usize = 5;

/// Bytes as a chain of shared slices, as the encoders of this crate return them.
///
/// It is a [`Buf`] that can be written with one vectored write, so it serves as the data frame of an HTTP body as
/// it is. Nothing in it is copied.
#[derive(Debug, Clone, Default)]
pub struct Slices {
    /// In reverse order, because `Buf` consumes from the back. None is empty.
    reversed: SmallVec<[Bytes; INLINE]>,
    remaining: usize,
}

impl Slices {
    /// How many bytes are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.remaining
    }

    /// Whether no byte is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// The slices in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.reversed.iter().rev()
    }

    /// Everything in one piece: shared if it is one slice, else copied once.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        self.copy_to_bytes(self.remaining)
    }
}

impl From<&Message> for Slices {
    /// A message as it is written: up to 4 KiB in one piece, longer ones as a chain.
    fn from(message: &Message) -> Self {
        if message.len() <= COPIED {
            std::iter::once(message.to_bytes()).collect()
        } else {
            message.chunks().collect()
        }
    }
}

impl FromIterator<Bytes> for Slices {
    fn from_iter<I: IntoIterator<Item = Bytes>>(slices: I) -> Self {
        let mut reversed: SmallVec<[Bytes; INLINE]> =
            slices.into_iter().filter(|slice| !slice.is_empty()).collect();
        reversed.reverse();
        let remaining = reversed.iter().map(Bytes::len).sum();
        Self { reversed, remaining }
    }
}

impl Buf for Slices {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.reversed.last().map_or(&[], |slice| slice)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, slice) in into.iter_mut().zip(self.iter()) {
            *slot = IoSlice::new(slice);
            filled += 1;
        }
        filled
    }

    /// # Panics
    ///
    /// When fewer than `count` bytes are left, as [`Buf`] demands.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "cannot advance past the end");
        self.remaining -= count;
        while let Some(slice) = self.reversed.last_mut() {
            if count < slice.len() {
                slice.advance(count);
                return;
            }
            count -= slice.len();
            self.reversed.pop();
        }
    }

    /// # Panics
    ///
    /// When fewer than `count` bytes are left, as [`Buf`] demands.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.remaining, "cannot take more than is left");
        if let Some(slice) = self.reversed.last_mut().filter(|slice| slice.len() >= count) {
            let taken = slice.split_to(count);
            self.advance(0);
            self.remaining -= count;
            return taken;
        }
        let mut whole = BytesMut::with_capacity(count);
        while whole.len() < count {
            let part = self.chunk();
            let part = &part[..part.len().min(count - whole.len())];
            whole.extend_from_slice(part);
            let part = part.len();
            self.advance(part);
        }
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slices(parts: &[&'static str]) -> Slices {
        parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect()
    }

    #[test]
    fn one_slice_is_taken_out_without_a_copy() {
        let text = Bytes::from(b"message".to_vec());
        let whole: Slices = [Bytes::new(), text.clone(), Bytes::new()].into_iter().collect();
        assert_eq!(whole.into_bytes().as_ptr(), text.as_ptr());
    }

    #[test]
    fn all_slices_are_offered_to_one_vectored_write() {
        let mut whole = slices(&["ab", "", "cde", "f"]);
        whole.advance(1);
        let mut vectors = [IoSlice::new(&[]); 8];
        assert_eq!(whole.chunks_vectored(&mut vectors), 3);
        assert_eq!(vectors[..3].iter().map(|v| v.to_vec()).collect::<Vec<_>>(), [&b"b"[..], b"cde", b"f"]);
    }

    proptest! {
        #[test]
        fn it_reads_like_its_parts_joined(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..8),
            steps in prop::collection::vec((0_usize..7, any::<bool>()), 0..12),
        ) {
            let mut left = parts.concat();
            let mut whole: Slices = parts.into_iter().map(Bytes::from).collect();
            for (step, take) in steps {
                let step = step.min(left.len());
                let rest = left.split_off(step);
                if take {
                    prop_assert_eq!(whole.copy_to_bytes(step), left);
                } else {
                    whole.advance(step);
                }
                left = rest;
                prop_assert_eq!(whole.remaining(), left.len());
                prop_assert_eq!(whole.chunk().is_empty(), left.is_empty());
            }
            prop_assert_eq!(whole.into_bytes(), left);
        }
    }
}
