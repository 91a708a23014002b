//! scratch
use std::{path::Path, time::Instant};
fn main() {
    let args: Vec<_> = std::env::args().collect();
    let t = Instant::now();
    let store = kernel::store::Store::open(Path::new(&args[1])).unwrap();
    let k = store.kernel("x/y").unwrap().unwrap();
    let read = |p: &str| series::series::parse(&std::fs::read(p).unwrap()).unwrap();
    let d = "/work/main/patches/oom-reaper-reverse/";
    let s = read(&format!("{d}0002-mm-oom_kill-The-OOM-reaper-traverses-the-VMA-maple-t.patch"));
    let pre = read(&format!("{d}prerequisites/0001-maple_tree-add-mas_for_each_rev.patch"));
    let inv = read(&format!("{d}inverse.patch"));
    println!("read {:?}", t.elapsed());
    let a = kernel::apply::apply(&store, k.commit, &s.patches).unwrap();
    println!("{:?} {a:#?}", t.elapsed());
    let b = kernel::apply::apply(&store, k.commit, &pre.patches).unwrap();
    println!("pre {:?}", t.elapsed());
    kernel::apply::apply(&store, b.commit, &s.patches).unwrap();
    println!("series on base {:?}", t.elapsed());
    kernel::symbols::Symbols::of_commit(&store, b.commit).unwrap();
    println!("of commit base {:?}", t.elapsed());
    let prereq = kernel::apply::Prerequisite { symbol: "mas_for_each_rev".into(), patch: pre.patches[0].clone() };
    let a = kernel::apply::arms(&store, "6.12", k.commit, &s.patches, &[prereq], &inv.patches).unwrap();
    println!("{:?} {a:#?}", t.elapsed());
}
