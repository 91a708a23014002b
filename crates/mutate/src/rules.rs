//! Which mistakes can be made in a function.

use std::ops::Range;

use tree_sitter::Node;

use crate::model::{Form, Kind, Mistake, line_of};

/// Calls that only say something: a mistake there is none of memory management. Those
/// in capitals are left alone as all of their kind are.
const WORDS: &[&str] = &["pr_", "printk", "dump_"];

/// What returns to the caller, by what the function is declared to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    Nothing,
    Truth,
    Number,
    Pointer,
    /// A structure, or a type of another name.
    Other,
}

/// What is around a statement.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    in_loop: bool,
    /// A `break` here ends a switch.
    in_switch: bool,
}

/// All mistakes of a function's definition.
pub(crate) fn mistakes(text: &str, name: &str, function: Node<'_>) -> Vec<Mistake> {
    let Some(body) = function.child_by_field_name("body") else {
        return Vec::new();
    };
    let mut rules = Rules {
        text,
        name,
        returns: returns(text, function),
        found: Vec::new(),
    };
    rules.return_early(body);
    rules.node(body, Around::default());
    rules.finish()
}

fn returns(text: &str, function: Node<'_>) -> Returns {
    let of = |field: &str| {
        let node = function.child_by_field_name(field)?;
        Some((node.kind().to_owned(), text.get(node.byte_range())?.trim()))
    };
    match (of("type"), of("declarator")) {
        (_, Some((kind, _))) if kind == "pointer_declarator" => Returns::Pointer,
        (Some((_, "void")), _) => Returns::Nothing,
        (Some((_, "bool")), _) => Returns::Truth,
        (Some((kind, _)), _) if kind == "primitive_type" || kind == "sized_type_specifier" => {
            Returns::Number
        }
        // The parser is shown another type in place of a system call's.
        (Some((_, type_)), _) if type_.starts_with("SYSCALL") => Returns::Number,
        _ => Returns::Other,
    }
}

struct Rules<'a> {
    text: &'a str,
    name: &'a str,
    returns: Returns,
    found: Vec<Mistake>,
}

impl<'a> Rules<'a> {
    fn of(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Notes a mistake, unless it can't stand on a line of its own.
    fn add(&mut self, form: Form, kind: Kind, at: Range<usize>, with: &str) {
        if with.contains("//") || with.contains('#') {
            return;
        }
        self.found.push(Mistake {
            function: self.name.to_owned(),
            kind,
            nth: 0,
            line: line_of(self.text, at.start),
            at,
            with: with.split_whitespace().collect::<Vec<_>>().join(" "),
            form,
        });
    }

    fn expression(&mut self, kind: Kind, node: Node<'_>, with: &str) {
        self.add(Form::Expression, kind, node.byte_range(), with);
    }

    fn statement(&mut self, kind: Kind, node: Node<'_>, with: &str) {
        self.add(Form::Statement, kind, node.byte_range(), with);
    }

    /// The mistakes that can stand together, outer places first.
    fn finish(self) -> Vec<Mistake> {
        let mut found: Vec<Mistake> = Vec::new();
        let mut all = self.found;
        all.sort_by_key(Mistake::order);
        for mistake in all {
            let own = mistake.at.clone();
            // Two places that share a part can't both be made a choice.
            let crosses = |other: &Mistake| {
                let other = &other.at;
                own.start < other.end
                    && other.start < own.end
                    && !(other.start <= own.start && own.end <= other.end)
                    && !(own.start <= other.start && other.end <= own.end)
            };
            let same = |other: &Mistake| other.at == mistake.at && other.with == mistake.with;
            if found.iter().any(|other| crosses(other) || same(other)) {
                continue;
            }
            found.push(mistake);
        }
        found
    }

    /// A return before the first statement that is no declaration.
    fn return_early(&mut self, body: Node<'_>) {
        let value = match self.returns {
            Returns::Nothing => "return;",
            Returns::Truth => "return false;",
            Returns::Number => "return 0;",
            Returns::Pointer => "return NULL;",
            Returns::Other => return,
        };
        let mut cursor = body.walk();
        let first = body
            .named_children(&mut cursor)
            .find(|node| !is_declaration(self.text, *node));
        if let Some(first) = first {
            let at = first.start_byte();
            self.add(Form::Insert, Kind::ReturnEarly, at..at, value);
        }
    }

    fn node(&mut self, node: Node<'_>, around: Around) {
        let mut inside = around;
        match node.kind() {
            // What must be constant, and what is no code.
            "sizeof_expression"
            | "type_descriptor"
            | "array_declarator"
            | "attribute_specifier"
            | "gnu_asm_expression"
            | "comment"
            | "string_literal"
            | "concatenated_string"
            | "initializer_list"
            | "field_designator"
            | "preproc_call"
            | "preproc_def" => return,
            "declaration" if self.of(node).trim_start().starts_with("static") => return,
            "case_statement" => return self.inside(node, Some("value"), inside),
            "preproc_if" | "preproc_elif" => return self.inside(node, Some("condition"), inside),
            "switch_statement" => inside.in_switch = true,
            "for_statement" | "while_statement" | "do_statement" => {
                inside = Around {
                    in_loop: true,
                    in_switch: false,
                };
                self.turns(node);
                // The head of one of the kernel's loops is no condition.
                if self.is_kernel_loop(node) {
                    if let Some(body) = node.child_by_field_name("body") {
                        self.node(body, inside);
                    }
                    return;
                }
            }
            "if_statement" => self.condition(node, true),
            "conditional_expression" => self.condition(node, false),
            "expression_statement" => {
                if is_declaration(self.text, node) || self.says_something(node) {
                    return;
                }
                self.statement(Kind::LeaveOut, node, ";");
                self.lock(node);
            }
            "break_statement" if around.in_loop && !around.in_switch => {
                self.statement(Kind::BreakContinue, node, "continue;");
                self.statement(Kind::LeaveOut, node, ";");
            }
            "continue_statement" => {
                if !around.in_switch {
                    self.statement(Kind::BreakContinue, node, "break;");
                }
                self.statement(Kind::LeaveOut, node, ";");
            }
            "goto_statement" => self.statement(Kind::LeaveOut, node, ";"),
            "return_statement" => self.returned(node),
            "binary_expression" => self.binary(node),
            "unary_expression" => self.unary(node),
            "update_expression" => self.operator(node, &[("++", "--"), ("--", "++")]),
            "assignment_expression" => {
                self.operator(node, &[("+=", "-="), ("-=", "+="), ("|=", "&=")]);
            }
            "number_literal" => self.number(node),
            "true" => self.expression(Kind::Constant, node, "false"),
            "false" => self.expression(Kind::Constant, node, "true"),
            "call_expression" => self.arguments(node),
            _ => {}
        }
        self.inside(node, None, inside);
    }

    /// What a node is made of, but for the part that must be constant.
    fn inside(&mut self, node: Node<'_>, constant: Option<&str>, around: Around) {
        let constant = constant.and_then(|field| node.child_by_field_name(field));
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            if Some(child) != constant {
                self.node(child, around);
            }
        }
    }

    /// Whether the parser was shown a `while` in place of one of the kernel's loops.
    fn is_kernel_loop(&self, node: Node<'_>) -> bool {
        node.kind() == "while_statement" && !self.of(node).starts_with("while")
    }

    /// A loop that ends after one turn.
    fn turns(&mut self, node: Node<'_>) {
        let body = node.child_by_field_name("body");
        if let Some(body) = body.filter(|body| body.kind() == "compound_statement") {
            let at = body.end_byte() - 1;
            self.add(Form::Insert, Kind::BreakEarly, at..at, "break;");
        }
        if node.kind() != "for_statement" && !self.is_kernel_loop(node) {
            self.condition(node, false);
        }
    }

    /// What is asked by an `if`, a loop, or `?:`.
    fn condition(&mut self, node: Node<'_>, may_be_constant: bool) {
        let Some(condition) = node.child_by_field_name("condition") else {
            return;
        };
        let condition = match condition.kind() {
            "parenthesized_expression" => condition.named_child(0).unwrap_or(condition),
            _ => condition,
        };
        let own = self.of(condition);
        self.expression(Kind::Negate, condition, &format!("!({own})"));
        if may_be_constant {
            self.expression(Kind::Always, condition, "1");
            self.expression(Kind::Never, condition, "0");
        }
    }

    /// Whether an expression is asked for its truth by an `if` or a loop itself.
    fn is_asked(node: Node<'_>) -> bool {
        let parent = node
            .parent()
            .filter(|it| it.kind() == "parenthesized_expression");
        parent.and_then(|it| it.parent()).is_some_and(|it| {
            matches!(
                it.kind(),
                "if_statement" | "while_statement" | "do_statement"
            )
        })
    }

    fn binary(&mut self, node: Node<'_>) {
        let parts = ["left", "operator", "right"].map(|field| node.child_by_field_name(field));
        let [Some(left), Some(operator), Some(right)] = parts else {
            return;
        };
        let (left, right) = (self.of(left), self.of(right));
        let other = |operator: &str| format!("{left} {operator} {right}");
        match self.of(operator) {
            both @ ("&&" | "||") => {
                let swapped = if both == "&&" { "||" } else { "&&" };
                let text = format!("({left}) {swapped} ({right})");
                self.expression(Kind::AndOr, node, &text);
                self.expression(Kind::LeaveOutCondition, node, left);
                self.expression(Kind::LeaveOutCondition, node, right);
            }
            "<" => self.expression(Kind::Bound, node, &other("<=")),
            "<=" => self.expression(Kind::Bound, node, &other("<")),
            ">" => self.expression(Kind::Bound, node, &other(">=")),
            ">=" => self.expression(Kind::Bound, node, &other(">")),
            "==" if !Self::is_asked(node) => self.expression(Kind::Equality, node, &other("!=")),
            "!=" if !Self::is_asked(node) => self.expression(Kind::Equality, node, &other("==")),
            "+" => self.expression(Kind::Arithmetic, node, &other("-")),
            "-" => self.expression(Kind::Arithmetic, node, &other("+")),
            "<<" => self.expression(Kind::Arithmetic, node, &other(">>")),
            ">>" => self.expression(Kind::Arithmetic, node, &other("<<")),
            "|" => {
                self.expression(Kind::Flag, node, left);
                self.expression(Kind::Flag, node, right);
            }
            _ => {}
        }
    }

    fn unary(&mut self, node: Node<'_>) {
        let operator = node.child_by_field_name("operator");
        let argument = node.child_by_field_name("argument");
        if let (Some(operator), Some(argument)) = (operator, argument)
            && self.of(operator) == "!"
            && !Self::is_asked(node)
        {
            let argument = self.of(argument);
            self.expression(Kind::Negate, node, &format!("!!({argument})"));
        }
    }

    /// The same with another operator.
    fn operator(&mut self, node: Node<'_>, others: &[(&str, &str)]) {
        let Some(operator) = node.child_by_field_name("operator") else {
            return;
        };
        let own = self.of(operator);
        let (start, range) = (node.start_byte(), operator.byte_range());
        let text = self.of(node);
        let parts = (
            text.get(..range.start - start),
            text.get(range.end - start..),
        );
        let other = others.iter().find(|(from, _)| *from == own);
        if let (Some((_, other)), (Some(before), Some(behind))) = (other, parts) {
            let with = format!("{before}{other}{behind}");
            self.expression(Kind::Arithmetic, node, &with);
        }
    }

    fn number(&mut self, node: Node<'_>) {
        let other = match self.of(node) {
            "0" => "1".to_owned(),
            own if own.bytes().all(|byte| byte.is_ascii_digit()) => format!("({own} + 1)"),
            _ => return,
        };
        self.expression(Kind::Constant, node, &other);
    }

    fn arguments(&mut self, node: Node<'_>) {
        let parts = ["function", "arguments"].map(|field| node.child_by_field_name(field));
        let [Some(function), Some(arguments)] = parts else {
            return;
        };
        let mut cursor = arguments.walk();
        let list: Vec<&str> = arguments
            .named_children(&mut cursor)
            .map(|node| self.of(node))
            .collect();
        let function = self.of(function);
        for at in 1..list.len() {
            let mut other = list.clone();
            other.swap(at - 1, at);
            if other != list {
                let with = format!("{function}({})", other.join(", "));
                self.expression(Kind::SwapArguments, node, &with);
            }
        }
    }

    fn returned(&mut self, node: Node<'_>) {
        let Some(value) = node.named_child(0) else {
            return;
        };
        let own = self.of(value);
        match self.returns {
            Returns::Truth if !matches!(own, "true" | "false") => {
                self.expression(Kind::ReturnValue, value, &format!("!({own})"));
            }
            Returns::Number if own != "0" => self.expression(Kind::ReturnValue, value, "0"),
            Returns::Pointer if own != "NULL" => self.expression(Kind::ReturnValue, value, "NULL"),
            _ => {}
        }
    }

    /// A lock that is taken one statement later, or dropped one earlier.
    fn lock(&mut self, node: Node<'_>) {
        let own = self.of(node);
        let Some(callee) = callee(self.text, node) else {
            return;
        };
        let is = |word: &str| callee.split('_').any(|part| part == word);
        let neighbour = match (is("unlock"), is("lock")) {
            (true, _) => node.prev_named_sibling(),
            (false, true) => node.next_named_sibling(),
            _ => None,
        };
        let Some(neighbour) = neighbour.filter(|other| {
            matches!(
                other.kind(),
                "expression_statement" | "if_statement" | "while_statement" | "for_statement"
            ) && !is_declaration(self.text, *other)
        }) else {
            return;
        };
        let (start, end) = (
            node.start_byte().min(neighbour.start_byte()),
            node.end_byte().max(neighbour.end_byte()),
        );
        let other = self.of(neighbour);
        let with = match neighbour.start_byte() < node.start_byte() {
            true => format!("{own} {other}"),
            false => format!("{other} {own}"),
        };
        self.add(Form::Statement, Kind::MoveLock, start..end, &with);
    }

    fn says_something(&self, node: Node<'_>) -> bool {
        callee(self.text, node)
            .is_some_and(|callee| WORDS.iter().any(|word| callee.starts_with(word)))
    }
}

/// What a statement calls, where it is a call and nothing else.
fn callee<'a>(text: &'a str, statement: Node<'_>) -> Option<&'a str> {
    let call = statement.named_child(0)?;
    let function = call.child_by_field_name("function")?;
    (call.kind() == "call_expression" && function.kind() == "identifier")
        .then(|| text.get(function.byte_range()))?
}

/// Whether a statement declares something: also by a macro in capitals, or by one that
/// belongs to the block around it, as `guard()` does.
pub(crate) fn is_declaration(text: &str, node: Node<'_>) -> bool {
    match node.kind() {
        "declaration" | "comment" => true,
        "expression_statement" => {
            let Some(call) = node.named_child(0) else {
                return true;
            };
            match callee(text, node) {
                Some(name) => is_of_macro(name),
                // Such as `fallthrough;`, or a call of what a macro yields.
                None => {
                    call.kind() == "identifier"
                        || (call.kind() == "call_expression"
                            && call
                                .child_by_field_name("function")
                                .is_some_and(|it| it.kind() == "call_expression"))
                }
            }
        }
        _ => false,
    }
}

/// Whether a name is written as those of macros are, which may declare something.
pub(crate) fn is_of_macro(name: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_of)
}
