//! Drafts for people to go on from: the next version of a series, and the
//! answer to a patch. Nothing here is ever sent.

mod answer;
mod next;
mod wrap;

pub use answer::{Answer, answer};
pub use next::{Draft, next_version};
pub use wrap::wrapped;
