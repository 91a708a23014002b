//! A Rust file as far as modules go: which it declares, and which paths it names.
//!
//! Read from its tokens: comments, strings and what is under `#[cfg(test)]` name
//! nothing. Macros are read as they stand.

use std::iter::Peekable;
use std::str::CharIndices;

/// What a file says of modules.
#[derive(Debug, Default, PartialEq)]
pub struct Source {
    /// The modules that it declares in files of their own.
    pub children: Vec<String>,
    /// Every path that it names, `use` taken apart into one each.
    pub names: Vec<Name>,
}

/// A path, named once.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// Counted from 1.
    pub line: usize,
    /// The modules inside the file in which it is named.
    pub within: Vec<String>,
    pub path: Vec<String>,
    /// What `use` calls it here; none for a path in code.
    pub alias: Option<String>,
}

impl Source {
    pub fn read(text: &str) -> Self {
        let tokens = without_tests(&tokens(text));
        let mut reader = Reader {
            tokens: &tokens,
            at: 0,
            found: Self::default(),
            within: Vec::new(),
        };
        reader.file();
        reader.found
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<'a> {
    Word(&'a str),
    /// `::`
    Colons,
    Sign(char),
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind<'a>,
    line: usize,
}

/// The tokens of a text, without comments, literals of text, and lifetimes.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut seen = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        line += text[seen..at].matches('\n').count();
        seen = at;
        let mut push = |kind| found.push(Token { kind, line });
        let rest = &text[at..];
        if rest.starts_with("//") {
            skip(&mut chars, at + rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            skip(&mut chars, at + comment(rest));
        } else if let Some(length) = literal(rest) {
            skip(&mut chars, at + length);
        } else if c.is_alphanumeric() || c == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = length.unwrap_or(rest.len());
            skip(&mut chars, at + length);
            push(Kind::Word(&rest[..length]));
        } else if rest.starts_with("::") {
            chars.next();
            push(Kind::Colons);
        } else if !c.is_whitespace() {
            push(Kind::Sign(c));
        }
    }
    found
}

fn skip(chars: &mut Peekable<CharIndices<'_>>, end: usize) {
    while chars.next_if(|(at, _)| *at < end).is_some() {}
}

/// The length of a block comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string, a character or a lifetime that a text begins with.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| {
        let behind = text.strip_prefix(prefix);
        behind.is_some_and(|rest| rest.starts_with(['"', '\'', '#']))
    });
    let start = prefix.map_or(0, str::len);
    let body = &text[start..];
    if prefix.is_some_and(|prefix| prefix.contains('r')) {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let quoted = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = quoted.find(&end).map_or(quoted.len(), |at| at + end.len());
        return Some(start + hashes + 1 + length);
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut chars = body.char_indices().skip(1);
    if quote == '\'' {
        // A lifetime is a quote that no other closes behind one character.
        let mut ahead = body.chars().skip(1);
        let (first, second) = (ahead.next()?, ahead.next());
        if first != '\\' && second != Some('\'') {
            return Some(start + 1);
        }
    }
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(start + at + 1);
        }
    }
    Some(text.len())
}

/// The tokens but for those of items under `#[cfg(test)]`.
fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    use Kind::{Sign, Word};
    const CFG_TEST: [Kind<'_>; 7] = [
        Sign('#'),
        Sign('['),
        Word("cfg"),
        Sign('('),
        Word("test"),
        Sign(')'),
        Sign(']'),
    ];
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let ahead = tokens[at..].iter().map(|token| token.kind);
        if !ahead.take(CFG_TEST.len()).eq(CFG_TEST) {
            kept.push(*token);
            at += 1;
            continue;
        }
        at += CFG_TEST.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.kind {
                Sign('(' | '[' | '{') => depth += 1,
                Sign(')' | ']') => depth -= 1,
                Sign('}') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Sign(';') if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    found: Source,
    /// The modules that are open, each with the depth of braces outside of it.
    within: Vec<(String, usize)>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<Kind<'a>> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn word(&self, ahead: usize) -> Option<&'a str> {
        match self.peek(ahead) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn file(&mut self) {
        let mut depth = 0;
        while let Some(kind) = self.peek(0) {
            match (kind, self.word(1), self.peek(2)) {
                (Kind::Word("mod"), Some(name), Some(Kind::Sign(';'))) => {
                    self.found.children.push(name.to_owned());
                    self.at += 3;
                }
                (Kind::Word("mod"), Some(name), Some(Kind::Sign('{'))) => {
                    self.within.push((name.to_owned(), depth));
                    depth += 1;
                    self.at += 3;
                }
                (Kind::Word("use"), ..) => {
                    self.at += 1;
                    self.tree(&[]);
                }
                (Kind::Word(_), ..) | (Kind::Colons, Some(_), _) => self.path(),
                (Kind::Sign('{'), ..) => {
                    depth += 1;
                    self.at += 1;
                }
                (Kind::Sign('}'), ..) => {
                    depth = depth.saturating_sub(1);
                    self.within.pop_if(|(_, outside)| *outside == depth);
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    /// An empty name where a path begins with `::`, outside of the crate.
    fn outside_mark(&mut self) -> Vec<String> {
        let outside = self.peek(0) == Some(Kind::Colons);
        self.at += usize::from(outside);
        vec![String::new(); usize::from(outside)]
    }

    /// A path in code; a single word is none.
    fn path(&mut self) {
        let start = self.at;
        let mut path = self.outside_mark();
        while let Some(word) = self.word(0) {
            path.push(word.to_owned());
            self.at += 1;
            if self.peek(0) != Some(Kind::Colons) {
                break;
            }
            self.at += 1;
        }
        if path.len() > 1 {
            self.name(start, path, None);
        }
    }

    /// What follows `use`, or a part of it.
    fn tree(&mut self, prefix: &[String]) {
        let start = self.at;
        let mut path = [prefix, &self.outside_mark()].concat();
        loop {
            match self.peek(0) {
                Some(Kind::Sign('{')) => {
                    self.at += 1;
                    while !matches!(self.peek(0), None | Some(Kind::Sign('}'))) {
                        self.tree(&path);
                        if self.peek(0) == Some(Kind::Sign(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                Some(Kind::Sign('*')) => {
                    self.at += 1;
                    return self.name(start, path, Some(String::new()));
                }
                Some(Kind::Word("self")) if !path.is_empty() => self.at += 1,
                Some(Kind::Word(word)) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                // Not Rust: go on behind it.
                _ => {
                    self.at += 1;
                    return;
                }
            }
            match self.peek(0) {
                Some(Kind::Colons) => self.at += 1,
                Some(Kind::Word("as")) => {
                    let alias = self.word(1).map(str::to_owned);
                    self.at += 2;
                    return self.name(start, path, alias.or_else(|| Some(String::new())));
                }
                _ => {
                    let alias = path.last().cloned();
                    return self.name(start, path, alias);
                }
            }
        }
    }

    fn name(&mut self, start: usize, path: Vec<String>, alias: Option<String>) {
        self.found.names.push(Name {
            line: self.tokens.get(start).map_or(0, |token| token.line),
            within: self.within.iter().map(|(name, _)| name.clone()).collect(),
            path,
            alias,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    /// Each path with its line, and what it is called here.
    fn names(text: &str) -> Vec<String> {
        let found = Source::read(text).names;
        let told = found.iter().map(|name| {
            let alias = name.alias.as_deref();
            let alias = alias.map_or(String::new(), |alias| format!(" as {alias}"));
            let within: String = name.within.iter().map(|w| format!("{w}/")).collect();
            format!("{} {within}{}{alias}", name.line, name.path.join("::"))
        });
        told.collect()
    }

    #[test]
    fn a_use_is_taken_apart() {
        assert_eq!(
            names(
                "use crate::{\n    a::{self, b::C as D},\n    e::*,\n};\npub use super::f;\nuse ::g::h;"
            ),
            [
                "2 crate::a as a",
                "2 crate::a::b::C as D",
                "3 crate::e as ",
                "5 super::f as f",
                "6 ::g::h as h",
            ]
        );
    }

    #[test]
    fn paths_in_code_are_found() {
        assert_eq!(
            names(
                "fn f(x: &crate::a::B) -> Vec<super::c::D> { e::f::<crate::g::H>(x.y, ::k::l()) }"
            ),
            [
                "1 crate::a::B",
                "1 super::c::D",
                "1 e::f",
                "1 crate::g::H",
                "1 ::k::l"
            ]
        );
        assert_eq!(names("$crate::a::b!()"), ["1 crate::a::b"]);
        assert_eq!(names("pub(crate) fn f() {}"), [""; 0]);
    }

    #[test]
    fn text_names_nothing() {
        let text = r####"
            // use crate::a;
            /* crate::b::c /* crate::d::e */ crate::f::g */
            const A: &str = "crate::h::i \" crate::j::k";
            const B: &str = r#"crate::l::m " crate::n::o"#;
            const C: (char, u8) = ('"', b'\'');
            fn f<'a>(x: &'a str) { b"crate::p::q"; crate::seen::it() }
        "####;
        assert_eq!(names(text), ["7 crate::seen::it"]);
    }

    #[test]
    fn tests_do_not_count() {
        let text = "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(test)]\nuse crate::c;\nuse crate::d;\n\
                    #[cfg(test)]\n#[allow(x)]\nmod tests { use super::*; fn f() { crate::e::f() } }\n\
                    use crate::g;";
        assert_eq!(names(text), ["6 crate::d as d", "10 crate::g as g"]);
        assert_eq!(Source::read(text).children, ["a"]);
    }

    #[test]
    fn a_path_knows_its_module() {
        let text = "mod a { mod b { use super::c; } fn f() { d::e() } }\nuse g::h;";
        assert_eq!(
            names(text),
            ["1 a/b/super::c as c", "1 a/d::e", "2 g::h as h"]
        );
    }
}
