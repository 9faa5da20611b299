//! Case folding of names.

/// A name without regard to capital letters, as decoders and servers compare it that have none: Go's `encoding/json` takes `Owner` for
/// `owner`, and `\u{17f}` for `s`.
pub(crate) fn fold(name: &str) -> String {
    // Nearly all are.
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
