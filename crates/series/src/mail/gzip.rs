//! A gzip, inflated as long as it stays within measure.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::Error;

/// What a gzip may grow to, in bytes.
const MAX_INFLATED: u64 = 4 << 30;

/// Beyond this size a gzip may not grow further than so many times: mail
/// comes to a tenth, while a bomb comes to a thousandth.
const FREE: u64 = 64 << 20;
const MAX_RATIO: u64 = 200;

pub(super) fn inflated(input: impl BufRead) -> impl BufRead {
    let inflated = Inflated {
        gz: MultiGzDecoder::new(Counted { input, count: 0 }),
        size: 0,
    };
    BufReader::with_capacity(64 << 10, inflated)
}

pub(super) fn error(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(GzipFault(why)) => Error::Gzip(why.clone()),
        None => Error::Read(error.to_string()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GzipFault(String);

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

/// A gzip that is inflated, as long as it stays within measure.
struct Inflated<R> {
    gz: MultiGzDecoder<Counted<R>>,
    size: u64,
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let fault = |why: String| io::Error::other(GzipFault(why));
        let read = self
            .gz
            .read(into)
            .map_err(|error| fault(format!("is cut off or damaged ({error}); fetch it again")))?;
        self.size += read as u64;
        if self.size > MAX_INFLATED {
            return Err(fault(format!(
                "holds more than {} GiB; save only the thread of the series",
                MAX_INFLATED >> 30
            )));
        }
        if self.size > FREE && self.size / MAX_RATIO > self.gz.get_ref().count {
            return Err(fault(format!(
                "grows to more than {MAX_RATIO} times its size, which no mail does; look at \
                 where it came from"
            )));
        }
        Ok(read)
    }
}
