//! The first process of a guest in which somebody works: it sees to the terminal's size
//! and becomes virtme-ng's init.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::pty::Winsize;
use results::terminal::Size;

use crate::failure::{Failure, ResultExt};
use crate::guest;
use crate::procfs;

/// The first argument of the first process.
pub const ARGUMENT: &str = "session";

/// The first argument of the one that sees to the terminal.
pub const TERMINAL: &str = "terminal";

/// How long virtme-ng's init may take to mount what shows the port: longer than the host
/// waits for it.
const INIT: Duration = Duration::from_secs(600);

nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, Winsize);

/// Becomes `init`, which must be the first process, and leaves another one at work.
/// Returns only why it could not.
pub fn begin(program: &str, terminal: &str, init: &str) -> Failure {
    // The host's folder is read-only, and whoever works here writes there. One that
    // holds what is to be started must stay.
    const TMP: &str = "/tmp";
    if ![program, init]
        .iter()
        .any(|path| Path::new(path).starts_with(TMP))
    {
        let mounted = mount(
            Some("tmpfs"),
            TMP,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("mode=1777"),
        );
        if let Err(error) = mounted {
            eprintln!("reaperlab: can't mount {TMP}: {error}");
        }
    }
    // Without it the terminal keeps its size, and the host's patience ends.
    let started = Command::new(program).args([TERMINAL, terminal]).spawn();
    if let Err(error) = started {
        eprintln!("reaperlab: can't start {program}: {error}");
    }
    Failure::System {
        doing: format!("starting {init}"),
        source: Command::new(init).exec(),
    }
}

/// Says that the guest is up, and gives the terminal each size that the host tells.
pub fn watch(path: &Path) -> Result<(), Failure> {
    // Its own memory is nothing: who sets the size is not to be killed for want of any.
    let _ = procfs::write("/proc/self/oom_score_adj", "-1000");
    let port = guest::port(INIT)?;
    writeln!(&port, "up").while_doing(|| "telling the host".into())?;
    let mut terminal = None;
    for line in BufReader::new(port).lines() {
        let line = line.while_doing(|| "listening to the host".into())?;
        if let Ok(size) = line.parse::<Size>() {
            resize(&mut terminal, path, size)
                .while_doing(|| format!("setting the size of {}", path.display()))?;
        }
    }
    Ok(())
}

/// Sets the terminal's size, and leaves it open: one that nobody has open forgets its
/// size.
fn resize(terminal: &mut Option<File>, path: &Path, size: Size) -> std::io::Result<()> {
    let file = match terminal.take() {
        Some(file) => file,
        None => {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_NOCTTY);
            options.open(path)?
        }
    };
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request reads a `Winsize`, which outlives the call.
    unsafe { set_size(file.as_raw_fd(), &raw const size)? };
    *terminal = Some(file);
    Ok(())
}
