//! The history in a config: the origin of each layer.

use serde_json::{Value, json};

/// One step in the history of an image.
///
/// Malformed fields count as absent: none of them is needed to run the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The time, exactly as in the config.
    pub created: Option<String>,
    /// The command.
    pub created_by: String,
    /// The author.
    pub author: String,
    /// The comment.
    pub comment: String,
    /// True if the step made no layer.
    pub is_empty: bool,
    /// The layer that it made, counted from 1, the lowest.
    ///
    /// `None` if the entry claims to have made a layer although there are no more
    /// layers.
    pub layer: Option<usize>,
}

/// Reads the history of a config with this many layers, the oldest entry first.
///
/// Each non-empty entry describes the next layer. A wrong count is corrected as in
/// `squash`: surplus entries become empty, and layers without an entry get a blank one.
pub(crate) fn history(config: &Value, layers: usize) -> Vec<HistoryEntry> {
    let mut next = 1;
    let mut take = |is_empty: bool| {
        let layer = (!is_empty && next <= layers).then_some(next);
        next += usize::from(layer.is_some());
        layer
    };
    let entries = config.get("history").and_then(Value::as_array);
    let mut history: Vec<HistoryEntry> = entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let owned = |name| text(name).unwrap_or_default().to_owned();
            let layer = take(entry.get("empty_layer") == Some(&Value::Bool(true)));
            HistoryEntry {
                created: text("created").map(str::to_owned),
                created_by: owned("created_by"),
                author: owned("author"),
                comment: owned("comment"),
                is_empty: layer.is_none(),
                layer,
            }
        })
        .collect();
    while let Some(layer) = take(false) {
        history.push(HistoryEntry {
            layer: Some(layer),
            ..HistoryEntry::default()
        });
    }
    history
}

/// True if an entry stands for no layer.
pub(super) fn is_empty_layer(entry: &Value) -> bool {
    entry["empty_layer"] == true
}

/// Gives a history exactly one non-empty entry for each layer, or `None` for a layer
/// without an entry.
pub(super) fn aligned(history: Value, count: usize) -> Vec<Option<Value>> {
    let mut history = match history {
        Value::Array(history) => history,
        _ => Vec::new(),
    };
    let mut left = count;
    for entry in history.iter_mut().filter(|entry| !is_empty_layer(entry)) {
        if left == 0 {
            mark_empty(entry);
        }
        left = left.saturating_sub(1);
    }
    let nothing = std::iter::repeat_n(None, left);
    history.into_iter().map(Some).chain(nothing).collect()
}

/// Makes an entry one that stands for no layer.
pub(super) fn mark_empty(entry: &mut Value) {
    if !entry.is_object() {
        *entry = json!({});
    }
    entry["empty_layer"] = true.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command and the layer of each entry.
    fn told(config: &Value, layers: usize) -> Vec<(String, Option<usize>)> {
        let history = history(config, layers).into_iter();
        history
            .map(|entry| {
                assert_eq!(entry.is_empty, entry.layer.is_none());
                (entry.created_by, entry.layer)
            })
            .collect()
    }

    #[test]
    fn entries_that_are_not_empty_stand_for_the_layers_in_their_order() {
        let entry =
            |name: &str, is_empty: bool| json!({"created_by": name, "empty_layer": is_empty});
        let config = json!({"history": [
            entry("a", false), entry("b", true), entry("c", false), entry("d", true),
        ]});
        let expect = |expected: &[(&str, Option<usize>)], layers| {
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, l)| ((*n).to_owned(), *l))
                .collect();
            assert_eq!(told(&config, layers), expected);
        };
        expect(
            &[("a", Some(1)), ("b", None), ("c", Some(2)), ("d", None)],
            2,
        );
        expect(&[("a", Some(1)), ("b", None), ("c", None), ("d", None)], 1);
        expect(
            &[
                ("a", Some(1)),
                ("b", None),
                ("c", Some(2)),
                ("d", None),
                ("", Some(3)),
            ],
            3,
        );
        assert_eq!(told(&json!({}), 1), [(String::new(), Some(1))]);
    }

    #[test]
    fn what_is_malformed_counts_as_absent() {
        let config = json!({"history": [7, {"created": 1, "comment": null, "author": "me"}]});
        let read = history(&config, 2);
        assert_eq!(
            read[0],
            HistoryEntry {
                layer: Some(1),
                ..HistoryEntry::default()
            }
        );
        assert_eq!((read[1].author.as_str(), read[1].layer), ("me", Some(2)));
        assert_eq!(history(&json!({"history": {}}), 0), []);
    }
}
