//! Log levels by target.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::config::nearest;

/// The names of levels.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The filter if none is given.
pub(super) const DEFAULT: &str = "info";

/// The targets that log, and `crossway` for all of this program's own.
pub const TARGETS: &[&str] = &[
    "crossway",
    "crossway::audit",
    "crossway::authorize",
    "crossway::call",
    "crossway::child",
    "crossway::credentials",
    "crossway_demo",
    "crossway_era",
    "crossway_gateway",
    "crossway_http_sse",
    "crossway_layers",
    "crossway_openapi",
    "crossway_policy",
    "crossway_proto",
    "crossway_rmcp",
    "crossway_router",
    "crossway_seal",
    "crossway_service",
    "crossway_stdio",
    "crossway_streamable_http",
    "h2",
    "hyper",
    "hyper_util",
    "rmcp",
    "tokio",
];

/// Why a log filter can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFilterError {
    /// The filter can't be parsed.
    #[error(
        "the log filter (--log, RUST_LOG, or the config's log.filter) {0:?} can't be read; try a level (info, debug), or levels by \
         crate (warn,crossway_stdio=debug)"
    )]
    Unreadable(String),
    /// A word of the filter is neither a level nor a target.
    #[error(
        "the log filter (--log, RUST_LOG, or the config's log.filter) has {word:?}, which is no level (off, error, warn, info, debug, \
         trace) and no part of the program{}",
        meant(*nearest)
    )]
    Unknown {
        /// The word.
        word: String,
        /// The known word that may be meant.
        nearest: Option<&'static str>,
    },
}

fn meant(nearest: Option<&'static str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

/// Parses a filter, and turns off rmcp unless the filter names it: rmcp, on which the demo server is built, logs whole messages,
/// which may contain secrets.
///
/// The library takes a word that is not a level for a target, and logs nothing else: `inof` would turn the log off. So unknown words are
/// errors, except other programs' targets with a level, which the environment may contain.
pub(crate) fn filter(text: &str) -> Result<Targets, LogFilterError> {
    let (mut is_public, mut directives) = (false, Vec::new());
    for directive in directives_of(text).map(str::trim).filter(|directive| !directive.is_empty()) {
        // Brackets select a span, which no target of this program supports.
        let (name, span) = directive.find('[').map_or((directive, None), |at| {
            let end = directive.rfind(']').map_or(directive.len(), |end| end + 1);
            (&directive[..at], Some(directive.get(end..).unwrap_or_default()))
        });
        let (name, level) = match span {
            Some(rest) => (name, rest.strip_prefix('=')),
            None => name.split_once('=').map_or((name, None), |(name, level)| (name, Some(level))),
        };
        if let Some(level) = level.filter(|level| !is_level(level)) {
            return Err(unknown(level, &LEVELS));
        }
        let is_known = is_target(name) || (level.is_none() && is_level(name));
        // A name that is similar to a known one is a mistake.
        if !is_known && (level.is_none() || nearest(name, TARGETS.iter().copied()).is_some()) {
            // Where both are possible, a level is more likely to be meant.
            let levels = if level.is_none() { &LEVELS[..] } else { &[] };
            return Err(unknown(name, &[levels, TARGETS].concat()));
        }
        is_public |= is_known;
        if is_known || span.is_none() {
            directives.push(directive);
        }
    }
    if !is_public {
        directives.push(DEFAULT);
    }
    let filter = directives.join(",").parse::<Targets>();
    let filter = filter.map_err(|_| LogFilterError::Unreadable(text.to_owned()))?;
    let is_named = filter.iter().any(|(target, _)| target.split("::").next() == Some("rmcp"));
    Ok(if is_named { filter } else { filter.with_target("rmcp", LevelFilter::OFF) })
}

/// Splits a filter at commas, except those in braces, which separate the fields of a span.
fn directives_of(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

fn unknown(word: &str, known: &[&'static str]) -> LogFilterError {
    LogFilterError::Unknown { word: word.to_owned(), nearest: nearest(word, known.iter().copied()) }
}

fn is_level(word: &str) -> bool {
    word.parse::<LevelFilter>().is_ok()
}

/// Whether a name is a target that logs, or a module of one.
fn is_target(name: &str) -> bool {
    let part = name.split("::").next().unwrap_or_default();
    TARGETS.contains(&name) || (part != "crossway" && TARGETS.contains(&part))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn rmcp_logs_nothing_unless_it_is_named_itself() {
        let is_heard = |text| filter(text).unwrap().would_enable("rmcp::service", &Level::ERROR);
        for text in ["trace", "info,crossway_rmcp=debug", "debug,crossway=trace"] {
            assert!(!is_heard(text), "{text}");
        }
        for text in ["rmcp=debug", "warn,rmcp::service=trace"] {
            assert!(is_heard(text), "{text}");
        }
        assert!(filter("warn,crossway_rmcp=debug").unwrap().would_enable("crossway_rmcp", &Level::DEBUG));
    }

    #[test]
    fn levels_and_parts_are_taken_as_they_are_meant() {
        for (text, is_info, is_debug, is_foreign) in [
            ("info", true, false, true),
            ("INFO", true, false, true),
            ("crossway=debug", true, true, false),
            ("hyper=warn, info", true, false, false),
            ("hyper=info,", false, false, true),
            ("crossway_router::guard=debug,error", false, false, false),
            ("crossway_router", true, true, false),
            ("off", false, false, false),
            ("debug", true, true, true),
            ("", true, false, true),
            // What the environment says for other programs.
            ("sqlx=warn", true, false, true),
            ("app[span{field=1,other=2}]=trace", true, false, true),
            ("crossway_router=debug,app[span{field=1,other=2}]=trace", true, true, false),
        ] {
            let filter = filter(text).unwrap();
            let is_heard = |of, level| filter.would_enable(of, &level);
            let heard = [is_heard("crossway_router", Level::INFO), is_heard("crossway_router", Level::DEBUG)];
            assert_eq!(heard, [is_info, is_debug], "{text}");
            assert_eq!(is_heard("hyper::client", Level::INFO), is_foreign, "{text}");
        }
    }

    #[test]
    fn a_word_that_is_nothing_is_an_error_that_names_the_nearest() {
        for (text, word, nearest) in [
            ("inof", "inof", Some("info")),
            ("warning", "warning", None),
            ("verbose", "verbose", None),
            ("warn,crossway_gatway", "crossway_gatway", Some("crossway_gateway")),
            ("warn,crossway-router=debug", "crossway-router", Some("crossway_router")),
            ("crossway::childs=debug", "crossway::childs", Some("crossway::child")),
            ("hyper=wran", "wran", Some("warn")),
            ("no such=level=x", "level=x", None),
        ] {
            let unknown = LogFilterError::Unknown { word: word.to_owned(), nearest };
            assert_eq!(filter(text).unwrap_err(), unknown, "{text}");
        }
        let text = filter("inof").unwrap_err().to_string();
        assert!(text.ends_with("debug, trace) and no part of the program; did you mean info?"), "{text}");
    }
}
