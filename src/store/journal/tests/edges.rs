//! What a start makes of each kind of broken file, and when what failed is tried again.

use super::*;
use crate::domain::lang::Lang;

const HEADER: usize = SEGMENT_HEADER_BYTES as usize;

/// Three segments with a record each, of versions 0 to 2, and then whatever a start adds.
fn three() -> (SimDisk, Vec<String>) {
    let disk = SimDisk::new();
    for version in 0..3 {
        let (journal, _) = open(&disk);
        append(&journal, version..version + 1);
        journal.close(at(version)).unwrap();
    }
    let names = names(&disk);
    assert_eq!(names.len(), 3);
    (disk, names)
}

/// A disk with these files, of which one is another, or none.
fn with(disk: &SimDisk, names: &[String], at: usize, content: Option<&[u8]>) -> SimDisk {
    let other = SimDisk::new();
    for (place, name) in names.iter().enumerate() {
        match content {
            _ if place != at => other.put(name, &disk.content(name).unwrap()),
            Some(content) => other.put(name, content),
            None => {}
        }
    }
    other
}

fn found(disk: &SimDisk) -> (Recovery, Vec<u64>) {
    let (journal, found) = open(disk);
    (found, once(versions(&journal)))
}

#[test]
fn frames_that_are_missing_between_two_segments_are_named() {
    let (disk, names) = three();
    let (found, versions) = found(&with(&disk, &names, 1, None));
    let [damage] = &found.damages[..] else { panic!("{:?}", found.damages) };
    assert_eq!((damage.bytes, damage.file.clone()), (0, disk.path(&names[0])));
    assert_eq!(damage.offset, disk.content(&names[0]).unwrap().len() as u64);
    assert!(
        damage.reason.starts_with("frames ") && damage.reason.ends_with(" are missing"),
        "{}",
        damage.reason
    );
    assert_eq!(versions, [0, 2]);
}

#[test]
fn a_segment_under_the_name_of_another_is_damage() {
    let (disk, names) = three();
    let first = disk.content(&names[0]).unwrap();
    let (found, versions) = found(&with(&disk, &names, 1, Some(&first)));
    assert!(found.damages.iter().any(|one| {
        one.reason == "it is segment 1 under another name"
            && (one.offset, one.bytes) == (0, first.len() as u64)
    }));
    assert_eq!(versions, [0, 2]);
}

#[test]
fn a_file_that_was_only_begun_goes_and_one_with_frames_is_kept() {
    let (disk, names) = three();
    let broken = |bytes: usize| vec![7; bytes];
    // The place, the bytes in it; whether that is damage, and whether it is an end cut short.
    for (place, bytes, is_damage, is_cut) in [
        (0, 0, false, false),
        (0, 100, true, false),
        (1, 0, false, false),
        (1, HEADER, false, false),
        (1, HEADER + 1, true, false),
        (2, 0, false, true),
        (2, HEADER, false, true),
        (2, HEADER + 1, true, false),
    ] {
        let what = format!("segment {place}, {bytes} bytes");
        let spoiled = with(&disk, &names, place, Some(&broken(bytes)));
        let (found, versions) = found(&spoiled);
        let of_header = found.damages.iter().filter(|one| one.reason == "its header is broken");
        let of_header: Vec<_> = of_header.map(|one| (one.file.clone(), one.offset, one.bytes)).collect();
        let want = (spoiled.path(&names[place]), 0, bytes as u64);
        assert_eq!(of_header, Vec::from_iter(is_damage.then_some(want)), "{what}");
        let cut = Cut { file: disk.path(&names[place]), offset: 0, bytes: bytes as u64 };
        assert_eq!(found.cut, is_cut.then_some(cut), "{what}");
        assert_eq!(spoiled.content(&names[place]).is_some(), is_damage, "{what}");
        assert_eq!(versions, (0..3).filter(|v| *v != place as u64).collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn the_last_sign_of_life_is_the_last_frame_or_the_begin() {
    let disk = SimDisk::new();
    assert_eq!(open(&disk).1.last_sign, None);
    assert_eq!(open(&disk).1.last_sign, Some(START), "nothing was written, and it had begun");
    let (journal, _) = open(&disk);
    journal.tick(at(5)).unwrap();
    assert_eq!(open(&disk).1.last_sign, Some(at(5)));
}

#[test]
fn what_failed_is_tried_again_ever_more_seldom_and_a_full_disk_each_second() {
    let tries = |fail: &dyn Fn(&SimDisk)| -> Vec<u64> {
        let disk = SimDisk::new();
        let (journal, _) = open(&disk);
        let end = append(&journal, 0..1);
        disk.fail_syncs(1);
        fail(&disk);
        journal.sync(end).unwrap_err();
        let asked = |s: &u64| {
            let before = (disk.syncs(), disk.writes());
            journal.tick(at(*s)).unwrap_err();
            before != (disk.syncs(), disk.writes())
        };
        (1..140).filter(asked).collect()
    };
    assert_eq!(tries(&|disk| disk.fail_syncs(u32::MAX)), [2, 5, 10, 19, 36, 67, 98, 129]);
    assert_eq!(tries(&|disk| disk.set_room(Some(0))).len(), 139);
}

#[test]
fn the_log_tells_what_it_found_once_and_goes_on_behind_what_is_noted() {
    let (disk, names) = three();
    let spoiled = with(&disk, &names, 1, None);
    let noted = Position { segment: 40, offset: 0 };
    let open = |disk: SimDisk, noted| {
        FileJournal::open(Arc::new(disk), JournalOptions { noted, ..options() }, at(9))
    };
    let journal = open(spoiled, Some(noted)).unwrap();
    let log: &dyn Journal = &journal;
    assert_eq!((journal.end().segment, log.last_sign()), (41, Some(at(2))));
    let told = log.take_damage();
    assert!(told.len() == 1 && told[0].own().say(Lang::Zh).contains("journal 文件损坏"), "{told:?}");
    assert_eq!((log.take_damage(), log.cut()), (vec![], None));
    let end = log.append(at(10), &mut batch(5..6)).unwrap();
    let condition = log.condition(at(12));
    assert_eq!((condition.unsynced_ms, condition.degraded), (2_000, vec![]));
    assert_eq!(condition.journal_bytes, journal.bytes());
    log.sync(end).unwrap();
    assert_eq!((journal.synced(), log.condition(at(12)).unsynced_ms), (end, 0));
    let mut seen = Vec::new();
    log.read(Some(noted), RecordFilter::All, &mut |_, record| seen.push(record.version)).unwrap();
    assert_eq!(seen, [5]);
    log.trim(end).unwrap();
    log.tend(at(13)).unwrap();
    assert!(journal.end() > end);
    let journal = open(with(&disk, &names, 2, Some(&[])), None).unwrap();
    assert!(journal.cut().is_some_and(|said| said.say(Lang::En).contains(&names[2])));
    assert!(journal.cut().is_some_and(|said| said.say(Lang::Zh).contains("断电")));
}

#[test]
fn a_journal_is_as_long_as_its_files() {
    let (disk, names) = three();
    let (journal, _) = open(&disk);
    let file_bytes = |name: &String| disk.content(name).unwrap().len() as u64;
    let all = super::names(&disk);
    assert_eq!(journal.bytes(), all.iter().map(file_bytes).sum::<u64>());
    journal.trim(Position { segment: 2, offset: 0 }).unwrap();
    assert_eq!(super::names(&disk), all[1..], "{names:?}");
    journal.trim(journal.end()).unwrap();
    assert_eq!(super::names(&disk).len(), 1);
    assert_eq!(journal.bytes(), file_bytes(&super::names(&disk)[0]));
}

#[test]
fn a_kind_of_a_later_version_has_to_be_known_below_128() {
    let must = |byte| FrameKind::Unknown(byte).must_be_known();
    assert_eq!([4, 0x7f, 0x80, 0xff].map(must), [Some(4), Some(0x7f), None, None]);
    assert_eq!(FrameKind::Mark.must_be_known(), None);
}

#[test]
fn two_damages_of_one_file_are_both_news_and_at_the_next_start_neither_is() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    let ends: Vec<u64> = (0..5).map(|version| append(&journal, version..version + 1).offset).collect();
    journal.close(at(1)).unwrap();
    let name = &names(&disk)[0];
    [ends[1], ends[3]].into_iter().for_each(|end| disk.rot(name, end - 1, 4));
    for news in [true, false] {
        let (_, found) = open(&disk);
        assert_eq!(found.damages.iter().map(|one| one.news).collect::<Vec<_>>(), [news; 2]);
    }
}

#[test]
fn a_damaged_file_is_kept_beside_another_of_its_name_and_once() {
    let folder = std::env::temp_dir().join(format!("heartbeat-journal-aside-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let disk = RealDisk::open(&folder).unwrap();
    let keep = |content: &[u8]| {
        let _ = disk.remove("x");
        std::fs::write(disk.path("x"), content).unwrap();
        let (path, is_new) = disk.keep_aside("x").unwrap();
        (path.strip_prefix(&folder).unwrap().to_str().unwrap().to_string(), is_new)
    };
    assert_eq!(keep(&[1; 5_000]), ("damaged/x".into(), true));
    assert_eq!(keep(&[1; 5_000]), ("damaged/x".into(), false), "a copy of it");
    assert!(!disk.keep_aside("x").unwrap().1);
    assert_eq!(keep(&[2; 5_000]), ("damaged/x.1".into(), true), "it is as long and another");
    assert_eq!(keep(&[1; 5_001]), ("damaged/x.2".into(), true), "it begins alike and is longer");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A journal of several segments in a directory of its own.
fn in_folder(name: &str) -> (std::path::PathBuf, FileJournal) {
    let folder = std::env::temp_dir().join(format!("heartbeat-journal-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let disk = Arc::new(RealDisk::open(&folder).unwrap());
    let journal = FileJournal::open(disk, options(), START).unwrap();
    (0..3).for_each(|n| _ = append(&journal, n * 1_000..(n + 1) * 1_000));
    assert!(journal.end().segment > 2);
    (folder, journal)
}

#[test]
fn what_cannot_be_removed_is_an_error_and_what_is_gone_already_is_none() {
    let (folder, journal) = in_folder("trim");
    let first = folder.join(file_name(1));
    std::fs::remove_file(&first).unwrap();
    std::fs::create_dir(&first).unwrap();
    journal.trim(journal.end()).unwrap_err();
    std::fs::remove_dir(&first).unwrap();
    journal.trim(journal.end()).unwrap();
    assert_eq!(
        journal.bytes(),
        std::fs::metadata(folder.join(file_name(journal.end().segment))).unwrap().len()
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_damaged_segment_stays_until_a_copy_of_it_could_be_kept() {
    let (folder, journal) = in_folder("unkept");
    let first = folder.join(file_name(1));
    let mut content = std::fs::read(&first).unwrap();
    content[5_000] ^= 1;
    std::fs::write(&first, &content).unwrap();
    // A file where the folder for copies would be.
    std::fs::write(folder.join("damaged"), b"").unwrap();
    versions(&journal);
    let (damages, _) = journal.take_news();
    assert_eq!(damages.iter().map(|one| one.kept.clone()).collect::<Vec<_>>(), [None]);
    journal.trim(journal.end()).unwrap_err();
    assert!(first.exists());
    std::fs::remove_file(folder.join("damaged")).unwrap();
    journal.trim(journal.end()).unwrap();
    assert!(!first.exists() && folder.join("damaged").join(file_name(1)).exists());
    std::fs::remove_dir_all(&folder).unwrap();
}
