//! A gzip, inflated as long as it stays within the limits.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::{Error, GzipError, MAX_INFLATED, MAX_RATIO};

/// Up to this size, in bytes, a gzip may grow without regard to its ratio: mail
/// comes to a tenth, while a bomb comes to a thousandth.
const FREE: u64 = 64 << 20;

pub(super) fn inflated(input: impl BufRead) -> impl BufRead {
    let inflated = Inflated {
        gz: MultiGzDecoder::new(Counted { input, count: 0 }),
        size: 0,
    };
    BufReader::with_capacity(64 << 10, inflated)
}

pub(super) fn error(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(fault) => Error::Gzip(GzipError::clone(fault)),
        None => Error::Read(error.to_string()),
    }
}

/// Counts what is taken from an input.
struct Counted<R> {
    input: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.input.consume(amount);
    }
}

struct Inflated<R> {
    gz: MultiGzDecoder<Counted<R>>,
    size: u64,
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.gz.read(into);
        let read = read.map_err(|error| io::Error::other(GzipError::Damaged(error.to_string())))?;
        self.size += read as u64;
        if self.size > MAX_INFLATED {
            return Err(io::Error::other(GzipError::TooLarge));
        }
        if self.size > FREE && self.size / MAX_RATIO > self.gz.get_ref().count {
            return Err(io::Error::other(GzipError::Bomb));
        }
        Ok(read)
    }
}
