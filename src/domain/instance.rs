//! Which installation this is: a short random name, made with the state and kept in it.
//!
//! Numbers of monitors begin at 1 on every fresh server, and so would the names of incidents and the keys of alerts. With
//! the instance in them no two servers, and no two states of one server, give the same name twice. What began before
//! the instance was made, in a state of an older version, keeps the name under which it was told.

use super::time::Wall;
use std::borrow::Cow;

/// Letters and digits that nobody mistakes for each other and that form no words.
const ALPHABET: &[u8; 27] = b"bcdfghjkmnpqrstvwxz23456789";
/// Characters of a name: 47 bits.
const NAME_CHARS: usize = 10;

/// A name, and since when it is part of other names. The default has none and adds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    name: String,
    since: Wall,
}

impl Instance {
    /// One of a name that was kept; `None` if that cannot be a name.
    pub fn new(name: &str, since: Wall) -> Option<Instance> {
        let is_sound = name.len() == NAME_CHARS && name.bytes().all(|b| ALPHABET.contains(&b));
        is_sound.then(|| Instance { name: name.to_string(), since })
    }

    /// A new one out of a random number.
    pub fn random(number: u64, since: Wall) -> Instance {
        let mut rest = number;
        let mut name = String::new();
        for _ in 0..NAME_CHARS {
            let base = ALPHABET.len() as u64;
            name.push(char::from(ALPHABET[(rest % base) as usize]));
            rest /= base;
        }
        Instance { name, since }
    }

    /// The name; empty for the default.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Since when.
    pub fn since(&self) -> Wall {
        self.since
    }

    /// The name of an incident to the world: `7-3`, see [`incident_id`](super::record::incident_id), becomes
    /// `7-3-k7m2q9xdbf`.
    pub fn incident(&self, id: String, started: Wall) -> String {
        if self.name.is_empty() || started < self.since { id } else { format!("{id}-{}", self.name) }
    }

    /// The incident's own part of such a name; `None`: it is of another server.
    pub fn own_part<'a>(&self, name: &'a str) -> Option<&'a str> {
        let mut parts = name.splitn(3, '-');
        let (number, beats) = (parts.next()?, parts.next()?);
        match parts.next() {
            Some(instance) if instance != self.name => None,
            _ => name.get(..number.len() + 1 + beats.len()),
        }
    }

    /// A text with this instance's name at its end, for keys.
    pub fn mark<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.name.is_empty() { text.into() } else { format!("{text}-{}", self.name).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_server_and_old_ones_stay() {
        let one = Instance::random(0x0123_4567_89ab_cdef, Wall(1_000));
        let other = Instance::random(0x0123_4567_89ab_cdee, Wall(1_000));
        assert_ne!(one, other);
        let name = one.incident("7-3".into(), Wall(1_000));
        assert_eq!(name, format!("7-3-{}", one.name()));
        assert_eq!(one.own_part(&name), Some("7-3"));
        assert_eq!(other.own_part(&name), None);
        assert_eq!(one.incident("7-3".into(), Wall(999)), "7-3", "told under that name before");
        assert_eq!(one.own_part("7-3"), Some("7-3"));
        assert_eq!(one.own_part("7"), None);
        assert_eq!(Instance::default().incident("7-3".into(), Wall(0)), "7-3");
        assert_eq!(Instance::new(one.name(), Wall(1_000)), Some(one));
        assert_eq!(Instance::new("../../etc", Wall(0)), None);
    }
}
