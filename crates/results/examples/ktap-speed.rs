//! How fast the reader is beside the kernel's own `kunit.py parse`, and what
//! memory it takes, on one log of the kind that KUnit leaves in a console:
//!
//! `cargo run --release -p results --example ktap-speed -- KERNEL-TREE [MEGABYTES]`
//!
//! Each reader is timed as a process of its own, from start to exit.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["--read", log] => read(log),
        [tree] => compare(tree, 100),
        [tree, size] => match size.parse() {
            Ok(size) => compare(tree, size),
            Err(_) => Err(format!("{size:?} is no number of megabytes").into()),
        },
        _ => Err("usage: ktap-speed KERNEL-TREE [MEGABYTES]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// In the process that is measured: reads, and says what it found and took.
fn read(log: &str) -> Result<()> {
    let report = results::ktap::read(BufReader::with_capacity(1 << 16, File::open(log)?))?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap_or("VmHWM: unknown");
    println!("  {}: {:?}", report.status.as_str(), report.counts);
    println!(
        "  {}",
        peak.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    Ok(())
}

fn compare(tree: &str, megabytes: usize) -> Result<()> {
    let kunit = Path::new(tree).join("tools/testing/kunit/kunit.py");
    let kunit = fs::canonicalize(&kunit).map_err(|e| format!("{}: {e}", kunit.display()))?;
    let log = std::env::temp_dir().join(format!("ktap-speed-{}.log", std::process::id()));
    let outcome = generate(&log, megabytes * 1_000_000).and_then(|tests| {
        let size = fs::metadata(&log)?.len() as f64 / 1e6;
        println!("{size:.1} MB with {tests} suites");
        // The first one is not to pay for the disk.
        let mut count = BufReader::new(File::open(&log)?);
        io::copy(&mut count, &mut io::sink())?;
        let mut ours = Command::new(std::env::current_exe()?);
        let ours = time("this reader", ours.arg("--read").arg(&log), size)?;
        let mut theirs = Command::new("python3");
        theirs.env("PYTHONDONTWRITEBYTECODE", "1");
        let theirs = time(
            "kunit.py parse",
            theirs.arg(kunit).arg("parse").arg(&log),
            size,
        )?;
        println!("{:.0} times as fast", theirs / ours);
        Ok(())
    });
    fs::remove_file(&log)?;
    outcome
}

/// Runs a reader and shows the last lines it writes.
fn time(name: &str, reader: &mut Command, size: f64) -> Result<f64> {
    let begun = Instant::now();
    let output = reader.output()?;
    let took = begun.elapsed().as_secs_f64();
    println!("{name}: {took:.3} s, {:.1} MB/s", size / took);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(2)..] {
        println!("  {}", line.trim_start());
    }
    Ok(took)
}

/// Writes a console: a boot, suites until the size is reached, a halt.
fn generate(path: &Path, size: usize) -> Result<u64> {
    let mut sizes = Console::default();
    let mut suites = 0;
    let mut total = 0;
    while total < size {
        suites += 1;
        total += sizes.suite(suites).len();
    }
    let mut console = Console::default();
    let mut out = BufWriter::new(File::create(path)?);
    for n in 0..500 {
        console.line(
            0,
            format_args!("pci 0000:00:{n:02x}.0: BAR 0 [mem 0xfebc0000-0xfebdffff]"),
        );
    }
    console.line(0, format_args!("KTAP version 1"));
    console.line(0, format_args!("1..{suites}"));
    out.write_all(console.text.as_bytes())?;
    for n in 1..=suites {
        out.write_all(console.suite(n).as_bytes())?;
    }
    console.text.clear();
    console.line(0, format_args!("reboot: System halted"));
    out.write_all(console.text.as_bytes())?;
    out.flush()?;
    Ok(suites)
}

/// What a kernel prints, with its time before each line.
#[derive(Default)]
struct Console {
    text: String,
    microseconds: u64,
}

impl Console {
    fn line(&mut self, depth: usize, text: std::fmt::Arguments<'_>) {
        self.microseconds += 131;
        let (s, us) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        let indent = depth * 4;
        // Writing to a string can't fail.
        let _ = writeln!(self.text, "[{s:5}.{us:06}] {:indent$}{text}", "");
    }

    /// A suite: ten cases, one of them with parameters, among messages.
    fn suite(&mut self, number: u64) -> &str {
        const CASES: u64 = 10;
        self.text.clear();
        let name = format!("mm_reap_{number}");
        self.line(1, format_args!("KTAP version 1"));
        self.line(1, format_args!("# Subtest: {name}"));
        self.line(1, format_args!("# module: {name}_test"));
        self.line(1, format_args!("1..{CASES}"));
        let mut failed = false;
        for case in 1..CASES {
            self.line(1, format_args!("# reap_case_{case}: initializing"));
            if case % 3 == 0 {
                self.line(0, format_args!("oom_reaper: reaped process {case} (victim), now anon-rss:0kB, file-rss:{number}kB, shmem-rss:0kB"));
            }
            if number % 100 == 7 && case == 4 {
                failed = true;
                self.line(
                    1,
                    format_args!(
                        "# reap_case_{case}: EXPECTATION FAILED at mm/reap_test.c:{case}2"
                    ),
                );
                self.line(1, format_args!("Expected visited == announced, but"));
                self.line(1, format_args!("    visited == 4 (0x4)"));
                self.trace(name.as_str());
                self.line(1, format_args!("not ok {case} reap_case_{case}"));
            } else if case == 7 {
                self.line(
                    1,
                    format_args!("ok {case} reap_case_{case} # SKIP needs more than one node"),
                );
            } else {
                self.line(1, format_args!("ok {case} reap_case_{case}"));
            }
        }
        self.line(2, format_args!("KTAP version 1"));
        self.line(2, format_args!("# Subtest: reap_sizes"));
        for size in 1..=6 {
            self.line(
                2,
                format_args!("ok {size} {} pages, from the top", 1 << size),
            );
        }
        self.line(
            1,
            format_args!("# reap_sizes: pass:6 fail:0 skip:0 total:6"),
        );
        self.line(1, format_args!("ok {CASES} reap_sizes"));
        self.line(
            0,
            format_args!("# {name}: pass:8 fail:{} skip:1 total:10", u8::from(failed)),
        );
        self.line(
            0,
            format_args!(
                "# Totals: pass:13 fail:{} skip:1 total:15",
                u8::from(failed)
            ),
        );
        let word = if failed { "not ok" } else { "ok" };
        self.line(0, format_args!("{word} {number} {name}"));
        &self.text
    }

    fn trace(&mut self, name: &str) {
        self.line(
            0,
            format_args!("WARNING: CPU: 1 PID: 41 at mm/reap.c:88 {name}+0x4c/0x90"),
        );
        self.line(0, format_args!("Call Trace:"));
        self.line(0, format_args!(" <TASK>"));
        for frame in 0..20 {
            self.line(
                0,
                format_args!(" ? reap_range_{frame}+0x1{frame:02x}/0x2e0"),
            );
        }
        self.line(0, format_args!(" </TASK>"));
    }
}
