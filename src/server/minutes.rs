//! Ends each minute of the models' rolling views.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::app::{App, Phase};

const MINUTE: Duration = Duration::from_mins(1);

/// Ends each minute, once the server is ready. It never returns.
pub(super) async fn end_each(app: Arc<App>) {
    app.reached(Phase::Ready).await;
    let mut minutes = interval(MINUTE);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        minutes.tick().await;
        let Ok(repository) = app.repository() else { continue };
        let now = Instant::now();
        for model in &repository.models() {
            model.metrics.baseline.end_minute(now);
            let changed = model.change.as_ref().is_some_and(|change| change.standing().alarm);
            model.metrics.baseline.changed.set(i64::from(changed));
        }
    }
}
