//! The statements behind some lines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use crate::model::{Mark, line_of};
use crate::rules::is_declaration;

/// What is found behind lines that were asked about. Those of neither field are no
/// statements: comments, braces, declarations without a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The statements, in the order of the source.
    pub marks: Vec<Mark>,
    /// The lines of functions that the parser did not understand.
    pub unread: BTreeSet<usize>,
}

/// The marks in a function's definition.
pub(crate) fn marks(text: &str, function: Node<'_>, lines: &BTreeSet<usize>) -> Vec<Mark> {
    let mut found = Found {
        text,
        owners: BTreeMap::new(),
    };
    found.node(function);
    let mut marks: BTreeMap<(usize, usize), Mark> = BTreeMap::new();
    for &line in lines {
        if let Some(at) = found.owners.get(&line) {
            let mark = marks.entry((at.start, at.end)).or_insert_with(|| Mark {
                lines: BTreeSet::new(),
                at: at.clone(),
            });
            mark.lines.insert(line);
        }
    }
    marks.into_values().collect()
}

struct Found<'a> {
    text: &'a str,
    /// The statement of each line: the innermost one that has it outside of its own
    /// parts.
    owners: BTreeMap<usize, Range<usize>>,
}

impl Found<'_> {
    fn node(&mut self, node: Node<'_>) {
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
        for (nth, child) in children.iter().enumerate() {
            if is_declaration(self.text, *child) {
                // Its value is set where the block begins.
                let behind = children.iter().skip(nth + 1);
                let next = behind.copied().find(|next| is_statement(self.text, *next));
                if let Some(next) = next.filter(|_| sets_a_value(*child)) {
                    self.own(child.byte_range(), next.byte_range());
                }
            } else if is_statement(self.text, *child) {
                self.own(head(*child), child.byte_range());
            }
            self.node(*child);
        }
    }

    fn own(&mut self, lines: Range<usize>, statement: Range<usize>) {
        let text = self.text.get(lines.clone()).unwrap_or_default();
        let first = line_of(self.text, lines.start);
        for line in first..first + text.trim_end().lines().count() {
            // Of two on a line the outer one begins first.
            self.owners.entry(line).or_insert_with(|| statement.clone());
        }
    }
}

/// Whether something can be called before it, in braces with it.
fn is_statement(text: &str, node: Node<'_>) -> bool {
    let kind = node.kind();
    let is_one = kind.ends_with("_statement")
        && !matches!(
            kind,
            "compound_statement" | "labeled_statement" | "case_statement" | "attributed_statement"
        );
    is_one && !is_declaration(text, node)
}

fn sets_a_value(declaration: Node<'_>) -> bool {
    let mut cursor = declaration.walk();
    declaration.kind() == "expression_statement"
        || declaration
            .named_children(&mut cursor)
            .any(|child| child.kind() == "init_declarator")
}

/// What of a statement is no other statement: the head of a condition or a loop.
fn head(node: Node<'_>) -> Range<usize> {
    let inner = ["consequence", "body"];
    let inner = inner
        .iter()
        .find_map(|field| node.child_by_field_name(field));
    match inner {
        Some(body) => node.start_byte()..body.start_byte(),
        None => node.byte_range(),
    }
}
