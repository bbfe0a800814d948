//! Sockets that systemd (sd_listen_fds(3)) or launchd (launch_activate_socket(3)) opened before it started us.
//!
//! systemd says in LISTEN_PID whom they are for, in LISTEN_FDS how many stand from descriptor 3 on, and in
//! LISTEN_FDNAMES what they are called. The crate `listenfd` takes the descriptors, but it ignores the names and clears
//! the other two variables, so the names are read before it. Anything in the environment is from outside: a wrong pid
//! means "not for us", a wrong count is an error, a descriptor that is no listening stream socket is closed.
//!
//! Beside what a socket unit opened stand the files that the process before this one gave to systemd's store: its listeners
//! ([`KEPT`]) and its connections ([`parked::NAME`]).

use super::assign::BoundAddress;
use super::error::{ListenerWarning, SocketError};
use super::listening::Socket;
use crate::domain::limits::LISTENERS_MAX;
use crate::sys::{parked, service};
use listenfd::ListenFd;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// The name under which systemd's store keeps the listeners that we bound.
pub const KEPT: &str = "listen";
/// Most descriptors a manager may hand over: listeners, and beside them what its store kept.
const DESCRIPTORS_MAX: usize = 4 * LISTENERS_MAX;

/// What a service manager handed over.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<One>,
    unusable: Vec<ListenerWarning>,
    /// Listeners of the process before this one.
    kept: Vec<One>,
    /// Its connections.
    parked: Vec<OwnedFd>,
}

/// One inherited listener.
#[derive(Debug)]
pub(super) struct One {
    pub name: String,
    pub socket: Socket,
    pub place: BoundAddress,
}

impl Inherited {
    /// Nothing inherited.
    pub fn none() -> Inherited {
        Inherited::default()
    }

    /// True when a manager handed over anything at all, so that forking away from it would be wrong.
    pub fn any(&self) -> bool {
        !self.sockets.is_empty()
            || !self.unusable.is_empty()
            || !self.kept.is_empty()
            || !self.parked.is_empty()
    }

    /// The numbers of its descriptors.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let sockets = self.sockets.iter().chain(&self.kept).map(|one| one.socket.as_fd().as_raw_fd());
        sockets.chain(self.parked.iter().map(AsRawFd::as_raw_fd)).collect()
    }

    /// The connections of the process before this one, for [`parked::unpack`].
    pub fn take_parked(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.parked)
    }

    /// What a manager opened, what it kept of ours, and what is neither.
    pub(super) fn into_parts(self) -> (Vec<One>, Vec<One>, Vec<ListenerWarning>) {
        (self.sockets, self.kept, self.unusable)
    }

    fn add(&mut self, name: String, socket: Option<Socket>) -> Result<(), SocketError> {
        // A unit with Accept=yes passes connections, which cannot be accepted from.
        let listens = |s: &Socket| match s {
            Socket::Tcp(l) => accepts(l),
            Socket::Unix(l) => accepts(l),
        };
        match socket.filter(listens) {
            None => self.unusable.push(ListenerWarning::Unusable { name }),
            Some(socket) => {
                let place = prepare(&socket).map_err(|e| wrong(format!("socket {name}: {e}")))?;
                let list = if name == KEPT { &mut self.kept } else { &mut self.sockets };
                list.push(One { name, socket, place });
            }
        }
        Ok(())
    }
}

/// Takes the sockets that a service manager handed over, and clears the environment of them.
///
/// Call it first of all, while the process has one thread and has opened nothing: it changes the environment, and it
/// believes that the announced descriptors are what the manager put there.
///
/// # Errors
/// [`SocketError::Inheritance`] when the announcement makes no sense.
pub fn inherit() -> Result<Inherited, SocketError> {
    let variable = |name| std::env::var(name).ok();
    let announced = announced(
        std::process::id(),
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
        variable("LISTEN_FDNAMES").as_deref(),
    );
    // The last two are not ours to use: an extension of listenfd, and the pidfd's inode of newer systemd.
    service::forget(&["LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD", "LISTEN_PIDFDID"]);
    let names = match announced {
        Ok(names) if !names.is_empty() => names,
        other => {
            service::forget(&["LISTEN_PID", "LISTEN_FDS"]);
            return other.and_then(|_| from_launchd());
        }
    };
    let mut from_systemd = ListenFd::from_env();
    let mut inherited = Inherited::none();
    for (index, name) in names.into_iter().enumerate() {
        if name == parked::NAME {
            if let Ok(Some(raw)) = from_systemd.take_raw_fd(index) {
                inherited.parked.extend(owned(raw));
            }
            continue;
        }
        let socket = match from_systemd.take_tcp_listener(index) {
            Ok(listener) => listener.map(Socket::Tcp),
            Err(_) => match from_systemd.take_unix_listener(index) {
                Ok(listener) => listener.map(Socket::Unix),
                Err(_) => {
                    if let Ok(Some(raw)) = from_systemd.take_raw_fd(index) {
                        // It may not even be open; there is nothing to be done about that.
                        let _ = nix::unistd::close(raw);
                    }
                    None
                }
            },
        };
        inherited.add(name, socket)?;
    }
    Ok(inherited)
}

/// Takes charge of a descriptor that was announced to us; `None` when it is not open.
#[allow(unsafe_code)]
fn owned(raw: std::os::fd::RawFd) -> Option<OwnedFd> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::os::fd::{BorrowedFd, FromRawFd};
    // SAFETY: it is only asked about, and the question says whether it is open.
    let open = fcntl(unsafe { BorrowedFd::borrow_raw(raw) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    // SAFETY: the manager put it there for us, and `listenfd` gives each out once.
    open.is_ok().then(|| unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The names of the descriptors announced to this process, in order; none when the announcement is for another.
fn announced(
    our_pid: u32,
    pid: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
) -> Result<Vec<String>, SocketError> {
    let (Some(pid), Some(count)) = (pid, count) else { return Ok(Vec::new()) };
    if pid.parse() != Ok(our_pid) {
        return Ok(Vec::new());
    }
    let count = count
        .parse::<usize>()
        .ok()
        .filter(|n| *n <= DESCRIPTORS_MAX)
        .ok_or_else(|| wrong(format!("LISTEN_FDS={count:?} is not a number up to {DESCRIPTORS_MAX}")))?;
    let mut names = names.into_iter().flat_map(|n| n.split(':'));
    Ok((0..count).map(|_| names.next().unwrap_or("unknown").replace(char::is_control, "?")).collect())
}

/// Makes an inherited socket like one of ours, and asks it where it stands.
fn prepare(socket: &Socket) -> std::io::Result<BoundAddress> {
    match socket {
        Socket::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            listener.local_addr().map(BoundAddress::Tcp)
        }
        Socket::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(match address.as_pathname() {
                Some(path) => BoundAddress::Unix(path.into()),
                None => BoundAddress::Nameless(abstract_name(&address)),
            })
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(address: &std::os::unix::net::SocketAddr) -> String {
    use std::os::linux::net::SocketAddrExt;
    let name = address.as_abstract_name().unwrap_or_default();
    String::from_utf8_lossy(name).replace(char::is_control, "?")
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &std::os::unix::net::SocketAddr) -> String {
    String::new()
}

fn accepts(socket: &impl AsFd) -> bool {
    // Where the system cannot say, it is believed.
    nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::AcceptConn).unwrap_or(true)
}

fn wrong(reason: String) -> SocketError {
    SocketError::Inheritance { reason }
}

#[cfg(not(target_os = "macos"))]
fn from_launchd() -> Result<Inherited, SocketError> {
    Ok(Inherited::none())
}

/// The sockets `http` and `tcp` of our property list; each is one descriptor per address family.
#[cfg(target_os = "macos")]
fn from_launchd() -> Result<Inherited, SocketError> {
    let mut inherited = Inherited::none();
    for name in ["http", "tcp"] {
        match raunch::activate_socket(name) {
            Ok(descriptors) => {
                for raw in descriptors {
                    inherited.add(name.into(), launchd_socket(raw)?)?;
                }
            }
            Err(raunch::Error::NotManaged | raunch::Error::NotInPlist) => {}
            Err(e) => return Err(wrong(format!("socket {name}: {e}"))),
        }
    }
    Ok(inherited)
}

#[cfg(target_os = "macos")]
#[allow(unsafe_code)]
fn launchd_socket(raw: std::os::fd::RawFd) -> Result<Option<Socket>, SocketError> {
    use std::os::fd::FromRawFd;
    // SAFETY: launch_activate_socket gives each descriptor out once, and the caller owns it from then on.
    let socket = socket2::Socket::from(unsafe { std::os::fd::OwnedFd::from_raw_fd(raw) });
    let family = || -> std::io::Result<Option<socket2::Domain>> {
        socket.set_cloexec(true)?;
        if socket.r#type()? != socket2::Type::STREAM {
            return Ok(None);
        }
        Ok(Some(socket.local_addr()?.domain()))
    };
    Ok(match family().map_err(|e| wrong(e.to_string()))? {
        Some(socket2::Domain::UNIX) => Some(Socket::Unix(socket.into())),
        Some(socket2::Domain::IPV4 | socket2::Domain::IPV6) => Some(Socket::Tcp(socket.into())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use crate::sys::sockets::{ListenerWanted, Opened, open};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    #[test]
    fn an_announcement_for_another_process_is_not_ours() {
        for (pid, count) in
            [(None, Some("1")), (Some("8"), Some("1")), (Some(""), Some("1")), (Some("7"), None)]
        {
            assert!(announced(7, pid, count, Some("http")).unwrap().is_empty(), "{pid:?} {count:?}");
        }
    }

    #[test]
    fn names_are_by_position_and_missing_ones_unknown() {
        let names = |count, names| announced(7, Some("7"), Some(count), names).unwrap().join(",");
        assert_eq!(names("2", Some("http:tcp")), "http,tcp");
        assert_eq!(names("2", Some("http")), "http,unknown");
        assert_eq!(names("1", Some("http:tcp")), "http");
        assert_eq!(names("1", None), "unknown");
        assert_eq!(names("1", Some("a\u{1b}[2J")), "a?[2J");
        assert_eq!(names("0", None), "");
    }

    #[test]
    fn a_count_that_makes_no_sense_is_an_error() {
        for count in ["", "-1", "x", "257", "99999999999999999999"] {
            let error = announced(7, Some("7"), Some(count), None).unwrap_err();
            assert_eq!(error.exit_code(), 74);
            assert!(error.to_string().contains("LISTEN_FDS"), "{error}");
        }
    }

    #[test]
    fn an_inherited_socket_replaces_the_configured_one() {
        let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = theirs.local_addr().unwrap();
        let mut inherited = Inherited::none();
        inherited.add("http".into(), Some(Socket::Tcp(theirs))).unwrap();
        assert!(inherited.any());
        let wanted =
            ListenerWanted { name: "http".into(), address: at.to_string().parse().unwrap(), unasked: false };
        let Opened { listening: all, warnings, .. } = open(&[wanted], inherited, || ()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(all.len(), 1);
        assert!(all[0].inherited);
        assert_eq!((all[0].address.clone(), all[0].port), (at.to_string(), Some(at.port())));
    }

    #[test]
    fn what_cannot_accept_is_closed_with_a_warning() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let connection = TcpListener::from(std::os::fd::OwnedFd::from(client));
        let mut inherited = Inherited::none();
        inherited.add("http".into(), Some(Socket::Tcp(connection))).unwrap();
        inherited.add("datagram".into(), None).unwrap();
        let Opened { listening: all, warnings, .. } = open(&[], inherited, || ()).unwrap();
        assert!(all.is_empty());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].say(Lang::En).contains("http") && warnings[1].say(Lang::En).contains("datagram"),
            "{warnings:?}"
        );
    }

    /// The first thing in a process of its own: takes over, prints what it got, as the environment is shared.
    #[test]
    #[ignore = "a part played for the test below, not a test"]
    fn part_of_a_daemon_that_inherits() {
        assert!(std::env::var_os("HB_PART").is_some(), "only as a child of another test");
        let inherited = inherit().unwrap();
        let wanted = [("http", "7777"), ("tcp", "7778")].map(|(name, at)| ListenerWanted {
            name: name.into(),
            address: at.parse().unwrap(),
            unasked: false,
        });
        let all = open(&wanted, inherited, || ()).unwrap().listening;
        for one in &all {
            println!("got {} {} {}", one.name, one.address, one.inherited);
        }
        // The names stay here: the test's own threads forbid changing the environment.
        let left = ["LISTEN_PID", "LISTEN_FDS"].iter().filter(|v| std::env::var_os(v).is_some()).count();
        println!("left {left}");
        // What is closed on exec is not there in a child.
        let fds = std::process::Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
        println!("passed on {}", String::from_utf8_lossy(&fds.stdout).matches("socket:").count());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_takes_over_by_name_and_passes_nothing_on() {
        let folder = std::env::temp_dir().join(format!("hb-inherit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = tcp.local_addr().unwrap();
        let unix = UnixListener::bind(folder.join("s")).unwrap();
        // A shell plays the manager: it keeps its pid through exec, as systemd's child does.
        let output = std::process::Command::new("sh")
            .args(["-c", "exec 3<&0 4<&2 </dev/null 2>&1; LISTEN_PID=$$ exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "sys::sockets::inherit::tests::part_of_a_daemon_that_inherits", "--ignored"])
            .args(["--nocapture", "--test-threads=1"])
            .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "tcp:http"), ("HB_PART", "1")])
            .stdin(std::os::fd::OwnedFd::from(tcp))
            .stderr(std::os::fd::OwnedFd::from(unix))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let unix = folder.join("s");
        for line in [format!("got tcp {at} true"), format!("got http unix:{} true", unix.display())] {
            assert!(said.contains(&line), "{line} in {said}");
        }
        assert!(said.contains("left 0") && said.contains("passed on 0"), "{said}");
        assert!(unix.exists(), "an inherited path is the manager's to remove");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_shows_its_name() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("hb-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let place = prepare(&Socket::Unix(UnixListener::bind_addr(&address).unwrap())).unwrap();
        assert_eq!(place.to_string(), format!("unix:@{name}"));
    }
}
