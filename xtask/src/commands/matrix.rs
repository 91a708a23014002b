//! `matrix`: `patch-test` over several kernels, here or on many machines.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use evidence::matrix::{Cell, Matrix, Row, SCHEMA, Stage};
use evidence::report;
use evidence::run::folder_name;
use kernel::apply::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vm::process::Cancel;

use super::given::Given;
use super::options::{self, DefaultKernel, Origin, Series, Setup};
use super::run_options::{RESUME_ALONE, Wanted, agree};
use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::home;
use crate::host::Install;
use crate::job::Job;
use crate::output::{print, print_json};
use crate::run::folder::Claim;
use crate::run::request::{Extent, Request};
use crate::run::{self, Place};
use crate::run::{folder, outcome};
use crate::{kernels, slurm};

/// What is known of a cell beside its run.
const CELL: &str = "cell.json";
/// What a matrix is made of.
const PLAN: &str = "plan.json";
/// Its form; that of schema 1 had the words of a command line.
const PLAN_SCHEMA: u32 = 2;

/// `matrix`' options.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    cells: Cells,
    /// The folder for the matrix [default: runs/TIME]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Resume the interrupted matrix in this folder, with the options that it
    /// was begun with
    #[arg(long, value_name = "FOLDER", conflicts_with = "out", value_parser = home::run_folder)]
    resume: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// The kernels of a matrix.
#[derive(Debug, Args)]
struct Kernels {
    #[arg(
        id = "kernel",
        long = "kernel",
        value_name = "KERNEL",
        help = format!(
            "The kernel (repeatable): {} [default: those of the manifest]",
            options::FORMS
        )
    )]
    names: Vec<String>,
}

/// What is done on which kernels.
#[derive(Debug, Args)]
struct Cells {
    #[command(flatten)]
    kernels: Given<Kernels>,
    #[command(flatten)]
    wanted: Given<Wanted>,
    #[command(flatten)]
    setup: Given<Setup>,
}

/// A part of a matrix, for several machines.
#[derive(Debug, Subcommand)]
enum Action {
    /// Print the cells as JSON, in the form that CI services take
    Plan {
        #[command(flatten)]
        series: Series,
        #[command(flatten)]
        kernels: Kernels,
        /// For which CI service
        #[arg(long, value_enum, default_value_t = Form::Github)]
        form: Form,
    },
    /// Run one cell by itself, into --out/KERNEL
    Cell(Box<CellOptions>),
    /// Submit the cells to a batch system as an array job, followed by the merge
    Submit {
        #[command(flatten)]
        cells: Box<Cells>,
        /// The folder for the matrix: shared, with the same path on all machines
        /// [default: runs/TIME]
        #[arg(long)]
        out: Option<PathBuf>,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
        /// Slurm, by sbatch
        #[arg(long, required = true)]
        slurm: bool,
    },
    /// Join the cells below these folders into one report
    Merge {
        /// Folders of cells, or of matrices
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Where to write it [default: the first folder]
        #[arg(long)]
        out: Option<PathBuf>,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
    },
}

/// A cell's options: all of them, or a plan that has them.
#[derive(Debug, Args)]
struct CellOptions {
    /// The kernel, in a form that patch-test takes
    #[arg(long, required_unless_present = "plan")]
    kernel: Option<String>,
    #[command(flatten)]
    wanted: Given<Wanted>,
    #[command(flatten)]
    setup: Given<Setup>,
    /// The folder of the matrix
    #[arg(long, required_unless_present = "plan")]
    out: Option<PathBuf>,
    /// The plan file of matrix submit; the folder of the cell is made next to it
    #[arg(
        long,
        value_name = "FILE",
        requires = "index",
        conflicts_with_all = ["kernel", "out"]
    )]
    plan: Option<PathBuf>,
    /// Which cell of the plan, counted from 0
    #[arg(long, value_name = "N", requires = "plan")]
    index: Option<usize>,
    /// Do not run the cell; record that it was lost, for this reason
    #[arg(long, value_name = "WHY", requires = "plan")]
    lost: Option<String>,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// GitHub Actions: strategy.matrix
    Github,
    /// GitLab: parallel.matrix
    Gitlab,
}

/// Runs the whole matrix, or a part of it.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    match &args.action {
        None => all(args, cancel),
        Some(Action::Plan {
            series,
            kernels,
            form,
        }) => print_json(&in_form(&names(&series.origin()?, kernels)?, *form)),
        Some(Action::Cell(cell)) => one(cell, cancel),
        Some(Action::Submit {
            cells, out, json, ..
        }) => submit(cells, out.as_deref(), *json, cancel),
        Some(Action::Merge { folders, out, json }) => merge(folders, out.as_deref(), *json),
    }
}

/// The kernels that the user names, else those of the manifest, else what a
/// series in a repository begins at.
fn names(origin: &Origin, kernels: &Kernels) -> Result<Vec<String>> {
    let mut names = kernels.names.clone();
    if names.is_empty() {
        names = origin.load()?.manifest.kernels;
    }
    if names.is_empty()
        && let DefaultKernel::Parent(own) = &origin.kernel
    {
        names.push(own.clone());
    }
    if names.is_empty() {
        return fail(Kind::Usage, "no kernel is named")
            .hint("name some with --kernel, or in the manifest as kernels = [...]");
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(folder_name(name)));
    Ok(names)
}

/// Every cell in turn. One that fails does not stop the others.
fn all(args: &Options, cancel: &Cancel) -> Result {
    let (claim, plan) = match &args.resume {
        Some(folder) => (Claim::of(folder)?, resumed(folder, &args.cells)?),
        None => begin(&args.cells, args.out.as_deref())?,
    };
    let place = claim.path().to_owned();
    let job = Job::new(cancel, plan.setup.offline)?;
    for (request, nth) in plan.cells.iter().zip(1..) {
        let (name, of) = (&request.kernel, plan.cells.len());
        job.progress.note(&format!("Kernel {nth} of {of}: {name}"));
        let ended = cell(&job, request, plan.setup.install(), &place);
        let (cell, hints) = ended.map_err(|failure| Failure {
            hints: vec![folder::resume_with("matrix", &place)],
            ..failure
        })?;
        if let Some(error) = &cell.error {
            job.progress.note(&format!("{name}: {error}"));
        }
        for hint in hints {
            job.progress.note(&format!("hint: {hint}"));
        }
    }
    folder::mark_latest(&place);
    let folders = plan.cells.iter();
    let folders = folders.map(|cell| place.join(folder_name(&cell.kernel)));
    finish(rows(folders, &place)?, &place, args.json)
}

/// Begins a matrix: a folder, and its plan in it.
fn begin(cells: &Cells, out: Option<&Path>) -> Result<(Claim, Plan)> {
    let wanted = &cells.wanted.options;
    let origin = wanted.series.origin()?;
    let names = names(&origin, &cells.kernels.options)?;
    let plan = Plan {
        schema: PLAN_SCHEMA,
        cells: names
            .iter()
            .map(|name| wanted.request(&origin, name, Extent::Brief))
            .collect(),
        setup: cells.setup.options.clone(),
    };
    let claim = Claim::fresh(out, &jiff::Timestamp::now())?;
    let mut json = serde_json::to_vec_pretty(&plan).kind(Kind::Infrastructure)?;
    json.push(b'\n');
    folder::write(&claim.path().join(PLAN), &json)?;
    Ok((claim, plan))
}

/// The plan of a matrix that was interrupted.
fn resumed(folder: &Path, given: &Cells) -> Result<Plan> {
    let plan = Plan::load(&folder.join(PLAN))?;
    let begun: Vec<&String> = plan.cells.iter().map(|cell| &cell.kernel).collect();
    let kernels = &given.kernels.options.names;
    if given.kernels.any && !kernels.iter().eq(begun.iter().copied()) {
        return fail(
            Kind::Usage,
            format!(
                "{} was begun with other kernels: {begun:?}, not {kernels:?}",
                folder.display()
            ),
        )
        .hint(RESUME_ALONE);
    }
    if given.wanted.any {
        let wanted = &given.wanted.options;
        let series = wanted.series.origin()?;
        for cell in &plan.cells {
            let given = wanted.request(&series, &cell.kernel, cell.extent);
            agree(folder, cell, &given)?;
        }
    }
    Ok(Plan {
        setup: match given.setup.any {
            true => given.setup.options.clone(),
            false => plan.setup,
        },
        ..plan
    })
}

/// What a matrix is made of: `plan.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    schema: u32,
    cells: Vec<Request>,
    setup: Setup,
}

/// One cell by itself.
fn one(args: &CellOptions, cancel: &Cancel) -> Result {
    let (request, setup, place) = match (&args.plan, args.index) {
        (Some(_), _) if args.wanted.any || args.setup.any => {
            return fail(Kind::Usage, "a plan has the options of its cells already")
                .hint("give --plan and --index alone");
        }
        (Some(plan), Some(index)) => planned(plan, index)?,
        _ => {
            let kernel = args.kernel.as_deref().unwrap_or_default();
            let wanted = &args.wanted.options;
            let series = wanted.series.origin()?;
            let request = wanted.request(&series, kernel, Extent::Brief);
            let place = args.out.clone().unwrap_or_default();
            (request, args.setup.options.clone(), place)
        }
    };
    let folder = place.join(folder_name(&request.kernel));
    let (cell, hints) = match &args.lost {
        Some(why) => {
            let cell = lost(&request.kernel, why.clone());
            write(&folder, &cell)?;
            (cell, Vec::new())
        }
        None => {
            let job = Job::new(cancel, setup.offline)?;
            let ended = cell(&job, &request, setup.install(), &place);
            ended.map_err(|failure| Failure {
                hints: vec!["resume with the same command".to_owned()],
                ..failure
            })?
        }
    };
    if args.json {
        print_json(&cell)?;
    } else {
        let row = row(&folder, &place)?;
        print(&report::matrix::terminal(&matrix(vec![row])))?;
    }
    end(cell.exit_code, cell.error.as_deref()).map_err(|failure| Failure { hints, ..failure })
}

impl Plan {
    fn load(file: &Path) -> Result<Self> {
        let bytes = fs_err::read(file).kind(Kind::Usage)?;
        let damaged =
            |error| anyhow::anyhow!("{} is not a valid plan.json: {error}", file.display());
        let json: Value = serde_json::from_slice(&bytes)
            .map_err(damaged)
            .kind(Kind::Usage)?;
        if json["schema"] != PLAN_SCHEMA {
            let (file, found) = (file.display(), &json["schema"]);
            return fail(
                Kind::Usage,
                format!("{file} has schema {found}, this version reads {PLAN_SCHEMA}"),
            );
        }
        serde_json::from_value(json)
            .map_err(damaged)
            .kind(Kind::Usage)
    }
}

/// A cell by its plan, and where it goes.
fn planned(file: &Path, index: usize) -> Result<(Request, Setup, PathBuf)> {
    let mut plan = Plan::load(file)?;
    if index >= plan.cells.len() {
        return fail(
            Kind::Usage,
            format!("{} has no cell {index}", file.display()),
        );
    }
    let place = file.parent().map(Path::to_owned).unwrap_or_default();
    Ok((plan.cells.swap_remove(index), plan.setup, place))
}

/// Hands the cells to Slurm.
fn submit(cells: &Cells, out: Option<&Path>, json: bool, cancel: &Cancel) -> Result {
    let (claim, plan) = begin(cells, out)?;
    let place = fs_err::canonicalize(claim.path()).kind(Kind::Infrastructure)?;
    let job = Job::new(cancel, plan.setup.offline)?;
    let submitted = slurm::Batch {
        program: &slurm::this_program()?,
        dir: &std::env::current_dir().kind(Kind::Infrastructure)?,
        place: &place,
        cells: plan.cells.len(),
    }
    .submit(&job)?;
    if json {
        return print_json(&submitted);
    }
    print(&format!(
        "array job {}, and {} joins its cells in {}\n",
        submitted.array,
        submitted.merge,
        place.display()
    ))
}

/// Runs a cell that has not come to its end yet, from where it was interrupted.
/// One that fails comes with advice.
fn cell(
    job: &Job,
    request: &Request,
    install: Install,
    place: &Path,
) -> Result<(Cell, Vec<String>)> {
    let folder = place.join(folder_name(&request.kernel));
    if folder.join(CELL).exists() {
        return Ok((load(&folder)?, Vec::new()));
    }
    fs_err::create_dir_all(&folder).kind(Kind::Infrastructure)?;
    let mut cell = blank(&request.kernel);
    let mut hints = Vec::new();
    if let Err(failure) = fill(job, request, install, &folder, &mut cell) {
        if failure.kind == Kind::Interrupted || job.cancel.cancelled() {
            return Err(failure);
        }
        cell.exit_code = failure.kind.code();
        cell.error = Some(failure.to_string());
        hints = failure.hints;
    }
    write(&folder, &cell)?;
    Ok((cell, hints))
}

/// A cell of which nothing is known yet.
fn blank(kernel: &str) -> Cell {
    Cell {
        schema: SCHEMA,
        series: String::new(),
        kernel: kernel.to_owned(),
        version: None,
        applies: None,
        missing_symbols: Vec::new(),
        prerequisites: Vec::new(),
        ended: None,
        error: None,
        exit_code: 0,
    }
}

/// A cell that came to no end of its own.
fn lost(kernel: &str, why: String) -> Cell {
    Cell {
        ended: Some(Stage::Boot),
        error: Some(why),
        exit_code: Kind::Infrastructure.code(),
        ..blank(kernel)
    }
}

fn write(folder: &Path, cell: &Cell) -> Result {
    fs_err::create_dir_all(folder).kind(Kind::Infrastructure)?;
    let mut json = serde_json::to_vec_pretty(cell).kind(Kind::Infrastructure)?;
    json.push(b'\n');
    folder::write(&folder.join(CELL), &json)
}

/// Does a cell's work, noting how far it came.
fn fill(job: &Job, request: &Request, install: Install, folder: &Path, cell: &mut Cell) -> Result {
    cell.ended = Some(Stage::Source);
    let series = request.load(None)?;
    cell.series = format!("{} v{}", series.manifest.name, series.manifest.version);
    let store = kernels::store(job)?;
    let tree = kernels::apply(job, &store, &series, &request.kernel)
        .inspect_err(|failure| cell.ended = Some(stage(failure)))?;
    cell.version = Some(tree.version.clone());
    cell.applies = Some(tree.report.verdict.as_str().to_owned());
    cell.missing_symbols
        .clone_from(&tree.report.missing_symbols);
    cell.prerequisites.clone_from(&tree.report.prerequisites);
    if tree.arms.is_none() {
        cell.ended = Some(Stage::Apply);
        return Err(kernels::refusal(&tree));
    }
    let place = if folder::has_run(folder) {
        Place::Resumed(folder)
    } else {
        Place::New(Some(folder))
    };
    let finished = run::run(job, request, install, place, None).inspect_err(|failure| {
        cell.ended = Some(stage(failure));
        if let Some(symbol) = kernels::lacks(failure, &series.patches) {
            cell.applies = Some(Verdict::NeedsPrerequisite.as_str().to_owned());
            cell.missing_symbols.push(symbol.to_owned());
        }
    })?;
    cell.ended = None;
    outcome::judge(&finished.report, request.require_conclusion)
}

/// Where a failure of this kind ends a cell.
fn stage(failure: &Failure) -> Stage {
    match failure.kind {
        Kind::Apply => Stage::Apply,
        Kind::Build => Stage::Build,
        Kind::Usage => Stage::Source,
        _ => Stage::Boot,
    }
}

fn load(folder: &Path) -> Result<Cell> {
    let path = folder.join(CELL);
    let bytes = fs_err::read(&path).kind(Kind::Usage)?;
    let cell: Cell = serde_json::from_slice(&bytes)
        .map_err(|error| anyhow::anyhow!("{} is not a valid cell.json: {error}", path.display()))
        .kind(Kind::Usage)?;
    if cell.schema != SCHEMA {
        return fail(
            Kind::Usage,
            format!(
                "{} has schema {}, this version reads {SCHEMA}",
                path.display(),
                cell.schema
            ),
        );
    }
    Ok(cell)
}

/// A cell and its run, read back.
fn row(folder: &Path, place: &Path) -> Result<Row> {
    let cell = load(folder)?;
    let report = match cell.ended {
        Some(_) => None,
        None => Some(evidence::analyse(&folder::load(folder)?)),
    };
    // Where the cell lies elsewhere no link would hold on another machine.
    let link = folder.strip_prefix(place).unwrap_or(folder);
    let link = link.to_string_lossy().into_owned();
    Ok(Row::new(cell, report.map(|report| (link, report))))
}

fn rows(folders: impl Iterator<Item = PathBuf>, place: &Path) -> Result<Vec<Row>> {
    folders.map(|folder| row(&folder, place)).collect()
}

fn matrix(rows: Vec<Row>) -> Matrix {
    let mut series: Vec<&str> = rows.iter().map(|row| row.cell.series.as_str()).collect();
    series.retain(|series| !series.is_empty());
    series.dedup();
    Matrix::new(series.join("; "), rows)
}

/// Writes the reports, prints one, and ends with what the cells call for.
fn finish(rows: Vec<Row>, place: &Path, json: bool) -> Result {
    let matrix = matrix(rows);
    let as_json = serde_json::to_string_pretty(&matrix).kind(Kind::Infrastructure)?;
    let files = [
        ("matrix.json", as_json + "\n"),
        ("matrix.md", report::matrix::markdown(&matrix)),
        ("matrix.html", report::matrix::html(&matrix)),
        (
            "junit.xml",
            report::matrix::junit(&matrix).kind(Kind::Infrastructure)?,
        ),
        (
            "matrix.ktap",
            report::matrix::ktap(&matrix).kind(Kind::Infrastructure)?,
        ),
        (
            "kcidb.json",
            report::kcidb(&matrix).kind(Kind::Infrastructure)?,
        ),
    ];
    for (name, text) in files {
        folder::write(&place.join(name), text.as_bytes())?;
    }
    if json {
        print_json(&matrix)?;
    } else {
        print(&report::matrix::terminal(&matrix))?;
        print(&format!("\n{}\n", place.join("matrix.html").display()))?;
    }
    let errors: Vec<_> = matrix
        .cells
        .iter()
        .filter(|row| row.cell.exit_code != 0)
        .map(|row| row.cell.kernel.as_str())
        .collect();
    end(matrix.exit_code(), Some(&errors.join(", ")))
}

/// Ends the command with a cell's code.
fn end(code: u8, why: Option<&str>) -> Result {
    match Kind::of_code(code) {
        None => Ok(()),
        Some(kind) => fail(kind, why.unwrap_or_default()),
    }
}

fn in_form(names: &[String], form: Form) -> Value {
    match form {
        Form::Github => {
            let cells: Vec<_> = names
                .iter()
                .map(|name| json!({ "kernel": name, "cell": folder_name(name) }))
                .collect();
            json!({ "include": cells })
        }
        Form::Gitlab => json!([{ "KERNEL": names }]),
    }
}

/// Joins cells that other machines ran. One that was planned and left nothing
/// is lost, not left out.
fn merge(folders: &[PathBuf], out: Option<&Path>, json: bool) -> Result {
    let place = match out {
        Some(out) => out,
        None => folders.first().map_or(Path::new("."), PathBuf::as_path),
    };
    let mut cells = Vec::new();
    let mut planned = Vec::new();
    for folder in folders {
        if folder.join(CELL).exists() {
            cells.push(folder.clone());
            continue;
        }
        if folder.join(PLAN).exists() {
            let plan = Plan::load(&folder.join(PLAN))?;
            planned.extend(plan.cells.into_iter().map(|cell| cell.kernel));
        }
        let entries = fs_err::read_dir(folder).kind(Kind::Usage)?;
        for entry in entries {
            let path = entry.kind(Kind::Usage)?.path();
            if path.join(CELL).exists() {
                cells.push(path);
            }
        }
    }
    if cells.is_empty() && planned.is_empty() {
        return fail(
            Kind::Usage,
            format!("none of the folders has a {CELL} or a {PLAN}"),
        );
    }
    fs_err::create_dir_all(place).kind(Kind::Infrastructure)?;
    let mut rows = rows(cells.into_iter(), place)?;
    planned.retain(|kernel| rows.iter().all(|row| row.cell.kernel != *kernel));
    let nothing = planned
        .iter()
        .map(|kernel| lost(kernel, format!("it was planned, but left no {CELL}")));
    rows.extend(nothing.map(|cell| Row::new(cell, None)));
    rows.sort_by_cached_key(|row| natural(&row.cell.kernel));
    finish(rows, place, json)
}

/// A key by which 6.12 stands behind 6.1 and 6.2.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    parts
        .map(|part| (part.parse().unwrap_or(u64::MAX), part.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_stand_in_their_order() {
        let mut names = ["7.2", "6.12", "6.1", "git:a#b", "6.2"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["6.1", "6.2", "6.12", "7.2", "git:a#b"]);
    }

    #[test]
    fn plans_in_the_form_of_each_service() {
        let names = ["6.1".to_owned(), "git:../linux#v6.12".to_owned()];
        let text = |form| in_form(&names, form).to_string();
        assert_eq!(
            text(Form::Github),
            r#"{"include":[{"cell":"6.1","kernel":"6.1"},{"cell":"git-..-linux-v6.12","kernel":"git:../linux#v6.12"}]}"#
        );
        assert_eq!(
            text(Form::Gitlab),
            r#"[{"KERNEL":["6.1","git:../linux#v6.12"]}]"#
        );
    }
}
