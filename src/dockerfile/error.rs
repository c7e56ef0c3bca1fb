//! Why instructions cannot be taken.

/// The instructions that are accepted.
const ACCEPTED: &str = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, \
                        USER, VOLUME or WORKDIR";

/// Why instructions cannot be taken, and which of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// This line, the directive that names the escape, has another value than it may, or stands
    /// there twice.
    #[error("`{0}`: expected a backslash or a backtick as the escape character, given once")]
    Directive(String),
    /// There are comments and blank lines alone.
    #[error("no instruction given; expected {ACCEPTED}")]
    Empty,
    /// One instruction is at fault.
    #[error("`{instruction}`: {fault}")]
    Instruction {
        /// The instruction as it was written, its lines joined.
        instruction: String,
        /// What is wrong with it.
        fault: ChangeFault,
    },
}

/// What is wrong with an instruction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeFault {
    /// The config cannot be changed in this way.
    #[error("`{field}` of the config is not {expected}")]
    Field {
        /// The path of the field.
        field: String,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// This, which it needs, is not there.
    #[error("expected {0}")]
    Incomplete(&'static str),
    /// It builds an image, or is unknown.
    #[error("unsupported instruction; expected {ACCEPTED}")]
    NotAChange,
    /// Variables hold variables, and so on: all instructions together may make this many bytes.
    #[error("its variables exceed the limit of {0} bytes")]
    TooLong(usize),
    /// Ranges of ports, again and again: this many ports are the most that is accepted.
    #[error("it exceeds the limit of {0} ports")]
    TooManyPorts(usize),
    /// Substitutions stand in each other, deeper than this, the most that is accepted.
    #[error("its substitutions exceed the limit of {0} levels")]
    TooNested(usize),
    /// A part of it is not what it should be.
    #[error("expected {expected}, got `{got}`")]
    Unexpected {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A variable that must be there is not.
    #[error("expected a value for the variable `{name}`: {message}")]
    Unset {
        /// The variable.
        name: String,
        /// What the instruction has to say of it.
        message: String,
    },
}

impl ChangeFault {
    /// Says what a part of an instruction should be.
    pub(super) fn unexpected(expected: &'static str, got: impl Into<String>) -> Self {
        Self::Unexpected {
            expected,
            got: got.into(),
        }
    }

    /// Names the instruction.
    pub(super) fn of(self, instruction: &str) -> ChangeError {
        ChangeError::Instruction {
            instruction: instruction.to_owned(),
            fault: self,
        }
    }
}
