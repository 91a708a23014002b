//! Mails, read as a review.

use super::model::{Review, Unreadable};
use super::points::points;
use super::trailers::collect;
use crate::mail::{self, Thread};
use crate::patch::format::Source;
use crate::series::{self, Mail, Series, Version, Versions};

/// Reviews the series in a thread.
///
/// # Errors
/// [`series::Error`] where the thread has no series that can be read.
pub fn review(thread: Thread) -> Result<Review, series::Error> {
    let mails: Vec<Mail> = thread.messages.into_iter().map(Mail::from).collect();
    of_mails(&mails, thread.announced)
}

/// The mails of one series, taken one by one out of mailboxes of any size.
#[derive(Default)]
pub struct SeriesMails {
    mails: Vec<Mail>,
    announced: Option<u32>,
    bytes: usize,
    cut: usize,
}

impl SeriesMails {
    /// Keeps what a review needs of a mail.
    ///
    /// # Errors
    /// [`mail::Error::TooLarge`] beyond what a thread has.
    pub fn add(&mut self, mail: &mail::RawMail) -> Result<(), mail::Error> {
        if mail.is_cut() {
            self.cut += 1;
            return Ok(());
        }
        for message in mail.read() {
            let mail = Mail::from(message);
            self.bytes += mail.size();
            self.mails.push(mail);
        }
        let too_large = |what, limit| Err(mail::Error::TooLarge { what, limit });
        if self.mails.len() > mail::MAX_MESSAGES {
            return too_large("messages", mail::MAX_MESSAGES);
        }
        if self.bytes > mail::MAX_BYTES {
            return too_large("bytes", mail::MAX_BYTES);
        }
        Ok(())
    }

    /// Says how many patches an archive counts, where it does.
    pub fn announce(&mut self, announced: Option<u32>) {
        self.announced = self.announced.or(announced);
    }

    /// How many mails were too large to be read.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Reviews the series.
    ///
    /// # Errors
    /// [`series::Error`] where the mails have no series that can be read.
    pub fn review(&self) -> Result<Review, series::Error> {
        of_mails(&self.mails, self.announced)
    }
}

fn of_mails(mails: &[Mail], announced: Option<u32>) -> Result<Review, series::Error> {
    let found = Versions::find(mails)?;
    let mut read: Vec<(usize, Series)> = Vec::new();
    let mut unreadable = Vec::new();
    let mut latest = 0;
    for (at, version) in found.list.iter().enumerate() {
        let chosen = at == found.chosen;
        match found.read(at, announced.filter(|_| chosen)) {
            Ok(series) => {
                if chosen {
                    latest = read.len();
                }
                read.push((at, series));
            }
            Err(error) if chosen => return Err(error),
            Err(error) => unreadable.push(Unreadable {
                version: version.number,
                error,
            }),
        }
    }
    let versions: Vec<(&Version, &Series)> = read
        .iter()
        .map(|(at, series)| (&found.list[*at], series))
        .collect();
    let trailers = collect(&found, &versions, latest);
    let points = points(&found, &versions);
    let sources = (found.list[found.chosen].patches.values())
        .map(|mail| Source {
            id: mail.id.clone(),
            subject: mail.subject.whole.clone(),
            from: mail.from.clone(),
            to: mail.to.clone(),
            tail: mail.rest.clone(),
        })
        .collect();
    Ok(Review {
        trailers,
        points,
        sources,
        versions: read.into_iter().map(|(_, series)| series).collect(),
        latest,
        unreadable,
    })
}
