//! Slurm: a matrix as an array job, a cell a task, and a job behind it that
//! joins them.

use std::path::{Path, PathBuf};

use crate::exit::{Classify, Kind, Result, fail};
use crate::job::Job;

/// A matrix on its way to Slurm.
pub struct Batch<'a> {
    /// This program.
    pub program: &'a Path,
    /// Where it is to run.
    pub dir: &'a Path,
    /// The matrix' folder, which every node sees under this path.
    pub place: &'a Path,
    /// How many cells there are.
    pub cells: usize,
}

/// The jobs that Slurm made of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Submitted {
    /// The array's.
    pub array: String,
    /// The one that joins the cells.
    pub merge: String,
}

impl Batch<'_> {
    /// What a task of the array runs. A cell that died without a result is
    /// queued once more, and then written down as lost.
    ///
    /// The task is named by its place in the array: one of them has the array's
    /// own number as its job's, by which Slurm would queue all of them.
    pub fn task(&self) -> String {
        let cell = self.words(&["matrix", "cell", "--plan"], "plan.json");
        format!(
            "#!/bin/sh\n\
             cd {dir} || exit 5\n\
             cell() {{ {cell} --index \"$SLURM_ARRAY_TASK_ID\" \"$@\"; }}\n\
             cell\n\
             code=$?\n\
             # 0 to 6 are the cell's own; it is written down.\n\
             [ \"$code\" -le 6 ] && exit \"$code\"\n\
             if [ \"${{SLURM_RESTART_COUNT:-0}}\" -gt 0 ]; then\n\
             \x20   cell --lost \"its task ended with $code, twice\"\n\
             elif scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\"; then\n\
             \x20   exit \"$code\"\n\
             else\n\
             \x20   cell --lost \"its task ended with $code and was not queued again\"\n\
             fi\n",
            dir = quoted(self.dir),
        )
    }

    /// What the job behind the array runs.
    pub fn merge(&self) -> String {
        format!(
            "#!/bin/sh\ncd {} || exit 5\nexec {}\n",
            quoted(self.dir),
            self.words(&["matrix", "merge"], ""),
        )
    }

    /// A command line of this program's on a file of the matrix' folder.
    fn words(&self, args: &[&str], file: &str) -> String {
        let target = if file.is_empty() {
            self.place.to_owned()
        } else {
            self.place.join(file)
        };
        format!(
            "{} {} {}",
            quoted(self.program),
            args.join(" "),
            quoted(&target)
        )
    }

    /// Writes both scripts into the matrix' folder and hands them to Slurm.
    pub fn submit(&self, job: &Job) -> Result<Submitted> {
        let (task, merge) = (self.place.join("task.sh"), self.place.join("merge.sh"));
        fs_err::write(&task, self.task()).kind(Kind::Infrastructure)?;
        fs_err::write(&merge, self.merge()).kind(Kind::Infrastructure)?;
        let log = |name: &str| option("--output", &self.place.join(name));
        let array = sbatch(
            job,
            vec![
                format!("--array=0-{}", self.cells.saturating_sub(1)),
                "--requeue".into(),
                "--open-mode=append".into(),
                "--job-name=reaperlab".into(),
                log("task-%a.log"),
                task.display().to_string(),
            ],
        )?;
        let merge = sbatch(
            job,
            vec![
                format!("--dependency=afterany:{array}"),
                "--job-name=reaperlab-merge".into(),
                log("merge.log"),
                merge.display().to_string(),
            ],
        )?;
        Ok(Submitted { array, merge })
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// A path as one word of a shell's.
fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

/// Submits one script; returns the job's number.
fn sbatch(job: &Job, mut args: Vec<String>) -> Result<String> {
    args.insert(0, "--parsable".into());
    let mut said = Vec::new();
    let code = job.run_program("sbatch", &args, &mut |line| said.push(line.to_owned()))?;
    // NUMBER, or NUMBER;CLUSTER.
    let number = said
        .last()
        .and_then(|line| line.split(';').next())
        .map(str::trim)
        .filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    match (code, number) {
        (0, Some(number)) => Ok(number.to_owned()),
        _ => fail(
            Kind::Infrastructure,
            format!("sbatch ended with {code}: {}", said.join("; ")),
        ),
    }
}

/// The path of this program, for jobs that start it again.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().kind(Kind::Infrastructure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_quote_what_they_are_given() {
        let batch = Batch {
            program: Path::new("/opt/x task"),
            dir: Path::new("/srv/it's here"),
            place: Path::new("/srv/$(runs)"),
            cells: 4,
        };
        insta::assert_snapshot!(batch.task(), @r#"
        #!/bin/sh
        cd '/srv/it'\''s here' || exit 5
        cell() { '/opt/x task' matrix cell --plan '/srv/$(runs)/plan.json' --index "$SLURM_ARRAY_TASK_ID" "$@"; }
        cell
        code=$?
        # 0 to 6 are the cell's own; it is written down.
        [ "$code" -le 6 ] && exit "$code"
        if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
            cell --lost "its task ended with $code, twice"
        elif scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; then
            exit "$code"
        else
            cell --lost "its task ended with $code and was not queued again"
        fi
        "#);
        insta::assert_snapshot!(batch.merge(), @r"
        #!/bin/sh
        cd '/srv/it'\''s here' || exit 5
        exec '/opt/x task' matrix merge '/srv/$(runs)'
        ");
    }
}
