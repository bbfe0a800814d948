//! What of our confinement holds already, whoever saw to it: a service manager, a container.
//!
//! It is read from the kernel and never from the environment, which whoever starts us can set as he likes.

use nix::sys::statvfs::{FsFlags, statvfs};

/// What a confined service has no business to write, and where `ProtectSystem=strict` makes everything read-only.
const NOT_OURS: [&str; 4] = ["/", "/etc", "/usr", "/var"];

/// What holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enforced {
    /// No program gains privileges (`NoNewPrivs`).
    pub no_new_privileges: bool,
    /// System calls are filtered (`Seccomp` 2).
    pub system_calls: bool,
    /// There are no capabilities to give up.
    pub capabilities: bool,
    /// The file system is read-only but for what was opened to us.
    pub files: bool,
}

impl Enforced {
    /// What holds now. What cannot be read does not hold.
    pub fn now() -> Enforced {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = NOT_OURS
            .iter()
            .all(|path| statvfs(*path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_RDONLY)));
        Enforced { files, ..Enforced::of_status(&status) }
    }

    /// What a text of /proc/PID/status (proc_pid_status(5)) says.
    fn of_status(status: &str) -> Enforced {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(str::trim)
        };
        let empty =
            |name: &str| field(name).is_some_and(|set| !set.is_empty() && set.bytes().all(|b| b == b'0'));
        Enforced {
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            system_calls: field("Seccomp") == Some("2"),
            capabilities: ["CapInh", "CapPrm", "CapEff", "CapAmb"].into_iter().all(empty),
            files: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "Name:\theartbeat-serve\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
        CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
        Seccomp_filters:\t9\n";

    #[test]
    fn only_what_the_kernel_says_holds() {
        let all = Enforced { no_new_privileges: true, system_calls: true, capabilities: true, files: false };
        assert_eq!(Enforced::of_status(UNIT), all);
        assert_eq!(
            Enforced::of_status(&UNIT.replace("CapEff:\t0000000000000000", "CapEff:\t0000000000000400")),
            Enforced { capabilities: false, ..all }
        );
        assert_eq!(
            Enforced::of_status(
                &UNIT.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0").replace("Seccomp:\t2", "Seccomp:\t0")
            ),
            Enforced { no_new_privileges: false, system_calls: false, ..all }
        );
        for nothing in ["", "NoNewPrivs:", "CapEff:\nCapPrm:\nCapInh:\nCapAmb:\n", "NoNewPrivs 1"] {
            assert_eq!(Enforced::of_status(nothing), Enforced::default(), "{nothing}");
        }
    }
}
