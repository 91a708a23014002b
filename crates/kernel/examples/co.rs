//! scratch
use std::{ops::ControlFlow, path::Path, time::Instant};
fn main() {
    let args: Vec<_> = std::env::args().collect();
    let store = kernel::store::Store::open(Path::new(&args[1])).unwrap();
    let t = Instant::now();
    let c = kernel::store::Oid::from_str(&args[2]).unwrap();
    let r = kernel::checkout::checkout(&store, c, Path::new(&args[3]), &mut |_| ControlFlow::Continue(())).unwrap();
    println!("{r:?} {:?}", t.elapsed());
}
