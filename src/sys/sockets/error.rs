//! What can go wrong with a listener, as one sentence: which address, why, and what to do.

use super::holder::Holder;
use crate::domain::lang::Lang;
use crate::i18n::{self, Text};
use nix::errno::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a listener cannot be had.
#[derive(Debug)]
pub enum SocketError {
    /// Another program stands there.
    InUse {
        /// The address we tried.
        address: String,
        /// Its port, unless it is a unix socket.
        port: Option<u16>,
        /// Who has it, if the system tells.
        holder: Option<Holder>,
    },
    /// No interface of this machine has the address.
    NotOurs {
        /// The address we tried.
        address: String,
    },
    /// The name has no address.
    Unresolvable {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The system does not let us.
    Denied {
        /// The address we tried.
        address: String,
        /// Its port, unless it is a unix socket.
        port: Option<u16>,
        /// True under a service manager, where the remedy is another.
        managed: bool,
    },
    /// A file that is no socket stands at the path; it is left alone.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// What the service manager handed over makes no sense.
    Inheritance {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing that was asked for is there yet: no interface has the addresses, no name resolves.
    NothingThere {
        /// The first of the addresses.
        address: String,
    },
    /// More listeners than [`LISTENERS_MAX`](crate::domain::limits::LISTENERS_MAX).
    TooMany {
        /// How many there would be.
        count: usize,
    },
    /// Anything else the system said.
    Other {
        /// The address we tried.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

impl SocketError {
    /// The exit code, as in sysexits.h.
    pub fn exit_code(&self) -> u8 {
        match self {
            SocketError::InUse { .. }
            | SocketError::NotOurs { .. }
            | SocketError::Unresolvable { .. }
            | SocketError::NotASocket { .. } => 69,
            // Starting again may find it, so the unit does.
            SocketError::NothingThere { .. } => 75,
            SocketError::Denied { .. } => 77,
            SocketError::TooMany { .. } => 78,
            SocketError::Inheritance { .. } | SocketError::Other { .. } => 74,
        }
    }

    /// The sentence for the person who started us.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            SocketError::InUse { address, port, holder } => {
                let by = held_by(holder, lang);
                let advice = match (port, is_socket_unit(holder)) {
                    _ if is_ours(holder) => {
                        i18n::sys::TWO_CONFIGURED_LISTENERS_WANT.in_lang(lang).to_string()
                    }
                    (_, true) => i18n::sys::SOCKET_UNIT_START_SERVICE.in_lang(lang).to_string(),
                    (Some(port), _) => i18n::sys::stop_program_choose_another(&port).in_lang(lang),
                    (None, _) => i18n::sys::STOP_PROGRAM_CHOOSE_ANOTHER.in_lang(lang).to_string(),
                };
                i18n::sys::cannot_listen_address_use(&address, &by, &advice).in_lang(lang)
            }
            SocketError::NotOurs { address } => i18n::sys::cannot_listen_no_network(&address).in_lang(lang),
            SocketError::Unresolvable { host, reason } => {
                i18n::sys::cannot_listen_name_does(&host, &reason).in_lang(lang)
            }
            SocketError::Denied { address, port, managed } => {
                let advice = match (port, managed) {
                    (Some(0..=1023), true) => i18n::sys::UNDER_SYSTEMD_LET_SOCKET.in_lang(lang),
                    (Some(0..=1023), false) => i18n::sys::PORTS_BELOW_1024_ROOT.in_lang(lang),
                    (Some(_), _) => i18n::sys::SECURITY_POLICY_SELINUX_APPARMOR.in_lang(lang),
                    (None, _) => i18n::sys::USER_SERVER_RUNS_NEEDS.in_lang(lang),
                };
                i18n::sys::cannot_listen_permission_denied(&address, &advice).in_lang(lang)
            }
            SocketError::NotASocket { path } => {
                i18n::sys::cannot_listen_unix_exists(&path.display()).in_lang(lang)
            }
            SocketError::Inheritance { reason } => i18n::sys::cannot_take_over_sockets(&reason).in_lang(lang),
            SocketError::NothingThere { address } => i18n::sys::nothing_listen_yet_no(&address).in_lang(lang),
            SocketError::TooMany { count } => {
                i18n::sys::cannot_listen_addresses_most(&count, &crate::domain::limits::LISTENERS_MAX)
                    .in_lang(lang)
            }
            SocketError::Other { address, source } => {
                i18n::sys::cannot_listen_mend_choose(&address, &source).in_lang(lang)
            }
        }
    }
}

/// Who has the address, where that is known.
fn held_by(holder: &Option<Holder>, lang: Lang) -> String {
    let by = |holder: &Holder| {
        let numbers = Text::of(|lang| holder.numbers(i18n::sys::OR_PID.in_lang(lang)));
        i18n::sys::held_by(&holder.name, &numbers).in_lang(lang)
    };
    holder.as_ref().map(by).unwrap_or_default()
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SocketError::Other { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What is odd about the listeners but does not keep us from running.
#[derive(Debug)]
pub(super) enum ListenerWarning {
    /// Inherited and configured addresses of a name differ.
    Differs { name: String, inherited: Vec<String>, configured: Vec<String> },
    /// An inherited listener serves no listener of the configuration.
    Unwanted { name: String, address: String },
    /// An inherited descriptor is no listening stream socket.
    Unusable { name: String },
    /// One address of a name cannot be had, others can.
    OneOfName { host: String, error: SocketError },
    /// A listener that nobody asked for cannot be had.
    DoneWithout { name: String, error: Box<SocketError> },
}

impl ListenerWarning {
    pub(super) fn sentence(&self, lang: Lang) -> String {
        match self {
            ListenerWarning::Differs { name, inherited, configured } => {
                let all = |addresses: &[String]| addresses.join(i18n::sys::COMMA.in_lang(lang));
                i18n::sys::listener_differs(name, &all(inherited), &all(configured)).in_lang(lang)
            }

            ListenerWarning::Unwanted { name, address } => {
                i18n::sys::inherited_socket_belongs_no(&name, &address).in_lang(lang)
            }

            ListenerWarning::Unusable { name } => {
                i18n::sys::inherited_descriptor_not_listening(&name).in_lang(lang)
            }

            ListenerWarning::DoneWithout { name, error } => {
                i18n::sys::going_without_listener_nobody(&name, &error.sentence(lang)).in_lang(lang)
            }

            ListenerWarning::OneOfName { host, error } => {
                i18n::sys::addresses_one_not_served(&host, &error.sentence(lang)).in_lang(lang)
            }
        }
    }
}

/// `[::]` and `127.0.0.1` on one port cannot both be had, even by one program.
fn is_ours(holder: &Option<Holder>) -> bool {
    holder.as_ref().is_some_and(|h| h.is(std::process::id()))
}

/// Process 1 holding a port means a socket unit: not a program anybody could stop.
fn is_socket_unit(holder: &Option<Holder>) -> bool {
    holder.as_ref().is_some_and(|h| h.is(1) && h.name == "systemd")
}

pub(super) fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str, pid: u32) -> Option<Holder> {
        Some(Holder { name: name.into(), pids: vec![pid] })
    }

    #[test]
    fn each_sentence_says_which_address_why_and_what_to_do() {
        let held =
            SocketError::InUse { address: "[::]:80".into(), port: Some(80), holder: holder("nginx", 123) };
        assert_eq!(
            held.sentence(Lang::En),
            "cannot listen on [::]:80: the address is in use, held by nginx (pid 123); stop that program or choose \
             another PORT; `ss -ltnp` or `lsof -i :80` shows who it is"
        );
        assert_eq!(
            held.sentence(Lang::Zh),
            "无法监听 [::]:80：地址已被占用，占用者是 nginx（进程号 123）；请停止该程序或换一个端口；\
             用 ss -ltnp 或 lsof -i :80 可查看占用者"
        );
        let denied = SocketError::Denied { address: "[::]:80".into(), port: Some(80), managed: false };
        assert_eq!(
            denied.sentence(Lang::En),
            "cannot listen on [::]:80: permission denied; ports below 1024 are for root: choose a higher port, \
             start as root with --user, or grant it with `setcap cap_net_bind_service=+ep` on the program"
        );
        let name = SocketError::Unresolvable { host: "x.invalid".into(), reason: "no such name".into() };
        assert_eq!(
            name.sentence(Lang::Zh),
            "无法监听 x.invalid：域名无法解析（no such name）；请检查拼写或改写 IP 地址"
        );
    }

    #[test]
    fn under_systemd_the_advice_is_the_socket_unit() {
        let denied = SocketError::Denied { address: "[::]:80".into(), port: Some(80), managed: true };
        assert_eq!(denied.exit_code(), 77);
        let held =
            SocketError::InUse { address: "[::]:80".into(), port: Some(80), holder: holder("systemd", 1) };
        assert_eq!(held.exit_code(), 69);
        for lang in [Lang::En, Lang::Zh] {
            assert!(denied.sentence(lang).contains("heartbeat-server.socket"));
            assert!(held.sentence(lang).contains("systemctl start heartbeat-server.service"));
        }
    }

    #[test]
    fn two_listeners_of_ours_on_one_address_are_not_blamed_on_another() {
        let held = SocketError::InUse {
            address: "127.0.0.1:80".into(),
            port: Some(80),
            holder: holder("heartbeat-serve", std::process::id()),
        };
        assert!(
            held.sentence(Lang::En).ends_with("two of the configured listeners want it: remove one of them")
        );
        assert!(held.sentence(Lang::Zh).ends_with("配置中有两个监听器使用它：请去掉其中一个"));
    }

    #[test]
    fn a_warning_names_both_addresses() {
        let warning = ListenerWarning::Differs {
            name: "http".into(),
            inherited: vec!["[::]:80".into()],
            configured: vec!["7777".into(), "7779".into()],
        };
        assert_eq!(
            warning.sentence(Lang::En),
            "listener http: the service manager's socket on [::]:80 is used, not the configured 7777, 7779; \
             make the two agree"
        );
        assert_eq!(
            warning.sentence(Lang::Zh),
            "监听器 http：使用服务管理器传来的 [::]:80，而非配置中的 7777、7779；请使两者一致"
        );
    }
}
