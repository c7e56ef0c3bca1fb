//! Places of entries in a layer, for a second look at few of them.

/// The number of entries from one landmark to the next. With it landmarks need almost no
/// memory, and few headers are read in vain.
const STRIDE: u32 = 64;

/// The offsets of some entries of a layer, which was read before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Landmarks {
    /// The offset of the entry that follows each [`STRIDE`] entries.
    offsets: Vec<u64>,
}

impl Landmarks {
    /// Notes where the next entry begins after this many, if that is a landmark.
    pub(super) fn note(&mut self, passed: u32, offset: u64) {
        if passed.is_multiple_of(STRIDE) {
            self.offsets.push(offset);
        }
    }

    /// The last landmark before an entry, counted from 1: the number of entries before
    /// it, and its offset.
    pub(super) fn before(&self, entry: u32) -> Option<(u32, u64)> {
        let known = self
            .offsets
            .len()
            .min((entry.checked_sub(1)? / STRIDE) as usize);
        let offset = self.offsets[known.checked_sub(1)?];
        let passed = u32::try_from(known).ok()?.checked_mul(STRIDE)?;
        Some((passed, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_landmark_before_an_entry_is_found() {
        let mut landmarks = Landmarks::default();
        assert_eq!(landmarks.before(1000), None);
        for passed in 1..=130 {
            landmarks.note(passed, u64::from(passed) * 1024);
        }
        for (entry, expected) in [
            (0, None),
            (1, None),
            (64, None),
            (65, Some(64)),
            (128, Some(64)),
            (129, Some(128)),
            (u32::MAX, Some(128)),
        ] {
            let expected = expected.map(|passed: u32| (passed, u64::from(passed) * 1024));
            assert_eq!(landmarks.before(entry), expected, "{entry}");
        }
    }
}
