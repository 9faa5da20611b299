//! Pagination of lists, with small pages so that clients have to follow cursors.

use rmcp::ErrorData;
use rmcp::model::PaginatedRequestParams;

/// How many items a page has: few, so that a short list has several.
const SIZE: usize = 3;

/// Returns the page that a request asks for, and the cursor of the next.
///
/// "Invalid cursors **SHOULD** result in an error with code -32602 (Invalid params)" (2025-11-25, server/utilities/pagination).
pub(crate) fn page<T>(
    all: Vec<T>,
    request: Option<&PaginatedRequestParams>,
) -> Result<(Vec<T>, Option<String>), ErrorData> {
    let start = match request.and_then(|request| request.cursor.as_deref()) {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("from-")
            .and_then(|start| start.parse().ok())
            .filter(|start| *start > 0 && *start < all.len() && start % SIZE == 0)
            .ok_or_else(|| ErrorData::invalid_params("the cursor is not one that this list gave", None))?,
    };
    let next = (start + SIZE < all.len()).then(|| format!("from-{}", start + SIZE));
    Ok((all.into_iter().skip(start).take(SIZE).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(cursor: &str) -> Option<PaginatedRequestParams> {
        Some(PaginatedRequestParams::default().with_cursor(Some(cursor.to_owned())))
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<u8> = (0..7).collect();
        assert_eq!(page(all.clone(), None).unwrap(), (vec![0, 1, 2], Some("from-3".to_owned())));
        assert_eq!(page(all.clone(), asking("from-3").as_ref()).unwrap().0, [3, 4, 5]);
        assert_eq!(page(all, asking("from-6").as_ref()).unwrap(), (vec![6], None));
    }

    #[test]
    fn a_cursor_that_was_not_given_is_refused() {
        for cursor in ["", "from-0", "from-1", "from-9", "from--3", "3"] {
            assert!(page(vec![(); 7], asking(cursor).as_ref()).is_err(), "{cursor}");
        }
    }
}
