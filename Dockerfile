# docker build -t tokenfix .
# docker run --rm --network host -e TOKENFIX_URI tokenfix status
#
# The first stage builds and packs, the second installs the package and runs as nobody in particular. What is written, is written
# below /var/lib/tokenfix, the only folder that needs to be writable (docker run --read-only works).
FROM debian:12-slim AS build
COPY scripts/setup /tmp/setup
RUN /tmp/setup dpkg-shlibdeps file fakeroot && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN scripts/package && mv build-package/*.deb /tokenfix.deb

FROM debian:12-slim
COPY --from=build /tokenfix.deb /tmp/tokenfix.deb
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates /tmp/tokenfix.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/tokenfix.deb \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/tokenfix
ENV HOME=/var/lib/tokenfix LC_ALL=C.UTF-8
WORKDIR /var/lib/tokenfix
# a number, so that Kubernetes can tell that it is not root (docs/deploy/cronjob.yaml)
USER 10001:10001
ENTRYPOINT ["/usr/bin/tokenfix"]
CMD ["--help"]
