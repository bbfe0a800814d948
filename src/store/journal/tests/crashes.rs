//! Syncs that fail, power cuts, and kills at any byte.

use super::*;

#[test]
fn a_failed_fdatasync_moves_everything_unsynced_to_a_new_segment() {
    for seed in 0..200 {
        let disk = SimDisk::new();
        let (journal, _) = open(&disk);
        append(&journal, 0..5);
        journal.tick(at(1)).unwrap();
        let old = append(&journal, 5..10);
        disk.fail_syncs(1);
        journal.sync(old).unwrap();
        assert_eq!(journal.rescues(), 1);
        assert!(journal.synced() > old && journal.synced().segment > old.segment);
        assert!(degraded(&journal).is_some_and(|reason| reason.contains("fdatasync")));
        assert_eq!(versions(&journal), (0..10).collect::<Vec<_>>());
        disk.crash(seed);
        let (journal, found) = open(&disk);
        assert_eq!(found.damages, []);
        assert_eq!(once(versions(&journal)), (0..10).collect::<Vec<_>>(), "seed {seed}");
        append(&journal, 10..11);
        journal.tick(at(2)).unwrap();
        assert_eq!(degraded(&journal), None);
    }
}

#[test]
fn a_file_removed_while_it_is_written_is_written_again_and_told_of_once() {
    for seed in 0..100 {
        let disk = SimDisk::new();
        let (journal, _) = open(&disk);
        append(&journal, 0..5);
        journal.tick(at(1)).unwrap();
        let old = append(&journal, 5..9);
        disk.remove(&file_name(old.segment)).unwrap();
        // Whoever followed it up to here goes on.
        let end = append(&journal, 9..10);
        journal.read(Some(old), RecordFilter::Changes, &mut |_, _| {}).unwrap_err();
        journal.tick(at(2)).unwrap();
        let mut seen = Vec::new();
        journal.read(Some(old), RecordFilter::Changes, &mut |_, record| seen.push(record.version)).unwrap();
        assert_eq!((seen, journal.synced() > end), (vec![9], true));
        let rescue = journal.take_news().1.unwrap();
        assert_eq!(rescue.file, disk.path(&file_name(old.segment)));
        assert!(rescue.said().own().say(crate::domain::lang::Lang::En).contains("was removed"));
        append(&journal, 10..12);
        journal.tick(at(3)).unwrap();
        assert_eq!((journal.take_news().1, journal.rescues(), degraded(&journal)), (None, 0, None));
        journal.trim(Position { segment: old.segment, offset: old.offset }).unwrap();
        disk.crash(seed);
        let (journal, found) = open(&disk);
        assert_eq!(found.damages, []);
        assert_eq!(versions(&journal), (0..12).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn while_no_sync_succeeds_nothing_is_taken_and_afterwards_nothing_is_missing() {
    let disk = SimDisk::new();
    let (journal, _) = open(&disk);
    append(&journal, 0..5);
    disk.fail_syncs(4);
    assert!(journal.tick(at(1)).is_err());
    assert!(journal.append(START, &mut batch(5..6)).is_err());
    assert!(journal.sync(journal.end()).is_err());
    let mut second = 2;
    while journal.tick(at(second)).is_err() {
        second += 1;
        assert!(second < 100, "it never works again");
    }
    append(&journal, 5..6);
    journal.tick(at(second + 1)).unwrap();
    assert_eq!((degraded(&journal), versions(&journal)), (None, (0..6).collect::<Vec<_>>()));
    disk.crash(1);
    // What was written again may have reached the disk in its first place as well.
    let (journal, found) = open(&disk);
    assert_eq!((found.damages, once(versions(&journal))), (Vec::new(), (0..6).collect::<Vec<_>>()));
}

#[test]
fn a_power_cut_takes_nothing_that_was_synced() {
    let mut lost = 0;
    for seed in 0..800 {
        let disk = SimDisk::new();
        let mut random = SimulatedRng(seed);
        // `told` versions were taken, `durable` of them were said to be so; a power cut may take the others.
        let (mut told, mut durable) = (0, 0);
        for _ in 0..1 + random.below(4) {
            let (journal, found) = open(&disk);
            assert_eq!(found.damages, [], "seed {seed}");
            let there = once(versions(&journal));
            assert!(there.iter().copied().eq(0..there.len() as u64), "seed {seed}: {there:?}");
            assert!((durable..=told).contains(&(there.len() as u64)), "seed {seed}: {durable} {told}");
            lost += u64::from((there.len() as u64) < told);
            told = there.len() as u64;
            durable = told;
            for _ in 0..random.below(60) {
                let synced = match random.below(12) {
                    0 if random.below(4) == 0 => {
                        disk.fail_syncs(1 + random.below(3) as u32);
                        false
                    }
                    0 | 1 => journal.sync(journal.end()).is_ok(),
                    2 => journal.tick(at(told)).is_ok(),
                    _ => {
                        let count = 1 + random.below(150);
                        let taken = journal.append(START, &mut batch(told..told + count)).is_ok();
                        told += if taken { count } else { 0 };
                        false
                    }
                };
                durable = if synced { told } else { durable };
            }
            match random.below(5) {
                0 => {
                    disk.revive();
                    durable = told;
                }
                _ => disk.crash(random.number()),
            }
        }
    }
    assert!(lost > 50, "the simulated disk never loses anything: {lost}");
}

#[test]
fn a_process_killed_at_any_byte_keeps_every_append_that_returned() {
    for bytes in (1..9000).step_by(13) {
        let disk = SimDisk::new();
        disk.die_after(bytes);
        let mut told = 0;
        if let Ok(journal) = FileJournal::open(Arc::new(disk.clone()), options(), START) {
            while journal.append(START, &mut batch(told..told + 3)).is_ok() {
                told += 3;
                if told % 9 == 0 && journal.tick(at(told)).is_err() {
                    break;
                }
            }
        }
        disk.revive();
        let (journal, found) = open(&disk);
        assert_eq!(found.damages, [], "after {bytes} bytes");
        // The last write may have been whole, and the process dead before it could tell.
        let there = versions(&journal);
        assert!([told, told + 3].contains(&(there.len() as u64)), "after {bytes} bytes: {told}");
        assert!(there.iter().copied().eq(0..there.len() as u64), "after {bytes} bytes");
    }
}
