use super::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A record of an ordinary beat, for tests here and around.
pub(crate) fn beat(id: &str, number: u64, version: u64, at: Wall) -> Record<'_> {
    Record {
        id: IdRef::new(id).unwrap(),
        number,
        version,
        at,
        change: Change::None,
        state: State::Up,
        beneath: State::Up,
        since: Wall(at.0 - 86_400_000),
        last_beat: Some(at),
        beats: version,
        status: Status::Ok,
        source: Source { peer: Peer::Ip([192, 168, 1, 53].into()), transport: Transport::Http },
        sequence: Some(Sequence { last: version, window: u32::MAX, gaps: 1, repeats: 0 }),
        interval: Span::secs(60),
        grace: Span::secs(30),
        asked: None,
        incident: None,
        details: None,
    }
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(State::ALL.to_vec())
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::None),
        Just(Change::Created),
        (state(), any::<bool>()).prop_map(|(from, muted)| Change::State { from, muted }),
        Just(Change::Removed),
        Just(Change::Failed),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Ok),
        Just(Status::Fail),
        Just(Status::Start),
        Just(Status::Log),
        any::<i64>().prop_map(Status::Exit),
        any::<u8>().prop_map(Status::Signal),
    ]
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![Just(Peer::Unix), any::<IpAddr>().prop_map(Peer::from_ip)]
}

fn wall() -> impl Strategy<Value = Wall> {
    prop_oneof![any::<i64>(), 1_700_000_000_000..1_800_000_000_000i64].prop_map(Wall)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn id() -> impl Strategy<Value = IdRef<'static>> {
    "[a-z0-9._:心-]{3,40}".prop_map(|text| IdRef::new(leak(text)).unwrap())
}

fn details() -> impl Strategy<Value = Details<'static>> {
    let pause = (any::<bool>(), option::of(wall())).prop_map(|(person, until)| Pause {
        by: if person { PausedBy::Person } else { PausedBy::Window },
        until,
    });
    let run = (".{0,8}", wall(), any::<u64>()).prop_map(|(rid, started, limit)| Run {
        rid: leak(rid),
        started,
        limit: Span(limit),
    });
    let texts = (option::of(id()), option::of(".{0,200}"), vec(".{0,20}", 0..16));
    let rest = (option::of(any::<i64>()), option::of(any::<u64>()), vec(run, 0..16));
    (texts, rest, option::of(pause), any::<bool>()).prop_map(
        |((reported_ip, message, tags), (skew_ms, run_took, runs), pause, declared)| Details {
            reported_ip,
            message_at: message.as_ref().and(skew_ms).map(Wall),
            message_beat: message.as_ref().map_or(0, |message| message.len() as u64),
            message: message.map(leak),
            tags: tags.into_iter().map(leak).collect(),
            skew_ms,
            run_took: run_took.map(Span),
            runs,
            pause,
            declared,
        },
    )
}

pub(crate) fn record() -> impl Strategy<Value = Record<'static>> {
    let sequence = any::<(u64, u32, u32, u32)>().prop_map(|(last, window, gaps, repeats)| Sequence {
        last,
        window,
        gaps,
        repeats,
    });
    let exit = prop_oneof![any::<i64>().prop_map(Exit::Code), any::<u8>().prop_map(Exit::Signal)];
    let reason = (prop::sample::select(Cause::ALL.to_vec()), option::of(exit), option::of(wall()))
        .prop_map(|(cause, exit, run_started)| Reason { cause, exit, run_started });
    let incident = (any::<u64>(), wall(), reason).prop_map(|(beats, started, reason)| OpenIncident {
        beats,
        started,
        reason,
    });
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let times = (wall(), wall(), option::of(wall()), any::<bool>());
    let states = (change(), state(), state(), status(), peer());
    let rest = (option::of(sequence), option::of(incident), option::of(details()), option::of(any::<u64>()));
    (id(), numbers, times, states, rest).prop_map(|(id, numbers, times, states, rest)| Record {
        id,
        number: numbers.0,
        version: numbers.1,
        at: times.0,
        change: states.0,
        state: states.1,
        beneath: states.2,
        since: times.1,
        last_beat: if times.3 { Some(times.0) } else { times.2 },
        beats: numbers.2,
        status: states.3,
        source: Source { peer: states.4, transport: Transport::Http },
        sequence: rest.0,
        interval: Span(numbers.3),
        grace: Span(numbers.4),
        asked: rest.3.map(Span),
        incident: rest.1,
        details: rest.2,
    })
}

proptest! {
    #[test]
    fn every_record_is_read_as_it_was_written(records in vec(record(), 1..4), base in wall()) {
        let mut bytes = Vec::new();
        for record in &records {
            encode(record, base, &mut bytes);
        }
        let mut rest = bytes.as_slice();
        for record in &records {
            prop_assert_eq!(decode(&mut rest, base), Ok(record.clone()));
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_record_cut_anywhere_is_refused(record in record(), base in wall(), cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        encode(&record, base, &mut bytes);
        let cut = cut.index(bytes.len());
        let mut rest = &bytes[..cut];
        prop_assert!(decode(&mut rest, base).is_err());
        prop_assert_eq!(rest.len(), cut);
    }

    #[test]
    fn whatever_is_read_is_written_again_to_the_same_meaning(bytes in vec(any::<u8>(), 0..200)) {
        let mut with_head = vec![FORMAT << 5, 9, 0, 0, 1];
        with_head.extend_from_slice(&bytes);
        for input in [&bytes, &with_head] {
            let mut rest = input.as_slice();
            if let Ok(record) = decode(&mut rest, Wall(7)) {
                let mut again = Vec::new();
                encode(&record, Wall(7), &mut again);
                prop_assert_eq!(decode(&mut again.as_slice(), Wall(7)), Ok(record));
            }
        }
    }
}

#[test]
fn an_ordinary_beat_is_short() {
    let now = Wall(1_770_521_420_000);
    let mut bytes = Vec::new();
    encode(&beat("web-01.example.x", 900_000, 100_000, now), now, &mut bytes);
    assert!(bytes.len() <= 64, "{}", bytes.len());
}

#[test]
fn what_a_later_version_wrote_is_refused_by_name() {
    let mut bytes = Vec::new();
    encode(&beat("a", 1, 1, Wall(1)), Wall(0), &mut bytes);
    for (place, value, want) in [
        (0, 3 << 5, CodecError::Format(3)),
        (0, 0, CodecError::Format(0)),
        (0, FORMAT << 5 | 7, CodecError::Value("change")),
        (1, 0x47, CodecError::Value("state")),
        (2, 7, CodecError::Value("status")),
        (2, 0x80, CodecError::Value("flag")),
        (3, 200, CodecError::Value("transport")),
    ] {
        let mut wrong = bytes.clone();
        wrong[place] = value;
        assert_eq!(decode(&mut wrong.as_slice(), Wall(0)), Err(want));
    }
    let last = bytes.len() - 1;
    bytes[last] = b'/';
    assert_eq!(decode(&mut bytes.as_slice(), Wall(0)), Err(CodecError::Value("id")));
}

#[test]
fn a_record_of_the_first_format_is_read() {
    // As 0.4.0 wrote it: a failure with exit code 200, of `web` with number 9, version 7, seven beats.
    let mut first = vec![1 << 5 | 1 << 3 | 2, 0xc0 | 3 << 3 | 3, 1 << 3 | 4, 0, 3, 1, 200, 9, 7, 0, 0, 7];
    first.extend_from_slice(&[10, 0, 0, 1, 60, 30, 7, 0, 1]);
    first.extend_from_slice(b"web");
    let record = decode(&mut first.as_slice(), Wall(1_000)).unwrap();
    assert_eq!((record.id.as_str(), record.number, record.version, record.beats), ("web", 9, 7, 7));
    assert_eq!((record.status, record.state), (Status::Exit(200), State::Down));
    let incident = OpenIncident { beats: 7, started: Wall(1_000), reason: Cause::Fail.into() };
    assert_eq!(record.incident, Some(incident));
    // A signal, and a failure that changes nothing, came with the second.
    first[0] = 1 << 5 | 1 << 3 | 5;
    assert_eq!(decode(&mut first.as_slice(), Wall(1_000)), Err(CodecError::Value("change")));
    first[0] = 1 << 5 | 1 << 3 | 2;
    first[2] = 1 << 3 | 5;
    assert_eq!(decode(&mut first.as_slice(), Wall(1_000)), Err(CodecError::Value("status")));
}

#[test]
fn a_record_beyond_all_bounds_goes_without_its_details() {
    let text = "x".repeat(RECORD_BYTES_MAX);
    let mut record = beat("a", 1, 1, Wall(1));
    record.details = Some(Details { message: Some(&text), ..Details::default() });
    let mut bytes = Vec::new();
    encode(&record, Wall(0), &mut bytes);
    record.details = None;
    assert_eq!(decode(&mut bytes.as_slice(), Wall(0)), Ok(record));
}
