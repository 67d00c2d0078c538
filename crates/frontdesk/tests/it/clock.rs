//! A clock for calls with real models: tokio's, paused, and moved by hand. It stands still while a model thinks and runs at
//! most ten times as fast as the wall, so that the database, which lives on threads of its own, keeps up.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Virtual time of one step.
const STEP: Duration = Duration::from_millis(5);
/// Wall time of one step, at least.
const STEP_WALL: Duration = Duration::from_micros(500);

/// Runs `work` while `is_idle` says that no model thinks.
pub(crate) async fn fly<T>(is_idle: impl Fn() -> bool, work: impl Future<Output = T>) -> T {
    tokio::time::pause();
    // A blocking task that never ends keeps tokio from jumping ahead by itself.
    let (release, held) = sync_channel::<()>(1);
    let holder = tokio::task::spawn_blocking(move || held.recv());
    let clock = async {
        loop {
            let began = Instant::now();
            loop {
                settle().await;
                if is_idle() && began.elapsed() >= STEP_WALL {
                    break;
                }
            }
            tokio::time::advance(STEP).await;
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = clock => unreachable!("the clock never stops by itself"),
    };
    drop(release);
    let _ = holder.await; // It ends because its channel has.
    tokio::time::resume();
    done
}

/// Lets everything that can run, run; other threads included.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
    let _ = tokio::task::spawn_blocking(std::thread::yield_now).await;
}
