//! Misspelled words.

/// The candidates of which this word is a misspelling: those with the fewest wrong letters.
///
/// One letter may be wrong, or two neighbours swapped; in a word of eight letters or more, two
/// letters. A word that differs more is another word, such as `context`.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = if word.chars().count() < 8 { 1 } else { 2 };
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let near = candidates.map(|it| (distance(it), it));
    let near: Vec<(usize, &str)> = near.filter(|(distance, _)| *distance <= limit).collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    let nearest = near.iter().filter(|(distance, _)| Some(*distance) == least);
    nearest.map(|(_, candidate)| *candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_misspelling_is_near() {
        let known = [
            "convert",
            "export",
            "import",
            "images",
            "squash",
            "tag",
            "completion",
        ];
        for (word, expected) in [
            ("conver", &["convert"][..]),
            ("sqash", &["squash"]),
            ("squahs", &["squash"]),
            ("expotr", &["export"]),
            ("ixport", &["export", "import"]),
            ("tags", &["tag"]),
            ("merge", &[]),
            ("image", &["images"]),
            ("imges", &["images"]),
            ("manage", &[]),
            ("context", &[]),
            ("report", &[]),
            ("compelton", &["completion"]),
            ("ta", &["tag"]),
            ("t", &[]),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
        }
    }
}
