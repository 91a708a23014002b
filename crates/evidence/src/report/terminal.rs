//! A document at the end of a run: plain ASCII that may be pasted anywhere.

use super::document::{Block, Document, Reach, Section};
use super::table;
use crate::words::{ascii, one_line, wrap};

/// Columns of a whole report.
pub(super) const WIDTH: usize = 100;

/// What every form has, in so many columns. The title is left out.
pub(super) fn draw(document: &Document<'_>, width: usize) -> String {
    let sections = document.sections.iter();
    let brief = sections.filter(|section| section.reach == Reach::Everywhere);
    let texts: Vec<String> = brief.map(|section| text(section, width)).collect();
    texts.join("\n\n") + "\n"
}

fn text(section: &Section<'_>, width: usize) -> String {
    let mut text = section
        .heading
        .as_deref()
        .map_or_else(String::new, |heading| wrap(&clean(heading), width, "  "));
    // The answer comes first; what limits it, next to it.
    let caveats = |block: &&Block<'_>| matches!(block, Block::Caveats(_));
    let blocks = section.blocks.iter();
    let ordered = blocks.clone().filter(|block| !caveats(block));
    for block in ordered.chain(blocks.filter(caveats)) {
        let (apart, drawn) = match block {
            Block::Answer(_, text) => (false, wrap(&clean(text), width, "")),
            Block::Paragraph(text) => (false, wrap(&clean(text), width, "  ")),
            Block::Caveats(all) => {
                let line = |text: &String| wrap(&format!("note: {}", clean(text)), width, "  ");
                (false, all.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
            Block::Items(items) => {
                let line = |item: &String| wrap(&clean(item), width, "    ");
                (false, items.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
            Block::Table(table) => {
                let caption = table.caption.as_deref().map(clean);
                let apart = caption.is_some();
                let caption = caption.map(|text| text + "\n").unwrap_or_default();
                (apart, caption + &table::text(table, width))
            }
            Block::Pairs(_) | Block::Legend(_) | Block::Charts(_) | Block::ToPaste(_) => continue,
        };
        if drawn.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(if apart { "\n\n" } else { "\n" });
        }
        text.push_str(&drawn);
    }
    text
}

fn clean(text: &str) -> String {
    ascii(&one_line(text))
}
