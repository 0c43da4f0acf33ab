//! Reloading: rescans the models folder regularly and at SIGHUP, which also reloads keys and
//! certificate. Each of the three is a loop of its own: keys never wait for models.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use crate::{
    admission::Keys,
    app::{App, Phase},
    config::ModelControl,
    readers::ReadError,
    transport::Tls,
};

/// Pause before keys or a certificate that could not be read in time are read again.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts listening for SIGHUP.
pub(super) fn hangup() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(|error| tracing::error!(%error, "cannot listen for SIGHUP"))
        .ok()
}

/// Reloads keys and certificate at SIGHUP; once the server is ready, rescans the folder at every
/// poll and at SIGHUP. It never returns.
pub(super) async fn keep_up_to_date(app: Arc<App>, mut hangup: Option<Signal>) {
    let [keys, certificate, models] = [(); 3].map(|()| Notify::new());
    let hangups = async {
        loop {
            received(&mut hangup).await;
            tracing::info!("received SIGHUP; reloading models, keys and certificate");
            for asked in [&keys, &certificate, &models] {
                asked.notify_one();
            }
        }
    };
    tokio::join!(
        hangups,
        reload_when("API keys", &keys, || reload_keys(&app)),
        reload_when("certificate", &certificate, || reload_certificate(&app)),
        rescan_when(&app, &models),
    );
}

/// Reloads whenever `asked`. If the files could not be read in time, it tries again until they are
/// read: what an operator revoked must not stay in force because a mount hung for a while.
async fn reload_when<F: Future<Output = Result<(), ReadError>>>(
    what: &str,
    asked: &Notify,
    reload: impl Fn() -> F,
) {
    let mut is_overdue = false;
    loop {
        tokio::select! {
            () = asked.notified() => {}
            () = sleep(AGAIN), if is_overdue => {}
        }
        match reload().await {
            Ok(()) => is_overdue = false,
            Err(error) if is_overdue => tracing::debug!(what, %error, "still cannot reload"),
            Err(error) => {
                tracing::error!(
                    "cannot reload the {what}: {error}; keeping the old ones until it works"
                );
                is_overdue = true;
            }
        }
    }
}

/// Reloads the keys; an unusable file leaves the old ones in force.
async fn reload_keys(app: &Arc<App>) -> Result<(), ReadError> {
    let Some(keys) = &app.keys else { return Ok(()) };
    let file = keys.file().to_owned();
    match read(app, keys.file(), move || Keys::open(&file)).await? {
        Ok(new) => tracing::info!(count = keys.replace(new), "reloaded the API keys"),
        Err(error) => tracing::error!("{error}; keeping the old keys"),
    }
    Ok(())
}

/// Reloads the certificate; unusable files leave the old one in force.
async fn reload_certificate(app: &Arc<App>) -> Result<(), ReadError> {
    let Some(tls) = &app.tls else { return Ok(()) };
    let (certificate, key) = tls.files();
    let (certificate, key) = (certificate.to_owned(), key.to_owned());
    match read(app, tls.files().0, move || Tls::open(&certificate, &key)).await? {
        Ok(new) => {
            tls.replace(new);
            tracing::info!("reloaded the certificate");
        }
        Err(error) => tracing::error!("{error}; keeping the old certificate"),
    }
    Ok(())
}

/// Reads files within the time limit, without blocking a thread that serves connections.
async fn read<T: Send + 'static>(
    app: &App,
    path: &Path,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    let (readers, path) = (app.readers.clone(), path.to_owned());
    spawn_blocking(move || readers.run(&path, read)).await.unwrap_or(Err(ReadError::Panicked))
}

/// Rescans the folder at every poll and whenever `asked`, once the server is ready.
async fn rescan_when(app: &App, asked: &Notify) {
    app.reached(Phase::Ready).await;
    let mut polls = (app.config.models.model_control == ModelControl::Poll).then(|| {
        let mut polls = interval(app.config.poll_interval());
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        polls
    });
    loop {
        let is_asked = tokio::select! {
            () = asked.notified() => true,
            () = tick(&mut polls) => false,
        };
        rescan(app, is_asked).await;
    }
}

/// Rescans the folder. If an operator asked for it, versions that failed before are tried again.
async fn rescan(app: &App, is_asked: bool) {
    let Ok(repository) = app.repository().map(Arc::clone) else { return };
    let scanned = spawn_blocking(move || repository.rescan(is_asked)).await;
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
