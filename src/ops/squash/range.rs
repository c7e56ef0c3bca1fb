//! The choice of the layers to merge.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::digest::DiffId;
use crate::error::ChoiceError;
use crate::format::source::Layer;

/// The layers to merge into one, or several groups, each of which is merged into one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LayerChoice {
    /// All of them.
    #[default]
    All,
    /// This many of the uppermost layers.
    Last(NonZeroUsize),
    /// From one to another, both included; by default from the lowest, and to the
    /// uppermost.
    Between(Option<LayerName>, Option<LayerName>),
    /// All layers above those that the image shares with another one, which has these
    /// diff_ids.
    Above(Vec<DiffId>),
    /// The smallest adjacent layers, until this many layers are left.
    AtMost(NonZeroUsize),
}

/// A user's way to name a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerName {
    /// By its number, counted from 1, the lowest.
    Number(NonZeroUsize),
    /// By its diff_id or digest, or a prefix of one.
    Digest(String),
}

/// A text that does not name a layer, or a range of layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not name {expected}")]
pub struct LayerRangeError {
    text: String,
    expected: &'static str,
}

impl LayerRangeError {
    fn no_layer(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            expected: "a layer: expected its number, counted from 1, its diff_id or its digest",
        }
    }

    fn no_range(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            expected: "layers: expected `A..B`, `A..`, `..B` or `A`, where A and B are layer numbers, diff_ids or digests",
        }
    }
}

/// Minimum number of digits in a prefix of a digest. Fewer are a number.
const PREFIX_MIN: usize = 4;

impl FromStr for LayerName {
    type Err = LayerRangeError;

    fn from_str(text: &str) -> Result<Self, LayerRangeError> {
        let algorithms = ["sha256:", "sha512:"];
        let named = algorithms.iter().find_map(|name| text.strip_prefix(name));
        let digits = named.unwrap_or(text);
        let is_hex = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        // No image has that many layers, so it is the start of a digest.
        let number = text.parse().ok().filter(|_| text.len() <= PREFIX_MIN);
        match number {
            Some(number) => Ok(Self::Number(number)),
            None if is_hex && digits.len() >= PREFIX_MIN => Ok(Self::Digest(digits.to_owned())),
            None => Err(LayerRangeError::no_layer(text)),
        }
    }
}

/// Parses `A..B`, `A..`, `..B`, `..` or `A`.
impl FromStr for LayerChoice {
    type Err = LayerRangeError;

    fn from_str(text: &str) -> Result<Self, LayerRangeError> {
        let wrong = |_| LayerRangeError::no_range(text);
        let end = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(wrong),
        };
        if let Some((from, to)) = text.split_once("..") {
            return Ok(Self::Between(end(from)?, end(to)?));
        }
        let only: LayerName = text.parse().map_err(wrong)?;
        Ok(Self::Between(Some(only.clone()), Some(only)))
    }
}

/// Finds the layers, counted from 0: ranges that do not touch, the lowest first; none
/// if there is nothing to merge.
///
/// A single layer is only a range if the user named it; other single layers are not
/// merged.
pub(in crate::ops) fn ranges_in(
    choice: &LayerChoice,
    layers: &[Layer],
) -> Result<Vec<RangeInclusive<usize>>, ChoiceError> {
    let sizes: Vec<u64> = layers.iter().map(Layer::stored_size).collect();
    ranges(choice, layers, &sizes)
}

/// The same for layers with these sizes.
fn ranges(
    choice: &LayerChoice,
    layers: &[Layer],
    sizes: &[u64],
) -> Result<Vec<RangeInclusive<usize>>, ChoiceError> {
    let count = layers.len();
    let from = match choice {
        LayerChoice::All => 0,
        LayerChoice::Last(last) => {
            let wanted = last.get();
            count
                .checked_sub(wanted)
                .ok_or(ChoiceError::TooFewLayers { wanted, count })?
        }
        LayerChoice::Above(base) => above(base, layers)?,
        LayerChoice::Between(from, to) => {
            if count == 0 {
                return Err(ChoiceError::TooFewLayers { wanted: 1, count });
            }
            let from = find_layer(from.as_ref(), layers)?.unwrap_or(0);
            let to = find_layer(to.as_ref(), layers)?.unwrap_or(count - 1);
            if from > to {
                let (from, to) = (from + 1, to + 1);
                return Err(ChoiceError::LayersReversed { from, to });
            }
            return Ok(std::iter::once(from..=to).collect());
        }
        LayerChoice::AtMost(most) => return cheapest(most.get(), layers, sizes),
    };
    let is_worth_it = count >= from + 2;
    Ok(is_worth_it.then(|| from..=count - 1).into_iter().collect())
}

/// The number of lowest layers that are those of a base.
pub(in crate::ops) fn above(base: &[DiffId], layers: &[Layer]) -> Result<usize, ChoiceError> {
    let is_same = |(one, other): (&DiffId, &Layer)| *one == other.diff_id;
    let shared = base
        .iter()
        .zip(layers)
        .take_while(|pair| is_same(*pair))
        .count();
    if shared < base.len() {
        return Err(ChoiceError::NotTheBase {
            position: shared + 1,
            base: base.len(),
            layers: layers.len(),
        });
    }
    Ok(shared)
}

/// The layer with this name, counted from 0.
pub(in crate::ops) fn find_layer(
    name: Option<&LayerName>,
    layers: &[Layer],
) -> Result<Option<usize>, ChoiceError> {
    let count = layers.len();
    match name {
        None => Ok(None),
        Some(LayerName::Number(number)) if number.get() <= count => Ok(Some(number.get() - 1)),
        Some(LayerName::Number(number)) => Err(ChoiceError::NoSuchLayer {
            wanted: number.to_string(),
            count,
        }),
        Some(LayerName::Digest(prefix)) => {
            let is_meant = |layer: &Layer| {
                let digest = layer.descriptor().map(|it| it.digest().hex());
                layer.diff_id.0.hex().starts_with(prefix)
                    || digest.is_some_and(|digest| digest.starts_with(prefix))
            };
            let found: Vec<usize> = (0..count).filter(|at| is_meant(&layers[*at])).collect();
            match found.as_slice() {
                [] => Err(ChoiceError::NoSuchLayer {
                    wanted: prefix.clone(),
                    count,
                }),
                [only] => Ok(Some(*only)),
                several => Err(ChoiceError::SeveralLayers {
                    wanted: prefix.clone(),
                    positions: several.iter().map(|at| at + 1).collect(),
                }),
            }
        }
    }
}

/// Repeatedly merges the two adjacent layers with the smallest total size, until few
/// enough are left. Among equal ones the lowest are merged.
fn cheapest(
    most: usize,
    layers: &[Layer],
    sizes: &[u64],
) -> Result<Vec<RangeInclusive<usize>>, ChoiceError> {
    let is_fixed = |layer: &Layer| layer.blob().is_none();
    let mut groups: Vec<(RangeInclusive<usize>, u64)> = sizes
        .iter()
        .enumerate()
        .map(|(at, size)| (at..=at, *size))
        .collect();
    while groups.len() > most {
        let together = |pair: &[(RangeInclusive<usize>, u64)]| pair[0].1.saturating_add(pair[1].1);
        let may_merge = |pair: &[(RangeInclusive<usize>, u64)]| {
            let mut fixed = pair
                .iter()
                .map(|(range, _)| is_fixed(&layers[*range.start()]));
            !fixed.any(|fixed| fixed)
        };
        let best = groups
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| may_merge(pair))
            .min_by_key(|(_, pair)| together(pair))
            .map(|(at, _)| at);
        let Some(at) = best else {
            return Err(ChoiceError::CannotMergeTo {
                most,
                left: groups.len(),
            });
        };
        let (upper, size) = groups.remove(at + 1);
        let (lower, held) = &mut groups[at];
        *lower = *lower.start()..=*upper.end();
        *held = held.saturating_add(size);
    }
    groups.retain(|(range, _)| range.start() < range.end());
    Ok(groups.into_iter().map(|(range, _)| range).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::format::Member;
    use crate::format::source::{LayerBytes, LayerPosition};
    use crate::image::Descriptor;
    use crate::stream::Compression;

    fn layers(count: usize) -> Vec<Layer> {
        let layer = |at: usize| Layer {
            diff_id: DiffId(Digest::of(&[u8::try_from(at).unwrap()])),
            bytes: LayerBytes::Input {
                blob: Member {
                    origin: 0,
                    position: 0,
                    path: String::new(),
                    size: 0,
                },
                descriptor: None,
            },
            compression: Compression::None,
            position: LayerPosition::new(at, count),
            keeps_compression: false,
        };
        (0..count).map(layer).collect()
    }

    /// The ranges of a choice, counted from 1 as for a user.
    fn chosen(choice: &LayerChoice, layers: &[Layer], sizes: &[u64]) -> Result<String, String> {
        let ranges = ranges(choice, layers, sizes).map_err(|error| error.to_string())?;
        let text =
            |range: &RangeInclusive<usize>| format!("{}-{}", range.start() + 1, range.end() + 1);
        Ok(ranges.iter().map(text).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_way_to_name_layers() {
        let five = layers(5);
        let id = |at: usize| five[at].diff_id.0.hex()[..12].to_owned();
        let cases = [
            ("1..5", Ok("1-5")),
            ("2..3", Ok("2-3")),
            ("..", Ok("1-5")),
            ("..2", Ok("1-2")),
            ("4..", Ok("4-5")),
            ("3", Ok("3-3")),
            (&id(2), Ok("3-3")),
            (&format!("{}..4", id(1)), Ok("2-4")),
            (&format!("sha256:{}..", id(3)), Ok("4-5")),
            ("3..2", Err("the range 3..2 is reversed")),
            ("1..6", Err("there is no layer `6`: the image has 5 layers")),
            (
                "ffffffff",
                Err("there is no layer `ffffffff`: the image has 5 layers"),
            ),
        ];
        for (text, expected) in cases {
            let choice = text.parse().unwrap();
            let got = chosen(&choice, &five, &[0; 5]);
            assert_eq!(got.as_deref().map_err(String::as_str), expected, "{text}");
        }
        let mut twice = layers(3);
        twice[2] = twice[0].clone();
        let choice = id(0).parse().unwrap();
        let error = chosen(&choice, &twice, &[0; 3]).unwrap_err();
        assert_eq!(error, format!("`{}` matches layers 1, 3", id(0)));
    }

    #[test]
    fn what_names_no_layers_is_refused() {
        for text in [
            "",
            "0",
            "0..2",
            "-1",
            "a..b",
            "1...3",
            "1,2",
            "abc",
            "sha256:",
            "1..x",
            "SHA256:ABCD",
        ] {
            let error = text.parse::<LayerChoice>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{text}` does not name layers: "))
            );
            let error = text.parse::<LayerName>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{text}` does not name a layer: "))
            );
        }
    }

    #[test]
    fn all_and_the_last_are_ranges_if_there_is_something_to_merge() {
        let some = |number| NonZeroUsize::new(number).unwrap();
        let all = |count| chosen(&LayerChoice::All, &layers(count), &vec![0; count]).unwrap();
        assert_eq!([all(0), all(1), all(2)], ["", "", "1-2"]);
        let last = |last, count| {
            chosen(
                &LayerChoice::Last(some(last)),
                &layers(count),
                &vec![0; count],
            )
        };
        assert_eq!(last(1, 3).unwrap(), "");
        assert_eq!(last(2, 3).unwrap(), "2-3");
        assert_eq!(last(3, 3).unwrap(), "1-3");
        assert_eq!(
            last(4, 3).unwrap_err(),
            "the image has only 3 layers, not 4"
        );
    }

    #[test]
    fn a_base_is_a_beginning() {
        let ids = |layers: &[Layer]| layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let four = layers(4);
        let above = |base: &[Layer]| chosen(&LayerChoice::Above(ids(base)), &four, &[0; 4]);
        assert_eq!(above(&four[..2]).unwrap(), "3-4");
        assert_eq!(above(&four[..3]).unwrap(), "");
        assert_eq!(above(&four).unwrap(), "");
        assert_eq!(
            above(&four[1..3]).unwrap_err(),
            "the image is not based on that base: layer 1 differs (the base has 2 layers, the image 4)"
        );
        assert_eq!(
            above(&layers(6)).unwrap_err(),
            "the image is not based on that base: layer 5 differs (the base has 6 layers, the image 4)"
        );
    }

    #[test]
    fn the_smallest_neighbours_are_merged_first() {
        let at_most = |most, sizes: &[u64]| {
            let choice = LayerChoice::AtMost(NonZeroUsize::new(most).unwrap());
            chosen(&choice, &layers(sizes.len()), sizes)
        };
        assert_eq!(at_most(3, &[9, 1, 1]).unwrap(), "");
        assert_eq!(at_most(2, &[9, 1, 1]).unwrap(), "2-3");
        assert_eq!(at_most(4, &[5, 1, 1, 5, 1, 1]).unwrap(), "2-3 5-6");
        assert_eq!(at_most(3, &[5, 1, 1, 5, 1, 1]).unwrap(), "1-3 5-6");
        assert_eq!(at_most(2, &[1, 1, 1, 1]).unwrap(), "1-2 3-4");
        assert_eq!(at_most(1, &[3, 2, 1]).unwrap(), "1-3");
        let mut fixed = layers(3);
        let elsewhere = Descriptor::new("", Digest::of(b""), 0);
        fixed[1].bytes = LayerBytes::Elsewhere(elsewhere);
        let choice = LayerChoice::AtMost(NonZeroUsize::MIN);
        assert_eq!(
            chosen(&choice, &fixed, &[1, 1, 1]).unwrap_err(),
            "cannot merge down to 1 layer: 3 is the fewest possible"
        );
    }
}
