//! What every stage of a request needs: the app, the deadline, the reserved memory, and the model
//! once it is known.

use std::{sync::Arc, time::Instant};

use crate::{
    admission::Reservation,
    app::{App, Caller},
    engine::model::Model,
    error::ApiError,
};

/// The context of one request.
#[derive(Debug)]
pub(crate) struct RequestContext<'a> {
    pub(crate) app: &'a App,
    pub(crate) caller: Caller,
    /// The memory reserved for the body, and later for the decoded inputs.
    pub(crate) memory: Reservation,
    /// The model, once it is known; it stays set if the request is refused afterwards.
    pub(crate) model: Option<Arc<Model>>,
}

impl<'a> RequestContext<'a> {
    /// A context without reserved memory whose model is not known yet.
    pub(crate) fn new(app: &'a App, caller: Caller) -> Self {
        Self { app, caller, memory: app.budget.open(), model: None }
    }

    /// When nobody needs the answer any more.
    pub(crate) fn deadline(&self) -> Instant {
        self.caller.deadline
    }

    /// Finds the model of the request and keeps it. Without a name it is the default model, without
    /// a version the highest.
    ///
    /// # Errors
    /// As for [`Repository::find`](crate::repository::Repository::find).
    pub(crate) fn find_model(
        &mut self,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Model>, ApiError> {
        let model = self.app.repository()?.find(name, version)?;
        self.model = Some(Arc::clone(&model));
        Ok(model)
    }

    /// Takes the reserved memory, for an answer that outlives the context.
    pub(crate) fn take_memory(&mut self) -> Reservation {
        std::mem::replace(&mut self.memory, self.app.budget.open())
    }
}
