//! One story for each seed.

use super::*;

fn story(seed: u64) {
    let mut rng = Xorshift(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut world = World::new(&IDS, rules(), policy());
    // Some seeds are busy, some are calm, and in some there are flapping monitors.
    let rate = 1 + rng.below(400);
    let flappers = rng.one_in(2);
    for _ in 0..rng.below(4_000) {
        world.now = after(world.now, Span(rng.below(20_000)));
        for (n, id) in IDS.iter().enumerate() {
            let eager = flappers && n < 2;
            if !eager && !rng.one_in(rate) {
                continue;
            }
            match rng.below(30) {
                0 => world.pause(n, true),
                1..=3 => world.pause(n, false),
                4 => world.remove(n),
                5..=7 if world.monitors[n].gone => world.make(id),
                8..=10 if world.monitors[n].state == State::Down => world.fail(n),
                8..=10 => world.down(n, Cause::Fail),
                11..=18 => world.down(n, Cause::Silence),
                _ => world.beat(n),
            }
        }
        world.turn(rng.one_in(10));
        if rng.one_in(50) {
            world.restart();
        }
    }
    // In the end all is well, and stays so.
    for n in 0..world.monitors.len() {
        world.pause(n, false);
        world.beat(n);
    }
    for _ in 0..1_500 {
        world.now = after(world.now, Span::secs(10));
        world.turn(rng.one_in(10));
    }
    world.judge(seed);
    assert_eq!(world.machine.len(), 0, "seed {seed}: what is over is forgotten");
    assert!(world.kept.0.is_empty(), "seed {seed}");
}

#[test]
fn whatever_happens_each_outage_is_told_once_and_so_is_its_end() {
    let more = std::env::var("HEARTBEAT_ALERT_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 1..=more.unwrap_or(25) {
        story(seed);
    }
}
