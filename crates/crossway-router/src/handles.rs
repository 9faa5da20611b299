//! Sealed session ids, which any replica with the key accepts.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use crossway_proto::Revision;
use crossway_seal::Keyring;
use crossway_service::{SessionHandles, SessionState};

/// The length in bytes of a handle's head, before the `params` of `initialize`: format, revision, number, expiry.
const HEAD: usize = 2 + 16 + 8;

/// The version of the format of a handle's bytes.
const FORMAT: u8 = 1;

/// Seals all that a session is made from into its id, with a ring of keys.
///
/// A handle opens only on the route and for the owner that it was issued for. Replicas that share the keys take over each other's
/// sessions. It has no clock: the caller checks the expiry of an opened handle.
#[derive(Clone)]
pub struct SealedSessions {
    ring: Arc<Keyring>,
    route: Arc<str>,
}

impl SealedSessions {
    /// Creates handles for the sessions on `route`: a name or path that no other endpoint with the same keys has.
    pub fn new(ring: Arc<Keyring>, route: impl Into<Arc<str>>) -> Self {
        Self { ring, route: route.into() }
    }

    /// The purpose that a handle is sealed for. Different pairs of route and owner have different purposes.
    fn purpose(&self, owner: Option<&str>) -> Vec<u8> {
        let kind = b"session";
        let (route, owner_bytes) = (self.route.as_bytes(), owner.unwrap_or_default().as_bytes());
        let mut purpose = Vec::with_capacity(kind.len() + 9 + route.len() + owner_bytes.len());
        purpose.extend_from_slice(kind);
        purpose.extend_from_slice(&(route.len() as u64).to_be_bytes());
        purpose.extend_from_slice(route);
        purpose.push(u8::from(owner.is_some()));
        purpose.extend_from_slice(owner_bytes);
        purpose
    }
}

impl SessionHandles for SealedSessions {
    fn issue(&self, state: &SessionState, owner: Option<&str>) -> Option<String> {
        let mut plain = Vec::with_capacity(HEAD + state.initialize.len());
        plain.extend_from_slice(&[FORMAT, code(state.revision)]);
        plain.extend_from_slice(&state.number.to_be_bytes());
        // Cut to whole seconds: a handle never outlives its session.
        plain.extend_from_slice(&state.expires.duration_since(UNIX_EPOCH).ok()?.as_secs().to_be_bytes());
        plain.extend_from_slice(&state.initialize);
        self.ring.seal(&self.purpose(owner), &plain).ok()
    }

    fn open(&self, handle: &str, owner: Option<&str>) -> Option<SessionState> {
        let plain = self.ring.open(&self.purpose(owner), handle).ok()?;
        let (head, initialize) = plain.split_at_checked(HEAD)?;
        let ([FORMAT, revision], rest) = head.split_first_chunk()? else { return None };
        let (number, expires) = rest.split_first_chunk()?;
        let expires = Duration::from_secs(u64::from_be_bytes(expires.try_into().ok()?));
        Some(SessionState::new(
            u128::from_be_bytes(*number),
            revision_of(*revision)?,
            Bytes::copy_from_slice(initialize),
            UNIX_EPOCH.checked_add(expires)?,
        ))
    }
}

impl fmt::Debug for SealedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSessions").field("route", &self.route).finish_non_exhaustive()
    }
}

/// The codes of revisions in handles. A code is never reused for another revision.
const CODES: [(u8, Revision); 4] = [
    (1, Revision::V2024_11_05),
    (2, Revision::V2025_03_26),
    (3, Revision::V2025_06_18),
    (4, Revision::V2025_11_25),
];

/// The code of a revision; 0 for sessions whose revision is not known yet.
fn code(revision: Option<Revision>) -> u8 {
    CODES.iter().find(|(_, known)| Some(*known) == revision).map_or(0, |(code, _)| *code)
}

fn revision_of(code: u8) -> Option<Option<Revision>> {
    match code {
        0 => Some(None),
        code => CODES.iter().find(|(known, _)| *known == code).map(|(_, revision)| Some(*revision)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring() -> Arc<Keyring> {
        Arc::new(Keyring::random().unwrap())
    }

    fn state(number: u128, revision: Option<Revision>, initialize: &[u8]) -> SessionState {
        let expires = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        SessionState::new(number, revision, Bytes::copy_from_slice(initialize), expires)
    }

    #[test]
    fn the_usual_client_s_handle_fits_into_a_session_id() {
        let params = br#"{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"Some Editor - Insiders","title":"Some Editor","version":"1.107.0"}}"#;
        let handles = SealedSessions::new(ring(), "/mcp");
        let state = state(7, Some(Revision::V2025_11_25), params);
        let handle = handles.issue(&state, Some("https://issuer.example|alice")).unwrap();
        assert!(handle.len() <= 400, "{}", handle.len());
        assert!(crossway_proto::http_rules::session::is_session_id(&handle));
    }

    #[test]
    fn route_and_owner_do_not_run_into_each_other() {
        let ring = ring();
        let state = state(7, None, b"{}");
        let handle = SealedSessions::new(Arc::clone(&ring), "/a").issue(&state, Some("b")).unwrap();
        for (route, owner) in
            [("/ab", Some("")), ("/", Some("ab")), ("/a", None), ("/a\u{1}b", None), ("/a", Some("bb"))]
        {
            assert_eq!(SealedSessions::new(Arc::clone(&ring), route).open(&handle, owner), None, "{route}");
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_owner() {
        assert_eq!(
            format!("{:?}", SealedSessions::new(ring(), "/mcp")),
            r#"SealedSessions { route: "/mcp", .. }"#
        );
    }

    #[test]
    fn what_was_sealed_for_something_else_is_no_session() {
        let ring = ring();
        let handles = SealedSessions::new(Arc::clone(&ring), "/mcp");
        for plain in [
            &b""[..],
            &[FORMAT],
            &[2; HEAD],
            &[FORMAT; HEAD - 1],
            &[[FORMAT, 9].as_slice(), &[0; HEAD]].concat(),
        ] {
            let handle = ring.seal(&handles.purpose(None), plain).unwrap();
            assert_eq!(handles.open(&handle, None), None, "{plain:?}");
        }
    }

    proptest! {
        #[test]
        fn a_session_comes_back_as_it_was(
            number: u128,
            revision in 0..=4u8,
            initialize in prop::collection::vec(any::<u8>(), 0..600),
            owner in prop::option::of(".{0,20}"),
        ) {
            let handles = SealedSessions::new(ring(), "/mcp");
            let state = state(number, revision_of(revision).unwrap(), &initialize);
            let handle = handles.issue(&state, owner.as_deref()).unwrap();
            prop_assert_eq!(handles.open(&handle, owner.as_deref()), Some(state));
        }
    }
}
