//! The nearest valid word to a mistyped one.

/// The candidate that `word` was probably meant to be, if one is near enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| {
            distance <= 1.max(word.chars().count().max(candidate.chars().count()) / 3) && distance < word.chars().count()
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let keys = ["url", "method", "headers"];
        assert_eq!(nearest("urll", keys), Some("url"));
        assert_eq!(nearest("header", keys), Some("headers"));
        assert_eq!(nearest("METHOD", keys), Some("method"));
        assert_eq!(nearest("banana", keys), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
