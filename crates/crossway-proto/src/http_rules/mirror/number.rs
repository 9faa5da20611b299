//! Integers in JSON numbers of any notation.

/// The largest integer that may be mirrored: 2^53-1. "Integer values **MUST** be within the safe range for JavaScript".
const LARGEST: i64 = (1 << 53) - 1;

/// The integer that a JSON number is, exactly: `42`, `42.0`, `4.2e1` and `420E-1` are the same.
///
/// `None` if the text is no JSON number, or has a fraction, or is beyond -2^53+1 to 2^53-1.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_number = !whole.is_empty()
        && (whole == "0" || !whole.starts_with('0'))
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }

    // All digits as an integer, to be multiplied by ten so many times.
    let fraction = fraction.trim_end_matches('0');
    let mut power = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
    let mut digits =
        whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect::<Vec<_>>();
    while power < 0 && digits.last() == Some(&b'0') {
        digits.pop();
        power += 1;
    }
    if digits.is_empty() {
        return Some(0);
    }
    if power < 0 || digits.len() > 16 || power > 16 {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let value = (0..power).try_fold(value, |value, _| value.checked_mul(10))?;
    (value <= LARGEST).then_some(if negative { -value } else { value })
}

/// `[ minus / plus ] 1*DIGIT` (RFC 8259, section 6), clamped to an `i64`.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_told_however_they_are_written() {
        for text in ["42", "42.0", "42.000", "4.2e1", "4.2E+1", "420e-1", "0.42e2", "42e0", "4200e-2"] {
            assert_eq!(integer(text), Some(42), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0.0e5", "0e999999999999999999999", "0e-1"] {
            assert_eq!(integer(text), Some(0), "{text}");
        }
        assert_eq!(integer("9007199254740991"), Some(LARGEST));
        assert_eq!(integer("-9007199254740991.0"), Some(-LARGEST));
        assert_eq!(integer("9e15"), Some(9_000_000_000_000_000));
    }

    #[test]
    fn what_is_no_integer_within_53_bits_is_none() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "1_0",
            " 1",
            "1 ",
            "NaN",
            "--1",
            "1.5",
            "1e-1",
            "42e-1",
            "9007199254740992",
            "-9007199254740992",
            "9007199254740991.4",
            "1e16",
            "1e999",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "12345678901234567890",
            "١",
        ] {
            assert_eq!(integer(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_safe_integer_is_read_back(value in -LARGEST..=LARGEST, zeros in 0_usize..4) {
            prop_assert_eq!(integer(&value.to_string()), Some(value));
            prop_assert_eq!(integer(&format!("{value}.{}", "0".repeat(zeros + 1))), Some(value));
            prop_assert_eq!(integer(&format!("{value}{}e-{zeros}", "0".repeat(zeros))).filter(|_| value != 0),
                Some(value).filter(|_| value != 0));
        }

        #[test]
        fn it_agrees_with_floating_point(text in "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?") {
            let value: f64 = text.parse().unwrap();
            let exact = (value.fract() == 0.0 && value.abs() <= LARGEST as f64).then_some(value as i64);
            prop_assert_eq!(integer(&text), exact);
        }
    }
}
