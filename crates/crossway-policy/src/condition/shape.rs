//! What an expression is made of: whether it can be used, and what it looks at.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::BadCondition;
use crate::fold::fold;
use crate::limits;

/// What conditions may call, operators among it. All of it takes time in proportion to its operands, and only `+` makes larger ones.
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

/// What is known of an expression.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) needs_arguments: bool,
    /// How many parts are evaluated once, and how many once for each element of a list.
    pub(super) once: usize,
    pub(super) each: usize,
    /// The names that it looks at, as they are written, and all texts in it, by how they are compared where capital letters do not count.
    pub(super) names: BTreeMap<String, BTreeSet<String>>,
    sums: usize,
}

struct Walk<'a> {
    shape: Shape,
    /// The variables of the loop that the walk is in.
    of_loop: Vec<&'a str>,
    /// Whether it is in the list that a loop goes through.
    in_range: bool,
}

impl Shape {
    pub(super) fn of(expression: &IdedExpr) -> Result<Self, BadCondition> {
        let mut walk = Walk { shape: Self::default(), of_loop: Vec::new(), in_range: false };
        walk.expression(expression, 0)?;
        Ok(walk.shape)
    }

    fn look_at(&mut self, name: &str) {
        self.names.entry(fold(name)).or_default().insert(name.to_owned());
    }
}

impl<'a> Walk<'a> {
    fn expression(&mut self, expression: &'a IdedExpr, depth: usize) -> Result<(), BadCondition> {
        let parts = if self.of_loop.is_empty() { &mut self.shape.once } else { &mut self.shape.each };
        *parts += 1;
        if self.shape.once + self.shape.each > limits::CONDITION_PARTS {
            return Err(BadCondition::TooManyParts { limit: limits::CONDITION_PARTS });
        }
        if depth > limits::CONDITION_DEPTH {
            return Err(BadCondition::TooDeep { limit: limits::CONDITION_DEPTH });
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(literal) => {
                // It may be compared with a name: `args.exists(k, k == "force")` looks at one as `args.force` does.
                if let LiteralValue::String(text) = literal {
                    self.shape.look_at(text.inner());
                }
                Ok(())
            }
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                self.shape.look_at(&select.field);
                self.expression(&select.operand, depth)
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.expression(element, depth)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key, depth)?;
                    self.expression(&entry.value, depth)
                }
                EntryExpr::StructField(field) => self.expression(&field.value, depth),
            }),
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::Struct(made) => Err(BadCondition::NoFunction(made.type_name.clone())),
            Expr::Unspecified => Err(BadCondition::NoFunction("?".to_owned())),
        }
    }

    fn variable(&mut self, name: &str) -> Result<(), BadCondition> {
        if self.of_loop.contains(&name) {
            return Ok(());
        }
        match name {
            "args" => self.shape.needs_arguments = true,
            "user" | "tenant" => {}
            _ if TYPES.contains(&name) => {}
            _ => return Err(BadCondition::NoVariable(name.to_owned())),
        }
        Ok(())
    }

    fn call(&mut self, call: &'a CallExpr, depth: usize) -> Result<(), BadCondition> {
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
        call.target.iter().try_for_each(|target| self.expression(target, depth))?;
        call.args.iter().try_for_each(|arg| self.expression(arg, depth))
    }

    /// `all` and `exists`. `map`, `filter` and `exists_one` count or collect with `+`, and are refused for it.
    fn comprehension(&mut self, made: &'a ComprehensionExpr, depth: usize) -> Result<(), BadCondition> {
        if self.in_range || !self.of_loop.is_empty() {
            return Err(BadCondition::NestedLoop);
        }
        self.in_range = true;
        self.expression(&made.iter_range, depth)?;
        self.in_range = false;
        self.of_loop.extend([made.iter_var.as_str(), made.accu_var.as_str()]);
        self.of_loop.extend(made.iter_var2.as_deref());
        for part in [&made.accu_init, &made.loop_cond, &made.loop_step, &made.result] {
            self.expression(part, depth)?;
        }
        self.of_loop.clear();
        Ok(())
    }
}
