//! A ring of keys that seals and opens handles.

use std::fmt;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use zeroize::Zeroizing;

use crate::limits::{HANDLE_BYTES, KEYS};
use crate::{KeyError, OpenError, SealError};

const VERSION: u8 = 1;
const ID: usize = 4;
const SALT: usize = 16;
const HEAD: usize = 1 + ID + SALT;
const TAG: usize = 16;
const KEY: usize = 32;

/// Base64 with or without padding, as some tools write either alphabet.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Keys that seal handles and open them again. The first one seals, all of them open.
pub struct Keyring {
    keys: Vec<Key>,
}

struct Key {
    /// Identifies the key that sealed a handle, and reveals nothing of the key.
    id: [u8; ID],
    root: Prk,
}

impl Keyring {
    /// Makes a ring with one random key. Handles sealed with it open in this process alone.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self { keys: vec![Key::new(&*random_key()?)] })
    }

    /// Generates a key in the form that [`parse`](Keyring::parse) reads.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn generate() -> Result<String, KeyError> {
        Ok(URL_SAFE_NO_PAD.encode(&random_key()?[..]))
    }

    /// Parses a ring: one key per line, the newest first, each 32 bytes in base64 of either alphabet, padded or not. Empty lines, and those
    /// that begin with `#`, are ignored.
    ///
    /// # Errors
    ///
    /// When there is no key, there are too many, or a line is not a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bytes = STANDARD.decode(line).or_else(|_| URL_SAFE.decode(line));
            let bytes = Zeroizing::new(bytes.map_err(|_| KeyError::NotAKey { line: number })?);
            let bytes: &[u8; KEY] =
                bytes.as_slice().try_into().map_err(|_| KeyError::NotAKey { line: number })?;
            if bytes.iter().all(|byte| *byte == bytes[0]) {
                return Err(KeyError::Weak { line: number });
            }
            if keys.len() == KEYS {
                return Err(KeyError::TooMany { limit: KEYS });
            }
            keys.push(Key::new(bytes));
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self { keys }) }
    }

    /// Seals `plaintext` for a purpose. The handle opens only for the same purpose.
    ///
    /// # Errors
    ///
    /// When the handle would be too long, or the system gives no random numbers.
    pub fn seal(&self, purpose: &[u8], plaintext: &[u8]) -> Result<String, SealError> {
        let length = HEAD + plaintext.len() + TAG;
        if length.div_ceil(3) * 4 > HANDLE_BYTES {
            return Err(SealError::TooLong { limit: HANDLE_BYTES });
        }
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|_| SealError::NoRandomness)?;
        let key = &self.keys[0];
        let mut handle = Vec::with_capacity(length);
        handle.push(VERSION);
        handle.extend_from_slice(&key.id);
        handle.extend_from_slice(&salt);
        handle.extend_from_slice(plaintext);
        let (head, body) = handle.split_at_mut(HEAD);
        let cipher = key.cipher(&salt, purpose);
        let tag = cipher
            .and_then(|cipher| cipher.seal_in_place_separate_tag(nonce(), Aad::from(&*head), body).ok())
            .ok_or(SealError::TooLong { limit: HANDLE_BYTES })?;
        handle.extend_from_slice(tag.as_ref());
        Ok(URL_SAFE_NO_PAD.encode(handle))
    }

    /// Opens a handle that was sealed for this purpose.
    ///
    /// # Errors
    ///
    /// When the handle was changed, sealed by a key that is not in the ring, or sealed for another purpose.
    pub fn open(&self, purpose: &[u8], handle: &str) -> Result<Vec<u8>, OpenError> {
        if handle.len() > HANDLE_BYTES {
            return Err(OpenError);
        }
        let mut handle = URL_SAFE_NO_PAD.decode(handle).map_err(|_| OpenError)?;
        if handle.len() < HEAD + TAG || handle[0] != VERSION {
            return Err(OpenError);
        }
        let (head, body) = handle.split_at_mut(HEAD);
        let key = self.keys.iter().find(|key| key.id == head[1..1 + ID]).ok_or(OpenError)?;
        let cipher = key.cipher(&head[1 + ID..], purpose).ok_or(OpenError)?;
        let plaintext = cipher.open_in_place(nonce(), Aad::from(&*head), body).map_err(|_| OpenError)?;
        Ok(plaintext.to_vec())
    }
}

impl Key {
    fn new(bytes: &[u8; KEY]) -> Self {
        let root = Prk::new_less_safe(HKDF_SHA256, bytes);
        let mut id = [0; ID];
        let derived = root.expand(&[b"crossway-seal id"], Length(ID)).and_then(|key| key.fill(&mut id));
        debug_assert!(derived.is_ok(), "four bytes can always be derived");
        Self { id, root }
    }

    /// Derives a key for one handle alone. As it is never used again, its nonce can be constant.
    fn cipher(&self, salt: &[u8], purpose: &[u8]) -> Option<LessSafeKey> {
        // The salt has a fixed length, so different pairs of salt and purpose give different inputs.
        let info = [b"crossway-seal key".as_slice(), salt, purpose];
        let key = self.root.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn random_key() -> Result<Zeroizing<[u8; KEY]>, KeyError> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(&mut key[..]).map_err(|_| KeyError::NoRandomness)?;
    Ok(key)
}

struct Length(usize);

impl ring::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys, [redacted])", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(first: u8) -> Keyring {
        let mut bytes = [7; KEY];
        bytes[0] = first;
        Keyring { keys: vec![Key::new(&bytes)] }
    }

    #[test]
    fn two_handles_of_the_same_differ() {
        let ring = ring(1);
        assert_ne!(ring.seal(b"p", b"x").unwrap(), ring.seal(b"p", b"x").unwrap());
    }

    #[test]
    fn a_rotated_ring_opens_what_its_old_key_sealed_and_seals_with_the_new_one() {
        let [new, old] = [Keyring::generate().unwrap(), Keyring::generate().unwrap()];
        let sealed = Keyring::parse(&old).unwrap().seal(b"p", b"x").unwrap();
        let both = Keyring::parse(&format!("# newest first\n{new}\n\n{old}\n")).unwrap();
        assert_eq!(both.open(b"p", &sealed).unwrap(), b"x");
        let resealed = both.seal(b"p", b"x").unwrap();
        assert!(Keyring::parse(&new).unwrap().open(b"p", &resealed).is_ok());
        assert!(Keyring::parse(&old).unwrap().open(b"p", &resealed).is_err());
    }

    #[test]
    fn what_is_no_ring_is_refused_with_its_line() {
        let key = Keyring::generate().unwrap();
        for (text, wanted) in [
            (String::new(), KeyError::Empty),
            ("# a comment\n\n".to_owned(), KeyError::Empty),
            (format!("{key}\nshort"), KeyError::NotAKey { line: 2 }),
            (STANDARD.encode([5; 31]), KeyError::NotAKey { line: 1 }),
            (STANDARD.encode([5; 32]), KeyError::Weak { line: 1 }),
            (format!("{key}\n").repeat(KEYS + 1), KeyError::TooMany { limit: KEYS }),
        ] {
            assert_eq!(Keyring::parse(&text).unwrap_err(), wanted, "{text}");
        }
    }

    #[test]
    fn a_key_is_read_as_openssl_and_as_python_print_it() {
        let bytes = [0xfb; KEY - 1];
        let bytes = [&bytes[..], &[1]].concat();
        let (standard, url_safe) = (STANDARD.encode(&bytes), URL_SAFE.encode(&bytes));
        assert!(standard.contains('+') && url_safe.contains('-') && url_safe.ends_with('='));
        let sealed = Keyring::parse(&standard).unwrap().seal(b"p", b"x").unwrap();
        for text in [&standard, standard.trim_end_matches('='), &url_safe, url_safe.trim_end_matches('=')] {
            assert_eq!(Keyring::parse(text).unwrap().open(b"p", &sealed).unwrap(), b"x", "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", ring(1));
        assert_eq!(text, "Keyring(1 keys, [redacted])");
    }

    #[test]
    fn handles_have_a_bound() {
        let ring = ring(1);
        assert_eq!(ring.seal(b"p", &[0; HANDLE_BYTES]), Err(SealError::TooLong { limit: HANDLE_BYTES }));
        assert!(ring.open(b"p", &"A".repeat(HANDLE_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_handle_opens_for_its_purpose_and_its_ring_alone(
            plaintext in prop::collection::vec(any::<u8>(), 0..300),
            purpose in prop::collection::vec(any::<u8>(), 0..40),
            other in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let ring = ring(1);
            let handle = ring.seal(&purpose, &plaintext).unwrap();
            prop_assert!(handle.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(ring.open(&purpose, &handle).unwrap(), plaintext);
            prop_assert_eq!(ring.open(&other, &handle).is_ok(), purpose == other);
            prop_assert!(self::ring(2).open(&purpose, &handle).is_err());
        }

        #[test]
        fn any_changed_bit_is_noticed(at in 0usize..1000, bit in 0u8..8) {
            let ring = ring(1);
            let handle = ring.seal(b"p", b"some state").unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(&handle).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(ring.open(b"p", &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }

        #[test]
        fn any_text_is_a_ring_or_refused(text in "[A-Za-z0-9+/=_#\\s-]{0,200}|.{0,100}") {
            let refused = Keyring::parse(&text).err();
            let names_a_line = |line: usize| (1..=text.lines().count()).contains(&line);
            match refused {
                Some(KeyError::NotAKey { line } | KeyError::Weak { line }) => prop_assert!(names_a_line(line)),
                Some(error) => prop_assert_eq!(error, KeyError::Empty),
                None => prop_assert!(text.len() >= 43),
            }
        }

        #[test]
        fn no_bytes_that_were_not_sealed_open(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let ring = ring(1);
            let mut handle = URL_SAFE_NO_PAD.decode(ring.seal(b"p", b"x").unwrap()).unwrap();
            // With and without the head that identifies the key.
            handle.truncate(1 + ID);
            handle.extend_from_slice(&bytes);
            prop_assert!(ring.open(b"p", &URL_SAFE_NO_PAD.encode(&handle)).is_err());
            prop_assert!(ring.open(b"p", &URL_SAFE_NO_PAD.encode(&bytes)).is_err());
        }

        #[test]
        fn nothing_that_was_not_sealed_opens(text in ".{0,200}") {
            prop_assert!(ring(1).open(b"p", &text).is_err());
        }
    }
}
