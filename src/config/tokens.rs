//! Fetches bearer tokens, and secrets of other kinds, from the files and credentials that the configuration names.
//!
//! One token a line, `#` begins a comment line, empty lines do not count. What is reported names the file and the
//! line, never what stands there. A source without any token is an error: an empty list would open what the
//! administrator meant to lock.

use super::Env;
use super::error::{EX_NOINPUT, Findings, Text};
use super::file::{FILE_BYTES_MAX, fetch};
use super::schema::TokenSource;
use super::value::Located;
use super::words;
use crate::domain::access::Token;
use crate::domain::limits::TOKENS_MAX;
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
            let reason = Text::new(
                format!("too many tokens: at most {TOKENS_MAX}"),
                format!("令牌过多：最多 {TOKENS_MAX} 个"),
            );
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
        let reason = Text::new(
            format!("{path} is to hold one line of 1 to {SECRET_BYTES_MAX} bytes in UTF-8"),
            format!("{path} 应只含一行 UTF-8 文本，1 到 {SECRET_BYTES_MAX} 字节"),
        );
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
                let text = Text::new(
                    format!("{path} can be read by everybody on this machine; chmod o= {path}"),
                    format!("本机所有用户都能读取 {path}；请执行 chmod o= {path}"),
                );
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
                let reason = Text::new(
                    format!(
                        "no credential \"{name}\": $CREDENTIALS_DIRECTORY is not set; add LoadCredential={name}:PATH to the unit"
                    ),
                    format!(
                        "没有凭据 \"{name}\"：未设置 $CREDENTIALS_DIRECTORY；请在单元中加入 LoadCredential={name}:路径"
                    ),
                );
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
        let reason = Text::new(say(crate::domain::lang::Lang::En), say(crate::domain::lang::Lang::Zh));
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
            reject(path.display().to_string(), Text::new("too long", "文件过长"));
            return Vec::new();
        }
        Err(_) => {
            reject(path.display().to_string(), Text::new("not UTF-8", "不是 UTF-8 编码"));
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
            Err(reason) => reject(format!("{}:{}", path.display(), index + 1), words::domain(reason)),
        }
    }
    if lines == 0 {
        let reason = Text::new(
            "holds no token; put one on a line, made with: openssl rand -hex 32",
            "其中没有令牌；每行写一个，可用 openssl rand -hex 32 生成",
        );
        reject(path.display().to_string(), reason);
    }
    tokens
}
