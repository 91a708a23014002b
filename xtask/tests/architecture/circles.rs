//! The files of a crate and which of them name which, to find those that do so
//! in a circle.
//!
//! A file names another one by a path into it, or by declaring it as its module.
//! A path goes to the file that it leads to as it is written: what `lib.rs`
//! exports again is, by `crate::Name`, of `lib.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::source::{Name, Source};

/// A crate's files by their module paths.
pub struct Crate {
    files: BTreeMap<Vec<String>, (PathBuf, Source)>,
}

/// For each file the files that it names, each with the first place.
type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

impl Crate {
    /// Reads all that hangs on `src/lib.rs` or `src/main.rs` of a package.
    pub fn read(package: &Path) -> Self {
        Self::of(&|file| std::fs::read_to_string(package.join("src").join(file)).ok())
    }

    fn of(read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut found = Self {
            files: BTreeMap::new(),
        };
        for root in ["lib.rs", "main.rs"] {
            found.add(Vec::new(), root.into(), PathBuf::new(), read);
        }
        assert!(!found.files.is_empty(), "neither lib.rs nor main.rs");
        found
    }

    /// Adds the module in this file, if there is one, and those below it, which
    /// lie in `folder`.
    fn add(
        &mut self,
        module: Vec<String>,
        file: PathBuf,
        folder: PathBuf,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let Some(text) = read(&file) else { return };
        let source = Source::read(&text);
        for child in &source.children {
            let below = folder.join(child);
            let module = below_of(&module, child);
            for file in [below.with_extension("rs"), below.join("mod.rs")] {
                self.add(module.clone(), file, below.clone(), read);
            }
            let known = self.files.contains_key(&module);
            assert!(known, "{}: no file for mod {child}", file.display());
        }
        self.files.insert(module, (file, source));
    }

    /// Every path that the crate names and that leads out of it, with its place.
    pub fn outside(&self) -> impl Iterator<Item = (String, &[String])> {
        self.files.iter().flat_map(|(module, (file, source))| {
            let names = source.names.iter();
            names
                .filter(|name| self.resolve(module, &source.children, name).is_none())
                .map(|name| (format!("{}:{}", file.display(), name.line), &*name.path))
        })
    }

    /// The circles, the shortest one through each file, as text.
    pub fn circles(&self) -> BTreeSet<String> {
        let edges = self.edges();
        let through = edges.keys().filter_map(|file| shortest(&edges, file));
        through.map(|circle| told(&edges, &circle)).collect()
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (module, (file, source)) in &self.files {
            let own = edges.entry(file.clone()).or_default();
            let children = source
                .children
                .iter()
                .map(|child| (below_of(module, child), format!("mod {child}")));
            let aliases = self.aliases(module, source);
            let names = source.names.iter().filter_map(|name| {
                let path = self.resolve(module, &source.children, name);
                // A path may begin with what a `use` calls a module here.
                let path = path.or_else(|| {
                    let (first, rest) = name.path.split_first()?;
                    let start = aliases.get(first).filter(|_| name.within.is_empty())?;
                    Some([start.as_slice(), rest].concat())
                })?;
                Some((
                    path,
                    format!("{} in line {}", name.path.join("::"), name.line),
                ))
            });
            for (path, place) in children.chain(names) {
                let to = &self.file_of(&path).0;
                if to != file {
                    own.entry(to.clone()).or_insert(place);
                }
            }
        }
        edges
    }

    /// What the `use` lines of a file call a module of the crate.
    fn aliases(&self, module: &[String], source: &Source) -> BTreeMap<String, Vec<String>> {
        let names = source.names.iter();
        let named = names.filter_map(|name| {
            let path = self.resolve(module, &source.children, name)?;
            let is_module = self.files.contains_key(&path);
            Some((name.alias.clone()?, path)).filter(|_| is_module)
        });
        named.collect()
    }

    /// Where a path leads inside of the crate, from its root.
    fn resolve(&self, module: &[String], children: &[String], name: &Name) -> Option<Vec<String>> {
        let mut base = [module, &name.within].concat();
        let mut path = name.path.iter().peekable();
        match path.peek()?.as_str() {
            "crate" => {
                base.clear();
                path.next();
            }
            "self" => {
                path.next();
            }
            "super" => {
                while path.next_if(|segment| *segment == "super").is_some() {
                    base.pop();
                }
            }
            first if name.within.is_empty() && children.iter().any(|child| child == first) => {}
            _ => return None,
        }
        base.extend(path.cloned());
        Some(base)
    }

    /// The file that a path from the root leads into.
    fn file_of(&self, path: &[String]) -> &(PathBuf, Source) {
        let mut longest_first = (0..=path.len()).rev().map(|length| &path[..length]);
        longest_first
            .find_map(|module| self.files.get(module))
            .unwrap()
    }
}

/// The path of a module's child.
fn below_of(module: &[String], child: &str) -> Vec<String> {
    let mut path = module.to_vec();
    path.push(child.to_owned());
    path
}

/// The shortest way from a file back to itself; the file first, not last.
fn shortest(edges: &Edges, start: &Path) -> Option<Vec<PathBuf>> {
    let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in edges[file].keys() {
            if next == start {
                let way = std::iter::successors(Some(file), |at| came_from.get(at).copied());
                let mut way: Vec<_> = way.map(Path::to_owned).collect();
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next.as_path()) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// A circle from its first file by name, with what makes it.
fn told(edges: &Edges, circle: &[PathBuf]) -> String {
    let mut circle = circle.to_vec();
    let least = (0..circle.len()).min_by_key(|at| &circle[*at]).unwrap();
    circle.rotate_left(least);
    let mut text = circle[0].display().to_string();
    let next = circle.iter().cycle().skip(1);
    for (from, to) in circle.iter().zip(next) {
        write!(text, " -> {} ({})", to.display(), edges[from][to]).unwrap();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a made-up crate.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        Crate::of(&read).circles().into_iter().collect()
    }

    #[test]
    fn arrows_of_one_way_are_no_circle() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; pub use b::c::X; pub use a::Y;"),
            (
                "a.rs",
                "use crate::b::{self, c::X}; fn f() { b::g(std::fs::read(X)) }",
            ),
            ("b/mod.rs", "pub mod c; mod d;"),
            (
                "b/c.rs",
                "use super::d::Z; #[cfg(test)] mod tests { use super::*; use crate::Y; }",
            ),
            ("b/d.rs", "use outside::a::Y; // crate::a"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn two_files_that_name_each_other() {
        let found = circles(&[
            ("main.rs", "mod a;\nmod b;"),
            ("a.rs", "fn f() {\n    crate::b::g()\n}"),
            ("b.rs", "use super::{std, a::f as h};"),
        ]);
        // `super::std` is, as far as it goes, of the root.
        assert_eq!(
            found,
            [
                "a.rs -> b.rs (crate::b::g in line 2) -> a.rs (super::a::f in line 1)",
                "b.rs -> main.rs (super::std in line 1) -> b.rs (mod b)",
            ]
        );
    }

    #[test]
    fn a_long_circle_through_folders_and_other_names() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b; fn f() { b::deep::g() }"),
            ("b.rs", "pub mod deep;"),
            ("b/deep.rs", "pub use super::super::c::*;"),
            ("c.rs", "macro_rules! m { () => { $crate::a::f() } }"),
        ]);
        let whole = "a.rs -> b.rs (crate::b in line 1) -> b/deep.rs (mod deep) -> \
                     c.rs (super::super::c in line 1) -> a.rs (crate::a::f in line 1)";
        let short = "a.rs -> b/deep.rs (b::deep::g in line 1) -> \
                     c.rs (super::super::c in line 1) -> a.rs (crate::a::f in line 1)";
        assert_eq!(found, [whole, short]);
    }

    #[test]
    fn what_the_root_exports_is_the_roots() {
        let found = circles(&[
            ("lib.rs", "mod error;\nmod work;\npub use error::Error;"),
            ("error.rs", "pub struct Error;"),
            ("work.rs", "use crate::Error;"),
        ]);
        assert_eq!(
            found,
            ["lib.rs -> work.rs (mod work) -> lib.rs (crate::Error in line 1)"]
        );
    }

    #[test]
    fn a_child_that_uses_its_parent() {
        let found = circles(&[
            ("lib.rs", "pub mod a;"),
            ("a.rs", "mod b; pub struct X; mod inside { use super::X; }"),
            ("a/b.rs", "use super::X;"),
        ]);
        assert_eq!(
            found,
            ["a/b.rs -> a.rs (super::X in line 1) -> a/b.rs (mod b)"]
        );
    }
}
