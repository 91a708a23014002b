//! People, as mail names them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;
use crate::text::one_line;

/// A name and an address, as mail writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    /// The name, or the address where there is none.
    pub name: String,
    /// The address, without angle brackets.
    pub email: String,
}

impl Person {
    /// `Name <address>`, with or without something behind it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        static PERSON: LazyLock<Regex> =
            LazyLock::new(|| regex(r#"^\s*"?([^<>"]*?)"?\s*<([^<>\s]+@[^<>\s]+)>"#));
        let found = PERSON.captures(text)?;
        let email = one_line(&found[2]);
        let name = one_line(&found[1]);
        Some(Self {
            name: if name.is_empty() { email.clone() } else { name },
            email,
        })
    }

    /// What tells one from another: the address, or the name where there is
    /// none.
    pub(crate) fn key(&self) -> String {
        match self.email.as_str() {
            "" => self.name.to_lowercase(),
            email => email.to_lowercase(),
        }
    }

    /// Whether both are one: by the address, or by the name in whatever order
    /// and with whatever initials.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let words = |name: &str| -> BTreeSet<String> {
            name.split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.chars().count() > 1)
                .map(str::to_lowercase)
                .collect()
        };
        let (mine, theirs) = (words(&self.name), words(&other.name));
        (!self.email.is_empty() && self.email.eq_ignore_ascii_case(&other.email))
            || self.name.to_lowercase() == other.name.to_lowercase()
            || (!mine.is_empty() && mine == theirs)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.email.is_empty() || self.email == self.name {
            return f.write_str(&self.name);
        }
        write!(f, "{} <{}>", self.name, self.email)
    }
}
