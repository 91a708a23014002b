//! A run: a series on one kernel, from what was asked for to the report.

pub mod request;
