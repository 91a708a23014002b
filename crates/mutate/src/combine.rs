//! One source with all mistakes, of which each is made when it is chosen.

use std::ops::Range;

use crate::model::{Form, Mark, Mistake};

/// A source with mistakes to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    pub text: String,
    /// The line of each mistake, counted from 1, in the order in which they were given:
    /// where a compiler rejects one, it names that line.
    pub lines: Vec<usize>,
}

impl Combined {
    /// Which mistake the compiler means by a line, by its place in the order in which
    /// they were given: the one that is there, or the last one before it. None where
    /// there is none before it.
    pub fn at(&self, line: usize) -> Option<usize> {
        let before = self.lines.iter().enumerate();
        let before = before.filter(|(_, own)| **own <= line);
        before.max_by_key(|(_, own)| **own).map(|(at, _)| at)
    }
}

/// Writes `choice(NUMBER)` before each statement that is marked, counted from 0, and
/// changes nothing else. `head` goes before all else and must declare it.
pub fn marked(source: &str, marks: &[Mark], first: usize, choice: &str, head: &str) -> String {
    let pieces = marks.iter().map(|mark| Piece {
        at: &mark.at,
        form: Form::Mark,
        with: "",
    });
    write(source, pieces, first, choice, head).text
}

/// Writes `choice(NUMBER)` before each mistake: what the source calls to know whether
/// the mistake of that number, counted from `first`, is to be made. `head` goes before
/// all else and must declare it.
pub fn all_in_one(
    source: &str,
    mistakes: &[Mistake],
    first: usize,
    choice: &str,
    head: &str,
) -> Combined {
    let pieces = mistakes.iter().map(|mistake| Piece {
        at: &mistake.at,
        form: mistake.form,
        with: &mistake.with,
    });
    write(source, pieces, first, choice, head)
}

/// What is written in a place.
struct Piece<'a> {
    at: &'a Range<usize>,
    form: Form,
    with: &'a str,
}

fn write<'a>(
    source: &str,
    pieces: impl ExactSizeIterator<Item = Piece<'a>>,
    first: usize,
    choice: &str,
    head: &str,
) -> Combined {
    let count = pieces.len();
    let mut places: Vec<Place<'_>> = Vec::new();
    for (number, piece) in pieces.enumerate() {
        let same = |place: &&mut Place<'_>| place.at == *piece.at && place.form == piece.form;
        match places.iter_mut().find(same) {
            Some(place) => place.pieces.push((number, piece.with)),
            None => places.push(Place {
                at: piece.at.clone(),
                form: piece.form,
                pieces: vec![(number, piece.with)],
            }),
        }
    }
    // Outer places first, what is inserted before what begins there.
    places.sort_by_key(|place| {
        let is_inserted = place.form == Form::Insert;
        (
            place.at.start,
            !is_inserted,
            std::cmp::Reverse(place.at.end),
            place.form,
        )
    });
    let mut writer = Writer {
        source,
        choice,
        first,
        places: &places,
        text: String::new(),
        line: 1,
        lines: vec![0; count],
    };
    writer.put(head);
    writer.range(0..source.len(), 0..places.len());
    Combined {
        text: writer.text,
        lines: writer.lines,
    }
}

struct Place<'a> {
    at: Range<usize>,
    form: Form,
    pieces: Vec<(usize, &'a str)>,
}

struct Writer<'a> {
    source: &'a str,
    choice: &'a str,
    first: usize,
    places: &'a [Place<'a>],
    text: String,
    line: usize,
    lines: Vec<usize>,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.line += text.bytes().filter(|byte| *byte == b'\n').count();
        self.text.push_str(text);
    }

    fn copy(&mut self, range: Range<usize>) {
        let source = self.source;
        self.put(source.get(range).unwrap_or_default());
    }

    /// A part of the source, with those places made a choice that lie in it.
    fn range(&mut self, range: Range<usize>, places: Range<usize>) {
        let all = self.places;
        let (mut at, mut next) = (range.start, places.start);
        while let Some(place) = all.get(next).filter(|_| next < places.end) {
            let inner = (next + 1..places.end)
                .take_while(|inner| all.get(*inner).is_some_and(|it| it.at.end <= place.at.end))
                .take_while(|_| !place.at.is_empty())
                .count();
            self.copy(at..place.at.start);
            self.place(place, next + 1..next + 1 + inner);
            at = place.at.end;
            next += 1 + inner;
        }
        self.copy(at..range.end);
    }

    fn place(&mut self, place: &Place<'_>, inner: Range<usize>) {
        let (open, then, between, last, close) = match place.form {
            Form::Expression => ("(", " ? (", ") :", "(", "))"),
            Form::Statement => ("{", " {", "} else", "{", "}}"),
            Form::Insert => ("", " {", "}", "", ""),
            Form::Mark => ("{", " {", "}", "{", "}}"),
        };
        let test = match place.form {
            Form::Expression => "",
            Form::Statement | Form::Insert | Form::Mark => "if ",
        };
        self.put(open);
        for (number, with) in &place.pieces {
            self.put("\n");
            if let Some(line) = self.lines.get_mut(*number) {
                *line = self.line;
            }
            let (choice, number) = (self.choice, self.first + number);
            let test = format!("{test}({choice}({number})){then}{with}{between}");
            self.put(&test);
        }
        self.put("\n");
        self.put(last);
        self.range(place.at.clone(), inner);
        self.put(close);
    }
}
