//! The user's terminal while it is a guest's.

mod keys;
mod screen;

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::Winsize;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd;
use results::terminal::Size;
use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::pipe;
use vm::process::Cancel;
use vm::{Link, Stream};

use keys::{Keys, Wish};
use screen::Screen;

/// What the keys that are ours do.
const HELP: &str = "\r\nCtrl-A X ends the guest, Ctrl-A A sends Ctrl-A\r\n";

/// As much of what is typed is kept for a guest that does not read.
const TYPED: usize = 1 << 20;

/// How the user's terminal was before it was made raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Gives the terminal back as it was, if a guest has it.
pub fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before);
    }
}

/// The user's terminal, raw until this is dropped: each key goes to the guest at once,
/// Ctrl-C among them. Nothing where standard input is none.
struct Raw(());

impl Raw {
    fn new() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            let before = tcgetattr(io::stdin())?;
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
            tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        }
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back();
    }
}

nix::ioctl_read_bad!(get_size, libc::TIOCGWINSZ, Winsize);

/// The size of the user's terminal, where it has one.
fn size() -> Option<Size> {
    let mut size = Winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request writes a `Winsize`, which outlives the call.
    unsafe { get_size(io::stdin().as_raw_fd(), &raw mut size) }.ok()?;
    Some(Size {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

/// Who tells the guest the size of its terminal, once it listens.
#[derive(Debug, Default)]
pub struct Sizes(OnceLock<Link>);

impl Sizes {
    /// The guest listens, and has a terminal.
    pub fn to(&self, link: &Link) {
        let _ = self.0.set(link.clone());
        self.tell();
    }

    fn tell(&self) {
        if let (Some(link), Some(size)) = (self.0.get(), size()) {
            // A guest that is gone needs no size.
            let _ = link.say(&size.to_string());
        }
    }
}

/// Carries what passes between the user and a guest until the guest has closed its
/// streams, and returns the code that its command said it ended with. `ended` is
/// cancelled where `cancel` is, where the user wants the guest to end, and where nobody
/// reads what it says.
///
/// # Errors
/// When the user's terminal can't be used, or what the guest says can't be written.
pub fn carry(
    streams: Vec<(Stream, UnixStream)>,
    sizes: &Sizes,
    cancel: &Cancel,
    ended: &Cancel,
) -> io::Result<String> {
    let carried = Carrier::new(streams)
        .and_then(|mut carrier| carrier.run(sizes, cancel, ended).map(|()| carrier.code));
    if carried.is_err() {
        ended.cancel();
    }
    carried
}

struct Carrier {
    streams: Vec<(Stream, UnixStream)>,
    /// What is typed at a terminal.
    keys: Option<Keys>,
    screen: Screen,
    /// What the guest has not taken yet.
    typed: Vec<u8>,
    /// Whether the user may have more to say.
    listens: bool,
    /// Readable when the terminal has another size.
    resized: UnixStream,
    code: String,
    _raw: Option<Raw>,
}

impl Carrier {
    fn new(streams: Vec<(Stream, UnixStream)>) -> io::Result<Self> {
        for (_, socket) in &streams {
            socket.set_nonblocking(true)?;
        }
        let terminal = streams
            .iter()
            .any(|(stream, _)| *stream == Stream::Terminal);
        let (resized, resizer) = UnixStream::pair()?;
        pipe::register(SIGWINCH, resizer)?;
        Ok(Self {
            streams,
            keys: (terminal && io::stdin().is_terminal()).then(Keys::default),
            screen: Screen::default(),
            typed: Vec::new(),
            listens: true,
            resized,
            code: String::new(),
            _raw: terminal.then(Raw::new).transpose()?,
        })
    }

    fn run(&mut self, sizes: &Sizes, cancel: &Cancel, ended: &Cancel) -> io::Result<()> {
        // A command's input alone is no reason to go on.
        while self
            .streams
            .iter()
            .any(|(stream, _)| *stream != Stream::Input)
        {
            let waits = (!ended.cancelled()).then_some(cancel);
            let (typed, resized) = self.wait(waits)?;
            if cancel.cancelled() {
                ended.cancel();
            }
            if resized {
                let _ = self.resized.read(&mut [0; 64])?;
                sizes.tell();
            }
            if typed {
                self.listen(ended)?;
            }
            self.speak();
            self.hear()?;
        }
        let undone = self.screen.undone();
        io::stdout().write_all(undone.as_bytes())
    }

    /// Waits for somebody to say or take something; whether there is something from the
    /// user, and whether the terminal has another size.
    fn wait(&self, cancel: Option<&Cancel>) -> io::Result<(bool, bool)> {
        let stdin = io::stdin();
        let listens = self.listens && self.typed.len() < TYPED;
        let mut fds = vec![PollFd::new(self.resized.as_fd(), PollFlags::POLLIN)];
        // One that has ended is ready for ever, whatever it is asked for.
        fds.extend(listens.then(|| PollFd::new(stdin.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.streams.iter().map(|(stream, socket)| {
            let mut flags = PollFlags::POLLIN;
            flags.set(
                PollFlags::POLLOUT,
                takes_input(*stream) && !self.typed.is_empty(),
            );
            PollFd::new(socket.as_fd(), flags)
        }));
        fds.extend(cancel.map(|cancel| PollFd::new(cancel.fd(), PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut any = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let resized = any.next() == Some(true);
        Ok((listens && any.next() == Some(true), resized))
    }

    /// Reads what the user has typed.
    fn listen(&mut self, ended: &Cancel) -> io::Result<()> {
        let mut buffer = [0; 4096];
        // Not through a buffer, of which nothing says when it holds something.
        let count = match unistd::read(io::stdin(), &mut buffer) {
            Ok(count) => count,
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(()),
            // A terminal that is gone has nothing more to say.
            Err(_) => 0,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            self.listens = false;
            // What a terminal sends for the end of a file.
            let terminal = |(stream, _): &(Stream, _)| *stream == Stream::Terminal;
            if self.streams.iter().any(terminal) {
                self.typed.push(0x04);
            }
            return Ok(());
        }
        let Some(keys) = &mut self.keys else {
            self.typed.extend(bytes);
            return Ok(());
        };
        let (bytes, wish) = keys.read(bytes);
        self.typed.extend(bytes);
        match wish {
            Some(Wish::End) => ended.cancel(),
            Some(Wish::Help) => io::stdout().write_all(HELP.as_bytes())?,
            None => {}
        }
        Ok(())
    }

    /// Gives the guest what it takes of what was typed.
    fn speak(&mut self) {
        let taker = self
            .streams
            .iter_mut()
            .find(|(stream, _)| takes_input(*stream));
        let Some((stream, socket)) = taker else {
            return self.typed.clear();
        };
        if !self.typed.is_empty() {
            match socket.write(&self.typed) {
                Ok(count) => drop(self.typed.drain(..count)),
                Err(error) if again(&error) => {}
                // It is gone, which reading says as well.
                Err(_) => self.typed.clear(),
            }
        }
        if *stream == Stream::Input && self.typed.is_empty() && !self.listens {
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Hands on what the guest says, and forgets the streams that it has closed.
    fn hear(&mut self) -> io::Result<()> {
        let Self {
            streams,
            screen,
            code,
            ..
        } = self;
        let mut buffer = [0; 16 << 10];
        let mut written = Ok(());
        streams.retain_mut(|(stream, socket)| {
            let count = match socket.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if again(&error) => return true,
                Err(_) => 0,
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            let wrote = match stream {
                Stream::Terminal => {
                    screen.read(bytes);
                    write(&mut io::stdout(), bytes)
                }
                Stream::Output => write(&mut io::stdout(), bytes),
                Stream::Errors => write(&mut io::stderr(), bytes),
                Stream::Code => {
                    code.push_str(&String::from_utf8_lossy(bytes));
                    Ok(())
                }
                Stream::Input => Ok(()),
            };
            if wrote.is_err() {
                written = wrote;
            }
            count > 0
        });
        written
    }
}

fn takes_input(stream: Stream) -> bool {
    matches!(stream, Stream::Terminal | Stream::Input)
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// At once: the guest's lines are no lines of ours.
fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}
