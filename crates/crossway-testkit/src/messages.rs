//! Messages from and to text, and turns for other tasks.

use bytes::Bytes;
use crossway_proto::{Limits, Message};

/// A message from its text.
///
/// # Panics
///
/// When the text is none.
#[must_use]
pub fn message(text: impl AsRef<[u8]>) -> Message {
    let text = text.as_ref();
    Message::parse(Bytes::copy_from_slice(text), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

/// A message's text, as it is sent.
#[must_use]
pub fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.to_bytes()).into_owned()
}

/// Lets all other tasks of the runtime go on until they have to wait, if each needs no more than 64 turns.
pub async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
