//! The environment of every command.

use std::num::NonZeroUsize;
use std::thread;

use restow::{Input, Session, Timestamp};

use crate::cli::destination::Destination;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::interrupt::Interrupt;
use crate::cli::location::Location;
use crate::cli::output::Output;
use crate::cli::stdio;

/// The global options, the output, and the flag of signals.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) global: Global,
    pub(super) output: Output,
    pub(super) interrupt: Interrupt,
}

impl Process {
    /// A session with the global options; new documents get this creation time.
    pub(super) fn session(&self, created: Option<Timestamp>) -> Session<'_> {
        let directory = self.global.tmpdir.clone();
        let session = Session::new()
            .temporary_directory(directory.unwrap_or_else(std::env::temp_dir))
            .on_event(|event| self.output.event(&event))
            .interrupted_by(self.interrupt.flag())
            .created(created);
        match self.global.jobs {
            Some(jobs) => session.jobs(jobs.get()),
            None => session,
        }
    }

    /// The number of parallel jobs.
    pub(super) fn jobs(&self) -> NonZeroUsize {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.global.jobs.unwrap_or_else(cores)
    }

    /// Opens the input at a location.
    pub(super) fn open(&self, location: &Location) -> Result<Input, Failure> {
        stdio::open(location, None, &self.interrupt)
    }

    /// Opens the input at a location, unless the output would damage it.
    pub(super) fn open_beside(
        &self,
        location: &Location,
        output: &Location,
    ) -> Result<Input, Failure> {
        stdio::open(location, Some(output), &self.interrupt)
    }

    /// The output that the command line describes.
    pub(super) fn create(&self, destination: &Destination) -> Result<restow::Output, Failure> {
        stdio::create(destination, &self.interrupt)
    }
}
