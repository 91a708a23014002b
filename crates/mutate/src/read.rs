//! C as the kernel writes it, read with a parser for C as the standard has it.
//!
//! Some of the kernel's macros look like no C at all. Before a source is read they
//! are replaced, byte for byte as long, by what they stand for: a loop over a list is
//! a `while`, a system call's definition a function, an attribute nothing. So all
//! places in the tree are places in the source.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Range, RangeInclusive};

use thiserror::Error;
use tree_sitter::{Node, Parser, Tree};

use crate::marks::{self, Marked};
use crate::model::{Kind, Mistake, line_of};
use crate::rules;

/// Attributes that stand between a type and a name.
const ATTRIBUTES: &[&str] = &[
    "__always_inline",
    "__cold",
    "__exit",
    "__force",
    "__init",
    "__iomem",
    "__maybe_unused",
    "__must_check",
    "__percpu",
    "__rcu",
    "__read_mostly",
    "__ref",
    "__ro_after_init",
    "__sched",
    "__user",
    "__weak",
    "asmlinkage",
    "noinline",
    "noinline_for_stack",
];

/// Why a source can't be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    #[error("the parser for C does not work: {0}")]
    Parser(String),
    #[error("no function has the name {0}")]
    NoFunction(String),
}

/// A function of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub name: String,
    /// All of it.
    pub range: Range<usize>,
    /// Whether the parser understood it.
    pub is_read: bool,
}

/// A file of C.
#[derive(Debug)]
pub struct Source {
    text: String,
    tree: Tree,
    functions: Vec<Function>,
}

impl Source {
    /// Reads a file.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_c::LANGUAGE.into())
            .map_err(|error| ReadError::Parser(error.to_string()))?;
        let mut parse = |text: &str| {
            let tree = parser.parse(text, None);
            tree.ok_or_else(|| ReadError::Parser("it gave up".to_owned()))
        };
        let first = parse(text)?;
        let (plain, names) = as_plain_c(text, &leaves(first.root_node()));
        let tree = parse(&plain)?;
        let functions = functions(tree.root_node(), text, &names);
        Ok(Self {
            text: text.to_owned(),
            tree,
            functions,
        })
    }

    /// The names of the functions that it defines.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|function| &*function.name)
    }

    /// Those that the parser did not understand: no mistakes are made in them.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        let unread = self.functions.iter().filter(|function| !function.is_read);
        unread.map(|function| &*function.name)
    }

    /// The functions that have one of these lines, counted from 1.
    pub fn functions_at(&self, lines: &BTreeSet<usize>) -> Vec<&str> {
        let has = |function: &&Function| lines.range(self.lines_of(function)).next().is_some();
        let found = self.functions.iter().filter(has);
        found.map(|function| &*function.name).collect()
    }

    fn lines_of(&self, function: &Function) -> RangeInclusive<usize> {
        let Range { start, end } = function.range;
        line_of(&self.text, start)..=line_of(&self.text, end)
    }

    /// The statements behind these lines, counted from 1.
    pub fn marks(&self, lines: &BTreeSet<usize>) -> Marked {
        let mut marked = Marked::default();
        for function in &self.functions {
            let Range { start, end } = function.range;
            let own = lines.range(self.lines_of(function));
            let own: BTreeSet<usize> = own.copied().collect();
            let node = self.tree.root_node().descendant_for_byte_range(start, end);
            match node {
                _ if own.is_empty() => {}
                Some(node) if function.is_read => {
                    marked.marks.extend(marks::marks(&self.text, node, &own));
                }
                _ => marked.unread.extend(own),
            }
        }
        marked
    }

    /// The mistakes in these functions, in the order of the source. Of a function that
    /// is there twice, for two configurations, both have some.
    pub fn mistakes(&self, functions: &[&str]) -> Result<Vec<Mistake>, ReadError> {
        let mut mistakes = Vec::new();
        for name in functions {
            let mut named = self
                .functions
                .iter()
                .filter(|it| it.name == *name)
                .peekable();
            if named.peek().is_none() {
                return Err(ReadError::NoFunction((*name).to_owned()));
            }
            for function in named.filter(|function| function.is_read) {
                let Range { start, end } = function.range;
                let node = self.tree.root_node().descendant_for_byte_range(start, end);
                if let Some(node) = node {
                    mistakes.extend(rules::mistakes(&self.text, &function.name, node));
                }
            }
        }
        mistakes.sort_by_key(Mistake::order);
        let mut counts: HashMap<(String, Kind), usize> = HashMap::new();
        for mistake in &mut mistakes {
            let key = (mistake.function.clone(), mistake.kind);
            let count = counts.entry(key).or_default();
            *count += 1;
            mistake.nth = *count;
        }
        Ok(mistakes)
    }
}

/// The words of a tree, in order.
fn leaves(root: Node<'_>) -> Vec<Node<'_>> {
    let mut leaves = Vec::new();
    let mut cursor = root.walk();
    loop {
        if cursor.goto_first_child() {
            continue;
        }
        leaves.push(cursor.node());
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return leaves;
            }
        }
    }
}

/// The source with plain C for the kernel's own, and the names of the system calls by
/// where they begin.
fn as_plain_c(text: &str, leaves: &[Node<'_>]) -> (String, Vec<(usize, String)>) {
    let mut plain = text.as_bytes().to_vec();
    let mut names = Vec::new();
    let word = |at: usize| {
        let leaf = leaves.get(at)?;
        text.get(leaf.byte_range()).map(|word| (leaf, word))
    };
    let mut put = |range: Range<usize>, with: &str| {
        let mut with = with.bytes();
        for byte in plain.get_mut(range).into_iter().flatten() {
            if *byte != b'\n' {
                *byte = with.next().unwrap_or(b' ');
            }
        }
    };
    for at in 0..leaves.len() {
        let Some((leaf, found)) = word(at) else {
            continue;
        };
        let is_call = word(at + 1).is_some_and(|(_, next)| next == "(");
        let in_definition = leaf
            .parent()
            .is_some_and(|parent| parent.kind().starts_with("preproc_"));
        let next = |nth: usize| word(at + nth).map_or("", |(_, word)| word);
        let last = at
            .checked_sub(1)
            .and_then(word)
            .map_or("", |(_, word)| word);
        // A type that is a macro's argument, and a declaration by a macro.
        let is_argument = matches!(found, "struct" | "union")
            && matches!(last, "(" | ",")
            && matches!(next(2), ")" | ",");
        let is_static = found == "static" && rules::is_of_macro(next(1)) && next(2) == "(";
        if ATTRIBUTES.contains(&found) || is_argument || is_static {
            put(leaf.byte_range(), "");
        } else if found.contains("for_each") && is_call && !in_definition {
            put(leaf.byte_range(), "while");
        } else if found.starts_with("SYSCALL_DEFINE") && is_call {
            let mut depth = 0;
            let end = (at + 1..leaves.len()).find(|at| {
                match word(*at).map(|(_, word)| word) {
                    Some("(") => depth += 1,
                    Some(")") => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            if let (Some((end, _)), Some((_, name))) = (end.and_then(word), word(at + 2)) {
                names.push((leaf.start_byte(), name.to_owned()));
                put(leaf.start_byte()..end.end_byte(), "long f(void)");
            }
        }
    }
    // Each byte that was put there is ASCII, and whole words were replaced.
    (String::from_utf8_lossy(&plain).into_owned(), names)
}

fn functions(root: Node<'_>, text: &str, names: &[(usize, String)]) -> Vec<Function> {
    let mut found = Vec::new();
    let mut nodes = vec![root];
    while let Some(node) = nodes.pop() {
        if node.kind() == "function_definition" {
            let of_macro = names.iter().find(|(at, _)| *at == node.start_byte());
            let name = match of_macro {
                Some((_, name)) => Some(name.clone()),
                None => name_of(node).and_then(|name| Some(text.get(name)?.to_owned())),
            };
            found.extend(name.map(|name| Function {
                name,
                range: node.byte_range(),
                is_read: !node.has_error(),
            }));
            continue;
        }
        let mut cursor = node.walk();
        nodes.extend(node.children(&mut cursor));
    }
    found.sort_by_key(|function| function.range.start);
    found
}

/// Where the name of a defined function stands.
fn name_of(node: Node<'_>) -> Option<Range<usize>> {
    let mut node = node.child_by_field_name("declarator")?;
    while node.kind() != "identifier" {
        node = node.child_by_field_name("declarator")?;
    }
    Some(node.byte_range())
}
