//! Importing, held against git.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};

use kernel::IoError;
use kernel::store::{Input, Kernel, Origin, Progress, StoreError, import};
use lab::{Dice, Lab, exists};

fn origin(id: &str) -> Origin {
    Origin {
        id: id.into(),
        text: id.into(),
        immutable: false,
    }
}

fn go(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn import_tar(lab: &Lab, tar: &[u8]) -> Result<Kernel, StoreError> {
    let input = Input::Tar {
        reader: Box::new(tar),
        share: Box::new(|| 0.5),
    };
    import(&lab.store, input, &origin("tar/x"), &mut go)
}

/// A tree with everything that a kernel's has, and more.
fn plant(lab: &Lab) {
    let mut dice = Dice(7);
    lab.write(".gitignore", "/*\n");
    lab.write(
        "Makefile",
        "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION = -rc1\n",
    );
    lab.write("include/linux/a.h", "#define known_one(x) x\n");
    lab.write("arch/x86/include/asm/b.h", "#define known_two(x) x\n");
    lab.write("tools/include/c.h", "#define known_three(x) x\n");
    lab.write("empty", "");
    lab.write("a.b/x", "before a/ in git's order\n");
    lab.write("a/x", "x\n");
    lab.write("a0", "behind a/\n");
    lab.write("name with spaces/ä", "1\n");
    lab.write(&format!("{}/deep", "d/".repeat(60)), "deep\n");
    for n in 0..300 {
        let size = dice.below(3000);
        let bytes: Vec<u8> = (0..size).map(|_| dice.below(256) as u8).collect();
        lab.write(&format!("drivers/{}/{n}.c", n % 7), bytes);
    }
    lab.write("drivers/twice.c", "same\n");
    lab.write("drivers/again.c", "same\n");
    let script = lab.work().join("scripts.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a/x", lab.work().join("link")).unwrap();
    symlink("nowhere", lab.work().join("broken")).unwrap();
}

fn check(lab: &Lab) {
    let path = lab.store.path().display().to_string();
    let said = lab.git(&["--git-dir", &path, "fsck", "--full", "--strict"]);
    assert!(!said.contains("error"), "{said}");
    for entry in fs::read_dir(lab.store.path().join("objects/pack")).unwrap() {
        let pack = entry.unwrap().path();
        if pack.extension().is_some_and(|e| e == "idx") {
            lab.git(&["verify-pack", &pack.display().to_string()]);
        } else {
            assert!(
                pack.extension().is_some_and(|e| e == "pack"),
                "left behind: {pack:?}"
            );
        }
    }
}

fn packs(lab: &Lab) -> usize {
    fs::read_dir(lab.store.path().join("objects/pack"))
        .unwrap()
        .count()
        / 2
}

#[test]
fn a_folder_becomes_the_tree_that_git_makes_of_it() {
    let lab = Lab::new();
    plant(&lab);
    let kernel = lab.import();
    assert_eq!(kernel.tree.to_string(), lab.tree());
    assert_eq!(kernel.version, "6.12.117-rc1");
    assert_eq!(lab.store.kernel("lab/work").unwrap(), Some(kernel.clone()));
    assert_eq!(lab.store.kernels().unwrap(), std::slice::from_ref(&kernel));
    check(&lab);

    // The same again writes nothing, a changed file one pack of four objects.
    assert_eq!(lab.import(), kernel);
    assert_eq!(packs(&lab), 1);
    lab.write("drivers/3/3.c", "changed\n");
    let changed = lab.import();
    assert_eq!(changed.tree.to_string(), lab.tree());
    assert_eq!(packs(&lab), 2);
    check(&lab);
}

#[test]
fn tar_and_git_give_the_same_tree_as_the_folder() {
    let lab = Lab::new();
    plant(&lab);
    let tree = lab.tree();
    let commit = lab.commit("all");
    let tar = lab
        .run("git", &["archive", "--prefix=linux-6.12/", &commit], b"")
        .stdout;
    assert_eq!(import_tar(&lab, &tar).unwrap().tree.to_string(), tree);
    let flat = lab.run("git", &["archive", &commit], b"").stdout;
    assert_eq!(import_tar(&lab, &flat).unwrap().tree.to_string(), tree);
    // GNU tar, with long names and a hard link.
    fs::remove_file(lab.work().join("drivers/again.c")).unwrap();
    fs::hard_link(
        lab.work().join("drivers/twice.c"),
        lab.work().join("drivers/again.c"),
    )
    .unwrap();
    let gnu = lab.run("tar", &["-c", "--exclude=./.git", "."], b"").stdout;
    assert_eq!(import_tar(&lab, &gnu).unwrap().tree.to_string(), tree);

    let other = Lab::new();
    let repo = git2::Repository::open(lab.work()).unwrap();
    let id = kernel::store::Oid::from_str(&commit).unwrap();
    let input = Input::Git(&repo, id);
    let kernel = import(&other.store, input, &origin("git/x"), &mut go).unwrap();
    assert_eq!(kernel.tree.to_string(), tree);
    check(&other);

    // The next commit: what the store has is not read again.
    lab.write("drivers/3/3.c", "changed\n");
    lab.write("a-new/file", "new\n");
    let commit = lab.commit("more");
    let id = kernel::store::Oid::from_str(&commit).unwrap();
    let mut read = 0;
    let mut watch = |progress: Progress| {
        read = progress.files;
        ControlFlow::Continue(())
    };
    let input = Input::Git(&repo, id);
    let kernel = import(&other.store, input, &origin("git/y"), &mut watch).unwrap();
    assert_eq!(kernel.tree.to_string(), lab.tree());
    assert_eq!(read, 2);
    check(&other);
}

fn entry(kind: tar::EntryType, path: &str, link: &str, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    // Past the checks of the writer, as an attacker would.
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    use tar::EntryType as E;
    let lab = Lab::new();
    let file = |path: &str| entry(E::Regular, path, "", b"x");
    for (entries, why) in [
        (vec![file("/etc/passwd")], "absolute"),
        (vec![file("linux/../../etc/passwd")], "leaves the tree"),
        (vec![file("linux/.git/config")], "own folder"),
        (vec![file("linux/.GIT/config")], "own folder"),
        (
            vec![entry(E::Link, "linux/a", "../../etc/passwd", b"")],
            "leaves the tree",
        ),
        (
            vec![entry(E::Link, "linux/a", "/etc/passwd", b"")],
            "absolute",
        ),
        (
            vec![entry(E::Link, "linux/a", "linux/none", b"")],
            "hard link to nothing",
        ),
        (vec![entry(E::Block, "linux/sda", "", b"")], "neither file"),
        (vec![entry(E::Fifo, "linux/pipe", "", b"")], "neither file"),
        (
            vec![file("linux/a"), file("linux/a/b")],
            "both a file and a folder",
        ),
        (
            vec![file("linux/a.c"), file("linux/a/b"), file("linux/a")],
            "both a file and a folder",
        ),
        (vec![], "no files"),
    ] {
        let mut tar = entries.concat();
        tar.extend([0; 1024]);
        let error = import_tar(&lab, &tar).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let mut cut = file("linux/a");
    cut.truncate(512);
    assert!(matches!(
        import_tar(&lab, &cut),
        Err(StoreError::Archive(_))
    ));
    assert_eq!(lab.store.kernels().unwrap(), []);
    assert_eq!(packs(&lab), 0);
    check(&lab);
}

#[test]
fn a_stopped_import_leaves_nothing_and_the_next_one_sweeps() {
    let lab = Lab::new();
    plant(&lab);
    let work = lab.work();
    let mut stop = |p: Progress| {
        if p.files > 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let stopped = import(&lab.store, Input::Folder(&work), &origin("x/y"), &mut stop);
    assert!(matches!(stopped, Err(StoreError::Io(IoError::Cancelled))));
    assert_eq!(lab.store.kernels().unwrap(), []);
    check(&lab);
    let left = lab.store.path().join("objects/pack/tmp_pack_killed");
    fs::write(&left, "half").unwrap();
    assert_eq!(lab.import().tree.to_string(), lab.tree());
    assert!(!exists(&left));
    check(&lab);
}

#[test]
fn progress_counts_every_file() {
    let lab = Lab::new();
    plant(&lab);
    lab.commit("all");
    let tar = lab.run("git", &["archive", "HEAD"], b"").stdout;
    let mut last = Progress::default();
    let mut watch = |p: Progress| {
        assert!(p.files >= last.files && p.bytes >= last.bytes);
        last = p;
        ControlFlow::Continue(())
    };
    let reader: Box<dyn Read> = Box::new(tar.as_slice());
    let input = Input::Tar {
        reader,
        share: Box::new(|| 0.5),
    };
    import(&lab.store, input, &origin("tar/x"), &mut watch).unwrap();
    let files = lab
        .git(&["ls-files", "-z"])
        .split('\0')
        .filter(|f| !f.is_empty())
        .count();
    assert_eq!((last.files, last.share), (files as u64, Some(0.5)));
}
