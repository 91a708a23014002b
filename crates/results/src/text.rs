//! Text from outside, and bytes as text.

use std::fmt::Write;

/// The text with a space for each control character: what is shown of foreign
/// text can neither move a cursor nor begin a line.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Bytes as lower-case hexadecimal digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_obeys_nobody() {
        assert_eq!(printable("a\x1b[2Jb\r\nc\u{9b}é"), "a [2Jb  c é");
    }

    #[test]
    fn digits() {
        assert_eq!(hex(&[0, 0x0f, 0xa5]), "000fa5");
        assert_eq!(hex(&[]), "");
    }
}
