//! Errors of TLS with a server as sentences, with what the user can do about them.

use super::server_url::{Endpoint, ServerProtocol, ServerUrl};
use crate::domain::lang::Lang;
use rustls::{CertificateError, Error};
use std::io;

/// The error as a sentence.
pub fn reason(error: &io::Error, target: &ServerUrl, lang: Lang) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(refused)) => of_certificate(refused, error, target, lang),
        // The first bytes were no TLS record.
        Some(Error::InvalidMessage(_)) => {
            let plain = match target.protocol {
                ServerProtocol::Http => "http://",
                ServerProtocol::WebSocket => "ws://",
                ServerProtocol::Tcp => "tcp://",
            };
            lang.pick(
                format!("what answers there speaks no TLS; without it the URL begins with {plain}"),
                format!("那里的应答不是 TLS；不用 TLS 时 URL 以 {plain} 开头"),
            )
        }
        _ => error.to_string(),
    }
}

fn of_certificate(refused: &CertificateError, error: &io::Error, target: &ServerUrl, lang: Lang) -> String {
    let server = target.authority();
    let host = match &target.place {
        Endpoint::Net { host, .. } => host.as_str(),
        Endpoint::Unix(_) => "localhost",
    };
    match refused {
        // BadSignature: a trusted authority has the issuer's name and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => lang.pick(
            format!(
                "nobody known here has signed its certificate; name the authority that did with --ca FILE, or, where it \
                 has signed itself, the certificate: openssl s_client -connect {server} </dev/null | openssl x509 > FILE"
            ),
            format!(
                "其证书的签发者在此未知；请用 --ca 文件 指定签发机构，自签名证书则指定证书本身：\
                 openssl s_client -connect {server} </dev/null | openssl x509 > 文件"
            ),
        ),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => lang.pick(
            "its certificate is that of an authority (CA:TRUE), as openssl req -x509 makes it; make the server's again \
             with -addext basicConstraints=critical,CA:FALSE"
                .to_string(),
            "其证书是签发机构的证书（CA:TRUE），openssl req -x509 默认如此；请重新生成服务器证书，并加上 \
             -addext basicConstraints=critical,CA:FALSE"
                .to_string(),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
            let said = error.to_string();
            lang.pick(
                format!("{said}; use a name that it bears, or make it with -addext subjectAltName={kind}:{host}"),
                format!("证书不是 {host} 的（{said}）；请用证书上的名称，或生成时加上 -addext subjectAltName={kind}:{host}"),
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => lang.pick(
            format!("its certificate has expired: renew it at the server, or set the clock here ({error})"),
            format!("其证书已过期：请在服务器上更新，或校准本机时钟（{error}）"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => lang.pick(
            format!("its certificate is not valid yet: set the clock here or there ({error})"),
            format!("其证书尚未生效：请校准本机或服务器时钟（{error}）"),
        ),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::OtherError;
    use std::sync::Arc;

    fn said(error: Error, to: &str) -> [String; 2] {
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        let target: ServerUrl = to.parse().unwrap();
        [Lang::En, Lang::Zh].map(|lang| reason(&error, &target, lang))
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
