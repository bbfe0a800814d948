//! macOS's application firewall: it knows programs, neither ports nor networks.
//!
//! Once it lists a program as allowed, whatever that program listens on is open to everyone. There are no comments
//! either: what stands in the list under our own path is ours.

use super::ask::{Ask, FirewallError};
use super::plan::{Backend, Call, FirewallRule, Grant, Other, RuleSet, RuleStore, SourceNetwork};
use super::{FirewallStatus, Remark};
use std::collections::BTreeSet;

const PROGRAM: &str = "/usr/libexec/ApplicationFirewall/socketfilterfw";

/// How it stands; `None` where there is none. `path` is our program, `ports` what it listens on.
pub(super) fn look(
    ask: &mut dyn Ask,
    path: &str,
    ports: &[u16],
) -> Result<Option<FirewallStatus>, FirewallError> {
    let state = match ask.must(&Call::new(PROGRAM, ["--getglobalstate"])) {
        Err(FirewallError::Missing { .. }) => return Ok(None),
        other => other?,
    };
    let active = !(state.contains("disabled") || state.contains("State = 0"));
    let mut remarks = vec![Remark::PerProgram];
    if !active {
        remarks.push(Remark::Off(Backend::Socketfilterfw));
    } else if ask.must(&Call::new(PROGRAM, ["--getblockall"]))?.to_lowercase().contains("enabled") {
        remarks.push(Remark::BlocksAll);
    }
    let entry = entry(&ask.must(&Call::new(PROGRAM, ["--listapps"]))?, path);
    let grants: BTreeSet<Grant> =
        ports.iter().map(|port| Grant { port: *port, from: SourceNetwork::Everyone }).collect();
    let removal = Call::new(PROGRAM, ["--remove", path]);
    let ours = if entry == Some(true) { vec![FirewallRule { grants, removal }] } else { Vec::new() };
    // Somebody blocked it. That is theirs to take back, unless we are told to open.
    let text = format!("{path} (Block incoming connections)");
    let blocked = Other { ports: ports.iter().map(|port| (*port, *port)).collect(), text };
    let place = RuleSet {
        name: path.to_string(),
        filters: active,
        families: (true, true),
        ours,
        others: (entry == Some(false)).then_some(blocked).into_iter().collect(),
        taken: BTreeSet::new(),
        way: RuleStore::Program { path: path.to_string(), listed: entry.is_some() },
    };
    Ok(Some(FirewallStatus { backend: Backend::Socketfilterfw, active, places: vec![place], remarks }))
}

/// What allows a program.
pub(super) fn add(path: &str, listed: bool) -> Vec<Call> {
    let add = (!listed).then(|| Call::new(PROGRAM, ["--add", path]));
    add.into_iter().chain([Call::new(PROGRAM, ["--unblockapp", path])]).collect()
}

/// Whether the list allows a program; `None` when it is not in the list. Releases of macOS differ in the white space.
fn entry(list: &str, path: &str) -> Option<bool> {
    let mut lines = list.lines().map(str::trim);
    lines.find(|line| {
        line.split_once(':')
            .is_some_and(|(number, rest)| number.trim().parse::<u32>().is_ok() && rest.trim() == path)
    })?;
    lines.find(|line| !line.is_empty()).map(|line| line.contains("Allow"))
}

#[cfg(test)]
mod tests {
    use super::super::ask::testing::{Script, calls};
    use super::super::plan::{Choice, close, open};
    use super::*;

    const US: &str = "/usr/local/sbin/heartbeat-server";

    fn standing(state: &str, block_all: &str, list: &str) -> FirewallStatus {
        let line = |option: &str| format!("{PROGRAM} {option}");
        let (a, b, c) = (line("--getglobalstate"), line("--getblockall"), line("--listapps"));
        let mut script = Script::new(&[(&a, 0, state), (&b, 0, block_all), (&c, 0, list)]);
        look(&mut script, US, &[7777, 7778]).unwrap().unwrap()
    }

    const ON: &str = "Firewall is enabled. (State = 1)\n";
    const FREE: &str = "Firewall has block all state set to disabled.\n";

    /// As two releases print it.
    fn lists(what: &str) -> [String; 2] {
        [
            format!(
                "ALF: total number of apps = 2 \n\n1 :  /usr/bin/python3 \n \t ( Allow incoming connections ) \n\n\
                     2 :  {US} \n \t ( {what} incoming connections ) \n\n"
            ),
            format!(
                "Total number of apps = 2\n1 : /usr/bin/python3 \n             (Block incoming connections)\n\
                     2 : {US} \n             ({what} incoming connections)\n"
            ),
        ]
    }

    #[test]
    fn the_program_is_added_and_let_through_once() {
        let standing = |list: &str| standing(ON, FREE, list);
        let opens = |list: &str| calls(&open(&standing(list).places[0], &[7777, 7778], &[]));
        assert_eq!(
            opens("ALF: total number of apps = 0 \n"),
            format!("{PROGRAM} --add {US}\n{PROGRAM} --unblockapp {US}\n")
        );
        for list in lists("Block") {
            assert_eq!(opens(&list), format!("{PROGRAM} --unblockapp {US}\n"));
            let place = &standing(&list).places[0];
            assert!(close(place, &Choice::default()).is_empty(), "whoever blocked it wants it so");
            assert_eq!(place.others_on(7777).count(), 1);
        }
        for list in lists("Allow") {
            assert_eq!(opens(&list), "");
            let gone = calls(&close(&standing(&list).places[0], &Choice::default()));
            assert_eq!(gone, format!("{PROGRAM} --remove {US}\n"));
        }
    }

    #[test]
    fn a_program_whose_name_begins_like_ours_is_another() {
        let list = format!("Total number of apps = 1\n1 : {US}-old\n (Allow incoming connections)\n");
        assert!(standing(ON, FREE, &list).places[0].ours.is_empty());
    }

    #[test]
    fn it_may_be_off_or_shut_to_all() {
        let off = standing("Firewall is disabled. (State = 0)\n", FREE, "");
        assert!(!off.active && off.remarks.contains(&Remark::Off(Backend::Socketfilterfw)));
        for shut in ["Firewall has block all state set to enabled.\n", "Block all ENABLED! \n"] {
            assert!(standing(ON, shut, "").remarks.contains(&Remark::BlocksAll));
        }
        assert_eq!(look(&mut Script::new(&[]), US, &[]).unwrap(), None);
    }
}
