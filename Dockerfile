# Bendi on the CPU. How to run it: docs/deploy.md.
#
#   docker build -t bendi .
#   docker run --rm -p 127.0.0.1:8080:8080 -e BENDI_API_KEY=$(openssl rand -hex 24) bendi

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags=-s -o out/ -pgo=cmd/bendi/gateway.pgo ./cmd/bendi && \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags=-s -o out/ ./cmd/bendi-engine

# The llama.cpp libraries that package-lock.json pins by their hash. llama.Load
# looks for names without a version.
FROM node:22.12.0-bookworm-slim AS libraries
WORKDIR /src
COPY inference/engine/lib/package.json inference/engine/lib/package-lock.json inference/engine/lib/.npmrc ./
RUN npm ci --no-progress \
    && mkdir out \
    && cp node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/lib*.so out/ \
    && ln -s libllama.v0.5.0.so out/libllama.so \
    && ln -s libggml.v0.5.0.so out/libggml.so

FROM debian:12.11-slim
# The newest of Debian 12 is wanted, for its security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y ca-certificates libffi8 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin bendi \
    && install -d -o bendi -g bendi -m 0700 /run/bendi /var/lib/bendi
COPY --from=build /src/out/ /opt/bendi/bin/
COPY --from=libraries /src/out/ /opt/bendi/bin/lib/
COPY models/demo/ /opt/bendi/models/demo/
COPY LICENSE /opt/bendi/
ENV PATH=/opt/bendi/bin:/usr/local/bin:/usr/bin:/bin \
    XDG_RUNTIME_DIR=/run/bendi \
    STATE_DIRECTORY=/var/lib/bendi
WORKDIR /
USER 10001:10001
EXPOSE 8080
# A model of many gigabytes takes minutes to load.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10m --retries=3 CMD ["bendi", "health"]
ENTRYPOINT ["bendi"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
