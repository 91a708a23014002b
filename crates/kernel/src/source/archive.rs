//! Archives as streams: a tarball, compressed or not, or the one inside a
//! Debian source package. Nothing is unpacked to disk.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use liblzma::bufread::XzDecoder;
use liblzma::stream::MtStreamBuilder;

/// Counts what is read from the file itself: the only size known beforehand.
struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// Opens an archive, gives its tar stream and the part read so far (0 to 1) to
/// `then`.
///
/// # Errors
/// When it can't be opened or is no archive of a known kind.
pub(crate) fn with_tar<T>(
    path: &Path,
    then: impl FnOnce(Box<dyn Read + '_>, Box<dyn Fn() -> f64>) -> T,
) -> io::Result<T> {
    let file = File::open(path)?;
    let size = file.metadata()?.len().max(1);
    let read = Rc::new(Cell::new(0));
    let count = Rc::clone(&read);
    let share = Box::new(move || (count.get() as f64 / size as f64).min(1.0));
    let mut input = BufReader::with_capacity(1 << 20, Counted { file, read });
    if !input.fill_buf()?.starts_with(b"!<arch>\n") {
        return Ok(then(decompressed(input)?, share));
    }
    let data = ar_member(input, "data.tar")?;
    let mut package = tar::Archive::new(decompressed(BufReader::with_capacity(1 << 20, data))?);
    for entry in package.entries()? {
        let entry = entry?;
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let tarball = name.starts_with(b"usr/src/linux-source-") && contains(name, b".tar");
        if tarball && entry.header().entry_type() == tar::EntryType::Regular {
            let inner = decompressed(BufReader::with_capacity(1 << 20, entry))?;
            return Ok(then(inner, share));
        }
    }
    Err(invalid("the package holds no usr/src/linux-source-*.tar.*"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Told by the first bytes, since names lie.
fn decompressed<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let head = input.fill_buf()?;
    if head.starts_with(b"\xfd7zXZ\0") {
        // Debian compresses block-wise, and so it can be undone.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let stream = MtStreamBuilder::new()
            .threads(u32::try_from(threads).unwrap_or(1))
            .memlimit_threading(1 << 30)
            .memlimit_stop(1 << 31)
            .decoder()
            .map_err(io::Error::other)?;
        let decoder = XzDecoder::new_stream(input, stream);
        Ok(Box::new(BufReader::with_capacity(1 << 20, decoder)))
    } else if head.starts_with(b"\x1f\x8b") {
        let decoder = flate2::bufread::MultiGzDecoder::new(input);
        Ok(Box::new(BufReader::with_capacity(1 << 20, decoder)))
    } else if head.get(257..262) == Some(b"ustar") {
        Ok(Box::new(input))
    } else {
        Err(invalid(
            "not a tar archive, nor one compressed by xz or gzip",
        ))
    }
}

/// The member of an `ar` archive whose name begins so.
fn ar_member<'a>(mut input: impl Read + 'a, wanted: &str) -> io::Result<impl Read + 'a> {
    input.read_exact(&mut [0; 8])?;
    loop {
        let mut header = [0; 60];
        input.read_exact(&mut header)?;
        let field = |from, to| {
            header
                .get(from..to)
                .and_then(|f| std::str::from_utf8(f).ok())
                .unwrap_or("")
                .trim()
        };
        if header.get(58..60) != Some(b"`\n") {
            return Err(invalid("a damaged Debian package"));
        }
        let size: u64 = field(48, 58)
            .parse()
            .map_err(|_| invalid("a damaged Debian package"))?;
        if field(0, 16).starts_with(wanted) {
            return Ok(input.take(size));
        }
        io::copy(&mut (&mut input).take(size + size % 2), &mut io::sink())?;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;

    fn tarball(makefile: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(makefile.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "linux/Makefile", makefile.as_bytes())
            .unwrap();
        tar.into_inner().unwrap()
    }

    /// A Debian source package of a kernel that is but a Makefile.
    pub(crate) fn package(makefile: &str) -> Vec<u8> {
        wrapped(
            &xz(&tarball(makefile)),
            "./usr/src/linux-source-6.12.tar.xz",
        )
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn wrapped(inner: &[u8], name: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(inner.len() as u64);
        tar.append_data(&mut header, name, inner).unwrap();
        let data = xz(&tar.into_inner().unwrap());
        let mut ar = b"!<arch>\n".to_vec();
        for (name, body) in [("debian-binary", &b"2.0"[..]), ("data.tar.xz", &data)] {
            let size = body.len();
            writeln!(
                ar,
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`",
                0, 0, 0, "100644"
            )
            .unwrap();
            ar.extend_from_slice(body);
            if size % 2 == 1 {
                ar.push(b'\n');
            }
        }
        ar
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut out = Vec::new();
        with_tar(file.path(), |mut reader, _| {
            reader.read_to_end(&mut out).map(drop)
        })??;
        Ok(out)
    }

    #[test]
    fn every_wrapping_yields_the_tar() {
        let plain = tarball("all:\n");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&plain).unwrap();
        assert_eq!(read(&plain).unwrap(), plain);
        assert_eq!(read(&xz(&plain)).unwrap(), plain);
        assert_eq!(read(&gz.finish().unwrap()).unwrap(), plain);
        assert_eq!(read(&package("all:\n")).unwrap(), plain);
    }

    #[test]
    fn what_is_no_archive_says_so() {
        let deb = wrapped(
            &xz(&tarball("")),
            "./usr/share/doc/linux-source-6.12/changelog",
        );
        for (bytes, why) in [
            (&b""[..], "not a tar"),
            (b"<html>", "not a tar"),
            (&deb, "holds no usr/src"),
            (&deb[..40], "failed to fill"),
            (&xz(&tarball(""))[..100], "premature eof"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
