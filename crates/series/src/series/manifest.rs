//! `patches/NAME/manifest.toml`: what a series is, and all that is special to
//! it, so that no code has to be.
//!
//! ```toml
//! name = "oom-reaper-reverse"          # the folder's name
//! title = "mm/oom_kill: …"             # the cover letter's subject
//! version = 6                          # the reroll
//! patches = ["0002-mm-oom_kill.patch"] # in the order to apply them
//! missing = [1]                        # places of patches that are not here
//! missing_note = "1/2 is not in the thread"
//! source = "thread.txt"                # free text: a file, URL or message id
//! kernels = ["6.1", "6.12"]            # those of its matrix
//! change_id = "20250829-reverse-0123456789ab"  # b4's; mail is recognised by it,
//! message_ids = ["v6.1@example.org"]   # by mails of the series, of any version,
//! titles = ["mm: old title"]           # and by titles that it or a patch also had
//!
//! [[prerequisite]]                     # both arms get it where a tree lacks the symbol
//! symbol = "mas_for_each_rev"
//! file = "prerequisites/0001-maple_tree.patch"
//! note = "in the kernel since 6.13"
//!
//! [[inverse]]                          # takes the series out where it is merged
//! file = "inverse.patch"
//! note = "6.18 and later"
//!
//! [[variant]]                          # other patches for a range of kernels
//! kernels = ">=5.15, <6.1"
//! patches = ["5.15/0002-mm-oom_kill.patch"]
//!
//! [expect.order]                       # how the reaper must walk on each arm
//! base = "ascending"
//! patched = "descending"
//!
//! [measure]
//! primary = ["contended-entries"]      # the metrics that decide, or SCENARIO/METRIC
//! scenarios = ["mrelease-exit-race"]   # the scenarios that measure them
//! margin = 0.05                        # below this change nobody cares
//! asked = "memory-back"                # what reviewers ask first: the answer has it first
//!
//! [measure.margins]                    # the same for one metric
//! mrelease = 0.1
//!
//! [measure.absolute]                   # the same in a metric's unit
//! contended-entries = 2.0
//!
//! [measure.unprobed]                   # times are decided where nothing is probed
//! sum = "sum-to-gone"
//!
//! [measure.labels]                     # what reports call a metric
//! contended-entries = "contended page-table-lock entries"
//!
//! [[probe]]                            # where a walker's range can be seen, best first
//! symbol = "unmap_page_range"
//! start = "$arg3:x64"
//! end = "$arg4:x64"
//! ```
//!
//! Only `name`, `title`, `version` and `patches` must be there. A manifest is
//! input like any other: file names can't leave its folder, and probes can't
//! be anything but a symbol and two arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use results::plan::{Order, Probe};
use results::text::printable;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::model::MAX_PATCHES;
use crate::patch::check_path;
use crate::pattern::regex;

/// The file's name in the series' folder.
pub const FILE: &str = "manifest.toml";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The series' short name, as its folder is called.
    pub name: String,
    /// The cover letter's subject, or the first patch's.
    pub title: String,
    /// The reroll, from 1.
    pub version: u32,
    /// The patch files, in the order to apply them.
    pub patches: Vec<String>,
    /// Places, from 1, of patches of the series that are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u32>,
    /// Why they are missing, and what that means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_note: Option<String>,
    /// Where the series comes from: a file, a URL, a message id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The line `change-id:` that b4 keeps from version to version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Mails of the series, of any version, without `<>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub message_ids: Vec<String>,
    /// Other titles that the series or one of its patches has, or had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub titles: Vec<String>,
    /// How the reaper must walk.
    #[serde(default, skip_serializing_if = "Expect::is_empty")]
    pub expect: Expect,
    /// What decides whether it is an improvement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// The kernels of its matrix, as `--kernel` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<String>,
    /// Patches that both arms get where a tree lacks what the series uses.
    #[serde(
        default,
        rename = "prerequisite",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub prerequisites: Vec<Prerequisite>,
    /// Changes that take the series out of a kernel that has it; the first
    /// that applies is used.
    #[serde(default, rename = "inverse", skip_serializing_if = "Vec::is_empty")]
    pub inverses: Vec<Inverse>,
    /// Other patches for some kernels; the first whose range fits is used.
    #[serde(default, rename = "variant", skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Functions at which a walker's range can be seen, best first.
    #[serde(default, rename = "probe", skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

/// What the scenarios need for themselves, whatever the series: a manifest's keys
/// `[measure]`, `[measure.*]` and `[[probe]]`, in a file of the suite's.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// What is measured of a series that asks for nothing else.
    measure: Option<Measure>,
    #[serde(default, rename = "probe")]
    probes: Vec<Probe>,
}

/// A patch that provides what the series needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// The C identifier whose absence calls for it.
    pub symbol: String,
    pub file: String,
    /// Why, and since when kernels have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A change that takes a merged series out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    pub file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Patches for a range of kernels, instead of the manifest's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub kernels: KernelRange,
    /// The patch files, in the order to apply them.
    pub patches: Vec<String>,
}

/// What holds on each arm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The order of the reaper's walk; none where the series does not touch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ArmOrders>,
}

impl Expect {
    fn is_empty(&self) -> bool {
        self.order.is_none()
    }
}

/// The order of the reaper's walk, by arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmOrders {
    pub base: Order,
    pub patched: Order,
}

/// What is measured to judge the series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The names of the metrics that decide: `METRIC`, whichever scenario yields it,
    /// or `SCENARIO/METRIC`.
    pub primary: Vec<String>,
    /// The names of the scenarios that yield them.
    pub scenarios: Vec<String>,
    /// The relative change below which nobody cares, between 0 and 1.
    #[serde(default = "default_margin")]
    pub margin: f64,
    /// The same for some metrics instead, between 0 and 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub margins: BTreeMap<String, f64>,
    /// The metric that reviewers ask for first, decided or not: the answer has it
    /// before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The change below which nobody cares, by metric and in its unit, whatever
    /// share that is: 0 or more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absolute: BTreeMap<String, f64>,
    /// For times that decide, the one that boots without probes measure, which
    /// can't see all that probes see; others stand for themselves.
    #[serde(default, alias = "bare", skip_serializing_if = "BTreeMap::is_empty")]
    pub unprobed: BTreeMap<String, String>,
    /// What reports call a metric, where its name does not say enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Which metric the words of a changelog mean: `METRIC`, or
    /// `METRIC/WALKER` for one walker's share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

fn default_margin() -> f64 {
    0.05
}

/// A range of kernel versions: comparisons that all hold, for example
/// `>=6.13, <6.18`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelRange(Vec<(Comparison, [u32; 3])>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl KernelRange {
    /// Whether a version lies in it; one such as `6.12.117-1~deb12u1` counts
    /// by its leading numbers. `=6.12` holds for every 6.12.y, and so `>6.12`
    /// for none of them.
    pub fn contains(&self, version: &str) -> bool {
        let Some(version) = version_numbers(version) else {
            return false;
        };
        self.0.iter().all(|(comparison, bound)| {
            // A bound without a sublevel speaks of the whole release.
            let version = if bound[2] == ANY {
                [version[0], version[1], ANY]
            } else {
                version
            };
            match comparison {
                Comparison::Less => version < *bound,
                Comparison::AtMost => version <= *bound,
                Comparison::Equal => version == *bound,
                Comparison::AtLeast => version >= *bound,
                Comparison::Greater => version > *bound,
            }
        })
    }
}

/// Stands for a sublevel that is not named.
const ANY: u32 = u32::MAX;

/// `6.12.117-1` as 6, 12, 117; a missing sublevel is 0.
fn version_numbers(text: &str) -> Option<[u32; 3]> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let mut parts = text[..end].trim_end_matches('.').split('.');
    let mut next = || parts.next().map(|part| part.parse::<u32>().ok());
    let (major, minor) = (next()??, next()??);
    Some([major, minor, next().unwrap_or(Some(0))?])
}

impl TryFrom<String> for KernelRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a range of kernels; write for example \">=6.13, <6.18\"");
        let bound = |part: &str| {
            let part = part.trim();
            let (comparison, version) = [
                ("<=", Comparison::AtMost),
                (">=", Comparison::AtLeast),
                ("<", Comparison::Less),
                (">", Comparison::Greater),
                ("=", Comparison::Equal),
            ]
            .iter()
            .find_map(|(sign, comparison)| Some((*comparison, part.strip_prefix(sign)?.trim())))?;
            if !version
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            {
                return None;
            }
            let mut numbers = version_numbers(version)?;
            match version.split('.').count() {
                2 => numbers[2] = ANY,
                3 => {}
                _ => return None,
            }
            Some((comparison, numbers))
        };
        let bounds: Option<Vec<_>> = text.split(',').map(bound).collect();
        bounds.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for KernelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (comparison, [major, minor, sublevel])) in self.0.iter().enumerate() {
            let sign = match comparison {
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Equal => "=",
                Comparison::AtLeast => ">=",
                Comparison::Greater => ">",
            };
            write!(f, "{}{sign}{major}.{minor}", if at > 0 { ", " } else { "" })?;
            if *sublevel != ANY {
                write!(f, ".{sublevel}")?;
            }
        }
        Ok(())
    }
}

impl From<KernelRange> for String {
    fn from(range: KernelRange) -> Self {
        range.to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not TOML, or not these fields.
    #[error("the manifest can't be read: {0}")]
    Toml(String),
    /// A field that has no sensible value.
    #[error("the manifest's {field} {value:?} {why}")]
    Value {
        field: &'static str,
        value: String,
        /// What is wrong with it, as the end of the sentence.
        why: &'static str,
    },
}

/// Reads a manifest and checks every value.
///
/// # Errors
/// [`Error`] with the line for what is not TOML or not a known field, and with
/// the field's name for a value that can't be.
pub fn parse(text: &str) -> Result<Manifest, Error> {
    let manifest: Manifest =
        toml::from_str(text).map_err(|error| Error::Toml(error.to_string()))?;
    manifest.check()?;
    Ok(manifest)
}

/// Reads the suite's file, and checks every value.
///
/// # Errors
/// As [`parse`].
pub fn parse_suite(text: &str) -> Result<Suite, Error> {
    let suite: Suite = toml::from_str(text).map_err(|error| Error::Toml(error.to_string()))?;
    check_probes(&suite.probes)?;
    suite.measure.iter().try_for_each(Measure::check)?;
    Ok(suite)
}

impl Manifest {
    /// Adds what the suite needs. What the manifest says itself comes first: its
    /// metrics, scenarios and margin instead of the suite's, its probes before
    /// them, its words for a metric instead of theirs.
    pub fn on(mut self, suite: &Suite) -> Self {
        self.probes.extend(suite.probes.iter().cloned());
        self.measure = match (self.measure, suite.measure.clone()) {
            (Some(mut own), Some(suite)) => {
                let add = |own: &mut BTreeMap<String, String>, suite| {
                    for (key, value) in suite {
                        own.entry(key).or_insert(value);
                    }
                };
                add(&mut own.unprobed, suite.unprobed);
                add(&mut own.labels, suite.labels);
                add(&mut own.claims, suite.claims);
                Some(own)
            }
            (own, suite) => own.or(suite),
        };
        self
    }

    /// The names by which other versions of the series are recognised.
    pub fn identity(&self) -> Identity {
        let mut identity = Identity::default();
        identity.add_title(&self.title);
        for title in &self.titles {
            identity.add_title(title);
        }
        for id in &self.message_ids {
            identity.add_message(id);
        }
        if let Some(id) = &self.change_id {
            identity.add_change_id(id);
        }
        identity
    }

    /// The patch files for a kernel: those of the first variant whose range
    /// holds it, else the manifest's own.
    pub fn patches_for(&self, kernel: &str) -> &[String] {
        let variant = self
            .variants
            .iter()
            .find(|variant| variant.kernels.contains(kernel));
        variant.map_or(&self.patches, |variant| &variant.patches)
    }

    /// Writes it as [`parse`] reads it.
    ///
    /// # Errors
    /// [`Error`] where a value is one that [`parse`] would refuse.
    pub fn to_toml(&self) -> Result<String, Error> {
        self.check()?;
        toml::to_string(self).map_err(|error| Error::Toml(error.to_string()))
    }

    /// Whether every value can be.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_name("name", &self.name)?;
        for title in [&self.title].into_iter().chain(&self.titles) {
            if title.is_empty() || printable(title) != *title {
                return fail("title", title, "is not one line of text");
            }
        }
        if self.version == 0 {
            return fail("version", "0", "is below 1");
        }
        if self.patches.is_empty() && self.variants.is_empty() {
            return fail("patches", "", "is empty; name at least one file");
        }
        for place in &self.missing {
            if !(1..=MAX_PATCHES).contains(place) {
                return fail("missing", &place.to_string(), "is not a place in a series");
            }
        }
        let files = (self.patches.iter())
            .chain(self.variants.iter().flat_map(|variant| &variant.patches))
            .chain(
                self.prerequisites
                    .iter()
                    .map(|prerequisite| &prerequisite.file),
            )
            .chain(self.inverses.iter().map(|inverse| &inverse.file));
        for file in files {
            if let Err(why) = check_path(file) {
                return fail("file", file, why);
            }
            if file.split('/').count() > 2 {
                return fail(
                    "file",
                    file,
                    "lies deeper than one folder below the manifest",
                );
            }
        }
        for prerequisite in &self.prerequisites {
            check_symbol("prerequisite's symbol", &prerequisite.symbol)?;
        }
        if let Some(order) = self.expect.order
            && [order.base, order.patched].contains(&Order::Mixed)
        {
            return fail("order", "mixed", "is not ascending or descending");
        }
        check_probes(&self.probes)?;
        self.measure.iter().try_for_each(Measure::check)
    }
}

impl Measure {
    fn check(&self) -> Result<(), Error> {
        for named in self.primary.iter().chain(&self.asked) {
            for part in named.splitn(2, '/') {
                check_name("metric", part)?;
            }
        }
        let margins = self.margins.keys().chain(self.absolute.keys());
        for metric in self.unprobed.values().chain(margins) {
            check_name("metric", metric)?;
        }
        for margin in self.absolute.values() {
            if !margin.is_finite() || *margin < 0.0 {
                return fail("absolute margin", &margin.to_string(), "is not 0 or more");
            }
        }
        for scenario in &self.scenarios {
            check_name("scenario", scenario)?;
        }
        for margin in self.margins.values().chain([&self.margin]) {
            if !(0.0..1.0).contains(margin) {
                return fail("margin", &margin.to_string(), "is not between 0 and 1");
            }
        }
        Ok(())
    }
}

fn check_probes(probes: &[Probe]) -> Result<(), Error> {
    static FETCH: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^[-+$%@()A-Za-z0-9_]{1,64}:[xus](?:8|16|32|64)$"));
    for probe in probes {
        check_symbol("probe's symbol", &probe.symbol)?;
        for fetch in [&probe.start, &probe.end] {
            if !FETCH.is_match(fetch) {
                return fail("probe's argument", fetch, "is not like $arg3:x64");
            }
        }
    }
    Ok(())
}

fn check_name(field: &'static str, value: &str) -> Result<(), Error> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| regex("^[a-z0-9][a-z0-9_-]{0,99}$"));
    match NAME.is_match(value) {
        true => Ok(()),
        false => fail(
            field,
            value,
            "is not made of lower-case letters, digits, - and _",
        ),
    }
}

fn check_symbol(field: &'static str, value: &str) -> Result<(), Error> {
    static SYMBOL: LazyLock<Regex> = LazyLock::new(|| regex("^[A-Za-z_][A-Za-z0-9_.]{0,127}$"));
    match SYMBOL.is_match(value) {
        true => Ok(()),
        false => fail(field, value, "is not a C identifier"),
    }
}

fn fail(field: &'static str, value: &str, why: &'static str) -> Result<(), Error> {
    Err(Error::Value {
        field,
        value: value.chars().take(200).collect(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"x\"\ntitle = \"mm: x\"\nversion = 1\npatches = [\"a.patch\"]\n";

    #[test]
    fn the_documented_one_is_read_and_written() {
        let documented: String = include_str!("manifest.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| format!("{}\n", line.trim_start_matches("//!")))
            .collect();
        let manifest = parse(&documented).unwrap();
        assert_eq!(parse(&manifest.to_toml().unwrap()).unwrap(), manifest);
        assert_eq!(
            manifest.patches_for("6.12.117-1"),
            ["0002-mm-oom_kill.patch"]
        );
        assert_eq!(
            manifest.patches_for("5.15.1"),
            ["5.15/0002-mm-oom_kill.patch"]
        );
    }

    #[test]
    fn a_manifest_comes_before_the_suite() {
        let suite = parse_suite(
            "[measure]\nprimary = [\"sum\"]\nscenarios = [\"race\"]\n\
             [measure.labels]\nsum = \"both\"\nreap = \"reap\"\n\
             [[probe]]\nsymbol = \"unmap\"\nstart = \"$arg3:x64\"\nend = \"$arg4:x64\"\n",
        )
        .unwrap();
        let least = parse(LEAST).unwrap().on(&suite);
        assert_eq!(least.measure, suite.measure);
        assert_eq!(least.probes, suite.probes);

        let own = "[measure]\nprimary = [\"cpu\"]\nscenarios = []\nmargin = 0.1\n\
                   [measure.labels]\nsum = \"own\"\n\
                   [[probe]]\nsymbol = \"zap\"\nstart = \"$arg1:x64\"\nend = \"$arg2:x64\"\n";
        let own = parse(&format!("{LEAST}{own}")).unwrap().on(&suite);
        let measure = own.measure.unwrap();
        assert_eq!(
            (measure.primary, measure.margin),
            (vec!["cpu".to_owned()], 0.1)
        );
        assert_eq!(measure.scenarios, [""; 0]);
        let labels = measure.labels.iter().map(|(k, v)| format!("{k} {v}"));
        assert_eq!(labels.collect::<Vec<_>>(), ["reap reap", "sum own"]);
        let symbols: Vec<&str> = own.probes.iter().map(|probe| &*probe.symbol).collect();
        assert_eq!(symbols, ["zap", "unmap"]);

        let wrong = [
            "name = \"x\"\n",
            "[measure]\nprimary = [\"A b\"]\nscenarios = []\n",
        ];
        assert!(wrong.iter().all(|text| parse_suite(text).is_err()));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let table = [
            ("patches = [\"a.patch\"]", "patches = [\"../a.patch\"]"),
            ("patches = [\"a.patch\"]", "patches = [\"/a.patch\"]"),
            ("patches = [\"a.patch\"]", "patches = [\"a/b/c.patch\"]"),
            ("patches = [\"a.patch\"]", "patches = []"),
            ("version = 1", "version = 0"),
            ("version = 1", "version = -1"),
            ("version = 1", "version = 1\nmissing = [0]"),
            ("version = 1", "verison = 1"),
            ("name = \"x\"", "name = \"a/b\""),
            ("mm: x", "mm:\\u001b[2J"),
            (
                "]\n",
                "]\n[[probe]]\nsymbol = \"a b\"\nstart = \"$arg1:x64\"\nend = \"$arg2:x64\"\n",
            ),
            (
                "]\n",
                "]\n[[probe]]\nsymbol = \"a\"\nstart = \"$arg1:x64 x=@0\"\nend = \"$arg2:x64\"\n",
            ),
            (
                "]\n",
                "]\n[[prerequisite]]\nsymbol = \"a-b\"\nfile = \"x\"\n",
            ),
            ("]\n", "]\n[[inverse]]\nfile = \".git/x\"\n"),
            ("]\n", "]\n[[variant]]\nkernels = \"6.1\"\npatches = []\n"),
            ("]\n", "]\n[measure]\nprimary = [\"A b\"]\nscenarios = []\n"),
            (
                "]\n",
                "]\n[measure]\nprimary = []\nscenarios = []\nmargin = 1.5\n",
            ),
            (
                "]\n",
                "]\n[measure]\nprimary = []\nscenarios = []\nmargin = nan\n",
            ),
            (
                "]\n",
                "]\n[measure]\nprimary = []\nscenarios = []\n[measure.margins]\na = 1.0\n",
            ),
            (
                "]\n",
                "]\n[measure]\nprimary = []\nscenarios = []\n[measure.absolute]\na = -1.0\n",
            ),
            (
                "]\n",
                "]\n[measure]\nprimary = []\nscenarios = []\n[measure.absolute]\n\"a b\" = 1.0\n",
            ),
            (
                "]\n",
                "]\n[expect.order]\nbase = \"sideways\"\npatched = \"descending\"\n",
            ),
        ];
        let errors: Vec<String> = table
            .iter()
            .map(|(from, to)| parse(&LEAST.replacen(from, to, 1)).unwrap_err().to_string())
            .map(|error| error.trim_end().to_owned())
            .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the manifest's file "../a.patch" leaves the tree by `..`
        the manifest's file "/a.patch" is absolute
        the manifest's file "a/b/c.patch" lies deeper than one folder below the manifest
        the manifest's patches "" is empty; name at least one file
        the manifest's version "0" is below 1
        the manifest can't be read: TOML parse error at line 3, column 11
          |
        3 | version = -1
          |           ^^
        invalid value: integer `-1`, expected u32
        the manifest's missing "0" is not a place in a series
        the manifest can't be read: TOML parse error at line 3, column 1
          |
        3 | verison = 1
          | ^^^^^^^
        unknown field `verison`, expected one of `name`, `title`, `version`, `patches`, `missing`, `missing_note`, `source`, `change_id`, `message_ids`, `titles`, `expect`, `measure`, `kernels`, `prerequisite`, `inverse`, `variant`, `probe`
        the manifest's name "a/b" is not made of lower-case letters, digits, - and _
        the manifest's title "mm:\u{1b}[2J" is not one line of text
        the manifest's probe's symbol "a b" is not a C identifier
        the manifest's probe's argument "$arg1:x64 x=@0" is not like $arg3:x64
        the manifest's prerequisite's symbol "a-b" is not a C identifier
        the manifest's file ".git/x" reaches into a repository's own `.git`
        the manifest can't be read: TOML parse error at line 6, column 11
          |
        6 | kernels = "6.1"
          |           ^^^^^
        "6.1" is not a range of kernels; write for example ">=6.13, <6.18"
        the manifest's metric "A b" is not made of lower-case letters, digits, - and _
        the manifest's margin "1.5" is not between 0 and 1
        the manifest's margin "NaN" is not between 0 and 1
        the manifest's margin "1" is not between 0 and 1
        the manifest's absolute margin "-1" is not 0 or more
        the manifest's metric "a b" is not made of lower-case letters, digits, - and _
        the manifest can't be read: TOML parse error at line 6, column 8
          |
        6 | base = "sideways"
          |        ^^^^^^^^^^
        unknown variant `sideways`, expected one of `ascending`, `descending`, `mixed`
        "#);
    }

    #[test]
    fn ranges_of_kernels() {
        for (range, inside, outside) in [
            (
                ">=6.18",
                &["6.18", "6.18.3", "7.2.13-1", "6.18-rc1"][..],
                &["6.17.99", "6", "x"][..],
            ),
            (">=5.15, <6.1", &["5.15.0", "6.0.9"], &["6.1.192", "5.14"]),
            ("=6.12", &["6.12.117-1~deb12u1", "6.12"], &["6.13", "6.1"]),
            (">6.12", &["6.13"], &["6.12.117"]),
            ("<=6.12.5", &["6.12.5", "6.12"], &["6.12.6"]),
        ] {
            let read = KernelRange::try_from(range.to_owned()).unwrap();
            assert_eq!(read.to_string(), range);
            for version in inside {
                assert!(read.contains(version), "{version} in {range}");
            }
            for version in outside {
                assert!(!read.contains(version), "{version} not in {range}");
            }
        }
        for wrong in [
            "",
            "6.12",
            "=>6.1",
            ">=6",
            ">=6.1.2.3",
            ">=6.x",
            ">=6.1,",
            ">=6.1-rc1",
        ] {
            assert!(
                KernelRange::try_from(wrong.to_owned()).is_err(),
                "{wrong:?}"
            );
        }
    }
}
