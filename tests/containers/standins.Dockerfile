# Stand-ins for the images that compose.yaml names, if none can be pulled: Debian's packages on a
# root file system by debootstrap, and the Rust toolchain of this machine, whose folder is the build
# context.
FROM standin/debian-slim AS rust
RUN apt-get update && apt-get install -qq --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY bin/cargo bin/rustc /usr/local/bin/
COPY lib /usr/local/lib

FROM standin/debian-slim AS python
RUN apt-get update && apt-get install -qq --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*

FROM standin/debian-slim AS prometheus
RUN apt-get update && apt-get install -qq --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/* \
 && install -d --owner=65534 --group=65534 /prometheus
USER 65534:65534
ENTRYPOINT ["prometheus"]

FROM standin/debian-slim AS alertmanager
RUN apt-get update && apt-get install -qq --no-install-recommends prometheus-alertmanager \
 && rm -rf /var/lib/apt/lists/* && install -d --owner=65534 --group=65534 /alertmanager
USER 65534:65534
ENTRYPOINT ["prometheus-alertmanager"]

FROM standin/debian-slim AS haproxy
RUN apt-get update && apt-get install -qq --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
