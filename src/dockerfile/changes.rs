//! A list of instructions, and its effect on a config.

use serde_json::Value;

use crate::dockerfile::ChangeError;
use crate::dockerfile::arguments::is_broken_list;
use crate::dockerfile::config_editor::ConfigEditor;
use crate::dockerfile::instruction::Instruction;
use crate::dockerfile::lines;
use crate::dockerfile::words::{first_word, options};

/// Instructions that change an image's config, in order.
///
/// Empty by default. The instructions are CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK,
/// LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR.
///
/// ```
/// use restow::Changes;
/// use serde_json::json;
///
/// let changes = Changes::parse(&["ENV HOME=/home/me", "WORKDIR $HOME"])?;
/// let mut config = json!({"Cmd": ["sh"]});
/// changes.apply(&mut config)?;
/// let expected = json!({"Cmd": ["sh"], "Env": ["HOME=/home/me"], "WorkingDir": "/home/me"});
/// assert_eq!(config, expected);
/// # Ok::<(), restow::ChangeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Changes {
    escape: char,
    /// Each instruction, with its original text.
    list: Vec<(String, Instruction)>,
}

impl Changes {
    /// Parses the values of `--change`.
    ///
    /// They are joined with newlines and parsed as one fragment of a Dockerfile: a
    /// backslash at the end of one continues it in the next.
    ///
    /// # Errors
    ///
    /// Fails if an instruction is not accepted, or is wrong in itself. Errors that
    /// depend on variables occur only in [`apply`](Self::apply).
    pub fn parse<S: AsRef<str>>(values: &[S]) -> Result<Self, ChangeError> {
        if values.is_empty() {
            return Ok(Self::default());
        }
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        let (escape, lines) = lines::parse(&values.join("\n"))?;
        if lines.is_empty() {
            return Err(ChangeError::Empty);
        }
        let change = |line: String| {
            let text = line.trim().to_owned();
            let checked = Instruction::parse(&line, escape).and_then(|instruction| {
                if !text.contains('$') {
                    ConfigEditor::new(&Value::Null, escape)?.apply(&instruction)?;
                }
                Ok(instruction)
            });
            match checked {
                Ok(instruction) => Ok((text, instruction)),
                Err(fault) => Err(fault.of(&text)),
            }
        };
        let list = lines.into_iter().map(change).collect::<Result<_, _>>()?;
        Ok(Self { escape, list })
    }

    /// True if there are no instructions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The instructions as written, each with its lines joined.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(text, _)| text.as_str())
    }

    /// The instructions with a text for a shell that seems to be meant as a JSON list.
    pub(crate) fn broken_lists(&self) -> impl Iterator<Item = &str> {
        self.texts().filter(|text| has_broken_list(text))
    }

    /// Changes the `config` object of a config, with the fields that Go calls `Env`,
    /// `Cmd` etc.
    ///
    /// Null counts as an empty object. Fields that no instruction affects are kept,
    /// known or not. If one instruction fails, the object is unchanged.
    ///
    /// # Errors
    ///
    /// Fails if a field that an instruction affects has the wrong type, or if variables
    /// make the instruction wrong.
    pub fn apply(&self, config: &mut Value) -> Result<(), ChangeError> {
        let Some(first) = self.list.first() else {
            return Ok(());
        };
        let editor = ConfigEditor::new(config, self.escape);
        let mut editor = editor.map_err(|fault| fault.of(&first.0))?;
        for (text, instruction) in &self.list {
            let applied = editor.apply(instruction);
            applied.map_err(|fault| fault.of(text))?;
        }
        *config = editor.into_value();
        Ok(())
    }
}

/// True if an instruction takes a command, and that is a [broken list](is_broken_list).
fn has_broken_list(line: &str) -> bool {
    let (word, rest) = first_word(line);
    let (_, arguments) = options(rest);
    match word.to_ascii_uppercase().as_str() {
        // Another instruction follows, or a part that looks like one.
        "ONBUILD" | "HEALTHCHECK" => has_broken_list(arguments),
        "ADD" | "CMD" | "COPY" | "ENTRYPOINT" | "RUN" | "VOLUME" => is_broken_list(arguments),
        _ => false,
    }
}
