//! What the domain knows, as text for people and programs: pure functions from values to strings.

pub mod line;
pub mod page;
pub mod words;
