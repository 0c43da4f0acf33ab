//! The golden self-check: whether a model, in this runtime and on this device, reproduces the
//! outputs that were recorded when it was made.

use super::{RuntimeError, Session};
use crate::Golden;

/// Runs the golden inputs and compares every output with the golden one.
///
/// # Errors
/// [`RuntimeError::SelfCheck`] with the first output that differs, or any error of the run.
pub fn self_check(session: &mut Session, golden: &Golden) -> Result<(), RuntimeError> {
    let provider = session.provider().name();
    let tolerance = golden.tolerance(provider);
    let found = session.run(golden.input.view())?;
    for (name, expected) in &golden.outputs {
        let found = found.get(name)?;
        tolerance.check(expected.iter(), found.iter()).map_err(|mismatch| {
            RuntimeError::SelfCheck {
                output: name.clone(),
                provider: provider.to_owned(),
                mismatch,
            }
        })?;
    }
    Ok(())
}
