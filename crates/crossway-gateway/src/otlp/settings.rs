//! OTLP settings from OpenTelemetry's environment variables.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crossway_dial::{BadProxy, Proxies};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Uri};

use super::limits::METRICS_EVERY;

/// Where and how traces and metrics are sent.
#[derive(Clone)]
pub struct Settings {
    pub(super) traces: Option<Uri>,
    pub(super) metrics: Option<Uri>,
    pub(super) headers: HeaderMap,
    pub(super) proxies: Proxies,
    pub(super) service: String,
    /// Further resource attributes of this process, by name.
    pub(super) resource: BTreeMap<String, String>,
    pub(super) metrics_every: Duration,
}

/// Why a variable can't be used. Headers' values are never shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// An endpoint is not an `http` or `https` URL.
    #[error("{0} is no URL with http or https")]
    Url(&'static str),
    /// Another protocol than `http/json` is configured.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL is not http/json, which is what is spoken here")]
    Protocol,
    /// The headers are not `name=value` pairs with commas between them.
    #[error("OTEL_EXPORTER_OTLP_HEADERS is not name=value,name=value")]
    Headers,
    /// The resource attributes are not `name=value` pairs with commas between them.
    #[error("OTEL_RESOURCE_ATTRIBUTES is not name=value,name=value")]
    Resource,
    /// A variable names no proxy that can be used.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// The interval is not a number of milliseconds above 0.
    #[error("OTEL_METRIC_EXPORT_INTERVAL is not a number of milliseconds above 0")]
    Interval,
}

impl Settings {
    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT` and related variables (OpenTelemetry specification, "OTLP Exporter Configuration"),
    /// and the outgoing proxies, by a function that returns variables. Returns `None` if nothing is to be sent.
    ///
    /// # Errors
    ///
    /// When a variable can't be read.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, OtlpError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        let at = |own: &'static str, path: &str| match (variable(own), &base) {
            (Some(url), _) => uri(&url).ok_or(OtlpError::Url(own)).map(Some),
            (None, Some(base)) => {
                let url = format!("{}{path}", base.trim_end_matches('/'));
                uri(&url).ok_or(OtlpError::Url("OTEL_EXPORTER_OTLP_ENDPOINT")).map(Some)
            }
            (None, None) => Ok(None),
        };
        let is_off = |name| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("none"));
        let traces = at("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces")?;
        let metrics = at("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics")?;
        let traces = traces.filter(|_| !is_off("OTEL_TRACES_EXPORTER"));
        let metrics = metrics.filter(|_| !is_off("OTEL_METRICS_EXPORTER"));
        if traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        if variable("OTEL_EXPORTER_OTLP_PROTOCOL").is_some_and(|value| value != "http/json") {
            return Err(OtlpError::Protocol);
        }
        let metrics_every = match variable("OTEL_METRIC_EXPORT_INTERVAL") {
            None => METRICS_EVERY,
            Some(text) => match text.parse() {
                Ok(milliseconds) if milliseconds > 0 => Duration::from_millis(milliseconds),
                _ => return Err(OtlpError::Interval),
            },
        };
        let mut resource = attributes(&variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default())?;
        let service = resource.remove("service.name").filter(|name| !name.is_empty());
        Ok(Some(Self {
            traces,
            metrics,
            headers: headers(&variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default())?,
            proxies: Proxies::from_variables(variable)?,
            service: variable("OTEL_SERVICE_NAME").or(service).unwrap_or_else(|| "crossway".to_owned()),
            resource,
            metrics_every,
        }))
    }
}

impl fmt::Debug for Settings {
    /// Leaves out the headers, which contain collectors' keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("traces", &self.traces)
            .field("metrics", &self.metrics)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

fn uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_good = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    // User information would have to become a header.
    (is_good && !uri.authority()?.as_str().contains('@')).then_some(uri)
}

/// Parses `name=value` pairs with commas between them and percent-encoded values (W3C Baggage).
fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, Vec<u8>)>> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), percent_encoding::percent_decode_str(value.trim()).collect()))
    })
}

fn attributes(text: &str) -> Result<BTreeMap<String, String>, OtlpError> {
    let read = |pair: Option<(&str, Vec<u8>)>| {
        let (name, value) = pair.filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), String::from_utf8(value).ok()?))
    };
    pairs(text).map(|pair| read(pair).ok_or(OtlpError::Resource)).collect()
}

fn headers(text: &str) -> Result<HeaderMap, OtlpError> {
    let mut headers = HeaderMap::new();
    for pair in pairs(text) {
        let (name, value) = pair.ok_or(OtlpError::Headers)?;
        let name = HeaderName::try_from(name).map_err(|_| OtlpError::Headers)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| OtlpError::Headers)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Settings>, OtlpError> {
        Settings::from_env(|name| {
            variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn one_endpoint_is_for_both_and_each_may_have_its_own() {
        assert!(of(&[]).unwrap().is_none());
        let both = of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")]).unwrap().unwrap();
        assert_eq!(both.traces.unwrap(), "http://collector:4318/v1/traces");
        assert_eq!(both.metrics.unwrap(), "http://collector:4318/v1/metrics");
        assert_eq!((both.service.as_str(), both.metrics_every), ("crossway", METRICS_EVERY));
        let own = of(&[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/in"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20secret, x-tenant=a"),
            ("OTEL_SERVICE_NAME", "gateway"),
        ]);
        let own = own.unwrap().unwrap();
        assert_eq!(
            (own.traces.as_ref().unwrap().to_string().as_str(), &own.metrics),
            ("https://traces/in", &None)
        );
        assert_eq!(own.headers["authorization"], "Bearer secret");
        assert!(!format!("{own:?}").contains("secret"));
    }

    #[test]
    fn it_can_be_switched_off() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(of(&[on, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        let traces = of(&[on, ("OTEL_METRICS_EXPORTER", "none")]).unwrap().unwrap();
        assert!(traces.traces.is_some() && traces.metrics.is_none());
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for url in ["collector:4318", "grpc://collector", "http://", "http://user:key@collector"] {
            let error = of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]).unwrap_err();
            assert_eq!(error, OtlpError::Url("OTEL_EXPORTER_OTLP_ENDPOINT"), "{url}");
        }
        assert_eq!(of(&[on, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err(), OtlpError::Protocol);
        assert_eq!(of(&[on, ("OTEL_EXPORTER_OTLP_HEADERS", "secret")]).unwrap_err(), OtlpError::Headers);
        assert_eq!(of(&[on, ("OTEL_METRIC_EXPORT_INTERVAL", "0")]).unwrap_err(), OtlpError::Interval);
        for bad in ["a", "=b", "a=1,b=%ff"] {
            assert_eq!(
                of(&[on, ("OTEL_RESOURCE_ATTRIBUTES", bad)]).unwrap_err(),
                OtlpError::Resource,
                "{bad}"
            );
        }
    }

    #[test]
    fn the_services_own_variable_counts_before_its_attribute() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let said = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=to%20try");
        let settings = of(&[on, said]).unwrap().unwrap();
        assert_eq!(settings.service, "a");
        let wanted = ("deployment.environment.name".to_owned(), "to try".to_owned());
        assert_eq!(settings.resource.into_iter().collect::<Vec<_>>(), [wanted]);
        assert_eq!(of(&[on, said, ("OTEL_SERVICE_NAME", "b")]).unwrap().unwrap().service, "b");
    }
}
