//! Errors in instructions.

/// The instructions that are accepted.
const ACCEPTED: &str = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, \
                        STOPSIGNAL, USER, VOLUME or WORKDIR";

/// An error in the instructions, and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// This line, the directive for the escape character, has an invalid value or
    /// occurs twice.
    #[error("`{0}`: expected a backslash or a backtick as the escape character, given once")]
    Directive(String),
    /// There are only comments and blank lines.
    #[error("no instruction given; expected {ACCEPTED}")]
    Empty,
    /// One instruction is wrong.
    #[error("`{instruction}`: {fault}")]
    Instruction {
        /// The instruction as written, with its lines joined.
        instruction: String,
        /// The fault.
        fault: ChangeFault,
    },
}

/// The fault of an instruction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeFault {
    /// The config cannot be changed like this.
    #[error("`{field}` of the config is not {expected}")]
    Field {
        /// The path of the field.
        field: String,
        /// The expected type, with its article.
        expected: &'static str,
    },
    /// It lacks this part.
    #[error("expected {0}")]
    Incomplete(&'static str),
    /// It is unknown, or only has a meaning in a build.
    #[error("unsupported instruction; expected {ACCEPTED}")]
    NotAChange,
    /// Variables contain variables, and so on, beyond this many bytes for all
    /// instructions together.
    #[error("its variables exceed the limit of {0} bytes")]
    TooLong(usize),
    /// Ranges of ports are repeated, beyond this many ports.
    #[error("it exceeds the limit of {0} ports")]
    TooManyPorts(usize),
    /// Substitutions are nested deeper than this limit.
    #[error("its substitutions exceed the limit of {0} levels")]
    TooNested(usize),
    /// A part of it is not what was expected.
    #[error("expected {expected}, got `{got}`")]
    Unexpected {
        /// The expected text.
        expected: &'static str,
        /// The actual text.
        got: String,
    },
    /// A required variable is not set.
    #[error("expected a value for the variable `{name}`: {message}")]
    Unset {
        /// The variable.
        name: String,
        /// The message in the instruction.
        message: String,
    },
}

impl ChangeFault {
    /// Returns the fault for a part of an instruction that is not what was expected.
    pub(super) fn unexpected(expected: &'static str, got: impl Into<String>) -> Self {
        Self::Unexpected {
            expected,
            got: got.into(),
        }
    }

    /// Returns the error for this instruction.
    pub(super) fn of(self, instruction: &str) -> ChangeError {
        ChangeError::Instruction {
            instruction: instruction.to_owned(),
            fault: self,
        }
    }
}
