//! What the simulated disk forgets and keeps.

use super::*;

#[test]
fn a_power_cut_takes_only_what_was_not_synced() {
    let mut lost = 0;
    for seed in 0..64 {
        let disk = SimDisk::new();
        let file = disk.create("a").unwrap();
        disk.sync_dir().unwrap();
        file.write_all_at(&[1; 10_000], 0).unwrap();
        file.sync_data().unwrap();
        file.write_all_at(&[2; 10_000], 10_000).unwrap();
        disk.crash(seed);
        let content = disk.content("a").unwrap();
        assert_eq!(&content[..10_000], &[1; 10_000]);
        lost += u32::from(content.len() < 20_000 || content[10_000..].contains(&0));
        assert!(file.write_all_at(&[3], 0).is_err(), "a handle of before the power cut works");
    }
    assert!((8..64).contains(&lost), "{lost} of 64");
}

#[test]
fn a_dying_program_leaves_what_it_wrote_and_a_full_disk_what_fitted() {
    let disk = SimDisk::new();
    let file = disk.create("a").unwrap();
    disk.set_room(Some(4));
    assert_eq!(file.write_all_at(b"abcdef", 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.set_room(None);
    disk.die_after(2);
    assert!(file.write_all_at(b"xyz", 4).is_err() && disk.is_dead());
    assert!(disk.open("a").is_err());
    disk.revive();
    assert_eq!(disk.content("a").unwrap(), b"abcdxy");
}
