//! One patch, read out of its mail.

use super::error::Error;
use super::mail::{MAX_TEXT, Mail};
use super::model::Warning;
use super::people::People;
use crate::mail::{InnerHeaders, Subject, inner_headers, stripspace};
use crate::patch::{self, Diffstat, FileDiff, Patch, Trailer, split_trailers};
use crate::person::Person;
use crate::text::same;

/// Where a patch stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) total: u32,
    pub(super) version: u32,
}

/// Reads the patch of a mail; what the mail does not tell, its answers or the
/// rest of the thread may.
pub(super) fn read_patch<'a>(
    mail: &Mail,
    place: Place,
    answers: impl Iterator<Item = &'a Mail>,
    known: &People,
    warnings: &mut Vec<Warning>,
) -> Result<Patch, Error> {
    let index = place.index;
    let (inner, text) = changelog(mail)?;
    let subject = subject(mail, &inner)?;
    let files = files(mail, index, warnings)?;
    let (body, trailers, lost) = split_trailers(&text);
    if !lost.is_empty() {
        warnings.push(Warning::SplitTrailers { index, lost });
    }
    let author = inner.from.or_else(|| mail.from.clone());
    let author = author.ok_or_else(|| unusable(mail, "does not say who wrote it"))?;
    let author = with_address(author, &trailers, known, warnings);
    let date = (inner.date.or_else(|| mail.date.clone()))
        .or_else(|| date_in_answers(&text, &author, answers, index, warnings));
    if date.is_none() {
        warnings.push(Warning::NoDate { index });
    }
    let message = match text.is_empty() {
        true => format!("{subject}\n"),
        false => format!("{subject}\n\n{text}\n"),
    };
    Ok(Patch {
        index,
        total: place.total,
        version: place.version,
        author,
        date,
        subject,
        body,
        trailers,
        message,
        files,
    })
}

fn unusable(mail: &Mail, why: &'static str) -> Error {
    Error::Unusable {
        subject: mail.line.clone(),
        why,
    }
}

/// The headers at the top of the body, and the changelog below them.
fn changelog(mail: &Mail) -> Result<(InnerHeaders, String), Error> {
    if mail.text.len() > MAX_TEXT {
        return Err(unusable(mail, "has a changelog of more than 1 MiB"));
    }
    let (inner, text) = inner_headers(&mail.text);
    let text = stripspace(text);
    match text.contains('\0') {
        true => Err(unusable(mail, "has a NUL byte in its changelog")),
        false => Ok((inner, text)),
    }
}

fn subject(mail: &Mail, inner: &InnerHeaders) -> Result<String, Error> {
    let subject = match &inner.subject {
        Some(subject) => Subject::parse(subject).title,
        None => mail.subject.title.clone(),
    };
    match subject.is_empty() {
        true => Err(unusable(mail, "has no subject behind its `[PATCH]`")),
        false => Ok(subject),
    }
}

/// The files of the diff, as many as the diffstat promises.
fn files(mail: &Mail, index: u32, warnings: &mut Vec<Warning>) -> Result<Vec<FileDiff>, Error> {
    let subject = || mail.line.clone();
    let files = patch::parse(&mail.rest).map_err(|error| Error::Patch {
        subject: subject(),
        error,
    })?;
    if files.is_empty() {
        return Err(Error::NoDiff { subject: subject() });
    }
    let counted = Diffstat::count(&files);
    let promised = Diffstat::all(&mail.rest);
    if let Some(stat) = promised.last()
        && !promised.contains(&counted)
    {
        if stat.files > files.len() {
            return Err(Error::Cut {
                subject: subject(),
                found: files.len(),
                promised: stat.files,
            });
        }
        warnings.push(Warning::Diffstat { index });
    }
    Ok(files)
}

/// The author, with the address of a sign-off or of the thread where the mail
/// shows none.
fn with_address(
    mut author: Person,
    trailers: &[Trailer],
    known: &People,
    warnings: &mut Vec<Warning>,
) -> Person {
    if !author.email.is_empty() {
        return author;
    }
    let signer = (trailers.iter().filter(|one| one.is("signed-off-by")))
        .filter_map(|one| Person::parse(&one.value))
        .find(|signer| same(&signer.name, &author.name));
    let email = signer.map(|signer| signer.email);
    match email.or_else(|| known.email(&author.name)) {
        Some(email) => author.email = email,
        None => warnings.push(Warning::NoAddress {
            name: author.name.clone(),
        }),
    }
    author
}

/// When the patch was sent, as its answers tell where they quote it.
fn date_in_answers<'a>(
    text: &str,
    author: &Person,
    answers: impl Iterator<Item = &'a Mail>,
    index: u32,
    warnings: &mut Vec<Warning>,
) -> Option<String> {
    let first = text.lines().next()?;
    let when = answers
        .flat_map(|mail| &mail.answer.told)
        .filter(|told| told.quoted == first && told.is_of(author))
        .filter_map(|told| told.when.as_ref())
        .min_by_key(|when| when.doubt)?;
    if when.doubt > 0 {
        warnings.push(Warning::DateInexact { index });
    }
    Some(when.text.clone())
}
