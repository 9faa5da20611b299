//! Checks that numbers in arguments keep their value.

/// Whether each integer in a JSON text keeps its value when parsed: an integer beyond 64 bits is read as a float, which has 53.
pub(super) fn are_kept(json: &[u8]) -> bool {
    let (mut in_string, mut is_escaped) = (false, false);
    let outside = json.split(|byte| {
        let is_inside = in_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        is_inside || !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
    });
    outside.filter_map(|token| std::str::from_utf8(token).ok()).all(is_kept)
}

fn is_kept(token: &str) -> bool {
    // A shorter token has no more than 64 bits.
    if token.len() < 19 || token.contains(['.', 'e', 'E']) {
        return true;
    }
    let as_float = || token.parse::<f64>().is_ok_and(|float| float.to_string() == token);
    token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok() || as_float()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_that_would_become_another_is_found() {
        for kept in [
            "{}",
            "18446744073709551615",
            r#"{"a":[-9223372036854775808,1e400,12345678901234567890.5]}"#,
            "100000000000000000000",
            r#"{"12345678901234567890123":"12345678901234567890123","b":"\"12345678901234567890123"}"#,
        ] {
            assert!(are_kept(kept.as_bytes()), "{kept}");
        }
        for other in [
            "18446744073709551617",
            r#"{"a":[{"b\\":12345678901234567890123}]}"#,
            r#"["\"",-9223372036854775809]"#,
        ] {
            assert!(!are_kept(other.as_bytes()), "{other}");
        }
    }
}
