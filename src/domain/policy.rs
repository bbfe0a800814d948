//! What is in force: everything of the configuration that a running daemon asks about while it works, in one value
//! that SIGHUP replaces whole.

use super::access::Access;
use super::lang::Lang;
use super::limits::Limits;
use super::registry::Defaults;

/// The policy in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Who may do what.
    pub access: Access,
    /// How much of everything.
    pub limits: Limits,
    /// What a new monitor is held to.
    pub defaults: Defaults,
    /// The page's language where the browser does not say.
    pub page_lang: Lang,
}
