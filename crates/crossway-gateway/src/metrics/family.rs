//! Metric families with labels from a closed set, and a bound on their series.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, LabelSetEncoder};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::limits::SERIES;
use super::table::{Kind, Row};

/// A gauge of floating-point numbers, such as seconds.
pub(super) type FloatGauge = Gauge<f64, AtomicU64>;
pub(super) type FloatCounter = Counter<f64, AtomicU64>;

/// A label's value: from the code or from the configuration. There is no other kind, so that no request can create a
/// series.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Code(&'static str),
    Configured(Arc<str>),
}

impl Value {
    fn as_str(&self) -> &str {
        match self {
            Self::Code(text) => text,
            Self::Configured(text) => text,
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Code(text)
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::Configured(Arc::clone(text))
    }
}

/// A series' labels.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    names: &'static [&'static str],
    values: Vec<Value>,
}

impl Labels {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(Value::as_str)
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.texts().eq(other.texts())
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts().for_each(|text| text.hash(state));
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        for label in self.names.iter().copied().zip(self.texts()) {
            prometheus_client::encoding::EncodeLabel::encode(&label, encoder.encode_label())?;
        }
        Ok(())
    }
}

/// Creates metrics by their row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Make(Kind);

impl MetricConstructor<Histogram> for Make {
    fn new_metric(&self) -> Histogram {
        let buckets = if let Kind::Histogram(buckets) = self.0 { buckets } else { &[] };
        Histogram::new(buckets.iter().copied())
    }
}

impl<N, A: Default> MetricConstructor<Gauge<N, A>> for Make {
    fn new_metric(&self) -> Gauge<N, A> {
        Gauge::default()
    }
}

impl<N, A: Default> MetricConstructor<Counter<N, A>> for Make {
    fn new_metric(&self) -> Counter<N, A> {
        Counter::default()
    }
}

/// All series of one metric.
#[derive(Debug)]
pub(super) struct Series<M> {
    names: &'static [&'static str],
    family: Family<Labels, M, Make>,
    /// The labels of the existing series. Locked while a series is created, so that there are never too many.
    made: Mutex<HashSet<Labels>>,
}

impl<M> Series<M>
where
    M: Clone + EncodeMetric + TypedMetric + fmt::Debug + Send + Sync + 'static,
    Make: MetricConstructor<M>,
{
    /// Registers the metric of a row.
    pub(super) fn new(row: &'static Row, registry: &mut Registry) -> Self {
        let family = Family::new_with_constructor(Make(row.kind));
        // The encoder appends `_total` to counters' names, and a full stop to every help text.
        let name = row.name.strip_suffix("_total").unwrap_or(row.name);
        registry.register(name, row.help.trim_end_matches('.'), family.clone());
        Self { names: row.labels, family, made: Mutex::default() }
    }

    /// Returns the series with these values of the labels, in the row's order.
    pub(super) fn with<const N: usize>(&self, values: [Value; N]) -> M {
        debug_assert_eq!(self.names.len(), N, "a row's labels are its values' names");
        let mut labels = Labels { names: self.names, values: values.into() };
        if let Some(series) = self.family.get(&labels) {
            return series.clone();
        }
        let mut made = self.made.lock();
        if made.len() >= SERIES && !made.contains(&labels) {
            for value in &mut labels.values {
                if matches!(value, Value::Configured(_)) {
                    *value = Value::Code("other");
                }
            }
        }
        made.insert(labels.clone());
        self.family.get_or_create_owned(&labels)
    }

    /// Removes the series in which this label's value is from the configuration and not to be kept. Holders of a removed series can still
    /// count in it, but it is no longer scraped.
    pub(super) fn keep(&self, label: &str, is_kept: impl Fn(&str) -> bool) {
        let Some(at) = self.names.iter().position(|name| *name == label) else { return };
        let is_gone = |labels: &Labels| match labels.values.get(at) {
            Some(Value::Configured(name)) => !is_kept(name),
            _ => false,
        };
        let mut made = self.made.lock();
        made.retain(|labels| {
            let is_gone = is_gone(labels);
            if is_gone {
                self.family.remove(labels);
            }
            !is_gone
        });
    }

    /// Removes all series.
    pub(super) fn clear(&self) {
        let mut made = self.made.lock();
        made.clear();
        self.family.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.made.lock().len()
    }
}
