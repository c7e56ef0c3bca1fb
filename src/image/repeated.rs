//! Repeated keys in an object.
//!
//! The last one counts, but Go readers decode each of them on the way to it: if one
//! does not have the type of its field, the whole document is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::image::types::{Type, WrongField, field_of, join};

impl Type {
    /// The fields of the wrong type that a later field of the same name replaces in
    /// this JSON. There are none in text that is not JSON.
    pub(crate) fn wrong_replaced(self, text: &str, path: &str) -> Vec<WrongField<'static>> {
        let mut found = Vec::new();
        self.check_replaced(text, path, &mut found);
        found
    }

    fn check_replaced(self, text: &str, path: &str, found: &mut Vec<WrongField<'static>>) {
        let mut named: Vec<(String, Type, &str)> = Vec::new();
        match self {
            Self::Struct(fields) => {
                for (key, raw) in members(text) {
                    if let Some((name, of)) = field_of(fields, &key) {
                        named.push((join(path, name), *of, raw.get()));
                    }
                }
            }
            Self::Map(of) => {
                for (key, raw) in members(text) {
                    named.push((join(path, &key), *of, raw.get()));
                }
            }
            Self::List(of) => {
                let members: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
                for (at, raw) in members.into_iter().enumerate() {
                    of.check_replaced(raw.get(), &format!("{path}[{at}]"), found);
                }
            }
            _ => {}
        }
        let places = named.iter().enumerate();
        let last: HashMap<&str, usize> = places.map(|(at, it)| (it.0.as_str(), at)).collect();
        for (at, (path, of, text)) in named.iter().enumerate() {
            if last[path.as_str()] != at
                && let Ok(value) = serde_json::from_str::<Value>(text)
            {
                let wrong = of.wrong_fields(&value, path).into_iter();
                found.extend(wrong.map(WrongField::into_owned));
            }
            of.check_replaced(text, path, found);
        }
    }
}

impl WrongField<'_> {
    fn into_owned(self) -> WrongField<'static> {
        WrongField {
            path: self.path,
            expected: self.expected,
            value: Cow::Owned(self.value.into_owned()),
        }
    }
}

/// The members of an object in their order; none if it is not an object.
fn members(text: &str) -> Vec<(String, &RawValue)> {
    let members = serde_json::from_str(text).map(|Members(members)| members);
    members.unwrap_or_default()
}

/// All members of an object, including repeated names.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use crate::image::types::{CONFIG, MANIFEST_ITEM};

    #[test]
    fn each_value_of_a_key_is_looked_at_in_any_case_and_depth() {
        for (text, expected) in [
            (r#"{"os":5,"os":"linux"}"#, "`os` is not a string"),
            (r#"{"OS":5,"os":"linux"}"#, "`os` is not a string"),
            (
                r#"{"config":{"Env":5},"config":{}}"#,
                "`config.Env` is not a list of strings",
            ),
            (
                r#"{"config":{"Labels":{"a":1,"a":"b"}}}"#,
                "`config.Labels.a` is not a string",
            ),
            (
                r#"{"history":[{},{"comment":1,"comment":""}]}"#,
                "`history[1].comment` is not a string",
            ),
            (r#"{"os":"linux","os":"linux","x":5,"x":6}"#, ""),
            (r#"{"os":5}"#, ""),
            (r#"{"os":5,"os":"#, ""),
            ("[]", ""),
        ] {
            let found = CONFIG.wrong_replaced(text, "");
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.join(", "), expected, "{text}");
        }
        let text = r#"{"RepoTags":5,"RepoTags":[]}"#;
        let found = MANIFEST_ITEM.wrong_replaced(text, "[0]");
        assert_eq!(
            found[0].to_string(),
            "`[0].RepoTags` is not a list of strings"
        );
    }
}
