//! Validates arguments against a tool's JSON Schema.

pub(crate) mod limits;
mod patterns;
mod places;

use std::fmt;
use std::sync::OnceLock;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::Serialize;
#[cfg(any(feature = "face", feature = "rest"))]
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Validates arguments against a schema.
///
/// The dialect is JSON Schema 2020-12 unless the schema names another ("Defaults to 2020-12 if no explicit `$schema` is provided",
/// 2026-07-28, basic/index, JSON Schema Usage). `format` is an annotation, the default there.
pub(crate) struct Checker {
    schema: Value,
    validator: Validator,
    /// The number of regular expressions for names of members.
    names: usize,
    /// A validator for a single argument, made on first use.
    of_one: OnceLock<Option<Validator>>,
}

/// Why a schema can't be used to validate arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSchema {
    #[error("it has more than {} bytes", limits::SCHEMA_BYTES)]
    TooLong,
    #[error("it has more than {} patterns", limits::PATTERNS)]
    TooManyPatterns,
    #[error("{0}")]
    Unusable(String),
}

/// One thing that is wrong with arguments; as JSON, FastAPI's format for errors in a request's body. It never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The path to the value.
    pub(crate) loc: Vec<Step>,
    /// What is wrong, for people and models.
    pub(crate) msg: String,
    /// The schema keyword that is violated.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// A step of the path to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

impl Checker {
    /// Returns `None` for a schema that can't be used. The server then validates by itself, as it should anyway.
    #[cfg(any(feature = "face", feature = "rest"))]
    pub(crate) fn of_server(tool: &str, schema: &RawValue) -> Option<Self> {
        let told = |why: &BadSchema| {
            tracing::warn!(tool, %why, "a tool's schema can't be used; its arguments are left to its server");
        };
        Self::new(schema.get()).inspect_err(told).ok()
    }

    /// # Errors
    ///
    /// When it is not a schema, is too large, or refers to other documents, which are never fetched.
    pub(crate) fn new(schema: &str) -> Result<Self, BadSchema> {
        if schema.len() > limits::SCHEMA_BYTES {
            return Err(BadSchema::TooLong);
        }
        let schema = serde_json::from_str(schema).map_err(|error| BadSchema::Unusable(error.to_string()))?;
        if patterns(&schema) > limits::PATTERNS {
            return Err(BadSchema::TooManyPatterns);
        }
        let validator = build(&schema).map_err(|error| BadSchema::Unusable(short(&error)))?;
        let names = names(&schema);
        Ok(Self { schema, validator, names, of_one: OnceLock::new() })
    }

    /// The schema.
    #[cfg(feature = "webhook")]
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// # Errors
    ///
    /// The faults that were found.
    pub(crate) fn check(&self, arguments: &Value) -> Result<(), Vec<Fault>> {
        patterns::begin();
        patterns::spend_on_names(self.names, arguments);
        let checked = if patterns::were_too_much() { Ok(()) } else { self.check_all(arguments) };
        // A pattern that was not evaluated counts as a mismatch, which `not` may have inverted.
        if patterns::were_too_much() {
            let msg = "they have more text than is held against the patterns of the tool's schema";
            return Err(vec![Fault { loc: Vec::new(), msg: msg.to_owned(), kind: "pattern".to_owned() }]);
        }
        checked
    }

    fn check_all(&self, arguments: &Value) -> Result<(), Vec<Fault>> {
        if self.validator.is_valid(arguments) {
            return Ok(());
        }
        if patterns::were_too_much() {
            return Err(Vec::new());
        }
        if !places::are_few(&self.schema, arguments) {
            return Err(self.names_of_faults(arguments));
        }
        Err(self.validator.iter_errors(arguments).take(limits::FAULTS).map(|error| fault(&error)).collect())
    }

    /// The arguments that do not fit, without the place within them and the reason: that needs no search.
    fn names_of_faults(&self, arguments: &Value) -> Vec<Fault> {
        let of_one = self.of_one.get_or_init(|| {
            let mut schema = self.schema.clone();
            schema.as_object_mut().map(|schema| schema.remove("required"));
            build(&schema).ok()
        });
        let fits = |name: &String, value: &Value| {
            let one = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            of_one.as_ref().is_none_or(|of_one| of_one.is_valid(&one))
        };
        let unfit = |loc, what: &str| Fault {
            loc,
            msg: format!("{what} not what the tool's schema says"),
            kind: "schema".to_owned(),
        };
        let wrong = arguments.as_object().into_iter().flatten().filter(|(name, value)| !fits(name, value));
        let wrong = wrong.map(|(name, _)| unfit(vec![Step::Name(name.clone())], "the value is"));
        let wrong: Vec<Fault> = wrong.take(limits::FAULTS).collect();
        if wrong.is_empty() { vec![unfit(Vec::new(), "they are")] } else { wrong }
    }
}

/// Faults in one line, for models: each with the argument, the path within it, and the reason.
#[cfg(any(feature = "rest", feature = "webhook"))]
pub(crate) fn faults_in_words(faults: &[Fault]) -> String {
    let words = faults.iter().map(|fault| {
        let mut way = fault.loc.iter().map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        });
        let Some(argument) = way.next() else { return format!("the arguments: {}", fault.msg) };
        let way: String = way.map(|step| format!("/{step}")).collect();
        let at = if way.is_empty() { way } else { format!(" at {way}") };
        format!("the argument {argument:?}{at}: {}", fault.msg)
    });
    words.collect::<Vec<_>>().join("; ")
}

fn build(schema: &Value) -> Result<Validator, String> {
    // For names of members (`patternProperties`); values are matched by our own keyword `pattern`.
    let steps = usize::try_from(limits::PATTERN_STEPS_OF_MANY).unwrap_or(usize::MAX);
    let names = PatternOptions::fancy_regex().backtrack_limit(steps).size_limit(limits::PATTERN_BYTES);
    let options = jsonschema::options().with_pattern_options(names).should_validate_formats(false);
    let options = options.with_keyword("pattern", patterns::Pattern::keyword);
    options.offline().build(schema).map_err(|error| error.to_string())
}

/// The number of regular expressions in a schema, at most.
fn patterns(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => {
            let of = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
                ("pattern", Value::String(_)) => 1,
                ("patternProperties", Value::Object(named)) => named.len() + patterns(value),
                _ => patterns(value),
            };
            members.iter().map(of).sum()
        }
        Value::Array(list) => list.iter().map(patterns).sum(),
        _ => 0,
    }
}

/// The number of regular expressions for names of members in a schema, at most.
fn names(schema: &Value) -> usize {
    let of = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
        ("patternProperties", Value::Object(named)) => named.len() + names(value),
        _ => names(value),
    };
    match schema {
        Value::Object(members) => members.iter().map(of).sum(),
        Value::Array(list) => list.iter().map(names).sum(),
        _ => 0,
    }
}

fn fault(error: &ValidationError<'_>) -> Fault {
    let way = error.instance_path();
    let way = way.as_str().split('/').skip(1).map(|segment| match segment.parse::<usize>() {
        Ok(index) => Step::Index(index),
        Err(_) => Step::Name(segment.replace("~1", "/").replace("~0", "~")),
    });
    Fault {
        loc: way.collect(),
        // The value may be a secret, and its sender knows it anyway.
        msg: short(&error.masked_with("the value").to_string()),
        kind: error.kind().keyword().to_owned(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(limits::FAULT_CHARS).collect()
}

impl PartialEq for Checker {
    /// Whether both have the same schema.
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checker")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checker(schema: &Value) -> Option<Checker> {
        Checker::new(&schema.to_string()).ok()
    }

    #[test]
    fn a_fault_says_where_and_why_and_not_what_was_given() {
        let checker = checker(&json!({
            "type": "object",
            "properties": {
                "a": { "type": "array", "items": { "type": "integer" } },
                "key": { "pattern": "^[0-9]+$", "maxLength": 3 },
                "kind": { "enum": ["x", "y"] },
                "either": { "anyOf": [{ "type": "string", "maxLength": 1 }, { "type": "integer" }] },
            },
            "required": ["b"],
        }));
        let arguments = json!({ "a": [1, "s3cr3t"], "key": "s3cr3t", "kind": "s3cr3t", "either": "s3cr3t" });
        let faults = checker.unwrap().check(&arguments).unwrap_err();
        assert_eq!(faults.len(), 6, "{faults:?}");
        let of_a = faults.iter().find(|fault| fault.kind == "type").unwrap();
        assert_eq!(of_a.loc, [Step::Name("a".to_owned()), Step::Index(1)]);
        assert_eq!(of_a.msg, "the value is not of type \"integer\"");
        assert!(faults.iter().any(|fault| fault.loc.is_empty() && fault.kind == "required"), "{faults:?}");
        assert!(!format!("{faults:?}").contains("s3cr3t"), "{faults:?}");
    }

    #[test]
    fn schemas_that_need_other_documents_are_left_to_their_servers() {
        assert!(checker(&json!({ "$ref": "https://127.0.0.1:1/schema.json" })).is_none());
        assert!(checker(&json!({ "$ref": "file:///etc/passwd" })).is_none());
        assert!(checker(&json!({ "$ref": "#/$defs/gone" })).is_none());
        assert!(checker(&json!({ "type": 5 })).is_none());
        assert!(checker(&json!({ "$ref": "#/$defs/A", "$defs": { "A": { "type": "string" } } })).is_some());
    }

    #[test]
    fn a_pattern_that_never_ends_ends() {
        let checker =
            checker(&json!({ "properties": { "a": { "pattern": "^(?=(a+)+$)(a|aa)+b$" } } })).unwrap();
        assert!(checker.check(&json!({ "a": "a".repeat(60) + "!" })).is_err());
    }

    #[test]
    fn all_texts_of_a_call_have_one_bound_together() {
        let hard =
            checker(&json!({ "properties": { "a": { "items": { "pattern": "^(?=a)a$" } } } })).unwrap();
        let texts = |count: usize, text: &str| json!({ "a": vec![text; count] });
        assert_eq!(hard.check(&texts(10_000, "a")), Ok(()));
        let faults = hard.check(&texts(50_000, "a")).unwrap_err();
        assert_eq!((faults.len(), faults[0].kind.as_str()), (1, "pattern"));
        // A pattern within `not` too.
        let not = json!({ "properties": { "a": { "items": { "not": { "pattern": "^(?=a)a$" } } } } });
        assert!(checker(&not).unwrap().check(&texts(50_000, "b")).is_err());
        // Names of members count too.
        let named = checker(&json!({ "patternProperties": { "^(?=a)a[0-9]+$": true } })).unwrap();
        let names = |count: usize| (0..count).map(|number| (format!("a{number}"), json!(1))).collect();
        assert_eq!(named.check(&Value::Object(names(10_000))), Ok(()));
        assert!(named.check(&Value::Object(names(50_000))).is_err());
        // The bound is per call, and patterns that need no backtracking are cheap enough for all the texts that a call can have.
        assert_eq!(hard.check(&texts(10_000, "a")), Ok(()));
        let easy = checker(&json!({ "properties": { "a": { "items": { "pattern": "^[ab]$" } } } })).unwrap();
        assert_eq!(easy.check(&texts(500_000, "a")), Ok(()));
    }

    #[test]
    fn patterns_that_would_have_no_end_of_memory_are_left_to_their_servers() {
        let patterns = |count: usize| -> Value {
            let all =
                (0..count).map(|number| (format!("p{number}"), json!({ "pattern": format!("^a{number}$") })));
            json!({ "properties": all.collect::<serde_json::Map<_, _>>() })
        };
        assert!(checker(&patterns(limits::PATTERNS)).is_some());
        assert!(checker(&patterns(limits::PATTERNS + 1)).is_none());
        let named: serde_json::Map<_, _> =
            (0..=limits::PATTERNS).map(|number| (format!("^a{number}$"), true.into())).collect();
        assert!(checker(&json!({ "items": [{ "patternProperties": named }] })).is_none());
        assert!(checker(&json!({ "pattern": "(([a-z]{100}){100}){100}" })).is_none());
        assert!(checker(&json!({ "pattern": "^[A-Za-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255})?$" })).is_some());
    }

    #[test]
    fn schemas_that_refer_to_themselves_end() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "$ref": "#/$defs/A", "$defs": { "A": { "allOf": [{ "$ref": "#/$defs/A" }] } } }),
            json!({ "anyOf": [{ "$ref": "#/$defs/A" }], "$defs": { "A": { "not": { "$ref": "#/$defs/A" } } } }),
        ] {
            if let Some(checker) = checker(&schema) {
                // The result does not matter, only that there is one.
                let _ = checker.check(&json!({ "a": 1 }));
            }
        }
        let list = json!({ "$ref": "#/$defs/A", "$defs": { "A": {
            "type": "object", "properties": { "next": { "$ref": "#/$defs/A" } }, "additionalProperties": false,
        } } });
        let checker = checker(&list).unwrap();
        assert!(checker.check(&json!({ "next": { "next": {} } })).is_ok());
        let faults = checker.check(&json!({ "next": { "next": { "other": 1 } } })).unwrap_err();
        assert_eq!(faults[0].loc.len(), 2, "{faults:?}");
    }

    #[test]
    fn a_search_that_would_double_with_each_level_is_not_begun() {
        let either = |operator: &str| {
            json!({
                "type": "object",
                "properties": { "of": { "$ref": "#/$defs/Filter" }, "op": { "const": operator } },
                "required": ["op"],
            })
        };
        let checker = checker(&json!({
            "type": "object",
            "properties": { "filter": { "$ref": "#/$defs/Filter" }, "limit": { "type": "integer" } },
            "required": ["limit"],
            "$defs": {
                "Filter": { "oneOf": [{ "$ref": "#/$defs/And" }, { "$ref": "#/$defs/Or" }] },
                "And": either("and"),
                "Or": either("or"),
            },
        }));
        let checker = checker.unwrap();
        let deep = |levels: usize, last: &str| {
            (0..levels).fold(json!({ "op": last }), |below, _| json!({ "of": below, "op": "and" }))
        };
        assert_eq!(checker.check(&json!({ "filter": deep(60, "or"), "limit": 1 })), Ok(()));
        let faults = checker.check(&json!({ "filter": deep(60, "s3cr3t"), "limit": 1 })).unwrap_err();
        let wanted = ([Step::Name("filter".to_owned())], "the value is not what the tool's schema says");
        assert_eq!((&faults[0].loc[..], &*faults[0].msg), (&wanted.0[..], wanted.1));
        assert_eq!(faults.len(), 1);
        let faults = checker.check(&json!({ "filter": deep(60, "or") })).unwrap_err();
        assert_eq!((&faults[0].loc[..], faults.len()), (&[][..], 1));
        // For arguments that are less deep, the reason is given.
        let faults = checker.check(&json!({ "filter": deep(3, "none"), "limit": "1" })).unwrap_err();
        assert!(faults.len() == 2 && faults.iter().any(|fault| fault.kind == "oneOf"), "{faults:?}");
    }
}
