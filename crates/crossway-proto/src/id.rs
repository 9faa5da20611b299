//! Request ids and progress tokens: kept as their original bytes, compared by their JSON values.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::Limits;

/// A request id or a progress token: one JSON string or number.
///
/// It keeps its original text, so that it is returned byte for byte. Two ids are equal when their JSON values
/// are: `1`, `1.0` and `1e0` are the same id, so are `"a"` and `"\u0061"`, but `1` and `"1"` are different.
///
/// ```
/// use crossway_proto::RequestId;
///
/// let id = RequestId::parse(b"1.0").unwrap();
/// assert_eq!(id, RequestId::from(1));
/// assert_eq!(id.as_json(), b"1.0");
/// assert!(RequestId::parse(b"null").is_none());
/// ```
#[derive(Clone)]
pub struct RequestId {
    json: SmallVec<[u8; 24]>,
}

impl RequestId {
    /// Reads an id from its JSON text; `None` unless that is one string or number.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        // A raw value is UTF-8, and is shorter than the text where that has spaces around it.
        let is_scalar = matches!(json.first()?, b'"' | b'-' | b'0'..=b'9')
            && serde_json::from_slice::<&serde_json::value::RawValue>(json)
                .is_ok_and(|raw| raw.get().len() == json.len());
        is_scalar.then(|| Self::from_token(json))
    }

    /// The id for the refusal of a JSON text that is not a valid message; `None` if it names none, or may
    /// name two.
    ///
    /// "If there was an error in detecting the id in the Request object (e.g. Parse error/Invalid Request), it MUST be Null." (JSON-RPC
    /// 2.0, Response object)
    #[must_use]
    pub fn of_refused(text: &[u8], limits: &Limits) -> Option<Self> {
        #[derive(Deserialize)]
        struct Asked<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
            #[serde(rename = "method")]
            _method: IgnoredAny,
        }
        let asked = serde_json::from_slice::<Asked<'_>>(text).ok()?;
        let id = asked.id.get();
        if id.len() <= limits.id_bytes { Self::parse(id.as_bytes()) } else { None }
    }

    /// Creates an id from a token that a scan has found to be a string or a number.
    pub(crate) fn from_token(json: &[u8]) -> Self {
        Self { json: SmallVec::from_slice(json) }
    }

    /// The JSON text as it came.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        &self.json
    }

    /// The id as a whole number from 0 to 2^64 - 1, if it is written as plain digits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if self.json.len() > 1 && self.json[0] == b'0' {
            return None;
        }
        self.json.iter().try_fold(0u64, |value, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            value.checked_mul(10)?.checked_add(digit)
        })
    }

    /// The whole number from 0 to 2^64 - 1 that the id means, written as plain digits, in another way
    /// (`65537.0`, `6.5537e4`) or as a string of plain digits (`"65537"`). For our own numeric ids: servers
    /// return them in all of these forms.
    #[must_use]
    pub fn to_whole(&self) -> Option<u64> {
        if let Some(plain) = self.as_u64() {
            return Some(plain);
        }
        match self.value() {
            Value::Text(text) => Self::from_token(&text).as_u64().filter(|_| !text.is_empty()),
            value => value.to_whole(),
        }
    }

    /// The value, in the same form for all texts that mean it.
    fn value(&self) -> Value {
        if self.json[0] == b'"' {
            let inner = &self.json[1..self.json.len() - 1];
            if !inner.contains(&b'\\') {
                return Value::Text(SmallVec::from_slice(inner));
            }
            // A lone surrogate has no Unicode value: such an id equals its own text alone.
            return match serde_json::from_slice::<String>(&self.json) {
                Ok(text) => Value::Text(SmallVec::from_slice(text.as_bytes())),
                Err(_) => Value::HalfPair(SmallVec::from_slice(&self.json)),
            };
        }
        Value::number(&self.json)
    }
}

/// What an id means.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Text(SmallVec<[u8; 24]>),
    /// A string with half a surrogate pair in it, as its JSON text.
    HalfPair(SmallVec<[u8; 24]>),
    /// Sign, digits without zeros at either end, and the power of ten of the last digit. Zero has no digits.
    Number {
        negative: bool,
        digits: SmallVec<[u8; 24]>,
        exponent: i64,
    },
}

impl Value {
    fn number(json: &[u8]) -> Self {
        let (negative, json) = match json.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, json),
        };
        let (mantissa, exponent) = match json.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&json[..at], power(&json[at + 1..])),
            None => (json, 0),
        };
        let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &[][..]),
        };
        let mut digits: SmallVec<[u8; 24]> = SmallVec::new();
        digits.extend(whole.iter().chain(fraction).copied().skip_while(|digit| *digit == b'0'));
        let mut exponent = exponent.saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        if digits.is_empty() {
            return Self::Number { negative: false, digits, exponent: 0 };
        }
        Self::Number { negative, digits, exponent }
    }

    /// The whole number from 0 to 2^64 - 1 that a number is.
    fn to_whole(&self) -> Option<u64> {
        let Self::Number { negative: false, digits, exponent } = self else { return None };
        let digits = digits
            .iter()
            .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
        digits.checked_mul(10u64.checked_pow(u32::try_from(*exponent).ok()?)?)
    }
}

/// The number after `e`, clamped to an `i64`: ids beyond that are told apart only by their digits.
fn power(json: &[u8]) -> i64 {
    let (sign, digits) = match json.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, json),
    };
    digits.iter().fold(0i64, |power, digit| power.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
        * sign
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json || self.value() == other.value()
    }
}

impl Eq for RequestId {}

impl Hash for RequestId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Most are plain digits.
        if let Some(plain) = self.as_u64() {
            return state.write_u64(plain);
        }
        let value = self.value();
        match value.to_whole() {
            Some(whole) => state.write_u64(whole),
            None => value.hash(state),
        }
    }
}

impl From<u64> for RequestId {
    fn from(id: u64) -> Self {
        Self::from_token(itoa::Buffer::new().format(id).as_bytes())
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self::from_token(serde_json::Value::from(id).to_string().as_bytes())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.json))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> RequestId {
        RequestId::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_of_one_value_are_one_id() {
        for same in ["1", "1.0", "1e0", "10e-1", "0.1E+1", "100e-2"] {
            assert_eq!(id(same), id("1"), "{same}");
        }
        assert_eq!(id("0"), id("-0.0"));
        assert_eq!(id("0e5"), id("0"));
        assert_eq!(id("123000"), id("123e3"));
        assert_ne!(id("1"), id("-1"));
        assert_ne!(id("1"), id("10"));
        assert_ne!(id("9223372036854775808"), id("9223372036854775809"));
        assert_ne!(id("1e999"), id("1e998"));
    }

    #[test]
    fn a_whole_number_is_told_in_whatever_way_it_is_written() {
        for same in ["65537", "65537.0", "6.5537e4", "655370E-1", r#""65537""#, r#""\u00365537""#] {
            assert_eq!(id(same).to_whole(), Some(65537), "{same}");
        }
        assert_eq!(id("0.0").to_whole(), Some(0));
        assert_eq!(id("12e2").to_whole(), Some(1200));
        assert_eq!(id("18446744073709551615.0").to_whole(), Some(u64::MAX));
        for not in [
            "65537.5",
            "-65537",
            "1e20",
            "1e999",
            "1e-1",
            r#""""#,
            r#""65537.0""#,
            r#"" 1""#,
            r#""01""#,
            r#""a""#,
        ] {
            assert_eq!(id(not).to_whole(), None, "{not}");
        }
    }

    #[test]
    fn strings_compare_decoded_and_never_equal_numbers() {
        assert_eq!(id(r#""a/b""#), id(r#""\u0061\/b""#));
        assert_ne!(id(r#""1""#), id("1"));
        assert_ne!(id(r#""\ud800""#), id(r#""\ud801""#));
        assert_ne!(id(r#""\ud800""#), id(r#""\"\\ud800\"""#), "the text of its escape");
    }

    #[test]
    fn what_is_neither_string_nor_number_is_no_id() {
        for not in
            ["null", "true", "[1]", "{}", "", "01", "1 ", " 1", "\"", "-", "\"a\" ", "\"a\"\n", "\"a\"1"]
        {
            assert!(RequestId::parse(not.as_bytes()).is_none(), "{not}");
        }
        assert!(RequestId::parse(b"\"\xff\"").is_none(), "not UTF-8");
    }

    proptest::proptest! {
        #[test]
        fn equal_ids_hash_alike(a in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[0-9])?", b in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[0-9])?") {
            use std::hash::{BuildHasher, RandomState};
            let (a, b) = (id(&a), id(&b));
            let hasher = RandomState::new();
            if a == b {
                proptest::prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
            }
        }

        #[test]
        fn an_id_keeps_its_text(text in proptest::arbitrary::any::<String>()) {
            let id = RequestId::from(text.as_str());
            proptest::prop_assert_eq!(serde_json::from_slice::<String>(id.as_json()).unwrap(), text);
        }
    }
}
