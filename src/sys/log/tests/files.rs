//! Files as targets: how they are made, set aside when they are full, renamed by others and reopened.

use super::*;

#[test]
fn a_file_is_made_for_owner_and_group_and_appended_to() {
    let folder = Folder::new("mode");
    let path = folder.path("a.log");
    for _ in 0..2 {
        let log = Log::open(options(&[file(&path)])).unwrap();
        log.notice(AT, Notice::Stopped);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(text(&path).lines().filter(|l| l.ends_with(" - server stopped")).count(), 2);
}

/// The umask belongs to the whole process, so the test above is run again in one of its own.
#[test]
fn a_narrow_umask_does_not_hide_the_file_from_its_group() {
    let again = std::process::Command::new("/bin/sh")
        .args(["-c", r#"umask 077; exec "$0" --exact "$1""#])
        .arg(std::env::current_exe().unwrap())
        .arg("sys::log::tests::files::a_file_is_made_for_owner_and_group_and_appended_to")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_full_file_is_set_aside_and_only_so_many_are_kept() {
    let folder = Folder::new("rotation");
    let path = folder.path("a.log");
    for foreign in ["a.log.1", "a.log-20200101", "a.log-20200101T000000.gz", "b.log-20200101T000000"] {
        fs::write(folder.path(foreign), "not ours\n").unwrap();
    }
    let log =
        Log::open(LogOptions { file_bytes_max: 2_000, file_keep: 3, ..options(&[file(&path)]) }).unwrap();
    for i in 0..1_000 {
        log.beat(AT, &beat(&i.to_string()));
    }
    log.close();
    assert_eq!(log.dropped(), 0);
    let names = folder.names();
    let ours = |n: &&String| n.starts_with("a.log-") && n.contains('T') && !n.ends_with(".gz");
    let mut aside: Vec<&String> = names.iter().filter(ours).collect();
    assert_eq!(aside.len(), 3, "{names:?}");
    for foreign in ["a.log.1", "a.log-20200101", "a.log-20200101T000000.gz", "b.log-20200101T000000"] {
        assert_eq!(text(&folder.path(foreign)), "not ours\n");
    }
    // What is left is an unbroken end of the whole, in files no longer than they may be.
    aside.sort_by_key(|n| {
        let (stamp, number) =
            n.rsplit_once('.').filter(|(s, _)| s.contains('T')).unwrap_or((n.as_str(), "0"));
        (stamp.to_string(), number.parse::<u32>().unwrap())
    });
    let mut ids = Vec::new();
    for name in aside.into_iter().cloned().chain(["a.log".to_string()]) {
        let text = text(&folder.path(&name));
        assert!(text.len() <= 2_000, "{name}: {}", text.len());
        ids.extend(text.lines().map(|l| l.rsplit_once("id: ").unwrap().1.parse::<u32>().unwrap()));
    }
    assert_eq!(ids.last(), Some(&999));
    assert!(ids.windows(2).all(|w| w[0] + 1 == w[1]), "{ids:?}");
}

#[test]
fn a_full_file_that_cannot_be_set_aside_is_not_let_grow() {
    let folder = Folder::new("stuck");
    let path = folder.path("a.log");
    let log =
        Log::open(LogOptions { file_bytes_max: 500, lang: Lang::Zh, ..options(&[file(&path)]) }).unwrap();
    let taken = folder.path("elsewhere");
    log.beat(AT, &beat("0"));
    eventually("the first line", || !text(&path).is_empty());
    // Where the file was there is something that can be neither opened nor renamed over.
    fs::rename(&path, &taken).unwrap();
    fs::create_dir(&path).unwrap();
    for i in 1..100 {
        log.beat(AT, &beat(&i.to_string()));
    }
    eventually("the failure", || !log.failing().is_empty());
    let failing = log.failing().remove(0);
    assert!(failing.own().say(Lang::Zh).contains("已达大小上限"), "{failing:?}");
    assert_eq!(failing.told().say(Lang::Zh), "file:a.log", "strangers are told which, and not where or why");
    log.close();
    let whole = text(&taken);
    assert!(whole.len() <= 500 && whole.ends_with('\n'));
    assert_eq!(whole.lines().count() as u64 + log.dropped(), 100);
}

#[test]
fn a_file_renamed_by_somebody_else_is_left_alone_when_it_is_full() {
    let folder = Folder::new("both");
    let (path, link) = (folder.path("a.log"), folder.path("link.log"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let bounded = |path| LogOptions { file_bytes_max: 2_000, file_keep: 100, ..options(&[file(path)]) };
    let log = Log::open(bounded(&link)).unwrap();
    log.beat(AT, &beat("0"));
    eventually("the first line", || !text(&path).is_empty());
    fs::rename(&path, folder.path("a.log.1")).unwrap();
    fs::write(&path, "somebody else's\n").unwrap();
    for i in 1..60 {
        log.beat(AT, &beat(&i.to_string()));
    }
    log.close();
    assert_eq!(log.dropped(), 0);
    let names = folder.names();
    let whole: String = names.iter().filter(|n| *n != "link.log").map(|n| text(&folder.path(n))).collect();
    assert_eq!(whole.lines().filter(|l| l.contains("heartbeat received")).count(), 60);
    assert!(text(&folder.path("a.log.1")).lines().count() > 10, "filled to its bound, then left");
    assert!(
        names.iter().any(|n| n.starts_with("a.log-")) && !names.iter().any(|n| n.starts_with("link.log-"))
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_target_that_cannot_be_reopened_keeps_the_old_one_and_is_named() {
    let folder = Folder::new("reopen");
    let (path, other) = (folder.path("logs/a.log"), folder.path("b.log"));
    fs::create_dir(folder.path("logs")).unwrap();
    let log = Log::open(options(&[file(&path)])).unwrap();
    log.beat(AT, &beat("one"));
    fs::rename(folder.path("logs"), folder.path("moved")).unwrap();
    let zh = LogOptions { lang: Lang::Zh, ..options(&[file(&path), file(&other)]) };
    let error = log.apply(zh).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    assert!(error.to_string().contains("logs/a.log"), "{error}");
    log.beat(AT, &beat("two"));
    log.close();
    let old = text(&folder.path("moved/a.log"));
    assert!(old.lines().next().unwrap().ends_with("id: one"), "{old}");
    assert!(old.lines().nth(1).unwrap().ends_with("标识: two"), "{old}");
    assert_eq!(text(&other).lines().count(), 1);
}
