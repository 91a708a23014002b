//! What a report says, whatever form it takes: sections of paragraphs, lists,
//! tables and charts. Text is plain here; each form wraps and escapes it.

use super::svg::Chart;

/// A report, a matrix, or an answer to another question.
pub(super) struct Document<'a> {
    pub title: String,
    pub sections: Vec<Section<'a>>,
}

/// One thing that a reader looks for.
pub(super) struct Section<'a> {
    pub heading: Option<String>,
    pub reach: Reach,
    pub blocks: Vec<Block<'a>>,
}

impl<'a> Section<'a> {
    /// A section of every form.
    pub(super) fn new(heading: impl Into<String>, blocks: Vec<Block<'a>>) -> Self {
        Self {
            heading: Some(heading.into()),
            reach: Reach::Everywhere,
            blocks,
        }
    }

    /// The same without a heading.
    pub(super) fn untitled(blocks: Vec<Block<'a>>) -> Self {
        Self {
            heading: None,
            reach: Reach::Everywhere,
            blocks,
        }
    }

    pub(super) fn reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }
}

/// Which forms have a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// All.
    Everywhere,
    /// All but a terminal.
    InFull,
    /// A page alone.
    Page,
}

/// A part of a section.
pub(super) enum Block<'a> {
    /// What limits the figures.
    Caveats(Vec<String>),
    /// The whole answer.
    Answer(Tone, String),
    Paragraph(String),
    /// How to read what stands beside it; a terminal leaves it out.
    Legend(String),
    Items(Vec<String>),
    Pairs(Vec<(&'static str, String)>),
    Table(Table),
    /// Only a page draws them.
    Charts(Charts<'a>),
    /// Text that a reader copies as it is.
    ToPaste(Vec<Block<'a>>),
}

/// What a colour says that the words say too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Same,
    Open,
    Base,
    Patched,
}

impl Tone {
    /// The class of a page's style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Same => "same",
            Self::Open => "open",
            Self::Base => "swatch base",
            Self::Patched => "swatch patched",
        }
    }
}

/// Rows of cells, the first cell being the row's head.
#[derive(Default)]
pub(super) struct Table {
    pub caption: Option<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Below the table.
    pub notes: Vec<String>,
    /// Below the table in text, where a page has a cell or its note for it.
    pub text_notes: Vec<String>,
    /// Whether text numbers all columns but the first, and explains the numbers
    /// below.
    pub numbered: bool,
    /// The rows that text has; all where none is given.
    pub text_rows: Option<usize>,
}

/// A column's head, and how it stands.
pub(super) struct Column {
    pub head: String,
    pub kind: Kind,
    pub page_only: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Figures, that text aligns on the right.
    Number,
    /// Figures of several parts, aligned on the left.
    Numbers,
}

impl Column {
    pub(super) fn new(head: impl Into<String>, kind: Kind) -> Self {
        Self {
            head: head.into(),
            kind,
            page_only: false,
        }
    }

    pub(super) fn text(head: impl Into<String>) -> Self {
        Self::new(head, Kind::Text)
    }

    pub(super) fn number(head: impl Into<String>) -> Self {
        Self::new(head, Kind::Number)
    }

    pub(super) fn numbers(head: impl Into<String>) -> Self {
        Self::new(head, Kind::Numbers)
    }

    pub(super) fn page_only(self) -> Self {
        Self {
            page_only: true,
            ..self
        }
    }
}

/// A row; a marked one stands out.
pub(super) struct Row {
    pub marked: bool,
    pub cells: Vec<Cell>,
}

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self {
            marked: false,
            cells,
        }
    }
}

/// One cell. A page shows its sign, its note and its link; the words alone say
/// the same.
#[derive(Default)]
pub(super) struct Cell {
    pub text: String,
    pub tone: Option<Tone>,
    pub sign: Option<char>,
    pub note: Option<String>,
    pub link: Option<String>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

impl Cell {
    pub(super) fn toned(self, tone: Tone) -> Self {
        Self {
            tone: Some(tone),
            ..self
        }
    }
}

/// Charts side by side.
pub(super) struct Charts<'a> {
    pub key: Vec<Swatch>,
    pub figures: Vec<Figure<'a>>,
    /// How to read them.
    pub legend: String,
}

/// What a colour and a mark mean in a chart.
pub(super) struct Swatch {
    pub class: &'static str,
    pub mark: char,
    pub label: String,
}

impl Swatch {
    pub(super) fn new(class: &'static str, mark: char, label: impl Into<String>) -> Self {
        Self {
            class,
            mark,
            label: label.into(),
        }
    }

    /// Those of both arms.
    pub(super) fn arms() -> Vec<Self> {
        vec![
            Self::new("base", '\u{2715}', "base"),
            Self::new("patched", '\u{25cf}', "patched"),
        ]
    }
}

/// One chart, by the data that it shows.
pub(super) struct Figure<'a> {
    pub heading: String,
    pub chart: Chart<'a>,
    pub key: Vec<Swatch>,
    pub caption: String,
}
