//! How far the work has come.

use crate::store::Progress;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A file is being looked for or fetched.
    Fetching {
        what: &'a str,
        /// Where it is fetched from.
        from: &'a str,
        /// The part that has come, from 0 to 1, where that is known.
        share: Option<f64>,
    },
    /// Its files are being imported.
    Importing(Progress),
}
