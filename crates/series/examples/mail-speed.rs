//! How fast a series and its trailers are found in a large mailbox beside
//! `b4 am`, and what memory that takes:
//!
//! `cargo run --release -p series --example mail-speed -- B4 [MAILS] [one-thread]`
//!
//! `B4` is the program. The mails are generated: threads of some twenty mails,
//! of which one is asked for, or all of them one thread. Each program is timed
//! as a process of its own, from start to exit, and both must find the same
//! trailers.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use series::index::Index;
use series::mail::Mails;
use series::review::SeriesMails;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["--read", mbox, id, out] => read(mbox, id, out),
        [b4] => compare(b4, "100000", false),
        [b4, mails] => compare(b4, mails, false),
        [b4, mails, "one-thread"] => compare(b4, mails, true),
        _ => Err("usage: mail-speed B4 [MAILS] [one-thread]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// In the process that is measured: what `review --series ID --am OUT` does.
fn read(mbox: &str, id: &str, out: &str) -> Result<()> {
    let open = || -> Result<_> { Ok(BufReader::with_capacity(1 << 18, File::open(mbox)?)) };
    let mut index = Index::default();
    let mut mails = Mails::new(open()?)?;
    while let Some(mail) = mails.next()? {
        index.add(&mail)?;
    }
    let found = index.series(Some(id));
    let series = found.first().ok_or("the series is not found")?;
    let mut wanted = series.mails.iter().copied().peekable();
    let mut kept = SeriesMails::default();
    let mut mails = Mails::new(open()?)?;
    let mut at = 0;
    while let Some(mail) = mails.next()? {
        if wanted.next_if_eq(&at).is_some() {
            kept.add(&mail)?;
        }
        at += 1;
    }
    fs::write(out, kept.review()?.am(true)?)?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = peak.unwrap_or("VmHWM: unknown").split_whitespace();
    println!("{}", peak.collect::<Vec<_>>().join(" "));
    Ok(())
}

fn compare(b4: &str, mails: &str, one_thread: bool) -> Result<()> {
    let mails: u64 = mails
        .parse()
        .map_err(|_| format!("{mails:?} is no number of mails"))?;
    let folder = std::env::temp_dir().join(format!("mail-speed-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let outcome = measure(b4, mails, one_thread, &folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(b4: &str, mails: u64, one_thread: bool, folder: &Path) -> Result<()> {
    let mbox = folder.join("mails.mbox");
    let id = generate(&mbox, mails, one_thread)?;
    let size = fs::metadata(&mbox)?.len() as f64 / 1e6;
    println!("{mails} mails, {size:.0} MB; the series with {id}");
    // The first one is not to pay for the disk.
    io::copy(&mut BufReader::new(File::open(&mbox)?), &mut io::sink())?;

    let ours = folder.join("ours.mbox");
    let mut reader = Command::new(std::env::current_exe()?);
    reader.arg("--read").arg(&mbox).arg(&id).arg(&ours);
    let (here, said) = time("this reader", &mut reader)?;
    println!("  {}", said.trim_end());

    let out = folder.join("b4");
    let mut reader = Command::new(b4);
    reader
        .args([
            "--offline-mode",
            "-n",
            "-c",
            "b4.attestation-policy=off",
            "am",
        ])
        .arg("-m")
        .arg(&mbox)
        .arg("-o")
        .arg(&out)
        .arg(&id)
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CACHE_HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let (there, _) = time("b4 am", &mut reader)?;

    let theirs = fs::read_dir(&out)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "mbx"))
        .ok_or("b4 wrote no mbox")?;
    let (ours, theirs) = (trailers(&ours)?, trailers(&theirs)?);
    if ours != theirs {
        return Err(format!("other trailers:\n{ours}\nthan b4's:\n{theirs}").into());
    }
    println!(
        "the same {} lines of patches and trailers; {:.0} times as fast",
        ours.lines().count(),
        there / here
    );
    Ok(())
}

fn time(name: &str, reader: &mut Command) -> Result<(f64, String)> {
    let begun = Instant::now();
    let output = reader.output()?;
    let took = begun.elapsed().as_secs_f64();
    println!("{name}: {took:.2} s");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The patches of an mbox for `git am` with their trailers.
fn trailers(mbox: &Path) -> Result<String> {
    let series = series::parse(&fs::read(mbox)?)?;
    let mut out = String::new();
    for patch in &series.patches {
        let mut lines: Vec<String> = (patch.trailers.iter())
            .map(|one| format!("  {}: {}", one.name, one.value))
            .collect();
        lines.sort();
        let _ = writeln!(out, "{}\n{}", patch.subject, lines.join("\n"));
    }
    Ok(out)
}

/// Writes the mails, and gives the id of one patch.
fn generate(path: &Path, mails: u64, one_thread: bool) -> Result<String> {
    let mut list = List {
        out: BufWriter::new(File::create(path)?),
        left: mails,
        written: 0,
    };
    let threads = (mails / 20).max(1);
    if one_thread {
        list.thread(0, mails)?;
    } else {
        // Threads go on while others begin, but a mailbox of one list is near
        // enough in the order of threads.
        for thread in 0..threads {
            list.thread(thread, 20)?;
        }
    }
    list.out.flush()?;
    Ok(format!(
        "v2-1-{}@example.org",
        if one_thread { 0 } else { threads / 2 }
    ))
}

struct List<W> {
    out: W,
    left: u64,
    written: u64,
}

const PATCHES: u64 = 3;

impl<W: Write> List<W> {
    /// Two versions of three patches, the first of which stays as it is, with
    /// cover letters and answers.
    fn thread(&mut self, thread: u64, mails: u64) -> Result<()> {
        let mut mails = mails;
        for version in 1..=2 {
            let author = thread % 500;
            let tag = if version == 1 { "PATCH" } else { "PATCH v2" };
            let cover = format!("v{version}-0-{thread}@example.org");
            let title = format!("mm: change number {thread} of the reaper");
            self.mail(
                author,
                &cover,
                "",
                &format!("[{tag} 0/{PATCHES}] {title}"),
                "It changes.\n",
            )?;
            for index in 1..=PATCHES {
                let id = format!("v{version}-{index}-{thread}@example.org");
                let subject =
                    format!("[{tag} {index}/{PATCHES}] mm: part {index} of change {thread}");
                let value = if index == 1 { 0 } else { version };
                self.mail(
                    author,
                    &id,
                    &cover,
                    &subject,
                    &patch(thread, author, index, value),
                )?;
            }
            mails = mails.saturating_sub(PATCHES + 1);
            let answers = if version == 1 { mails / 3 } else { mails };
            mails -= answers;
            for n in 0..answers {
                self.answer(thread, version, n)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, thread: u64, version: u64, n: u64) -> Result<()> {
        let index = n % (PATCHES + 1);
        let reviewer = (thread + n * 7) % 500 + 500;
        let person = format!("Reviewer {reviewer} <reviewer{reviewer}@example.org>");
        let to = format!("v{version}-{index}-{thread}@example.org");
        let id = format!("a{version}-{n}-{thread}@example.org");
        let quote = "> The reaper takes the address space from its lower end, where the task\n\
                     > that exits takes it too, and both want the same locks at the same time.\n\
                     > Signed-off-by: Someone Else <someone@example.org>\n";
        let said = match n % 6 {
            0 => format!("Looks right to me.\n\nReviewed-by: {person}\n"),
            1 => format!(
                "> +\tint part;\n\nFine.\n\nAcked-by: {person}\n\n-- \nReviewer\nTested-by: Nobody <nobody@example.org>\n"
            ),
            2 => "Why is that not done in the caller?\n".to_owned(),
            3 => format!("I have run it for a night.\n\nTested-by: {person}\n"),
            4 => "Reviewed-by: A Third One <third@example.org>\n".to_owned(),
            _ => "I can't see what this is good for. The numbers say little.\n".to_owned(),
        };
        let text =
            format!("On Fri, 29 Aug 2025 14:55:50 +0800, the author wrote:\n{quote}\n{said}");
        self.mail(
            reviewer,
            &id,
            &to,
            &format!("Re: [PATCH] mm: part {index}"),
            &text,
        )
    }

    fn mail(&mut self, by: u64, id: &str, answers: &str, subject: &str, text: &str) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.written += 1;
        let name = if by < 500 { "Author" } else { "Reviewer" };
        let lower = name.to_lowercase();
        writeln!(
            self.out,
            "From {lower}{by}@example.org Fri Aug 29 14:55:50 2025"
        )?;
        for hop in 0..6 {
            writeln!(
                self.out,
                "Received: from mail{hop}.example.org (mail{hop}.example.org [192.0.2.{hop}])\n\
                 \tby list.example.org (Postfix) with ESMTPS id {:016x}\n\
                 \tfor <linux-mm@example.org>; Fri, 29 Aug 2025 14:55:5{hop} +0800 (CST)",
                self.written * 7919 + hop
            )?;
        }
        let (minutes, hours) = (self.written / 60 % 60, self.written / 3600 % 24);
        writeln!(
            self.out,
            "From: {name} {by} <{lower}{by}@example.org>\nTo: linux-mm@example.org\n\
             Cc: linux-kernel@example.org, akpm@example.org\n\
             Date: Fri, 29 Aug 2025 {hours:02}:{minutes:02}:{:02} +0800\nMessage-ID: <{id}>",
            self.written % 60
        )?;
        if !answers.is_empty() {
            writeln!(
                self.out,
                "In-Reply-To: <{answers}>\nReferences: <{answers}>"
            )?;
        }
        writeln!(
            self.out,
            "Subject: {subject}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\nList-Id: <linux-mm.example.org>\n\n{text}"
        )?;
        Ok(())
    }
}

fn patch(thread: u64, author: u64, index: u64, value: u64) -> String {
    let mut hunk = String::new();
    for line in 0..20 {
        let _ = writeln!(hunk, "+\tpart[{line}] = reap({thread}, {index}, {value});");
    }
    format!(
        "The reaper takes the address space from its lower end, where the task\n\
         that exits takes it too, and both want the same locks at the same time.\n\n\
         Signed-off-by: Author {author} <author{author}@example.org>\n---\n mm/reap{index}.c | 20 \
         ++++++++++++++++++++\n 1 file changed, 20 insertions(+)\n\n\
         diff --git a/mm/reap{index}.c b/mm/reap{index}.c\nindex 0123456789ab..ba9876543210 100644\n\
         --- a/mm/reap{index}.c\n+++ b/mm/reap{index}.c\n@@ -10,2 +10,22 @@ static void reap(void)\n \
         \tint before;\n{hunk} \tint after;\n-- \n2.47.0\n"
    )
}
