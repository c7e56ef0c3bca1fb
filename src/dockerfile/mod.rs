//! Changes to an image's config: the instructions of `docker import --change`, and SHELL.
//!
//! Their syntax is that of a [Dockerfile], and their meaning that of Docker 20.10. On
//! an existing config they act as in a build from that image: `ENTRYPOINT` alone resets
//! its `Cmd`, and `HEALTHCHECK` keeps the options of its check that are not set again.
//! A comment gives the reason wherever restow differs on purpose.
//!
//! A fragment becomes lines, and a line an instruction, whose words are expanded when
//! it is applied, since their variables are in the config.
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
mod setting;
mod signal;
#[cfg(test)]
mod tests;
mod words;

pub use changes::Changes;
pub use error::{ChangeError, ChangeFault};
pub(crate) use setting::set_label;
pub use setting::{Unset, UnsetError};
