//! A document as plain text in 72 columns that goes into a mail as it is and
//! reads as Markdown too.

use super::document::{Block, Document, Reach};
use super::table;
use crate::words::{ascii, one_line, wrap};

const WIDTH: usize = 72;

/// All but what only a page has.
pub(super) fn draw(document: &Document<'_>) -> String {
    let mut out = Out::default();
    out.heading(&document.title, '=');
    for section in document
        .sections
        .iter()
        .filter(|s| s.reach <= Reach::InFull)
    {
        if let Some(heading) = &section.heading {
            out.heading(heading, '-');
        }
        out.blocks(&section.blocks);
    }
    out.end()
}

/// Blocks alone, as they are pasted.
pub(super) fn blocks(blocks: &[Block<'_>]) -> String {
    let mut out = Out::default();
    out.blocks(blocks);
    out.end()
}

/// Text that grows, in 72 columns of ASCII.
#[derive(Default)]
struct Out(String);

impl Out {
    /// All of it, ending with one newline.
    fn end(mut self) -> String {
        self.0.truncate(self.0.trim_end().len());
        self.0.push('\n');
        self.0
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(&ascii(text));
        self.0.push('\n');
    }

    fn blank(&mut self) {
        self.line("");
    }

    fn heading(&mut self, text: &str, under: char) {
        let text = one_line(text);
        self.line(&text);
        self.line(&under.to_string().repeat(text.chars().count().min(WIDTH)));
        self.blank();
    }

    fn blocks(&mut self, blocks: &[Block<'_>]) {
        for block in blocks {
            match block {
                Block::Caveats(all) => all.iter().for_each(|text| self.paragraph(text)),
                Block::Answer(_, text) | Block::Paragraph(text) | Block::Legend(text) => {
                    self.paragraph(text);
                }
                Block::Items(items) => self.items(items.iter().cloned()),
                Block::Pairs(pairs) => {
                    self.items(pairs.iter().map(|(name, text)| format!("{name}: {text}")));
                }
                Block::Table(table) => {
                    let caption = table.caption.as_deref().map(one_line);
                    let caption = caption.map(|text| text + "\n\n").unwrap_or_default();
                    self.verbatim(&(caption + &table::text(table, WIDTH - 4)));
                }
                Block::ToPaste(blocks) => self.blocks(blocks),
                Block::Charts(_) => {}
            }
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.line(&wrap(&one_line(text), WIDTH, ""));
        self.blank();
    }

    fn items(&mut self, items: impl Iterator<Item = String>) {
        let mut any = false;
        for item in items {
            self.line(&wrap(&format!("- {}", one_line(&item)), WIDTH, "  "));
            any = true;
        }
        if any {
            self.blank();
        }
    }

    /// Four columns in: Markdown's verbatim text.
    fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            self.line(&format!("{indent}{line}"));
        }
        self.blank();
    }
}
