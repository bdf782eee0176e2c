# SPDX-License-Identifier: Apache-2.0
FROM golang:1.26-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -buildvcs=false -o /weir ./cmd/weir

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="A load balancer in XDP whose pool is an RSerPool registrar" \
      org.opencontainers.image.source="https://github.com/weir-lb/weir" \
      org.opencontainers.image.licenses="Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)"
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /weir /usr/local/bin/weir
ENTRYPOINT ["weir"]
