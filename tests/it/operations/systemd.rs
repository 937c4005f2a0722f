//! What systemd is told: readiness, reloads, the end, and that we are alive.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::UnixDatagram;

use super::process::Process;
use super::world::{PATIENCE, World, until};

/// systemd's end of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(socket: &Path) -> Self {
        Self(UnixDatagram::bind(socket).unwrap())
    }

    async fn told(&self) -> String {
        let mut message = vec![0; 4096];
        let receiving = self.0.recv(&mut message);
        let length = tokio::time::timeout(PATIENCE, receiving).await.unwrap().unwrap();
        message.truncate(length);
        String::from_utf8(message).unwrap()
    }

    /// What was said and not yet read.
    fn backlog(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut message = vec![0; 4096];
        while let Ok(length) = self.0.try_recv(&mut message) {
            messages.push(String::from_utf8_lossy(&message[..length]).into_owned());
        }
        messages
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_of_readiness_of_a_reload_and_of_the_end() {
    let mut world = World::new();
    world.api = None;
    let manager = Manager::listen(&world.path("notify.sock"));
    let socket = world.path("notify.sock");
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap())];
    let mut process = Process::spawn(world.dir.path(), &environment);
    until("the missing identity", async || {
        process.reasons().await.is_some_and(|it| it.contains(&"identity.unavailable".to_owned()))
    })
    .await;
    // A reload before the first readiness makes nothing ready.
    process.signal(Signal::HUP);
    until("the reload", async || process.said().contains("configuration reloaded")).await;
    tokio::time::sleep(Duration::from_millis(300)).await; // longer than it takes to look twice
    assert_eq!(manager.backlog(), Vec::<String>::new());

    world.restart_api();
    assert_eq!(manager.told().await, "READY=1\n");
    assert_eq!(process.reasons().await, Some(vec![]));
    process.signal(Signal::HUP);
    let reloading = manager.told().await;
    let (first, second) = reloading.split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    let moment = second.strip_prefix("MONOTONIC_USEC=").unwrap().trim_end();
    assert!(moment.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.told().await, "READY=1\n");
    process.signal(Signal::TERM);
    assert_eq!(manager.told().await, "STOPPING=1\n");
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(manager.backlog(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_is_fed_when_systemd_asks_for_it() {
    let world = World::new();
    let manager = Manager::listen(&world.path("notify.sock"));
    let socket = world.path("notify.sock");
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "800000")];
    let _process = Process::spawn(world.dir.path(), &environment);
    let began = tokio::time::Instant::now();
    let mut pings = 0;
    while pings < 4 {
        match &*manager.told().await {
            "WATCHDOG=1\n" => pings += 1,
            "READY=1\n" => {}
            other => panic!("unexpected: {other}"),
        }
    }
    // The first comes at once, the others within half of what systemd waits.
    assert!(began.elapsed() < Duration::from_millis(4 * 800), "{:?}", began.elapsed());
}
