//! Names of operations as tools.

use std::collections::HashMap;

use super::limits;

/// The parts of a tool's name: the operation's id, if it has one, its method in lower case, and its path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// Names tools, each uniquely and within `[A-Za-z0-9_-]{1,64}`, as models' APIs require.
///
/// An id that is such a name is used unchanged. Where several operations come to one name, all of them but a single one with that very id
/// get eight digits, derived from method and path alone: adding an operation never renames one whose name is its id. An operation whose
/// name is derived otherwise is renamed when another comes to the same name, since it is unknown which of them was first.
pub(super) fn names(operations: &[Named<'_>]) -> Vec<String> {
    let mut names: Vec<String> = operations.iter().map(|operation| fitting(&preferred(operation))).collect();
    let mut users: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        users.entry(name.clone()).or_default().push(at);
    }
    for (name, of_it) in &users {
        if of_it.len() == 1 {
            continue;
        }
        let exact: Vec<usize> =
            of_it.iter().copied().filter(|at| operations[*at].id == Some(name.as_str())).collect();
        let keeps = if let [only] = exact[..] { Some(only) } else { None };
        for at in of_it.iter().filter(|at| Some(**at) != keeps) {
            names[*at] = marked(name, &operations[*at], 0);
        }
    }
    // The digits can collide too, and the result can be another operation's name.
    let mut taken: HashMap<String, usize> = HashMap::new();
    for at in 0..names.len() {
        let mut round = 0;
        while taken.contains_key(&names[at]) {
            round += 1;
            names[at] = marked(&fitting(&preferred(&operations[at])), &operations[at], round);
        }
        taken.insert(names[at].clone(), at);
    }
    names
}

/// Whether an operation's name has digits because others come to the same name.
pub(super) fn is_marked(operation: &Named<'_>, tool: &str) -> bool {
    fitting(&preferred(operation)) != tool
}

fn preferred(operation: &Named<'_>) -> String {
    match operation.id.filter(|id| id.bytes().any(|byte| byte.is_ascii_alphanumeric())) {
        Some(id) => id.to_owned(),
        None => format!("{}{}", operation.method, operation.path),
    }
}

/// Replaces each run of characters that can't be in a name by `_`, and removes such runs at the ends.
pub(super) fn fitting(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut name = String::with_capacity(text.len().min(limits::NAME_BYTES));
    for part in text.split(|c| !fits(c)).filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(part);
        if name.len() >= limits::NAME_BYTES {
            break;
        }
    }
    name.truncate(limits::NAME_BYTES);
    name
}

fn marked(name: &str, operation: &Named<'_>, round: u32) -> String {
    let digits = format!("{:08x}", fnv(&format!("{} {} {round}", operation.method, operation.path)));
    let head = &name[..name.len().min(limits::NAME_BYTES - digits.len() - 1)];
    format!("{head}_{digits}")
}

/// FNV-1a, 32 bits: names have to be the same on all machines and in all versions.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(id: Option<&'static str>, path: &'static str) -> Named<'static> {
        Named { id, method: "get", path }
    }

    #[test]
    fn a_name_comes_from_the_id_or_from_method_and_path() {
        let operations = [
            one(Some("listCards"), "/cards"),
            one(None, "/boards/{id}/cards"),
            one(Some("cards/list all"), "/x"),
            one(Some("???"), "/y"),
            one(Some("get-boards__cards"), "/z"),
        ];
        let wanted = ["listCards", "get_boards_id_cards", "cards_list_all", "get_y", "get-boards__cards"];
        assert_eq!(names(&operations), wanted);
    }

    #[test]
    fn of_several_that_come_to_one_name_only_the_one_that_had_it_keeps_it() {
        let operations = [one(Some("a b"), "/1"), one(Some("a_b"), "/2"), one(Some("a/b"), "/3")];
        let named = names(&operations);
        assert_eq!(named[1], "a_b");
        assert!(named[0].starts_with("a_b_") && named[2].starts_with("a_b_") && named[0] != named[2]);
        // Without the first, the others keep their names.
        assert_eq!(names(&operations[1..]), named[1..]);
        let twice = names(&[one(Some("same"), "/1"), one(Some("same"), "/2")]);
        assert!(twice.iter().all(|name| name.starts_with("same_")) && twice[0] != twice[1]);
    }

    #[test]
    fn a_name_that_is_no_id_is_lost_when_another_comes_to_it() {
        let operations = [one(None, "/users/{id}"), one(None, "/users/id"), one(Some("get_users_id"), "/x")];
        for (count, wanted) in [(1, &[false][..]), (2, &[true, true]), (3, &[true, true, false])] {
            let operations = &operations[..count];
            let marked: Vec<bool> =
                operations.iter().zip(names(operations)).map(|(of, tool)| is_marked(of, &tool)).collect();
            assert_eq!(marked, wanted);
        }
    }

    #[test]
    fn the_marks_are_the_same_everywhere() {
        let twice = names(&[one(Some("same"), "/1"), one(Some("same"), "/2")]);
        assert_eq!(twice, ["same_00f466c5", "same_44404ce4"]);
    }

    proptest! {
        #[test]
        fn names_fit_and_no_two_are_the_same(
            of in proptest::collection::vec(("[a-c/_ .]{0,70}|\\PC{0,8}", "(/[a-b{}]{0,3}){1,3}"), 0..24)
        ) {
            let operations: Vec<Named<'_>> = of
                .iter()
                .enumerate()
                .map(|(at, (id, path))| Named { id: (at % 3 > 0).then_some(id.as_str()), method: "get", path })
                .collect();
            let names = names(&operations);
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            for (at, name) in names.iter().enumerate() {
                prop_assert!((1..=limits::NAME_BYTES).contains(&name.len()) && name.chars().all(fits), "{name:?}");
                prop_assert!(!names[..at].contains(name), "{name:?} twice");
            }
        }
    }
}
