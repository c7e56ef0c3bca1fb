//! Records in as few bytes as possible, which are written and read in order.

/// Writes numbers and texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Packer(pub(super) Vec<u8>);

impl Packer {
    /// Seven bits in a byte, the lowest first; the eighth is set if more follow.
    pub(super) fn number(&mut self, number: impl Into<u64>) {
        let mut rest = number.into();
        while rest >= 0x80 {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }

    /// A number that may be negative: those near 0 are the shortest.
    pub(super) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// A text, preceded by its length.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }
}

/// Reads what a [`Packer`] wrote, in the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacker<'a>(pub(super) &'a [u8]);

impl<'a> Unpacker<'a> {
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = self.0.split_first().expect("records are complete");
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        number
    }

    /// A number that was one of 32 bits.
    pub(super) fn short(&mut self) -> u32 {
        u32::try_from(self.number()).expect("it was one of 32 bits")
    }

    pub(super) fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    /// The length of a text, or of a part of one.
    pub(super) fn length(&mut self) -> usize {
        usize::try_from(self.number()).expect("it was the length of something in memory")
    }

    pub(super) fn text(&mut self) -> &'a [u8] {
        let length = self.length();
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_read_as_they_were_written() {
        let numbers = (0..64).flat_map(|bits| [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits]);
        let numbers: Vec<u64> = numbers.collect();
        let mut packer = Packer::default();
        for number in &numbers {
            packer.number(*number);
            packer.signed(number.cast_signed());
            packer.signed(number.cast_signed().wrapping_neg());
            packer.text(&number.to_le_bytes());
        }
        let mut unpacker = Unpacker(&packer.0);
        for number in numbers {
            assert_eq!(unpacker.number(), number);
            assert_eq!(unpacker.signed(), number.cast_signed());
            assert_eq!(unpacker.signed(), number.cast_signed().wrapping_neg());
            assert_eq!(unpacker.text(), number.to_le_bytes());
        }
        assert!(unpacker.is_at_end());
    }
}
