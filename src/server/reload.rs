//! Reloading: rescans the models folder regularly and at SIGHUP, which also reloads keys and
//! certificate.

use std::sync::Arc;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{app::App, config::ModelControl};

/// Starts listening for SIGHUP.
pub(super) fn hangup() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(|error| tracing::error!(%error, "cannot listen for SIGHUP"))
        .ok()
}

/// Rescans the folder at every poll and at SIGHUP, until the task is aborted.
pub(super) async fn keep_up_to_date(app: Arc<App>, mut hangup: Option<Signal>) {
    let mut polls = (app.config.model_control == ModelControl::Poll).then(|| {
        let mut polls = interval(app.config.poll_interval());
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        polls
    });
    loop {
        tokio::select! {
            () = received(&mut hangup) => {
                tracing::info!("received SIGHUP; reloading models, keys and certificate");
                reload_files(&app);
            }
            () = tick(&mut polls) => {}
        }
        rescan(&app).await;
    }
}

/// Reloads keys and certificate; an unusable file leaves the old ones in force.
fn reload_files(app: &App) {
    if let Some(keys) = &app.keys {
        match keys.reload() {
            Ok(count) => tracing::info!(count, "reloaded the API keys"),
            Err(error) => tracing::error!("{error}; keeping the old keys"),
        }
    }
    if let Some(tls) = &app.tls {
        match tls.reload() {
            Ok(()) => tracing::info!("reloaded the certificate"),
            Err(error) => tracing::error!("{error}; keeping the old certificate"),
        }
    }
}

async fn rescan(app: &App) {
    let Ok(repository) = app.repository().map(Arc::clone) else { return };
    let scanned = tokio::task::spawn_blocking(move || repository.rescan()).await;
    if let Err(panic) = scanned {
        tracing::error!(%panic, "scanning the models folder panicked");
    }
}

/// Never ready if SIGHUP cannot be received.
async fn received(hangup: &mut Option<Signal>) {
    if let Some(signal) = hangup
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

async fn tick(polls: &mut Option<Interval>) {
    match polls {
        Some(polls) => {
            polls.tick().await;
        }
        None => std::future::pending().await,
    }
}
