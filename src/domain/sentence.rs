//! A sentence on what is wrong, told in two ways: to the log as it is, and to whoever reaches a port without where anything
//! lies on this machine.
//!
//! Both are made at once by whoever knows what is a path and what is not. Nobody looks for paths in a text that is made.

use crate::i18n::{Text, Word};
use std::io;
use std::path::Path;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Who runs the server: the log, the terminal, the service manager.
    Own,
    /// Whoever reaches a port.
    Stranger,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    own: Text,
    told: Text,
}

impl Audience {
    /// A path: whole, or the last name of it.
    pub fn path(self, path: &Path) -> String {
        match (self, path.file_name()) {
            (Audience::Stranger, Some(name)) => name.to_string_lossy().into_owned(),
            (Audience::Stranger, None) => "a folder".into(),
            (Audience::Own, _) => path.display().to_string(),
        }
    }

    /// What went wrong in the words of the system, which names no path; of any other words their kind alone.
    pub fn error(self, error: &io::Error) -> String {
        match (self, error.raw_os_error()) {
            (Audience::Stranger, None) => error.kind().to_string(),
            _ => error.to_string(),
        }
    }

    /// Words of somebody else's, which may name anything, and others in their stead.
    pub fn words(self, own: &str, told: Word) -> Text {
        if self == Audience::Own { Text::foreign(own) } else { told.into() }
    }
}

impl Sentence {
    /// What `say` says to each.
    pub fn of(say: impl Fn(Audience) -> Text) -> Sentence {
        Sentence { own: say(Audience::Own), told: say(Audience::Stranger) }
    }

    /// One that may be told to everybody as it is: our own words, names of the configuration and of senders.
    pub fn open(text: Text) -> Sentence {
        Sentence { told: text.clone(), own: text }
    }

    /// Whole.
    pub fn own(&self) -> &Text {
        &self.own
    }

    /// As strangers are told.
    pub fn told(&self) -> &Text {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn strangers_are_told_names_and_kinds_whatever_stands_in_a_path() {
        for path in ["/srv/my state/journal/7 a.log", "relative dir/7 a.log", "/;:'\"/7 a.log"] {
            let sentence = Sentence::of(|to| Text::foreign(format!("{}: cut", to.path(Path::new(path)))));
            let said = [sentence.own(), sentence.told()].map(|text| text.say(Lang::En));
            assert_eq!(said, [format!("{path}: cut").as_str(), "7 a.log: cut"]);
        }
        assert_eq!(Audience::Stranger.path(Path::new("/")), "a folder");
        let own_words = io::Error::new(io::ErrorKind::PermissionDenied, "unable to open /srv/my state/x");
        assert_eq!(Audience::Stranger.error(&own_words), "permission denied");
        let systems = io::Error::from_raw_os_error(28);
        assert_eq!(Audience::Stranger.error(&systems), systems.to_string());
    }
}
