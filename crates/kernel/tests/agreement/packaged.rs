//! Our verdicts and trees held against those of `git am -3`, `git apply` and
//! GNU `patch` for what differs between the packaged kernels.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed; its neighbour uses the rest"
)]

mod differences;
#[path = "../lab/mod.rs"]
mod lab;
mod mail;
mod real;
mod tools;

use differences::Tally;
use tools::Trial;

#[test]
fn real_patches() {
    let kernels = real::Kernels::new(&["6.1", "6.12", "7.2", "7.3"]);
    let mut tally = Tally::default();
    let mut unexpected = Vec::new();
    println!("verdicts without and with the version that the patch was made on:");
    for (number, case) in kernels.cases(30).iter().enumerate() {
        let number = number + 1;
        println!("{number:2} {}", case.name);
        for (kernel, version) in kernels.versions.iter().enumerate() {
            let target = kernels.target(case, kernel);
            let mut row = Vec::new();
            for objects in [None, Some(case.mail.objects.as_str())] {
                let trial = Trial::new(&target, &case.mail.text, objects);
                let name = format!("{number} on {version}");
                let found = tally.add(&name, &case.mail, &trial);
                let expected = match kernel {
                    _ if kernel == case.from => Some("clean"),
                    _ if kernel == case.to && case.whole => Some("already-applied"),
                    _ => None,
                };
                if expected.is_some_and(|expected| expected != trial.verdict()) {
                    unexpected.push(format!("{name}: {}", trial.verdict()));
                }
                row.push(match found.is_empty() {
                    true => trial.verdict().to_owned(),
                    false => format!("{} {found:?}", trial.verdict()),
                });
            }
            println!("   {version:9} {:20} {}", row[0], row[1]);
        }
    }
    println!("{tally}");
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
