//! `patches/oom-reaper-reverse` is what this crate makes of the thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use series::{Series, manifest, patch};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../patches/oom-reaper-reverse")
}

fn seed() -> Series {
    series::parse(&fs::read(folder().join("thread.txt")).unwrap()).unwrap()
}

#[test]
fn the_committed_patch_is_the_packed_one() {
    let series = seed();
    let files = series::pack(&series).unwrap();
    let [(name, bytes), (manifest_name, starting)] = &files[..] else {
        panic!("{files:?}")
    };
    let committed = fs::read(folder().join(name)).unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(bytes),
        String::from_utf8_lossy(&committed)
    );

    let committed = fs::read_to_string(folder().join(manifest_name)).unwrap();
    let committed = manifest::parse(&committed).unwrap();
    let starting = manifest::parse(str::from_utf8(starting).unwrap()).unwrap();
    assert_eq!(committed.patches, starting.patches);
    assert_eq!(committed.missing, starting.missing);
    assert_eq!(
        (&committed.title, committed.version),
        (&starting.title, starting.version)
    );
    assert_eq!(
        manifest::parse(&committed.to_toml().unwrap()).unwrap(),
        committed
    );
}

#[test]
fn every_file_of_the_manifest_is_a_patch() {
    let text = fs::read_to_string(folder().join(manifest::FILE)).unwrap();
    let manifest = manifest::parse(&text).unwrap();
    assert_eq!(
        folder().file_name().unwrap().to_str(),
        Some(manifest.name.as_str())
    );
    let prerequisites = manifest.prerequisites.iter().map(|one| &one.file);
    let inverses = manifest.inverses.iter().map(|one| &one.file);
    for file in manifest.patches.iter().chain(prerequisites).chain(inverses) {
        let series = series::parse(&fs::read(folder().join(file)).unwrap()).unwrap();
        assert_eq!(series.patches.len(), 1, "{file}");
        assert_eq!(series.patches[0].files.len(), 1, "{file}");
    }
    // The prerequisite adds the symbol it is for.
    for one in &manifest.prerequisites {
        let series = series::parse(&fs::read(folder().join(&one.file)).unwrap()).unwrap();
        let lines = series.patches[0].files[0]
            .hunks
            .iter()
            .flat_map(|hunk| &hunk.lines);
        let mut added = lines.filter(|line| line.kind == patch::LineKind::Added);
        let define = format!("#define {}(", one.symbol);
        assert!(added.any(|line| line.text.starts_with(define.as_bytes())));
    }
}

#[test]
fn the_thread_says_who_said_what() {
    let series = seed();
    let patch = &series.patches[0];
    let people: Vec<String> = (series.replies.iter())
        .map(|reply| {
            let offers: Vec<String> = (reply.trailers.iter())
                .map(|offer| format!("{}: {} if {:?}", offer.name, offer.value, offer.condition))
                .collect();
            format!(
                "{} <{}> to {}: {}",
                reply.by.name,
                reply.by.email,
                reply.to_patch,
                offers.join("; ")
            )
        })
        .collect();
    insta::assert_snapshot!(people.join("\n"), @r#"
    Michal Hocko <mhocko@suse.com> to 2: Acked-by: Michal Hocko <mhocko@suse.com> if Some("Anyway, with a changelog clarified.")
    Liam R. Howlett <Liam.Howlett@oracle.com> to 2: Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com> if None
    Lorenzo Stoakes <lorenzo.stoakes@oracle.com> to 2: Reviewed-by: Lorenzo Stoakes <lorenzo.stoakes@oracle.com> if None
    "#);
    let warnings: Vec<String> = series.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"a blank line splits the trailers of patch 2: git sees only the last block and loses Reported-by: tianxiaobin <tianxiaobin@honor.com>, Reported-by: fengbaopeng <fengbaopeng@honor.com>");
    assert_eq!(
        series.name,
        "mm-oom_kill-the-oom-reaper-traverses-the-vma-maple-tree-in"
    );
    assert_eq!(
        (series.version, series.total, &series.missing[..]),
        (6, 2, &[1][..])
    );
    let author = (patch.author.name.as_str(), patch.author.email.as_str());
    assert_eq!(author, ("zhongjinji", "zhongjinji@honor.com"));
    assert_eq!(
        patch.date.as_deref(),
        Some("Fri, 29 Aug 2025 14:55:50 +0800")
    );
    let trailers: Vec<String> = (patch.trailers.iter())
        .map(|trailer| format!("{}: {}", trailer.name, trailer.value))
        .collect();
    insta::assert_snapshot!(trailers.join("\n"), @"
    Reported-by: tianxiaobin <tianxiaobin@honor.com>
    Reported-by: fengbaopeng <fengbaopeng@honor.com>
    Signed-off-by: zhongjinji <zhongjinji@honor.com>
    ");
    let said = &series.replies[0].body;
    assert!(said.ends_with("clarified.\nAcked-by: Michal Hocko <mhocko@suse.com>"));
    assert!(!series.replies[0].body.contains("SUSE Labs"));
    assert!(patch.body.ends_with("low address."));
    assert_eq!(patch.files[0].path(), "mm/oom_kill.c");
    assert_eq!(patch.files[0].hunks.len(), 2);
}
