use std::sync::atomic::{AtomicU64, Ordering as Memory};

use portreeve_core::spiffe::SpiffeId;

use super::subject::window;
use super::*;

const LIMITS: Limits =
    Limits { first_head: Duration::from_secs(2), between: Duration::from_secs(4), age: None };
const WEB: &str = "spiffe://a.test/web";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A peer with a chain of its own per `chain`, valid from 0 for `lifetime` seconds.
fn subject(id: &str, chain: u8, lifetime: i64) -> Subject {
    let chain = Arc::new([vec![chain].into()]);
    Subject::new(SpiffeId::parse(id).unwrap(), chain, at(0), at(lifetime))
}

fn identified(registry: &Registry, id: &str, chain: u8, lifetime: i64) -> Registration {
    let registration = registry.register(LIMITS);
    registration.slot().identify(Some(subject(id, chain, lifetime)));
    registration
}

fn told(cuts: &Cuts) -> Vec<(&str, &str, u64)> {
    cuts.sorted().into_iter().map(|(id, reason, count)| (id.as_str(), reason, count)).collect()
}

async fn ticks(registry: &Registry, count: u32) {
    for _ in 0..count {
        registry.sweep(at(0)).await;
    }
}

#[tokio::test]
async fn a_connection_that_sends_no_head_is_closed_then_cut() {
    let registry = Registry::default();
    let registration = registry.register(LIMITS);
    registration.slot().identify(None);
    let mut orders = Vec::new();
    for _ in 0..16 {
        ticks(&registry, 1).await;
        orders.push(registration.slot().order());
    }
    assert_eq!(orders[3], None);
    assert_eq!(orders[4], Some(Order::Close));
    assert_eq!(orders[13], Some(Order::Close));
    assert_eq!(orders[14], Some(Order::Cut));
}

#[tokio::test]
async fn a_handshake_is_not_idle_and_is_cut_with_the_others() {
    let registry = Registry::default();
    let registration = registry.register(LIMITS);
    ticks(&registry, 40).await;
    assert_eq!(registration.slot().order(), None);
    registration.slot().identify(None);
    ticks(&registry, 4).await;
    assert_eq!(registration.slot().order(), None, "the first head has its whole time");
    registry.cut_all();
    assert_eq!(registration.slot().order(), Some(Order::Cut));
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_connection() {
    let registry = Registry::default();
    let registration = identified(&registry, WEB, 1, 1_000);
    let in_flight = registration.slot().begin();
    ticks(&registry, 40).await;
    assert_eq!(registration.slot().order(), None);
    drop(in_flight);
    ticks(&registry, 8).await;
    assert_eq!(registration.slot().order(), None);
    ticks(&registry, 1).await;
    assert_eq!(registration.slot().order(), Some(Order::Close));
}

#[tokio::test(start_paused = true)]
async fn a_drain_reaches_all_and_ends_when_the_last_is_gone() {
    let registry = Registry::default();
    let early = registry.register(LIMITS);
    registry.drain();
    let late = registry.register(LIMITS);
    for registration in [&early, &late] {
        assert_eq!(registration.slot().ordered(None).await, Order::Close);
    }
    drop(early);
    let deadline = Instant::now() + Duration::from_secs(5);
    assert_eq!(registry.emptied(deadline).await, Err(1));
    registry.cut_all();
    assert_eq!(late.slot().ordered(Some(Order::Close)).await, Order::Cut);
    drop(late);
    assert_eq!(registry.emptied(Instant::now() + Duration::from_secs(5)).await, Ok(()));
}

#[tokio::test]
async fn a_connection_retires_before_its_peers_svid_ends_and_is_cut_when_it_has() {
    let registry = Registry::default();
    let registration = identified(&registry, WEB, 1, 100);
    let slot = registration.slot();
    assert_eq!(registry.sweep(at(87)).await.total(), 0);
    assert_eq!(slot.order(), None, "the window is 10 s and at most a quarter more");
    registry.sweep(at(91)).await;
    assert_eq!(slot.order(), Some(Order::Retire));
    assert_eq!(slot.refusal(at(100)), None, "the last second is a valid one");
    assert_eq!(slot.refusal(Timestamp::from_unix_micros(100_000_001)), Some("svid.expired"));
    assert_eq!(slot.order(), Some(Order::Retire));
    let cuts = registry.sweep(at(101)).await;
    assert_eq!(told(&cuts), [(WEB, "svid.expired", 1)]);
    assert_eq!((slot.order(), slot.reason()), (Some(Order::Cut), Some("svid.expired")));
    assert_eq!(registry.sweep(at(102)).await.total(), 0, "it is told once");
}

#[test]
fn the_window_is_two_seconds_or_a_tenth_and_up_to_a_quarter_more() {
    for (lifetime, least, most) in [(10, 2_000, 2_500), (100, 10_000, 12_500), (0, 2_000, 2_500)] {
        let end = at(lifetime);
        assert_eq!(window(at(0), end, |range| *range.start()).as_millis(), least);
        assert_eq!(window(at(0), end, |range| *range.end()).as_millis(), most);
    }
}

#[tokio::test]
async fn an_old_connection_retires_a_little_before_its_age_and_others_stay() {
    let registry = Registry::default();
    let limits = Limits { age: Some(Duration::from_secs(50)), ..LIMITS };
    let old: Vec<_> = (0..20).map(|_| registry.register(limits)).collect();
    let ageless = registry.register(LIMITS);
    ticks(&registry, 89).await;
    assert!(old.iter().all(|registration| registration.slot().order().is_none()));
    ticks(&registry, 11).await;
    assert!(old.iter().all(|registration| registration.slot().order() == Some(Order::Retire)));
    assert_eq!(ageless.slot().order(), None);
}

#[test]
fn each_chain_is_verified_once_and_only_those_that_fail_are_cut() {
    let registry = Registry::default();
    let other = "spiffe://b.test/web";
    let kept: Vec<_> = (0..40).map(|_| identified(&registry, WEB, 1, 100)).collect();
    let cut: Vec<_> = (0..70).map(|n| identified(&registry, other, 2 + n % 2, 100)).collect();
    let shaking = registry.register(LIMITS);
    let verified = AtomicU64::new(0);
    let verify = |subject: &Subject| {
        verified.fetch_add(1, Memory::Relaxed);
        let is_kept = subject.id.as_str() == WEB;
        if is_kept { Ok(Some(at(50))) } else { Err("trust.no_bundle") }
    };
    let pass = registry.verify_again(verify);
    assert_eq!((pass.connections, pass.chains), (110, 3));
    assert_eq!(verified.load(Memory::Relaxed), 3);
    assert_eq!(told(&pass.cuts), [(other, "trust.no_bundle", 70)]);
    assert!(cut.iter().all(|cut| cut.slot().reason() == Some("trust.no_bundle")));
    assert!(cut.iter().all(|cut| cut.slot().order() == Some(Order::Cut)));
    assert!(kept.iter().all(|kept| kept.slot().order().is_none()));
    assert_eq!(kept[0].slot().refusal(at(51)), Some("svid.expired"), "the new path ends earlier");
    assert_eq!(shaking.slot().order(), None);
    assert_eq!(registry.verify_again(verify).cuts.total(), 0, "they are told once");
}

/// The two ends of the argument on the stage's own page, one after the other: publish and scan,
/// identify and look. In whichever order they come, one of them meets the other.
#[test]
fn no_connection_slips_past_a_change_of_trust() {
    const STEPS: [[usize; 4]; 6] =
        [[0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1], [2, 0, 1, 3], [2, 0, 3, 1], [2, 3, 0, 1]];
    for order in STEPS {
        let registry = Registry::default();
        let published = AtomicU64::new(1);
        let registration = registry.register(LIMITS);
        let used = published.load(Memory::Relaxed);
        let mut saw_change = false;
        for step in order {
            match step {
                0 => published.store(2, Memory::Relaxed),
                1 => drop(registry.verify_again(|_| Err("trust.no_bundle"))),
                2 => registration.slot().identify(Some(subject(WEB, 1, 100))),
                _ => saw_change = published.load(Memory::Relaxed) != used,
            }
        }
        let was_cut = registration.slot().order() == Some(Order::Cut);
        assert!(was_cut || saw_change, "{order:?}");
    }
}

/// The same with two threads that race: the lock of the shard, not luck, orders them.
#[test]
fn no_connection_slips_past_a_change_of_trust_that_races_with_it() {
    for _ in 0..2_000 {
        let registry = Registry::default();
        let published = AtomicU64::new(1);
        let registration = registry.register(LIMITS);
        let saw_change = std::thread::scope(|scope| {
            scope.spawn(|| {
                published.store(2, Memory::Relaxed);
                registry.verify_again(|_| Err("trust.no_bundle"));
            });
            registration.slot().identify(Some(subject(WEB, 1, 100)));
            published.load(Memory::Relaxed) == 2
        });
        assert!(saw_change || registration.slot().order() == Some(Order::Cut));
    }
}
