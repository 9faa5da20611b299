//! Case folding of names.

/// Folds the case of a name, as decoders and servers do that ignore case: Go's `encoding/json` takes `Owner` for `owner`, and `\u{17f}` for
/// `s`.
#[must_use]
pub fn fold(name: &str) -> String {
    // Nearly all names are ASCII.
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
