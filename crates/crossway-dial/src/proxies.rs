//! Chooses the proxy for a URL.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::proxy::matcher::Intercept;

use crate::error::{BadProxy, DialError, ProxyFault};
use crate::rules::Rules;

/// The outgoing proxies, chosen by the URL of a request. By default there are none.
///
/// Clones share their contents. `Debug` shows no user and no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies(Option<Arc<Rules>>);

impl Proxies {
    /// No proxy: all requests go directly to their origins.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// One proxy for all requests, including those to this machine's own addresses. `url` is `http://`, `socks5://` or `socks5h://`, with a
    /// user and a password if the proxy needs them (`http://USER:PASSWORD@proxy:3128`).
    ///
    /// # Errors
    ///
    /// When `url` is no such URL.
    pub fn all(url: &str) -> Result<Self, BadProxy> {
        Rules::all(url).map(|rules| Self(Some(Arc::new(rules))))
    }

    /// The proxies from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, read by a function that returns variables.
    ///
    /// As in curl, the lower-case spelling of a name takes precedence, and `ALL_PROXY` is used where the scheme's own variable is not set.
    /// Where `REQUEST_METHOD` is set, `HTTP_PROXY` is ignored: in a CGI program, it comes from a header of the client (`Proxy`,
    /// CVE-2016-5385). As in Go, `localhost`, the names below it and loopback addresses never use a proxy.
    ///
    /// `NO_PROXY` is a list of names, separated by commas or blanks: `example.com` and `.example.com` are that name and all below it,
    /// `example.com:8080` is the same at that port alone, `10.0.0.0/8` and `::1` match addresses as written in URLs, `*` matches
    /// everything. Names are not resolved for it.
    ///
    /// # Errors
    ///
    /// When a variable is not a proxy's URL: connecting without the proxy could be what the operator wanted to prevent.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        Ok(Self(Rules::from_variables(variable)?.map(Arc::new)))
    }

    /// Returns the proxy for requests to `url`.
    #[must_use]
    pub fn of(&self, url: &Uri) -> Option<Proxy> {
        let (intercept, place) = self.0.as_ref()?.of(url)?;
        let way = match (intercept.uri().scheme_str(), url.scheme_str()) {
            (Some("http"), Some("http")) => Way::Forward,
            (Some("http"), _) => Way::Tunnel,
            _ => Way::Socks,
        };
        Some(Proxy(Arc::new(Known { intercept, place, way })))
    }

    /// Returns how to write requests for `url`, if a proxy makes them.
    #[must_use]
    pub fn forward(&self, url: &Uri) -> Option<Forward> {
        self.of(url).filter(|proxy| proxy.0.way == Way::Forward).map(Forward)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(rules) => rules.fmt(f),
            None => f.write_str("Proxies(none)"),
        }
    }
}

/// A proxy for an origin. Displayed as its scheme, host and port.
#[derive(Clone)]
pub struct Proxy(Arc<Known>);

struct Known {
    intercept: Intercept,
    /// The name of the setting that has its URL.
    place: &'static str,
    way: Way,
}

/// How a proxy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By sending it the requests themselves.
    Forward,
    /// By asking it for a tunnel, with CONNECT.
    Tunnel,
    /// By asking it for a connection, with SOCKS5.
    Socks,
}

impl Proxy {
    pub(crate) fn way(&self) -> Way {
        self.0.way
    }

    pub(crate) fn uri(&self) -> &Uri {
        self.0.intercept.uri()
    }

    /// The value of `Proxy-Authorization`, for proxies that speak HTTP.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.intercept.basic_auth()
    }

    /// User and password, for proxies that speak SOCKS.
    pub(crate) fn user(&self) -> Option<(&str, &str)> {
        self.0.intercept.raw_auth()
    }

    /// The fault that an unsuccessful status means.
    pub(crate) fn refusal(&self, status: StatusCode, host: &str) -> ProxyFault {
        let place = self.0.place;
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.authorization().is_some() => {
                ProxyFault::WrongUser { place }
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => ProxyFault::NoUser { place },
            status => ProxyFault::Refused { status, host: host.to_owned() },
        }
    }

    /// Makes this proxy's error of a fault.
    pub(crate) fn failed(&self, fault: ProxyFault) -> DialError {
        DialError::Proxy { proxy: self.to_string(), fault }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.uri();
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        write!(f, "{}://{authority}", uri.scheme_str().unwrap_or("http"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// A proxy that makes requests for plain `http` itself.
///
/// Write such requests with their whole URL in the request line (absolute-form, RFC 9112, section 3.2.2), and with the proxy's
/// [authorization](Self::authorization).
#[derive(Debug, Clone)]
pub struct Forward(Proxy);

impl Forward {
    /// The value of `Proxy-Authorization`, marked as sensitive.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.0.authorization()
    }

    /// The error if a status says that the proxy itself refused a request. The origin was not asked.
    #[must_use]
    pub fn refused(&self, status: StatusCode) -> Option<DialError> {
        let is_of_proxy = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        is_of_proxy.then(|| self.0.failed(self.0.refusal(status, "")))
    }
}
