//! The mistakes that a kernel holds to choose from.

use crate::failure::Failure;
use crate::procfs;

/// The number of the one that is made.
const MISTAKE: &str = "/sys/module/reaperlab/parameters/mistake";

/// The places that were come to since it was last written to: a hexadecimal digit for
/// four of them, the first in its lowest bit.
const REACHED: &str = "/sys/module/reaperlab/parameters/reached";

/// Has the kernel make one from now on.
pub fn make(number: u32) -> Result<(), Failure> {
    procfs::write(MISTAKE, &number.to_string())
}

/// Forgets the places that were come to so far.
pub fn forget() -> Result<(), Failure> {
    procfs::write(REACHED, "0")
}

/// The places that were come to.
pub fn reached() -> Result<Vec<u32>, Failure> {
    Ok(places(procfs::read(REACHED)?.trim_end()))
}

fn places(digits: &str) -> Vec<u32> {
    let digits = digits.chars().map(|digit| digit.to_digit(16).unwrap_or(0));
    let bits = digits.flat_map(|digit| (0..4).map(move |bit| digit >> bit & 1 == 1));
    let numbered = bits.zip(0..).filter(|(reached, _)| *reached);
    numbered.map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn four_places_in_a_digit() {
        assert_eq!(places(""), [0; 0]);
        assert_eq!(places("90f"), [0, 3, 8, 9, 10, 11]);
    }
}
