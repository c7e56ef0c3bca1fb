//! The comparison of documents, field by field.

use serde_json::{Map, Value};

use crate::format::source::{Image, Layer};
use crate::image::Platform;
use crate::ops::diff::report::FieldChange;

/// Fields of `config` that Docker, containerd or podman know, in which the zero value of
/// Go means the same as none.
const KNOWN: [&str; 27] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "CpuShares",
    "Domainname",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Hostname",
    "Image",
    "Labels",
    "MacAddress",
    "Memory",
    "MemorySwap",
    "NetworkDisabled",
    "OnBuild",
    "OpenStdin",
    "Shell",
    "StdinOnce",
    "StopSignal",
    "Tty",
    "User",
    "Volumes",
    "WorkingDir",
];

/// Fields of the config that are compared on their own, or as layers.
const APART: [&str; 3] = ["config", "history", "rootfs"];

/// Fields of the config that make the platform.
const PLATFORM: [&str; 3] = ["architecture", "os", "variant"];

/// Fields of the config that say how the image was made. Those of `BuildKit` have a
/// prefix.
const MAKING: [&str; 11] = [
    "Size",
    "author",
    "comment",
    "container",
    "container_config",
    "created",
    "docker_version",
    "id",
    "parent",
    "parent_id",
    "throwaway",
];

/// The prefix of `BuildKit`'s fields.
const BUILDKIT: &str = "moby.buildkit.";

/// Fields with times of the build, or with ids that Docker's classic builder makes up.
const REBUILT: [&str; 6] = [
    "container",
    "created",
    "id",
    "parent",
    "parent_id",
    "throwaway",
];

/// Fields of `config` and `container_config` with ids that Docker's classic builder
/// makes up: those of a container, and of the image below.
const REBUILT_CONFIG: [&str; 2] = ["Hostname", "Image"];

/// Labels with the time of the build.
const REBUILT_LABELS: [&str; 2] = [
    "org.label-schema.build-date",
    "org.opencontainers.image.created",
];

/// Two configs that are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Configs<'a> {
    pub(super) a: &'a Value,
    pub(super) b: &'a Value,
    /// True if nothing counts that every rebuild changes.
    pub(super) is_semantic: bool,
}

impl Configs<'_> {
    /// The differences in the platform, the run configuration and unknown fields.
    pub(super) fn run(&self) -> Vec<FieldChange> {
        let mut changes = Changes::default();
        match (Platform::from_json(self.a), Platform::from_json(self.b)) {
            (Some(a), Some(b)) if a.normalized() == b.normalized() => {}
            (Some(a), Some(b)) => {
                let text = |platform: Platform| Some(platform.to_string().into());
                changes.put(".platform".to_owned(), text(a), text(b));
            }
            _ => changes.objects("", self.a, self.b, |name| PLATFORM.contains(&name)),
        }
        let is_apart = |name: &str| APART.contains(&name) || PLATFORM.contains(&name);
        let is_unknown = |name: &str| !is_apart(name) && !is_making(name);
        changes.objects("", self.a, self.b, is_unknown);
        let name = "config";
        self.run_config(&field("", name), &self.a[name], &self.b[name], &mut changes);
        changes.0
    }

    /// The differences in the history, and in the fields that say how the image was
    /// made.
    pub(super) fn making(&self) -> Vec<FieldChange> {
        let mut changes = Changes::default();
        let is_rebuilt = |name: &str| self.is_semantic && REBUILT.contains(&name);
        let (a, b) = (without_zeros(self.a), without_zeros(self.b));
        changes.objects("", &a, &b, |name| {
            is_making(name) && name != "container_config" && !is_rebuilt(name)
        });
        let name = "container_config";
        self.run_config(&field("", name), &self.a[name], &self.b[name], &mut changes);
        let steps = |config: &Value| -> Vec<Value> {
            let steps = config["history"].as_array();
            steps.into_iter().flatten().map(without_zeros).collect()
        };
        changes.lists(".history", &steps(self.a), &steps(self.b), |path, a, b| {
            let mut inner = Changes::default();
            inner.objects(path, a, b, |name| !(self.is_semantic && name == "created"));
            inner.0
        });
        changes.0
    }

    /// Compares two run configurations.
    fn run_config(&self, path: &str, a: &Value, b: &Value, changes: &mut Changes) {
        let is_map = |value: &Value| value.is_object() || value.is_null();
        if !(is_map(a) && is_map(b)) {
            changes.compare(path.to_owned(), Some(a), Some(b));
            return;
        }
        let none = Map::new();
        let (a, b) = (
            a.as_object().unwrap_or(&none),
            b.as_object().unwrap_or(&none),
        );
        for name in names(a, b) {
            if self.is_semantic && REBUILT_CONFIG.contains(&name) {
                continue;
            }
            let path = field(path, name);
            let (a, b) = (a.get(name), b.get(name));
            let is_none = |value: &&Value| match name {
                // No time to stop is another setting than the default.
                "StopTimeout" => value.is_null(),
                name => KNOWN.contains(&name) && is_zero(value),
            };
            let (a, b) = (a.filter(|it| !is_none(it)), b.filter(|it| !is_none(it)));
            match name {
                "Env" => changes.environment(&path, a, b),
                "ExposedPorts" | "Volumes" => changes.maps(&path, a, b, |_| true),
                "Healthcheck" => {
                    let (a, b) = (a.map(without_zeros), b.map(without_zeros));
                    changes.maps(&path, a.as_ref(), b.as_ref(), |_| true);
                }
                "Labels" => changes.maps(&path, a, b, |label| {
                    !(self.is_semantic && REBUILT_LABELS.contains(&label))
                }),
                _ => changes.compare(path, a, b),
            }
        }
    }
}

/// True for a field that says how the image was made.
fn is_making(name: &str) -> bool {
    MAKING.contains(&name) || name.starts_with(BUILDKIT)
}

/// True for the zero value of a type in Go, and for an empty list or map.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// An object without fields that are the zero value of a type in Go. Anything else stays
/// as it is.
fn without_zeros(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !is_zero(value));
    }
    value
}

/// The differences in names: those that only one image has.
pub(super) fn names_only(a: &[String], b: &[String]) -> Vec<FieldChange> {
    let mut changes = Changes::default();
    for name in a.iter().filter(|name| !b.contains(name)) {
        changes.put(".names".to_owned(), Some(name.as_str().into()), None);
    }
    for name in b.iter().filter(|name| !a.contains(name)) {
        changes.put(".names".to_owned(), None, Some(name.as_str().into()));
    }
    changes.0
}

/// The differences in the layers.
pub(super) fn layers(a: &Image, b: &Image) -> Vec<FieldChange> {
    let facts = |layer: &Layer| {
        serde_json::json!({
            "diff_id": layer.diff_id.to_string(),
            "digest": layer.digest().map(|digest| digest.to_string()),
            "compression": layer.compression.to_string(),
        })
    };
    let all = |image: &Image| -> Vec<Value> { image.layers.iter().map(facts).collect() };
    let mut changes = Changes::default();
    changes.lists(".layers", &all(a), &all(b), |path, a, b| {
        let mut inner = Changes::default();
        // Without a manifest the digest of a compressed layer is unknown.
        let is_known = |name: &str| !(a[name].is_null() || b[name].is_null());
        inner.objects(path, a, b, is_known);
        inner.0
    });
    changes.0
}

/// The differences found so far.
#[derive(Debug, Default)]
struct Changes(Vec<FieldChange>);

impl Changes {
    fn put(&mut self, path: String, a: Option<Value>, b: Option<Value>) {
        self.0.push(FieldChange { path, a, b });
    }

    /// Compares two values: objects field by field, others as a whole.
    fn compare(&mut self, path: String, a: Option<&Value>, b: Option<&Value>) {
        match (a, b) {
            (Some(a @ Value::Object(_)), Some(b @ Value::Object(_))) => {
                self.objects(&path, a, b, |_| true);
            }
            (a, b) if a == b => {}
            (a, b) => self.put(path, a.cloned(), b.cloned()),
        }
    }

    /// Compares the fields of two objects that count.
    fn objects(&mut self, path: &str, a: &Value, b: &Value, counts: impl Fn(&str) -> bool) {
        let none = Map::new();
        let (a, b) = (
            a.as_object().unwrap_or(&none),
            b.as_object().unwrap_or(&none),
        );
        for name in names(a, b).into_iter().filter(|name| counts(name)) {
            self.compare(field(path, name), a.get(name), b.get(name));
        }
    }

    /// Compares two maps, where none is an empty one.
    fn maps(
        &mut self,
        path: &str,
        a: Option<&Value>,
        b: Option<&Value>,
        counts: impl Fn(&str) -> bool,
    ) {
        let is_map = |value: Option<&Value>| value.is_none_or(Value::is_object);
        if is_map(a) && is_map(b) {
            let none = Value::Null;
            self.objects(path, a.unwrap_or(&none), b.unwrap_or(&none), counts);
        } else {
            self.compare(path.to_owned(), a, b);
        }
    }

    /// Compares two environments variable by variable. Their order does not count,
    /// unless a variable is given more than once.
    fn environment(&mut self, path: &str, a: Option<&Value>, b: Option<&Value>) {
        match (variables(a), variables(b)) {
            (Some(a), Some(b)) => {
                let (a, b) = (Value::Object(a), Value::Object(b));
                self.objects(path, &a, &b, |_| true);
            }
            _ => self.compare(path.to_owned(), a, b),
        }
    }

    /// Compares two lists without the members that they share at their beginnings and
    /// ends: the others one by one with `inner`, or, if they differ in number, as
    /// members that only one of the lists has.
    fn lists(
        &mut self,
        path: &str,
        a: &[Value],
        b: &[Value],
        inner: impl Fn(&str, &Value, &Value) -> Vec<FieldChange>,
    ) {
        let is_same = |(a, b): &(&Value, &Value)| inner("", a, b).is_empty();
        let start = a.iter().zip(b).take_while(is_same).count();
        let (rest_a, rest_b) = (&a[start..], &b[start..]);
        let from_end = rest_a.iter().rev().zip(rest_b.iter().rev());
        let end = from_end.take_while(is_same).count();
        let middle_a = &rest_a[..rest_a.len() - end];
        let middle_b = &rest_b[..rest_b.len() - end];
        let member = |at: usize| format!("{path}[{}]", start + at);
        if middle_a.len() == middle_b.len() {
            for (at, (a, b)) in middle_a.iter().zip(middle_b).enumerate() {
                self.0.extend(inner(&member(at), a, b));
            }
            return;
        }
        for (at, value) in middle_a.iter().enumerate() {
            self.put(member(at), Some(value.clone()), None);
        }
        for (at, value) in middle_b.iter().enumerate() {
            self.put(member(at), None, Some(value.clone()));
        }
    }
}

/// The variables of an environment, each with its value: null without `=`, and a list of
/// the values of one that is given more than once. `None` if it is malformed.
fn variables(environment: Option<&Value>) -> Option<Map<String, Value>> {
    let mut variables = Map::new();
    let Some(environment) = environment else {
        return Some(variables);
    };
    for variable in environment.as_array()? {
        let text = variable.as_str()?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, value.into()),
            None => (text, Value::Null),
        };
        match variables.get_mut(name) {
            None => {
                variables.insert(name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Some(variables)
}

/// The names of the fields of two objects, sorted.
fn names<'a>(a: &'a Map<String, Value>, b: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut names: Vec<&str> = a.keys().chain(b.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The path of a field in an object.
fn field(path: &str, name: &str) -> String {
    if name.is_empty() || name.contains(['.', '[', '"']) {
        format!("{path}[\"{name}\"]")
    } else {
        format!("{path}.{name}")
    }
}
