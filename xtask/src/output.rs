//! Standard output: text, or one JSON document.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::exit::{Classify, Kind, Result};

/// Text on standard output. A reader that went away is no failure.
pub fn print(text: &str) -> Result {
    printed(|out| out.write_all(text.as_bytes()))
}

/// One JSON document on standard output.
pub fn print_json(value: &impl Serialize) -> Result {
    printed(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Whatever `write` writes, on standard output.
pub fn printed(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).kind(Kind::Infrastructure)
        }
        _ => Ok(()),
    }
}

/// Whether a file's name stands for standard output.
pub fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Bytes as a person reads them.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or("TiB"))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        assert_eq!(size(512), "0.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(size(5 << 50), "5120.0 TiB");
    }
}
