//! The name of something in a directory.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

/// A name that is as long as most are at most.
const SHORT_MAX: usize = 22;

/// A name in a directory: any bytes. A short one is stored in place, which saves an
/// allocation for almost every entry, and names are ordered by their bytes.
#[derive(Clone)]
pub(crate) struct Name(Bytes);

#[derive(Clone)]
enum Bytes {
    /// The length, and this many bytes.
    Short(u8, [u8; SHORT_MAX]),
    Long(Box<[u8]>),
}

impl From<&[u8]> for Name {
    fn from(name: &[u8]) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match (u8::try_from(name.len()), bytes.get_mut(..name.len())) {
            (Ok(length), Some(start)) => {
                start.copy_from_slice(name);
                Self(Bytes::Short(length, bytes))
            }
            _ => Self(Bytes::Long(name.into())),
        }
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short(length, bytes) => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // Directories are searched by this: two words tell most names apart, in less
            // time than any loop.
            (Bytes::Short(length, bytes), Bytes::Short(other_length, other_bytes)) => {
                let order = words(bytes).cmp(&words(other_bytes));
                order.then(length.cmp(other_length))
            }
            _ => (**self).cmp(&**other),
        }
    }
}

/// The bytes of a short name, which are zeros after its end, as numbers in the same order.
fn words(bytes: &[u8; SHORT_MAX]) -> (u128, u64) {
    let mut first = [0; 16];
    let mut last = [0; 8];
    first.copy_from_slice(&bytes[..16]);
    last.copy_from_slice(&bytes[SHORT_MAX - 8..]);
    (u128::from_be_bytes(first), u64::from_be_bytes(last))
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_are_ordered_by_their_bytes() {
        let names: Vec<Vec<u8>> = (0..2 * SHORT_MAX)
            .flat_map(|length| [b'a', b'\xff'].map(|byte| vec![byte; length]))
            .chain([b"a\0".to_vec(), b"b".to_vec()])
            .collect();
        for one in &names {
            let name = Name::from(one.as_slice());
            assert_eq!(*name, **one);
            for other in &names {
                let order = name.cmp(&Name::from(other.as_slice()));
                assert_eq!(order, one.cmp(other));
            }
        }
    }

    #[test]
    fn a_name_takes_three_words() {
        assert_eq!(size_of::<Name>(), 24);
    }
}
