//! The languages in which we speak to people, as the catalogue knows them.

pub use crate::i18n::Lang;
