//! The archive, as an independent reader sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use vm::initramfs::{self, File};

/// GNU cpio is what the kernel's own documentation builds such archives with.
#[test]
fn cpio_lists_and_extracts_what_was_written() {
    let mut bytes = Vec::new();
    let files = [
        File {
            path: "init",
            mode: 0o755,
            bytes: b"#!/bin/true\n",
        },
        File {
            path: "lib/modules/x.ko",
            mode: 0o644,
            bytes: &[0xff; 1001],
        },
        File {
            path: "empty",
            mode: 0o600,
            bytes: b"",
        },
    ];
    initramfs::write(&mut bytes, &files).unwrap();

    let listing = cpio(&["-t", "-v", "--numeric-uid-gid", "--quiet"], &bytes);
    let listed: Vec<String> = listing
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            // Devices show "major, minor" where files show a size.
            let size = if columns[0].starts_with('c') {
                format!("{}{}", columns[4], columns[5])
            } else {
                columns[4].to_owned()
            };
            format!(
                "{} {}/{} {size} {}",
                columns[0],
                columns[2],
                columns[3],
                columns.last().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(listed.join("\n"), @"
    drwxr-xr-x 0/0 0 dev
    drwxr-xr-x 0/0 0 proc
    drwx------ 0/0 0 root
    drwxr-xr-x 0/0 0 run
    drwxr-xr-x 0/0 0 sys
    drwxrwxrwt 0/0 0 tmp
    crw------- 0/0 5,1 dev/console
    crw-r--r-- 0/0 1,11 dev/kmsg
    crw-rw-rw- 0/0 1,3 dev/null
    -rwxr-xr-x 0/0 12 init
    drwxr-xr-x 0/0 0 lib
    drwxr-xr-x 0/0 0 lib/modules
    -rw-r--r-- 0/0 1001 lib/modules/x.ko
    -rw------- 0/0 0 empty
    ");

    let content = cpio(&["-i", "--to-stdout", "--quiet", "init"], &bytes);
    assert_eq!(content, "#!/bin/true\n");
}

/// cpio's output.
fn cpio(args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("cpio")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("this test needs cpio: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
