//! Chooses the proxy for a URL.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::proxy::matcher::Intercept;

use crate::error::{BadProxy, DialError, ProxyFault};
use crate::rules::Rules;

/// Which outgoing proxy requests go through, by the URL that is asked for. None, unless something is said.
///
/// Clones share what they hold. `Debug` shows no user and no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies(Option<Arc<Rules>>);

impl Proxies {
    /// All requests go straight to where they are meant for.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// All requests go through the proxy at `url`, those to this machine's own addresses as well: `http://`, `socks5://` or `socks5h://`,
    /// with a user and a password if it wants them (`http://USER:PASSWORD@proxy:3128`).
    ///
    /// # Errors
    ///
    /// When it is no such URL.
    pub fn all(url: &str) -> Result<Self, BadProxy> {
        Rules::all(url).map(|rules| Self(Some(Arc::new(rules))))
    }

    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, by a function that gives variables.
    ///
    /// As in curl, of the two ways of writing a name the lower case one counts first, and `ALL_PROXY` counts where the scheme's own says
    /// nothing. Where `REQUEST_METHOD` is set, `HTTP_PROXY` is not looked at: a CGI program has it from a header of whoever asks
    /// (`Proxy`, CVE-2016-5385). As in Go, `localhost`, the names below it and loopback addresses are never asked for through a proxy.
    ///
    /// `NO_PROXY` is a list of names, with commas or blanks between them: `example.com` and `.example.com` are that name and all below it,
    /// `example.com:8080` is so at that port alone, `10.0.0.0/8` and `::1` are addresses as they stand in URLs, `*` is all there is. Names
    /// are not resolved for it.
    ///
    /// # Errors
    ///
    /// When one of them is no URL of a proxy: asking without the proxy would be what somebody did not want.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        Ok(Self(Rules::from_variables(variable)?.map(Arc::new)))
    }

    /// The proxy that `url` is asked for through.
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

    /// How requests for `url` are written, if it is a proxy that makes them.
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

/// A proxy on the way to an origin. It is shown as its scheme, host and port.
#[derive(Clone)]
pub struct Proxy(Arc<Known>);

struct Known {
    intercept: Intercept,
    /// Where its URL is written.
    place: &'static str,
    way: Way,
}

/// What a proxy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The requests themselves.
    Forward,
    /// A tunnel, by CONNECT.
    Tunnel,
    /// A connection, by SOCKS5.
    Socks,
}

impl Proxy {
    pub(crate) fn way(&self) -> Way {
        self.0.way
    }

    pub(crate) fn uri(&self) -> &Uri {
        self.0.intercept.uri()
    }

    /// What is shown to proxies that speak HTTP.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.intercept.basic_auth()
    }

    /// User and password, for proxies that speak SOCKS.
    pub(crate) fn user(&self) -> Option<(&str, &str)> {
        self.0.intercept.raw_auth()
    }

    /// What a status means that is no success.
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

    /// That it failed so.
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
/// They are written with their whole URL in the request line (absolute-form, RFC 9112, section 3.2.2), and with the proxy's
/// [authorization](Self::authorization).
#[derive(Debug, Clone)]
pub struct Forward(Proxy);

impl Forward {
    /// The value of `Proxy-Authorization`, marked as sensitive.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.0.authorization()
    }

    /// That the proxy itself has refused a request, if a status says so. The origin was not asked.
    #[must_use]
    pub fn refused(&self, status: StatusCode) -> Option<DialError> {
        let is_of_proxy = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        is_of_proxy.then(|| self.0.failed(self.0.refusal(status, "")))
    }
}
