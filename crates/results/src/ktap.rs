//! KTAP, written and read.
