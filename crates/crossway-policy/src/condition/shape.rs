//! Analyzes an expression: whether it is allowed, and which inputs it reads.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::cost::{Extent, Size, of_call};
use super::{BadCondition, MEMBERS};
use crate::finding::most_like;
use crate::fold::fold;
use crate::limits;

/// The functions and operators of conditions. All take time in proportion to their operands, and only `+` makes larger values.
const FUNCTIONS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "type",
    "dyn",
];

/// Types that can be named, in `type(args.x) == string`.
const TYPES: &[&str] = &["bool", "double", "int", "list", "map", "null_type", "string", "uint"];

/// The analysis of an expression.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) needs_arguments: bool,
    parts: usize,
    /// The work that is done once.
    once: Size,
    /// The work that is done once per element of a list: of a list in the arguments, in the caller's facts, or in either or the condition
    /// itself.
    each: [Size; 3],
    /// The names and string literals in the expression, by their case-folded text.
    pub(super) names: BTreeMap<String, BTreeSet<String>>,
    sums: usize,
}

struct Walk<'a> {
    shape: Shape,
    /// The variables of the current loop, with bounds of their sizes.
    of_loop: Vec<(&'a str, Size)>,
    /// Where the current loop's list comes from.
    range: Range,
    /// Whether the walk is within the list expression of a loop.
    in_range: bool,
}

/// Where a loop's list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Arguments,
    Facts,
    Any,
}

impl Shape {
    pub(super) fn of(expression: &IdedExpr) -> Result<Self, BadCondition> {
        let shape = Self::default();
        let mut walk = Walk { shape, of_loop: Vec::new(), range: Range::Any, in_range: false };
        walk.expression(expression, 0)?;
        Ok(walk.shape)
    }

    /// The work with arguments and a caller of these sizes, in bytes that are processed.
    pub(super) fn work(&self, arguments: Extent, facts: Extent) -> usize {
        let bytes = arguments.bytes.saturating_add(facts.bytes);
        // A list literal in the condition has no more elements than the condition has parts.
        let longest = arguments.longest.max(facts.longest).max(self.parts);
        let lists = [arguments, facts, Extent { longest, bytes }];
        let once = self.once.bytes(Extent { longest: 1, bytes: 0 }, arguments.bytes, facts.bytes);
        self.each.iter().zip(lists).fold(once, |work, (each, list)| {
            work.saturating_add(each.bytes(list, arguments.bytes, facts.bytes))
        })
    }

    fn look_at(&mut self, name: &str) {
        self.names.entry(fold(name)).or_default().insert(name.to_owned());
    }
}

impl<'a> Walk<'a> {
    /// Adds the work of an expression, and returns a bound of its result's size.
    fn expression(&mut self, expression: &'a IdedExpr, depth: usize) -> Result<Size, BadCondition> {
        self.shape.parts += 1;
        self.goes_through(Size::STEP);
        if self.shape.parts > limits::CONDITION_PARTS {
            return Err(BadCondition::TooManyParts { limit: limits::CONDITION_PARTS });
        }
        if depth > limits::CONDITION_DEPTH {
            return Err(BadCondition::TooDeep { limit: limits::CONDITION_DEPTH });
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                // A literal may be compared with a name: `args.exists(k, k == "force")` reads one as `args.force` does.
                self.shape.look_at(text.inner());
                Ok(Size::own(text.inner().len()))
            }
            Expr::Literal(LiteralValue::Bytes(bytes)) => Ok(Size::own(bytes.inner().len())),
            Expr::Literal(_) => Ok(Size::SMALL),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                self.member(&select.operand, Some(&select.field))?;
                self.shape.look_at(&select.field);
                self.expression(&select.operand, depth)
            }
            Expr::List(list) => {
                let elements = list.elements.iter();
                self.made(elements, depth)
            }
            Expr::Map(map) => {
                let values = map.entries.iter().flat_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => [Some(&entry.key), Some(&entry.value)],
                    EntryExpr::StructField(field) => [Some(&field.value), None],
                });
                self.made(values.flatten(), depth)
            }
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::Struct(made) => Err(BadCondition::NoFunction(made.type_name.clone())),
            Expr::Unspecified => Err(BadCondition::NoFunction("?".to_owned())),
        }
    }

    /// Adds work at the current place.
    fn goes_through(&mut self, size: Size) {
        let [arguments, facts, any] = &mut self.shape.each;
        let cost = match (self.of_loop.is_empty(), self.range) {
            (true, _) => &mut self.shape.once,
            (false, Range::Arguments) => arguments,
            (false, Range::Facts) => facts,
            (false, Range::Any) => any,
        };
        *cost = *cost + size;
    }

    /// A list or map literal, which copies its elements.
    fn made(
        &mut self,
        elements: impl Iterator<Item = &'a IdedExpr>,
        depth: usize,
    ) -> Result<Size, BadCondition> {
        let mut size = Size::default();
        for element in elements {
            size = size + self.expression(element, depth)? + Size::STEP;
        }
        self.goes_through(size.copied());
        Ok(size)
    }

    fn variable(&mut self, name: &str) -> Result<Size, BadCondition> {
        if let Some((_, size)) = self.of_loop.iter().find(|(variable, _)| *variable == name) {
            return Ok(*size);
        }
        match name {
            "args" => {
                self.shape.needs_arguments = true;
                Ok(Size::ARGUMENTS)
            }
            "user" | "tenant" => Ok(Size::FACTS),
            _ if TYPES.contains(&name) => Ok(Size::SMALL),
            _ => Err(BadCondition::NoVariable(name.to_owned())),
        }
    }

    /// Refuses a member that `user` or `tenant` never has: a condition that asks for it gives no answer, whoever calls.
    fn member(&self, of: &IdedExpr, name: Option<&str>) -> Result<(), BadCondition> {
        let Expr::Ident(variable) = &of.expr else { return Ok(()) };
        let is_of_loop = self.of_loop.iter().any(|(own, _)| own == variable);
        match (variable.as_str(), name) {
            _ if is_of_loop => Ok(()),
            ("tenant", _) => Err(BadCondition::PartOfTenant),
            ("user", Some(name)) if !MEMBERS.contains(&name) => {
                Err(BadCondition::NoMember { name: name.to_owned(), like: most_like(name, MEMBERS) })
            }
            _ => Ok(()),
        }
    }

    fn call(&mut self, call: &'a CallExpr, depth: usize) -> Result<Size, BadCondition> {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) {
            return Err(BadCondition::NoFunction(name.to_owned()));
        }
        if name == operators::ADD {
            self.shape.sums += 1;
            if self.in_range || !self.of_loop.is_empty() {
                return Err(BadCondition::GrowingLoop);
            }
            if self.shape.sums > limits::CONDITION_SUMS {
                return Err(BadCondition::TooManySums { limit: limits::CONDITION_SUMS });
            }
        }
        match (name, &call.args[..]) {
            (operators::INDEX, [of, member]) | (operators::IN, [member, of]) => {
                self.member(of, literal(member))?;
            }
            _ => {}
        }
        let operands = call.target.iter().map(|target| &**target).chain(&call.args);
        let operands: Result<Vec<_>, _> = operands.map(|operand| self.expression(operand, depth)).collect();
        let (through, result) = of_call(call, &operands?);
        self.goes_through(through);
        Ok(result)
    }

    /// `all` and `exists`. `map`, `filter` and `exists_one` are refused, as they count or collect with `+`.
    fn comprehension(&mut self, made: &'a ComprehensionExpr, depth: usize) -> Result<Size, BadCondition> {
        if self.in_range || !self.of_loop.is_empty() {
            return Err(BadCondition::NestedLoop);
        }
        self.in_range = true;
        let list = self.expression(&made.iter_range, depth)?;
        self.in_range = false;
        // A computed list may have the same value more than once.
        let place = place(&made.iter_range);
        let (range, element) = place.map_or((Range::Any, list), |place| (place, Size::ELEMENT));
        self.range = range;
        self.of_loop.extend([(made.iter_var.as_str(), element), (made.accu_var.as_str(), Size::SMALL)]);
        self.of_loop.extend(made.iter_var2.as_deref().map(|name| (name, Size::ARGUMENTS + Size::FACTS)));
        // Each element is copied.
        self.goes_through(element.copied());
        for part in [&made.accu_init, &made.loop_cond, &made.loop_step, &made.result] {
            self.expression(part, depth)?;
        }
        self.of_loop.clear();
        Ok(Size::SMALL)
    }
}

/// Returns the text of a string literal.
fn literal(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Returns which variable an expression is an unchanged part of.
fn place(expression: &IdedExpr) -> Option<Range> {
    match &expression.expr {
        Expr::Ident(name) if name == "args" => Some(Range::Arguments),
        Expr::Ident(name) if name == "user" => Some(Range::Facts),
        Expr::Select(select) => place(&select.operand),
        Expr::Call(call) if call.func_name == operators::INDEX => place(call.args.first()?),
        _ => None,
    }
}
