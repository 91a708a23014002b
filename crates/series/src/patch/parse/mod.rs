//! The reader of diffs.
//!
//! Diffs come from mail, so all of it is hostile until proved otherwise:
//! paths that would leave the tree, hunks that are longer or shorter than
//! they say, links, binary data and sheer size are refused here, and nothing
//! behind this module looks at them again.

mod bytes;
mod file;
mod hunk;
mod names;
mod reader;

pub use file::{MAX_FILES, parse};
pub use hunk::{MAX_LINE, MAX_LINES};

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::patch::{Unsupported, diff};

    #[test]
    fn what_no_text_can_change_hides_nothing_else() {
        let text = "diff --git a/t b/t\n--- a/t\n+++ b/t\n@@ -1 +1 @@\n-x\n+y\n";
        let git = |head: &str| format!("diff --git a/a b/a\n{head}");
        let data =
            "GIT binary patch\nliteral 5\nMcmZQzU|?i`U|?Wi00031\n\nliteral 0\nHcmV?d00001\n\n";
        for (first, expected) in [
            (
                git(
                    "new file mode 120000\nindex 0000000..89abcde\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+t\n\\ No newline at end of file\n",
                ),
                "symbolic link",
            ),
            (
                git("index 1234567..89abcde 120000\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-s\n+t\n"),
                "symbolic link",
            ),
            (git("old mode 100644\nnew mode 160000\n"), "submodule"),
            (
                git(&format!("index 1234567..89abcde 100644\n{data}")),
                "binary file",
            ),
            (
                git(&format!(
                    "new file mode 100644\nindex 0000000..89abcde\n{data}"
                )),
                "binary file",
            ),
            (
                git("index 1234567..89abcde 100644\nBinary files a/a and b/a differ\n"),
                "binary file",
            ),
            (
                "Binary files a/a and b/a differ\n".to_owned(),
                "binary file",
            ),
            (
                "Binary files /dev/null and b/a differ\n".to_owned(),
                "binary file",
            ),
        ] {
            let files = parse(format!("{first}{text}-- \n2.47.3\n").as_bytes()).unwrap();
            let [odd, plain] = &files[..] else {
                unreachable!("{first}: {files:#?}")
            };
            assert_eq!(odd.path(), "a", "{first}");
            assert_eq!(
                odd.unsupported.as_ref().map(Unsupported::as_str),
                Some(expected)
            );
            assert_eq!((plain.path(), &plain.unsupported), ("t", &None));
            let written = String::from_utf8(diff(&files[..1])).unwrap();
            assert!(
                written.ends_with(&first) || first.starts_with("Binary"),
                "{written}"
            );
        }
    }

    #[test]
    fn the_epoch_is_no_file() {
        let side = |mark: &str, time: &str| format!("{mark} a/x\t{time}\n");
        let now = "2025-09-05 10:00:00.000000000 +0000";
        let (made, gone) = ("@@ -0,0 +1 @@\n+x\n", "@@ -1 +0,0 @@\n-x\n");
        for (old, new, hunk, expected) in [
            (
                "1970-01-01 00:00:00.000000000 +0000",
                now,
                made,
                (false, true),
            ),
            ("1970-01-01 01:00:00 +0100", now, made, (false, true)),
            ("1969-12-31 16:00:00.000 -0800", now, made, (false, true)),
            (now, "1970-01-01 05:30:00 +05:30", gone, (true, false)),
            (now, "1970-01-01 01:00:00 +0000", gone, (true, true)),
            ("1970-01-01 00:00:01 +0000", now, made, (true, true)),
            ("1970-01-01", now, made, (true, true)),
            ("1970-01-01 \u{fc}0:00:00 +0000", now, made, (true, true)),
            ("Thu Jan  1 00:00:00 1970", now, made, (true, true)),
        ] {
            let text = side("---", old) + &side("+++", new) + hunk;
            let files = parse(text.as_bytes()).unwrap();
            let found = (files[0].old_path.is_some(), files[0].new_path.is_some());
            assert_eq!(found, expected, "{text}");
        }
        // As git has it: a file that is not there has no lines.
        let text = side("---", "1970-01-01 00:00:00 +0000") + &side("+++", now);
        assert!(parse(format!("{text}@@ -1 +1 @@\n-x\n+y\n").as_bytes()).is_err());
    }

    #[test]
    fn a_name_with_something_tacked_on_is_the_same_file() {
        let name = |old: &str, new: &str| {
            let text = format!("--- {old}\n+++ {new}\n@@ -1 +1 @@\n-x\n+y\n");
            let file = parse(text.as_bytes()).ok()?.remove(0);
            assert_eq!(file.old_path, file.new_path, "{text}");
            file.new_path
        };
        for (old, new) in [
            ("linux.orig/mm/x.c", "linux/mm/x.c"),
            ("a/mm/x.c.orig", "b/mm/x.c"),
            ("a/mm/x.c~", "b/mm/x.c"),
            (
                "a/mm/x.c\t2025-07-15 14:45:14 -0700",
                "b/mm/x.c.new\t2025-07-16",
            ),
        ] {
            assert_eq!(name(old, new).as_deref(), Some("mm/x.c"), "{old} {new}");
        }
        for (old, new) in [("a/mm/x.c", "b/mm/y.c"), ("a/mm", "b/mm/x.c")] {
            assert_eq!(name(old, new), None, "{old} {new}");
        }
    }
}
