//! A call's position in a trace (W3C Trace Context).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A call's place in a trace. It is in a call's [extensions](crate::Context::extensions), for those who send
/// the call on.
///
/// 2026-07-28, basic/index, `_meta`: "`traceparent`, `tracestate`, and `baggage`" are reserved, and follow W3C Trace
/// Context. Over HTTP they are headers of the same names too.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

/// An invalid `traceparent`: a new trace begins then (W3C Trace Context, 3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTraceparent {
    /// It does not have the form of a `traceparent`.
    #[error("it is not of the form version-trace-span-flags")]
    Form,
    /// Its version is the one that is reserved as invalid.
    #[error("its version is ff")]
    Version,
    /// Its trace or its span is zero, which means none.
    #[error("its trace or its span is zero")]
    Zero,
}

impl TraceContext {
    /// The flag that says that the caller may have recorded the call.
    pub const SAMPLED: u8 = 1;
    /// The longest `tracestate`: 512 bytes, "vendors SHOULD propagate at least" that much (W3C Trace Context,
    /// 3.3.1.5).
    pub const STATE_BYTES: usize = 512;

    /// A place in a trace; `None` if one of the two is zero.
    #[must_use]
    pub fn new(trace: u128, span: u64, flags: u8) -> Option<Self> {
        (trace != 0 && span != 0).then_some(Self { trace, span, flags, state: None })
    }

    /// With a `tracestate`, unless it is empty, too long, or has characters that no header can have.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        let is_fit = !state.is_empty()
            && state.len() <= Self::STATE_BYTES
            && state.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        self.state = is_fit.then(|| state.into());
        self
    }

    /// Another span of the same trace; the same again if it is zero.
    #[must_use]
    pub fn child(&self, span: u64) -> Self {
        Self { span: if span == 0 { self.span } else { span }, ..self.clone() }
    }

    /// The number of the trace.
    #[must_use]
    pub fn trace(&self) -> u128 {
        self.trace
    }

    /// The number of the span.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.span
    }

    /// Whether the caller may have recorded the call.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The `tracestate`, which vendors set.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// `traceparent`, in ASCII: 55 bytes.
    #[must_use]
    pub fn to_traceparent(&self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&mut text[3..35], self.trace);
        hex(&mut text[36..52], self.span.into());
        hex(&mut text[53..55], self.flags.into());
        text
    }
}

fn hex(out: &mut [u8], mut number: u128) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

fn number(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

impl FromStr for TraceContext {
    type Err = BadTraceparent;

    /// Reads `traceparent`. Later versions are read by the parts that they share with this one (W3C Trace
    /// Context, 3.2.4).
    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let text = text.as_bytes();
        let (head, rest) = text.split_at_checked(55).ok_or(BadTraceparent::Form)?;
        if [head[2], head[35], head[52]] != *b"---" {
            return Err(BadTraceparent::Form);
        }
        let part = |range: std::ops::Range<usize>| number(&head[range]).ok_or(BadTraceparent::Form);
        let (version, trace, span, flags) = (part(0..2)?, part(3..35)?, part(36..52)?, part(53..55)?);
        match (version, rest.first()) {
            (0xff, _) => return Err(BadTraceparent::Version),
            (0, Some(_)) => return Err(BadTraceparent::Form),
            (_, Some(next)) if *next != b'-' => return Err(BadTraceparent::Form),
            _ => {}
        }
        let span = u64::try_from(span).map_err(|_| BadTraceparent::Form)?;
        // The meaning of other flags in later versions is not known.
        Self::new(trace, span, flags as u8 & Self::SAMPLED).ok_or(BadTraceparent::Zero)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_traceparent()))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_written_as_it_was_read() {
        let context: TraceContext = PARENT.parse().unwrap();
        assert_eq!(
            (context.trace(), context.span()),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7)
        );
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(
            context.child(0xab).to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01"
        );
    }

    #[test]
    fn later_versions_are_read_by_what_is_known_of_them() {
        let later = PARENT.replacen("00", "cc", 1);
        assert_eq!(later.parse::<TraceContext>().unwrap().to_string(), PARENT);
        assert!(format!("{later}-what-the-future-has").parse::<TraceContext>().is_ok());
        assert_eq!(format!("{later}x").parse::<TraceContext>(), Err(BadTraceparent::Form));
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for (text, error) in [
            ("", BadTraceparent::Form),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", BadTraceparent::Form),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", BadTraceparent::Form),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", BadTraceparent::Form),
            ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", BadTraceparent::Form),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", BadTraceparent::Version),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", BadTraceparent::Zero),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", BadTraceparent::Zero),
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_state_that_no_header_can_have_is_left_out() {
        let context: TraceContext = PARENT.parse().unwrap();
        assert_eq!(context.clone().with_state("a=1,b=2").state(), Some("a=1,b=2"));
        for state in ["", "a=1\r\nX-Evil: 1", "ä", &"x".repeat(513)] {
            assert_eq!(context.clone().with_state(state).state(), None);
        }
    }
}
