//! Config types of quotas.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::TenantName;

/// How much a tenant may use, and each of its users within that.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct QuotaRule {
    /// This tenant. Without it, each tenant gets this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Calls to this upstream, or to each that matches the pattern. Without it, to all upstreams together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Calls to this tool, or to each that matches the pattern. Without it, all calls together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    // From here on as in `QuotaLimits`, which can't be flattened into this: serde would no longer refuse unknown keys.
    /// Requests of any kind per time, such as `500/s`: calls, lists, opened sessions and opened streams. It
    /// can't be combined with `upstream` or `tool`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Calls that begin, per time, such as `600/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Rate>,
    /// Calls in flight at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Bytes of calls and answers per time, such as `100MiB/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Rate>,
    /// Child processes that run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<u32>,
    /// How much of that each user may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_user: Option<QuotaLimits>,
}

/// How much may be used. A missing key means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct QuotaLimits {
    /// Requests of any kind per time, such as `500/s`: calls, lists, opened sessions and opened streams. It
    /// can't be combined with `upstream` or `tool`. By default, half of what the tenant may make, if a rule
    /// limits that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Calls that begin, per time, such as `60/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Rate>,
    /// Calls in flight at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Bytes of calls and answers per time, such as `10MiB/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Rate>,
    /// Child processes that run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<u32>,
}

impl QuotaLimits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Those of requests alone, whatever they are about.
    pub(crate) fn of_requests(requests: Rate) -> Self {
        Self { requests: Some(requests), ..Self::default() }
    }

    /// Those that depend on what a request is about.
    pub(crate) fn of_calls(self) -> Self {
        Self { requests: None, ..self }
    }

    /// The keys of the limits that are set here and not in another.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            ("requests", self.requests.is_some(), other.requests.is_some()),
            ("calls", self.calls.is_some(), other.calls.is_some()),
            ("in_flight", self.in_flight.is_some(), other.in_flight.is_some()),
            ("bytes", self.bytes.is_some(), other.bytes.is_some()),
            ("children", self.children.is_some(), other.children.is_some()),
        ];
        keys.into_iter().filter(|(_, here, there)| *here && !there).map(|(key, ..)| key).collect()
    }

    /// The keys of the limits that are higher than those of another, so that the other's always count first.
    pub(crate) fn above(&self, other: &Self) -> Vec<&'static str> {
        let rates = |one: Option<Rate>, other: Option<Rate>| {
            one.zip(other).is_some_and(|(one, other)| one.is_above(other))
        };
        let counts =
            |one: Option<u32>, other: Option<u32>| one.zip(other).is_some_and(|(one, other)| one > other);
        let keys = [
            ("requests", rates(self.requests, other.requests)),
            ("calls", rates(self.calls, other.calls)),
            ("in_flight", counts(self.in_flight, other.in_flight)),
            ("bytes", rates(self.bytes, other.bytes)),
            ("children", counts(self.children, other.children)),
        ];
        keys.into_iter().filter(|(_, is_above)| *is_above).map(|(key, _)| key).collect()
    }

    /// Whether something is limited to nothing.
    pub(crate) fn has_zero(&self) -> bool {
        let rate = |rate: Option<Rate>| rate.is_some_and(|rate| rate.count() == 0);
        rate(self.requests)
            || rate(self.calls)
            || rate(self.bytes)
            || self.in_flight == Some(0)
            || self.children == Some(0)
    }
}

impl fmt::Display for QuotaLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |name: &str, rate: Option<Rate>| rate.map(|rate| format!("{name} {rate}"));
        let count = |name: &str, count: Option<u32>| count.map(|count| format!("{name} {count}"));
        let parts = [
            rate("requests", self.requests),
            rate("calls", self.calls),
            count("in_flight", self.in_flight),
            rate("bytes", self.bytes),
            count("children", self.children),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

impl QuotaRule {
    /// What the tenant may use.
    #[must_use]
    pub fn limits(&self) -> QuotaLimits {
        let Self { requests, calls, in_flight, bytes, children, .. } = *self;
        QuotaLimits { requests, calls, in_flight, bytes, children }
    }
}

/// So many in some time: `600/min`, `10/s`, `100MiB/hour`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct Rate {
    count: u64,
    per: Per,
}

/// What a rate is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// `s`, `sec`, `second`.
    Second,
    /// `m`, `min`, `minute`.
    Minute,
    /// `h`, `hour`.
    Hour,
    /// `d`, `day`.
    Day,
}

/// A text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no rate: a number, perhaps with KiB, MiB or GiB, and /s, /min, /hour or /day, such as 600/min"
)]
pub struct InvalidRate(String);

impl Rate {
    /// So many in this time.
    #[must_use]
    pub fn new(count: u64, per: Per) -> Self {
        Self { count, per }
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// What it is counted in.
    #[must_use]
    pub fn per(self) -> Per {
        self.per
    }

    /// In which time.
    #[must_use]
    pub fn period(self) -> Duration {
        Duration::from_secs(match self.per {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
            Per::Day => 86_400,
        })
    }

    /// Half of it, and one at least of what is not nothing.
    pub(crate) fn half(self) -> Self {
        Self { count: self.count.div_ceil(2), ..self }
    }

    /// Whether more is possible by this rate than by another, both at once and in the long run.
    fn is_above(self, other: Self) -> bool {
        let in_time = |one: Self, of: Self| u128::from(one.count) * u128::from(of.period().as_secs());
        self.count > other.count && in_time(self, other) > in_time(other, self)
    }

    fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let per = match per.trim() {
            "s" | "sec" | "second" => Per::Second,
            "m" | "min" | "minute" => Per::Minute,
            "h" | "hour" => Per::Hour,
            "d" | "day" => Per::Day,
            _ => return None,
        };
        let count = count.trim();
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let unit = units.iter().find_map(|(unit, factor)| Some((count.strip_suffix(unit)?, *factor)));
        let (digits, factor) = unit.unwrap_or((count, 1_u64));
        let digits = digits.trim_end();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count = digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(factor)?;
        Some(Self { count, per })
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        Self::parse(&text).ok_or(InvalidRate(text))
    }
}

impl<'de> Deserialize<'de> for Rate {
    /// So that who writes a number is told what is missing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ARate;
        impl Visitor<'_> for ARate {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as 10/min or 10MiB/min")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Rate, E> {
                Rate::try_from(text.to_owned()).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(ARate)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "s",
            Per::Minute => "min",
            Per::Hour => "hour",
            Per::Day => "day",
        };
        write!(f, "{}/{per}", self.count)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A number per time: 600/min, 10/s, 100MiB/hour.",
            "pattern": r"^\s*[0-9]+\s*(KiB|MiB|GiB)?\s*/\s*(s|sec|second|m|min|minute|h|hour|d|day)\s*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let rate = |text: &str| Rate::try_from(text.to_owned());
        assert_eq!(rate("600/min"), Ok(Rate::new(600, Per::Minute)));
        assert_eq!(rate("10 MiB / s"), Ok(Rate::new(10 << 20, Per::Second)));
        assert_eq!(rate("600/min").unwrap().to_string(), "600/min");
        for bad in ["600", "/min", "-1/min", "+1/min", "1/week", "1MB/s", "99999999999GiB/s", "1.5/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        let told = serde_json::from_str::<Rate>("10").unwrap_err().to_string();
        assert!(told.contains("expected a rate such as 10/min"), "{told}");
        let told = serde_json::from_str::<Rate>("\"10\"").unwrap_err().to_string();
        assert!(told.contains("\"10\" is no rate"), "{told}");
        assert_eq!(serde_json::from_str::<Rate>("\"10/min\"").unwrap(), Rate::new(10, Per::Minute));
    }
}
