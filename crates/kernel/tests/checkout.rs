//! Writing source folders.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use kernel::IoError;
use kernel::store::{StoreError, Written, checkout, held};
use lab::{Lab, exists};

fn plant(lab: &Lab) {
    for n in 0..200 {
        lab.write(&format!("drivers/{}/{n}.c", n % 5), format!("int v{n};\n"));
    }
    lab.write("arch/arm/boot/dts/a.dts", "dts\n");
    lab.write("scripts/run.sh", "#!/bin/sh\n");
    let script = lab.work().join("scripts/run.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../arch/arm/boot", lab.work().join("scripts/link")).unwrap();
}

/// The id of the tree that a folder is, by git's own reckoning.
fn tree(lab: &Lab, folder: &std::path::Path) -> String {
    let folder = folder.display().to_string();
    lab.git(&["--work-tree", &folder, "add", "-A", "-f"]);
    lab.git(&["write-tree"])
}

#[test]
fn a_folder_holds_the_commit_and_switches_by_what_differs() {
    let lab = Lab::new();
    plant(&lab);
    let first = lab.import();
    let folder = lab.dir.path().join("src");
    let mut go = |_| ControlFlow::Continue(());
    assert_eq!(held(&folder), None);
    let written = checkout(&lab.store, first.commit, &folder, &mut go).unwrap();
    assert_eq!(
        written,
        Written {
            files: 203,
            whole: true
        }
    );
    assert_eq!(held(&folder), Some(first.commit));
    assert_eq!(tree(&lab, &folder), first.tree.to_string());
    let written = checkout(&lab.store, first.commit, &folder, &mut go).unwrap();
    assert_eq!(
        written,
        Written {
            files: 0,
            whole: false
        }
    );

    // Changed, deleted, added, a mode, a file that becomes a folder and back,
    // a link that becomes a file, a folder that becomes empty.
    lab.write("drivers/0/0.c", "int changed;\n");
    fs::remove_file(lab.work().join("drivers/1/1.c")).unwrap();
    fs::remove_file(lab.work().join("arch/arm/boot/dts/a.dts")).unwrap();
    fs::remove_file(lab.work().join("scripts/link")).unwrap();
    fs::remove_file(lab.work().join("drivers/2/2.c")).unwrap();
    lab.write("scripts/link", "a file now\n");
    lab.write("drivers/2/2.c/inside", "in a folder now\n");
    lab.write("new/deep/file", "new\n");
    let script = lab.work().join("scripts/run.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o644)).unwrap();
    let second = lab.import();
    let stamp = |path: &str| {
        let meta = fs::metadata(folder.join(path)).unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    let kept = stamp("drivers/3/3.c");
    let there = checkout(&lab.store, second.commit, &folder, &mut go).unwrap();
    assert!(!there.whole && there.files < 10, "{there:?}");
    assert_eq!(tree(&lab, &folder), second.tree.to_string());
    assert!(!exists(&folder.join("arch")));
    checkout(&lab.store, first.commit, &folder, &mut go).unwrap();
    assert_eq!(tree(&lab, &folder), first.tree.to_string());
    assert_eq!(stamp("drivers/3/3.c"), kept);
}

#[test]
fn an_unfinished_folder_is_written_again_and_a_foreign_one_left_alone() {
    let lab = Lab::new();
    plant(&lab);
    let kernel = lab.import();
    let folder = lab.dir.path().join("src");
    let mut stop = |_| ControlFlow::Break(());
    let stopped = checkout(&lab.store, kernel.commit, &folder, &mut stop);
    // It may have been done before it was asked.
    if stopped.is_err() {
        assert!(matches!(stopped, Err(StoreError::Io(IoError::Cancelled))));
        assert_eq!(held(&folder), None);
    }
    fs::write(lab.dir.path().join("src.commit"), "unfinished\n").unwrap();
    fs::write(folder.join("stray"), "from the last time").unwrap();
    let mut go = |_| ControlFlow::Continue(());
    assert!(
        checkout(&lab.store, kernel.commit, &folder, &mut go)
            .unwrap()
            .whole
    );
    assert_eq!(tree(&lab, &folder), kernel.tree.to_string());

    let foreign = lab.dir.path().join("home");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis"), "years of work").unwrap();
    let refused = checkout(&lab.store, kernel.commit, &foreign, &mut go);
    assert!(matches!(refused, Err(StoreError::Occupied(_))));
    assert!(exists(&foreign.join("thesis")));
}

#[test]
fn a_link_out_of_the_tree_is_refused() {
    let lab = Lab::new();
    plant(&lab);
    symlink("../../../etc", lab.work().join("scripts/etc")).unwrap();
    let kernel = lab.import();
    let folder = lab.dir.path().join("src");
    let refused = checkout(&lab.store, kernel.commit, &folder, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "{refused:?}"
    );
    assert!(!exists(&folder.join("scripts/etc")));
    assert_eq!(held(&folder), None);
}
