//! scratch
use std::{ops::ControlFlow, path::Path, time::Instant};
fn main() {
    let args: Vec<_> = std::env::args().collect();
    let t = Instant::now();
    let store = kernel::store::Store::open(Path::new(&args[1])).unwrap();
    let origin = kernel::store::Origin { id: "x/y".into(), text: "x".into(), immutable: false };
    let mut watch = |_p: kernel::import::Progress| ControlFlow::Continue(());
    let p = Path::new(&args[2]);
    let k = if p.is_dir() {
        kernel::import::import(&store, kernel::import::Input::Folder(p), &origin, &mut watch).unwrap()
    } else {
        kernel::archive::with_tar(p, |reader, share| kernel::import::import(&store, kernel::import::Input::Tar { reader, share }, &origin, &mut watch)).unwrap().unwrap()
    };
    println!("{k:?} {:?}", t.elapsed());
}
