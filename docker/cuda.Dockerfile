# drsn-serve on an NVIDIA GPU: CUDA 13, cuDNN 9, x86-64. Needs driver 580 or newer and NVIDIA's container toolkit.
#   docker build --file docker/cuda.Dockerfile --tag drsn-serve-cuda .
#   docker run --gpus 1 --publish 127.0.0.1:8080:8080 drsn-serve-cuda
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG PYTHON_IMAGE=python:3.13-slim-trixie
ARG DEBIAN_IMAGE=debian:trixie-slim


# The libraries from their Python wheels: ONNX Runtime finds its providers beside itself, and CUDA by LD_LIBRARY_PATH.
FROM ${PYTHON_IMAGE} AS onnxruntime
WORKDIR /wheels
COPY docker/cuda-requirements.txt docker/onnxruntime-gpu.sha256 ./
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --target . --requirement cuda-requirements.txt \
 && install -D --mode=0644 -t /image/usr/local/lib/ onnxruntime/capi/libonnxruntime.so.* \
      onnxruntime/capi/libonnxruntime_providers_cuda.so onnxruntime/capi/libonnxruntime_providers_shared.so \
 && ln -s "$(basename onnxruntime/capi/libonnxruntime.so.*)" /image/usr/local/lib/libonnxruntime.so \
 && install -D --mode=0644 -t /image/usr/local/lib/cuda/ nvidia/*/lib/*.so.* \
 && rm /image/usr/local/lib/cuda/*.alt.so.* \
 && install -D --mode=0644 -t /image/usr/share/doc/onnxruntime/ onnxruntime/LICENSE onnxruntime/ThirdPartyNotices.txt
WORKDIR /image/usr/local/lib
RUN sha256sum --check --strict /wheels/onnxruntime-gpu.sha256


FROM ${RUST_IMAGE} AS build
WORKDIR /drsn
# The dependencies first, in a layer that is reused until a manifest changes: the project's own code is empty here.
COPY Cargo.toml Cargo.lock ./
COPY crates/drsn-bundle/Cargo.toml crates/drsn-bundle/
COPY crates/drsn-import/Cargo.toml crates/drsn-import/
COPY crates/drsn-recording/Cargo.toml crates/drsn-recording/
COPY crates/unified-features crates/unified-features
COPY crates/drsn-train/Cargo.toml crates/drsn-train/
COPY xtask/Cargo.toml xtask/
RUN mkdir -p src benches/serving xtask/src crates/drsn-bundle/src crates/drsn-import/src crates/drsn-recording/src \
      crates/drsn-recording/benches crates/drsn-train/src crates/drsn-train/benches \
 && for library in src/lib.rs crates/drsn-bundle/src/lib.rs crates/drsn-import/src/lib.rs crates/drsn-recording/src/lib.rs; do echo '//! Empty.' > "$library"; done \
 && for program in build.rs src/main.rs benches/serving/main.rs xtask/src/main.rs crates/drsn-bundle/build.rs \
      crates/drsn-train/build.rs crates/drsn-train/src/main.rs crates/drsn-train/benches/training.rs \
      crates/drsn-recording/benches/reading.rs; \
    do printf '//! Empty.\nfn main() {}\n' > "$program"; done \
 && cargo build --locked --profile dist --package drsn-serve
COPY build.rs ./
COPY build build
COPY proto proto
COPY docs/manifest.schema.json docs/
COPY crates/drsn-bundle crates/drsn-bundle
COPY crates/drsn-import crates/drsn-import
COPY crates/drsn-recording crates/drsn-recording
COPY src src
ARG DRSN_REVISION=unknown
# Cargo compares file times, and a checked-out file can be older than the empty one.
RUN find build.rs build src crates/drsn-bundle crates/drsn-import crates/drsn-recording proto -type f -exec touch {} + \
 && cargo build --locked --profile dist --package drsn-serve \
 && install -D -t /image/usr/local/bin/ target/dist/drsn-serve
COPY LICENSE /image/usr/share/doc/drsn-serve/


FROM ${DEBIAN_IMAGE}
ARG DRSN_REVISION=unknown
LABEL org.opencontainers.image.title="drsn-serve-cuda" \
      org.opencontainers.image.description="Inference server for trained Deep Residual Shrinkage Networks" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${DRSN_REVISION}"
COPY --from=onnxruntime /image /
COPY --from=build /image /
# A layer of its own: a volume at /models replaces it.
COPY models /models
# CUBLAS_WORKSPACE_CONFIG: 4 MiB of workspace for each session, of which a model has several, in place of 32.
ENV DRSN_HTTP=0.0.0.0:8080 \
    DRSN_GRPC=0.0.0.0:9000 \
    DRSN_MODELS=/models \
    DRSN_DEFAULT_MODEL=mnist \
    DRSN_ONNXRUNTIME=/usr/local/lib/libonnxruntime.so \
    ORT_DISABLE_TELEMETRY=1 \
    DRSN_DEVICE=cuda \
    LD_LIBRARY_PATH=/usr/local/lib/cuda \
    CUBLAS_WORKSPACE_CONFIG=:4096:1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
EXPOSE 8080 9000
USER 65532:65532
STOPSIGNAL SIGTERM
# CUDA needs seconds to start.
HEALTHCHECK --interval=5s --timeout=5s --start-period=120s --retries=5 CMD ["drsn-serve", "healthcheck"]
# No shell in between, so the server is process 1 and signals reach it.
ENTRYPOINT ["drsn-serve"]
