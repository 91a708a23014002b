//! The statistics, on boots of repetitions.
//!
//! The boot is the unit: repetitions inside one boot share its memory layout
//! and its luck and are not independent. [`Blocks`] compares boots beside each
//! other, [`Groups`] the blocks of two runs.

mod blocks;
mod groups;
mod rng;
mod summary;

pub use blocks::{Blocks, Scale, at_most, none_against};
pub use groups::Groups;
pub use rng::Rng;
pub use summary::{Boots, boot_medians, median, pooled_median};
