use super::*;

const MAX: usize = 64 << 20;
const PIECE: usize = 256 << 10;

fn peer(ip: &str) -> Peer {
    Peer::from_ip(ip.parse().unwrap())
}

/// What somebody gets who takes all he can.
fn fill(budget: &Arc<Budget>, ip: &str) -> (Vec<MemoryReservation>, ConnectionRefusal) {
    let mut all = Vec::new();
    loop {
        let mut one = MemoryReservation::new(budget.clone(), peer(ip));
        match one.set(PIECE, MAX) {
            Ok(()) => all.push(one),
            Err(why) => return (all, why),
        }
    }
}

fn assert_nothing_is_held(budget: &Budget) {
    let books = budget.books();
    assert_eq!((books.used, books.leaving, books.by_account.len(), books.ranks.len()), (0, 0, 0, 0));
}

#[test]
fn who_holds_most_is_refused_and_who_holds_little_is_not() {
    let budget = Arc::<Budget>::default();
    let used = || budget.books().used;
    let (first, why) = fill(&budget, "2001:db8::1");
    assert_eq!((first.len() * PIECE, why), (MAX / 2, ConnectionRefusal::Memory));
    assert!(
        MemoryReservation::new(budget.clone(), peer("2001:db8::2")).set(PIECE, MAX).is_err(),
        "a /64 is one host"
    );
    let (second, _) = fill(&budget, "203.0.113.2");
    assert_eq!(second.len() * PIECE, MAX / 4);
    let many: Vec<_> = (0..250).map(|n| fill(&budget, &format!("198.51.100.{n}")).0).collect();
    assert!(used() <= MAX && many[0].len() > many[200].len(), "{}", used());
    // One that shrinks and grows again within what it had.
    drop((first, second, many));
    assert_nothing_is_held(&budget);
}

#[test]
fn this_machine_may_have_nine_tenths_before_it_is_one_host_among_others() {
    let budget = Arc::<Budget>::default();
    let (own, _) = fill(&budget, "127.0.0.1");
    assert_eq!(own.len(), MAX / 10 * 9 / PIECE);
    let (other, _) = fill(&budget, "203.0.113.2");
    assert!(other.len() * PIECE >= MAX / 32, "{}", other.len());
}

#[test]
fn who_holds_little_is_given_room_at_the_cost_of_who_holds_most() {
    let budget = Arc::<Budget>::default();
    // Each host half of what the others have left, until that is nothing.
    let mut greedy: Vec<_> = (0..9).map(|n| fill(&budget, &format!("198.51.100.{n}")).0).collect();
    assert_eq!(budget.books().used, MAX);
    assert!(greedy.iter().flatten().all(|held| held.shed_host().is_none()));
    let mut honest = MemoryReservation::new(budget.clone(), peer("203.0.113.2"));
    assert_eq!(honest.set(FAIR_BYTES, MAX), Ok(()));
    let shed: Vec<_> = greedy.iter().flatten().filter(|held| held.shed_host().is_some()).collect();
    assert_eq!((shed.len(), shed[0].shed_host()), (1, Some(peer("198.51.100.0"))), "and no more than that");
    // Whoever would hold as much as the greatest pushes nobody out.
    let (more, why) = fill(&budget, "203.0.113.2");
    assert_eq!((more.len(), why), (0, ConnectionRefusal::Memory));
    // What must go holds no more than before, and counts until it is gone.
    let shed = greedy.iter_mut().flatten().find(|held| held.shed_host().is_some()).unwrap();
    assert_eq!(shed.set(2 * PIECE, MAX), Err(ConnectionRefusal::Shed));
    assert_eq!(shed.set(PIECE / 2, MAX), Ok(()));
    assert_eq!(budget.books().leaving, PIECE / 2);
    let crowd: Vec<_> = (0..250).map(|n| fill(&budget, &format!("192.0.2.{n}")).0).collect();
    let used = budget.books().used;
    let leaving = budget.books().leaving;
    assert!(used <= MAX && leaving <= MAX / 4 && leaving > MAX / 8, "{used} {leaving}");
    assert!(crowd[0].len() == 1 && crowd[249].is_empty());
    drop((greedy, crowd, honest));
    assert_nothing_is_held(&budget);
}

#[test]
fn of_one_host_a_connection_that_holds_much_makes_way_for_one_that_needs_little() {
    let budget = Arc::<Budget>::default();
    let (first, _) = fill(&budget, "203.0.113.2");
    let mut one = MemoryReservation::new(budget.clone(), peer("203.0.113.2"));
    assert_eq!(one.set(PIECE / 2, MAX), Err(ConnectionRefusal::Memory), "half as much is not little");
    assert!(first.iter().all(|held| held.shed_host().is_none()));
    let mut one = MemoryReservation::new(budget.clone(), peer("203.0.113.2"));
    assert_eq!(one.set(PIECE / OWN_SHARE, MAX), Ok(()));
    assert_eq!(first.iter().filter(|held| held.shed_host().is_some()).count(), 1);
    // Two things of one connection are one.
    let mut other = MemoryReservation::of(budget.clone(), peer("203.0.113.2"), one.signal());
    assert_eq!(other.set(PIECE, MAX), Err(ConnectionRefusal::Memory));
    assert_eq!(other.set(PIECE / 8, MAX), Ok(()));
    assert_eq!(other.set(PIECE / 4, MAX), Ok(()), "there was room left of what has gone");
}

#[test]
fn what_a_proxy_brings_stands_alone_until_it_is_known_who_pays() {
    let budget = Arc::<Budget>::default();
    let mut proxied: Vec<MemoryReservation> = Vec::new();
    let enter = |bytes| {
        let mut held = MemoryReservation::new(budget.clone(), peer("127.0.0.1"));
        held.stand_alone(peer("127.0.0.1"));
        assert_eq!(held.set(bytes, MAX), Ok(()));
        held
    };
    // Together they hold more than anybody else, and none of them is who holds most.
    proxied.extend((0..1500).map(|_| enter(PIECE / 8)));
    let greedy: Vec<_> = (0..9).map(|n| fill(&budget, &format!("198.51.100.{n}")).0).collect();
    assert!(budget.books().used + PIECE > MAX);
    for _ in 0..20 {
        let mut held = enter(PIECE / 8);
        assert_eq!(held.charge(peer("203.0.113.2"), MAX), Ok(()));
        // It was answered, and the next request may be anybody's.
        held.stand_alone(peer("127.0.0.1"));
        proxied.push(held);
    }
    assert!(proxied.iter().all(|held| held.shed_host().is_none() && held.bytes() == PIECE / 8));
    // Who holds as much as he may gets no more by a proxy, whose connection keeps what it has.
    let mut more = enter(PIECE / 2);
    assert_eq!(more.charge(peer("198.51.100.0"), MAX), Err(ConnectionRefusal::Memory));
    assert!(more.alone && more.bytes() == PIECE / 2);
    drop((proxied, greedy, more));
    assert_nothing_is_held(&budget);
}

#[test]
fn what_is_little_is_granted_as_long_as_there_is_any() {
    let budget = Arc::<Budget>::default();
    let mut one = MemoryReservation::new(budget.clone(), peer("203.0.113.2"));
    assert_eq!(one.set(MAX + 1, MAX), Err(ConnectionRefusal::Memory));
    assert_eq!((one.set(FAIR_BYTES, MAX), one.set(100, MAX), one.bytes()), (Ok(()), Ok(()), 100));
    assert_eq!(one.set(200, 150), Err(ConnectionRefusal::MemoryTotal), "the budget was cut by a reload");
    assert_eq!(one.set(50, 10), Ok(()), "less always goes");
}
