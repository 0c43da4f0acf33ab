//! Looks after a model's workers: one whose batch does not end is replaced, so that its requests are
//! answered and the model goes on.
//!
//! Its thread cannot be ended from outside. It is left behind, and ends if the batch ever does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use super::{
    Compute, WorkerContext,
    post::{Post, Relieved, TICK, Work},
    task::Worker,
};

/// Looks after the workers of one model.
pub(super) struct Watchdog<C: Compute> {
    pub(super) context: WorkerContext<C>,
    pub(super) posts: Vec<Arc<Post<C::Outputs>>>,
}

impl<C: Compute> Watchdog<C> {
    /// Looks from time to time, until every worker has ended.
    pub(super) fn watch(mut self) {
        while !self.context.crew.wait_ended(TICK) {
            self.look();
        }
    }

    /// Looks once.
    pub(super) fn look(&mut self) {
        for post in &mut self.posts {
            let relieved = post.tick();
            if let Some(next) = relieved.and_then(|relieved| replace(&self.context, relieved)) {
                *post = next;
            }
        }
    }
}

/// Answers the requests of a worker that does not come back, and starts another in its place.
/// `None` if too many threads are stuck, or the model is no longer served.
fn replace<C: Compute>(
    context: &WorkerContext<C>,
    relieved: Relieved<C::Outputs>,
) -> Option<Arc<Post<C::Outputs>>> {
    let Relieved { work, guard, slowest } = relieved;
    let model = &context.name;
    let may_replace = context.crew.give_up(work.holds_connections);
    let is_opening = work.batch.is_none();
    // This answers the batch's requests with an error.
    drop(work);
    if context.crew.queue.is_closed() {
        return None;
    }
    if !may_replace || is_opening {
        tracing::error!(%model, "a worker does not come back and is not replaced: too many are stuck");
        return None;
    }
    tracing::error!(%model, "a batch does not end; replacing its worker");
    let post = Post::new(guard, slowest);
    post.begin(Work::opening());
    let (context, own) = (context.clone(), Arc::clone(&post));
    let opening = thread::Builder::new().spawn(move || open(context, own));
    if let Err(error) = opening {
        tracing::error!(%error, "cannot replace the worker: the system gives no thread");
        post.leave();
        return None;
    }
    Some(post)
}

/// Opens a session and starts a worker with it.
fn open<C: Compute>(context: WorkerContext<C>, post: Arc<Post<C::Outputs>>) {
    let opened = catch_unwind(AssertUnwindSafe(|| (context.open)(None)));
    if post.end().is_none() {
        // The watchdog did not wait any longer.
        context.crew.came_back(false);
        return;
    }
    let model = &context.name;
    match opened {
        Ok(Ok(session)) => {
            context.metrics.restarts_after_hang.inc();
            let tasks = context.tasks.clone();
            tasks.spawn(Worker::new(session, context, post).run());
        }
        Ok(Err(error)) => {
            tracing::error!(%model, %error, "cannot replace the worker");
            post.leave();
        }
        Err(_) => {
            tracing::error!(%model, "cannot replace the worker: opening its session panicked");
            post.leave();
        }
    }
}
