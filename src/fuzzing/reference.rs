//! Names: of images, blobs, layers and platforms.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::digest::Digest;
use crate::image::{Platform, Reference};
use crate::ops::{LayerChoice, Selector};

/// Uses the bytes as each of the names that a user or a document may give.
///
/// A reference remains the same when it is formatted and parsed, in its short form and
/// in full; so do digests and platforms. Its parts are not longer than registries
/// allow.
pub fn reference(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = text.parse::<Selector>();
    let _ = text.parse::<LayerChoice>();
    comes_back::<Digest>(&text);
    comes_back::<Platform>(&text);
    let Some(reference) = comes_back::<Reference>(&text) else {
        return;
    };
    assert_eq!(reference.full().parse().as_ref(), Ok(&reference));
    let name = reference.full();
    let name = name.split_once('@').map_or(&*name, |(name, _)| name);
    let tag = reference.tag().map_or(0, |tag| tag.len() + 1);
    assert!(name.len() - tag <= 255 && tag <= 129, "{name}");

    let latest = reference.clone().or_latest();
    assert!(latest.tag().is_some() || latest == reference);
    assert_eq!(latest.clone().or_latest(), latest);
    comes_back::<Reference>(&latest.to_string());

    // The name alone belongs to the same repository.
    let name: Reference = reference.familiar_name().parse().expect("it is a name");
    assert_eq!(name.tag(), None);
    assert_eq!(name.familiar_name(), reference.familiar_name());
    assert!(reference.full().starts_with(&name.full()));
}

/// Parses a text, and checks that the formatted result parses to the same value.
fn comes_back<T>(text: &str) -> Option<T>
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Display + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            let again = shown.parse::<T>();
            assert_eq!(again.expect("what is shown can be read"), value);
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}
