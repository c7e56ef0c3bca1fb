//! The same work at one, two and four times the size, which shows how its cost grows.

use std::path::PathBuf;

use super::bench::{NOTHING, Prepared, Result};

/// Linear work costs twice as much for twice the size, and a tenth is noise.
pub(crate) const LINEAR: f64 = 2.2;

/// `$N`, `$TWICE_N` and `$FOUR_TIMES_N`: the images that `image` makes for these factors.
pub(crate) fn doubled(image: impl Fn(u64) -> Result<PathBuf>) -> Result<Prepared<()>> {
    Ok(Prepared {
        variables: vec![
            ("N", image(1)?.into()),
            ("TWICE_N", image(2)?.into()),
            ("FOUR_TIMES_N", image(4)?.into()),
        ],
        ..NOTHING
    })
}
