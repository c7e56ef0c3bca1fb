//! Changes of what an image runs: the instructions of `docker import --change`.
//!
//! They are written as in a [Dockerfile], and mean what Docker 20.10 makes of them.
//! Onto a config that says something already they act as in a build that begins
//! with that image: `ENTRYPOINT` alone resets its `Cmd`, and `HEALTHCHECK` keeps the
//! options of its check that are not given anew. Where restow differs on purpose, the
//! place says why.
//!
//! A fragment becomes lines, a line an instruction; its words are expanded when it is
//! applied, since their variables stand in the config.
//!
//! [Dockerfile]: https://docs.docker.com/reference/dockerfile/

mod arguments;
mod changes;
mod config_editor;
mod error;
mod expand;
mod health;
mod instruction;
mod lines;
mod onbuild;
mod ports;
mod signal;
#[cfg(test)]
mod tests;
mod words;

pub use changes::Changes;
pub use error::{ChangeError, ChangeFault};
