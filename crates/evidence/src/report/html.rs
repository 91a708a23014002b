//! A document as one file without scripts that loads nothing, for screens from
//! 360 pixels on and for paper.

use super::document::{Block, Charts, Document, Kind, Section, Swatch, Table};
use super::{markdown, svg};
use crate::words::{escape, one_line};

const STYLE: &str = include_str!("style.css");
/// Rows of a table and items of a list beyond these are left out.
const MAX_ROWS: usize = 500;

/// All of it.
pub(super) fn draw(document: &Document<'_>) -> String {
    let title = clean(&document.title);
    let mut page = Page(String::with_capacity(1 << 16));
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    ));
    document
        .sections
        .iter()
        .for_each(|section| page.section(section));
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

/// Text from outside, on one line and escaped.
fn clean(text: &str) -> String {
    escape(&one_line(text))
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// An element, `tag` with its attributes, around text from outside.
    fn element(&mut self, tag: &str, text: &str) {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.raw(&format!("<{tag}>{}</{name}>\n", clean(text)));
    }

    fn section(&mut self, section: &Section<'_>) {
        self.raw("<section>\n");
        if let Some(heading) = &section.heading {
            self.element("h2", heading);
        }
        for block in &section.blocks {
            match block {
                Block::Caveats(all) => {
                    all.iter()
                        .for_each(|text| self.element("p class=\"caveat\"", text));
                }
                Block::Answer(tone, text) => {
                    self.element(&format!("p class=\"answer {}\"", tone.class()), text);
                }
                Block::Paragraph(text) => self.element("p", text),
                Block::Legend(text) => self.element("p class=\"small\"", text),
                Block::Items(items) if items.is_empty() => {}
                Block::Items(items) => {
                    self.raw("<ul>\n");
                    items
                        .iter()
                        .take(MAX_ROWS)
                        .for_each(|item| self.element("li", item));
                    self.raw("</ul>\n");
                }
                Block::Pairs(pairs) => {
                    self.raw("<dl>\n");
                    for (name, text) in pairs.iter().take(MAX_ROWS) {
                        self.raw(&format!(
                            "<dt>{}</dt><dd>{}</dd>\n",
                            clean(name),
                            clean(text)
                        ));
                    }
                    self.raw("</dl>\n");
                }
                Block::Table(table) => self.table(table),
                Block::Charts(charts) => self.charts(charts),
                Block::ToPaste(blocks) => {
                    let text = markdown::blocks(blocks);
                    self.raw(&format!("<pre>{}</pre>\n", escape(text.trim_end())));
                }
            }
        }
        self.raw("</section>\n");
    }

    fn table(&mut self, table: &Table) {
        if let Some(caption) = &table.caption {
            self.element("h3", caption);
        }
        self.raw("<table class=\"cards\">\n<thead><tr>");
        for column in &table.columns {
            self.raw(&format!("<th scope=\"col\">{}</th>", clean(&column.head)));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in table.rows.iter().take(MAX_ROWS) {
            self.raw("<tr>");
            for (nth, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
                let number = column.kind != Kind::Text;
                let mut text = clean(&cell.text);
                if number {
                    text = text.replace(" us", " \u{b5}s");
                }
                if let Some(sign) = cell.sign {
                    text = format!("{sign} {text}");
                }
                if let Some(tone) = cell.tone {
                    text = format!("<span class=\"{}\">{text}</span>", tone.class());
                }
                if let Some(link) = &cell.link {
                    text = format!("<a href=\"{}\">{text}</a>", escape(link));
                }
                if let Some(note) = &cell.note {
                    text.push_str(&format!(" <span class=\"small\">{}</span>", clean(note)));
                }
                if nth == 0 {
                    if row.marked {
                        text = format!("<strong>* {text}</strong>");
                    }
                    self.raw(&format!("<th scope=\"row\">{text}</th>"));
                } else {
                    let class = if number { " class=\"n\"" } else { "" };
                    let head = clean(&column.head);
                    self.raw(&format!("<td{class} data-l=\"{head}\">{text}</td>"));
                }
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
        for note in &table.notes {
            self.element("p class=\"small\"", note);
        }
    }

    fn charts(&mut self, charts: &Charts<'_>) {
        self.key(&charts.key);
        self.raw("<div class=\"charts\">\n");
        for figure in &charts.figures {
            self.raw("<figure>\n");
            self.element("h3", &figure.heading);
            self.raw(&svg::draw(&figure.chart));
            self.raw("\n");
            self.key(&figure.key);
            self.element("figcaption", &figure.caption);
            self.raw("</figure>\n");
        }
        self.raw("</div>\n");
        self.element("p class=\"small\"", &charts.legend);
    }

    fn key(&mut self, key: &[Swatch]) {
        if key.is_empty() {
            return;
        }
        let swatch = |of: &Swatch| {
            let label = clean(&of.label);
            format!(
                "<span class=\"swatch {}\">{}</span> {label}",
                of.class, of.mark
            )
        };
        let swatches: Vec<String> = key.iter().map(swatch).collect();
        self.raw(&format!("<p class=\"key\">{}</p>\n", swatches.join("<br>")));
    }
}
