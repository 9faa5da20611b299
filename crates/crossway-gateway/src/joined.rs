//! Joins texts unambiguously, each behind its length.

/// Joins texts into one that no other texts give: each is preceded by its length.
pub(crate) fn joined(texts: &[&str]) -> String {
    let mut whole = String::with_capacity(texts.iter().map(|text| text.len() + 4).sum());
    for text in texts {
        whole.push_str(&text.len().to_string());
        whole.push(':');
        whole.push_str(text);
    }
    whole
}
