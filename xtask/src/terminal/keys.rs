//! What of the keys is for us: Ctrl-A and a letter, as QEMU has it.

/// Ctrl-A.
const ESCAPE: u8 = 0x01;

/// What somebody asks us for, and not the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To end the guest.
    End,
    /// To see which keys there are.
    Help,
}

/// Bytes from a keyboard; a key of two bytes may come in two pieces.
#[derive(Debug, Default)]
pub struct Keys {
    escaped: bool,
}

impl Keys {
    /// Splits what is for the guest from what is for us. What follows the wish to end is
    /// for nobody.
    pub fn read(&mut self, bytes: &[u8]) -> (Vec<u8>, Option<Wish>) {
        let mut for_guest = Vec::with_capacity(bytes.len());
        let mut wish = None;
        for &byte in bytes {
            match (std::mem::take(&mut self.escaped), byte) {
                (false, ESCAPE) => self.escaped = true,
                (false, _) => for_guest.push(byte),
                (true, ESCAPE | b'a') => for_guest.push(ESCAPE),
                (true, b'x' | b'X') => return (for_guest, Some(Wish::End)),
                (true, b'h' | b'?') => wish = Some(Wish::Help),
                // As QEMU does with a letter that it does not know.
                (true, _) => {}
            }
        }
        (for_guest, wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_and_a_letter_are_ours() {
        let read = |pieces: &[&[u8]]| {
            let mut keys = Keys::default();
            let (mut guest, mut wishes) = (Vec::new(), Vec::new());
            for piece in pieces {
                let (bytes, wish) = keys.read(piece);
                guest.extend(bytes);
                wishes.extend(wish);
            }
            (String::from_utf8(guest).unwrap(), wishes)
        };
        for (pieces, guest, wishes) in [
            (&[&b"ls\r"[..]][..], "ls\r", vec![]),
            (&[b"a\x01xrest"], "a", vec![Wish::End]),
            (&[b"a\x01", b"X"], "a", vec![Wish::End]),
            (&[b"\x01a\x01\x01"], "\x01\x01", vec![]),
            (&[b"\x01hls"], "ls", vec![Wish::Help]),
            (&[b"\x01zls"], "ls", vec![]),
            (&[b"\x03\x04\x1a"], "\x03\x04\x1a", vec![]),
        ] {
            assert_eq!(read(pieces), (guest.to_owned(), wishes), "{pieces:?}");
        }
    }
}
