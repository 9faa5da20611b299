//! Replacement text for a part of a message.

use std::ops::Deref;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::edit::{is_plain, write_string};

/// Bytes that may be shared. Most are ids and names: short ones are stored inline and take no memory of their
/// own.
#[derive(Clone)]
pub(crate) enum Text {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Bytes),
}

/// The longest inline text: 23 bytes fit beside the length, where otherwise a pointer is.
const SHORT: usize = 23;

const _: () = assert!(size_of::<Text>() == size_of::<Bytes>(), "short texts take no more room than others");

impl Text {
    pub(crate) fn copied(text: &[u8]) -> Self {
        Self::short(text).unwrap_or_else(|| Self::Long(Bytes::copy_from_slice(text)))
    }

    /// A JSON string.
    pub(crate) fn quoted(string: &str) -> Self {
        let mut text: SmallVec<[u8; 64]> = SmallVec::new();
        // The usual case: such names are written for each call.
        if string.len() + 2 <= text.capacity() && is_plain(string) {
            text.push(b'"');
            text.extend_from_slice(string.as_bytes());
            text.push(b'"');
            return Self::copied(&text);
        }
        let mut text = BytesMut::with_capacity(string.len() + 2);
        write_string(&mut text, string);
        text.freeze().into()
    }

    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self::Short { len: u8::try_from(text.len()).ok()?, bytes })
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Short { .. } => Bytes::copy_from_slice(self),
            Self::Long(bytes) => bytes.clone(),
        }
    }
}

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        Self::short(&bytes).unwrap_or(Self::Long(bytes))
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_what_they_were_made_of() {
        let long: Vec<u8> = (0..60).collect();
        for len in 0..long.len() {
            let text = &long[..len];
            let (copied, shared) = (Text::copied(text), Text::from(Bytes::copy_from_slice(text)));
            assert_eq!((&*copied, &*shared), (text, text));
            assert_eq!(
                (copied.to_bytes(), shared.clone().to_bytes()),
                (shared.to_bytes(), copied.to_bytes())
            );
            assert_eq!(matches!(copied, Text::Short { .. }), len <= SHORT);
        }
    }
}
