//! Whose address a thread tells.

use std::collections::HashMap;

use super::mail::Mail;
use crate::person::Person;

/// Addresses by lower-case name, as the thread tells them; the first one
/// counts.
pub(crate) struct People(HashMap<String, String>);

impl People {
    pub(crate) fn collect(mails: &[Mail]) -> Self {
        let mut people = Self(HashMap::new());
        for mail in mails {
            if let Some(from) = mail.from.as_ref() {
                people.add(&from.name, &from.email);
            }
            for told in &mail.answer.told {
                people.add(&told.name, told.email.as_deref().unwrap_or_default());
            }
            for offer in &mail.answer.offers {
                if let Some(person) = Person::parse(&offer.value) {
                    people.add(&person.name, &person.email);
                }
            }
        }
        people
    }

    fn add(&mut self, name: &str, email: &str) {
        if !email.is_empty() {
            self.0
                .entry(name.to_lowercase())
                .or_insert_with(|| email.to_owned());
        }
    }

    pub(crate) fn email(&self, name: &str) -> Option<String> {
        self.0.get(&name.to_lowercase()).cloned()
    }
}
