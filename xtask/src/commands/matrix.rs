//! `matrix`: `patch-test` over several kernels, here or on many machines.

use std::path::{Path, PathBuf};

use evidence::matrix::{Cell, Matrix, Row, SCHEMA, Stage};
use evidence::render;
use evidence::run::folder_name;
use serde_json::{Value, json};
use vm::process::Cancel;

use super::{print, print_json};
use crate::cli::{self, Form, MatrixAction, PatchTest, Shared};
use crate::exit::{Classify, Failure, Kind, Result, fail};
use crate::input;
use crate::job::Job;
use crate::pipeline::{self, Extent, Place};
use crate::{again, kernels, outcome, rundir, slurm};

/// What is known of a cell beside its run.
const CELL: &str = "cell.json";
/// What a matrix is made of.
const PLAN: &str = "plan.json";

/// Runs the whole matrix, or a part of it.
pub fn run(args: cli::Matrix, cancel: &Cancel) -> Result {
    match args.action {
        None => all(&args.test, cancel),
        Some(MatrixAction::Plan { shared, form }) => plan(&shared, form),
        Some(MatrixAction::Cell(cell)) => one(*cell, cancel),
        Some(MatrixAction::Submit { test, .. }) => submit(&test, cancel),
        Some(MatrixAction::Merge { folders, out, json }) => merge(&folders, out.as_deref(), json),
    }
}

/// The kernels that the user names, else those of the manifest.
fn kernels(shared: &Shared) -> Result<Vec<String>> {
    let mut names = shared.kernels.clone();
    if names.is_empty() {
        names = input::load(&shared.series)?.manifest.kernels;
    }
    if names.is_empty() {
        return fail(
            Kind::Usage,
            "no kernels: name some with --kernel, or in the manifest as kernels = [...]",
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(folder_name(name)));
    Ok(names)
}

/// Every cell in turn. One that fails does not stop the others.
fn all(test: &PatchTest, cancel: &Cancel) -> Result {
    let (place, plan) = match &test.resume {
        Some(folder) => (folder.clone(), resumed(folder, &test.shared)?),
        None => begin(&test.shared)?,
    };
    let begun = plan.test()?;
    let options = Shared {
        json: test.shared.json,
        ..begun.shared.clone()
    };
    let job = Job::new(options, cancel)?;
    for (name, nth) in plan.kernels.iter().zip(1..) {
        let of = plan.kernels.len();
        job.progress.note(&format!("Kernel {nth} of {of}: {name}"));
        let cell = cell(&job, &begun, name, &place)?;
        if let Some(error) = &cell.error {
            job.progress.note(&format!("{name}: {error}"));
        }
    }
    rundir::mark_latest(&place);
    let folders = plan.kernels.iter();
    let folders = folders.map(|name| place.join(folder_name(name)));
    finish(rows(folders, &place)?, &place, test.shared.json)
}

/// Begins a matrix: a folder, and its plan in it.
fn begin(shared: &Shared) -> Result<(PathBuf, Plan)> {
    let plan = Plan {
        schema: SCHEMA,
        args: again::of_cells(given()),
        kernels: kernels(shared)?,
    };
    let place = rundir::create(shared.out.as_deref(), &jiff::Timestamp::now())?;
    let mut json = serde_json::to_vec_pretty(&plan).kind(Kind::Infrastructure)?;
    json.push(b'\n');
    rundir::write(&place.join(PLAN), &json)?;
    Ok((place, plan))
}

/// The plan of a matrix that was broken off.
fn resumed(folder: &Path, shared: &Shared) -> Result<Plan> {
    let plan = Plan::load(&folder.join(PLAN))?;
    let given = given();
    if shared.kernels.is_empty() || shared.kernels == plan.kernels {
        again::agree(folder, &plan.args, &again::of_cells(given))?;
    } else {
        let kernels = plan.kernels.iter().flat_map(|one| ["--kernel", one]);
        let begun = kernels.map(str::to_owned).chain(plan.args.iter().cloned());
        again::agree(folder, &begun.collect::<Vec<_>>(), &given)?;
    }
    Ok(plan)
}

/// The options that this command was given.
fn given() -> Vec<String> {
    let words = std::env::args().skip_while(|word| word != "matrix");
    let mut words = words.skip(1).peekable();
    words.next_if(|word| word == "submit");
    again::options(words)
}

/// What a matrix is made of: `plan.json`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Plan {
    schema: u32,
    kernels: Vec<String>,
    /// The options of each cell, but for its kernel and its folder.
    args: Vec<String>,
}

/// One cell by itself.
fn one(args: cli::Cell, cancel: &Cancel) -> Result {
    let (test, place) = match (&args.plan, args.index) {
        (Some(plan), Some(index)) => planned(plan, index)?,
        _ => {
            let place = args.test.shared.out.clone().or(args.test.resume.clone());
            (args.test, place)
        }
    };
    let [name] = test.shared.kernels.as_slice() else {
        return fail(Kind::Usage, "matrix cell takes one --kernel");
    };
    let Some(place) = place else {
        return fail(Kind::Usage, "matrix cell takes the matrix' folder as --out");
    };
    let cell = match args.lost {
        Some(why) => {
            let cell = lost(name, why);
            write(&place.join(folder_name(name)), &cell)?;
            cell
        }
        None => {
            let job = Job::new(test.shared.clone(), cancel)?;
            cell(&job, &test, name, &place)?
        }
    };
    if test.shared.json {
        print_json(&cell)?;
    } else {
        let row = row(&place.join(folder_name(name)), &place)?;
        print(&render::matrix::terminal(&matrix(vec![row])))?;
    }
    end(cell.exit_code, cell.error.as_deref())
}

impl Plan {
    fn load(file: &Path) -> Result<Self> {
        let bytes = fs_err::read(file).kind(Kind::Usage)?;
        let plan: Self = serde_json::from_slice(&bytes)
            .map_err(|error| anyhow::anyhow!("{} is no plan: {error}", file.display()))
            .kind(Kind::Usage)?;
        if plan.schema != SCHEMA {
            let (file, found) = (file.display(), plan.schema);
            return fail(
                Kind::Usage,
                format!("{file} has schema {found}, this version reads {SCHEMA}"),
            );
        }
        Ok(plan)
    }

    /// What is done on each kernel.
    fn test(&self) -> Result<PatchTest> {
        again::parse(&self.args)
    }
}

/// A cell's options by its plan, and where it goes.
fn planned(file: &Path, index: usize) -> Result<(PatchTest, Option<PathBuf>)> {
    let plan = Plan::load(file)?;
    let Some(kernel) = plan.kernels.get(index) else {
        return fail(
            Kind::Usage,
            format!("{} has no cell {index}", file.display()),
        );
    };
    let mut test = plan.test()?;
    test.shared.kernels = vec![kernel.clone()];
    Ok((test, file.parent().map(Path::to_owned)))
}

/// Hands the cells to Slurm.
fn submit(test: &PatchTest, cancel: &Cancel) -> Result {
    let (place, plan) = begin(&test.shared)?;
    let place = fs_err::canonicalize(place).kind(Kind::Infrastructure)?;
    let job = Job::new(test.shared.clone(), cancel)?;
    let submitted = slurm::Batch {
        program: &slurm::this_program()?,
        dir: &std::env::current_dir().kind(Kind::Infrastructure)?,
        place: &place,
        cells: plan.kernels.len(),
    }
    .submit(&job)?;
    if test.shared.json {
        return print_json(&submitted);
    }
    print(&format!(
        "array job {}, and {} joins its cells in {}\n",
        submitted.array,
        submitted.merge,
        place.display()
    ))
}

/// Runs a cell that has not come to its end yet, from where it was broken off.
fn cell(job: &Job, test: &PatchTest, name: &str, place: &Path) -> Result<Cell> {
    let folder = place.join(folder_name(name));
    if folder.join(CELL).exists() {
        return load(&folder);
    }
    fs_err::create_dir_all(&folder).kind(Kind::Infrastructure)?;
    let mut cell = blank(name);
    if let Err(failure) = fill(job, test, name, &folder, &mut cell) {
        if failure.kind == Kind::Interrupted || job.cancel.cancelled() {
            return Err(failure);
        }
        cell.exit_code = failure.kind.code();
        cell.error = Some(failure.to_string());
    }
    write(&folder, &cell)?;
    Ok(cell)
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
    rundir::write(&folder.join(CELL), &json)
}

/// Does a cell's work, noting how far it came.
fn fill(job: &Job, test: &PatchTest, name: &str, folder: &Path, cell: &mut Cell) -> Result {
    cell.ended = Some(Stage::Source);
    let work = input::load(&job.options.series)?;
    cell.series = format!("{} v{}", work.manifest.name, work.manifest.version);
    let store = kernels::store(job)?;
    let tree = kernels::apply(job, &store, &work, name)
        .inspect_err(|failure| cell.ended = Some(stage(failure)))?;
    cell.version = Some(tree.version.clone());
    cell.applies = Some(tree.report.verdict.as_str().to_owned());
    cell.missing_symbols
        .clone_from(&tree.report.missing_symbols);
    cell.prerequisites.clone_from(&tree.report.prerequisites);
    if tree.arms.is_none() {
        cell.ended = Some(Stage::Apply);
        return fail(Kind::Apply, kernels::explain(&tree));
    }
    let place = if folder.join("run.json").exists() {
        Place::Resumed(folder)
    } else {
        Place::New(Some(folder))
    };
    let finished = pipeline::run(job, test, name, place, Extent::Brief)
        .inspect_err(|failure| cell.ended = Some(stage(failure)))?;
    cell.ended = None;
    outcome::judge(&finished.report, test.require_conclusion)
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
        .map_err(|error| anyhow::anyhow!("{} is no cell: {error}", path.display()))
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
        None => Some(evidence::analyse(&rundir::load(folder)?)),
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
        ("matrix.md", render::matrix::markdown(&matrix)),
        ("matrix.html", render::matrix::html(&matrix)),
        (
            "junit.xml",
            render::matrix::junit(&matrix).kind(Kind::Infrastructure)?,
        ),
        (
            "matrix.ktap",
            render::matrix::ktap(&matrix).kind(Kind::Infrastructure)?,
        ),
        (
            "kcidb.json",
            render::kcidb(&matrix).kind(Kind::Infrastructure)?,
        ),
    ];
    for (name, text) in files {
        rundir::write(&place.join(name), text.as_bytes())?;
    }
    if json {
        print_json(&matrix)?;
    } else {
        print(&render::matrix::terminal(&matrix))?;
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

/// Prints the cells for a CI service.
fn plan(shared: &Shared, form: Form) -> Result {
    let names = kernels(shared)?;
    print_json(&in_form(&names, form))
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
            planned.extend(Plan::load(&folder.join(PLAN))?.kernels);
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
            format!("no folder given has a {CELL} or a {PLAN} in it"),
        );
    }
    fs_err::create_dir_all(place).kind(Kind::Infrastructure)?;
    let mut rows = rows(cells.into_iter(), place)?;
    planned.retain(|kernel| rows.iter().all(|row| row.cell.kernel != *kernel));
    let nothing = planned
        .iter()
        .map(|kernel| lost(kernel, format!("it was planned, and left no {CELL}")));
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
