//! One patch, read out of its mail.

use super::error::Error;
use super::mail::{MAX_TEXT, Mail};
use super::model::Warning;
use super::people::People;
use crate::mail::{Subject, inner_headers, stripspace};
use crate::patch::{self, Diffstat, Patch, split_trailers};
use crate::person::Person;
use crate::text::same;

/// Where a patch stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u32,
    pub(crate) total: u32,
    pub(crate) version: u32,
}

pub(crate) fn read_patch<'a>(
    mail: &Mail,
    place: Place,
    answers: impl Iterator<Item = &'a Mail>,
    known: &People,
    warnings: &mut Vec<Warning>,
) -> Result<Patch, Error> {
    let index = place.index;
    let shown = || mail.line.clone();
    let unusable = |why| Error::Unusable {
        subject: shown(),
        why,
    };
    if mail.text.len() > MAX_TEXT {
        return Err(unusable("has a changelog of more than 1 MiB"));
    }
    let (inner, text) = inner_headers(&mail.text);
    let text = stripspace(text);
    if text.contains('\0') {
        return Err(unusable("has a NUL byte in its changelog"));
    }
    let subject = inner
        .subject
        .map(|subject| Subject::parse(&subject).title)
        .unwrap_or_else(|| mail.subject.title.clone());
    if subject.is_empty() {
        return Err(unusable("has no subject behind its `[PATCH]`"));
    }
    let files = patch::parse(&mail.rest).map_err(|error| Error::Patch {
        subject: shown(),
        error,
    })?;
    if files.is_empty() {
        return Err(Error::NoDiff { subject: shown() });
    }
    if let Some(stat) = Diffstat::find(&mail.rest) {
        if stat.files > files.len() {
            let (found, promised) = (files.len(), stat.files);
            return Err(Error::Cut {
                subject: shown(),
                found,
                promised,
            });
        }
        if stat != Diffstat::count(&files) {
            warnings.push(Warning::Diffstat { index });
        }
    }

    let (body, trailers, lost) = split_trailers(&text);
    if !lost.is_empty() {
        warnings.push(Warning::SplitTrailers { index, lost });
    }
    let mut author = inner
        .from
        .or_else(|| mail.from.clone())
        .ok_or_else(|| unusable("does not say who wrote it"))?;
    if author.email.is_empty() {
        let signed = trailers
            .iter()
            .filter(|trailer| trailer.name.eq_ignore_ascii_case("signed-off-by"))
            .filter_map(|trailer| Person::parse(&trailer.value))
            .find(|signer| same(&signer.name, &author.name));
        match signed
            .map(|signer| signer.email)
            .or_else(|| known.email(&author.name))
        {
            Some(email) => author.email = email,
            None => warnings.push(Warning::NoAddress {
                name: author.name.clone(),
            }),
        }
    }
    let date = inner.date.or_else(|| mail.date.clone()).or_else(|| {
        let first = text.lines().next()?;
        let told = answers
            .flat_map(|mail| &mail.answer.told)
            .filter(|told| told.quoted == first && told.is_of(&author))
            .filter_map(|told| told.when.as_ref())
            .min_by_key(|when| when.doubt)?;
        if told.doubt > 0 {
            warnings.push(Warning::DateInexact { index });
        }
        Some(told.text.clone())
    });
    if date.is_none() {
        warnings.push(Warning::NoDate { index });
    }
    let message = if text.is_empty() {
        format!("{subject}\n")
    } else {
        format!("{subject}\n\n{text}\n")
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
