# The image holds the binary and certificates, and nothing else: no shell, no sources.
# Time zones are in the binary.
ARG BUILDER=golang:1.26
FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /cusme ./cmd/cusme

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /cusme /app/cusme
# cusme 1.0 looked for its kubeconfig in /app/config, and a mounted one is still found there.
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["/app/cusme"]
