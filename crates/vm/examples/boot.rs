//! Boots one guest and says how it ended.
//!
//!     cargo run -p vm --example boot -- IMAGE INITRD [auto|kvm|tcg] [KERNEL_ARG…]
//!
//! The guest's lines on the port `example` mean: `up`, `expect SECONDS`, `done`,
//! and nothing. `VENV` names a virtual environment with virtme-ng, `STATE` the
//! folder where the accelerator is remembered. The console goes to standard
//! error.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use results::machine::Accel;
use vm::process::Cancel;
use vm::{Deadlines, Guest, Progress, Root, Virtme, Want, accelerator, boot};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(image), Some(initrd)) = (args.next(), args.next()) else {
        return Err("usage: boot IMAGE INITRD [auto|kvm|tcg] [KERNEL_ARG…]".into());
    };
    let want = args.next().map_or(Ok(Want::Auto), |word| word.parse())?;
    let folder = |name: &str| env::var_os(name).map(PathBuf::from);
    let virtme = Virtme::find(folder("VENV").as_deref())?;
    let cancel = Cancel::new()?;
    let mut guest = Guest {
        image: image.into(),
        root: Root::Initramfs(initrd.into()),
        memory_mib: 1024,
        cpus: 2,
        accel: Accel::Tcg,
        port: "example".into(),
        kernel_args: args.collect(),
        deadlines: Deadlines {
            boot: Duration::from_secs(20),
            grace: Duration::from_secs(2),
            total: Duration::from_secs(60),
        },
    };
    let state = folder("STATE").unwrap_or_else(env::temp_dir);
    let chosen = accelerator(&virtme, want, Some(&guest), &state, &cancel)?;
    println!("{}: {}", chosen.kind, chosen.why);
    guest.accel = chosen.kind;
    let outcome = boot(
        &virtme,
        &guest,
        &cancel,
        &mut std::io::stderr(),
        &mut |_, line| {
            println!("> {line}");
            match line.split_once(' ').unwrap_or((line, "")) {
                ("up", _) => Progress::Up,
                ("expect", seconds) => {
                    Progress::ExpectWithin(Duration::from_secs(seconds.parse().unwrap_or(1)))
                }
                ("done", _) => Progress::Done,
                _ => Progress::Ignore,
            }
        },
    )?;
    println!("{}", outcome.end);
    println!("{outcome:#?}");
    Ok(())
}
