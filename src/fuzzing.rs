//! Entries for the fuzz targets in `fuzz/`, which only they are built with.

use prost::Message as _;

use crate::{
    api::grpc::{
        measured_bytes,
        proto::{drsn::ClassifyRequest, inference::ModelInferRequest},
    },
    inference::decode::JsonRequest,
};

/// The two readers of a JSON body agree.
pub fn json(body: &[u8]) {
    JsonRequest::assert_readers_agree(body);
}

/// A message is measured, and decoded if it is small.
pub fn message(bytes: &[u8]) {
    let infer = measured_bytes("/inference.GRPCInferenceService/ModelInfer", bytes);
    if let Ok(request) = ModelInferRequest::decode(bytes) {
        let inputs = request.inputs.capacity().min(2 * request.inputs.len());
        let least = inputs * size_of_val(&request.inputs[..]) / request.inputs.len().max(1);
        assert!(infer >= least as u64, "{infer} bytes measured, at least {least} held");
    }
    measured_bytes("/drsn.v1.Classifier/Classify", bytes);
    let _ = ClassifyRequest::decode(bytes);
}
