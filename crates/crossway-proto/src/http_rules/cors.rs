//! CORS: the headers that tell browsers which pages may call (Fetch standard).
//!
//! [`AllowedOrigins`](super::AllowedOrigins) refuses the requests of other pages, which browsers send whether
//! or not the server wants them. This is the other half: a browser sends no request with one of MCP's
//! headers, and shows its page no answer, unless the server says that it may.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use super::limits;

/// The headers of an answer that a page may read besides those that it always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After");

/// The page that a request comes from, if any. The default is none.
///
/// ```
/// use crossway_proto::http_rules::{AllowedOrigins, Authority, CorsOrigin};
/// use http::{HeaderMap, HeaderValue, Method, header};
///
/// let mut asked = HeaderMap::new();
/// asked.insert(header::ORIGIN, HeaderValue::from_static("http://localhost:3000"));
/// asked.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
/// asked.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("mcp-session-id"));
///
/// let host = Authority::parse("localhost:8808").unwrap();
/// AllowedOrigins::loopback().check(&asked, &host)?;
/// let page = CorsOrigin::allowed(&asked);
/// let told = page.preflight(&Method::OPTIONS, &asked, "GET, POST").unwrap();
/// assert_eq!(told[header::ACCESS_CONTROL_ALLOW_HEADERS], "mcp-session-id");
/// assert_eq!(told[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:3000");
/// # Ok::<(), crossway_proto::http_rules::Refusal>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CorsOrigin(Option<HeaderValue>);

impl CorsOrigin {
    /// The page of a request whose `Origin` was [found to be allowed](super::AllowedOrigins::check).
    #[must_use]
    pub fn allowed(headers: &HeaderMap) -> Self {
        Self(headers.get(ORIGIN).cloned())
    }

    /// Whether the request comes from a page at all.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The headers of the answer (204, without a body) to a browser that asks whether its page may make a
    /// request; `None` if this request is no such question. `methods` are those of the path: `GET, POST`.
    ///
    /// All headers that the page wants to send are allowed, because there is no list of those that mirror a
    /// tool's arguments (`Mcp-Param-*`), and `*` does not include `Authorization`.
    #[must_use]
    pub fn preflight(
        &self,
        method: &Method,
        headers: &HeaderMap,
        methods: &'static str,
    ) -> Option<HeaderMap> {
        let is_asked = method == Method::OPTIONS
            && self.is_there()
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_asked {
            return None;
        }
        let mut told = HeaderMap::new();
        told.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(wanted) = wanted.filter(|it| it.len() <= limits::REQUESTED_HEADERS_BYTES) {
            told.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        told.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(limits::PREFLIGHT_SECONDS));
        self.allow(&mut told);
        Some(told)
    }

    /// Lets the page read an answer with these headers, but never lets its browser add credentials by itself.
    ///
    /// Does nothing if the request comes from no page, and nothing the second time.
    pub fn allow(&self, headers: &mut HeaderMap) {
        let Some(origin) = &self.0 else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        let varies = |value: &HeaderValue| {
            let names = value.as_bytes().split(|byte| *byte == b',');
            names.map(<[u8]>::trim_ascii).any(|name| name.eq_ignore_ascii_case(b"origin"))
        };
        // "If CORS protocol requirements are more complicated than setting `Access-Control-Allow-Origin` to * or a static origin, `Vary`
        // is to be used." (Fetch, CORS protocol and HTTP caches)
        if !headers.get_all(VARY).iter().any(varies) {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(wanted: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static("https://app.example"));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("DELETE"));
        if let Some(wanted) = wanted {
            headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, wanted.parse().unwrap());
        }
        headers
    }

    fn told(method: &Method, headers: &HeaderMap) -> Option<HeaderMap> {
        CorsOrigin::allowed(headers).preflight(method, headers, "GET, DELETE")
    }

    #[test]
    fn a_browser_is_told_what_its_page_may_ask() {
        let wanted = "authorization,content-type,mcp-param-region";
        let answer = told(&Method::OPTIONS, &asked(Some(wanted))).unwrap();
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "GET, DELETE");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_HEADERS], wanted);
        assert_eq!(answer[ACCESS_CONTROL_MAX_AGE], "600");
        assert_eq!(answer[VARY], "Origin");
        assert!(!answer.contains_key("access-control-allow-credentials"));
        assert!(!told(&Method::OPTIONS, &asked(None)).unwrap().contains_key(ACCESS_CONTROL_ALLOW_HEADERS));
    }

    #[test]
    fn what_is_wanted_is_repeated_up_to_a_bound() {
        let names = |bytes| "a".repeat(bytes);
        let most = limits::REQUESTED_HEADERS_BYTES;
        let granted = |bytes| {
            let answer = told(&Method::OPTIONS, &asked(Some(&names(bytes)))).unwrap();
            answer.contains_key(ACCESS_CONTROL_ALLOW_HEADERS)
        };
        assert!(granted(most) && !granted(most + 1));
    }

    #[test]
    fn other_requests_are_no_question_of_a_browser() {
        assert!(told(&Method::POST, &asked(None)).is_none());
        for name in [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD] {
            let mut headers = asked(None);
            headers.remove(name);
            assert!(told(&Method::OPTIONS, &headers).is_none());
        }
    }

    #[test]
    fn an_answer_is_opened_to_its_page_once_and_to_nobody_else() {
        let mut headers = HeaderMap::new();
        CorsOrigin::default().allow(&mut headers);
        CorsOrigin::allowed(&HeaderMap::new()).allow(&mut headers);
        assert!(headers.is_empty());

        headers.append(VARY, HeaderValue::from_static("Accept"));
        let page = CorsOrigin::allowed(&asked(None));
        page.allow(&mut headers);
        let once = headers.clone();
        page.allow(&mut headers);
        assert_eq!(headers, once);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["Accept", "Origin"]);
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], EXPOSED);
    }
}
