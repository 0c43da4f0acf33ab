//! The jobs of a request, and waiting for their answers.

use std::{ops::Range, sync::Arc, time::Instant};

use ndarray::ArrayD;
use tokio::{sync::oneshot, time::timeout_at};

use crate::{
    engine::{
        inputs::Inputs,
        queue::{BatchSlice, Job, JobError},
        session::Outputs,
    },
    error::{ApiError, ErrorKind},
};

/// The answer to a job that is in the queue.
pub(super) type Pending = oneshot::Receiver<Result<BatchSlice<Outputs>, JobError>>;

/// One job with all inputs.
pub(super) fn whole_job(
    inputs: Inputs,
    detailed: bool,
    deadline: Instant,
) -> (Job<Outputs>, Pending) {
    let (rows, values) = (0..inputs.count(), Arc::new(inputs.into_values()));
    new_job(values, rows, detailed, deadline)
}

/// One job with some rows of a request's inputs.
pub(super) fn new_job(
    values: Arc<ArrayD<f32>>,
    rows: Range<usize>,
    detailed: bool,
    deadline: Instant,
) -> (Job<Outputs>, Pending) {
    let (reply, answer) = oneshot::channel();
    (Job { values, rows, detailed, queued: Instant::now(), deadline, reply }, answer)
}

/// Waits for a job's answer.
///
/// # Errors
/// [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] if the runtime fails.
pub(crate) async fn answer_of(
    answer: Pending,
    deadline: Instant,
) -> Result<BatchSlice<Outputs>, ApiError> {
    let answer = timeout_at(deadline.into(), answer).await.map_err(|_| deadline_exceeded())?;
    match answer {
        Ok(Ok(slice)) => Ok(slice),
        Ok(Err(JobError::DeadlineExceeded)) => Err(deadline_exceeded()),
        // The reply was dropped because the worker panicked or does not come back, which is logged.
        Ok(Err(JobError::Failed)) | Err(_) => Err(ApiError::internal()),
    }
}

fn deadline_exceeded() -> ApiError {
    ErrorKind::DeadlineExceeded.because("the request's time was up before it was answered")
}
