use super::*;

/// A manager in a temporary folder, and our service bound to it.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(name: &str) -> Manager {
        let path = std::env::temp_dir().join(format!("hb-notify-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Manager { socket, path }
    }

    fn service(&self, watchdog: Option<Duration>) -> Service {
        Service::at(Some(self.path.clone().into()), watchdog)
    }

    fn heard(&self) -> Option<String> {
        let mut buffer = [0; 8192];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn each_word_is_as_the_protocol_has_it() {
    let manager = Manager::new("words");
    let service = manager.service(Some(Duration::from_secs(30)));
    assert!(service.supervised());
    service.ready("3 up");
    assert_eq!(manager.heard().unwrap(), "READY=1\nSTATUS=3 up\n");
    service.watchdog();
    assert_eq!(manager.heard().unwrap(), "WATCHDOG=1\n");
    service.extend_timeout(Duration::from_millis(1500));
    assert_eq!(manager.heard().unwrap(), "EXTEND_TIMEOUT_USEC=1500000\n");
    service.stopping("bye");
    assert_eq!(manager.heard().unwrap(), "STOPPING=1\nSTATUS=bye\n");
    service.reloading();
    let reloading = manager.heard().unwrap();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
    assert!(time.parse::<u64>().unwrap() > 0);
    assert_eq!(service.trouble(), None);
}

#[test]
fn a_status_is_sent_once_and_cannot_smuggle_other_words() {
    let manager = Manager::new("status");
    let service = manager.service(None);
    service.status("a\nMAINPID=1");
    service.status("a\nMAINPID=1");
    assert_eq!(manager.heard().unwrap(), "STATUS=a MAINPID=1\n");
    assert_eq!(manager.heard(), None);
    service.status(&"心".repeat(2000));
    let long = manager.heard().unwrap();
    assert_eq!(long.len(), "STATUS=\n".len() + STATUS_BYTES_MAX / 3 * 3);
}

#[test]
fn files_are_kept_under_their_name_and_given_up_and_the_manager_is_waited_for() {
    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    let manager = Manager::new("store");
    manager.socket.set_nonblocking(false).unwrap();
    let service = manager.service(None);
    let file = UnixDatagram::unbound().unwrap();
    let telling = std::thread::spawn(move || {
        service.keep("listen", &[file.as_fd(), service_file().as_fd()]);
        service.give_up("lot");
        service.barrier();
        service.trouble()
    });
    // What came, and how many files with it; those of the barrier are closed when it has been read.
    let heard = || {
        let mut bytes = [0; 256];
        let mut iov = [io::IoSliceMut::new(&mut bytes)];
        let mut space = nix::cmsg_space!([std::os::fd::RawFd; 4]);
        let (length, files) = {
            let got = recvmsg::<UnixAddr>(
                manager.socket.as_raw_fd(),
                &mut iov,
                Some(&mut space),
                MsgFlags::empty(),
            )
            .unwrap();
            let files: Vec<_> = got
                .cmsgs()
                .unwrap()
                .flat_map(|c| if let ControlMessageOwned::ScmRights(f) = c { f } else { Vec::new() })
                .collect();
            (got.bytes, files)
        };
        files.iter().for_each(|file| nix::unistd::close(*file).unwrap());
        (String::from_utf8(bytes[..length].to_vec()).unwrap(), files.len())
    };
    assert_eq!(heard(), ("FDSTORE=1\nFDNAME=listen\n".into(), 2));
    assert_eq!(heard(), ("FDSTOREREMOVE=1\nFDNAME=lot\n".into(), 0));
    assert_eq!(heard(), ("BARRIER=1\n".into(), 1));
    assert_eq!(telling.join().unwrap(), None, "it ended as soon as the last word was read");
}

fn service_file() -> std::fs::File {
    std::fs::File::open("/dev/null").unwrap()
}

#[test]
fn a_store_is_known_by_what_systemd_says_of_it() {
    let known = |socket: &str, room: Option<&str>| keeps_files(Some(socket.as_ref()), room.map(OsStr::new));
    assert!(known("/run/systemd/notify", Some("64")) && known("/run/user/1000/systemd/notify", None));
    assert!(known("/tmp/other", Some("64")));
    assert!(!known("/run/systemd/notify", Some("0")) && !known("/run/conmon/notify.sock", None));
    assert!(!keeps_files(None, None));
}

#[test]
fn no_watchdog_was_asked_for_so_none_is_fed() {
    let manager = Manager::new("nodog");
    let service = manager.service(None);
    service.watchdog();
    assert_eq!((manager.heard(), service.watchdog_interval()), (None, None));
    assert_eq!(manager.service(Some(Duration::ZERO)).watchdog_interval(), None);
}

#[test]
fn a_manager_that_does_not_read_delays_no_watchdog_and_no_status() {
    let manager = Manager::new("busy");
    let service = manager.service(Some(Duration::from_secs(1)));
    // Far more than any queue of datagrams holds: would one of these wait, the test would never end.
    for n in 0..5000 {
        service.watchdog();
        service.status(&n.to_string());
    }
    while manager.heard().is_some() {}
    service.status("4999 or so");
    assert_eq!(manager.heard().unwrap(), "STATUS=4999 or so\n");
}

#[test]
fn without_a_manager_nothing_happens_and_a_lost_one_is_told() {
    let service = Service::at(None, Some(Duration::from_secs(1)));
    assert!(!service.supervised() && service.watchdog_interval().is_none());
    service.ready("x");
    assert_eq!(service.trouble(), None);
    let gone = Service::at(Some("/nowhere/notify".into()), None);
    gone.ready("x");
    assert!(gone.trouble().is_some());
    assert!(Service::at(Some("vsock:2:1".into()), None).trouble().unwrap().contains("vsock:2:1"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_socket_is_reached() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("hb-notify-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    Service::at(Some(format!("@{name}").into()), None).ready("up");
    let mut buffer = [0; 64];
    let length = manager.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1\nSTATUS=up\n");
}

#[test]
fn the_watchdog_is_fed_only_when_every_loop_has_moved() {
    let mut pulse = Pulse::default();
    assert!(!pulse.feed(&[]));
    assert!(!pulse.feed(&[0, 1]), "the first loop has not begun");
    assert!(pulse.feed(&[1, 1]));
    assert!(!pulse.feed(&[2, 1]), "the second is stuck");
    assert!(!pulse.feed(&[900, 1]), "however lively the first is");
    assert!(pulse.feed(&[900, 2]), "slow, but it moved");
    assert!(!pulse.feed(&[900, 3]), "now the first has not moved since");
    assert!(!pulse.feed(&[901, 3, 0]), "a new loop has to move first");
    assert!(pulse.feed(&[0, 4, 1]), "a counter that went around has moved");
}
