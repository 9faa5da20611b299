//! How long an answer asks to wait.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// `Retry-After` (RFC 9110, section 10.2.3), in seconds or by a date: how long to wait from `now` on, and no longer than `most`. A date that
/// has passed is no wait. None if the header is absent, or is neither.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime, most: Duration) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(after.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_its_forms() {
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |value: &str, now| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, now, Duration::from_secs(60))
        };
        assert_eq!(read("7", date), Some(Duration::from_secs(7)));
        assert_eq!(read("999999999", date), Some(Duration::from_secs(60)));
        for (seconds, after) in [(0, 0), (1, 1), (59, 59), (3600, 60)] {
            let now = date - Duration::from_secs(seconds);
            assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(after)));
        }
        assert_eq!(read("Sun, 06 Nov 1994 08:49:36 GMT", date), Some(Duration::ZERO));
        assert_eq!(read("soon", date), None);
        assert_eq!(retry_after(&HeaderMap::new(), date, Duration::MAX), None);
    }
}
