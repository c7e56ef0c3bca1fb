//! Arguments that name an image, and what a hint may say of them.

/// The place on the command line that names an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    /// The name that the help gives it, such as `SRC`.
    pub(super) name: &'static str,
    /// Its meaning.
    pub(super) role: Role,
}

/// The meaning of an argument, with a command line that a hint can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Images are read, by this command from standard input: `restow convert - DST`.
    Images(&'static str),
    /// A root filesystem is read, by this command from standard input.
    Rootfs(&'static str),
    /// An image is read that this option names.
    Option(&'static str),
    /// Images are written, by this command and its source: `restow convert`, `SRC`.
    Output(&'static str, &'static str),
    /// The root filesystem of an image is written, by this command to standard output.
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
