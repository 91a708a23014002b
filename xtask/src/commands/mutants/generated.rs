//! One kernel that holds all small mistakes of some functions, of which a guest makes
//! the one that it is asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use evidence::stats::Rng;
use kernel::build::diagnose::refused_lines;
use kernel::build::{BuildError, Built};
use mutate::{Combined, Mistake, Source, all_in_one};

use super::known::Known;
use crate::catalogue::is_wanted;
use crate::changed::{self, Changed};
use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::job::Job;
use crate::kernels::{self, Kernel};

/// What mistakes are asked for.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Instead of patches, make small mistakes in the functions that the series
    /// touches, all of them in one kernel
    #[arg(long, conflicts_with = "dir")]
    pub generate: bool,
    /// With --generate: in all functions of this file of the kernel's, such as
    /// mm/oom_kill.c (repeatable)
    #[arg(long = "file", value_name = "FILE", requires = "generate")]
    pub files: Vec<String>,
    /// With --generate: in this function (repeatable)
    #[arg(long = "function", value_name = "NAME", requires = "generate")]
    pub functions: Vec<String>,
    /// With --generate: no more than so many, drawn from all
    #[arg(long, value_name = "N", requires = "generate")]
    pub at_most: Option<usize>,
    /// With --generate: the mistakes that were argued to change nothing, a line of
    /// NAME: ARGUMENT each
    #[arg(long, value_name = "FILE", requires = "generate")]
    pub equivalent: Option<PathBuf>,
}

/// A file of the patched arm, and what is made wrong in it.
pub struct File {
    pub path: String,
    pub text: String,
    pub mistakes: Vec<Mistake>,
    /// The lines that the series has changed.
    pub changed: BTreeSet<usize>,
}

/// A kernel with mistakes to choose from.
pub struct Generated {
    pub built: Built,
    pub files: Vec<File>,
    /// How many the compiler refused.
    pub refused: usize,
    /// The functions that the parser did not understand.
    pub unread: Vec<String>,
}

impl Generated {
    /// The mistakes, in the order of their numbers in the kernel.
    pub fn mistakes(&self) -> impl Iterator<Item = (&File, &Mistake)> {
        let files = self.files.iter();
        files.flat_map(|file| file.mistakes.iter().map(move |mistake| (file, mistake)))
    }
}

/// Makes the mistakes, leaves out what the compiler refuses, and builds the kernel.
pub fn build(
    job: &Job,
    kernel: &Kernel,
    wanted: &Wanted,
    globs: &[String],
    seed: u64,
    known: &mut Known,
) -> Result<Generated> {
    let (mut files, unread) = read(job, kernel, wanted)?;
    choose(&mut files, globs, wanted.at_most, seed);
    let mut refused = 0;
    for file in &mut files {
        let (path, before) = (&file.path, file.mistakes.len());
        file.mistakes
            .retain(|mistake| !known.refuses(path, mistake));
        refused += before - file.mistakes.len();
    }
    files.retain(|file| !file.mistakes.is_empty());
    loop {
        let count: usize = files.iter().map(|file| file.mistakes.len()).sum();
        match count {
            0 => {
                return fail(Kind::Usage, "there is no mistake to make")
                    .hint("name functions by --file and --function; --mutant takes * and ?");
            }
            count if count > mutate::kernel::MOST => {
                let most = mutate::kernel::MOST;
                let text = format!("{count} mistakes, and a kernel holds no more than {most}");
                return fail(Kind::Usage, text).hint("--at-most draws some of them");
            }
            _ => {}
        }
        let sources = combine(&files);
        let texts: Vec<(String, String)> = files
            .iter()
            .zip(&sources)
            .map(|(file, source)| (file.path.clone(), source.text.clone()))
            .collect();
        match kernels::with_files(job, kernel, "mistakes", &texts) {
            Ok(built) => {
                known.save()?;
                return Ok(Generated {
                    built,
                    files,
                    refused,
                    unread,
                });
            }
            Err(failure) => {
                let dropped = drop_refused(&mut files, &sources, &failure, known)?;
                if dropped == 0 {
                    return Err(failure);
                }
                refused += dropped;
                job.progress.note(&format!(
                    "  the compiler refuses {dropped} of {count} mistakes"
                ));
            }
        }
    }
}

/// The files that are asked for, with all of their mistakes, and the functions that
/// were not understood.
fn read(job: &Job, kernel: &Kernel, wanted: &Wanted) -> Result<(Vec<File>, Vec<String>)> {
    let changed = match wanted.files.as_slice() {
        [] => {
            let mut changed = changed::by_the_series(job, kernel)?;
            changed.retain(|file| file.path.ends_with(".c"));
            changed
        }
        paths => paths
            .iter()
            .map(|path| match Changed::read(job, kernel, path)? {
                Some(file) => Ok(file),
                None => fail(Kind::Usage, format!("{} has no file {path}", kernel.name)),
            })
            .collect::<Result<_>>()?,
    };
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    let mut missing: BTreeSet<&str> = wanted.functions.iter().map(String::as_str).collect();
    for Changed { path, text, lines } in changed {
        let source = Source::read(&text).kind(Kind::Infrastructure)?;
        let names: BTreeSet<&str> = match (wanted.functions.is_empty(), wanted.files.is_empty()) {
            (false, _) => {
                let named = |name: &&str| wanted.functions.iter().any(|it| it == name);
                source.functions().filter(named).collect()
            }
            (true, false) => source.functions().collect(),
            (true, true) => source.functions_at(&lines).into_iter().collect(),
        };
        missing.retain(|name| !names.contains(name));
        let not_read = source.unread().filter(|name| names.contains(name));
        unread.extend(not_read.map(str::to_owned));
        let names: Vec<&str> = names.into_iter().collect();
        let mistakes = source.mistakes(&names).kind(Kind::Infrastructure)?;
        files.push(File {
            path,
            text,
            mistakes,
            changed: lines,
        });
    }
    if let Some(name) = missing.first() {
        return fail(Kind::Usage, format!("no function has the name {name}"))
            .hint("name its file by --file");
    }
    Ok((files, unread))
}

/// Leaves out what no glob matches, and more where they are too many.
fn choose(files: &mut Vec<File>, globs: &[String], at_most: Option<usize>, seed: u64) {
    for file in files.iter_mut() {
        file.mistakes
            .retain(|mistake| is_wanted(globs, &mistake.name()));
    }
    let mut left: usize = files.iter().map(|file| file.mistakes.len()).sum();
    let mut wanted = at_most.unwrap_or(left);
    let mut rng = Rng::new(seed);
    for file in files.iter_mut() {
        file.mistakes.retain(|_| {
            let takes = rng.below(left) < wanted;
            left -= 1;
            wanted -= usize::from(takes);
            takes
        });
    }
    files.retain(|file| !file.mistakes.is_empty());
}

/// A source of each file that holds all of its mistakes; the last one has what the
/// kernel needs beside them.
fn combine(files: &[File]) -> Vec<Combined> {
    let mut first = 0;
    let mut sources: Vec<Combined> = files
        .iter()
        .map(|file| {
            let File { text, mistakes, .. } = file;
            let (choice, head) = (mutate::kernel::CHOICE, mutate::kernel::HEAD);
            let source = all_in_one(text, mistakes, first, choice, head);
            first += mistakes.len();
            source
        })
        .collect();
    if let Some(last) = sources.last_mut() {
        last.text.push_str(&mutate::kernel::tail(first));
    }
    sources
}

/// Leaves out the mistakes that a failed build complained of, and says how many. None
/// where it failed for another reason.
fn drop_refused(
    files: &mut [File],
    sources: &[Combined],
    failure: &Failure,
    known: &mut Known,
) -> Result<usize> {
    let Some(BuildError::Failed { log, .. }) = failure.error.downcast_ref() else {
        return Ok(0);
    };
    let log = fs_err::read(log).kind(Kind::Infrastructure)?;
    let log = String::from_utf8_lossy(&log);
    let mut dropped = 0;
    for (file, source) in files.iter_mut().zip(sources) {
        let lines = refused_lines(&log, &file.path).into_iter();
        let refused: BTreeSet<usize> = lines
            .filter_map(|line| source.at(usize::try_from(line).ok()?))
            .collect();
        let (path, mut at) = (&file.path, 0..);
        file.mistakes.retain(|mistake| {
            let is_refused = at.next().is_some_and(|at| refused.contains(&at));
            if is_refused {
                known.add_refused(path, mistake);
            }
            !is_refused
        });
        dropped += refused.len();
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_drawn() {
        let text = "int f(int a)\n{\n\tif (a > 3 && a < 9)\n\t\treturn a + 1;\n\treturn a;\n}\n";
        let names = |globs: &[&str], at_most, seed| -> Vec<String> {
            let source = Source::read(text).unwrap();
            let mut files = vec![File {
                path: "f.c".into(),
                text: text.into(),
                mistakes: source.mistakes(&["f"]).unwrap(),
                changed: BTreeSet::new(),
            }];
            let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
            choose(&mut files, &globs, at_most, seed);
            let mistakes = files.iter().flat_map(|file| &file.mistakes);
            mistakes.map(Mistake::name).collect()
        };
        let all = names(&[], None, 1);
        assert!(all.len() > 6, "{all:?}");
        assert_eq!(names(&[], Some(100), 1), all);
        assert_eq!(names(&[], Some(3), 1).len(), 3);
        assert_eq!(names(&[], Some(3), 1), names(&[], Some(3), 1));
        assert_eq!(names(&["f-bound-*"], None, 1), ["f-bound-1", "f-bound-2"]);
        assert_eq!(names(&["g-*"], None, 1), [""; 0]);
    }
}
