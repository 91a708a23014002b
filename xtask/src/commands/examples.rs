//! The command lines of this program in documents, scripts and help texts, for
//! the test that each of them is one.

use std::iter::Peekable;
use std::str::Chars;

/// Those in a Markdown file: in blocks of code, and between backticks.
pub fn in_markdown(text: &str) -> Vec<Vec<String>> {
    let mut code = String::new();
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        let fence = line.starts_with("```");
        fenced ^= fence;
        let of_code = !fence && (fenced || line.starts_with("    "));
        let (to, other) = match of_code {
            true => (&mut code, &mut prose),
            false => (&mut prose, &mut code),
        };
        to.push_str(line);
        to.push('\n');
        // What stood before is no part of what comes behind.
        other.push('\n');
    }
    let spans = prose.split("\n\n").flat_map(|paragraph| {
        let odd = paragraph.split('`').skip(1).step_by(2);
        odd.map(|span| span.replace('\n', " ")).collect::<Vec<_>>()
    });
    let mut found = in_shell(&code);
    for span in spans {
        found.extend(in_shell(&span));
    }
    found
}

/// Those in a shell script, or in what looks like one: an example, a workflow.
pub fn in_shell(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for command in text.lines().flat_map(commands) {
        for (at, word) in command.iter().enumerate() {
            if word.contains("xtask ") {
                found.extend(in_shell(word));
            }
            let by_cargo = word == "xtask" && at > 0 && command[at - 1] == "cargo";
            let installed = word == "reaperlab" && at == 0;
            if by_cargo || installed || word.ends_with("/xtask") {
                found.push(command[at + 1..].to_vec());
                break;
            }
        }
    }
    found.retain(|words| !words.is_empty());
    found
}

/// The simple commands of a line, as words: without comments and without what
/// sends output elsewhere.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut chars = line.chars().peekable();
    let mut redirected = false;
    while let Some(&next) = chars.peek() {
        match next {
            '#' => break,
            '&' | '|' | ';' => {
                chars.next();
                commands.push(Vec::new());
            }
            '>' => {
                chars.next();
                redirected = true;
            }
            next if next.is_whitespace() => {
                chars.next();
            }
            _ => {
                let word = word(&mut chars);
                if !std::mem::take(&mut redirected)
                    && let Some(command) = commands.last_mut()
                {
                    command.push(word);
                }
            }
        }
    }
    commands
}

/// One word, its quotes taken away.
fn word(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    let mut quote = None;
    while let Some(&next) = chars.peek() {
        match quote {
            None if next.is_whitespace() || "&|;>".contains(next) => break,
            None if next == '\'' || next == '"' => quote = Some(next),
            Some(mark) if mark == next => quote = None,
            _ => word.push(next),
        }
        chars.next();
    }
    word
}
