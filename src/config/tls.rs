//! The files that `listen.tls` names: read, held against each other, and made what rustls needs.
//!
//! All of it happens at a start, at a reload and in check-config alike, so that a listener never has half of it, and a
//! certificate that is about to end is told of whenever somebody looks.

use super::Env;
use super::error::Findings;
use super::file::{FILE_BYTES_MAX, fetch};
use super::schema::{TlsDraft, TokenSource};
use super::settings::ListenTls;
use super::tokens::locate;
use super::value::{Located, Origin};
use crate::domain::time::{Span, Wall};
use crate::i18n;
use crate::i18n::Text;
use crate::sys::clock;
use crate::transport::tls::certificate;
use crate::transport::tls::server::{self, TlsFile, TlsFileError, TlsPem};
use std::path::PathBuf;

/// How long before its end a certificate is warned of.
const NOTICE_OF_END: Span = Span::secs(14 * 86_400);

/// Reads the papers and makes of them what rustls needs; `None` when an error has been told.
pub(super) fn papers(
    Located { value: draft, origin }: Located<TlsDraft>,
    protocols: &[&[u8]],
    env: &Env,
    findings: &Findings,
) -> Option<ListenTls> {
    for (given, name) in [(draft.cert.is_given(), "cert"), (draft.key.is_given(), "key")] {
        if !given {
            let reason = i18n::config::key_is_missing(&name);
            findings.reject(origin.place.clone(), origin.key.clone(), reason);
        }
    }
    let client_ca = draft.client_ca.value;
    let client_auth = draft.client_auth.located();
    if let (Some(Located { origin, .. }), None) = (&client_auth, &client_ca) {
        let reason = i18n::config::MEANS_NOTHING_WITHOUT_CLIENT.into();
        findings.reject(origin.place.clone(), origin.key.clone(), reason);
    }
    let (cert, key) = (draft.cert.value?, draft.key.value?);
    let (cert_path, cert_pem) = fetch_paper(&cert, false, env, findings)?;
    let (key_path, key_pem) = fetch_paper(&key, true, env, findings)?;
    let auth = client_auth.map(|found| found.value).unwrap_or_default();
    let clients = match &client_ca {
        Some(source) => Some(fetch_paper(source, false, env, findings)?),
        None => None,
    };
    let papers = TlsPem {
        certificate: &cert_pem,
        key: &key_pem,
        clients: clients.as_ref().map(|(_, pem)| (pem.as_slice(), auth)),
        protocols,
    };
    let (config, own) = match server::config(&papers) {
        Ok(made) => made,
        Err((paper, fault)) => {
            let (place, path) = match paper {
                TlsFile::Certificate => (Some(&cert.origin), Some(&cert_path)),
                TlsFile::Key => (Some(&key.origin), Some(&key_path)),
                TlsFile::ClientCa => {
                    (client_ca.as_ref().map(|ca| &ca.origin), clients.as_ref().map(|(path, _)| path))
                }
            };
            tell(place.unwrap_or(&origin), path.unwrap_or(&cert_path), &fault, findings);
            return None;
        }
    };
    let summary = certificate::summary(&own);
    if let Some(text) = summary.as_ref().and_then(|summary| ending(summary.ends, clock::wall())) {
        let path = cert_path.display();
        let text = text.map(|text| format!("{path} {text}"));
        findings.warn(&cert.origin.place, &cert.origin.key, text);
    }
    if summary.as_ref().is_some_and(|summary| summary.is_authority) {
        let path = cert_path.display();
        let text = i18n::config::certificate_authority_ca_true(&path);
        findings.warn(&cert.origin.place, &cert.origin.key, text);
    }
    let clients = clients.map(|(path, _)| (path, auth));
    Some(ListenTls { certificate: cert_path, key: key_path, clients, summary, config })
}

fn fetch_paper(
    source: &Located<TokenSource>,
    secret: bool,
    env: &Env,
    findings: &Findings,
) -> Option<(PathBuf, Vec<u8>)> {
    let path = locate(source, secret, env, findings)?;
    let origin = &source.origin;
    match fetch(&path) {
        Ok(pem) if pem.len() as u64 <= FILE_BYTES_MAX => Some((path, pem)),
        Ok(_) => {
            tell(origin, &path, &TlsFileError::TooMany, findings);
            None
        }
        Err(_) if findings.is_offline() => {
            findings.not_here(&origin.place, &origin.key, &path.display().to_string());
            None
        }
        Err(error) => {
            findings.unreadable(origin.place.clone(), origin.key.clone(), &path, &error);
            None
        }
    }
}

fn tell(origin: &Origin, path: &std::path::Path, fault: &TlsFileError, findings: &Findings) {
    let reason = i18n::config::file_unfit(&path.display(), &fault.text());
    findings.reject(origin.place.clone(), origin.key.clone(), reason);
}

/// What to say of a certificate that has ended or is about to.
fn ending(ends: Wall, now: Wall) -> Option<Text> {
    let left_ms = ends.0.saturating_sub(now.0);
    let day = day(ends);
    if left_ms <= 0 {
        return Some(i18n::config::expired_clients_refuse_renew(&day));
    }
    if left_ms > NOTICE_OF_END.0 as i64 {
        return None;
    }
    let days = left_ms / 86_400_000;
    Some(i18n::config::expires_days_renew(&day, &days))
}

/// The day of a moment, in UTC as certificates have it.
pub(super) fn day(at: Wall) -> String {
    at.rfc3339().chars().take_while(|c| *c != 'T').collect()
}

#[cfg(test)]
mod tests {
    use crate::config::cli::Args;
    use crate::config::testing::{Dir, env};
    use crate::domain::lang::Lang;
    use crate::transport::tls::server::ClientAuth;
    use rcgen::{CertificateParams, KeyPair};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A directory with a certificate and its key, which ends in so many days.
    fn dir(days: i64) -> Dir {
        let dir = Dir::new();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example".to_string()]).unwrap();
        let end_s = crate::sys::clock::wall().0 / 1000 + days * 86_400 + 3_600;
        params.not_after =
            std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(end_s as u64)).unwrap().into();
        dir.write("cert.pem", params.self_signed(&key).unwrap().pem());
        let path = dir.write("key.pem", key.serialize_pem());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        dir
    }

    fn reject(dir: &Dir, tls: &str) -> (u8, String) {
        dir.write("main.toml", format!("[[listen]]\naddress = \"8443\"\ntls = {tls}\n"));
        let error = dir.load(Args::default(), &env(&[])).unwrap_err();
        (error.exit_code(), dir.strip(&error.sentence(Lang::En)))
    }

    #[test]
    fn papers_are_read_from_files_and_credentials() {
        let dir = dir(90);
        for (auth, want) in [
            ("", None),
            (", client_ca = \"cert.pem\"", Some(ClientAuth::Required)),
            (", client_ca = \"cert.pem\", client_auth = \"optional\"", Some(ClientAuth::Optional)),
        ] {
            let tls = format!("{{ cert = \"cert.pem\", key = {{ credential = \"key.pem\" }}{auth} }}");
            dir.write("main.toml", format!("[[listen]]\naddress = \"8443\"\ntls = {tls}\n"));
            let credentials = dir.0.to_string_lossy().into_owned();
            let settings =
                dir.load(Args::default(), &env(&[("CREDENTIALS_DIRECTORY", &credentials)])).unwrap();
            let tls = settings.listen[0].tls.as_ref().unwrap();
            assert_eq!(tls.clients.as_ref().map(|(_, auth)| *auth), want);
            assert_eq!(tls.config.alpn_protocols, [b"http/1.1".to_vec()]);
            assert_eq!(settings.warnings, [""; 0]);
            let shown = settings.describe(Lang::En);
            assert!(shown.contains("; TLS as CN=rcgen self signed cert until 2"), "{shown}");
            let clients = "clients must show a certificate";
            assert_eq!(shown.contains(clients), want == Some(ClientAuth::Required), "{shown}");
        }
    }

    #[test]
    fn every_fault_names_its_key_and_asks_for_its_exit_code() {
        let dir = dir(90);
        let other = KeyPair::generate().unwrap().serialize_pem();
        let path = dir.write("other.pem", other);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        dir.write("text.pem", "no paper");
        for (tls, code, says) in [
            (
                "1",
                78,
                "3: listen.tls: a table is expected, not an integer: write { cert = …, key = …, client_ca = … }",
            ),
            ("{ cert = \"cert.pem\" }", 78, "3: listen.tls: key is missing"),
            ("{ key = \"key.pem\" }", 78, "3: listen.tls: cert is missing"),
            ("{ cert = \"none.pem\", key = \"key.pem\" }", 66, "3: listen.tls.cert: none.pem: no such file"),
            (
                "{ cert = \"text.pem\", key = \"key.pem\" }",
                78,
                "3: listen.tls.cert: text.pem: nothing of the kind is in it: PEM with BEGIN and END lines is wanted",
            ),
            (
                "{ cert = \"cert.pem\", key = \"other.pem\" }",
                78,
                "3: listen.tls.key: other.pem: the key does not belong to the certificate",
            ),
            (
                "{ cert = \"cert.pem\", key = \"key.pem\", client_ca = \"key.pem\" }",
                78,
                "3: listen.tls.client_ca: key.pem: nothing of the kind is in it: PEM with BEGIN and END lines is wanted",
            ),
            (
                "{ cert = \"cert.pem\", key = \"key.pem\", client_auth = \"optional\" }",
                78,
                "3: listen.tls.client_auth: means nothing without client_ca",
            ),
            (
                "{ cert = \"cert.pem\", key = \"key.pem\", client_ca = \"cert.pem\", client_auth = \"x\" }",
                78,
                "3: listen.tls.client_auth: write \"required\" or \"optional\"",
            ),
        ] {
            assert_eq!(reject(&dir, tls), (code, format!("main.toml:{says}")), "{tls}");
        }
        let (code, says) = reject(&dir, "{ cert = \"cert.pem\", key = \"key.pem\", x = 1 }");
        assert!(code == 78 && says.starts_with("main.toml:3: listen.tls.x: unknown key"), "{says}");
    }

    #[test]
    fn who_can_read_the_key_and_what_is_about_to_end_is_told() {
        let warnings = |days, mode| {
            let dir = dir(days);
            fs::set_permissions(dir.0.join("key.pem"), fs::Permissions::from_mode(mode)).unwrap();
            let tls = "{ cert = \"cert.pem\", key = \"key.pem\" }";
            dir.write("main.toml", format!("[[listen]]\naddress = \"8443\"\ntls = {tls}\n"));
            let settings = dir.load(Args::default(), &env(&[])).unwrap();
            settings.warnings.iter().map(|text| dir.strip(text)).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(warnings(15, 0o600), "");
        let soon = warnings(13, 0o600);
        assert!(soon.starts_with("main.toml:3: listen.tls.cert: cert.pem expires on "), "{soon}");
        assert!(soon.ends_with(", in 13 days; renew it"), "{soon}");
        let over = warnings(-2, 0o600);
        assert!(over.starts_with("main.toml:3: listen.tls.cert: cert.pem expired on "), "{over}");
        assert!(warnings(90, 0o604).contains("listen.tls.key: key.pem can be read by everybody"));
        let dir = dir(90);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example".to_string()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        dir.write("cert.pem", params.self_signed(&key).unwrap().pem());
        dir.write("key.pem", key.serialize_pem());
        let tls = "{ cert = \"cert.pem\", key = \"key.pem\" }";
        dir.write("main.toml", format!("[[listen]]\naddress = \"8443\"\ntls = {tls}\n"));
        let said = dir.load(Args::default(), &env(&[])).unwrap().warnings.concat();
        assert!(said.contains("cert.pem is the certificate of an authority"), "{said}");
    }
}
