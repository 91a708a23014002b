//! What the kernel's documentation asks of a changelog and its trailers, held
//! against a patch. Each rule names the document and section that it is taken
//! from; what only words can show is a hint, and says what it went by.

mod case;
mod check;
mod finding;
mod prose;
mod rules;
mod source;
#[cfg(test)]
mod testing;

pub use check::series;
pub use finding::{Finding, History, Lookup, Severity};
pub use source::url;

pub(crate) use check::patch;
pub(crate) use prose::is_prose;
