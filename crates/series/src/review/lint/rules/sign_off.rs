//! The author has signed, and so has whoever developed it with the author.

use crate::person::Person;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::shown;
use crate::review::lint::source;
use crate::text::same;

pub(super) fn author(case: &Case, report: &mut Report) {
    let author = &case.patch.author;
    let signers: Vec<Person> = (case.patch.trailers.iter())
        .filter(|one| one.is("signed-off-by"))
        .filter_map(|one| Person::parse(&one.value))
        .collect();
    let by_email = |one: &&Person| same(&one.email, &author.email);
    let by_name = |one: &&Person| same(&one.name, &author.name);
    if signers.is_empty() {
        let text = format!("no Signed-off-by; {author} must sign");
        report.error("trailers", source::SIGN, text);
    } else if let Some(signer) = signers.iter().find(by_email) {
        if !same(&signer.name, &author.name) {
            let text = format!("From: says {author}, Signed-off-by: {signer}");
            report.hint("trailers", source::SIGN, text);
        }
    } else if let Some(signer) = signers.iter().find(by_name) {
        // An archive may show no address.
        if !author.email.is_empty() {
            let text = format!("From: says {author}, Signed-off-by: {signer}; use one address");
            report.warning("trailers", source::SIGN, text);
        }
    } else {
        let text = format!("the author, {author}, has not signed; the first to sign is the author");
        report.error("trailers", source::SIGN, text);
    }
}

pub(super) fn co_developers(case: &Case, report: &mut Report) {
    let trailers = &case.patch.trailers;
    for (at, one) in trailers.iter().enumerate() {
        if !one.is("co-developed-by") {
            continue;
        }
        let signed = trailers.get(at + 1).is_some_and(|next| {
            let (one, next_by) = (Person::parse(&one.value), Person::parse(&next.value));
            next.is("signed-off-by")
                && one.is_some_and(|one| next_by.is_some_and(|by| same(&by.email, &one.email)))
        });
        if !signed {
            let text = format!(
                "{} is not directly followed by the same person's Signed-off-by",
                shown(&one.to_string())
            );
            report.error("trailers", source::CO_DEVELOPED, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn authors_sign() {
        let texts = [
            "Text.",
            "Text.\n\nSigned-off-by: A U Thor <author@example.org>",
            "Text.\n\nSigned-off-by: A U Thor <author@example.com>",
            "Text.\n\nSigned-off-by: Another <AUTHOR@example.org>",
            "Text.\n\nSigned-off-by: B <b@example.org>",
            "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>",
            "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>",
        ];
        insta::assert_snapshot!(table("sign-off", &texts), @r#"
        "Text.": no Signed-off-by; A U Thor <author@example.org> must sign
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.com>": From: says A U Thor <author@example.org>, Signed-off-by: A U Thor <author@example.com>; use one address
        "Text.\n\nSigned-off-by: Another <AUTHOR@example.org>": From: says A U Thor <author@example.org>, Signed-off-by: Another <AUTHOR@example.org>
        "Text.\n\nSigned-off-by: B <b@example.org>": the author, A U Thor <author@example.org>, has not signed; the first to sign is the author
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>": Co-developed-by: B <b@example.org> is not directly followed by the same person's Signed-off-by
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>": -
        "#);
    }
}
