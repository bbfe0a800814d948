//! Errors of TLS with a server as sentences, with what the user can do about them.

use super::server_url::{Endpoint, ServerProtocol, ServerUrl};
use crate::i18n::{self, Text};
use rustls::{CertificateError, Error};
use std::io;

/// What the error means, and what the user can do.
pub fn reason(error: &io::Error, target: &ServerUrl) -> Text {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(refused)) => of_certificate(refused, error, target),
        // The first bytes were no TLS record.
        Some(Error::InvalidMessage(_)) => {
            let plain = match target.protocol {
                ServerProtocol::Http => "http://",
                ServerProtocol::WebSocket => "ws://",
                ServerProtocol::Tcp => "tcp://",
            };
            i18n::client::what_answers_speaks_no(&plain)
        }
        _ => Text::foreign(error.to_string()),
    }
}

fn of_certificate(refused: &CertificateError, error: &io::Error, target: &ServerUrl) -> Text {
    let server = target.authority();
    let host = match &target.place {
        Endpoint::Net { host, .. } => host.as_str(),
        Endpoint::Unix(_) => "localhost",
    };
    match refused {
        // BadSignature: a trusted authority has the issuer's name and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            i18n::client::nobody_known_here_signed(&server)
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            i18n::client::CERTIFICATE_AUTHORITY_CA_TRUE.into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
            i18n::client::use_name_bears_make(&error, &kind, &host)
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            i18n::client::certificate_expired_renew_server(&error)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            i18n::client::certificate_not_valid_yet(&error)
        }
        _ => Text::foreign(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use rustls::OtherError;
    use std::sync::Arc;

    fn said(error: Error, to: &str) -> [String; 2] {
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        let target: ServerUrl = to.parse().unwrap();
        [Lang::En, Lang::Zh].map(|lang| reason(&error, &target).in_lang(lang))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_with_what_to_do() {
        #[derive(Debug)]
        struct Webpki;
        impl std::fmt::Display for Webpki {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("CaUsedAsEndEntity")
            }
        }
        impl std::error::Error for Webpki {}
        let other = CertificateError::Other(OtherError(Arc::new(Webpki)));
        for (error, to, parts) in [
            (CertificateError::UnknownIssuer, "https://hb:7777", ["--ca", "-connect hb:7777"]),
            (CertificateError::BadSignature, "https://hb", ["--ca", "-connect hb:443"]),
            (other, "https://hb", ["CA:TRUE", "CA:FALSE"]),
            (CertificateError::NotValidForName, "https://hb", ["hb", "subjectAltName=DNS:hb"]),
            (
                CertificateError::NotValidForName,
                "https://10.0.0.1",
                ["10.0.0.1", "subjectAltName=IP:10.0.0.1"],
            ),
        ] {
            for text in said(Error::InvalidCertificate(error.clone()), to) {
                assert!(parts.iter().all(|part| text.contains(part)), "{error:?}: {text}");
                assert!(!text.contains("OtherError"), "{text}");
            }
        }
    }
}
