//! What the process takes from itself once it has all that it needs: its secrets stay in its memory, its descriptors
//! stay with it, it may no longer write where it has no business, nor gain a privilege, and as root it has its programs
//! run as somebody else. What the kernel says that holds already, by a service manager or a container, is left as it is
//! (`enforced`); what the environment says of a manager does not matter.
//!
//! Landlock and what prctl(2) sets belong to a thread and to those that it starts later. So [`enter`] is called once, in
//! the one thread that there is: after the privileges are given up, before the log has its thread, and before a byte
//! from the network is read. There is no way back, and the programs of notifiers live under the same rules. Reading and
//! starting programs is left to the rights of the user: a reload may name new files and new notifiers.

#[cfg(target_os = "linux")]
mod capabilities;
pub mod descriptors;
#[cfg(target_os = "linux")]
mod enforced;
#[cfg(target_os = "linux")]
mod landlock_rules;

use crate::domain::lang::Lang;
use crate::domain::notice::Level;
use crate::i18n::{self, Text};
use crate::sys::privileges::Account;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What the daemon goes on needing after its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whether it is to confine itself at all.
    pub enabled: bool,
    /// Folders in which it writes, makes and removes files.
    pub write: Vec<PathBuf>,
    /// Files that lines are appended to; set aside and begun anew in their folders.
    pub logs: Vec<PathBuf>,
    /// Files that were made already, and are to be removed at the end.
    pub leave: Vec<PathBuf>,
    /// Whom the programs of notifiers run as, where we are root.
    pub program_user: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sandbox {
    /// Where writing is still possible; `None`: everywhere, as far as we are concerned.
    writable: Option<WritablePaths>,
    /// Nobody wants us to confine ourselves, or nobody can here.
    unasked: bool,
    /// What holds by our own doing, and what held before.
    held: Vec<(Means, bool)>,
    /// What could not be done.
    trouble: Vec<String>,
}

/// A part of the confinement.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // most of them are Linux's
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    NoNewPrivileges,
    Capabilities,
    Files,
    SystemCalls,
    Programs,
}

impl Means {
    fn name(self, lang: Lang) -> &'static str {
        match self {
            Means::NoNewPrivileges => i18n::sys::NEW_PRIVILEGES.in_lang(lang),
            Means::Capabilities => i18n::sys::CAPABILITIES.in_lang(lang),
            Means::Files => i18n::sys::FILES.in_lang(lang),
            Means::SystemCalls => i18n::sys::SYSTEM_CALLS.in_lang(lang),
            Means::Programs => i18n::sys::PROGRAMS_NOTIFIERS.in_lang(lang),
        }
    }
}

/// The folders, and single files, that this process may still write in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WritablePaths(Vec<PathBuf>);

static WRITABLE: OnceLock<WritablePaths> = OnceLock::new();
static PROGRAM_IDS: OnceLock<(u32, u32)> = OnceLock::new();
/// Who has no rights, where the password file does not say who that is.
const NOBODY: u32 = 65_534;

/// The user and group that programs are to be started as; `None`: as whom we are.
pub fn program_ids() -> Option<(u32, u32)> {
    PROGRAM_IDS.get().copied()
}

/// Keeps what is in our memory from other processes and from files: nobody but root may look into it, and no core is
/// left. Once more after a change of user, which undoes it.
///
/// Errors are of no consequence: a system that refuses this has other ways to forbid it.
pub fn keep_secrets() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        // The hard one stays for programs that we start and that want a core of their own.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// Does all of it, see above; says what came of it.
#[must_use]
pub fn enter(needs: &Needs) -> Sandbox {
    keep_secrets();
    descriptors::close_on_exec();
    if !needs.enabled {
        return Sandbox { unasked: true, ..Sandbox::default() };
    }
    confine(needs)
}

#[cfg(target_os = "linux")]
fn confine(needs: &Needs) -> Sandbox {
    let before = enforced::Enforced::now();
    let (mut trouble, mut held) = (Vec::new(), Vec::new());
    if before.system_calls {
        held.push((Means::SystemCalls, false));
    }
    match before.no_new_privileges {
        true => held.push((Means::NoNewPrivileges, false)),
        false => match nix::sys::prctl::set_no_new_privs() {
            Ok(()) => held.push((Means::NoNewPrivileges, true)),
            Err(error) => trouble.push(format!("no_new_privs: {error}")),
        },
    }
    match before.capabilities {
        true => held.push((Means::Capabilities, false)),
        false => match capabilities::give_up() {
            Ok(()) => held.push((Means::Capabilities, true)),
            Err(error) => trouble.push(format!("capset: {error}")),
        },
    }
    trouble.extend(set_program_ids(&needs.program_user));
    held.extend(program_ids().map(|_| (Means::Programs, true)));
    if before.files {
        held.push((Means::Files, false));
        return Sandbox { writable: None, unasked: true, held, trouble };
    }
    let writable = landlock_rules::raise(needs).unwrap_or_else(|error| {
        trouble.push(format!("Landlock: {error}"));
        None
    });
    if let Some(writable) = &writable {
        held.push((Means::Files, true));
        // Called once; a second call would be confined by the rules of the first.
        let _ = WRITABLE.set(writable.clone());
    }
    Sandbox { writable, unasked: false, held, trouble }
}

/// Decides whom programs run as; what is wrong with the account that was asked for.
fn set_program_ids(user: &str) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let (ids, trouble) = match Account::find(Some(user), None) {
        Ok(account) => (account.ids(), None),
        // Not everybody has an account of that name; the number is its all the same.
        Err(_) if user == "nobody" => ((NOBODY, NOBODY), None),
        Err(error) => ((NOBODY, NOBODY), Some(format!("confine.program_user: {error}"))),
    };
    if ids.0 != 0 {
        let _ = PROGRAM_IDS.set(ids);
    }
    trouble
}

#[cfg(not(target_os = "linux"))]
fn confine(needs: &Needs) -> Sandbox {
    let trouble = set_program_ids(&needs.program_user).into_iter().collect();
    let held = program_ids().map(|_| (Means::Programs, true)).into_iter().collect();
    Sandbox { writable: None, unasked: true, held, trouble }
}

/// Whether this process may still make and write a file at `path`, as far as it has confined itself.
pub fn admits_writing(path: &Path) -> bool {
    WRITABLE.get().is_none_or(|writable| writable.admit(path))
}

impl WritablePaths {
    fn admit(&self, path: &Path) -> bool {
        // What is there counts where it really is; what is not, where it would be made.
        let real = std::fs::canonicalize(path).or_else(|_| {
            let folder = path.parent().unwrap_or(Path::new("/"));
            std::fs::canonicalize(folder).map(|folder| folder.join(path.file_name().unwrap_or_default()))
        });
        let real = real.unwrap_or_else(|_| path.into());
        self.0.iter().any(|allowed| real.starts_with(allowed))
    }
}

impl Sandbox {
    /// What is confined by us, and what was before we came, in a few words for the status.
    pub fn summary(&self, lang: Lang) -> String {
        let named = |ours: bool| {
            let those = self.held.iter().filter(|(_, by_us)| *by_us == ours);
            those.map(|(means, _)| means.name(lang)).collect::<Vec<_>>().join(i18n::sys::COMMA.in_lang(lang))
        };
        let (ours, others) = (named(true), named(false));
        match (ours.is_empty(), others.is_empty()) {
            (true, true) => i18n::sys::NOT_CONFINED.in_lang(lang).to_string(),
            (false, true) => i18n::sys::confined_itself(&ours).in_lang(lang),
            (true, false) => i18n::sys::confined_from_outside(&others).in_lang(lang),
            (false, false) => i18n::sys::confined_itself_from_outside(&ours, &others).in_lang(lang),
        }
    }

    /// What there is to say of it, and how loudly; `None` where there is nothing.
    pub fn remark(&self) -> Option<(Level, Text)> {
        if !self.trouble.is_empty() {
            let what = self.trouble.join("; ");
            return Some((Level::Warning, i18n::sys::going_less_confined_than(&what)));
        }
        if self.unasked {
            return None;
        }
        let Some(writable) = &self.writable else {
            return Some((Level::Info, i18n::sys::KERNEL_NO_LANDLOCK_SWITCHED.into()));
        };
        let folders: Vec<String> = writable.0.iter().map(|path| path.display().to_string()).collect();
        let folders = Text::of(|lang| folders.join(i18n::sys::COMMA.in_lang(lang)));
        Some((Level::Debug, i18n::sys::confined_writes_only_below(&folders)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_judged_where_it_really_is() {
        let base = std::env::temp_dir().join(format!("hb-sandbox-{}", std::process::id()));
        std::fs::create_dir_all(base.join("in")).unwrap();
        std::fs::create_dir_all(base.join("out")).unwrap();
        let base = std::fs::canonicalize(&base).unwrap();
        std::os::unix::fs::symlink(base.join("out/there"), base.join("in/link")).unwrap();
        std::fs::write(base.join("out/there"), "").unwrap();
        let writable = WritablePaths(vec![base.join("in")]);
        for (path, admitted) in [
            ("in/new.log", true),
            ("in/../in/new.log", true),
            ("out/new.log", false),
            ("in/../out/new.log", false),
            ("in/link", false),
            ("inside.log", false),
            ("none/x.log", false),
        ] {
            assert_eq!(writable.admit(&base.join(path)), admitted, "{path}");
        }
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn the_summary_tells_our_doing_from_that_of_others() {
        let of = |held: &[(Means, bool)]| Sandbox { held: held.to_vec(), ..Sandbox::default() };
        assert_eq!(of(&[]).summary(Lang::En), "not confined");
        let both = of(&[(Means::SystemCalls, false), (Means::NoNewPrivileges, true), (Means::Files, true)]);
        assert_eq!(
            both.summary(Lang::En),
            "confined by itself: new privileges, files; from outside: system calls"
        );
        assert_eq!(both.summary(Lang::Zh), "自我限制：新权限、文件；由外部限制：系统调用");
    }

    #[test]
    fn what_is_told_says_what_holds() {
        let said = |sandbox: &Sandbox| sandbox.remark().map(|(level, text)| (level, text.in_lang(Lang::En)));
        assert_eq!(said(&Sandbox { unasked: true, ..Sandbox::default() }), None);
        let writable = WritablePaths(vec!["/var/lib/x".into(), "/tmp".into()]);
        let confined = Sandbox { writable: Some(writable), ..Sandbox::default() };
        assert_eq!(
            said(&confined),
            Some((Level::Debug, "confined: writes only below /var/lib/x, /tmp".into()))
        );
        assert!(said(&Sandbox::default()).unwrap().1.contains("no Landlock"));
        let failed = Sandbox { trouble: vec!["capset: no".into()], ..Sandbox::default() };
        assert_eq!(
            said(&failed),
            Some((Level::Warning, "going on less confined than wished: capset: no".into()))
        );
    }
}
