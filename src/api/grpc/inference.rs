//! The service `inference.GRPCInferenceService`: the Open Inference Protocol.

use std::{collections::HashMap, sync::Arc, time::Instant};

use serde_json::Value;
use tonic::{Request, Response, Status, async_trait};

use super::{
    call::Call,
    infer_messages,
    proto::inference::{
        DataType, InferStatistics, ModelConfig, ModelConfigRequest, ModelConfigResponse,
        ModelInferRequest, ModelInferResponse, ModelInput, ModelMetadataRequest,
        ModelMetadataResponse, ModelOutput, ModelReadyRequest, ModelReadyResponse, ModelStatistics,
        ModelStatisticsRequest, ModelStatisticsResponse, RepositoryIndexRequest,
        RepositoryIndexResponse, RepositoryModelLoadRequest, RepositoryModelLoadResponse,
        RepositoryModelUnloadRequest, RepositoryModelUnloadResponse, ServerLiveRequest,
        ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
        ServerReadyResponse, StatisticDuration,
        grpc_inference_service_server::GrpcInferenceService,
        model_metadata_response::TensorMetadata, repository_index_response::ModelIndex,
    },
};
use crate::{
    app::{App, Phase},
    engine::model::Model,
    error::ApiError,
    inference::tensors::{self, TensorDescription},
    observability::statistics::Total,
    repository::{IndexEntry, ModelState, check_parameters},
};

#[derive(Debug)]
pub(super) struct Inference {
    app: Arc<App>,
}

impl Inference {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// The model with this name and version; an empty version means the highest one served.
    fn model(&self, call: &Call, name: &str, version: &str) -> Result<Arc<Model>, Status> {
        self.find(call, name, version).map_err(|error| call.refuse(&error))
    }

    /// The model that a call asks for; an empty version is the highest.
    fn find(&self, call: &Call, name: &str, version: &str) -> Result<Arc<Model>, ApiError> {
        let version = Some(version).filter(|version| !version.is_empty());
        let model = self.app.repository()?.find(Some(name), version)?;
        call.set_model(&model);
        Ok(model)
    }

    async fn infer(
        &self,
        call: &Call,
        request: ModelInferRequest,
    ) -> Result<ModelInferResponse, ApiError> {
        let model = self.find(call, &request.model_name, &request.model_version)?;
        let mut context = call.take_context(&self.app);
        let id = request.id.clone();
        let infer = infer_messages::read(request)?;
        let answer = tensors::infer(&mut context, &model, infer).await?;
        let encoding = Instant::now();
        let response = infer_messages::write(&model, &answer, id);
        model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
        Ok(response)
    }
}

#[async_trait]
impl GrpcInferenceService for Inference {
    async fn server_live(
        &self,
        _request: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(plain(ServerLiveResponse { live: self.app.is_healthy() }))
    }

    async fn server_ready(
        &self,
        _request: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        Ok(plain(ServerReadyResponse { ready: self.app.phase() == Phase::Ready }))
    }

    async fn model_ready(
        &self,
        request: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.get_ref();
        // A model that is not there is one that is not ready: the question is answered.
        let is_there = self.find(&call, &request.name, &request.version).is_ok();
        let ready = is_there && self.app.phase() == Phase::Ready;
        Ok(plain(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _request: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        Ok(plain(ServerMetadataResponse {
            name: tensors::SERVER.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: tensors::GRPC_EXTENSIONS.map(str::to_owned).into(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.get_ref();
        let model = self.model(&call, &request.name, &request.version)?;
        let tensors = |tensors: Vec<TensorDescription>| {
            let tensor = |tensor: TensorDescription| TensorMetadata {
                name: tensor.name,
                datatype: tensor.datatype.to_owned(),
                shape: tensor.shape,
            };
            tensors.into_iter().map(tensor).collect()
        };
        let asked = Some(request.version.as_str()).filter(|version| !version.is_empty());
        let repository = self.app.repository().map_err(|error| call.refuse(&error))?;
        Ok(plain(ModelMetadataResponse {
            name: model.labels.model.clone(),
            versions: repository.versions_beside(&model, asked),
            platform: tensors::PLATFORM.to_owned(),
            inputs: tensors(tensors::inputs(&model)),
            outputs: tensors(tensors::outputs(&model)),
            properties: properties(&model).map_err(|error| call.refuse(&error))?,
        }))
    }

    async fn model_infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let call = Call::of(&request)?;
        let answer = self.infer(&call, request.into_inner()).await;
        let answer = answer.map_err(|error| call.refuse(&error))?;
        let mut response = Response::new(answer);
        if !call.is_compressed {
            response.disable_compression();
        }
        Ok(response)
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.get_ref();
        let model = self.model(&call, &request.name, &request.version)?;
        let data_type = DataType::TypeFp32.into();
        let input = |tensor: TensorDescription| ModelInput {
            dims: tensor.dims().to_vec(),
            name: tensor.name,
            data_type,
        };
        let output = |tensor: TensorDescription| ModelOutput {
            dims: tensor.dims().to_vec(),
            name: tensor.name,
            data_type,
        };
        let config = ModelConfig {
            name: model.labels.model.clone(),
            platform: tensors::PLATFORM.to_owned(),
            max_batch_size: model.max_batch() as i32,
            input: tensors::inputs(&model).into_iter().map(input).collect(),
            output: tensors::outputs(&model).into_iter().map(output).collect(),
            backend: tensors::BACKEND.to_owned(),
        };
        Ok(plain(ModelConfigResponse { config: Some(config) }))
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Result<Response<ModelStatisticsResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.get_ref();
        let model_stats = if request.name.is_empty() {
            let repository = self.app.repository().map_err(|error| call.refuse(&error))?;
            repository.models().iter().map(|model| statistics(model)).collect()
        } else {
            vec![statistics(&*self.model(&call, &request.name, &request.version)?)]
        };
        Ok(plain(ModelStatisticsResponse { model_stats }))
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Result<Response<RepositoryIndexResponse>, Status> {
        let call = Call::of(&request)?;
        let repository = self.app.repository().map_err(|error| call.refuse(&error))?;
        let only_ready = request.get_ref().ready;
        let entries = repository.index().into_iter();
        let wanted = entries.filter(|entry| !only_ready || entry.state == ModelState::Ready);
        let index = |IndexEntry { name, version, state, reason }| ModelIndex {
            name,
            version,
            state: state.as_str().to_owned(),
            reason,
        };
        Ok(plain(RepositoryIndexResponse { models: wanted.map(index).collect() }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Result<Response<RepositoryModelLoadResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let name = named(request.repository_name, request.model_name, &request.parameters);
        let loading = async { self.app.repository()?.load(&name?).await };
        loading.await.map_err(|error: ApiError| call.refuse(&error))?;
        Ok(plain(RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Result<Response<RepositoryModelUnloadResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let name = named(request.repository_name, request.model_name, &request.parameters);
        let unloading = async { self.app.repository()?.unload(&name?).await };
        unloading.await.map_err(|error: ApiError| call.refuse(&error))?;
        Ok(plain(RepositoryModelUnloadResponse {}))
    }
}

/// A small response, which compression would only enlarge.
fn plain<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    response.disable_compression();
    response
}

/// The model to load or unload; `KServe`'s clients pass its name as the repository.
fn named<T>(
    repository: String,
    model: String,
    parameters: &HashMap<String, T>,
) -> Result<String, ApiError> {
    check_parameters(parameters.keys().map(String::as_str))?;
    Ok(if model.is_empty() { repository } else { model })
}

/// The parameters of the REST metadata as text: strings as they are, other values as JSON.
fn properties(model: &Model) -> Result<HashMap<String, String>, ApiError> {
    let parameters = serde_json::to_value(tensors::Parameters::of(model)).map_err(|error| {
        tracing::error!(%error, "cannot serialize a model's parameters");
        ApiError::internal()
    })?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entries = parameters.as_object().into_iter().flatten();
    Ok(entries.map(|(name, value)| (name.clone(), text(value))).collect())
}

fn statistics(model: &Model) -> ModelStatistics {
    let statistics = &model.metrics.statistics;
    let duration =
        |total: &Total| Some(StatisticDuration { count: total.count(), ns: total.nanoseconds() });
    ModelStatistics {
        name: model.labels.model.clone(),
        version: model.labels.version.clone(),
        last_inference: statistics.last(),
        inference_count: statistics.inferences(),
        execution_count: statistics.executions(),
        inference_stats: Some(InferStatistics {
            success: duration(&statistics.success),
            fail: duration(&statistics.fail),
            queue: duration(&statistics.queue),
            compute_input: duration(&statistics.compute_input),
            compute_infer: duration(&statistics.compute_infer),
            compute_output: duration(&statistics.compute_output),
        }),
    }
}
