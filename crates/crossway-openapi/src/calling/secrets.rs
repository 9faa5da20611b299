//! Keeps the credentials of a request out of what its answer says of an error.

use std::fmt;
use std::sync::Arc;

use super::answer::{BodyKind, is_latin, kind, mime};
use super::client::Incoming;
use super::limits::{REDACTED_LEAST, REDACTED_WORD_LEAST, REDACTING_STEPS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crossway_proto::http_rules::content_encoding::coding;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What stands for a secret.
const REDACTED: &[u8] = b"[secret]";

/// Headers that are no credentials.
const NO_SECRETS: [HeaderName; 10] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::DATE,
    header::FROM,
    header::ORIGIN,
    header::PRAGMA,
    header::REFERER,
    header::USER_AGENT,
];

/// Media types of pictures and sounds that are no secrets.
const COMMON_MEDIA: [&str; 14] = [
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/svg+xml",
    "image/tiff",
    "image/webp",
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
];

/// The registered codings of contents (IANA, HTTP Content Coding Registry), and the two old names that RFC 9110 has for them.
const CODINGS: [&str; 13] = [
    "aes128gcm",
    "br",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "identity",
    "pack200-gzip",
    "x-compress",
    "x-gzip",
    "zstd",
];

/// The secrets of a request, the longest first. `Debug` shows none. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<[Box<[u8]>]>);

impl Secrets {
    /// The secrets in these headers and values of query parameters: each value as a whole, and its parts by themselves. Which words of a
    /// header are the secret is not known.
    pub(super) fn of<'a>(
        headers: impl IntoIterator<Item = &'a (HeaderName, HeaderValue)>,
        query: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut found: Vec<Box<[u8]>> = query.into_iter().map(|value| value.as_bytes().into()).collect();
        for (name, value) in headers {
            if !is_no_credential(name) {
                parts(name, value.as_bytes(), &mut found);
            }
        }
        found.retain(|secret| secret.len() >= REDACTED_LEAST);
        found.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        found.dedup();
        Self(found.into())
    }

    /// Takes the secrets out of what of an answer is passed on: the text of an error, the place of a result, and the name of a media type.
    /// The body of a success is the tool's result and stays as it is.
    pub(super) fn taken_out(&self, mut answer: Incoming) -> Incoming {
        if self.0.is_empty() {
            return answer;
        }
        if !answer.status.is_success()
            && let Some(body) = self.redacted(&answer.body, answer.is_cut)
        {
            answer.body = Bytes::from(body);
        }
        if let Some(place) = answer.location.as_ref().and_then(|place| self.redacted(place.as_bytes(), false))
        {
            answer.location = String::from_utf8(place).ok();
        }
        self.take_out_of_type(&mut answer.headers);
        self.take_out_of_codings(&mut answer.headers);
        answer
    }

    /// Leaves of a media type that has a secret in it what says how to read the body. A common type has none in it, whatever is attached:
    /// a header may be there to ask for that type.
    fn take_out_of_type(&self, headers: &mut HeaderMap) {
        let value = headers.get(header::CONTENT_TYPE);
        if value.and_then(|value| self.redacted(value.as_bytes(), false)).is_none() {
            return;
        }
        let mime = mime(headers);
        let left = match kind(&mime) {
            BodyKind::Json => Some("application/json"),
            BodyKind::Text if is_latin(headers) => Some("text/plain; charset=iso-8859-1"),
            BodyKind::Text => Some("text/plain"),
            BodyKind::Image | BodyKind::Audio => COMMON_MEDIA.into_iter().find(|common| *common == mime),
            BodyKind::Other => None,
        };
        match left {
            Some(left) => headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(left)),
            None => headers.remove(header::CONTENT_TYPE),
        };
    }

    /// Replaces codings that have a secret in them, unless all are registered ones. That there is one stays said: the body can't be read.
    fn take_out_of_codings(&self, headers: &mut HeaderMap) {
        let Some(codings) = coding(headers) else { return };
        let is_registered = |coding: &str| CODINGS.iter().any(|known| known.eq_ignore_ascii_case(coding));
        // What is cut may end within a secret.
        if codings.split(", ").all(is_registered) || self.redacted(codings.as_bytes(), true).is_none() {
            return;
        }
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("an unregistered coding"));
    }

    /// The text with `[secret]` in place of secrets; `None` if it has none. With `is_cut`, the beginning of a secret at the text's end too.
    fn redacted(&self, text: &[u8], is_cut: bool) -> Option<Vec<u8>> {
        let mut redacted: Option<Vec<u8>> = None;
        let (mut at, mut steps) = (0, REDACTING_STEPS);
        while at < text.len() {
            match self.0.iter().find_map(|secret| length(secret, &text[at..], is_cut, &mut steps)) {
                Some(length) => {
                    redacted.get_or_insert_with(|| text[..at].to_vec()).extend_from_slice(REDACTED);
                    at += length;
                }
                None => {
                    redacted.iter_mut().for_each(|redacted| redacted.push(text[at]));
                    at += 1;
                }
            }
            if steps == 0 {
                // What was not looked at is not passed on.
                let mut looked_at = redacted.unwrap_or_else(|| text[..at].to_vec());
                looked_at.extend_from_slice(b" [cut]");
                return Some(looked_at);
            }
        }
        redacted
    }
}

/// Whether a header is no credential, by its name: a common one, or a version of an API (`Notion-Version: 2022-06-28`).
fn is_no_credential(name: &HeaderName) -> bool {
    NO_SECRETS.contains(name) || name.as_str().ends_with("-version")
}

/// Collects the secrets in the value of a header.
fn parts(name: &HeaderName, value: &[u8], found: &mut Vec<Box<[u8]>>) {
    let mut add = |part: &[u8]| found.push(part.trim_ascii().into());
    add(value);
    if *name == header::COOKIE {
        let pairs = value.split(|byte| *byte == b';');
        pairs.filter_map(|pair| pair.splitn(2, |byte| *byte == b'=').nth(1)).for_each(add);
        return;
    }
    // A scheme and its credentials (RFC 9110, section 11.4).
    let Some(space) = value.iter().position(|byte| *byte == b' ') else { return };
    let (scheme, credentials) = (&value[..space], value[space..].trim_ascii());
    add(credentials);
    if scheme.eq_ignore_ascii_case(b"basic")
        && let Ok(plain) = STANDARD.decode(credentials)
    {
        add(&plain);
        plain.splitn(2, |byte| *byte == b':').nth(1).into_iter().for_each(&mut add);
    }
    let words = credentials.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b';' | b'=' | b'"' | b':'));
    words.filter(|word| word.len() >= REDACTED_WORD_LEAST).for_each(add);
}

/// The length of the secret at the text's beginning, if it is there: in any case, as it is, percent-encoded, or escaped as in JSON. With
/// `is_cut`, the text may end within it. Each comparison is a step.
fn length(secret: &[u8], text: &[u8], is_cut: bool, steps: &mut usize) -> Option<usize> {
    let mut at = 0;
    for (matched, byte) in secret.iter().enumerate() {
        *steps = steps.saturating_sub(1);
        let rest = &text[at..];
        let is_within = is_cut && matched >= REDACTED_LEAST;
        if rest.is_empty() {
            return is_within.then_some(at);
        }
        let is_same = |found: u8| found.eq_ignore_ascii_case(byte);
        at += match decoded(rest) {
            Some((found, length)) if is_same(found) => length,
            _ if is_same(rest[0]) => 1,
            // An escape that is cut.
            _ if is_within && matches!(rest[0], b'%' | b'\\') && rest.len() < 6 => return Some(text.len()),
            _ => return None,
        };
    }
    Some(at)
}

/// The byte that an escape at the text's beginning stands for, and the escape's length.
fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    match text {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        [b'+', ..] => Some((b' ', 1)),
        [b'\\', b'u', b'0', b'0', high, low, ..] => Some((hex(&[*high, *low])?, 6)),
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some((*byte, 2)),
        _ => None,
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Attached;
    use super::*;

    fn redacted(attached: &Attached, text: &str, is_cut: bool) -> String {
        let redacted = attached.secrets().redacted(text.as_bytes(), is_cut);
        redacted.map_or_else(|| text.to_owned(), |text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_secret_is_found_in_each_form_in_which_it_was_sent_or_is_repeated() {
        // Of "user:pa ss/wo".
        let attached = Attached::new().header("Authorization", "Basic dXNlcjpwYSBzcy93bw==").unwrap();
        let attached = attached.header("X-Key", "k\u{65}y\"1/2").unwrap().query("token", "t&k n=%\u{e4}");
        let attached = attached.header("Cookie", "a=short; sid=of-alice").unwrap();
        for (said, shown) in [
            ("got Basic dXNlcjpwYSBzcy93bw==!", "got [secret]!"),
            ("got basic%20DXNlcjpwYSBzcy93bw%3d%3D", "got [secret]"),
            ("got dXNlcjpwYSBzcy93bw", "got [secret]"),
            ("got dXNlcjpwYSBzcy93bw==", "got [secret]"),
            ("got user:pa ss/wo, pa ss/wo, pa+ss%2Fwo", "got [secret], [secret], [secret]"),
            (r#"{"error":"no ke\u0079\"1\/2"}"#, r#"{"error":"no [secret]"}"#),
            ("?token=t%26k+n%3D%25%C3%A4&x=1", "?token=[secret]&x=1"),
            ("?token=t%26k%20n%3d%25%c3%a4&x=1", "?token=[secret]&x=1"),
            ("sid of-alice, short", "sid [secret], [secret]"),
            ("user \u{e4} %", "user \u{e4} %"),
        ] {
            assert_eq!(redacted(&attached, said, false), shown);
        }
        assert_eq!(format!("{:?}", attached.secrets()), "Secrets(10)");
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_taken_out() {
        let attached = Attached::new().header("Authorization", "Bearer se cret").unwrap();
        for said in ["got se c", "got se%20cr", "got se%20c%", "got Bearer se cre"] {
            assert_eq!(redacted(&attached, said, true), "got [secret]");
            assert_eq!(redacted(&attached, said, false), said);
        }
        assert_eq!(redacted(&attached, "got se", true), "got se");
    }

    #[test]
    fn what_is_no_secret_or_short_stays() {
        let attached = Attached::new().header("Accept", "application/json").unwrap().query("v", "abc");
        let attached = attached.header("X-Auth", "of user=ann key=0123456789").unwrap();
        let said = "application/json, abc, ann";
        assert_eq!(redacted(&attached, said, false), said);
        assert_eq!(redacted(&attached, "the key 0123456789", false), "the key [secret]");
    }

    /// The media type and the coding that are left of these.
    fn left(attached: &Attached, named: &str, coded: &str) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, named.parse().unwrap());
        headers.insert(header::CONTENT_ENCODING, coded.parse().unwrap());
        let answer = Incoming {
            status: http::StatusCode::OK,
            headers,
            body: Bytes::new(),
            is_cut: false,
            location: None,
            is_of_safe: true,
        };
        let answer = attached.secrets().taken_out(answer);
        let text = |name| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING))
    }

    #[test]
    fn how_to_read_a_body_stays_known_whatever_is_attached() {
        let attached = Attached::new().header("X-Accept", "application/json").unwrap();
        let attached = attached.header("X-Format", "text").unwrap().header("X-Coding", "gzip").unwrap();
        let attached = attached.query("format", "image/png").query("key", "s3cr3t");
        for (named, wanted) in [
            ("application/json; charset=utf-8", Some("application/json")),
            ("text/html", Some("text/plain")),
            ("text/plain; charset=latin1", Some("text/plain; charset=iso-8859-1")),
            ("image/png", Some("image/png")),
            ("image/jpeg", Some("image/jpeg")),
            ("application/s3cr3t+json", Some("application/json")),
            ("image/s3cr3t", None),
            ("application/s3cr3t", None),
        ] {
            assert_eq!(left(&attached, named, "gzip"), (wanted.map(str::to_owned), Some("gzip".to_owned())));
        }
        let (_, coded) = left(&attached, "application/json", "gzip, s3cr3t");
        assert_eq!(coded.as_deref(), Some("an unregistered coding"));
    }

    #[test]
    fn the_version_of_an_api_is_no_secret() {
        let attached = Attached::new().header("Notion-Version", "2022-06-28").unwrap();
        let said = "use 2022-06-28";
        assert_eq!(redacted(&attached, said, false), said);
        let attached = attached.header("X-Key", "2022-06-29").unwrap();
        assert_eq!(redacted(&attached, "use 2022-06-29", false), "use [secret]");
    }

    #[test]
    fn redacting_takes_a_bounded_number_of_steps() {
        let attached = Attached::new().query("key", &("a".repeat(8000) + "b"));
        let left = redacted(&attached, &"a".repeat(8192), false);
        assert!(left.len() < 8192 && left.ends_with("a [cut]"), "{}", left.len());
    }
}
