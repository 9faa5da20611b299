//! Finds the known word that is closest to a mistyped one.

/// Returns the nearest of the known words, if one is near: up to a third of its letters may differ. Case, `_` and `-` are ignored.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(word);
    known
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_if_one_is_near() {
        let known = ["command", "args", "env", "allow_hosts", "mcpServers"];
        for (word, wanted) in [
            ("comand", Some("command")),
            ("arg", Some("args")),
            ("allowHosts", Some("allow_hosts")),
            ("allow-host", Some("allow_hosts")),
            ("mcp_servers", Some("mcpServers")),
            ("evn", Some("env")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), wanted, "{word}");
        }
    }
}
