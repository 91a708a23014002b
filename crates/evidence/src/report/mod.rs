//! Reports: the same judgement as a terminal's table, as mail, as a page, as
//! JSON and as JUnit's XML. Every function returns the text.

mod changelog;
mod chart;
mod claims;
mod html;
mod json;
mod junit;
mod kcidb;
mod markdown;
pub mod matrix;
mod probes;
mod sweeps;
mod terminal;
mod words;

pub use changelog::changelog;
pub use claims::{calibration, claims};
pub use html::html;
pub use json::{json, run_json};
pub use junit::junit;
pub use kcidb::kcidb;
pub use markdown::markdown;
pub use terminal::terminal;
