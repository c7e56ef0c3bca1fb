//! `manifest.json`: one element for each image of a docker archive.

use std::collections::BTreeMap;

use serde_json::{Deserializer, Value};

use crate::digest::{DiffId, Digest};
use crate::image::{Descriptor, DocumentError, json_text, parse_value};
use crate::limits::DESCRIPTORS_MAX;

/// An element of `manifest.json`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::format) struct Element {
    /// The path of the config.
    pub(in crate::format) config: String,
    /// `RepoTags`; empty if it is null.
    pub(in crate::format) tags: Vec<String>,
    /// The paths of the layers, the lowest first.
    pub(in crate::format) layers: Vec<String>,
    /// `LayerSources`: descriptors by diff_id. Before Docker 25 only of foreign layers,
    /// since then of all.
    pub(in crate::format) sources: BTreeMap<String, Descriptor>,
    /// `Parent`: the config of the image on which this one was built, if the archive
    /// also has that.
    pub(in crate::format) parent: Option<Digest>,
}

impl Element {
    /// The name of its image in findings; `at` is its number, counted from 0.
    pub(in crate::format) fn name(&self, at: usize) -> String {
        let name = self.tags.first().cloned();
        name.unwrap_or_else(|| format!("#{}", at + 1))
    }

    /// The entry of `LayerSources` for the layer with this diff_id.
    pub(in crate::format) fn source(&self, diff_id: &DiffId) -> Option<&Descriptor> {
        self.sources.get(&diff_id.to_string())
    }
}

/// A parsed `manifest.json`.
#[derive(Debug)]
pub(in crate::format) struct ManifestJson {
    /// The readable elements, each with its number, counted from 0.
    pub(in crate::format) elements: Vec<(usize, Element)>,
    /// True if bytes follow the JSON value.
    pub(in crate::format) has_trailing_bytes: bool,
    /// The JSON.
    pub(in crate::format) value: Value,
    /// The faults of the other elements.
    pub(in crate::format) faults: Vec<DocumentError>,
}

/// Reads `manifest.json`, in which some elements may be malformed.
///
/// The rules are those of Docker, which decodes it into a Go struct: keys in any case,
/// null for an empty list, and other keys ignored, as well as bytes after the value.
pub(in crate::format) fn read(bytes: &[u8]) -> Result<ManifestJson, DocumentError> {
    let (value, has_trailing_bytes) = parse_list(bytes)?;
    let mut elements = Vec::new();
    let mut faults = Vec::new();
    for (at, element) in value.as_array().into_iter().flatten().enumerate() {
        match parse_element(at, element) {
            Ok(element) => elements.push((at, element)),
            Err(error) => faults.push(error),
        }
    }
    // Each tag becomes a descriptor in an index of the images.
    let tags = elements.iter().map(|(_, element)| element.tags.len());
    check_count("RepoTags", tags.sum())?;
    Ok(ManifestJson {
        elements,
        has_trailing_bytes,
        value,
        faults,
    })
}

/// Reads the elements of `manifest.json`.
///
/// # Errors
///
/// Fails with the first fault.
pub(in crate::format) fn parse(bytes: &[u8]) -> Result<Vec<Element>, DocumentError> {
    let mut manifest = read(bytes)?;
    if manifest.faults.is_empty() {
        let elements = manifest.elements.into_iter();
        return Ok(elements.map(|(_, element)| element).collect());
    }
    Err(manifest.faults.swap_remove(0))
}

/// The elements of `manifest.json` as JSON, and true if bytes follow.
pub(in crate::format) fn parse_values(bytes: &[u8]) -> Result<(Vec<Value>, bool), DocumentError> {
    match parse_list(bytes)? {
        (Value::Array(elements), has_trailing_bytes) => Ok((elements, has_trailing_bytes)),
        (_, has_trailing_bytes) => Ok((Vec::new(), has_trailing_bytes)),
    }
}

/// The JSON of `manifest.json`, which is a list or null, and true if bytes follow.
fn parse_list(bytes: &[u8]) -> Result<(Value, bool), DocumentError> {
    let text = json_text(bytes)?;
    let mut values = Deserializer::from_str(&text).into_iter::<Value>();
    let value = match values.next() {
        Some(value) => value?,
        None => serde_json::from_str(&text)?,
    };
    let has_trailing_bytes = !text[values.byte_offset()..].trim().is_empty();
    let count = match &value {
        Value::Null => 0,
        Value::Array(elements) => elements.len(),
        _ => return Err(wrong(String::from("the document"), "a list of images")),
    };
    check_count("the document", count)?;
    Ok((value, has_trailing_bytes))
}

/// The paths that a malformed `manifest.json` names as configs and as layers, as far as
/// it has the shape of one: a list of images, or a single image.
#[derive(Debug, Default)]
pub(in crate::format) struct NamedPaths {
    pub(in crate::format) configs: Vec<String>,
    pub(in crate::format) layers: Vec<String>,
    /// True if it is a list that contains only null.
    pub(in crate::format) is_null_list: bool,
}

/// Reads as much as possible of a `manifest.json` whose fields have wrong types.
pub(in crate::format) fn named_paths(bytes: &[u8]) -> NamedPaths {
    let mut named = NamedPaths::default();
    let Ok(value) = parse_value(bytes) else {
        return named;
    };
    let elements = match &value {
        Value::Array(elements) => elements.as_slice(),
        element => std::slice::from_ref(element),
    };
    named.is_null_list = value.is_array() && elements.iter().all(Value::is_null);
    for element in elements.iter().take(DESCRIPTORS_MAX) {
        let texts = |name| -> Vec<String> {
            let values = match field(element, name) {
                Some(Value::Array(values)) => values.as_slice(),
                Some(value) => std::slice::from_ref(value),
                None => &[],
            };
            let texts = values.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        named.layers.extend(texts("Layers"));
        if value.is_array() {
            named.configs.extend(texts("Config"));
        }
    }
    named
}

fn parse_element(at: usize, element: &Value) -> Result<Element, DocumentError> {
    if !element.is_object() {
        return Err(wrong(format!("[{at}]"), "an object"));
    }
    let path = |name: &str| format!("[{at}].{name}");
    let config = field(element, "Config").and_then(Value::as_str);
    let mut sources = BTreeMap::new();
    if let Some(Value::Object(map)) = field(element, "LayerSources") {
        for (diff_id, descriptor) in map {
            // Docker needs none of them, so a malformed one does no harm.
            if let Ok(descriptor) = Descriptor::from_json(descriptor) {
                sources.insert(diff_id.clone(), descriptor);
            }
        }
    }
    Ok(Element {
        config: config
            .ok_or_else(|| wrong(path("Config"), "a string"))?
            .to_owned(),
        tags: texts(element, "RepoTags")
            .ok_or_else(|| wrong(path("RepoTags"), "a list of strings"))?,
        layers: texts(element, "Layers")
            .ok_or_else(|| wrong(path("Layers"), "a list of strings"))?,
        sources,
        parent: field(element, "Parent")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok()),
    })
}

/// Refuses a list that is longer than any image needs.
pub(in crate::format) fn check_count(field: &str, count: usize) -> Result<(), DocumentError> {
    if count <= DESCRIPTORS_MAX {
        return Ok(());
    }
    Err(DocumentError::TooMany {
        field: field.to_owned(),
        count,
        limit: DESCRIPTORS_MAX,
    })
}

/// A field by its name in any case; the last one counts, and null means absent.
pub(in crate::format) fn field<'a>(element: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = element.as_object()?;
    let found = fields
        .iter()
        .rev()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

/// A list of texts; empty if it is absent, and `None` if it is anything else.
pub(in crate::format) fn texts(element: &Value, name: &str) -> Option<Vec<String>> {
    let Some(value) = field(element, name) else {
        return Some(Vec::new());
    };
    let texts = value.as_array()?.iter();
    texts.map(|text| text.as_str().map(str::to_owned)).collect()
}

fn wrong(field: String, expected: &'static str) -> DocumentError {
    DocumentError::Field { field, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_any_case_and_null_is_empty() {
        let text = br#"[{"config":"c.json","repoTags":["a:1"],"LAYERS":["l"],"x":1},
            {"Config":"d.json","RepoTags":null,"Layers":null}]"#;
        let elements = parse(text).unwrap();
        assert!(!read(text).unwrap().has_trailing_bytes);
        let element = |config: &str, tags: &[&str], layers: &[&str]| Element {
            config: config.to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
            layers: layers.iter().map(ToString::to_string).collect(),
            sources: BTreeMap::new(),
            parent: None,
        };
        assert_eq!(
            elements,
            [
                element("c.json", &["a:1"], &["l"]),
                element("d.json", &[], &[])
            ]
        );
    }

    #[test]
    fn paths_are_found_in_a_document_of_wrong_shape() {
        for (text, configs, layers) in [
            (r#"[{"Config":"c","Layers":"l"}]"#, vec!["c"], vec!["l"]),
            (r#"[{"Config":null,"layers":["l",1]}]"#, vec![], vec!["l"]),
            (
                r#"{"Config":"c","Layers":["l","m"]}"#,
                vec![],
                vec!["l", "m"],
            ),
            (r#"{"name":"app","icons":[]}"#, vec![], vec![]),
            ("[1]", vec![], vec![]),
            ("[", vec![], vec![]),
        ] {
            let named = named_paths(text.as_bytes());
            assert_eq!(
                (named.configs, named.layers),
                (
                    configs.into_iter().map(str::to_owned).collect(),
                    layers.into_iter().map(str::to_owned).collect(),
                ),
                "{text}"
            );
        }
        assert!(named_paths(b"[null]").is_null_list);
        assert!(!named_paths(b"null").is_null_list);
    }

    #[test]
    fn what_follows_is_ignored_and_noticed() {
        assert!(read(b"[] junk").unwrap().has_trailing_bytes);
        assert!(!read(b"null\n").unwrap().has_trailing_bytes);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let cases = [
            ("{}", "`the document` is not a list of images"),
            ("[1]", "`[0]` is not an object"),
            ("[{}]", "`[0].Config` is not a string"),
            (
                r#"[{"Config":"c","Layers":"l"}]"#,
                "`[0].Layers` is not a list of strings",
            ),
            (
                r#"[{"Config":"c","RepoTags":[1]}]"#,
                "`[0].RepoTags` is not a list of strings",
            ),
            ("", "it is not valid JSON"),
            ("[", "it is not valid JSON"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
