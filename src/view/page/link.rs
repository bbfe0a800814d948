//! Addresses within the status page: what is selected, in which order, from where on.
//!
//! Each is written relative, so that the page also works under a prefix of somebody's proxy, and holds only what is not
//! as usual, so that it can be read and passed on.

use super::html::query_value;
use super::status::{Page, View};
use crate::domain::limits::LIST_DEFAULT;
use crate::domain::notice::State;
use crate::domain::registry::Order;

/// The query of an address.
#[derive(Clone, Copy)]
pub struct PageQuery<'a> {
    /// `?state=`
    pub state: Option<State>,
    /// `?match=`
    pub search: &'a str,
    /// `?tag=`
    pub tag: &'a str,
    /// `?sort=`
    pub order: Order,
    /// `?limit=`
    pub limit: usize,
    /// `?after=`
    pub after: Option<&'a str>,
    /// `?refresh=off` where not.
    pub refresh: bool,
}

impl View<'_> {
    /// The page as it was asked for.
    pub(super) fn here(&self) -> PageQuery<'_> {
        let Page { state, search, tag, order, limit, after, refresh, .. } = *self.page;
        PageQuery { state, search, tag, order, limit, after, refresh }
    }

    /// The address.
    pub(super) fn link(&self, link: PageQuery<'_>) -> String {
        let limit = (link.limit != LIST_DEFAULT).then(|| link.limit.to_string());
        let parts = [
            ("state", link.state.map(State::name)),
            ("match", Some(link.search).filter(|search| !search.is_empty())),
            ("tag", Some(link.tag).filter(|tag| !tag.is_empty())),
            ("sort", (link.order != Order::State).then(|| order_name(link.order))),
            ("limit", limit.as_deref()),
            ("after", link.after),
            ("refresh", (!link.refresh).then_some("off")),
        ];
        query(parts)
    }
}

/// A query of those that have a value. One without any is a `?` alone: an address without a query would keep the one that
/// the browser is at.
pub fn query<'a>(parts: impl IntoIterator<Item = (&'static str, Option<&'a str>)>) -> String {
    let parts = parts.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", query_value(value?))));
    format!("?{}", parts.collect::<Vec<_>>().join("&"))
}

/// The word for an order in `?sort=`.
pub fn order_name(order: Order) -> &'static str {
    match order {
        Order::Id => "id",
        Order::State => "state",
        Order::LastBeat => "last_beat",
        Order::Since => "since",
    }
}
