//! The labels of the metrics.

use prometheus_client::encoding::EncodeLabelSet;

use super::ResponseCode;

/// A model's name and version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ModelLabels {
    pub(crate) model: String,
    pub(crate) version: String,
}

impl ModelLabels {
    /// The series of HTTP requests that were answered with 200.
    pub(super) fn answered(&self) -> RequestLabels {
        let code = ResponseCode::Http(200);
        let Self { model, version } = self.clone();
        RequestLabels { model, version, protocol: code.protocol(), code }
    }

    pub(super) fn protocol(&self, protocol: &'static str) -> ProtocolLabels {
        let Self { model, version } = self.clone();
        ProtocolLabels { model, version, protocol }
    }

    pub(super) fn stage(&self, stage: &'static str) -> StageLabels {
        let Self { model, version } = self.clone();
        StageLabels { model, version, stage }
    }

    pub(super) fn restart(&self, reason: &'static str) -> RestartLabels {
        let Self { model, version } = self.clone();
        RestartLabels { model, version, reason }
    }

    pub(super) fn class(&self, class: &str) -> PredictionLabels {
        let Self { model, version } = self.clone();
        PredictionLabels { model, version, class: class.to_owned() }
    }

    pub(super) fn block(&self, block: &str) -> BlockLabels {
        let Self { model, version } = self.clone();
        BlockLabels { model, version, block: block.to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) protocol: &'static str,
    pub(super) code: ResponseCode,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProtocolLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RestartLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RejectionLabels {
    pub(super) model: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PredictionLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BlockLabels {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) block: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProviderLabels {
    pub(super) model: String,
    pub(super) requested: String,
    pub(super) actual: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
}
