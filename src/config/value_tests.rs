use super::*;

#[test]
fn sizes_are_powers_of_1024_and_print_as_they_are_read() {
    assert_eq!(parse_size("100M"), Some(100 << 20));
    assert_eq!(parse_size("7"), Some(7));
    for text in ["1K", "1536K", "3M", "2G", "1025", "0"] {
        assert_eq!(parse_size(text).map(size_text).as_deref(), Some(text));
    }
    for wrong in ["", "M", "1.5M", "-1K", "+1", "1 M", "1T", "1KB", "99999999999999999999", "99999999999G"] {
        assert_eq!(parse_size(wrong), None, "{wrong}");
    }
}

#[test]
fn times_of_the_day_are_hour_and_minute() {
    for (text, want) in [("02:30", (2, 30)), ("2:30", (2, 30)), ("00:00", (0, 0)), ("23:59:00", (23, 59))] {
        assert_eq!(parse_time(text), Some(want), "{text}");
    }
    for wrong in ["", "2", "24:00", "12:60", "1:2", "12:30:15", "-1:30", "+2:30", "02:30:00:00", "12:"] {
        assert_eq!(parse_time(wrong), None, "{wrong}");
    }
}

#[test]
fn mapped_networks_become_ipv4_ones() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    assert_eq!(canonical(net("::ffff:10.0.0.0/104")), net("10.0.0.0/8"));
    assert_eq!(canonical(net("::ffff:0:0/90")), net("::ffff:0:0/90"));
    assert_eq!(canonical(net("fd00::/8")), net("fd00::/8"));
}
