//! Standard input and output as files and pipes.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restow::error::Place;
use restow::format::{self, Input};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::fcntl_setpipe_size;

use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location;

/// What a pipe may hold: the most that a user may ask of Linux by default. Fewer
/// changes between the two processes, and no other effect.
const PIPE_SIZE: usize = 1024 * 1024;

/// How long a wait for input goes on before the flag of signals is looked at.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};

/// The input that a location means.
pub(super) fn open(place: location::Place, interrupt: &Interrupt) -> Result<Input, Failure> {
    match place {
        location::Place::Standard => input(interrupt),
        location::Place::Path(path) => named(path, interrupt),
    }
}

/// The output that a location means, which replaces a file if `replace` says so.
pub(super) fn create(place: location::Place, replace: bool) -> Result<format::Output, Failure> {
    Ok(match place {
        location::Place::Standard => format::Output::Stream(output()?),
        location::Place::Path(path) => format::Output::Path { path, replace },
    })
}

/// Standard input, to be read where it lies if it is a file.
fn input(interrupt: &Interrupt) -> Result<Input, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage {
            message: "standard input is a terminal, and an archive is not typed".to_owned(),
            hint: Some("name a file, or pipe one in"),
        });
    }
    let duplicate = stdin.as_fd().try_clone_to_owned().map(File::from);
    let file = duplicate.map_err(|e| restow::Error::read(Place::StandardInput, e))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(Input::File(file));
    }
    Ok(pipe(file, Place::StandardInput, interrupt))
}

/// A file that was named: one that can be read anywhere, a folder, or a pipe.
fn named(path: PathBuf, interrupt: &Interrupt) -> Result<Input, Failure> {
    let is_plain = |metadata: Metadata| metadata.is_file() || metadata.is_dir();
    // What is not there is for the library to miss.
    if fs::metadata(&path).map_or(true, is_plain) {
        return Ok(Input::Path(path));
    }
    let place = Place::Path(path.clone());
    let file = File::open(path).map_err(|error| restow::Error::read(place.clone(), error))?;
    Ok(pipe(file, place, interrupt))
}

fn pipe(file: File, place: Place, interrupt: &Interrupt) -> Input {
    // Not a pipe, or not allowed: then it stays as it is.
    let _ = fcntl_setpipe_size(&file, PIPE_SIZE);
    let stream = Box::new(PatientReader {
        file,
        interrupt: interrupt.shared_flag(),
    });
    Input::Pipe { stream, place }
}

/// Standard output, without the buffer for lines of text.
pub(super) fn output() -> Result<Box<dyn Write + Send>, Failure> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::Usage {
            message: "standard output is a terminal, and an archive is not written to one"
                .to_owned(),
            hint: Some("name a file, or pipe it on"),
        });
    }
    let duplicate = stdout.as_fd().try_clone_to_owned().map(File::from);
    let file = duplicate.map_err(|e| restow::Error::write(Place::StandardOutput, e))?;
    let _ = fcntl_setpipe_size(&file, PIPE_SIZE);
    Ok(Box::new(file))
}

/// A pipe whose reader does not sleep through a signal.
struct PatientReader {
    file: File,
    interrupt: Arc<AtomicBool>,
}

impl Read for PatientReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(io::Error::other("interrupted by a signal"));
            }
            let mut descriptors = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut descriptors, Some(&PATIENCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return self.file.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
