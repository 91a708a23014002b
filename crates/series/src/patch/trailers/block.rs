//! Which lines of a changelog are its trailers. Git's rules, where git has
//! some.

use crate::patch::model::Trailer;

/// A line `Name: value`.
pub(crate) fn trailer(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| (name, value.trim()))
}

/// Names that nobody writes as prose.
fn is_known_trailer(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("-by")
        || matches!(
            name.as_str(),
            "cc" | "fixes"
                | "link"
                | "closes"
                | "change-id"
                | "message-id"
                | "base-commit"
                | "depends-on"
                | "references"
                | "stable-dep-of"
                | "bugzilla"
        )
}

/// Splits a changelog into the text above its trailers, the trailers, and the
/// lines of those that git does not see, because a blank line stands between
/// them and the last block.
pub(crate) fn split_trailers(text: &str) -> (String, Vec<Trailer>, Vec<String>) {
    let paragraphs: Vec<&str> = text.split("\n\n").collect();
    let mut first = paragraphs.len();
    while let Some(paragraph) = first.checked_sub(1).and_then(|at| paragraphs.get(at)) {
        let is_block = if first == paragraphs.len() {
            is_last_block(paragraph)
        } else {
            all_lines(paragraph, |line| {
                trailer(line).is_some_and(|(name, _)| is_known_trailer(name))
            })
        };
        if !is_block {
            break;
        }
        first -= 1;
    }
    let (above, blocks) = paragraphs.split_at(first);
    let mut trailers: Vec<Trailer> = Vec::new();
    let mut lost = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let start = trailers.len();
        for line in block.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some(last) = trailers[start..].last_mut() {
                    last.value.push(' ');
                    last.value.push_str(line.trim());
                }
            } else if let Some((name, value)) = trailer(line) {
                trailers.push(Trailer {
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
        if at + 1 < blocks.len() {
            lost.extend(trailers[start..].iter().map(ToString::to_string));
        }
    }
    (above.join("\n\n"), trailers, lost)
}

/// Whether every line is as wanted, or goes on the one before.
fn all_lines(paragraph: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let mut any = false;
    paragraph.lines().all(|line| {
        let goes_on = any && line.starts_with([' ', '\t']);
        any = true;
        goes_on || wanted(line)
    })
}

/// Git's rule for the block of trailers: nothing else in it, or a sign-off
/// and at least a quarter trailers.
pub(crate) fn is_last_block(paragraph: &str) -> bool {
    if all_lines(paragraph, |line| trailer(line).is_some()) {
        return true;
    }
    let (mut yes, mut no, mut signed) = (0, 0, false);
    for line in paragraph
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
    {
        let by_git =
            line.starts_with("Signed-off-by: ") || line.starts_with("(cherry picked from commit ");
        signed |= by_git;
        if by_git || trailer(line).is_some() {
            yes += 1
        } else {
            no += 1
        }
    }
    signed && yes * 3 >= no
}
