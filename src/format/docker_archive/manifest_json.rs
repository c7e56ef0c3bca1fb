//! `manifest.json`: one element for each image of a docker archive.

use std::collections::BTreeMap;

use serde_json::{Deserializer, Value};

use crate::image::{Descriptor, DocumentError, json_text};
use crate::limits::DESCRIPTORS_MAX;

/// An element of `manifest.json`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Element {
    /// The path of the config.
    pub(super) config: String,
    /// `RepoTags`; empty where it is null.
    pub(super) tags: Vec<String>,
    /// The paths of the layers, the lowest first.
    pub(super) layers: Vec<String>,
    /// `LayerSources`: descriptors by diff_id. Before Docker 25 of foreign layers
    /// alone, since then of all.
    pub(super) sources: BTreeMap<String, Descriptor>,
}

/// What was read, and whether bytes follow the JSON value.
#[derive(Debug)]
pub(super) struct ManifestJson {
    pub(super) elements: Vec<Element>,
    pub(super) has_trailing_bytes: bool,
}

/// Reads `manifest.json`.
///
/// As in Docker, which decodes it into a Go struct: keys in any case, null for
/// an empty list, other keys ignored, and bytes behind the value too.
pub(super) fn parse(bytes: &[u8]) -> Result<ManifestJson, DocumentError> {
    let parsed = parse_each(bytes)?;
    Ok(ManifestJson {
        elements: parsed.elements.into_iter().collect::<Result<_, _>>()?,
        has_trailing_bytes: parsed.has_trailing_bytes,
    })
}

/// `manifest.json`, its elements each for itself.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) elements: Vec<Result<Element, DocumentError>>,
    pub(super) has_trailing_bytes: bool,
    /// The JSON.
    pub(super) value: Value,
}

/// Reads `manifest.json`, of which an element may be malformed, and others not.
pub(super) fn parse_each(bytes: &[u8]) -> Result<Parsed, DocumentError> {
    let text = json_text(bytes)?;
    let mut values = Deserializer::from_str(&text).into_iter::<Value>();
    let value = match values.next() {
        Some(value) => value?,
        None => serde_json::from_str(&text)?,
    };
    let has_trailing_bytes = !text[values.byte_offset()..].trim().is_empty();
    let elements = match &value {
        Value::Null => &Vec::new(),
        Value::Array(elements) => elements,
        _ => return Err(wrong(String::from("the document"), "a list of images")),
    };
    check_count("the document", elements.len())?;
    let elements = elements.iter().enumerate();
    let elements = elements.map(|(at, element)| parse_element(at, element));
    let elements: Vec<_> = elements.collect();
    // Each becomes a descriptor where an index lists the images.
    let tags = elements.iter().flatten().map(|element| element.tags.len());
    check_count("RepoTags", tags.sum())?;
    Ok(Parsed {
        elements,
        has_trailing_bytes,
        value,
    })
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
            // Docker needs none of them, so one that is malformed does no harm.
            if let Ok(descriptor) = Descriptor::from_json(descriptor) {
                sources.insert(diff_id.clone(), descriptor);
            }
        }
    }
    Ok(Element {
        config: config
            .ok_or_else(|| wrong(path("Config"), "a path"))?
            .to_owned(),
        tags: texts(element, "RepoTags")
            .ok_or_else(|| wrong(path("RepoTags"), "a list of references"))?,
        layers: texts(element, "Layers").ok_or_else(|| wrong(path("Layers"), "a list of paths"))?,
        sources,
    })
}

/// Refuses a list that is longer than any image needs.
pub(super) fn check_count(field: &str, count: usize) -> Result<(), DocumentError> {
    if count <= DESCRIPTORS_MAX {
        return Ok(());
    }
    Err(DocumentError::TooMany {
        field: field.to_owned(),
        count,
        limit: DESCRIPTORS_MAX,
    })
}

/// A field by its name in any case; the last one counts, and null is absent.
fn field<'a>(element: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = element.as_object()?;
    let found = fields
        .iter()
        .rev()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

/// A list of texts; absent is empty, and anything else `None`.
fn texts(element: &Value, name: &str) -> Option<Vec<String>> {
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
        let read = parse(text).unwrap();
        assert!(!read.has_trailing_bytes);
        let element = |config: &str, tags: &[&str], layers: &[&str]| Element {
            config: config.to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
            layers: layers.iter().map(ToString::to_string).collect(),
            sources: BTreeMap::new(),
        };
        assert_eq!(
            read.elements,
            [
                element("c.json", &["a:1"], &["l"]),
                element("d.json", &[], &[])
            ]
        );
    }

    #[test]
    fn what_follows_is_ignored_and_noticed() {
        assert!(parse(b"[] junk").unwrap().has_trailing_bytes);
        assert!(!parse(b"null\n").unwrap().has_trailing_bytes);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let cases = [
            ("{}", "`the document` is not a list of images"),
            ("[1]", "`[0]` is not an object"),
            ("[{}]", "`[0].Config` is not a path"),
            (
                r#"[{"Config":"c","Layers":"l"}]"#,
                "`[0].Layers` is not a list of paths",
            ),
            (
                r#"[{"Config":"c","RepoTags":[1]}]"#,
                "`[0].RepoTags` is not a list of references",
            ),
            ("", "it is not valid JSON"),
            ("[", "it is not valid JSON"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
