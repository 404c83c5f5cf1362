//! What is done before a signal ends this process.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

const SIGHUP: i32 = 1;
pub const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Calls `last` with the first signal that `ends` this process, in a thread of its own; it is to end the process. One that
/// does not end it is not minded from now on.
///
/// # Errors
/// Where no signals can be listened for: nothing is minded then.
pub fn before_the_end(ends: fn(i32) -> bool, last: impl FnOnce(i32) + Send + 'static) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for signals")?;
    let (mut hangup, mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let listen = |kind| signal(kind).context("can't listen for signals");
        (listen(SignalKind::hangup())?, listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        let signal = runtime.block_on(async {
            loop {
                let signal = tokio::select! {
                    _ = hangup.recv() => SIGHUP,
                    _ = interrupt.recv() => SIGINT,
                    _ = terminate.recv() => SIGTERM,
                };
                if ends(signal) {
                    return signal;
                }
            }
        });
        last(signal);
    });
    Ok(())
}
