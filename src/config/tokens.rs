//! Fetches bearer tokens, and secrets of other kinds, from the files and credentials that the configuration names.
//!
//! One token a line, `#` begins a comment line, empty lines do not count. What is reported names the file and the
//! line, never what stands there. A source without any token is an error: an empty list would open what the
//! administrator meant to lock.

use super::Env;
use super::error::{EX_NOINPUT, Findings};
use super::file::{FILE_BYTES_MAX, fetch};
use super::schema::TokenSource;
use super::value::Located;
use crate::domain::access::Token;
use crate::domain::limits::TOKENS_MAX;
use crate::i18n;
use crate::i18n::Text;
use crate::notify::Secret;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Longest secret that is not a token.
const SECRET_BYTES_MAX: usize = 4096;

/// Reads all tokens of one kind.
pub(crate) fn read(sources: &[Located<TokenSource>], env: &Env, findings: &Findings) -> Vec<Token> {
    let mut tokens = Vec::new();
    for source in sources {
        let Some(path) = locate(source, true, env, findings) else { continue };
        let found = read_file(&path, source, findings);
        if tokens.len() + found.len() > TOKENS_MAX {
            let reason = i18n::config::too_many_tokens_most(&TOKENS_MAX);
            findings.reject(source.origin.place.clone(), source.origin.key.clone(), reason);
            return tokens;
        }
        tokens.extend(found);
    }
    tokens
}

/// Reads a single secret: all that its file holds, without the white space around it.
pub(super) fn secret(source: &Located<TokenSource>, env: &Env, findings: &Findings) -> Option<Secret> {
    let origin = &source.origin;
    let Some(path) = locate(source, true, env, findings) else {
        return findings.is_offline().then(|| Secret::new("not-here".into()));
    };
    let text = match fetch(&path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => String::new(),
        Err(_) if findings.is_offline() => {
            findings.not_here(&origin.place, &origin.key, &path.display().to_string());
            return Some(Secret::new("not-here".into()));
        }
        Err(error) => {
            findings.unreadable(origin.place.clone(), origin.key.clone(), &path, &error);
            return None;
        }
    };
    let text = text.trim();
    if !(1..=SECRET_BYTES_MAX).contains(&text.len()) || text.contains(char::is_control) {
        let path = path.display();
        let reason = i18n::config::must_hold_one_line(&path, &SECRET_BYTES_MAX);
        findings.reject(origin.place.clone(), origin.key.clone(), reason);
        return None;
    }
    Some(Secret::new(text.to_string()))
}

/// The file of a source. A plain file with a secret that others may read gets a warning; a credential is the manager's to
/// guard.
pub(super) fn locate(
    source: &Located<TokenSource>,
    secret: bool,
    env: &Env,
    findings: &Findings,
) -> Option<PathBuf> {
    let origin = &source.origin;
    match &source.value {
        TokenSource::File(path) => {
            let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
            if secret && mode & 0o004 != 0 {
                let path = path.display();
                let text = i18n::config::can_read_everybody_machine(&path);
                findings.warn(&origin.place, &origin.key, text);
            }
            Some(path.clone())
        }
        TokenSource::Credential(name) => {
            let Some(directory) = env.get("CREDENTIALS_DIRECTORY") else {
                if findings.is_offline() {
                    findings.not_here(&origin.place, &origin.key, &format!("credential {name:?}"));
                    return None;
                }
                let reason = i18n::config::no_credential_credentials_directory(&name);
                findings.reject_with_code(origin.place.clone(), origin.key.clone(), reason, EX_NOINPUT);
                return None;
            };
            Some(Path::new(&directory).join(name))
        }
    }
}

fn read_file(path: &Path, source: &Located<TokenSource>, findings: &Findings) -> Vec<Token> {
    let origin = &source.origin;
    let reject = |place: String, reason: Text| {
        let say = |lang| format!("{place}: {}", reason.say(lang));
        let reason = Text::of(say);
        findings.reject(origin.place.clone(), origin.key.clone(), reason);
    };
    let bytes = match fetch(path) {
        Ok(bytes) => bytes,
        Err(_) if findings.is_offline() => {
            findings.not_here(&origin.place, &origin.key, &path.display().to_string());
            return Vec::new();
        }
        Err(error) => {
            findings.unreadable(origin.place.clone(), origin.key.clone(), path, &error);
            return Vec::new();
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 <= FILE_BYTES_MAX => text,
        Ok(_) => {
            reject(path.display().to_string(), i18n::config::TOO_LONG.into());
            return Vec::new();
        }
        Err(_) => {
            reject(path.display().to_string(), i18n::config::NOT_UTF_8.into());
            return Vec::new();
        }
    };
    let mut tokens = Vec::new();
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines += 1;
        match Token::new(line) {
            Ok(token) => tokens.push(token),
            Err(reason) => reject(format!("{}:{}", path.display(), index + 1), reason.into()),
        }
    }
    if lines == 0 {
        let reason = i18n::config::HOLDS_NO_TOKEN_PUT.into();
        reject(path.display().to_string(), reason);
    }
    tokens
}
