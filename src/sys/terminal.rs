//! A terminal that is drawn on: keys come as they are pressed, and the screen is another one until we leave.
//!
//! However the program ends, the terminal is left as it was found: by [`Canvas`] going out of scope, and by the panic
//! hook, since a panic ends the program without unwinding. What is known of the terminal stands in one place for both.

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, Once, PoisonError};

/// Another screen, no cursor, no wrapping of long lines.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
/// All of it taken back.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal as it was found; `None`: it is as it was.
static FOUND: Mutex<Option<SavedMode>> = Mutex::new(None);
static HOOK: Once = Once::new();

struct SavedMode {
    /// How keys were read; `None` where they come from no terminal.
    keys: Option<Termios>,
}

/// A terminal that is being drawn on.
#[derive(Debug)]
pub struct Canvas(());

impl Canvas {
    /// Takes the terminal of standard output, and its keys where standard input is one too.
    ///
    /// # Errors
    /// When the terminal cannot be set.
    pub fn enter() -> io::Result<Canvas> {
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                usual(panic);
            }));
        });
        let keys = match io::stdin().is_terminal() {
            true => Some(tcgetattr(io::stdin())?),
            false => None,
        };
        if let Some(usual) = &keys {
            let mut raw = usual.clone();
            // Keys at once and unseen; Ctrl-C and Ctrl-Z stay signals.
            raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
            tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?;
        }
        *FOUND.lock().unwrap_or_else(PoisonError::into_inner) = Some(SavedMode { keys });
        let canvas = Canvas(());
        put(ENTER)?;
        Ok(canvas)
    }

    /// Draws these lines and nothing else. Each is as wide as the terminal at most.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::from("\x1b[H");
        for (number, line) in lines.iter().enumerate() {
            frame += if number == 0 { "" } else { "\r\n" };
            frame += line;
            // The rest of the line, and of its colours.
            frame += "\x1b[0m\x1b[K";
        }
        frame += "\x1b[J";
        put(frame.as_bytes())
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back, if it is taken.
fn leave() {
    // One who panics while it holds the lock has not got far.
    let found = match FOUND.try_lock() {
        Ok(mut found) => found.take(),
        Err(_) => return,
    };
    let Some(found) = found else { return };
    let _ = put(LEAVE);
    if let Some(usual) = found.keys {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &usual);
    }
}

fn put(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Columns and lines of the terminal of standard output; what every terminal has where it does not say.
pub fn size() -> (usize, usize) {
    nix::ioctl_read_bad!(window_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, for which the place is given.
    #[allow(unsafe_code)]
    let asked = unsafe { window_size(nix::libc::STDOUT_FILENO, &mut size) };
    match (asked, size.ws_col, size.ws_row) {
        (Ok(_), columns, lines) if columns > 0 && lines > 0 => (columns.into(), lines.into()),
        _ => (80, 24),
    }
}
