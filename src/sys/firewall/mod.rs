//! The firewalls of the machine: what stands in them about our ports, and the commands that change it.
//!
//! [`survey`] asks the programs that are installed, through [`Ask`], and yields values; [`plan`] turns those and a wish
//! into exact commands, and does nothing itself. Whoever wants them carried out runs them through [`Ask`] again. So
//! nothing is changed by looking, and a test can play every firewall.
//!
//! Which of several counts: firewalld if it runs, else ufw if it is active, else whatever holds something back in
//! nftables and in iptables, both, because a packet has to pass both. The first two write rules of their own there,
//! which nobody else is to touch.

pub mod ask;
mod firewalld;
mod iptables;
mod nft;
pub mod plan;
mod socketfilterfw;
mod ufw;

use crate::domain::lang::Lang;
use crate::i18n;
use ask::{Ask, FirewallError};
use plan::{Backend, RuleSet};

/// How one firewall stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallStatus {
    /// Which.
    pub backend: Backend,
    /// Whether it is at work and holds anything back.
    pub active: bool,
    /// Where rules stand in it.
    pub places: Vec<RuleSet>,
    /// What people should know.
    pub remarks: Vec<Remark>,
}

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It is installed, and off.
    Off(Backend),
    /// Its rules last until the next boot.
    Volatile(Backend),
    /// A family could not be asked.
    LeftOut {
        /// By which program.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// Some come in by another zone than the one that is opened.
    OtherZone {
        /// That zone.
        zone: String,
        /// The one that is opened.
        default: String,
    },
    /// It knows no ports and no networks.
    PerProgram,
    /// It is told to let nobody in, whatever the rules.
    BlocksAll,
}

/// Which firewalls to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every one that is there: where ours may stand.
    All,
    /// Those that are at work: where ours have to stand. None is at work: every one that is there.
    Working,
    /// This one.
    Only(Backend),
}

/// Asks the firewalls. `program` is our own path and `ports` what it listens on, for one that knows programs only.
///
/// # Errors
/// When one that counts cannot be asked, or the only one wanted is not there.
pub fn survey(
    ask: &mut dyn Ask,
    scope: Scope,
    program: &str,
    ports: &[u16],
) -> Result<Vec<FirewallStatus>, FirewallError> {
    let wanted = |backend| matches!(scope, Scope::All | Scope::Working) || scope == Scope::Only(backend);
    let mut found = Vec::new();
    for backend in [Backend::Firewalld, Backend::Ufw] {
        if wanted(backend) {
            let look = if backend == Backend::Ufw { ufw::look } else { firewalld::look };
            found.extend(look(ask)?);
        }
        if scope == Scope::Working && found.last().is_some_and(|standing: &FirewallStatus| standing.active) {
            return Ok(found.split_off(found.len() - 1));
        }
    }
    let iptables = if wanted(Backend::Iptables) { iptables::look(ask)? } else { None };
    if wanted(Backend::Nft) {
        let theirs = iptables::in_nft(ask, iptables.as_ref())?;
        found.extend(nft::look(ask, &theirs)?);
    }
    found.extend(iptables);
    if wanted(Backend::Socketfilterfw) {
        found.extend(socketfilterfw::look(ask, program, ports)?);
    }
    if scope == Scope::Working && found.iter().any(|standing| standing.active) {
        found.retain(|standing| standing.active);
    }
    match scope {
        Scope::Only(Backend::Firewalld) if found.is_empty() => {
            Err(FirewallError::Missing { program: "firewall-cmd" })
        }
        Scope::Only(backend) if found.is_empty() => Err(FirewallError::Missing { program: backend.name() }),
        _ => Ok(found),
    }
}

impl Remark {
    /// As a person reads it.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            Remark::Off(Backend::Firewalld) => {
                i18n::sys::FIREWALLD_INSTALLED_BUT_DOES.in_lang(lang).to_string()
            }

            Remark::Off(backend) => i18n::sys::off_rules_count_once(&backend.name()).in_lang(lang),

            Remark::Volatile(Backend::Nft) => i18n::sys::RULES_NFT_GONE_AFTER.in_lang(lang).to_string(),

            Remark::Volatile(backend) => i18n::sys::rules_gone_after_restart(&backend.name()).in_lang(lang),

            Remark::LeftOut { program, reason } => {
                i18n::sys::left_out_because_does(&program, &reason).in_lang(lang)
            }

            Remark::OtherZone { zone, default } => {
                i18n::sys::only_default_zone_opened(&default, &zone).in_lang(lang)
            }

            Remark::PerProgram => i18n::sys::FIREWALL_KNOWS_PROGRAMS_ONLY.in_lang(lang).to_string(),

            Remark::BlocksAll => i18n::sys::SET_BLOCK_ALL_INCOMING.in_lang(lang).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ask::testing::Script;
    use super::*;

    const SHUT: &str = "-P INPUT DROP\n";
    const FREE: &str = "-P INPUT ACCEPT\n";
    const CHAINS: &str = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy \
                          drop;\n\t}\n}\n";
    const CHAIN: &str = "table inet filter {\n\tchain input { # handle 1\n\t\ttype filter hook input priority \
                         filter; policy drop;\n\t}\n}\n";

    /// What `survey` finds: the names of the backends, and a star at those that are at work.
    fn finds(scope: Scope, answers: &[(&str, i32, &str)]) -> String {
        let found = survey(&mut Script::new(answers), scope, "/us", &[7777]).unwrap();
        let names = found.iter().map(|s| format!("{}{}", s.backend.name(), if s.active { "*" } else { "" }));
        names.collect::<Vec<_>>().join(" ")
    }

    fn machine(firewalld: bool, ufw: bool, nft: bool, tables: &str) -> Vec<(&str, i32, &str)> {
        let zone = "public\n  target: default\n";
        vec![
            ("firewall-cmd --state", if firewalld { 0 } else { 252 }, ""),
            ("firewall-cmd --get-default-zone", 0, "public\n"),
            ("firewall-cmd --info-service=heartbeat-server", 101, ""),
            ("firewall-cmd --permanent --info-service=heartbeat-server", 101, ""),
            ("firewall-cmd --list-all-zones", 0, zone),
            ("firewall-cmd --permanent --list-all-zones", 0, zone),
            ("ufw status", 0, if ufw { "Status: active\n" } else { "Status: inactive\n" }),
            ("ufw show added", 0, "(None)\n"),
            ("iptables --version", 0, "iptables v1.8.9 (nf_tables)\n"),
            ("iptables -w 5 -S INPUT", 0, tables),
            ("ip6tables -w 5 -S INPUT", 0, FREE),
            ("nft list chains", 0, if nft { CHAINS } else { "" }),
            ("nft -a list chain inet filter input", 0, CHAIN),
        ]
    }

    #[test]
    fn the_first_that_is_at_work_counts_in_the_order_that_people_expect() {
        for (firewalld, ufw, nft, tables, finds_) in [
            (true, true, true, SHUT, "firewalld*"),
            (false, true, true, SHUT, "ufw*"),
            (false, false, true, FREE, "nft*"),
            (false, false, true, SHUT, "nft* iptables*"),
            (false, false, false, SHUT, "iptables*"),
            (false, false, false, FREE, "firewalld ufw nft iptables"),
        ] {
            assert_eq!(finds(Scope::Working, &machine(firewalld, ufw, nft, tables)), finds_);
        }
    }

    #[test]
    fn ours_may_stand_in_any_of_them() {
        assert_eq!(finds(Scope::All, &machine(true, false, true, FREE)), "firewalld* ufw nft* iptables");
        assert_eq!(finds(Scope::All, &[]), "");
        assert_eq!(finds(Scope::Only(Backend::Ufw), &machine(true, false, true, FREE)), "ufw");
    }

    #[test]
    fn one_that_is_wanted_and_not_there_is_named() {
        let missing = |backend| survey(&mut Script::new(&[]), Scope::Only(backend), "/us", &[]).unwrap_err();
        assert_eq!(missing(Backend::Firewalld), FirewallError::Missing { program: "firewall-cmd" });
        assert_eq!(missing(Backend::Nft), FirewallError::Missing { program: "nft" });
    }

    #[test]
    fn every_remark_is_said_in_both_languages() {
        for remark in [
            Remark::Off(Backend::Firewalld),
            Remark::Off(Backend::Ufw),
            Remark::Volatile(Backend::Nft),
            Remark::Volatile(Backend::Iptables),
            Remark::LeftOut { program: "ip6tables", reason: "x".into() },
            Remark::OtherZone { zone: "a".into(), default: "b".into() },
            Remark::PerProgram,
            Remark::BlocksAll,
        ] {
            assert!(remark.sentence(Lang::En).is_ascii());
            assert!(!remark.sentence(Lang::Zh).is_ascii());
        }
    }
}
