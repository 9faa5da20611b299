//! Durations, sizes and addresses, parsed from text.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::super::limits::LONGEST;

/// A time with its unit: `500ms`, `30s`, `5m`, `1h`; [`LONGEST`] at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Time(pub Duration);

impl Time {
    fn parse(text: &str) -> Option<Self> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let number: u64 = digits.parse().ok()?;
        let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
        match unit.trim() {
            "ms" => Some(Duration::from_millis(number)),
            "s" => seconds(1),
            "m" | "min" => seconds(60),
            "h" => seconds(3600),
            "d" => seconds(86_400),
            _ => None,
        }
        .map(Self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ATime;
        impl serde::de::Visitor<'_> for ATime {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with its unit, such as 500ms, 30s, 5m or 1h,")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                let time = Time::parse(text)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                if time.0 > LONGEST {
                    return Err(E::custom(format_args!(
                        "a time can be {} at the most",
                        String::from(Time(LONGEST))
                    )));
                }
                Ok(time)
            }
        }
        deserializer.deserialize_any(ATime)
    }
}

impl From<Time> for String {
    fn from(Time(time): Time) -> Self {
        let (seconds, millis) = (time.as_secs(), time.as_millis());
        match seconds {
            _ if !millis.is_multiple_of(1000) => format!("{millis}ms"),
            _ if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        }
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time with its unit: 500ms, 30s, 5m, 1h; 8760h at most.",
            "pattern": r"^[0-9]+ *(ms|s|m|min|h|d)$|\$\{",
        })
    }
}

/// A number of bytes: `64MiB`, `128KiB`, or a number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Size(pub usize);

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit: usize = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        digits.parse::<usize>().ok()?.checked_mul(unit).map(Self)
    }
}

impl From<Size> for String {
    fn from(Size(bytes): Size) -> Self {
        match bytes {
            _ if bytes > 0 && bytes.is_multiple_of(1 << 30) => format!("{}GiB", bytes >> 30),
            _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
            _ if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
            _ => bytes.to_string(),
        }
    }
}

/// A number of bytes, in words.
pub(crate) fn in_words(bytes: u64) -> String {
    usize::try_from(bytes).map_or_else(|_| bytes.to_string(), |bytes| String::from(Size(bytes)))
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ASize;
        impl serde::de::Visitor<'_> for ASize {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, such as 64MiB or 4096,")
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
                usize::try_from(bytes)
                    .map(Size)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(bytes), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(ASize)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A number of bytes: 64MiB, 128KiB, or a number alone.",
            "pattern": r"^[0-9]+ *(B|KiB|MiB|GiB)?$|\$\{",
            "minimum": 0,
        })
    }
}

/// An address to listen on: `127.0.0.1:8808`, `[::]:8808`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(pub SocketAddr);

/// A text is no address.
#[derive(Debug, thiserror::Error)]
#[error(
    "an address is wanted: IP:PORT, such as 127.0.0.1:8808, or 0.0.0.0:8808 for all that this machine has"
)]
pub struct NotAnAddress;

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        crate::args::literal(&text).map(Self).ok_or(NotAnAddress)
    }
}

impl From<Address> for String {
    fn from(Address(address): Address) -> Self {
        address.to_string()
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An address to listen on: 127.0.0.1:8808, or 0.0.0.0:8808 for all addresses of the machine.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit_and_written_as_the_largest_that_fits() {
        for (text, written) in
            [("500ms", "500ms"), ("30s", "30s"), ("300s", "5m"), ("60 min", "1h"), ("0s", "0s")]
        {
            let time = Time::parse(text).unwrap();
            assert_eq!(String::from(time), written);
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "1 week", "99999999999999999999s", "9999999999999999999h"] {
            assert!(Time::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_time_is_longer_than_can_be_added_to_what_time_it_is() {
        let read = |text: &str| serde_json::from_value::<Time>(text.into());
        assert_eq!(read("365d").unwrap(), Time(LONGEST));
        for bad in ["366d", "9999999999999d", "18446744073709551615s"] {
            assert_eq!(read(bad).unwrap_err().to_string(), "a time can be 8760h at the most", "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_written_as_the_largest_that_fits() {
        for (text, bytes, written) in
            [("64MiB", 64 << 20, "64MiB"), ("1024KiB", 1 << 20, "1MiB"), ("100", 100, "100"), ("0", 0, "0")]
        {
            assert_eq!(Size::parse(text), Some(Size(bytes)));
            assert_eq!(String::from(Size(bytes)), written);
        }
        for bad in ["", "MiB", "1MB", "-1", "1.5GiB", "99999999999999999999"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }
}
