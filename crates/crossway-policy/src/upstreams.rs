//! The upstreams that a policy names.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;

use crate::finding::{Findings, Problem, most_like};
use crate::limits;
use crate::pattern::{Of, Pattern};

/// What a policy needs to know about an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamFacts {
    /// The name of the upstream in the configuration.
    pub name: String,
    /// Whether the upstream's hints about its tools are believed.
    pub trusted: bool,
}

/// The upstreams, by number.
#[derive(Default)]
pub(crate) struct Upstreams {
    names: Vec<Arc<str>>,
    trusted: Vec<bool>,
    numbers: HashMap<Box<str>, u32>,
}

/// The upstreams that a rule is about: sorted, and never empty. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    One(u32),
    Many(Arc<[u32]>),
}

impl Reach {
    pub(crate) fn has(&self, upstream: u32) -> bool {
        match self {
            Self::One(one) => *one == upstream,
            Self::Many(many) => many.binary_search(&upstream).is_ok(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .copied()
    }
}

impl Upstreams {
    pub(crate) fn new(facts: &[UpstreamFacts], findings: &mut Findings) -> Self {
        if facts.len() > limits::UPSTREAMS {
            findings.error("upstreams", Problem::TooMany { limit: limits::UPSTREAMS });
            return Self::default();
        }
        let mut upstreams = Self::default();
        for (number, facts) in (0..).zip(facts) {
            upstreams.names.push(facts.name.as_str().into());
            upstreams.trusted.push(facts.trusted);
            if upstreams.numbers.insert(facts.name.as_str().into(), number).is_some() {
                findings.error(format!("upstreams.{}", facts.name), Problem::SameUpstream);
            }
        }
        upstreams
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    pub(crate) fn shared_name(&self, number: u32) -> Arc<str> {
        Arc::clone(&self.names[number as usize])
    }

    /// Returns the upstream of this name. Reports an error if there is none.
    pub(crate) fn require(
        &self,
        name: &str,
        path: impl fmt::Display,
        findings: &mut Findings,
    ) -> Option<u32> {
        let number = self.number(name);
        if number.is_none() {
            let like = most_like(name, self.names.iter().map(|name| &**name));
            findings.error(path, Problem::NoUpstream { name: name.to_owned(), like });
        }
        number
    }

    /// Returns the upstreams that a name or pattern means.
    pub(crate) fn reach(
        &self,
        text: &str,
        path: impl fmt::Display,
        findings: &mut Findings,
    ) -> Option<Reach> {
        let pattern = match Pattern::compile(text, Of::Name) {
            Ok(pattern) => pattern,
            Err(bad) => {
                findings.error(path, Problem::Pattern(bad));
                return None;
            }
        };
        if let Some(name) = pattern.exact() {
            return self.require(name, path, findings).map(Reach::One);
        }
        let matching = (0..).zip(&self.names).filter(|(_, name)| pattern.matches(name));
        let many: Arc<[u32]> = matching.map(|(number, _)| number).collect();
        if many.is_empty() {
            findings.warning(path, Problem::NoSuchUpstreams);
            return None;
        }
        Some(Reach::Many(many))
    }

    /// Removes upstreams that are not trusted. Returns false, and changes nothing, if none is trusted.
    pub(crate) fn keep_trusted(&self, reach: &mut Reach) -> bool {
        let trusted: Arc<[u32]> = reach.iter().filter(|number| self.trusted[*number as usize]).collect();
        match (&*reach, &*trusted) {
            (_, []) => false,
            (Reach::One(_), _) => true,
            (Reach::Many(_), _) => {
                *reach = Reach::Many(trusted);
                true
            }
        }
    }
}
