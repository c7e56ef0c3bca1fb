//! The `config` object of a config, and the effect of instructions on it.

use serde_json::{Map, Value, json};

use crate::dockerfile::arguments::CommandLine;
use crate::dockerfile::expand::Variables;
use crate::dockerfile::instruction::Instruction;
use crate::dockerfile::{ChangeFault, ports, signal};

/// The shell for the shell form, unless the config names another one.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Maximum number of ports in one instruction: as many as there are, for all three
/// protocols. Otherwise a variable in a config could repeat the same range a million
/// times.
const PORTS_MAX: usize = 3 * 65_536;

/// A `config` object that is being changed.
#[derive(Debug, Default)]
pub(super) struct ConfigEditor {
    fields: Map<String, Value>,
    variables: Variables,
    escape: char,
    /// The health check as it was before the first instruction.
    base_health: Map<String, Value>,
    /// True if one of the instructions set a command.
    has_command: bool,
}

impl ConfigEditor {
    /// Starts with this object. Null is an empty one.
    pub(super) fn new(config: &Value, escape: char) -> Result<Self, ChangeFault> {
        let mut editor = Self {
            fields: object(config, "config")?,
            escape,
            ..Self::default()
        };
        let health = editor.fields.get("Healthcheck");
        editor.base_health = object(health.unwrap_or(&Value::Null), "config.Healthcheck")?;
        for variable in editor.strings("Env")? {
            let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
            editor.variables.set(name, value);
        }
        Ok(editor)
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.fields)
    }

    pub(super) fn apply(&mut self, instruction: &Instruction) -> Result<(), ChangeFault> {
        match instruction {
            Instruction::Cmd(line) => self.set_command(line)?,
            Instruction::Entrypoint(line) => self.set_entrypoint(line)?,
            Instruction::Env(pairs) => self.set_variables(pairs)?,
            Instruction::Expose(words) => self.expose(words)?,
            Instruction::Healthcheck(health) => {
                let health = health.onto(self.base_health.clone());
                self.set("Healthcheck", health);
            }
            Instruction::Label(pairs) => self.set_labels(pairs)?,
            Instruction::Onbuild(trigger) => {
                self.list("OnBuild")?.push(trigger.as_str().into());
            }
            Instruction::Shell(words) => self.set("Shell", words.clone()),
            Instruction::StopSignal(word) => {
                let signal = self.expand(word)?;
                signal::check(&signal)?;
                self.set("StopSignal", signal);
            }
            Instruction::User(user) => match self.expand(user)? {
                user if user.is_empty() => self.remove("User"),
                user => self.set("User", user),
            },
            Instruction::Volume(words) => self.add_volumes(words)?,
            Instruction::Workdir(path) => self.set_directory(path)?,
        }
        Ok(())
    }

    fn set_command(&mut self, line: &CommandLine) -> Result<(), ChangeFault> {
        // As in Docker, an instruction without words does not count as a command of
        // this config if an entrypoint follows.
        self.has_command |= match line {
            CommandLine::Exec(words) => !words.is_empty(),
            CommandLine::Shell(text) => text.is_some(),
        };
        let words = self.words(line)?;
        self.set("Cmd", words);
        self.remove("ArgsEscaped");
        Ok(())
    }

    /// Sets the entrypoint. A previous command belonged to another entrypoint, and is
    /// removed.
    fn set_entrypoint(&mut self, line: &CommandLine) -> Result<(), ChangeFault> {
        match line {
            CommandLine::Shell(None) => self.remove("Entrypoint"),
            CommandLine::Exec(words) if words.is_empty() => self.remove("Entrypoint"),
            line => {
                let words = self.words(line)?;
                self.set("Entrypoint", words);
            }
        }
        if !self.has_command {
            self.remove("Cmd");
        }
        self.remove("ArgsEscaped");
        Ok(())
    }

    /// The words of a command line; a text for the shell is preceded by the shell's
    /// words.
    fn words(&mut self, line: &CommandLine) -> Result<Vec<String>, ChangeFault> {
        let text = match line {
            CommandLine::Exec(words) => return Ok(words.clone()),
            CommandLine::Shell(text) => text,
        };
        let mut words = self.strings("Shell")?;
        if words.is_empty() {
            words = SHELL.map(str::to_owned).to_vec();
        }
        words.extend(text.clone());
        Ok(words)
    }

    /// Sets variables. All values are expanded before the first is set.
    fn set_variables(&mut self, pairs: &[(String, String)]) -> Result<(), ChangeFault> {
        for (name, value) in self.expanded(pairs)? {
            let variables = self.list("Env")?;
            let is_same = |it: &Value| {
                let text = it.as_str();
                text.is_some_and(|it| it.split('=').next() == Some(&name))
            };
            let variable = Value::from(format!("{name}={value}"));
            match variables.iter().position(is_same) {
                Some(first) => {
                    // Of several with the name the last one would be in force.
                    let mut at = 0..;
                    variables.retain(|it| at.next() <= Some(first) || !is_same(it));
                    variables[first] = variable;
                }
                None => variables.push(variable),
            }
            self.variables.set(&name, &value);
        }
        Ok(())
    }

    fn set_labels(&mut self, pairs: &[(String, String)]) -> Result<(), ChangeFault> {
        let pairs = self.expanded(pairs)?;
        let pairs = pairs.into_iter().map(|(name, value)| (name, value.into()));
        self.add("Labels", pairs.collect())
    }

    fn expose(&mut self, words: &[String]) -> Result<(), ChangeFault> {
        let mut ports = Map::new();
        let mut left = PORTS_MAX;
        for word in words {
            for port in self.variables.expand_words(word, self.escape)? {
                let names = ports::parse(&port)?;
                let rest = left.checked_sub(names.len());
                left = rest.ok_or(ChangeFault::TooManyPorts(PORTS_MAX))?;
                ports.extend(names.into_iter().map(|name| (name, json!({}))));
            }
        }
        // All variables in it may be empty.
        if ports.is_empty() {
            return Ok(());
        }
        self.add("ExposedPorts", ports)
    }

    fn add_volumes(&mut self, words: &[String]) -> Result<(), ChangeFault> {
        let mut volumes = Map::new();
        for word in words {
            volumes.insert(self.expand_filled(word, "a path")?, json!({}));
        }
        self.add("Volumes", volumes)
    }

    /// Sets the working directory. A relative path is joined to the previous one,
    /// which, as in Docker, also cleans it; an absolute path is unchanged.
    fn set_directory(&mut self, word: &str) -> Result<(), ChangeFault> {
        let path = self.expand_filled(word, "a path")?;
        let path = if path.starts_with('/') {
            path
        } else {
            let before = self.fields.get("WorkingDir").and_then(Value::as_str);
            cleaned(&format!("{}/{path}", before.unwrap_or_default()))
        };
        self.set("WorkingDir", path);
        Ok(())
    }

    fn expand(&mut self, word: &str) -> Result<String, ChangeFault> {
        self.variables.expand(word, self.escape)
    }

    /// Expands a word, which must not become empty.
    fn expand_filled(&mut self, word: &str, what: &'static str) -> Result<String, ChangeFault> {
        match self.expand(word)? {
            text if text.is_empty() => Err(ChangeFault::unexpected(what, word)),
            text => Ok(text),
        }
    }

    /// Expands names and values. Docker would accept an empty name, and set a variable
    /// that nothing can use.
    fn expanded(
        &mut self,
        pairs: &[(String, String)],
    ) -> Result<Vec<(String, String)>, ChangeFault> {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = self.expand_filled(name, "a name")?;
            Ok((name, self.expand(value)?))
        });
        pairs.collect()
    }

    fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    fn remove(&mut self, field: &str) {
        self.fields.shift_remove(field);
    }

    /// Adds members to a field that is an object.
    fn add(&mut self, field: &str, members: Map<String, Value>) -> Result<(), ChangeFault> {
        let there = self.fields.entry(field).or_insert(Value::Null);
        if there.is_null() {
            *there = json!({});
        }
        let Value::Object(there) = there else {
            return Err(wrong(field, "an object"));
        };
        there.extend(members);
        Ok(())
    }

    /// The list of strings in a field, which is created if it is absent.
    fn list(&mut self, field: &str) -> Result<&mut Vec<Value>, ChangeFault> {
        let there = self.fields.entry(field).or_insert(Value::Null);
        if there.is_null() {
            *there = json!([]);
        }
        match there {
            Value::Array(values) if values.iter().all(Value::is_string) => Ok(values),
            _ => Err(wrong(field, "a list of strings")),
        }
    }

    /// A copy of the list of strings in a field.
    fn strings(&mut self, field: &str) -> Result<Vec<String>, ChangeFault> {
        if self.fields.get(field).is_none_or(Value::is_null) {
            return Ok(Vec::new());
        }
        let values = self.list(field)?.iter().filter_map(Value::as_str);
        Ok(values.map(str::to_owned).collect())
    }
}

fn wrong(field: &str, expected: &'static str) -> ChangeFault {
    let field = format!("config.{field}");
    ChangeFault::Field { field, expected }
}

fn object(value: &Value, field: &str) -> Result<Map<String, Value>, ChangeFault> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) => Ok(fields.clone()),
        _ => Err(ChangeFault::Field {
            field: field.to_owned(),
            expected: "an object",
        }),
    }
}

/// An absolute path without `.`, `..` and doubled slashes.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
