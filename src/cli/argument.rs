//! Arguments that name an image, and their text in hints.

/// An argument that names an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    /// Its name in the help, such as `SRC`.
    pub(super) name: &'static str,
    /// Its meaning.
    pub(super) role: Role,
}

/// The meaning of an argument, with a command line that a hint can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An input of images. This command reads them from standard input: `restow convert - DST`.
    Images(&'static str),
    /// An input of a root filesystem. This command reads it from standard input.
    Rootfs(&'static str),
    /// An image that this option names.
    Option(&'static str),
    /// An output of images, of this command with this source: `restow convert`, `SRC`.
    Output(&'static str, &'static str),
    /// An output of a root filesystem. This command writes it to standard output.
    Tree(&'static str),
}

/// SRC, with a command line that reads it from standard input.
pub(super) fn source_of(command: &'static str) -> Argument {
    Argument {
        name: "SRC",
        role: Role::Images(command),
    }
}

/// DST, with the beginning of the command line and the name of its source.
pub(super) fn destination_of(command: &'static str, source: &'static str) -> Argument {
    Argument {
        name: "DST",
        role: Role::Output(command, source),
    }
}

impl Role {
    /// True if the command writes to it.
    pub(super) fn is_output(self) -> bool {
        matches!(self, Self::Output(..) | Self::Tree(_))
    }
}
