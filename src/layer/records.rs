//! The extended attributes of an entry.

use std::fmt;
use std::ops::Deref;

use crate::tar_stream::PaxRecord;

/// Attributes, as PAX records, in one word: almost no entry has any, and each that is
/// merged is held in memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Records(Option<Box<Given>>);

/// At least one record.
#[derive(Clone, PartialEq, Eq)]
struct Given(Box<[PaxRecord]>);

impl From<Vec<PaxRecord>> for Records {
    fn from(records: Vec<PaxRecord>) -> Self {
        let has_any = !records.is_empty();
        Self(has_any.then(|| Box::new(Given(records.into()))))
    }
}

impl FromIterator<PaxRecord> for Records {
    fn from_iter<I: IntoIterator<Item = PaxRecord>>(records: I) -> Self {
        records.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Records {
    type Target = [PaxRecord];

    fn deref(&self) -> &[PaxRecord] {
        self.0.as_ref().map_or(&[], |records| &records.0)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_given() {
        let record = (b"key".to_vec(), b"value".to_vec());
        for given in [vec![], vec![record.clone()], vec![record; 3]] {
            let records = Records::from(given.clone());
            assert_eq!(*records, *given);
            assert_eq!(records.is_empty(), given.is_empty());
            assert_eq!(records, given.into_iter().collect());
        }
        assert_eq!(size_of::<Records>(), size_of::<usize>());
    }
}
