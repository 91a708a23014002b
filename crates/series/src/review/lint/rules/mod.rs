//! The rules, one a file, named like it. A new one is a file here and a line
//! in [`RULES`]; its source, a place in the kernel's documentation, stands in
//! `lint/source.rs`. What is more than a hint, the draft of the next version lists
//! as open.

mod fixes;
mod imperative_mood;
mod long_line;
mod percentage_without_base;
mod problem_statement;
mod reported_by_without_link;
mod sign_off;
mod split_trailers;
mod subject;
mod trailer_order;
mod trailer_spelling;

use super::case::Rule;

/// In the order in which their findings are listed.
pub(super) const RULES: &[Rule] = &[
    ("subject", subject::form),
    ("problem-statement", problem_statement::check),
    ("percentage-without-base", percentage_without_base::check),
    ("imperative-mood", imperative_mood::check),
    ("long-line", long_line::check),
    ("split-trailers", split_trailers::check),
    ("reported-by-without-link", reported_by_without_link::check),
    ("fixes", fixes::check),
    ("sign-off", sign_off::author),
    ("sign-off", sign_off::co_developers),
    ("trailer-spelling", trailer_spelling::check),
    ("trailer-order", trailer_order::check),
    ("subject", subject::unique),
];
