//! Fuzzes the header rules of HTTP requests.

mod mirrored;

use crossway_proto::http_rules::accept::{self, Accepts};
use crossway_proto::http_rules::content_type::{self, BodyKind};
use crossway_proto::http_rules::session;
use crossway_proto::http_rules::version::{self, BodyVersion};
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins, Authority, Refusal};
use crossway_proto::{ErrorCode, Revision};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use super::input::Input;
use super::json::is_json;

/// Checks that no head makes a check panic, that each refusal can be sent, that overlapping checks agree, and that a mirrored value decodes
/// to the original.
///
/// # Panics
///
/// When a check fails.
pub fn headers(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        b'v' => mirrored::value(input.rest()),
        b'n' => mirrored::name(input.line(), input.line()),
        b'p' => mirrored::params(input),
        b'a' => authorities(input.line(), input.line()),
        b'o' => origins(input.line(), input.line()),
        choice => head(choice, input),
    }
}

/// Checks a request's head: its target on the first line, then its headers.
fn head(choice: u8, mut input: Input<'_>) {
    let target = Uri::try_from(input.line()).unwrap_or_default();
    let headers = header_map(&mut input);
    accepted(&headers);
    if content_type::check_post(&headers).inspect_err(check_refusal).is_ok() {
        assert_eq!(BodyKind::of(&headers), BodyKind::Json);
    }
    addressed(&headers, &target);
    for meta in [None, Some("2026-07-28"), Some("1\u{e9}\"")] {
        versions(&headers, BodyVersion { meta, is_request: choice.is_multiple_of(2) });
    }
    match session::session_id(&headers).inspect_err(check_refusal) {
        Ok(id) => assert!(id.is_none_or(session::is_session_id)),
        Err(refusal) => assert_eq!(refusal.status, StatusCode::BAD_REQUEST),
    }
    if let Err(refusal) = session::last_event_id(&headers) {
        check_refusal(&refusal);
    }
    mirrored::checks(&headers);
}

/// Reads lines of names and values, and skips invalid headers.
pub(super) fn header_map(input: &mut Input<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    loop {
        let line = input.line();
        if line.is_empty() {
            return headers;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}

/// Checks that a refusal can be sent: it has an error status, a code that JSON-RPC allows, and data that is JSON.
fn check_refusal(refusal: &Refusal) {
    assert!(refusal.status.is_client_error(), "refused with {}", refusal.status);
    assert!(refusal.code.0 < 0);
    assert!(!refusal.message.is_empty() && !refusal.message.chars().any(char::is_control));
    assert!(refusal.data.as_ref().is_none_or(|data| is_json(data)));
}

fn accepted(headers: &HeaderMap) {
    let accepts = Accepts::of(headers);
    let post = accept::check_post(headers).inspect_err(check_refusal);
    let get = accept::check_get(headers).inspect_err(check_refusal);
    assert_eq!(post.is_ok(), accepts.json && accepts.event_stream);
    assert_eq!(get.is_ok(), accepts.event_stream);
    assert!(
        post.err().into_iter().chain(get.err()).all(|refusal| refusal.status == StatusCode::NOT_ACCEPTABLE)
    );

    // "A recipient MAY combine multiple field lines [...] by appending each subsequent field line value to the
    // initial field line value in order, separated by a comma" (RFC 9110, section 5.3), which changes nothing. The
    // order of ranges has no meaning (section 12.5.1).
    let lines: Result<Vec<_>, _> = headers.get_all(header::ACCEPT).iter().map(HeaderValue::to_str).collect();
    if let Ok(lines) = lines
        && !lines.is_empty()
        && !lines.iter().any(|line| line.contains('"'))
    {
        let one = lines.join(", ");
        let turned = one.rsplit(',').collect::<Vec<_>>().join(",");
        for value in [one, turned] {
            let mut headers = HeaderMap::new();
            headers.extend(HeaderValue::from_str(&value).ok().map(|value| (header::ACCEPT, value)));
            assert_eq!(Accepts::of(&headers), accepts, "the same in another order is read in another way");
        }
    }
}

fn addressed(headers: &HeaderMap, target: &Uri) {
    let any = AllowedHosts::any().check(headers, target).inspect_err(check_refusal);
    let loopback = AllowedHosts::loopback().check(headers, target).inspect_err(check_refusal);
    let none = AllowedHosts::none().check(headers, target).inspect_err(check_refusal);
    let Ok(host) = any else {
        assert!(any.is_err_and(|refusal| refusal.status == StatusCode::BAD_REQUEST));
        assert!(loopback.is_err() && none.is_err());
        return;
    };
    assert_eq!(loopback.as_ref().ok(), Some(&host).filter(|host| host.is_loopback()));
    assert!(none.is_err_and(|refusal| refusal.status == StatusCode::FORBIDDEN));
    let listed = AllowedHosts::none().and(&host.to_string());
    assert!(listed.is_ok_and(|listed| listed.allows(&host)), "{host} is not itself");

    assert!(AllowedOrigins::any().check(headers, &host).is_ok());
    let has_origin = headers.contains_key(header::ORIGIN);
    for origins in [AllowedOrigins::none(), AllowedOrigins::loopback()] {
        if let Err(refusal) = origins.check(headers, &host) {
            check_refusal(&refusal);
            assert!(has_origin && refusal.status == StatusCode::FORBIDDEN);
        }
    }
    assert_eq!(AllowedOrigins::none().check(headers, &host).is_ok(), !has_origin);
    if has_origin && !host.is_loopback() {
        assert!(AllowedOrigins::loopback().check(headers, &host).is_err(), "a page reached another host");
    }
}

fn versions(headers: &HeaderMap, body: BodyVersion<'_>) {
    let dual = [Revision::V2025_11_25, Revision::V2026_07_28];
    for supported in [&dual[..], &dual[..1], &dual[1..], &Revision::ALL, &[]] {
        match version::check(headers, body, supported) {
            Ok(None) => assert!(body.meta.is_none()),
            Ok(Some(revision)) => {
                assert!(supported.contains(&revision));
                assert!(body.meta.is_none_or(|meta| meta == revision.as_str() && revision.is_modern()));
            }
            Err(refusal) => {
                check_refusal(&refusal);
                assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
                // Clients take these codes as a modern server's answers to modern requests.
                let modern = [ErrorCode::HEADER_MISMATCH, ErrorCode::UNSUPPORTED_PROTOCOL_VERSION];
                assert_eq!(modern.contains(&refusal.code), body.meta.is_some());
            }
        }
    }
}

/// Checks that an authority parses to itself when written, and that equality means the same host and port.
fn authorities(one: &[u8], other: &[u8]) {
    let [one, other] = [one, other].map(|text| std::str::from_utf8(text).ok().map(Authority::parse));
    for authority in [&one, &other].into_iter().flatten().flatten() {
        let written = authority.to_string();
        assert_eq!(Authority::parse(&written).as_ref(), Ok(authority), "{written} is another host");
        assert!(written.is_ascii());
        let lower = written.to_ascii_lowercase();
        assert_eq!(Authority::parse(&lower).as_ref(), Ok(authority));
    }
    if let (Some(Ok(one)), Some(Ok(other))) = (&one, &other) {
        assert_eq!(one == other, one.has_same_host(other) && one.port() == other.port());
        if one.has_same_host(other) {
            assert_eq!(one.is_loopback(), other.is_loopback());
        }
    }
}

/// Checks that an allowed origin is accepted, and that no invalid origin is.
fn origins(allowed: &[u8], asked: &[u8]) {
    let (Ok(allowed), Ok(asked)) = (std::str::from_utf8(allowed), HeaderValue::from_bytes(asked)) else {
        return;
    };
    let Ok(origins) = AllowedOrigins::none().and(allowed) else { return };
    let Ok(host) = Authority::parse("mcp.example.com") else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::ORIGIN, asked.clone());
    let verdict = origins.check(&headers, &host);
    if asked.as_bytes() == allowed.as_bytes() {
        assert_eq!(verdict, Ok(()), "an allowed origin is refused");
    }
    if verdict.is_ok() {
        let asked = asked.to_str().unwrap_or_default();
        assert!(asked.contains("://") && !asked.ends_with('/') && asked != "null");
        assert!(AllowedOrigins::none().and(asked.trim()).is_ok());
    }
}
