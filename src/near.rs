//! The nearest known name to one that isn't known, for "did you mean".

/// The candidate that is fewest edits away (ties: the first in order), if it is near enough to be meant: up to a
/// third of the name's characters, at least one edit.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["depends", "recommends", "summary", "unit"];
        assert_eq!(nearest("dpeends", known), Some("depends"));
        assert_eq!(nearest("Summary", known), Some("summary"));
        assert_eq!(nearest("recommend", known), Some("recommends"));
        assert_eq!(nearest("packages", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
