//! Keyset pages: a page starts after a key, so its cost does not grow with what lies before it.

/// One page of a list, and where the next begins.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// The key of the last row, when there are more.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` rows made from a query that asked for one more.
    pub(super) fn of(mut items: Vec<T>, limit: usize, key: impl FnOnce(&T) -> String) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(key);
        Self { items, next }
    }
}
