//! Conditions, compiled and asked.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program};
use serde_json::Value;

use super::arguments::{Arguments, from_json};
use super::shape::Shape;
use super::{BadCondition, ConditionError};
use crate::{Principal, TenantName, limits};

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition.
pub(crate) struct Condition {
    program: Program,
    shape: Shape,
}

/// What conditions can know of a caller: `user` and `tenant`.
pub(crate) struct Facts {
    user: Box<dyn Val>,
    tenant: CelString<'static>,
    longest: usize,
    bytes: usize,
}

/// The variables of one evaluation.
struct Variables<'a> {
    facts: &'a Facts,
    arguments: Option<&'a Arguments>,
}

impl Condition {
    pub(crate) fn compile(text: &str) -> Result<Self, BadCondition> {
        if text.len() > limits::CONDITION_BYTES {
            return Err(BadCondition::TooLong { limit: limits::CONDITION_BYTES });
        }
        // The parser calls itself for each of these, and takes much stack. In texts they are counted as well, so that nothing depends
        // on where a text ends.
        let marks = |marks: &[u8]| text.bytes().filter(|byte| marks.contains(byte)).count();
        if marks(b"([{?") > limits::CONDITION_BRACKETS {
            return Err(BadCondition::TooManyBrackets { limit: limits::CONDITION_BRACKETS });
        }
        if marks(b"([{?.:,!=<>&|+-*/%") > limits::CONDITION_PARTS {
            return Err(BadCondition::TooManyParts { limit: limits::CONDITION_PARTS });
        }
        let program = parse(text)?;
        let shape = Shape::of(program.expression())?;
        Ok(Self { program, shape })
    }

    /// Whether it is about arguments. If not, it says the same of all calls of a caller.
    pub(crate) fn needs_arguments(&self) -> bool {
        self.shape.needs_arguments
    }

    /// Whether it holds. Takes time in proportion to the arguments: see `limits` for the bounds.
    pub(crate) fn holds(&self, facts: &Facts, arguments: Option<&Arguments>) -> Result<bool, ConditionError> {
        if let Some(arguments) = arguments {
            self.check(arguments)?;
        }
        let (longest, bytes) = arguments.map_or((0, 0), |arguments| (arguments.longest, arguments.bytes));
        // A list that the condition itself writes out has no more elements than it has parts.
        let longest = longest.max(facts.longest).max(self.shape.once);
        let steps = self.shape.once.saturating_add(self.shape.each.saturating_mul(longest));
        let work = steps.saturating_mul(bytes.saturating_add(facts.bytes));
        if u64::try_from(work).is_ok_and(|work| work > limits::CONDITION_WORK) {
            return Err(ConditionError::TooMuchWork);
        }
        let variables = Variables { facts, arguments };
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        context.set_variable_resolver(&variables);
        match cel::Value::resolve_val(self.program.expression(), &context) {
            Ok(value) => match value.as_ref().downcast_ref::<CelBool>() {
                Some(bool) => Ok(*bool.inner()),
                None => Err(ConditionError::NotABool),
            },
            // What the error says may have values of arguments in it.
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => {
                Err(ConditionError::NotThere)
            }
            Err(_) => Err(ConditionError::WrongType),
        }
    }

    /// Refuses names that differ from those of the condition in capital letters alone.
    fn check(&self, arguments: &Arguments) -> Result<(), ConditionError> {
        let other = |(folded, name): &(String, String)| {
            let written = self.shape.names.get(folded);
            written.is_some_and(|written| !written.contains(name))
        };
        if arguments.names.iter().any(other) { Err(ConditionError::OtherSpelling) } else { Ok(()) }
    }
}

/// Parses an expression, on a thread of its own for the time that it takes: the parser needs up to 100 KiB of stack for a bracket where
/// it is not optimized, and whoever compiles a policy has not got that much. What comes of it depends on the text alone.
fn parse(text: &str) -> Result<Program, BadCondition> {
    let parsed = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(limits::CONDITION_STACK);
        let thread = builder.spawn_scoped(scope, || STANDARD.compile(text)).ok()?;
        thread.join().ok()
    });
    parsed.ok_or(BadCondition::NoParser)?.map_err(|errors| {
        let first = errors.errors.first();
        let first =
            first.map(|error| format!("{} (line {}, column {})", error.msg, error.pos.0, error.pos.1));
        BadCondition::NoExpression(first.unwrap_or_default())
    })
}

impl Facts {
    pub(crate) fn new(principal: &Principal, tenant: &TenantName) -> Self {
        let mut user = serde_json::Map::new();
        let mut put = |name: &str, value: Value| _ = user.insert(name.to_owned(), value);
        put("issuer", principal.issuer().into());
        put("subject", principal.subject().into());
        put("groups", principal.groups().into());
        put("roles", principal.roles().into());
        put("claims", principal.claims().iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        for (name, value) in [("email", principal.email()), ("name", principal.name())] {
            value.into_iter().for_each(|value| put(name, value.into()));
        }
        let user = Value::Object(user);
        let bytes = user.to_string().len();
        let mut longest = 0;
        let user = from_json(&user, &mut longest);
        Self { user, tenant: CelString::from(tenant.as_str().to_owned()), longest, bytes }
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "args" => Some(CowVal::Borrowed(&*self.arguments?.value)),
            "user" => Some(CowVal::Borrowed(&*self.facts.user)),
            "tenant" => Some(CowVal::Borrowed(&self.facts.tenant)),
            _ => None,
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("shape", &self.shape).finish_non_exhaustive()
    }
}
