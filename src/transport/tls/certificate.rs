//! What a certificate says of its bearer: a name that can stand for a monitor, a line for people, and when it ends.
//!
//! Whether to believe it is not decided here; rustls has done that with those that others show.

use crate::domain::id::Id;
use crate::domain::time::Wall;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};

/// Longest line about a subject, in characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// What people are told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its subject, or the first name it is for where it has none.
    pub subject: String,
    /// From when on nobody accepts it any more.
    pub ends: Wall,
    /// Whether it is the certificate of an authority (CA:TRUE), which many clients refuse from a server.
    pub is_authority: bool,
}

/// The name by which its bearer's monitor goes: the first DNS name, else the common name, if it can be an id.
pub fn name_of(der: &CertificateDer<'_>) -> Option<Id> {
    let certificate = Certificate::from_der(der).ok()?;
    // A wildcard stands for many.
    let dns = dns_names(&certificate).into_iter().next().filter(|name| !name.starts_with('*'));
    let id = dns.and_then(|name| Id::new(&name).ok());
    id.or_else(|| Id::new(&common_name(&certificate)?).ok())
}

/// What to tell people of it; `None` where it is none.
pub fn summary(der: &CertificateDer<'_>) -> Option<Summary> {
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let mut subject = tbs.subject().to_string();
    if subject.is_empty() {
        subject = dns_names(&certificate).into_iter().next().unwrap_or_default();
    }
    let shown = |c: char| if c.is_control() { '?' } else { c };
    let subject = subject.chars().map(shown).take(SUBJECT_CHARS_MAX).collect();
    let constraints = tbs.get_extension::<BasicConstraints>();
    let ends_s = tbs.validity().not_after.to_unix_duration().as_secs();
    Some(Summary {
        subject,
        ends: Wall(i64::try_from(ends_s).unwrap_or(i64::MAX / 1000).saturating_mul(1000)),
        is_authority: matches!(constraints, Ok(Some((_, found))) if found.ca),
    })
}

fn dns_names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate().get_extension() else {
        return Vec::new();
    };
    let dns = names.into_iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    });
    dns.collect()
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let name = certificate.tbs_certificate().subject().common_name().ok()??;
    Some(name.value().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    fn certificate(dns: &[&str], common_name: Option<&str>) -> CertificateDer<'static> {
        let names: Vec<String> = dns.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Org");
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.not_after = date_time_ymd(2031, 2, 3);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn name(dns: &[&str], common_name: Option<&str>) -> Option<String> {
        name_of(&certificate(dns, common_name)).map(|id| id.to_string())
    }

    #[test]
    fn the_first_dns_name_names_the_bearer_else_the_common_name_if_it_can_be_an_id() {
        assert_eq!(
            name(&["web-1.example", "web-2.example"], Some("other")).as_deref(),
            Some("web-1.example")
        );
        assert_eq!(name(&[], Some("printer")).as_deref(), Some("printer"));
        assert_eq!(name(&[], Some("心跳")).as_deref(), Some("心跳"));
        assert_eq!(name(&["*.example"], Some("printer")).as_deref(), Some("printer"));
        assert_eq!(name(&[], Some("two words")), None);
        assert_eq!(name(&[], Some("a/b")).as_deref(), Some("a/b"));
        assert_eq!(name(&[], Some("a?b")), None);
        assert_eq!(name(&[], None), None);
        assert_eq!(name_of(&CertificateDer::from(b"\x30\x03abc".to_vec())), None);
    }

    #[test]
    fn people_are_told_the_subject_and_the_end() {
        let told = summary(&certificate(&["a.example"], Some("printer"))).unwrap();
        assert!(told.subject.contains("CN=printer") && told.subject.contains("O=Org"), "{}", told.subject);
        assert_eq!((told.ends.rfc3339().as_str(), told.is_authority), ("2031-02-03T00:00:00.000Z", false));
        let mut params = CertificateParams::new(vec!["a.example".to_string()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(summary(authority.der()).unwrap().is_authority);
        assert_eq!(summary(&CertificateDer::from(Vec::new())), None);
    }
}
