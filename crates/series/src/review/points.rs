//! What reviewers want, and what the author answered.

use std::collections::HashMap;

use super::model::Point;
use super::wishes::wishes;
use crate::person::Person;
use crate::series::{Mail, Series, Version, Versions};

/// What reviewers want, and what the author answered.
pub(super) fn points(found: &Versions, versions: &[(&Version, &Series)]) -> Vec<Point> {
    let mut points = Vec::new();
    for (version, _) in versions {
        let is_author = |mail: &Mail| {
            let sender = mail.from.as_ref().map(Person::key);
            sender.is_some_and(|sender| version.senders.contains(&sender))
        };
        let says = |answer: &&(u32, &Mail)| !answer.1.answer.said.is_empty();
        let (by_author, by_others): (Vec<_>, Vec<_>) = version
            .answers
            .iter()
            .filter(says)
            .partition(|answer| is_author(answer.1));
        // What the author says to whom: by the id that is answered, and by the
        // lines that are quoted.
        let mut by_id: HashMap<&str, Vec<&Mail>> = HashMap::new();
        let mut by_line: HashMap<u64, Vec<&Mail>> = HashMap::new();
        for (_, mail) in &by_author {
            if let Some(id) = mail.answers.first() {
                keep(by_id.entry(id).or_default(), mail);
            }
            for line in &mail.answer.quoted {
                keep(by_line.entry(*line).or_default(), mail);
            }
        }
        for (to, mail) in by_others {
            let from = found.author(mail);
            let direct = mail.id.as_ref().and_then(|id| by_id.get(id.as_str()));
            for wish in wishes(&mail.answer) {
                // The author quotes it, or answers above a quote of all or of
                // nothing.
                let quotes = wish.lines.iter().filter_map(|line| by_line.get(line));
                let answers = |one: &&&Mail| {
                    let told = one
                        .answer
                        .told
                        .iter()
                        .take(20)
                        .any(|told| told.is_of(&from));
                    told || one.answers.first() == mail.id.as_ref() && mail.id.is_some()
                };
                let answer = quotes.flatten().find(answers).copied().or_else(|| {
                    let on_top = |one: &&&Mail| one.answer.quoted.is_empty();
                    direct.into_iter().flatten().find(on_top).copied()
                });
                points.push(Point {
                    by: from.clone(),
                    version: version.number,
                    to_patch: to,
                    kind: wish.kind,
                    quote: wish.quote,
                    about: wish.about,
                    answer: answer.map(words),
                });
            }
        }
    }
    points
}

/// What is said of one mail or line; an author answers a few times at most.
fn keep<'a>(answers: &mut Vec<&'a Mail>, mail: &'a Mail) {
    if answers.len() < 20 {
        answers.push(mail);
    }
}

/// The first of what an answer says.
fn words(mail: &Mail) -> String {
    let first = mail.answer.said.first();
    first.map_or_else(String::new, |paragraph| paragraph.lines.join(" "))
}
