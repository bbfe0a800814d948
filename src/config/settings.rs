//! What the program needs to know to run, in the shape in which the rest of it asks.

use crate::domain::access::Access;
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::alert::AlertPolicy;
use crate::domain::compat::CompatPolicy;
use crate::domain::governor::Terms;
use crate::domain::lang::Lang;
use crate::domain::limits::Limits;
use crate::domain::policy::{Defaults, SocketTimes, Sync, TcpTimes};
use crate::domain::rules::Rules;
use crate::domain::time::Span;
use crate::domain::zone::UnknownLocal;
use crate::engine::delivery::PeerSettings;
use crate::notify::ChannelSettings;
use crate::sys::log::LogOptions;
use crate::sys::sandbox;
use crate::sys::sockets::keepalive::KeepAlive;
use crate::transport::tls::certificate::Summary;
use crate::transport::tls::server::ClientAuth;
use crate::wire::forwarded::ProxyHeader;
use ipnet::IpNet;
use rustls::ServerConfig;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the program needs to know to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The files that were read, in their order.
    pub sources: Vec<PathBuf>,
    /// The language of log and console.
    pub lang: Lang,
    /// The language somebody chose, for the page too when the browser has no wish; `None`: nobody chose.
    pub page_lang: Option<Lang>,
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// The log.
    pub log: LogOptions,
    /// Where state is kept; absolute.
    pub state_dir: PathBuf,
    /// How it is kept.
    pub state: StateSettings,
    /// The control socket; absolute. `None`: there is none.
    pub control: Option<PathBuf>,
    /// Whether, and how, the process confines itself.
    pub confine: Confine,
    /// Who may do what.
    pub access: Access,
    /// What is too much.
    pub limits: Limits,
    /// When senders are asked for patience.
    pub governor: Terms,
    /// The times of raw TCP.
    pub tcp: TcpTimes,
    /// Worker threads.
    pub threads: usize,
    /// When WebSockets are pinged and given up.
    pub websocket: SocketTimes,
    /// Which dialects of other services are spoken.
    pub compat: CompatPolicy,
    /// What a monitor gets that does not say.
    pub defaults: Defaults,
    /// What particular monitors are held to.
    pub rules: Arc<Rules>,
    /// The notifiers, and who is told where a rule does not say.
    pub alerts: Arc<AlertPolicy>,
    /// The other server that judges the same monitors, if there is one.
    pub peer: Option<PeerSettings>,
    /// How the notifiers reach people, in the same order.
    pub channels: Vec<ChannelSettings>,
    /// Why the machine's own time zone is not known, where anything goes by it.
    pub local_zone: Option<UnknownLocal>,
    /// How the process itself is to be.
    pub process: ProcessSettings,
    /// What works but is hardly meant: sentences in [`Settings::lang`].
    pub warnings: Vec<String>,
}

/// A place to listen.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// Its name, by which a service manager hands it over.
    pub name: String,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What is asked of the kernel for its connections; `None`: nothing.
    pub keepalive: Option<KeepAlive>,
    /// Its address; a unix path is absolute.
    pub address: ListenAddress,
    /// Proxies that are believed when they say who the client is.
    pub proxies: Vec<IpNet>,
    /// Where they say it.
    pub proxy_header: ProxyHeader,
    /// Whether whoever comes over a unix socket is such a proxy.
    pub proxy_unix: bool,
    /// Whether plain beats take the fast path; off only to look for errors.
    pub fast_path: bool,
    /// Whether nobody asked for it, so that it may be done without.
    pub unasked: bool,
    /// What TLS needs, where it is spoken.
    pub tls: Option<ListenTls>,
}

/// A listener's TLS, read and found in order.
#[derive(Clone, Debug)]
pub struct ListenTls {
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
    /// The file of the authorities that vouch for clients, and whether each must show a certificate.
    pub clients: Option<(PathBuf, ClientAuth)>,
    /// What the certificate says.
    pub summary: Option<Summary>,
    /// What connections are made from.
    pub config: Arc<ServerConfig>,
}

impl PartialEq for ListenTls {
    /// Whether the same was configured; what stands in the files may differ.
    fn eq(&self, other: &ListenTls) -> bool {
        (&self.certificate, &self.key, &self.clients) == (&other.certificate, &other.key, &other.clients)
    }
}

impl Listen {
    /// Whether it is the same listener, which can go on as `other` while the program runs: all but the papers of its TLS,
    /// which are replaced.
    pub fn can_become(&self, other: &Listen) -> bool {
        let bare = |listen: &Listen| Listen { tls: None, ..listen.clone() };
        bare(self) == bare(other) && self.tls.is_some() == other.tls.is_some()
    }
}

/// How state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSettings {
    /// When what was received counts as kept.
    pub sync: Sync,
    /// How long what was is remembered.
    pub history: Span,
}

impl Default for StateSettings {
    fn default() -> StateSettings {
        StateSettings { sync: Sync::Second, history: Span::secs(90 * 86_400) }
    }
}

/// Whether, and how, the process confines itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confine {
    /// Whether it does.
    pub enabled: bool,
    /// Folders that programs of the notifiers write in, besides those of the daemon.
    pub write: Vec<PathBuf>,
    /// Whom these programs run as, where the daemon is root.
    pub program_user: String,
}

/// How the process is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Go into the background.
    pub daemon: bool,
    /// Where to write the pid; absolute.
    pub pid_file: Option<PathBuf>,
    /// The user to become.
    pub user: Option<String>,
    /// The group to become.
    pub group: Option<String>,
}

impl Settings {
    /// What the process goes on needing once it has started.
    pub fn needs(&self) -> sandbox::Needs {
        let sockets = self.listen.iter().filter_map(|listen| match &listen.address {
            ListenAddress::Unix(path) => Some(path),
            _ => None,
        });
        let leave = sockets.chain(&self.control).chain(&self.process.pid_file);
        sandbox::Needs {
            enabled: self.confine.enabled,
            write: std::iter::once(&self.state_dir).chain(&self.confine.write).cloned().collect(),
            logs: self.log.files().map(PathBuf::from).collect(),
            leave: leave.cloned().collect(),
            program_user: self.confine.program_user.clone(),
        }
    }
}
