//! Test media: a tiny image and a short sound, in base64.

/// A PNG of one pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNQSDgAAAHkAUGi6zIMAAAAAElFTkSuQmCC";

/// The PNG's media type.
pub(crate) const PNG_TYPE: &str = "image/png";

/// A WAV of a millisecond's silence, 8 kHz, 8 bit, mono.
pub(crate) const WAV: &str = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

/// The WAV's media type.
pub(crate) const WAV_TYPE: &str = "audio/wav";
