//! What a guest has done to the terminal and may not have undone: it can end in the
//! middle of an editor.

use std::collections::BTreeSet;

use vte::{Params, Parser, Perform};

/// The modes that a terminal has switched on before a program comes. Source: the list of
/// DECSET modes in XTerm's "Control Sequences" (7 wraps lines, 25 shows the cursor).
const ON: [u16; 2] = [7, 25];

/// Reads all that a guest writes.
#[derive(Default)]
pub struct Screen {
    parser: Parser,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    /// The private modes that are not as they were.
    switched: BTreeSet<u16>,
    /// Whether text may have a colour.
    styled: bool,
    /// Whether the cursor stands behind something on its line.
    in_line: bool,
}

impl Screen {
    pub fn read(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.state, bytes);
    }

    /// What makes the terminal as it was, and begins a line.
    pub fn undone(&self) -> String {
        let State {
            switched,
            styled,
            in_line,
        } = &self.state;
        let mut text = String::new();
        for mode in switched {
            let letter = if ON.contains(mode) { 'h' } else { 'l' };
            text.push_str(&format!("\x1b[?{mode}{letter}"));
        }
        if *styled {
            text.push_str("\x1b[0m");
        }
        if *in_line {
            text.push_str("\r\n");
        }
        text
    }
}

impl Perform for State {
    fn print(&mut self, _: char) {
        self.in_line = true;
    }

    fn execute(&mut self, byte: u8) {
        if byte == b'\n' {
            self.in_line = false;
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let values = || params.iter().flat_map(|value| value.first().copied());
        match (intermediates, action) {
            (b"?", 'h' | 'l') => {
                for mode in values() {
                    if (action == 'h') == ON.contains(&mode) {
                        self.switched.remove(&mode);
                    } else {
                        self.switched.insert(mode);
                    }
                }
            }
            (b"", 'm') => self.styled = values().last().is_some_and(|style| style != 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_left_is_undone() {
        for (written, undone) in [
            ("", ""),
            ("$ ls\r\nfile\r\n", ""),
            ("$ ", "\r\n"),
            // An editor: another screen, bracketed paste, the mouse, no cursor.
            (
                "\x1b[?1049h\x1b[?2004h\x1b[?1006;1000h\x1b[?25l~",
                "\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[?1049l\x1b[?2004l\r\n",
            ),
            ("\x1b[?1049hedit\x1b[?1049l\x1b[?25l\x1b[?25h\n", ""),
            ("\x1b[1;31mred\r\n", "\x1b[0m"),
            ("\x1b[1;31mred\x1b[0m\r\n", ""),
            ("\x1b[31mred\x1b[m\r\n", ""),
            ("\x1b[?7l", "\x1b[?7h"),
        ] {
            let mut screen = Screen::default();
            for byte in written.bytes() {
                screen.read(&[byte]);
            }
            assert_eq!(screen.undone(), undone, "{written:?}");
        }
    }
}
