//! What holds of any mail: whatever is read of it can be indexed, judged and
//! drafted from, and what is written of it is read as the same.

use std::sync::LazyLock;

use series::index::Index;
use series::mail::{Mails, RawMail};
use series::patch::{self, Patch, format};
use series::review::{Review, SeriesMails, draft, lint, reroll};
use series::{Series, manifest};

/// A series to hold others against.
static THREAD: LazyLock<Series> = LazyLock::new(|| {
    let thread = include_bytes!("../../patches/oom-reaper-reverse/thread.txt");
    series::parse(thread).expect("the thread of the series")
});

/// Reads it in each of the ways that commands read mail.
pub fn check(input: &[u8]) {
    if let Some(mails) = gathered(input) {
        mails.review().iter().for_each(judge);
    }
    match series::parse(input) {
        Ok(series) => reads_back(&series),
        Err(error) => drop(error.to_string()),
    }
}

/// The mails of the first series, found by headers alone.
fn gathered(input: &[u8]) -> Option<SeriesMails> {
    let mut index = Index::default();
    index.next_place();
    let count = each_mail(input, &mut |_, mail| index.add(mail).is_ok())?;
    let series = index.series(None);
    for one in &series {
        assert!(one.mails.is_sorted_by(|before, after| before < after));
        assert!(one.mails.iter().all(|at| *at < count), "{one:?}");
    }
    let wanted = &series.first()?.mails;
    let mut found = SeriesMails::default();
    each_mail(input, &mut |at, mail| {
        wanted.binary_search(&at).is_err() || found.add(mail).is_ok()
    })?;
    Some(found)
}

/// How many mails there are, if all can be read and looked at.
fn each_mail(input: &[u8], look: &mut dyn FnMut(u32, &RawMail) -> bool) -> Option<u32> {
    let mut mails = Mails::new(input).ok()?;
    let mut count = 0;
    while let Some(mail) = mails.next().ok()? {
        if !look(count, &mail) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// What judges and drafts takes whatever was read.
fn judge(review: &Review) {
    for series in &review.versions {
        lint::series(series, Some(&|id: &str| lint::Lookup::One(id.to_owned())));
        reroll::compare(series, &THREAD);
        reroll::outcomes(&review.points, &THREAD, series);
    }
    reroll::rerolls(review);
    draft::next_version(review, true, Some("Measured."));
    for patch in &review.series().patches {
        draft::answer(&draft::Answer {
            to: patch,
            source: None,
            cc: &[],
            from: None,
            text: "",
            held: true,
        });
    }
    let Ok(mbox) = review.am(true) else {
        return;
    };
    let patches = &review.series().patches;
    let count = each_mail(&mbox, &mut |_, _| true);
    assert_eq!(count, u32::try_from(patches.len()).ok());
    for (at, (patch, source)) in patches.iter().zip(&review.sources).enumerate() {
        is_read_from(&format::am(patch, source, &review.counted(at, true)), patch);
    }
}

/// What is read is written, and read again as the same.
fn reads_back(series: &Series) {
    for warning in &series.warnings {
        drop(warning.to_string());
    }
    let folder = series::pack(series).expect("a folder's files");
    let (_, text) = folder.last().expect("a manifest");
    let text = str::from_utf8(text).expect("text");
    assert!(manifest::parse(text).is_ok(), "{text}");
    for patch in &series.patches {
        let again = patch::parse(&patch::diff(&patch.files));
        assert_eq!(again.as_ref(), Ok(&patch.files));
        if patch.author.email.is_empty() {
            continue;
        }
        is_read_from(&format::patch(patch), patch);
    }
}

/// Whether a mail has that patch.
fn is_read_from(mail: &[u8], patch: &Patch) {
    let shown = String::from_utf8_lossy(mail);
    let again = series::parse(mail).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    let [again] = &again.patches[..] else {
        panic!("{} patches of one\n{shown}", again.patches.len());
    };
    assert_eq!(again.files, patch.files, "{shown}");
    assert_eq!(again.subject, patch.subject, "{shown}");
}
