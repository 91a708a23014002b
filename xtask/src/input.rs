//! The series under test, from wherever the user has it.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use evidence::run::Question;
use series::index::{Found, Index};
use series::manifest::{self, Manifest, Suite};
use series::patch::Patch;
use series::review::SeriesMails;
use series::{Identity, Shared, mail};

use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::home::workspace;
use crate::own_tree;

/// The largest input that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// A series and what its manifest says of it.
pub struct Series {
    /// The manifest, and what the suite needs beside it; made up where nothing is
    /// known of the series.
    pub manifest: Manifest,
    /// Where the manifest comes from.
    pub basis: Basis,
    /// The patches, in order.
    pub patches: Vec<Patch>,
    /// What both arms get where a tree lacks the symbol.
    pub prerequisites: Vec<(String, Vec<Patch>)>,
    /// What takes the series out of a kernel that has it.
    pub inverses: Vec<Vec<Patch>>,
    /// What the user should know about the input.
    pub warnings: Vec<String>,
    /// Whether it is what is not committed, and so another one soon.
    pub is_work_tree: bool,
}

/// Where what is known of a series comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The folder that it was read from.
    Own(PathBuf),
    /// A folder of the same series, and what both share.
    Found(PathBuf, Shared),
    /// The folder that the user named.
    Named(PathBuf),
    /// Nothing is known of it.
    Nothing,
    /// There is no series.
    NoSeries,
}

impl Basis {
    /// The folder that has the manifest.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Own(folder) | Self::Found(folder, _) | Self::Named(folder) => Some(folder),
            Self::Nothing | Self::NoSeries => None,
        }
    }

    /// What a run asks of the series: without a manifest, what it breaks.
    pub fn question(&self) -> Question {
        match self {
            Self::Nothing => Question::Regressions,
            _ => Question::Expectations,
        }
    }

    /// What the user should know of the choice.
    fn note(&self) -> Option<String> {
        match self {
            Self::Own(_) | Self::NoSeries => None,
            Self::Found(folder, shared) => Some(format!(
                "{} is of the same series: both have {shared}. Its manifest is used; \
                 `--manifest none` tests without it",
                named(folder)
            )),
            Self::Named(folder) => Some(format!("the manifest of {} is used", named(folder))),
            Self::Nothing => Some(
                "no folder in patches/ is of this series: the question is only what it breaks"
                    .to_owned(),
            ),
        }
    }
}

impl Series {
    /// The patches for one kernel: of a folder its variant for it, if any.
    pub fn patches_for(&self, version: &str) -> Result<Vec<Patch>> {
        match &self.basis {
            Basis::Own(folder) if !self.manifest.variants.is_empty() => {
                Ok(read_files(folder, self.manifest.patches_for(version))?.patches)
            }
            _ => Ok(self.patches.clone()),
        }
    }

    /// What the folder of the same series has for this kernel, to be used where
    /// the patches themselves don't apply, with the folder's name.
    pub fn stand_in_for(&self, version: &str) -> Result<Option<(String, Vec<Patch>)>> {
        let (Basis::Found(folder, _) | Basis::Named(folder)) = &self.basis else {
            return Ok(None);
        };
        let mut variants = self.manifest.variants.iter();
        match variants.find(|variant| variant.kernels.contains(version)) {
            Some(variant) => Ok(Some((
                named(folder),
                read_files(folder, &variant.patches)?.patches,
            ))),
            None => Ok(None),
        }
    }

    /// What a reader of the series should know before it is judged.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.basis.note().into_iter().collect();
        notes.extend(self.warnings.iter().cloned());
        if !self.manifest.missing.is_empty() {
            let list: Vec<_> = self
                .manifest
                .missing
                .iter()
                .map(ToString::to_string)
                .collect();
            let (patches, are) = match list.len() {
                1 => ("patch", "is"),
                _ => ("patches", "are"),
            };
            notes.push(format!(
                "{patches} {} of {} v{} {are} missing from the input; the others are tested \
                 without{}",
                list.join(", "),
                self.manifest.name,
                self.manifest.version,
                self.manifest
                    .missing_note
                    .as_ref()
                    .map_or(String::new(), |n| format!(" ({n})")),
            ));
        }
        notes
    }
}

/// What `--series` is called where there is none: the kernel as it is. What
/// `--manifest` is called where none is to be used.
const NONE: &str = "none";

/// Reads the series that `--series` names, with the manifest that `--manifest`
/// names or else that of its own folder, else that of the folder in `patches/` that
/// is of the same series.
pub fn load(from: &str, manifest: Option<&str>) -> Result<Series> {
    let suite = suite()?;
    if from == NONE {
        let nothing = Manifest {
            name: NONE.to_owned(),
            title: "no series: the kernel as it is".to_owned(),
            ..Manifest::default()
        };
        return Ok(Series {
            manifest: nothing.on(&suite),
            basis: Basis::NoSeries,
            patches: Vec::new(),
            prerequisites: Vec::new(),
            inverses: Vec::new(),
            warnings: Vec::new(),
            is_work_tree: false,
        });
    }
    let place = in_workspace(from);
    let own = match place.join(manifest::FILE).is_file() {
        true => Some(Known::read(&place)?),
        false => None,
    };
    let in_repository = match own {
        None if from != "-" => own_tree::find(from)?,
        _ => None,
    };
    let mut notes = Vec::new();
    let (mut series, own) = match (own, &in_repository) {
        (Some(own), _) => (own.series.clone(), Some(own)),
        (None, Some(named)) => {
            let read = named.read()?;
            notes = read.notes;
            (read.series, None)
        }
        (None, None) => (series(from)?, None),
    };
    if manifest == Some(NONE)
        && let Some(own) = &own
    {
        // What the input is called, it keeps.
        series.name.clone_from(&own.manifest.name);
        series.title.clone_from(&own.manifest.title);
        series.version = own.manifest.version;
        series.missing.clone_from(&own.manifest.missing);
    }
    let known = known(manifest, own, &series.identity)?;
    let (manifest, basis) = match known {
        None => (
            series::manifest_of(&series).kind(Kind::Usage)?,
            Basis::Nothing,
        ),
        Some((known, basis @ Basis::Own(_))) => (known.manifest, basis),
        Some((known, basis)) => (adopted(known.manifest, &series), basis),
    };
    let folder = basis.folder();
    let read = |file: &String| match folder {
        Some(folder) => Ok(read_files(folder, std::slice::from_ref(file))?.patches),
        None => Ok(Vec::new()),
    };
    let prerequisites = manifest
        .prerequisites
        .iter()
        .map(|p| Ok((p.symbol.clone(), read(&p.file)?)))
        .collect::<Result<_>>()?;
    let inverses = manifest
        .inverses
        .iter()
        .map(|i| read(&i.file))
        .collect::<Result<_>>()?;
    Ok(Series {
        prerequisites,
        inverses,
        patches: series.patches,
        warnings: match &basis {
            Basis::Own(_) => Vec::new(),
            _ => {
                let warnings = series.warnings.iter().map(ToString::to_string);
                warnings.chain(notes).collect()
            }
        },
        manifest: manifest.on(&suite),
        basis,
        is_work_tree: in_repository.is_some_and(|named| named.is_work_tree()),
    })
}

/// Which metric the words of a changelog mean, of a series with these titles: by the
/// folder that `--manifest` names, else by that of the same series.
pub fn claims(titles: &[&str], manifest: Option<&str>) -> Result<BTreeMap<String, String>> {
    let mut identity = Identity::default();
    for title in titles {
        identity.add_title(title);
    }
    let known = known(manifest, None, &identity)?.map(|(known, _)| known);
    let measure = known.and_then(|known| known.manifest.measure);
    Ok(measure.map(|measure| measure.claims).unwrap_or_default())
}

/// A path as the user means it: the default is meant from the workspace, wherever
/// the command is run.
fn in_workspace(path: &str) -> PathBuf {
    let path = Path::new(path);
    match path.exists() {
        true => path.to_owned(),
        false => workspace().join(path),
    }
}

/// A folder as messages call it.
fn named(folder: &Path) -> String {
    let short = folder.strip_prefix(workspace()).unwrap_or(folder);
    short.display().to_string()
}

/// What the scenarios need for themselves.
fn suite() -> Result<Suite> {
    let path = workspace().join("kernel-tests/suite.toml");
    let text = fs_err::read_to_string(&path).kind(Kind::Infrastructure)?;
    manifest::parse_suite(&text)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
        .kind(Kind::Usage)
}

/// A series' folder.
struct Known {
    folder: PathBuf,
    manifest: Manifest,
    /// Its own patches.
    series: series::Series,
}

impl Known {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(manifest::FILE);
        let text = fs_err::read_to_string(&path).kind(Kind::Usage)?;
        let manifest = manifest::parse(&text)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
            .kind(Kind::Usage)?;
        let series = read_files(folder, &manifest.patches)?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            series,
        })
    }

    fn identity(&self) -> Identity {
        let mut identity = self.manifest.identity();
        identity.extend(self.series.identity.clone());
        identity
    }
}

/// What is known of a series: by the folder that `--manifest` names, else by its
/// `own`, else by that of the same series.
fn known(
    manifest: Option<&str>,
    own: Option<Known>,
    identity: &Identity,
) -> Result<Option<(Known, Basis)>> {
    let found = match (manifest, own) {
        (Some(NONE), _) => None,
        (Some(folder), _) => {
            let known = Known::read(&in_workspace(folder))?;
            let basis = Basis::Named(known.folder.clone());
            Some((known, basis))
        }
        (None, Some(own)) => {
            let basis = Basis::Own(own.folder.clone());
            Some((own, basis))
        }
        (None, None) => same_series(identity)?.map(|(known, shared)| {
            let basis = Basis::Found(known.folder.clone(), shared);
            (known, basis)
        }),
    };
    Ok(found)
}

/// The folder in `patches/` that is of the same series as what has this identity,
/// and what they share; of several the one that shares the surest.
fn same_series(identity: &Identity) -> Result<Option<(Known, Shared)>> {
    let mut found: Option<(Known, Shared)> = None;
    for folder in known_folders()? {
        let known = match Known::read(&folder) {
            Ok(known) => known,
            // What is wrong with it is no concern of another series.
            Err(error) => {
                eprintln!("warning: {} is left out: {error}", named(&folder));
                continue;
            }
        };
        let Some(shared) = known.identity().shared(identity) else {
            continue;
        };
        if found
            .as_ref()
            .is_none_or(|(_, best)| shared.is_surer_than(best))
        {
            found = Some((known, shared));
        }
    }
    Ok(found)
}

/// The folders in `patches/` that have a manifest, by name.
fn known_folders() -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(workspace().join("patches")).kind(Kind::Infrastructure)? {
        let folder = entry.kind(Kind::Infrastructure)?.path();
        if folder.join(manifest::FILE).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

/// What a manifest says, of another version of its series.
fn adopted(manifest: Manifest, series: &series::Series) -> Manifest {
    let is_same = (manifest.version, &manifest.missing) == (series.version, &series.missing);
    Manifest {
        title: series.title.clone(),
        version: series.version,
        missing: series.missing.clone(),
        missing_note: manifest.missing_note.filter(|_| is_same),
        ..manifest
    }
}

/// Reads all of standard input.
pub fn stdin() -> Result<Vec<u8>> {
    read_all(std::io::stdin().lock(), "standard input")
}

/// Reads a series as it comes, without a manifest.
pub fn series(from: &str) -> Result<series::Series> {
    if from == "-" {
        return parse(&stdin()?);
    }
    if let Some(named) = own_tree::find(from)? {
        return Ok(named.read()?.series);
    }
    let path = Path::new(from);
    if path.is_dir() {
        return folder(path);
    }
    if path.is_file() {
        return parse(&read_all(
            fs_err::File::open(path).kind(Kind::Usage)?,
            from,
        )?);
    }
    fail(
        Kind::Usage,
        format!(
            "{} is not a file, a folder, a range of commits or a branch",
            shown(from)
        ),
    )
    .hint("a range is A..B in a kernel's repository, or REPO:A..B")
}

/// What mailboxes have.
pub enum Mailboxes {
    /// The series that was asked for, or the only one.
    One(SeriesMails),
    /// Several, or none.
    Several(Vec<Found>),
}

/// Reads the mails of one series: first all headers, to see which mails those
/// are, then these mails.
pub fn mailboxes(places: &[String], which: Option<&str>) -> Result<Mailboxes> {
    let mut places = places
        .iter()
        .map(|place| Place::new(place))
        .collect::<Result<Vec<_>>>()?;
    let mut index = Index::default();
    for place in &mut places {
        index.next_place();
        place.each(&mut |mail| index.add(mail).map_err(refused))?;
    }
    let mut series = index.series(which);
    let [one] = series.as_mut_slice() else {
        return Ok(Mailboxes::Several(series));
    };
    let mut wanted = std::mem::take(&mut one.mails).into_iter().peekable();
    let mut found = SeriesMails::default();
    let mut at = 0;
    for place in &mut places {
        let announced = place.each(&mut |mail| {
            let is_wanted = wanted.next_if_eq(&at).is_some();
            at += 1;
            match is_wanted {
                true => found.add(mail).map_err(refused),
                false => Ok(()),
            }
        })?;
        found.announce(announced);
    }
    Ok(Mailboxes::One(found))
}

/// Where mails are.
enum Place {
    /// What comes once, such as standard input.
    Held(Vec<u8>, String),
    /// Files in this order, with the name to show for each.
    Files(Vec<(PathBuf, String)>),
}

impl Place {
    fn new(place: &str) -> Result<Self> {
        if place == "-" {
            return Self::held(std::io::stdin().lock(), "standard input");
        }
        let path = Path::new(place);
        if path.is_dir() {
            return Ok(Self::Files(mail_files(path)?));
        }
        if path.is_file() {
            return Ok(Self::Files(vec![(path.to_owned(), place.to_owned())]));
        }
        if path.exists() {
            return Self::held(fs_err::File::open(path).kind(Kind::Usage)?, place);
        }
        fail(
            Kind::Usage,
            format!("{place} is neither a file nor a folder"),
        )
    }

    /// Mail is looked at twice, so what comes once is kept, if it is no more
    /// than a thread.
    fn held(from: impl Read, name: &str) -> Result<Self> {
        let mut bytes = Vec::new();
        from.take(mail::MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .kind(Kind::Usage)?;
        if bytes.len() > mail::MAX_BYTES {
            return fail(
                Kind::Usage,
                format!("{name} has more than {} MiB", mail::MAX_BYTES >> 20),
            )
            .hint("save it to a file and give that");
        }
        Ok(Self::Held(bytes, name.to_owned()))
    }

    /// Looks at each mail. Gives how many patches an archive says were posted.
    /// A folder's file that is no mail is left out from then on.
    fn each(&mut self, look: &mut dyn FnMut(&mail::RawMail) -> Result) -> Result<Option<u32>> {
        match self {
            Self::Held(bytes, name) => {
                each_mail(mail::Mails::new(bytes.as_slice()), &shown(name), look)
            }
            Self::Files(files) => {
                let mut announced = None;
                let mut mail = Vec::new();
                let alone = files.len() == 1;
                for (path, name) in std::mem::take(files) {
                    let file = fs_err::File::open(&path).kind(Kind::Usage)?;
                    let file = BufReader::with_capacity(1 << 18, file);
                    let mails = mail::Mails::new(file);
                    if let Some(error) = mails.as_ref().err().filter(|one| one.is_no_mail())
                        && !alone
                    {
                        eprintln!("warning: {} is left out: {error}", shown(&name));
                        continue;
                    }
                    announced = announced.or(each_mail(mails, &shown(&name), look)?);
                    mail.push((path, name));
                }
                *files = mail;
                Ok(announced)
            }
        }
    }
}

/// A file's name as a terminal may see it.
fn shown(name: &str) -> String {
    name.replace(char::is_control, "?")
}

fn each_mail(
    mails: std::result::Result<mail::Mails<'_>, mail::Error>,
    name: &str,
    look: &mut dyn FnMut(&mail::RawMail) -> Result,
) -> Result<Option<u32>> {
    let named = |error| {
        refused(mail::Error::File {
            name: name.to_owned(),
            error: Box::new(error),
        })
    };
    let mut mails = mails.map_err(named)?;
    while let Some(mail) = mails.next().map_err(named)? {
        look(&mail)?;
    }
    Ok(mails.announced())
}

/// Mail that can't be used.
pub fn refused(error: impl Into<series::Error>) -> Failure {
    Failure::new(Kind::Usage, error.into())
}

fn parse(bytes: &[u8]) -> Result<series::Series> {
    series::parse(bytes).map_err(refused)
}

/// The patches of a folder, each by itself, with its file's name.
pub fn patches(folder: &Path) -> Result<Vec<(String, Patch)>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder).kind(Kind::Usage)? {
        let name = entry.kind(Kind::Usage)?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.ends_with(".patch")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let mut patches = Vec::new();
    for name in names {
        let series = read_files(folder, std::slice::from_ref(&name))?;
        match <[Patch; 1]>::try_from(series.patches) {
            Ok([patch]) => patches.push((name.trim_end_matches(".patch").to_owned(), patch)),
            Err(others) => {
                return fail(
                    Kind::Usage,
                    format!("{name} holds {} patches instead of one", others.len()),
                );
            }
        }
    }
    Ok(patches)
}

fn read_files(folder: &Path, names: &[String]) -> Result<series::Series> {
    let mut files = Vec::new();
    for name in names {
        let file = fs_err::File::open(folder.join(name)).kind(Kind::Usage)?;
        files.push((name.clone(), read_all(file, name)?));
    }
    let thread = mail::parse_files(&files).map_err(refused)?;
    series::from_thread(thread).map_err(refused)
}

/// A folder of patch files, or a maildir.
fn folder(path: &Path) -> Result<series::Series> {
    let mut files = Vec::new();
    for (file, name) in mail_files(path)? {
        let bytes = read_all(fs_err::File::open(&file).kind(Kind::Usage)?, &name)?;
        files.push((name, bytes));
    }
    let thread = mail::parse_files(&files).map_err(refused)?;
    series::from_thread(thread).map_err(refused)
}

/// The mails in a maildir, or the patch files in any other folder, by name.
fn mail_files(path: &Path) -> Result<Vec<(PathBuf, String)>> {
    let maildir = ["cur", "new"].map(|d| path.join(d));
    let is_mail = maildir.iter().all(|d| d.is_dir());
    let places = match is_mail {
        true => maildir.to_vec(),
        false => vec![path.to_owned()],
    };
    let mut all = Vec::new();
    for place in &places {
        for entry in fs_err::read_dir(place).kind(Kind::Usage)? {
            let file = entry.kind(Kind::Usage)?.path();
            let name = file.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            if file.is_file() {
                all.push((file, name));
            }
        }
    }
    let ending = |endings: &[&str]| {
        let mut files = all.clone();
        files.retain(|(_, name)| endings.iter().any(|end| name.ends_with(end)));
        files
    };
    let mut files = match is_mail {
        true => all,
        false => match ending(&[".patch", ".mbox", ".mbx", ".eml", ".gz"]) {
            // The text of a thread, as an archive shows it.
            none if none.is_empty() => ending(&[".txt"]),
            files => files,
        },
    };
    if files.is_empty() {
        return fail(
            Kind::Usage,
            format!(
                "{} has no {} and no file ending in .patch, .mbox, .mbx, .eml, .gz or .txt",
                path.display(),
                manifest::FILE
            ),
        );
    }
    files.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(files)
}

fn read_all(from: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .kind(Kind::Usage)?;
    if bytes.len() as u64 > LARGEST {
        return fail(
            Kind::Usage,
            format!("{name} is larger than {} MiB", LARGEST >> 20),
        );
    }
    Ok(bytes)
}
