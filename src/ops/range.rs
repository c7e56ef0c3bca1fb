//! Which layers a squash merges.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::format::source::Layer;

/// The layers that become one, or several groups of which each becomes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerChoice {
    /// All of them.
    All,
    /// So many of the uppermost.
    Last(NonZeroUsize),
    /// From one to another, both included; by default from the lowest, and to the
    /// uppermost.
    Between(Option<LayerName>, Option<LayerName>),
    /// All above those that the image shares with another one, which has these
    /// diff_ids.
    Above(Vec<DiffId>),
    /// Neighbours, the smallest first, until so many layers are left.
    AtMost(NonZeroUsize),
}

/// How a user names a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerName {
    /// By its number, counted from 1, the lowest.
    Number(NonZeroUsize),
    /// By its diff_id or digest, or a prefix of one.
    Digest(String),
}

/// A text that names no layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not name layers: `A..B`, `A..`, `..B` or `A` was expected, where A and B are numbers from 1 on, diff_ids or digests"
)]
pub struct LayerRangeError(String);

/// How many digits make a prefix of a digest, at least. Fewer are a number.
const PREFIX_MIN: usize = 4;

impl FromStr for LayerName {
    type Err = LayerRangeError;

    fn from_str(text: &str) -> Result<Self, LayerRangeError> {
        let wrong = || LayerRangeError(text.to_owned());
        let algorithms = ["sha256:", "sha512:"];
        let named = algorithms.iter().find_map(|name| text.strip_prefix(name));
        let digits = named.unwrap_or(text);
        let is_hex = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        // No image has a layer of so high a number, so it is the start of a digest.
        let number = text.parse().ok().filter(|_| text.len() <= PREFIX_MIN);
        match number {
            Some(number) => Ok(Self::Number(number)),
            None if is_hex && digits.len() >= PREFIX_MIN => Ok(Self::Digest(digits.to_owned())),
            None => Err(wrong()),
        }
    }
}

/// Reads `A..B`, `A..`, `..B`, `..` or `A`.
impl FromStr for LayerChoice {
    type Err = LayerRangeError;

    fn from_str(text: &str) -> Result<Self, LayerRangeError> {
        let wrong = |_| LayerRangeError(text.to_owned());
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

/// Finds the layers, counted from 0: ranges that do not touch, the lowest first.
/// None is where there is nothing to merge.
///
/// A single layer is only a range if the user named it; all others are left alone.
pub(super) fn ranges(
    choice: &LayerChoice,
    layers: &[Layer],
    sizes: &[u64],
) -> Result<Vec<RangeInclusive<usize>>> {
    let count = layers.len();
    let from = match choice {
        LayerChoice::All => 0,
        LayerChoice::Last(last) => {
            let wanted = last.get();
            count
                .checked_sub(wanted)
                .ok_or(Error::TooFewLayers { wanted, count })?
        }
        LayerChoice::Above(base) => above(base, layers)?,
        LayerChoice::Between(from, to) => {
            if count == 0 {
                return Err(Error::TooFewLayers { wanted: 1, count });
            }
            let from = find(from.as_ref(), layers)?.unwrap_or(0);
            let to = find(to.as_ref(), layers)?.unwrap_or(count - 1);
            if from > to {
                let (from, to) = (from + 1, to + 1);
                return Err(Error::LayersReversed { from, to });
            }
            return Ok(std::iter::once(from..=to).collect());
        }
        LayerChoice::AtMost(most) => return cheapest(most.get(), layers, sizes),
    };
    let is_worth_it = count >= from + 2;
    Ok(is_worth_it.then(|| from..=count - 1).into_iter().collect())
}

/// How many of the lowest layers are those of a base.
fn above(base: &[DiffId], layers: &[Layer]) -> Result<usize> {
    let is_same = |(one, other): (&DiffId, &Layer)| *one == other.diff_id;
    let shared = base
        .iter()
        .zip(layers)
        .take_while(|pair| is_same(*pair))
        .count();
    if shared < base.len() {
        return Err(Error::NotTheBase {
            position: shared + 1,
            base: base.len(),
            layers: layers.len(),
        });
    }
    Ok(shared)
}

/// The layer that a name means, counted from 0.
fn find(name: Option<&LayerName>, layers: &[Layer]) -> Result<Option<usize>> {
    let count = layers.len();
    match name {
        None => Ok(None),
        Some(LayerName::Number(number)) if number.get() <= count => Ok(Some(number.get() - 1)),
        Some(LayerName::Number(number)) => Err(Error::NoSuchLayer {
            wanted: number.to_string(),
            count,
        }),
        Some(LayerName::Digest(prefix)) => {
            let is_meant = |layer: &Layer| {
                let digest = layer.descriptor.as_ref().map(|d| d.digest().hex());
                layer.diff_id.0.hex().starts_with(prefix)
                    || digest.is_some_and(|digest| digest.starts_with(prefix))
            };
            let found: Vec<usize> = (0..count).filter(|at| is_meant(&layers[*at])).collect();
            match found.as_slice() {
                [] => Err(Error::NoSuchLayer {
                    wanted: prefix.clone(),
                    count,
                }),
                [only] => Ok(Some(*only)),
                several => Err(Error::SeveralLayers {
                    wanted: prefix.clone(),
                    positions: several.iter().map(|at| at + 1).collect(),
                }),
            }
        }
    }
}

/// Merges the two neighbours that are the smallest together, and again, until few
/// enough are left. Of several as small the lowest are merged.
fn cheapest(most: usize, layers: &[Layer], sizes: &[u64]) -> Result<Vec<RangeInclusive<usize>>> {
    let is_fixed = |layer: &Layer| layer.blob.is_none() || layer.is_encrypted();
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
            return Err(Error::CannotMergeTo {
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
