//! Addresses within the status page: what is selected, in which order, from where on.
//!
//! Each is written relative, so that the page also works under a prefix of somebody's proxy, and holds only what is not
//! as usual, so that it can be read and passed on.

use super::html::query_value;
use super::{Page, View};
use crate::domain::limits::LIST_DEFAULT;
use crate::domain::notice::State;
use crate::domain::registry::Order;
use std::fmt::{self, Write};

/// The query of an address.
#[derive(Clone, Copy)]
pub struct Link<'a> {
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
    pub(super) fn here(&self) -> Link<'_> {
        let Page { state, search, tag, order, limit, after, refresh, .. } = *self.page;
        Link { state, search, tag, order, limit, after, refresh }
    }

    /// Appends the address.
    pub(super) fn link(&self, out: &mut String, link: Link<'_>) -> fmt::Result {
        let mut mark = "?";
        let mut put = |out: &mut String, key: &str, value: &str| {
            let written = write!(out, "{mark}{key}={}", query_value(value));
            mark = "&amp;";
            written
        };
        if let Some(state) = link.state {
            put(out, "state", state.name())?;
        }
        if !link.search.is_empty() {
            put(out, "match", link.search)?;
        }
        if !link.tag.is_empty() {
            put(out, "tag", link.tag)?;
        }
        if link.order != Order::State {
            put(out, "sort", order_name(link.order))?;
        }
        if link.limit != LIST_DEFAULT {
            put(out, "limit", &link.limit.to_string())?;
        }
        if let Some(after) = link.after {
            put(out, "after", after)?;
        }
        if !link.refresh {
            put(out, "refresh", "off")?;
        }
        // An address without a query would keep the one we are at.
        if mark == "?" {
            out.push('?');
        }
        Ok(())
    }
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
