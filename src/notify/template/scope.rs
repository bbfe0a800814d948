//! What a template is filled from.

use crate::notify::{Envelope, Secrets};
use std::collections::BTreeMap;

/// What a template is filled from.
#[derive(Clone, Copy, Debug)]
pub struct TemplateScope<'a> {
    /// The message and the moment.
    pub envelope: &'a Envelope<'a>,
    /// For `{{secret.NAME}}` and signatures.
    pub secrets: &'a Secrets,
    /// For `{{param.NAME}}`.
    pub params: &'a BTreeMap<String, String>,
    /// Where a loop stands: which of the monitors, and how many it shows.
    pub(in crate::notify) at: Option<(usize, usize)>,
}

impl<'a> TemplateScope<'a> {
    /// Outside of any loop.
    pub fn new(
        envelope: &'a Envelope<'a>,
        secrets: &'a Secrets,
        params: &'a BTreeMap<String, String>,
    ) -> TemplateScope<'a> {
        TemplateScope { envelope, secrets, params, at: None }
    }
}
