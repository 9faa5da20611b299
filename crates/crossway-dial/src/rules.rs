//! Proxy rules: which proxy each scheme uses, and which hosts need none.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::error::BadProxy;

/// The place of a proxy's URL if it is not a variable.
const OWN_URL: &str = "its URL";

/// The proxies, and the exceptions from them.
pub(crate) struct Rules {
    matcher: Matcher,
    /// Hosts that need no proxy at one port.
    of_ports: Vec<(u16, Matcher)>,
    /// The names of the settings that have the URLs.
    http: &'static str,
    https: &'static str,
    spares_loopback: bool,
    /// The settings as they were written, for comparing rules.
    written: Written,
}

#[derive(PartialEq, Eq)]
struct Written {
    http: Option<String>,
    https: Option<String>,
    no: String,
}

/// A variable's name and value.
type Said = Option<(&'static str, String)>;

impl Rules {
    pub(crate) fn all(url: &str) -> Result<Self, BadProxy> {
        let url = checked("it", url)?;
        let matcher = Matcher::builder().all(&url).build();
        let written = Written { http: Some(url.clone()), https: Some(url), no: String::new() };
        let of_ports = Vec::new();
        Ok(Self { matcher, of_ports, http: OWN_URL, https: OWN_URL, spares_loopback: false, written })
    }

    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, BadProxy> {
        let said = |names: &[&'static str]| -> Said {
            let mut said = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            said.find(|(_, value)| !value.trim().is_empty())
        };
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let all = said(&["all_proxy", "ALL_PROXY"]);
        let http = said(if is_cgi { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] });
        let (http, https) = (http.or(all.clone()), said(&["https_proxy", "HTTPS_PROXY"]).or(all));
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        let checked = |said: Said| match said {
            Some((name, url)) => checked(name, &url).map(|url| (name, Some(url))),
            None => Ok((OWN_URL, None)),
        };
        let ((http_at, http), (https_at, https)) = (checked(http)?, checked(https)?);
        let no = said(&["no_proxy", "NO_PROXY"]).map_or_else(String::new, |(_, no)| no);
        let (no, of_ports) = exceptions(&no);
        let mut matcher = Matcher::builder().no(&no);
        if let Some(url) = &http {
            matcher = matcher.http(url);
        }
        if let Some(url) = &https {
            matcher = matcher.https(url);
        }
        let ports: String = of_ports.iter().map(|(host, port)| format!(",{host}:{port}")).collect();
        let written = Written { http, https, no: format!("{no}{ports}") };
        // A matcher shows that a host is an exception by returning no proxy for it.
        let of_ports = of_ports.into_iter().map(|(host, port)| {
            let all_but = Matcher::builder().all("http://proxy").no(host).build();
            (port, all_but)
        });
        Ok(Some(Self {
            matcher: matcher.build(),
            of_ports: of_ports.collect(),
            http: http_at,
            https: https_at,
            spares_loopback: true,
            written,
        }))
    }

    /// The proxy of a URL, and the name of the setting that has it.
    pub(crate) fn of(&self, url: &Uri) -> Option<(Intercept, &'static str)> {
        let is_https = url.scheme_str() == Some("https");
        if self.spares_loopback && is_loopback(url.host()?) {
            return None;
        }
        let intercept = self.matcher.intercept(url)?;
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let is_excepted = |(of, all_but): &(u16, Matcher)| *of == port && all_but.intercept(url).is_none();
        if self.of_ports.iter().any(is_excepted) {
            return None;
        }
        Some((intercept, if is_https { self.https } else { self.http }))
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, self.spares_loopback) == (&other.written, other.spares_loopback)
    }
}

impl Eq for Rules {}

impl fmt::Debug for Rules {
    /// The matcher's `Debug` shows proxies without users and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxies").field(&self.matcher).finish()
    }
}

/// Checks a proxy's URL. Adds the port if its scheme has no default that clients know.
fn checked(place: &'static str, url: &str) -> Result<String, BadProxy> {
    let bad = |what| BadProxy { place, what };
    let url = url.trim();
    let uri: Uri = url.parse().map_err(|_| {
        bad("write it as http://proxy:3128, and what is special in a user or a password percent-encoded")
    })?;
    let is_socks = match uri.scheme_str() {
        None | Some("http") => false,
        Some("socks5" | "socks5h") => true,
        Some("https") => {
            return Err(bad("no TLS is spoken with a proxy; write http://, if it takes that as well"));
        }
        Some(_) => return Err(bad("its scheme is none of http, socks5 and socks5h")),
    };
    let authority = uri.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or_else(|| bad("it names no host; write it as http://proxy:3128"))?;
    let address = authority.as_str().rsplit('@').next().unwrap_or_default();
    if authority.port_u16().is_none() && address != authority.host() {
        return Err(bad("its port is not a number from 1 to 65535"));
    }
    let port = if is_socks && authority.port().is_none() { ":1080" } else { "" };
    Ok(format!("{}://{authority}{port}", uri.scheme_str().unwrap_or("http")))
}

/// Splits the list of `NO_PROXY` into what the matcher accepts, and the entries for a single port.
fn exceptions(no: &str) -> (String, Vec<(&str, u16)>) {
    let (mut all, mut of_ports) = (Vec::new(), Vec::new());
    for entry in no.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()) {
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => match port.parse() {
                Ok(port) => (host, Some(port)),
                // Ignoring the port would let more go around the proxy than the entry says.
                Err(_) => continue,
            },
            _ => (entry, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // `*.example.com` is a common spelling of `.example.com`.
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match port {
            Some(port) => of_ports.push((host, port)),
            None => all.push(host),
        }
    }
    (all.join(","), of_ports)
}

/// Whether a host's name or address alone shows that it is this machine. Names are not resolved.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
