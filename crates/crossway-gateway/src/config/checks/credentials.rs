//! Validates where credentials go: the upstream must have that place, and it must be unused.

use std::borrow::Cow;

use crossway_policy::Place;
use crossway_policy::config::CredentialRule;
use http::header::AUTHORIZATION;
use url::Url;

use super::super::UpstreamSpec;
use super::super::file::{ConfigFile, ScopeFile, UpstreamFile};
use super::super::tree::Step;
use super::apis::is_fetched;
use super::upstreams::{UpstreamProblem, with};
use super::{Findings, steps};
use crate::plan::UpstreamPlan;

/// Checks all rules whose upstreams can be used. The policy reports rules that name no place or several.
///
/// A credential in a place that the upstream does not have would never be sent, and the upstream would take the config's credential for
/// everybody as the caller's own.
pub(super) fn check(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    for (index, rule) in file.credentials.iter().enumerate() {
        let Some(spec) = specs.iter().find(|spec| spec.name == rule.upstream) else { continue };
        let written = file.upstreams.get(&spec.name);
        let [(key, place)] = &places(rule)[..] else { continue };
        let problem = match of(place, &spec.plan) {
            Some(of) => UpstreamProblem::OutOfPlace { of },
            None if is_taken(place, &spec.plan, written) => UpstreamProblem::TakenPlace(place.clone()),
            None => continue,
        };
        findings.error(steps!["credentials", index, *key], problem);
    }
}

/// Tells of a scope that a credential narrows, and of one that all tenants share.
pub(super) fn check_scope(
    at: &[Step],
    upstream: &str,
    scope: ScopeFile,
    rules: &[CredentialRule],
    findings: &mut Findings,
) {
    let rules = rules.iter().enumerate().filter(|(_, rule)| rule.upstream == upstream);
    // The first of the narrowest.
    let narrowest = rules.rev().max_by_key(|(_, rule)| rule.holder);
    let narrowed = scope.narrowed(narrowest.map(|(_, rule)| rule.holder));
    let problem = match (narrowed, narrowest) {
        (ScopeFile::Shared, _) => UpstreamProblem::Shared,
        (ScopeFile::Tenant, Some((by, _))) if narrowed != scope => {
            UpstreamProblem::Narrowed { to: "tenant", by }
        }
        (_, Some((by, _))) if narrowed != scope => UpstreamProblem::Narrowed { to: "user", by },
        _ => return,
    };
    findings.warning(with(at, "scope"), problem);
}

/// Returns the header for a rule's credential, in lower case.
pub(super) fn header_of(rule: &CredentialRule) -> Option<Cow<'_, str>> {
    let fixed = rule.bearer || rule.basic.is_some();
    match &rule.header {
        Some(name) => Some(name.to_ascii_lowercase().into()),
        None => fixed.then_some(AUTHORIZATION.as_str().into()),
    }
}

/// Returns all places that a rule names, each with the key that names it.
fn places(rule: &CredentialRule) -> Vec<(&'static str, Place)> {
    let key = match () {
        () if rule.header.is_some() => "header",
        () if rule.bearer => "bearer",
        () => "basic",
    };
    let header = header_of(rule).map(|name| (key, Place::Header(name.as_ref().into())));
    let query = rule.query.as_deref().map(|name| ("query", Place::Query(name.into())));
    let variable = rule.env.as_deref().map(|name| ("env", Place::Variable(name.into())));
    [header, query, variable].into_iter().flatten().collect()
}

/// Returns the kinds of upstreams that have a place, or `None` if this one has it.
fn of(place: &Place, plan: &UpstreamPlan) -> Option<&'static str> {
    match (place, plan) {
        (Place::Variable(_), UpstreamPlan::Command(_)) | (Place::Query(_), UpstreamPlan::Api(_)) => None,
        (Place::Header(_), UpstreamPlan::Url(_) | UpstreamPlan::Api(_)) => None,
        (Place::Variable(_), _) => Some("command"),
        (Place::Query(_), _) => Some("openapi` or `webhook"),
        (Place::Header(_), UpstreamPlan::Command(_)) => Some("url`, `openapi` or `webhook"),
    }
}

/// Whether the config itself fills a place for all callers.
fn is_taken(place: &Place, plan: &UpstreamPlan, file: Option<&UpstreamFile>) -> bool {
    match (place, plan) {
        (Place::Variable(name), UpstreamPlan::Command(command)) => {
            command.env.iter().any(|(known, _)| match known.to_str() {
                // Variables' names ignore case on Windows.
                Some(known) if cfg!(windows) => known.eq_ignore_ascii_case(name),
                known => known == Some(name),
            })
        }
        (Place::Header(name), UpstreamPlan::Url(url)) => {
            url.headers.iter().any(|(known, _)| *known.as_str() == **name)
        }
        (Place::Header(name), UpstreamPlan::Api(_)) => file.is_some_and(|file| {
            // Headers are also for fetching a document at a URL; calls leave out those that a credential replaces.
            let is_for_document = file.openapi.as_ref().is_some_and(is_fetched);
            !is_for_document && file.headers.keys().any(|known| known.trim().eq_ignore_ascii_case(name))
        }),
        (Place::Query(name), UpstreamPlan::Api(_)) => file.is_some_and(|file| {
            let of_all = file.webhook.iter().flat_map(|webhook| &webhook.url);
            let tools = file.webhook.iter().flat_map(|webhook| webhook.tools.values());
            let urls = of_all.chain(tools.flat_map(|tool| &tool.url)).filter_map(|url| Url::parse(url).ok());
            urls.into_iter().any(|url| url.query_pairs().any(|(known, _)| *known == **name))
        }),
        _ => false,
    }
}
