//! One change of the served models: which versions to open, to keep and to retire.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    ChangeState, Failures, Repository, RepositoryError,
    folder::{Fingerprint, Folder, ModelVersionDir, wanted},
    lock,
    opening::{Opened, Opening},
    snapshot::{Key, Served, Snapshot, Versions},
};
use crate::config::{ModelControl, VersionPolicy};

/// A version that cannot be opened is tried again after this many times as long as the attempt
/// took: attempts never take more than a tenth of the time.
const PAUSE: u32 = 9;
/// Most lower versions that are tried at one scan in place of one that cannot be served.
const MOST_FALLBACKS: usize = 16;

impl Repository {
    /// Serves what the folder has, of one model or of all. The argument `state` proves that its
    /// lock is held. If the server shuts down meanwhile, what is served stays as it is.
    pub(super) fn apply(
        &self,
        state: &mut ChangeState,
        folder: &Folder,
        only: Option<&str>,
    ) -> Failures {
        let old = self.snapshot.load_full();
        let is_affected = |name: &str| only.is_none_or(|only| only == name);
        let mut next = Snapshot { default: old.default.clone(), ..Snapshot::default() };
        for (name, versions) in old.models.iter().filter(|(name, _)| !is_affected(name)) {
            next.models.insert(name.clone(), versions.clone());
        }
        for (key, reason) in &old.load_errors {
            let is_unloaded = state.unloaded.contains(&key.0) && folder.contains_key(&key.0);
            if !is_affected(&key.0) || is_unloaded {
                next.load_errors.insert(key.clone(), reason.clone());
            }
        }
        let names =
            folder.iter().filter(|(name, _)| is_affected(name) && !state.unloaded.contains(*name));
        let mut plans: Vec<Plan> = names
            .map(|(name, versions)| {
                Plan::new(versions, old.models.get(name), &self.config.models.version_policy)
            })
            .collect();
        let mut failures = self.carry_out(state, &mut plans, &old);
        for plan in plans.iter_mut().filter(|plan| plan.served.is_empty()) {
            failures.extend(self.fall_back(state, plan, &old));
        }
        if self.readers.is_stopped() {
            stop_opened(&plans, &old, Instant::now() + self.config.drain_timeout());
            return failures;
        }
        state.failed.retain(|key, _| !is_affected(&key.0) || failures.iter().any(|f| f.0 == *key));
        for plan in plans {
            if !plan.served.is_empty() {
                next.models.insert(plan.name, plan.served);
            }
        }
        for (key, error) in &failures {
            next.load_errors.insert(key.clone(), error.public_reason());
        }
        self.publish(next);
        failures
    }

    /// Opens the versions that the plans want opened. If one fails, the old versions of its model
    /// stay served beside the new ones.
    fn carry_out(&self, state: &mut ChangeState, plans: &mut [Plan], old: &Snapshot) -> Failures {
        let jobs: Vec<ModelVersionDir> =
            plans.iter_mut().flat_map(|plan| std::mem::take(&mut plan.to_open)).collect();
        let mut failures = Failures::new();
        for (found, opened) in self.open_versions(state, jobs, old) {
            let Some(plan) = plans.iter_mut().find(|plan| plan.name == found.name) else {
                continue;
            };
            match opened {
                Ok(served) => {
                    plan.served.insert(found.version, served);
                }
                Err(error) => {
                    for (version, served) in old.models.get(&found.name).into_iter().flatten() {
                        plan.served.entry(version.clone()).or_insert_with(|| served.clone());
                    }
                    failures.push(((found.name, found.version), error));
                }
            }
        }
        failures
    }

    /// If the latest version cannot be served and no other version is, serves the next lower one
    /// that can be, if it is among the next [`MOST_FALLBACKS`].
    fn fall_back(&self, state: &mut ChangeState, plan: &mut Plan, old: &Snapshot) -> Failures {
        let mut failures = Failures::new();
        let is_allowed = self.config.models.version_policy == VersionPolicy::Latest
            && self.config.models.model_control != ModelControl::Fixed;
        if !is_allowed {
            return failures;
        }
        for found in plan.lower.drain(..).rev().take(MOST_FALLBACKS) {
            match self.open_versions(state, vec![found], old).pop() {
                Some((found, Ok(served))) => {
                    plan.served.insert(found.version, served);
                    break;
                }
                Some((found, Err(error))) => failures.push(((found.name, found.version), error)),
                None => break,
            }
        }
        failures
    }

    /// Opens versions, except those that failed too short a time ago.
    fn open_versions(
        &self,
        state: &mut ChangeState,
        jobs: Vec<ModelVersionDir>,
        old: &Snapshot,
    ) -> Vec<(ModelVersionDir, Result<Served, RepositoryError>)> {
        let (mut done, mut due) = (Vec::new(), Vec::new());
        for found in jobs {
            match state.failed.get(&key_of(&found)).and_then(|failed| failed.postponed(&found)) {
                Some(error) => done.push((found, Err(error))),
                None => due.push(found),
            }
        }
        let keys: Vec<Key> = due.iter().map(key_of).collect();
        lock(&self.loading).extend(keys.iter().cloned());
        let opening = Opening {
            config: &self.config,
            runtime: &self.runtime,
            metrics: &self.metrics,
            readers: &self.readers,
            capture: self.capture.as_deref(),
            trial: self.trial.as_ref().filter(|_| !state.is_untried),
        };
        let opened = opening.open_all(due);
        lock(&self.loading).retain(|key| !keys.contains(key));
        for Opened { found, outcome, took } in opened {
            if let Err(error) = &outcome {
                self.log_failure(error, old.load_errors.get(&key_of(&found)), old);
                state.failed.insert(key_of(&found), Failed::new(&found, error, took));
            }
            done.push((found, outcome));
        }
        done
    }

    /// A folder that is still being written fails at each rescan, but is reported once.
    fn log_failure(&self, error: &RepositoryError, known: Option<&String>, old: &Snapshot) {
        let is_start =
            self.config.models.model_control == ModelControl::Fixed && old.models.is_empty();
        if is_start || self.readers.is_stopped() {
            return;
        }
        if known == Some(&error.public_reason()) {
            tracing::debug!("{error}");
        } else {
            tracing::warn!("{error}; the served models stay");
        }
    }

    /// Replaces the snapshot: requests see the old one or the new one.
    pub(super) fn publish(&self, next: Snapshot) {
        let next = Arc::new(next);
        let old = self.snapshot.swap(Arc::clone(&next));
        let mut unloading = lock(&self.unloading);
        unloading.retain(|(_, retired)| !retired.is_over());
        for (name, versions) in &old.models {
            for (version, served) in versions {
                let now = next.models.get(name).and_then(|versions| versions.get(version));
                if now.is_some_and(|now| Arc::ptr_eq(&now.model, &served.model)) {
                    continue;
                }
                if now.is_none() {
                    served.model.metrics.ready.set(0);
                }
                let replaced = now.is_some();
                tracing::info!(model = %name, %version, replaced, "model accepts no new requests");
                unloading.push(((name.clone(), version.clone()), served.model.retire()));
            }
        }
        for model in next.models() {
            model.metrics.ready.set(1);
        }
    }
}

fn key_of(found: &ModelVersionDir) -> Key {
    (found.name.clone(), found.version.clone())
}

/// Ends the workers of models that were opened and will not be served.
fn stop_opened(plans: &[Plan], old: &Snapshot, until: Instant) {
    for served in plans.iter().flat_map(|plan| plan.served.values()) {
        if !old.models().any(|model| Arc::ptr_eq(model, &served.model)) {
            served.model.stop(until);
        }
    }
}

/// A version that could not be opened.
#[derive(Debug)]
pub(super) struct Failed {
    fingerprint: Fingerprint,
    reason: String,
    /// When it may be tried again.
    due: Instant,
}

impl Failed {
    fn new(found: &ModelVersionDir, error: &RepositoryError, took: Duration) -> Self {
        let due = Instant::now() + took * PAUSE;
        Self { fingerprint: found.fingerprint.clone(), reason: error.public_reason(), due }
    }

    /// The failure again, if the version has the same manifest and is not due.
    fn postponed(&self, found: &ModelVersionDir) -> Option<RepositoryError> {
        let is_postponed = self.fingerprint == found.fingerprint && Instant::now() < self.due;
        is_postponed.then(|| RepositoryError::Postponed { reason: self.reason.clone() })
    }
}

/// The planned change of one model.
#[derive(Debug)]
struct Plan {
    name: String,
    /// The served versions that stay; later also those that were opened.
    served: Versions,
    to_open: Vec<ModelVersionDir>,
    /// Versions below the lowest one that the policy selects.
    lower: Vec<ModelVersionDir>,
}

impl Plan {
    fn new(versions: &[ModelVersionDir], old: Option<&Versions>, policy: &VersionPolicy) -> Self {
        let name = versions.first().map(|found| found.name.clone()).unwrap_or_default();
        let mut plan =
            Self { name, served: Versions::new(), to_open: Vec::new(), lower: Vec::new() };
        let wanted = wanted(versions, policy);
        let lowest = wanted.first().map(|found| found.version.clone());
        plan.lower = versions
            .iter()
            .filter(|found| lowest.as_ref().is_some_and(|lowest| found.version < *lowest))
            .cloned()
            .collect();
        for found in wanted {
            let served = old.and_then(|old| old.get(&found.version));
            match served {
                Some(served) if served.fingerprint == found.fingerprint => {
                    plan.served.insert(found.version, served.clone());
                }
                _ => plan.to_open.push(found),
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::folder::Version;

    #[test]
    fn a_failed_version_is_tried_again_when_it_is_due_or_its_manifest_changes() {
        let found = |fingerprint: u8| ModelVersionDir {
            name: "a".to_owned(),
            version: Version { number: 1, text: "1".to_owned() },
            path: "/models/a/1".into(),
            in_place: true,
            fingerprint: vec![fingerprint],
        };
        let error = RepositoryError::Postponed { reason: "it ran too long".to_owned() };
        let failed = Failed::new(&found(1), &error, Duration::from_mins(1));
        let again = failed.postponed(&found(1));
        assert!(again.is_some_and(|e| e.public_reason() == "it ran too long"));
        assert!(failed.postponed(&found(2)).is_none());
        assert!(Failed::new(&found(1), &error, Duration::ZERO).postponed(&found(1)).is_none());
    }
}
