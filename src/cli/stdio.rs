//! Standard input and output as files and pipes.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restow::{Error, Format, Input, Output, Place};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::fcntl_setpipe_size;

use crate::cli::argument::Role;
use crate::cli::descriptor;
use crate::cli::destination::Destination;
use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::Location;

/// The capacity of pipes: the maximum that Linux allows a user by default. It only reduces the
/// number of switches between the two processes.
const PIPE_SIZE: usize = 1024 * 1024;

/// The interval at which a wait for input checks the flag of signals.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};

/// Opens the input at a location, and checks it against the output, if any.
///
/// # Errors
///
/// Fails if it cannot be opened. This comes before any error about an existing output.
pub(super) fn open(
    location: &Location,
    beside: Option<&Location>,
    interrupt: &Interrupt,
) -> Result<Input, Failure> {
    if let Some(beside) = beside {
        check_apart(location, beside)?;
    }
    let Some(path) = location.path() else {
        return Ok(input(interrupt)?.format(location.format));
    };
    let input = named(path, interrupt).map_err(|error| {
        let error = Error::read(Place::Path(path.to_owned()), error);
        let output = beside.and_then(|it| Some((it.path()?, it.argument.name)));
        match elsewhere::missing_hint(path, location.format, location.argument, output) {
            Some(hint) if !path.exists() => {
                let error = Box::new(error);
                Failure::Advised { error, hint }
            }
            _ => error.into(),
        }
    });
    Ok(input?.format(location.format))
}

/// Refuses an output that would damage the input before it is read: an open file that is
/// also the input, or a file inside the layout. The path of the input itself is allowed:
/// that file is replaced once the new one is complete.
pub(super) fn check_apart(source: &Location, output: &Location) -> Result<(), Failure> {
    let wrong = |message: String, hint| {
        Err(Failure::Usage {
            message,
            hint: Some(hint),
        })
    };
    let (from, to) = (source.argument.name, output.argument.name);
    let open_file = |location: &Location, standard: &'static str| match location.path() {
        None => Some(PathBuf::from(standard)),
        Some(path) => descriptor::of_path(path).map(|_| path.to_owned()),
    };
    let read = open_file(source, "/dev/stdin").or_else(|| source.path().map(Path::to_owned));
    let written = open_file(output, "/dev/stdout");
    if let (Some(read), Some(written)) = (read, written)
        && is_one_file(&read, &written)
    {
        return wrong(
            format!(
                "{to} and {from} are the same file, which would be overwritten while it is read"
            ),
            "name the file itself as the output, with `--force`: it is replaced once the new one is complete",
        );
    }
    let Some(folder) = source.path().filter(|path| path.is_dir()) else {
        return Ok(());
    };
    let output = output.path().unwrap_or(Path::new("/dev/stdout"));
    if matches!(source.argument.role, Role::Rootfs(_)) && within(output, folder).is_some() {
        return wrong(
            format!("{to} is inside the folder that is {from}"),
            "choose a path outside the folder",
        );
    }
    if is_part(output, folder) {
        return wrong(
            format!("{to} is inside the layout that is {from}"),
            "choose a file outside the layout",
        );
    }
    Ok(())
}

/// True if two paths name the same regular file.
fn is_one_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some((metadata.dev(), metadata.ino()))
    };
    file(one).is_some_and(|it| file(other) == Some(it))
}

/// True if a path, which need not exist, is inside a layout.
fn is_part(path: &Path, layout: &Path) -> bool {
    within(path, layout).is_some_and(|it| {
        let parts = ["blobs", "index.json", "oci-layout"];
        parts.iter().any(|part| it.starts_with(part))
    })
}

/// The path relative to a folder, if it is inside; it need not exist.
fn within(path: &Path, folder: &Path) -> Option<PathBuf> {
    let whole = fs::canonicalize(path).or_else(|_| {
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        fs::canonicalize(parent.unwrap_or(Path::new(".")))
            .map(|parent| parent.join(path.file_name().unwrap_or_default()))
    });
    let (path, folder) = (whole.ok()?, fs::canonicalize(folder).ok()?);
    path.strip_prefix(folder).ok().map(Path::to_owned)
}

/// The output that the command line describes.
pub(super) fn create(destination: &Destination, interrupt: &Interrupt) -> Result<Output, Failure> {
    let output = target(destination, interrupt)?.replace(destination.replace);
    Ok(output.compressed(destination.encoding))
}

fn target(destination: &Destination, interrupt: &Interrupt) -> Result<Output, Failure> {
    let format = destination.format;
    let Some(path) = destination.location.path() else {
        interrupt.end_what_waits();
        return stream(format, io::stdout(), Place::StandardOutput);
    };
    let place = Place::Path(path.to_owned());
    if let Some(number) = descriptor::of_path(path) {
        interrupt.end_what_waits();
        let duplicate = descriptor::duplicate(number, path);
        let duplicate = duplicate.map_err(|error| Error::write(place.clone(), error))?;
        return stream(format, duplicate, place);
    }
    let kind = fs::metadata(path).map(|it| it.file_type());
    if kind.as_ref().is_ok_and(FileType::is_fifo) {
        interrupt.end_what_waits();
    }
    if kind.is_ok_and(|it| it.is_char_device()) {
        let device = OpenOptions::new().write(true).open(path);
        let device = device.map_err(|error| Error::write(place.clone(), error))?;
        refuse_terminal(device)?;
    }
    Ok(Output::path(format, path))
}

/// Standard input; a file is read in place.
fn input(interrupt: &Interrupt) -> Result<Input, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage {
            message: "refusing to read an archive from a terminal".to_owned(),
            hint: Some("name a file, or pipe one in"),
        });
    }
    let failed = |error| Error::read(Place::StandardInput, error);
    if descriptor::was_closed(&stdin) {
        return Err(failed(closed()).into());
    }
    let duplicate = stdin.as_fd().try_clone_to_owned().map(File::from);
    let duplicate = duplicate.map_err(failed)?;
    Ok(opened(duplicate, Place::StandardInput, interrupt))
}

/// The input at a path: a seekable file, a folder, or a pipe.
fn named(path: &Path, interrupt: &Interrupt) -> io::Result<Input> {
    let place = || Place::Path(path.to_owned());
    if let Some(number) = descriptor::of_path(path) {
        let file = descriptor::duplicate(number, path)?;
        return Ok(opened(file, place(), interrupt));
    }
    if fs::metadata(path)?.file_type().is_fifo() {
        return Ok(pipe(open_fifo(path)?, place(), interrupt));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() || metadata.is_dir() {
        return Ok(Input::path(path));
    }
    Ok(pipe(file, place(), interrupt))
}

/// Opens a fifo without waiting for a writer. The reader waits instead, and notices signals.
fn open_fifo(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is a flag of open(2)");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// An input that is already open. A file is read from its current position, which stays the same.
fn opened(file: File, place: Place, interrupt: &Interrupt) -> Input {
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        Input::file(file, place)
    } else {
        pipe(file, place, interrupt)
    }
}

fn pipe(file: File, place: Place, interrupt: &Interrupt) -> Input {
    // It fails if this is not a pipe or not allowed; then the size stays as it is.
    let _ = fcntl_setpipe_size(&file, PIPE_SIZE);
    let interrupt = interrupt.flag();
    Input::pipe(PatientReader { file, interrupt }, place)
}

/// An open file as the output, written from its current position.
fn stream(format: Format, descriptor: impl AsFd, place: Place) -> Result<Output, Failure> {
    refuse_terminal(&descriptor)?;
    if descriptor::was_closed(&descriptor) && place == Place::StandardOutput {
        return Err(Failure::Advised {
            error: Box::new(Error::write(place, closed())),
            hint: "use `/dev/null` as DST to discard the output".to_owned(),
        });
    }
    let duplicate = descriptor.as_fd().try_clone_to_owned().map(File::from);
    let file = duplicate.map_err(|error| Error::write(place.clone(), error))?;
    let _ = fcntl_setpipe_size(&file, PIPE_SIZE);
    Ok(Output::file(format, file, place))
}

/// Refuses to write an archive to a terminal.
fn refuse_terminal(descriptor: impl AsFd) -> Result<(), Failure> {
    if !descriptor.as_fd().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage {
        message: "refusing to write an archive to a terminal".to_owned(),
        hint: Some("name a file, or pipe it to another command"),
    })
}

/// A standard stream that was closed when this process was started.
fn closed() -> io::Error {
    io::Error::other("the stream is closed")
}

/// A reader of a pipe that notices signals while it waits.
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
