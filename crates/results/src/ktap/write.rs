//! The writer, as it runs in the guest.

use std::io::{self, Write};

use super::model::{Status, Test};
use super::read::is_ktap;
use crate::record::Record;
use crate::text::printable;

/// What a test reports of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Pass,
    /// It did not.
    Fail,
    /// It could not run here, and why.
    Skip(String),
}

/// Writes KTAP version 1. Each line leaves in one write and is flushed, so
/// that a guest which dies loses nothing that it had said.
///
/// ```
/// use results::ktap::{Outcome, Writer};
///
/// let mut log = Vec::new();
/// let mut ktap = Writer::new(&mut log, 2)?;
/// ktap.test("reap", &Outcome::Pass)?;
/// ktap.begin("order", 1)?;
/// ktap.test("descending", &Outcome::Fail)?;
/// ktap.end(&Outcome::Pass)?; // a failing child fails its parent
/// ktap.finish()?;
/// assert!(String::from_utf8(log)?.ends_with("\nnot ok 2 order\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    name: String,
    planned: u32,
    written: u32,
    failed: bool,
}

impl<W: Write> Writer<W> {
    /// Starts a log of `planned` tests.
    ///
    /// # Errors
    /// When writing fails; so for all functions here.
    pub fn new(out: W, planned: u32) -> io::Result<Self> {
        let mut writer = Self {
            out,
            levels: Vec::new(),
        };
        writer.open(String::new(), planned)?;
        Ok(writer)
    }

    /// Writes the result of one test. A failure may be explained before it by
    /// [`Self::note`].
    ///
    /// # Errors
    /// When writing fails.
    pub fn test(&mut self, name: &str, outcome: &Outcome) -> io::Result<()> {
        let name = sanitise(name);
        self.result(&name, outcome)
    }

    /// Opens a test that has `planned` subtests; [`Self::end`] closes it.
    ///
    /// # Errors
    /// When writing fails.
    pub fn begin(&mut self, name: &str, planned: u32) -> io::Result<()> {
        self.open(sanitise(name), planned)
    }

    /// Closes the test that [`Self::begin`] opened and writes its result. It
    /// fails, whatever `outcome` says, if a subtest failed or is missing.
    /// Returns whether it did not fail.
    ///
    /// # Errors
    /// When writing fails, or when no test is open.
    pub fn end(&mut self, outcome: &Outcome) -> io::Result<bool> {
        if self.levels.len() < 2 {
            return Err(io::Error::other(
                "KTAP: no subtest is open that could be ended",
            ));
        }
        let Some(level) = self.levels.pop() else {
            return Ok(false);
        };
        let mut failed = level.failed;
        if level.written != level.planned {
            failed = true;
            self.note(&format!(
                "{}: {} of {} subtests reported",
                level.name, level.written, level.planned
            ))?;
        }
        let outcome = if failed { &Outcome::Fail } else { outcome };
        self.result(&level.name, outcome)?;
        Ok(*outcome != Outcome::Fail)
    }

    /// Writes a test that was read elsewhere, with all its subtests. One whose
    /// result is missing has failed.
    ///
    /// # Errors
    /// When writing fails.
    pub fn tree(&mut self, test: &Test) -> io::Result<()> {
        let why = test.why.as_deref().unwrap_or_default();
        let outcome = match test.status {
            Status::Passed => Outcome::Pass,
            Status::Skipped => Outcome::Skip(why.to_owned()),
            Status::Failed | Status::Crashed | Status::NoTests => Outcome::Fail,
        };
        if !test.subtests.is_empty() {
            let planned = u32::try_from(test.subtests.len()).map_err(io::Error::other)?;
            self.begin(&test.name, planned)?;
            test.subtests.iter().try_for_each(|test| self.tree(test))?;
        }
        match test.status {
            Status::Failed => self.note(why)?,
            Status::Crashed => self.note(&format!("its result is missing\n{why}"))?,
            Status::NoTests => self.note("it ran no test")?,
            Status::Passed | Status::Skipped => {}
        }
        if test.subtests.is_empty() {
            self.test(&test.name, &outcome)
        } else {
            self.end(&outcome).map(drop)
        }
    }

    /// Writes diagnostics, a line for each line of `text`.
    ///
    /// # Errors
    /// When writing fails.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            let line = line.replace(|c: char| c.is_control() && c != '\t', " ");
            // A bar keeps a quoted line of KTAP from being read as one.
            let bar = if is_ktap(&line) { "| " } else { "" };
            self.line(&format!("# {bar}{line}"))?;
        }
        Ok(())
    }

    /// Writes a record, at the margin, where its reader looks for it.
    ///
    /// # Errors
    /// When writing fails, or a sample is not a number that JSON can hold.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        let mut line = record.to_line()?;
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }

    /// Says that nothing more can be tested, and why.
    ///
    /// # Errors
    /// When writing fails.
    pub fn bail_out(&mut self, why: &str) -> io::Result<()> {
        let line = format!("Bail out! {}\n", sanitise(why));
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }

    /// Ends the log. Tests still open end as failed. Returns whether all that
    /// was planned was reported and nothing failed.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<bool> {
        while self.levels.len() > 1 {
            self.end(&Outcome::Fail)?;
        }
        Ok(self
            .levels
            .iter()
            .all(|level| !level.failed && level.written == level.planned))
    }

    fn open(&mut self, name: String, planned: u32) -> io::Result<()> {
        let header = (!self.levels.is_empty()).then(|| format!("# Subtest: {name}"));
        self.levels.push(Level {
            name,
            planned,
            written: 0,
            failed: false,
        });
        self.line("KTAP version 1")?;
        if let Some(header) = header {
            self.line(&header)?;
        }
        self.line(&format!("1..{planned}"))
    }

    fn result(&mut self, name: &str, outcome: &Outcome) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        level.written += 1;
        level.failed |= *outcome == Outcome::Fail;
        let number = level.written;
        let line = match outcome {
            Outcome::Pass => format!("ok {number} {name}"),
            Outcome::Fail => format!("not ok {number} {name}"),
            Outcome::Skip(why) => format!("ok {number} {name} # SKIP {}", sanitise(why)),
        };
        self.line(line.trim_end())
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        let indent = "  ".repeat(self.levels.len().saturating_sub(1));
        self.out.write_all(format!("{indent}{text}\n").as_bytes())?;
        self.out.flush()
    }
}

/// One line without a `#`, which readers would take for a directive, and
/// without the dash that they take off a result's name.
fn sanitise(text: &str) -> String {
    let clean = printable(text).replace('#', " ");
    let words = clean.split_whitespace().skip_while(|word| *word == "-");
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(f: impl FnOnce(&mut Writer<&mut Vec<u8>>)) -> (String, bool) {
        let mut log = Vec::new();
        let mut writer = Writer::new(&mut log, 3).unwrap();
        f(&mut writer);
        let held = writer.finish().unwrap();
        (String::from_utf8(log).unwrap(), held)
    }

    #[test]
    fn a_whole_log() {
        let (log, held) = write(|w| {
            w.test("memcg limit", &Outcome::Pass).unwrap();
            w.begin("order", 2).unwrap();
            w.note("probe: unmap_page_range\nsecond line").unwrap();
            w.test("descending", &Outcome::Pass).unwrap();
            w.test("each once", &Outcome::Pass).unwrap();
            assert!(w.end(&Outcome::Pass).unwrap());
            w.record(&Record::End { nonce: "n".into() }).unwrap();
            w.test("hugetlb", &Outcome::Skip("no CONFIG_HUGETLBFS".into()))
                .unwrap();
        });
        assert!(held);
        insta::assert_snapshot!(log, @r##"
        KTAP version 1
        1..3
        ok 1 memcg limit
          KTAP version 1
          # Subtest: order
          1..2
          # probe: unmap_page_range
          # second line
          ok 1 descending
          ok 2 each once
        ok 2 order
        # reaperlab: {"type":"end","nonce":"n"}
        ok 3 hugetlb # SKIP no CONFIG_HUGETLBFS
        "##);
        let report = crate::ktap::read(log.as_bytes()).unwrap();
        assert_eq!(report.status, Status::Passed);
        assert_eq!((report.counts.passed, report.counts.skipped), (3, 1));
    }

    #[test]
    fn what_fails_or_is_missing_below_fails_above() {
        let (log, held) = write(|w| {
            w.begin("a\n#b", 2).unwrap();
            w.begin("c", 1).unwrap();
            w.test("d # SKIP not really", &Outcome::Fail).unwrap();
            assert!(!w.end(&Outcome::Pass).unwrap());
            w.bail_out("guest\nunwell").unwrap();
        });
        assert!(!held);
        insta::assert_snapshot!(log, @"
        KTAP version 1
        1..3
          KTAP version 1
          # Subtest: a b
          1..2
            KTAP version 1
            # Subtest: c
            1..1
            not ok 1 d SKIP not really
          not ok 1 c
        Bail out! guest unwell
        # a b: 1 of 2 subtests reported
        not ok 1 a b
        ");
    }

    fn test(name: &str, status: Status, why: Option<&str>, subtests: Vec<Test>) -> Test {
        Test {
            name: name.into(),
            status,
            why: why.map(str::to_owned),
            subtests,
            ..Test::default()
        }
    }

    #[test]
    fn a_tree_reads_back_as_it_was() {
        let tree = test(
            "kselftest",
            Status::Failed,
            None,
            vec![
                test("min", Status::Passed, None, Vec::new()),
                test("sock", Status::Skipped, Some("no IPv6"), Vec::new()),
                test(
                    "nested",
                    Status::Failed,
                    None,
                    vec![test("low", Status::Failed, Some("too much"), Vec::new())],
                ),
            ],
        );
        let (log, held) = write(|w| {
            w.tree(&tree).unwrap();
            w.test("next", &Outcome::Pass).unwrap();
            w.test("last", &Outcome::Pass).unwrap();
        });
        assert!(!held);
        insta::assert_snapshot!(log, @"
        KTAP version 1
        1..3
          KTAP version 1
          # Subtest: kselftest
          1..3
          ok 1 min
          ok 2 sock # SKIP no IPv6
            KTAP version 1
            # Subtest: nested
            1..1
            # too much
            not ok 1 low
          not ok 3 nested
        not ok 1 kselftest
        ok 2 next
        ok 3 last
        ");
        let report = crate::ktap::read(log.as_bytes()).unwrap();
        assert_eq!(report.problems, [""; 0]);
        assert_eq!(report.tests[0], tree);
    }

    #[test]
    fn what_gave_no_result_below_fails() {
        let child = |status| test("a", status, None, Vec::new());
        for status in [Status::Crashed, Status::NoTests, Status::Failed] {
            let parent = test("p", Status::Passed, None, vec![child(status)]);
            let (log, held) = write(|w| w.tree(&parent).unwrap());
            assert!(!held && log.contains("\nnot ok 1 p\n"), "{status:?}: {log}");
        }
    }

    #[test]
    fn notes_are_never_results() {
        let (log, _) = write(|w| w.note("not ok 1 a\nSubtest: b\n# ok 2 c\nplain").unwrap());
        insta::assert_snapshot!(log, @"
        KTAP version 1
        1..3
        # | not ok 1 a
        # | Subtest: b
        # | # ok 2 c
        # plain
        ");
    }

    #[test]
    fn ending_what_was_not_begun_is_an_error() {
        let mut log = Vec::new();
        let mut writer = Writer::new(&mut log, 0).unwrap();
        assert!(writer.end(&Outcome::Pass).is_err());
        assert!(writer.finish().unwrap());
    }
}
