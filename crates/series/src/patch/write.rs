//! Diffs written out again.

use std::fmt::Write as _;

use super::model::{FileDiff, FileKind, Line, LineKind, Unsupported};

/// Writes diffs as `git diff` does, byte for byte what [`super::parse()`]
/// read, if git wrote that with its default settings and the text behind the
/// second `@@` is UTF-8.
pub fn diff(files: &[FileDiff]) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        write_file(&mut out, file);
    }
    out
}

fn write_file(out: &mut Vec<u8>, file: &FileDiff) {
    let (old, new) = match (&file.old_path, &file.new_path) {
        (Some(old), Some(new)) => (old, new),
        (Some(one), None) | (None, Some(one)) => (one, one),
        (None, None) => return,
    };
    let mut head = format!("diff --git {} {}\n", quoted("a/", old), quoted("b/", new));
    let changed_mode = file.old_mode != file.new_mode;
    match (file.old_mode, file.new_mode) {
        (_, Some(mode)) if file.old_path.is_none() => {
            let _ = writeln!(head, "new file mode {mode:06o}");
        }
        (Some(mode), _) if file.new_path.is_none() => {
            let _ = writeln!(head, "deleted file mode {mode:06o}");
        }
        (Some(before), Some(after)) if changed_mode => {
            let _ = writeln!(head, "old mode {before:06o}\nnew mode {after:06o}");
        }
        _ => {}
    }
    if let Some(similarity) = file.similarity {
        let _ = writeln!(head, "similarity index {similarity}%");
    }
    let verb = match file.kind {
        FileKind::Plain => None,
        FileKind::Rename => Some("rename"),
        FileKind::Copy => Some("copy"),
    };
    if let Some(verb) = verb {
        let _ = writeln!(
            head,
            "{verb} from {}\n{verb} to {}",
            quoted("", old),
            quoted("", new)
        );
    }
    if let (Some(before), Some(after)) = (&file.old_blob, &file.new_blob) {
        let _ = write!(head, "index {before}..{after}");
        match file.old_mode {
            Some(mode) if !changed_mode => {
                let _ = writeln!(head, " {mode:06o}");
            }
            _ => head.push('\n'),
        }
    }
    if !file.hunks.is_empty() {
        let name = |mark: &str, prefix: &str, path: &Option<String>| match path {
            // A tab ends a name that has blanks.
            Some(path) => {
                let tab = if path.contains(' ') { "\t" } else { "" };
                format!("{mark} {}{tab}\n", quoted(prefix, path))
            }
            None => format!("{mark} /dev/null\n"),
        };
        head += &name("---", "a/", &file.old_path);
        head += &name("+++", "b/", &file.new_path);
    }
    out.extend_from_slice(head.as_bytes());
    if let Some(Unsupported::Binary(lines)) = &file.unsupported {
        out.extend_from_slice(lines);
    }
    for hunk in &file.hunks {
        let range = |start: u32, lines: u32| match lines {
            1 => start.to_string(),
            _ => format!("{start},{lines}"),
        };
        let (old, new) = (
            range(hunk.old_start, hunk.old_lines),
            range(hunk.new_start, hunk.new_lines),
        );
        let gap = if hunk.section.is_empty() { "" } else { " " };
        out.extend_from_slice(format!("@@ -{old} +{new} @@{gap}{}\n", hunk.section).as_bytes());
        for line in &hunk.lines {
            write_line(out, line);
        }
    }
}

fn write_line(out: &mut Vec<u8>, line: &Line) {
    out.push(match line.kind {
        LineKind::Context => b' ',
        LineKind::Removed => b'-',
        LineKind::Added => b'+',
    });
    out.extend_from_slice(&line.text);
    if !line.text.ends_with(b"\n") {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// A path, in C quotes where git would put them.
fn quoted(prefix: &str, path: &str) -> String {
    if !path
        .bytes()
        .any(|byte| byte >= 0x80 || matches!(byte, b'"' | b'\\') || byte < b' ')
    {
        return format!("{prefix}{path}");
    }
    let mut out = format!("\"{prefix}");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}
