//! Removes newlines from a message for framings that can't contain them.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr2, memchr2_iter};

/// The slice with each `\r` and `\n` replaced; the slice itself, uncopied, if it has none.
///
/// JSON text has them as whitespace between tokens and nowhere else (RFC 8259, sections 2 and 7).
pub(crate) fn without_newlines(slice: Bytes, by: &[u8]) -> Bytes {
    let Some(first) = memchr2(b'\n', b'\r', &slice) else { return slice };
    let count = memchr2_iter(b'\n', b'\r', &slice[first..]).count();
    let mut replaced = BytesMut::with_capacity(slice.len() - count + count * by.len());
    let mut done = 0;
    for at in memchr2_iter(b'\n', b'\r', &slice) {
        replaced.put_slice(&slice[done..at]);
        replaced.put_slice(by);
        done = at + 1;
    }
    replaced.put_slice(&slice[done..]);
    replaced.freeze()
}
