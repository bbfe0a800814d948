//! Giving up root, and what else a daemon arranges with the kernel before it reads from the network.
//!
//! Dropping is one way: groups first, as they need root, then the group, then the user; then it is tried to come back,
//! and success of that is failure. What the daemon must own afterwards is given to the account while there is still
//! the right to give.

mod error;

pub use error::PrivilegeError;

use crate::sys::service;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, setgid, setuid};
use std::ffi::CString;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// An account to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name in the password file; a bare number has none, and then no supplementary groups.
    name: Option<CString>,
    uid: Uid,
    gid: Gid,
    /// The group was asked for by name or number: being the user is then not enough.
    group_named: bool,
}

impl Account {
    /// Looks up a user and a group, each by name or number; `None` stands for the present one (of a named user: its
    /// own group).
    ///
    /// # Errors
    /// An unknown name; a number without an account and no group beside it.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Account, PrivilegeError> {
        let gid = group.map(find_group).transpose()?;
        let Some(user) = user else {
            return Ok(Account {
                name: None,
                uid: geteuid(),
                gid: gid.unwrap_or_else(getegid),
                group_named: gid.is_some(),
            });
        };
        let looked_up = |e: nix::Error| PrivilegeError::System { step: "getpwnam", source: e.into() };
        let found = match User::from_name(user).map_err(looked_up)? {
            Some(found) => Some(found),
            None => match user.parse() {
                Ok(uid) => User::from_uid(Uid::from_raw(uid)).map_err(looked_up)?,
                Err(_) => None,
            },
        };
        match (found, user.parse(), gid) {
            (Some(found), _, gid) => Ok(Account {
                name: CString::new(found.name).ok(),
                uid: found.uid,
                gid: gid.unwrap_or(found.gid),
                group_named: gid.is_some(),
            }),
            (None, Ok(uid), Some(gid)) => {
                Ok(Account { name: None, uid: Uid::from_raw(uid), gid, group_named: true })
            }
            (None, Ok(_), None) => Err(PrivilegeError::NoGroup { user: user.into() }),
            (None, Err(_), _) => Err(PrivilegeError::UnknownUser { user: user.into() }),
        }
    }

    /// The account that a directory belongs to, when we are root and it is not root's: what root makes in it, the owner
    /// could not open later. `None` where nothing is to be taken over.
    ///
    /// # Errors
    /// The directory, or the password file, cannot be read.
    pub fn owner_of(directory: &Path) -> Result<Option<Account>, PrivilegeError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let found =
            std::fs::metadata(directory).map_err(|source| PrivilegeError::System { step: "stat", source })?;
        let (uid, gid) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
        if uid.is_root() {
            return Ok(None);
        }
        let looked_up = |e: nix::Error| PrivilegeError::System { step: "getpwuid", source: e.into() };
        let name = User::from_uid(uid).map_err(looked_up)?.and_then(|user| CString::new(user.name).ok());
        Ok(Some(Account { name, uid, gid, group_named: true }))
    }

    /// Its numbers: user and group.
    pub fn ids(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// Gives a file or directory to the account, not following a link: log, state directory, socket, made as root.
    ///
    /// Does nothing for who is not root, to whom files belong that he makes.
    ///
    /// # Errors
    /// What the system said, with the path.
    pub fn own(&self, path: &Path) -> Result<(), PrivilegeError> {
        if !geteuid().is_root() {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(|source| PrivilegeError::Own { path: path.into(), source })
    }

    /// Becomes the account, for good. Nothing to do when we are it already.
    ///
    /// # Errors
    /// Not root; a step the system refused; root that could be regained.
    pub fn become_it(&self) -> Result<(), PrivilegeError> {
        if !geteuid().is_root() {
            let already = self.uid == geteuid() && (self.gid == getegid() || !self.group_named);
            return if already { Ok(()) } else { Err(PrivilegeError::NotRoot) };
        }
        let step = |step, result: nix::Result<()>| {
            result.map_err(|e| PrivilegeError::System { step, source: e.into() })
        };
        match &self.name {
            Some(name) => step("initgroups", groups::of(name, self.gid))?,
            None => step("setgroups", groups::only(self.gid))?,
        }
        step("setgid", setgid(self.gid))?;
        step("setuid", setuid(self.uid))?;
        let back = !self.uid.is_root() && (setuid(Uid::from_raw(0)).is_ok() || !self.is_all_we_are());
        // With the user gone, the groups cannot be had back either, unless that failed silently.
        let group_back = !self.uid.is_root() && !self.gid_is_root() && setgid(Gid::from_raw(0)).is_ok();
        if back || group_back || getegid() != self.gid { Err(PrivilegeError::NotDropped) } else { Ok(()) }
    }

    /// Whether the real and the saved numbers are those of the account too, and root's capabilities went with it.
    #[cfg(target_os = "linux")]
    fn is_all_we_are(&self) -> bool {
        let users = nix::unistd::getresuid().is_ok_and(|r| [r.real, r.effective, r.saved] == [self.uid; 3]);
        let groups = nix::unistd::getresgid().is_ok_and(|r| [r.real, r.effective, r.saved] == [self.gid; 3]);
        let held = [caps::CapSet::Permitted, caps::CapSet::Effective];
        users && groups && held.iter().all(|set| caps::read(None, *set).is_ok_and(|held| held.is_empty()))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_all_we_are(&self) -> bool {
        (nix::unistd::getuid(), geteuid()) == (self.uid, self.uid)
    }

    fn gid_is_root(&self) -> bool {
        self.gid.as_raw() == 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_ref().and_then(|name| name.to_str().ok()) {
            Some(name) => write!(f, "{name} ({}:{})", self.uid, self.gid),
            None => write!(f, "{}:{}", self.uid, self.gid),
        }
    }
}

/// The account to run as: of `user` and `group` (names or numbers); with neither, and as root, the one that the state
/// directory belongs to. `None`: the present one.
///
/// # Errors
/// As [`Account::find`] and [`Account::owner_of`].
pub fn account(
    user: Option<&str>,
    group: Option<&str>,
    state_dir: &Path,
) -> Result<Option<Account>, PrivilegeError> {
    match (user, group) {
        (None, None) => Account::owner_of(state_dir),
        _ => Account::find(user, group).map(Some),
    }
}

/// Sets umask 077. Where a service manager seems to have started us, the unit (`UMask=`) may open more to the group, but
/// nothing to others and no writing. What others are meant to read, the log and sockets, is given its mode by itself.
pub fn harden() {
    let given = umask(Mode::from_bits_truncate(0o077));
    if service::managed() {
        umask(given | Mode::from_bits_truncate(0o027));
    }
}

/// Raises the soft limit of open files to the hard one, and returns what holds now.
pub fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    // macOS calls the hard limit infinite and then refuses more than OPEN_MAX.
    for wanted in [hard, hard.min(10_240)] {
        if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
            return wanted;
        }
    }
    soft
}

fn find_group(group: &str) -> Result<Gid, PrivilegeError> {
    let looked_up = |e: nix::Error| PrivilegeError::System { step: "getgrnam", source: e.into() };
    match (Group::from_name(group).map_err(looked_up)?, group.parse()) {
        (Some(found), _) => Ok(found.gid),
        (None, Ok(gid)) => Ok(Gid::from_raw(gid)),
        (None, Err(_)) => Err(PrivilegeError::UnknownGroup { group: group.into() }),
    }
}

#[cfg(not(target_os = "macos"))]
mod groups {
    use super::{CString, Gid};

    pub(super) fn of(name: &CString, gid: Gid) -> nix::Result<()> {
        nix::unistd::initgroups(name, gid)
    }

    pub(super) fn only(gid: Gid) -> nix::Result<()> {
        nix::unistd::setgroups(&[gid])
    }
}

/// `nix` leaves these out on macOS, where the system resolves groups beyond the sixteenth by itself.
#[cfg(target_os = "macos")]
#[allow(unsafe_code)]
mod groups {
    use super::{CString, Gid};
    use nix::errno::Errno;
    use nix::libc;

    pub(super) fn of(name: &CString, gid: Gid) -> nix::Result<()> {
        let base = gid.as_raw() as libc::c_int;
        // SAFETY: the name is a C string that lives through the call.
        Errno::result(unsafe { libc::initgroups(name.as_ptr(), base) }).map(drop)
    }

    pub(super) fn only(gid: Gid) -> nix::Result<()> {
        let list = [gid.as_raw()];
        // SAFETY: the list has the one element that is announced, and lives through the call.
        Errno::result(unsafe { libc::setgroups(1, list.as_ptr()) }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use std::process::{Command, Output};

    /// What a process of its own does here cannot be undone, so it is played by a child.
    #[test]
    #[ignore = "a part played for the tests below, not a test"]
    fn part_that_drops() {
        let account = std::env::var("HB_PART").expect("only as a child of another test");
        let (user, group) = account.split_once(':').unwrap();
        let user = Some(user).filter(|u| !u.is_empty());
        let group = Some(group).filter(|g| !g.is_empty());
        match Account::find(user, group).and_then(|account| account.become_it()) {
            Ok(()) => println!(
                "now {}:{} groups {:?} back {:?}",
                geteuid(),
                getegid(),
                groups_now(),
                setuid(Uid::from_raw(0)).is_ok() || setgid(Gid::from_raw(0)).is_ok()
            ),
            Err(e) => {
                eprintln!("{e}");
                std::process::exit(e.exit_code().into())
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn groups_now() -> Vec<u32> {
        nix::unistd::getgroups().unwrap().iter().map(|g| g.as_raw()).collect()
    }

    #[cfg(not(target_os = "linux"))]
    fn groups_now() -> Vec<u32> {
        Vec::new()
    }

    fn drop_in_a_child(account: &str) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sys::privileges::tests::part_that_drops", "--ignored"])
            .args(["--nocapture", "--test-threads=1"])
            .env("HB_PART", account)
            .output()
            .unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn root_is_given_up_for_good_and_nobody_else_has_it_to_give() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let (uid, gid) = (nobody.uid, nobody.gid);
        for (account, expected) in [
            ("nobody:".to_string(), format!("now {uid}:{gid} groups [{gid}] back false")),
            (format!("{uid}:"), format!("now {uid}:{gid} groups [{gid}] back false")),
            ("54321:54322".to_string(), "now 54321:54322 groups [54322] back false".to_string()),
        ] {
            let output = drop_in_a_child(&account);
            if geteuid().is_root() {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(
                    said.contains(&expected),
                    "{account}: {said} {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            } else {
                assert_eq!(output.status.code(), Some(77), "{account}");
            }
        }
    }

    #[test]
    fn an_account_that_is_not_there_is_said_so() {
        for (account, text) in [
            ("hb-none:", "user hb-none: no such account"),
            (":hb-none", "group hb-none: no such group"),
            ("54321:", "user 54321: a number without an account"),
        ] {
            let output = drop_in_a_child(account);
            assert_eq!(output.status.code(), Some(67), "{account}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(text), "{said}");
        }
    }

    #[test]
    fn nothing_is_asked_and_nothing_is_done() {
        let own = std::env::temp_dir().join(format!("hb-account-{}", std::process::id()));
        std::fs::create_dir_all(&own).unwrap();
        assert_eq!(account(None, None, &own).unwrap(), None, "it is ours already");
        std::fs::remove_dir_all(&own).unwrap();
    }

    #[test]
    fn a_file_is_given_away_and_a_link_is_not_followed() {
        if !geteuid().is_root() {
            return crate::skip::skip("only root can give files away");
        }
        use std::os::unix::fs::MetadataExt;
        let folder = std::env::temp_dir().join(format!("hb-own-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let other = Account::find(Some("54321"), Some("54322")).unwrap();
        other.own(&link).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), 0);
        other.own(&file).unwrap();
        let given = std::fs::metadata(&file).unwrap();
        assert_eq!((given.uid(), given.gid()), (54321, 54322));
        let missing = other.own(&folder.join("none")).unwrap_err();
        assert!(missing.sentence(Lang::Zh).contains("none"), "{missing}");
        assert_eq!(account(None, None, &folder).unwrap(), None, "the folder is still root's");
        other.own(&folder).unwrap();
        let owner = account(None, None, &folder).unwrap().unwrap();
        assert_eq!(owner.to_string(), "54321:54322", "root works there as its owner");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_open_file_limit_is_what_it_says() {
        let now = raise_open_files();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(now, soft);
        if cfg!(target_os = "linux") {
            assert_eq!(soft, hard);
        }
    }
}
