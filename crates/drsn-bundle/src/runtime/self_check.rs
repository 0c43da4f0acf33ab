//! The golden self-check: does this model, in this runtime, on this device, answer what it answered when it was made?

use super::{RuntimeError, Session};
use crate::Golden;

/// Runs the golden inputs and compares every output with the golden one.
///
/// # Errors
/// [`RuntimeError::SelfCheck`] with the first output that differs, or what the runtime says.
pub fn self_check(session: &mut Session, golden: &Golden) -> Result<(), RuntimeError> {
    let provider = session.provider().name();
    let tolerance = golden.tolerance(provider);
    let found = session.run(&golden.input.data, golden.batch())?;
    for (name, expected) in &golden.outputs {
        let output = found
            .iter()
            .find(|tensor| tensor.name == *name)
            .ok_or_else(|| RuntimeError::MissingOutput { output: name.clone() })?;
        tolerance.check(&expected.data, &output.data).map_err(|mismatch| {
            RuntimeError::SelfCheck {
                output: name.clone(),
                provider: provider.to_owned(),
                mismatch,
            }
        })?;
    }
    Ok(())
}
