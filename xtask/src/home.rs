//! Where the project's own files are: its patches, its configurations, the
//! guest's program. Decided anew each time the program is started, so that a
//! checkout that was moved or copied is its own.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The installed program's name.
pub const INSTALLED: &str = "reaperlab";

/// The project's files, and how its commands are called.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    /// A checkout: `cargo xtask`.
    Checkout(PathBuf),
    /// What `install` wrote: `reaperlab`, which lies in this folder.
    Installed(PathBuf),
    /// Neither.
    Lost,
}

static HOME: LazyLock<Home> = LazyLock::new(|| {
    let program = env::current_exe().and_then(|program| program.canonicalize());
    Home::find(
        program.unwrap_or_default().as_path(),
        env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
    )
});

impl Home {
    /// By the program's own place; where that is a target folder out of the
    /// checkout, by what cargo says as it runs the program.
    fn find(program: &Path, by_cargo: Option<PathBuf>) -> Self {
        let folder = program.parent().unwrap_or(Path::new(""));
        if program.file_name().is_some_and(|name| name == INSTALLED) {
            return match folder.join("kernel-tests/configs").is_dir() {
                true => Self::Installed(folder.to_owned()),
                false => Self::Lost,
            };
        }
        let above = program
            .ancestors()
            .find(|place| program.starts_with(place.join("target")) && is_checkout(place));
        let by_cargo = by_cargo.as_deref().and_then(Path::parent);
        match above.or(by_cargo.filter(|place| is_checkout(place))) {
            Some(place) => Self::Checkout(place.to_owned()),
            None => Self::Lost,
        }
    }
}

fn is_checkout(place: &Path) -> bool {
    let of_workspace = std::fs::read_to_string(place.join("Cargo.toml"))
        .is_ok_and(|text| text.contains("[workspace]"));
    of_workspace && place.join("xtask/Cargo.toml").is_file() && place.join("kernel-tests").is_dir()
}

/// Whether the project's files are found.
pub fn is_known() -> bool {
    *HOME != Home::Lost
}

/// The folder with `patches` and `kernel-tests`.
pub fn workspace() -> &'static Path {
    match &*HOME {
        Home::Checkout(place) | Home::Installed(place) => place,
        Home::Lost => Path::new("/nonexistent"),
    }
}

/// The checkout; none for the installed program.
pub fn checkout() -> Option<&'static Path> {
    match &*HOME {
        Home::Checkout(place) => Some(place),
        Home::Installed(_) | Home::Lost => None,
    }
}

/// How the user calls this program.
pub fn program() -> &'static str {
    match &*HOME {
        Home::Installed(_) => INSTALLED,
        Home::Checkout(_) | Home::Lost => "cargo xtask",
    }
}

/// A command line of this program's, to be shown.
pub fn line(words: &str) -> String {
    format!("{} {words}", program())
}

/// Where runs are kept: in the checkout, else in the user's folder for what
/// programs keep. None where the environment names none.
pub fn runs() -> Option<PathBuf> {
    match &*HOME {
        Home::Checkout(place) => Some(place.join("runs")),
        Home::Installed(_) | Home::Lost => {
            user_folder("XDG_STATE_HOME", ".local/state", |name| env::var_os(name))
                .map(|folder| folder.join("runs"))
        }
    }
}

/// A run's folder as the user names it: `runs/latest` is meant from where runs
/// are kept, wherever the command is run.
pub fn run_folder(name: &str) -> Result<PathBuf, Infallible> {
    let path = PathBuf::from(name);
    let kept = || Some(runs()?.join(path.strip_prefix("runs").ok()?));
    Ok(match path.exists() {
        true => path,
        false => kept().filter(|kept| kept.exists()).unwrap_or(path),
    })
}

/// Where `install` puts what belongs to the program.
pub fn data() -> Option<PathBuf> {
    user_folder("XDG_DATA_HOME", ".local/share", |name| env::var_os(name))
}

/// A folder of this program's by the rules of freedesktop.org, which want
/// absolute paths.
fn user_folder(
    variable: &str,
    below_home: &str,
    get: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let absolute = |name: &str| Some(PathBuf::from(get(name)?)).filter(|path| path.is_absolute());
    let folder = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)));
    folder.map(|folder| folder.join(INSTALLED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(place: &Path) {
        for folder in ["xtask", "kernel-tests", "target/debug"] {
            std::fs::create_dir_all(place.join(folder)).unwrap();
        }
        std::fs::write(place.join("Cargo.toml"), "[workspace]\n").unwrap();
        std::fs::write(place.join("xtask/Cargo.toml"), "").unwrap();
    }

    #[test]
    fn the_programs_own_place_decides() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        checkout(&one);
        checkout(&other);
        let by_cargo = |place: &Path| Some(place.join("xtask"));
        let found = |program: PathBuf, by_cargo| Home::find(&program, by_cargo);
        let at = |place: &Path| Home::Checkout(place.to_owned());
        let program = |place: &Path| place.join("target/debug/xtask");
        assert_eq!(found(program(&one), None), at(&one));
        assert_eq!(found(program(&one), by_cargo(&other)), at(&one));
        assert_eq!(
            found(one.join("target/debug/deps/xtask-12ab"), None),
            at(&one)
        );
        // A target folder somewhere else.
        let away = folder.path().join("away/debug/xtask");
        assert_eq!(found(away.clone(), by_cargo(&other)), at(&other));
        assert_eq!(found(away.clone(), Some(folder.path().into())), Home::Lost);
        assert_eq!(found(away, None), Home::Lost);
        // A moved checkout takes its target folder along; one that lost it has
        // no home.
        let moved = folder.path().join("moved");
        std::fs::rename(&one, &moved).unwrap();
        assert_eq!(found(program(&moved), None), at(&moved));
        assert_eq!(found(program(&one), None), Home::Lost);
    }

    #[test]
    fn an_installed_program_has_its_files_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(INSTALLED);
        assert_eq!(Home::find(&program, None), Home::Lost);
        std::fs::create_dir_all(folder.path().join("kernel-tests/configs")).unwrap();
        let installed = Home::Installed(folder.path().to_owned());
        assert_eq!(Home::find(&program, None), installed);
    }

    #[test]
    fn folders_of_the_user() {
        let folder = |set: &[(&str, &str)]| {
            let get = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name)?;
                Some(OsString::from(found.1))
            };
            user_folder("XDG_STATE_HOME", ".local/state", get)
        };
        let state = ("XDG_STATE_HOME", "/s");
        let home = ("HOME", "/h");
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(folder(&[state, home]), at("/s/reaperlab"));
        assert_eq!(folder(&[home]), at("/h/.local/state/reaperlab"));
        let relative = ("XDG_STATE_HOME", "s");
        assert_eq!(folder(&[relative, home]), at("/h/.local/state/reaperlab"));
        assert_eq!(folder(&[relative]), None);
    }
}
