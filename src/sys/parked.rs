//! Live connections packed for the service manager, which keeps them for the next process: each a socket and a record.
//!
//! The service manager keeps files for us, but few: it compares each new one with all that it has, so thousands of them
//! would keep it busy for seconds. Instead the sockets lie as messages in pairs of connected unix sockets, up to 253 in
//! one (SCM_MAX_FD), and the manager keeps the two ends of each pair; the records, which may be long, stand in one memfd.
//! Each message says which of the records its first socket belongs to, so a missing pair costs only its own connections.
//!
//! The files may come from another version: the memfd begins with the name of its format, and every length in it is checked.

use std::io;
use std::os::fd::OwnedFd;

/// A connection on its way to the next process.
#[derive(Debug)]
pub struct ParkedConnection {
    /// Its socket.
    pub socket: OwnedFd,
    /// What the next process has to know of it.
    pub record: Vec<u8>,
}

/// The FDNAME of these files.
pub const NAME: &str = "lot";

/// Packs connections into files for the service manager to keep; second come the connections that found no room.
///
/// # Errors
/// The system gives no file in memory or no socket at all; the connections are closed then.
pub fn pack(connections: Vec<ParkedConnection>) -> io::Result<(Vec<OwnedFd>, Vec<ParkedConnection>)> {
    system::pack(connections)
}

/// Unpacks what the service manager kept.
///
/// # Errors
/// The file of records is none, or cut short; the connections are closed then.
pub fn unpack(files: Vec<OwnedFd>) -> io::Result<Vec<ParkedConnection>> {
    if files.is_empty() { Ok(Vec::new()) } else { system::unpack(files) }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    pub fn pack(connections: Vec<ParkedConnection>) -> io::Result<(Vec<OwnedFd>, Vec<ParkedConnection>)> {
        Ok((Vec::new(), connections))
    }

    pub fn unpack(_: Vec<OwnedFd>) -> io::Result<Vec<ParkedConnection>> {
        Ok(Vec::new())
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::*;
    use nix::errno::Errno;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
        socketpair,
    };
    use std::fs::File;
    use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
    use std::os::fd::{AsRawFd, FromRawFd, RawFd};

    /// Pairs of sockets: with the listeners, the file of records and a few more that makes FileDescriptorStoreMax= of the unit.
    const PAIRS_MAX: usize = 24;
    /// Sockets in one message: what the kernel takes (SCM_MAX_FD).
    const SOCKETS_MAX: usize = 253;
    /// Bytes of all records that are read. A process keeps no more than this of unfinished requests and unsent answers.
    const RECORDS_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
    /// How the file of records begins; another number is another format.
    const BEGIN: &[u8] = b"heartbeat-server lot 1\n";

    pub fn pack(connections: Vec<ParkedConnection>) -> io::Result<(Vec<OwnedFd>, Vec<ParkedConnection>)> {
        if connections.is_empty() {
            return Ok((Vec::new(), connections));
        }
        let mut records = File::from(memfd_create(c"heartbeat-server-lot", MFdFlags::MFD_CLOEXEC)?);
        let mut text = io::BufWriter::new(&mut records);
        text.write_all(BEGIN)?;
        for connection in &connections {
            text.write_all(&(connection.record.len() as u32).to_le_bytes())?;
            text.write_all(&connection.record)?;
        }
        text.flush()?;
        drop(text);
        let mut kept = vec![OwnedFd::from(records)];
        let sent = send_all(&connections, &mut kept)?;
        // Those that are in a message are ours no more; the others found no room.
        let left = connections.into_iter().skip(sent).collect();
        Ok((kept, left))
    }

    /// Sends the sockets in their order and adds the pairs to `kept`; returns how many went.
    fn send_all(connections: &[ParkedConnection], kept: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let (mut sent, mut pairs) = (0, 0);
        // Whether the last pair has taken some, and may take more.
        let mut takes = false;
        while sent < connections.len() {
            if !takes {
                if pairs == PAIRS_MAX {
                    return Ok(sent);
                }
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let (from, to) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
                kept.extend([from, to]);
                pairs += 1;
            }
            let Some(from) = kept.get(kept.len() - 2) else { return Ok(sent) };
            let some = &connections[sent..connections.len().min(sent + SOCKETS_MAX)];
            let sockets: Vec<RawFd> = some.iter().map(|connection| connection.socket.as_raw_fd()).collect();
            let first = (sent as u32).to_le_bytes();
            let outcome = sendmsg::<()>(
                from.as_raw_fd(),
                &[IoSlice::new(&first)],
                &[ControlMessage::ScmRights(&sockets)],
                MsgFlags::empty(),
                None,
            );
            match outcome {
                Ok(_) => (sent, takes) = (sent + some.len(), true),
                // This pair is full; a new one that takes nothing means that the system has no room.
                Err(Errno::EAGAIN | Errno::ENOBUFS) if takes => takes = false,
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ETOOMANYREFS) => return Ok(sent),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }

    pub fn unpack(files: Vec<OwnedFd>) -> io::Result<Vec<ParkedConnection>> {
        let mut records = None;
        let mut sockets = Vec::new();
        for file in files {
            if nix::sys::socket::getsockopt(&file, nix::sys::socket::sockopt::SockType).is_ok() {
                take_all(&file, &mut sockets)?;
            } else {
                records = Some(File::from(file));
            }
        }
        let records = match records {
            Some(file) => read_records(file)?,
            None => return Err(wrong("its records are missing")),
        };
        let mut records: Vec<Option<Vec<u8>>> = records.into_iter().map(Some).collect();
        // A socket without a record is closed by being dropped here, and a record without a socket is forgotten.
        let connection = |(index, socket): (usize, OwnedFd)| {
            let record = records.get_mut(index)?.take()?;
            Some(ParkedConnection { socket, record })
        };
        Ok(sockets.into_iter().filter_map(connection).collect())
    }

    /// Takes all messages out of an end of a pair. One of the two ends has them all, and the other none.
    #[allow(unsafe_code)]
    fn take_all(end: &OwnedFd, sockets: &mut Vec<(usize, OwnedFd)>) -> io::Result<()> {
        let mut space = nix::cmsg_space!([RawFd; SOCKETS_MAX]);
        loop {
            let mut first = [0; 4];
            let mut room = [IoSliceMut::new(&mut first)];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
            let (bytes, cut, taken) = match recvmsg::<()>(end.as_raw_fd(), &mut room, Some(&mut space), flags)
            {
                Ok(message) => {
                    let mut taken = Vec::new();
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(raw) = control {
                            // SAFETY: the kernel has just made these descriptors for us, and nothing else holds them.
                            taken.extend(raw.iter().map(|raw| unsafe { OwnedFd::from_raw_fd(*raw) }));
                        }
                    }
                    (message.bytes, message.flags.contains(MsgFlags::MSG_CTRUNC), taken)
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if cut {
                return Err(wrong("the system gave only some of its sockets; see LimitNOFILE="));
            }
            // No bytes: the other end is gone, and nothing more comes.
            if bytes != first.len() {
                return Ok(());
            }
            let first = u32::from_le_bytes(first) as usize;
            sockets.extend(taken.into_iter().enumerate().map(|(at, socket)| (first + at, socket)));
        }
    }

    fn read_records(mut file: File) -> io::Result<Vec<Vec<u8>>> {
        file.seek(SeekFrom::Start(0))?;
        let mut all = Vec::new();
        file.take(RECORDS_BYTES_MAX + 1).read_to_end(&mut all)?;
        if all.len() as u64 > RECORDS_BYTES_MAX {
            return Err(wrong("its records are too long"));
        }
        let mut rest = all.strip_prefix(BEGIN).ok_or_else(|| wrong("it is of another version"))?;
        let mut records = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (record, behind) =
                behind.split_at_checked(length).ok_or_else(|| wrong("its records end early"))?;
            records.push(record.to_vec());
            rest = behind;
        }
        Ok(records)
    }

    fn wrong(reason: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// A parked connection whose socket says its number to whom has the other end.
    fn connections(count: usize) -> (Vec<ParkedConnection>, Vec<UnixStream>) {
        let both = |number: usize| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (
                ParkedConnection { socket: ours.into(), record: format!("number {number}").into_bytes() },
                theirs,
            )
        };
        (0..count).map(both).unzip()
    }

    /// A message holds 253.
    #[test]
    fn every_socket_comes_back_with_its_own_record() {
        crate::sys::privileges::raise_open_files();
        for count in [1, 253, 254, 4000] {
            let (packed, others) = connections(count);
            let (kept, left) = pack(packed).unwrap();
            assert!(left.is_empty() && kept.len() % 2 == 1, "{count} in {} files", kept.len());
            let back = unpack(kept).unwrap();
            assert_eq!(back.len(), count);
            for connection in back {
                let mut socket = UnixStream::from(connection.socket);
                socket.write_all(&connection.record).unwrap();
            }
            for (number, mut other) in others.into_iter().enumerate() {
                let mut heard = String::new();
                other.read_to_string(&mut heard).unwrap();
                assert_eq!(heard, format!("number {number}"));
            }
        }
    }

    #[test]
    fn nothing_needs_no_files_and_nothing_comes_of_none() {
        let (kept, left) = pack(Vec::new()).unwrap();
        assert!(kept.is_empty() && left.is_empty());
        assert!(unpack(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn a_pair_that_is_missing_costs_its_own_and_a_missing_or_strange_file_costs_all() {
        let (packed, _others) = connections(300);
        let (mut kept, _) = pack(packed).unwrap();
        kept.truncate(1);
        assert!(unpack(kept).unwrap().is_empty());

        let (packed, _others) = connections(3);
        let (mut kept, _) = pack(packed).unwrap();
        let records = kept.remove(0);
        assert!(unpack(kept).is_err());
        let mut file = std::fs::File::from(records);
        std::io::Seek::rewind(&mut file).unwrap();
        file.write_all(b"heartbeat-server lot 9\n").unwrap();
        assert!(unpack(vec![file.into()]).unwrap_err().to_string().contains("another version"));
    }
}
