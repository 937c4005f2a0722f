//! Callers that ask again as soon as they are answered, or at moments set beforehand.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use crate::caller::{self, Connection, Target};
use crate::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    caller: caller::Args,
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// HTTP/2 streams that each connection keeps busy.
    #[arg(long, default_value_t = 1)]
    streams: u32,
    /// Stop after so many requests.
    #[arg(long, required_unless_present = "seconds")]
    requests: Option<u64>,
    /// Stop after so long.
    #[arg(long)]
    seconds: Option<f64>,
    /// Requests a second over all connections; a latency then counts from the moment at which its
    /// request was due. Moments are kept to the millisecond.
    #[arg(long)]
    rate: Option<f64>,
}

/// What all loops share.
struct Plan {
    begin: Instant,
    end: Option<Instant>,
    left: RefCell<u64>,
    /// Between two requests of one loop, where a rate is set.
    interval: Option<Duration>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    errors: u64,
    first_error: Option<String>,
    micros: Vec<u32>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let target = Arc::new(Target::new(&args.caller).await?);
    let mut loops = Vec::new();
    for _ in 0..args.connections {
        let connection = target.connect().await?;
        for _ in 1..args.streams {
            loops.extend(connection.another_stream());
        }
        loops.push(connection);
    }
    let begin = Instant::now();
    let count = f64::from(u32::try_from(loops.len()).unwrap_or(u32::MAX));
    let plan = Rc::new(Plan {
        begin,
        end: args.seconds.map(|seconds| begin + Duration::from_secs_f64(seconds)),
        left: RefCell::new(args.requests.unwrap_or(u64::MAX)),
        interval: args.rate.map(|rate| Duration::from_secs_f64(count / rate)),
        seen: RefCell::default(),
    });
    let local = LocalSet::new();
    for (index, connection) in (0_u32..).zip(loops) {
        let offset = plan
            .interval
            .map_or(Duration::ZERO, |interval| interval.mul_f64(f64::from(index) / count));
        local.spawn_local(ask_on(Rc::clone(&plan), connection, Arc::clone(&target), offset));
    }
    local.await;
    report(&plan, begin.elapsed().as_secs_f64())
}

async fn ask_on(plan: Rc<Plan>, mut connection: Connection, target: Arc<Target>, offset: Duration) {
    let mut due = plan.begin + offset;
    while take(&plan) {
        let began = if let Some(interval) = plan.interval {
            sleep_until(due).await;
            let began = due;
            due += interval;
            began
        } else {
            Instant::now()
        };
        let failed = match connection.ask().await {
            Ok(200) => {
                let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
                plan.seen.borrow_mut().micros.push(micros);
                continue;
            }
            Ok(status) => format!("status {status}"),
            Err(error) => {
                let failed = format!("{error:#}");
                match target.connect().await {
                    Ok(fresh) => connection = fresh,
                    Err(_) => return,
                }
                failed
            }
        };
        let mut seen = plan.seen.borrow_mut();
        seen.errors += 1;
        seen.first_error.get_or_insert(failed);
    }
}

/// Whether another request is due.
fn take(plan: &Plan) -> bool {
    if plan.end.is_some_and(|end| Instant::now() >= end) {
        return false;
    }
    let mut left = plan.left.borrow_mut();
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
}

fn report(plan: &Plan, seconds: f64) -> anyhow::Result<()> {
    let mut seen = plan.seen.borrow_mut();
    seen.micros.sort_unstable();
    let at = |share: usize| {
        let index = seen.micros.len() * share / 100;
        seen.micros.get(index).map(|micros| f64::from(*micros) / 1_000.0)
    };
    let requests = u32::try_from(seen.micros.len()).unwrap_or(u32::MAX);
    say(&serde_json::json!({
        "requests": requests,
        "errors": seen.errors,
        "first_error": seen.first_error,
        "seconds": seconds,
        "rps": f64::from(requests) / seconds,
        "p50_ms": at(50),
        "p99_ms": at(99),
    }))
}
