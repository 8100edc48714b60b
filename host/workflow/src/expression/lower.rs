//! From the tree of the crate `cel` to our own, with every name and call checked.
//!
//! The parser is given no macros, so that loops arrive as the calls they are written as.

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::EXPRESSION_DEPTH_MAX;
use super::compile::shown_path;
use super::functions::{SIGNATURES, compile_pattern};
use super::lookup::Segment;
use super::names::{Complaint, Names, resolve, unknown_name};
use super::node::{Loop, LoopKind, Node, Operator};
use super::template::{Plan, Root};
use super::token::Shape;
use crate::StepId;
use crate::definition::{Code, did_you_mean};

/// An expression of at most this shape is parsed on the caller's stack.
const SMALL: Shape = Shape { tokens: 60, nesting: 6 };

/// The parser and what drops its tree recurse: about 10 KB for each of 4,096 tokens at worst.
const PARSER_STACK_BYTES: usize = 64 << 20;

/// Parses, within bounds of depth.
pub(super) fn parse(source: &str, shape: Shape) -> Result<Expression, Complaint> {
    if shape.nesting > EXPRESSION_DEPTH_MAX {
        return Err(too_deep());
    }
    let failed = || Complaint::new("the expression could not be parsed");
    if shape.tokens <= SMALL.tokens && shape.nesting <= SMALL.nesting {
        // A generated parser of this size is not taken on trust; a thread's end says the same.
        return std::panic::catch_unwind(|| parse_here(source)).unwrap_or_else(|_| Err(failed()));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("parse-expression".to_owned())
            .stack_size(PARSER_STACK_BYTES)
            .spawn_scoped(scope, || parse_here(source))
            .map_err(|_| failed())?
            .join()
            .map_err(|_| failed())?
    })
}

fn too_deep() -> Complaint {
    let message = format!("the expression is nested more than {EXPRESSION_DEPTH_MAX} deep");
    Complaint::hinted(message, "a chain such as `a + b + c` is nested, too: use a `set` step")
}

fn parse_here(source: &str) -> Result<Expression, Complaint> {
    let parser = cel::Env::default().with_optional_support(false).parser();
    let parsed = parser.parse(source).map_err(|errors| {
        // Never displayed by its own code, which can panic.
        let first = errors.errors.into_iter().next();
        let message = first.map(|error| error.msg).unwrap_or_default();
        Complaint::new(format!("not CEL: {}", plain_message(&message)))
    })?;
    if is_deeper_than(&parsed, EXPRESSION_DEPTH_MAX) {
        return Err(too_deep());
    }
    Ok(parsed)
}

/// The parser's message on one line, without its list of all tokens.
fn plain_message(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.trim_start_matches("Syntax error: ");
    let line = line.split(" expecting {").next().unwrap_or(line);
    if line.contains("'<EOF>'") {
        return "it ends too early".to_owned();
    }
    super::access::quoted_to(line, 120)
}

/// Without recursion, since that is what this guards.
fn is_deeper_than(root: &Expression, depth_max: usize) -> bool {
    let mut open = vec![(root, 1)];
    while let Some((node, depth)) = open.pop() {
        if depth > depth_max {
            return true;
        }
        let mut add = |child| open.push((child, depth + 1));
        match &node.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| add(target));
                call.args.iter().for_each(add);
            }
            Expr::List(list) => list.elements.iter().for_each(add),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        add(&entry.key);
                        add(&entry.value);
                    }
                }
            }
            Expr::Select(select) => add(&select.operand),
            Expr::Comprehension(_)
            | Expr::Struct(_)
            | Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Unspecified => {}
        }
    }
    false
}

/// One expression on its way.
pub(super) struct Lowering<'l> {
    names: &'l Names<'l>,
    plan: &'l mut Plan,
    steps: &'l mut Vec<StepId>,
    locals: Vec<String>,
    slots: Vec<usize>,
}

type Lowered = Result<Node, Complaint>;

impl<'l> Lowering<'l> {
    pub(super) const fn new(
        names: &'l Names<'l>,
        plan: &'l mut Plan,
        steps: &'l mut Vec<StepId>,
    ) -> Self {
        Self { names, plan, steps, locals: Vec::new(), slots: Vec::new() }
    }

    /// Each slot that was met, once.
    pub(super) fn into_slots(mut self) -> Vec<usize> {
        self.slots.sort_unstable();
        self.slots.dedup();
        self.slots
    }

    pub(super) fn lower(&mut self, expression: &Expression) -> Lowered {
        if let Some(path) = self.path(expression) {
            return self.slot(&path).map(Node::Slot);
        }
        match &expression.expr {
            Expr::Literal(literal) => lower_literal(literal),
            Expr::Ident(name) => self.local(name),
            Expr::Select(select) => Ok(Node::Field {
                of: self.boxed(&select.operand)?,
                name: select.field.as_str().into(),
            }),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list
                .elements
                .iter()
                .map(|e| self.lower(e))
                .collect::<Result<_, _>>()
                .map(Node::List),
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(Complaint::new("messages are not supported"));
                    };
                    entries.push((self.lower(&entry.key)?, self.lower(&entry.value)?));
                }
                Ok(Node::Map(entries))
            }
            Expr::Struct(message) => {
                let name = super::access::quoted(&message.type_name);
                Err(Complaint::new(format!("messages such as `{name}{{…}}` are not supported")))
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(Complaint::new("the expression is not supported"))
            }
        }
    }

    fn boxed(&mut self, expression: &Expression) -> Result<Box<Node>, Complaint> {
        self.lower(expression).map(Box::new)
    }

    fn local(&self, name: &str) -> Lowered {
        match self.locals.iter().rposition(|local| local == name) {
            Some(local) => Ok(Node::Local(local)),
            None => Err(unknown_name(name, self.names)),
        }
    }

    fn slot(&mut self, path: &[Segment]) -> Result<usize, Complaint> {
        let (root, root_name, rest) = resolve(path, self.names)?;
        if let Root::Step(step) = root {
            self.steps.push(step);
        }
        let slot = self.plan.slot(&root, &root_name, rest.to_vec(), &shown_path(path));
        self.slots.push(slot);
        Ok(slot)
    }

    /// The longest chain of constant fields and positions below a root; `None` below a local.
    fn path(&self, expression: &Expression) -> Option<Vec<Segment>> {
        let mut path = Vec::new();
        let mut expression = expression;
        loop {
            match &expression.expr {
                Expr::Ident(name) if self.locals.contains(name) => return None,
                Expr::Ident(name) => {
                    path.push(Segment::Field(name.as_str().into()));
                    path.reverse();
                    return Some(path);
                }
                Expr::Select(select) => {
                    path.push(Segment::Field(select.field.as_str().into()));
                    expression = &select.operand;
                }
                Expr::Call(call) if call.func_name == operators::INDEX => {
                    let [of, index] = call.args.as_slice() else { return None };
                    path.push(constant_index(index)?);
                    expression = of;
                }
                _ => return None,
            }
        }
    }

    fn call(&mut self, call: &CallExpr) -> Lowered {
        let arguments = call.args.as_slice();
        let Some(target) = &call.target else {
            return match (call.func_name.as_str(), arguments) {
                ("has", [argument]) => self.has(argument),
                (name, arguments) => match self.operator(name, arguments)? {
                    Some(node) => Ok(node),
                    None => self.function(name, None, arguments),
                },
            };
        };
        match loop_kind(&call.func_name, arguments.len()) {
            Some(kind) => self.a_loop(kind, target, arguments),
            None => self.function(&call.func_name, Some(target), arguments),
        }
    }

    fn has(&mut self, argument: &Expression) -> Lowered {
        if !matches!(argument.expr, Expr::Select(_)) {
            return Err(Complaint::hinted("`has` needs a field", "such as `has(input.folder)`"));
        }
        if let Some(path) = self.path(argument) {
            return self.slot(&path).map(Node::HasSlot);
        }
        match self.lower(argument)? {
            Node::Field { of, name } => Ok(Node::HasField { of, name }),
            _ => Err(Complaint::new("`has` needs a field")),
        }
    }

    fn operator(
        &mut self,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Option<Node>, Complaint> {
        Ok(Some(match (name, arguments) {
            (operators::CONDITIONAL, [condition, then, otherwise]) => Node::If {
                condition: self.boxed(condition)?,
                then: self.boxed(then)?,
                otherwise: self.boxed(otherwise)?,
            },
            (operators::LOGICAL_AND, [left, right]) => {
                Node::And(self.boxed(left)?, self.boxed(right)?)
            }
            (operators::LOGICAL_OR, [left, right]) => {
                Node::Or(self.boxed(left)?, self.boxed(right)?)
            }
            (operators::LOGICAL_NOT, [of]) => Node::Not(self.boxed(of)?),
            (operators::NEGATE, [of]) => Node::Negate(self.boxed(of)?),
            (operators::INDEX, [of, index]) => {
                Node::Index { of: self.boxed(of)?, index: self.boxed(index)? }
            }
            (name, [left, right]) => match binary_operator(name) {
                Some(operator) => {
                    Node::Binary { operator, left: self.boxed(left)?, right: self.boxed(right)? }
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    fn a_loop(&mut self, kind: LoopKind, target: &Expression, arguments: &[Expression]) -> Lowered {
        let range = self.lower(target)?;
        let (Some((variable, bodies)), true) = (arguments.split_first(), arguments.len() <= 3)
        else {
            return Err(Complaint::new("a loop needs a variable and a body"));
        };
        let Expr::Ident(variable) = &variable.expr else {
            return Err(Complaint::hinted("a loop begins with its variable", "`list.map(x, …)`"));
        };
        self.locals.push(variable.clone());
        let bodies: Result<Vec<Node>, _> = bodies.iter().map(|body| self.lower(body)).collect();
        self.locals.pop();
        let mut bodies = bodies?;
        let Some(body) = bodies.pop() else {
            return Err(Complaint::new("a loop needs a body"));
        };
        let variable = variable.as_str().into();
        Ok(Node::Loop(Box::new(Loop { variable, kind, range, filter: bodies.pop(), body })))
    }

    fn function(
        &mut self,
        name: &str,
        target: Option<&Expression>,
        arguments: &[Expression],
    ) -> Lowered {
        let method = target.is_some();
        let count = arguments.len() + usize::from(method);
        let same_name = || SIGNATURES.iter().filter(|signature| signature.name == name);
        let signature = same_name().find(|s| s.method == method && s.arguments.contains(&count));
        let Some(signature) = signature else {
            return Err(no_function(name, method, same_name().next().is_some()));
        };
        let all = target.into_iter().chain(arguments);
        let mut lowered = all.map(|a| self.lower(a)).collect::<Result<Vec<_>, _>>()?;
        if name == "matches"
            && let [_, Node::Text(pattern)] = lowered.as_slice()
        {
            let pattern = Box::new(compile_pattern(pattern).map_err(Complaint::new)?);
            return Ok(Node::Matches { text: Box::new(lowered.swap_remove(0)), pattern });
        }
        Ok(Node::Call { function: signature.function, arguments: lowered })
    }
}

fn no_function(name: &str, method: bool, other_form: bool) -> Complaint {
    let shown = super::access::quoted(name);
    if other_form {
        return Complaint::new(format!("`{shown}` is not called this way"));
    }
    if matches!(name, "timestamp" | "duration" | "bytes" | "type" | "optional") {
        return Complaint::new(format!("`{shown}` is not supported: values are JSON"));
    }
    let loops = ["all", "exists", "exists_one", "filter", "map"];
    let same_form = SIGNATURES.iter().filter(|s| s.method == method).map(|s| s.name);
    let known = same_form.chain(loops.into_iter().filter(|_| method));
    let known: Vec<&str> = known.chain((!method).then_some("has")).collect();
    Complaint {
        message: format!("there is no function `{shown}`"),
        hint: did_you_mean(name, known.iter().copied())
            .or_else(|| Some(format!("known here: {}", known.join(", ")))),
        code: Code::Expression,
    }
}

fn loop_kind(name: &str, arguments: usize) -> Option<LoopKind> {
    Some(match (name, arguments) {
        ("all", 2) => LoopKind::All,
        ("exists", 2) => LoopKind::Exists,
        ("exists_one" | "existsOne", 2) => LoopKind::ExistsOne,
        ("filter", 2) => LoopKind::Filter,
        ("map", 2 | 3) => LoopKind::Map,
        _ => return None,
    })
}

fn binary_operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::IN => Operator::In,
        _ => return None,
    })
}

fn constant_index(index: &Expression) -> Option<Segment> {
    match &index.expr {
        Expr::Literal(LiteralValue::Int(value)) => {
            usize::try_from(*value.inner()).ok().map(Segment::Item)
        }
        Expr::Literal(LiteralValue::String(name)) => Some(Segment::Field(name.inner().into())),
        _ => None,
    }
}

fn lower_literal(literal: &LiteralValue) -> Lowered {
    Ok(match literal {
        LiteralValue::Boolean(value) => Node::Bool(*value.inner()),
        LiteralValue::Double(value) => Node::Double(*value.inner()),
        LiteralValue::Int(value) => Node::Int(*value.inner()),
        LiteralValue::Null => Node::Null,
        LiteralValue::String(value) => Node::Text(value.inner().into()),
        LiteralValue::UInt(value) => Node::Uint(*value.inner()),
        LiteralValue::Bytes(_) => return Err(Complaint::new("bytes are not supported")),
    })
}
