//! What can go wrong with a listener, as one sentence: which address, why, and what to do.

use super::holder::Holder;
use crate::domain::lang::Lang;
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
        match lang {
            Lang::En => self.english(),
            Lang::Zh => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            SocketError::InUse { address, port, holder } => {
                let by = holder.as_ref().map(|h| format!(", held by {h}")).unwrap_or_default();
                let advice = match (port, is_socket_unit(holder)) {
                    _ if is_ours(holder) => "two of the configured listeners want it: remove one of them".to_string(),
                    (_, true) => "a socket unit has it: start the service with `systemctl start heartbeat-server.service`, \
                        or stop the unit first (`systemctl list-sockets` names it)"
                        .to_string(),
                    (Some(port), _) => format!(
                        "stop that program or choose another PORT; `ss -ltnp` or `lsof -i :{port}` shows who it is"
                    ),
                    (None, _) => "stop that program or choose another path".to_string(),
                };
                format!("cannot listen on {address}: the address is in use{by}; {advice}")
            }
            SocketError::NotOurs { address } => format!(
                "cannot listen on {address}: no network interface of this machine has that address; \
                 `ip address` or `ifconfig` lists those it has, and a bare PORT listens on all of them"
            ),
            SocketError::Unresolvable { host, reason } => format!(
                "cannot listen on {host}: the name does not resolve ({reason}); check its spelling or write an IP address"
            ),
            SocketError::Denied { address, port, managed } => {
                let advice = match (port, managed) {
                    (Some(0..=1023), true) => {
                        "under systemd let the socket unit open it: set ListenStream= in \
                        heartbeat-server.socket, then `systemctl stop heartbeat-server.service` and \
                        `systemctl enable --now heartbeat-server.socket`"
                    }
                    (Some(0..=1023), false) => {
                        "ports below 1024 are for root: choose a higher port, start as root with \
                        --user, or grant it with `setcap cap_net_bind_service=+ep` on the program"
                    }
                    (Some(_), _) => {
                        "a security policy (SELinux, AppArmor, a container) forbids it: allow the port there \
                        or choose another"
                    }
                    (None, _) => {
                        "the user the server runs as needs write permission in that directory: change it or \
                        choose another path"
                    }
                };
                format!("cannot listen on {address}: permission denied; {advice}")
            }
            SocketError::NotASocket { path } => format!(
                "cannot listen on unix:{0}: {0} exists and is not a socket; remove it yourself or choose another path",
                path.display()
            ),
            SocketError::Inheritance { reason } => format!(
                "cannot take over the sockets of the service manager: {reason}; start the service through its units, \
                 or unset LISTEN_FDS and LISTEN_PID"
            ),
            SocketError::NothingThere { address } => format!(
                "there is nothing to listen on yet: no network interface of this machine has the address of {address}, \
                 or its name does not resolve; `ip address` or `ifconfig` lists the addresses, and a bare PORT listens on \
                 all of them; start again when it is there"
            ),
            SocketError::TooMany { count } => format!(
                "cannot listen on {count} addresses: {} are the most; remove some [[listen]] entries",
                crate::domain::limits::LISTENERS_MAX
            ),
            SocketError::Other { address, source } => {
                format!("cannot listen on {address}: {source}; mend that or choose another address")
            }
        }
    }

    fn chinese(&self) -> String {
        match self {
            SocketError::InUse { address, port, holder } => {
                let by = holder
                    .as_ref()
                    .map(|h| format!("，占用者是 {}（进程号 {}）", h.name, h.numbers(" 或 ")))
                    .unwrap_or_default();
                let advice = match (port, is_socket_unit(holder)) {
                    _ if is_ours(holder) => "配置中有两个监听器使用它：请去掉其中一个".to_string(),
                    (_, true) => {
                        "它属于某个 socket 单元：请用 systemctl start heartbeat-server.service 启动服务，\
                        或先停止该单元（systemctl list-sockets 可查到名称）"
                            .to_string()
                    }
                    (Some(port), _) => {
                        format!("请停止该程序或换一个端口；用 ss -ltnp 或 lsof -i :{port} 可查看占用者")
                    }
                    (None, _) => "请停止该程序或换一个路径".to_string(),
                };
                format!("无法监听 {address}：地址已被占用{by}；{advice}")
            }
            SocketError::NotOurs { address } => format!(
                "无法监听 {address}：本机没有这个地址；用 ip address 或 ifconfig 查看本机地址，只写端口则监听全部地址"
            ),
            SocketError::Unresolvable { host, reason } => {
                format!("无法监听 {host}：域名无法解析（{reason}）；请检查拼写或改写 IP 地址")
            }
            SocketError::Denied { address, port, managed } => {
                let advice = match (port, managed) {
                    (Some(0..=1023), true) => {
                        "在 systemd 下请由 socket 单元打开端口：在 heartbeat-server.socket 中设置 \
                        ListenStream=，然后执行 systemctl stop heartbeat-server.service 和 \
                        systemctl enable --now heartbeat-server.socket"
                    }
                    (Some(0..=1023), false) => {
                        "1024 以下的端口只有 root 可用：请换一个更大的端口，或以 root 身份加 --user \
                        启动，或用 setcap cap_net_bind_service=+ep 授权本程序"
                    }
                    (Some(_), _) => {
                        "安全策略（SELinux、AppArmor 或容器）不允许：请在策略中放行该端口，或换一个端口"
                    }
                    (None, _) => "运行本服务的用户需要对该目录有写权限：请修改权限或换一个路径",
                };
                format!("无法监听 {address}：权限不足；{advice}")
            }
            SocketError::NotASocket { path } => {
                format!("无法监听 unix:{0}：{0} 已存在且不是套接字；请自行删除它或换一个路径", path.display())
            }
            SocketError::Inheritance { reason } => format!(
                "无法接管服务管理器传来的套接字：{reason}；请通过其单元启动服务，或清除环境变量 LISTEN_FDS 和 LISTEN_PID"
            ),
            SocketError::NothingThere { address } => format!(
                "目前没有可监听的地址：本机没有 {address} 这个地址，或域名无法解析；用 ip address 或 ifconfig \
                 查看本机地址，只写端口则监听全部地址；等它出现后再启动"
            ),
            SocketError::TooMany { count } => format!(
                "无法监听 {count} 个地址：最多 {} 个；请删减 [[listen]] 条目",
                crate::domain::limits::LISTENERS_MAX
            ),
            SocketError::Other { address, source } => {
                format!("无法监听 {address}：{source}；请排除该问题或换一个地址")
            }
        }
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english())
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
pub(super) enum Warning {
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

impl Warning {
    pub(super) fn sentence(&self, lang: Lang) -> String {
        match (self, lang) {
            (Warning::Differs { name, inherited, configured }, Lang::En) => format!(
                "listener {name}: the service manager's socket on {} is used, not the configured {}; make the two agree",
                inherited.join(", "),
                configured.join(", ")
            ),
            (Warning::Differs { name, inherited, configured }, Lang::Zh) => format!(
                "监听器 {name}：使用服务管理器传来的 {}，而非配置中的 {}；请使两者一致",
                inherited.join("、"),
                configured.join("、")
            ),
            (Warning::Unwanted { name, address }, Lang::En) => format!(
                "the inherited socket {name} on {address} belongs to no configured listener and was closed; \
                 set FileDescriptorName= in its unit to the name of a listener"
            ),
            (Warning::Unwanted { name, address }, Lang::Zh) => format!(
                "传入的套接字 {name}（{address}）不对应任何已配置的监听器，已关闭；\
                 请在其单元中把 FileDescriptorName= 设为监听器的名称"
            ),
            (Warning::Unusable { name }, Lang::En) => format!(
                "the inherited descriptor {name} is not a listening stream socket and was closed; \
                 its unit needs ListenStream= and Accept=no"
            ),
            (Warning::Unusable { name }, Lang::Zh) => format!(
                "传入的描述符 {name} 不是监听中的流套接字，已关闭；其单元需要 ListenStream= 和 Accept=no"
            ),
            (Warning::DoneWithout { name, error }, Lang::En) => {
                format!(
                    "going on without the listener {name}, as nobody asked for it: {}",
                    error.sentence(lang)
                )
            }
            (Warning::DoneWithout { name, error }, Lang::Zh) => {
                format!("监听器 {name} 并非明确要求，将不使用它而继续运行：{}", error.sentence(lang))
            }
            (Warning::OneOfName { host, error }, Lang::En) => {
                format!("of the addresses of {host} one is not served: {}", error.sentence(lang))
            }
            (Warning::OneOfName { host, error }, Lang::Zh) => {
                format!("{host} 有一个地址未能监听：{}", error.sentence(lang))
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
        let warning = Warning::Differs {
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
