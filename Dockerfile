# A CPU image that works on a mounted folder, as a user without rights:
#
#   docker build --tag heap .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" heap discover photos --out run
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" -p 127.0.0.1:8750:8750 heap
#
# Without arguments it serves /data/run, and prints the address with its token.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m venv /opt/heap \
    && /opt/heap/bin/pip install --no-cache-dir \
        --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu \
    && /opt/heap/bin/pip install --no-cache-dir '.[heic,serve]'

FROM python:3.13-slim
RUN useradd --uid 1000 heap
COPY --from=build /opt/heap /opt/heap
# Any user may be named by --user, and none needs a home: caches are below /tmp. Hub models are
# brought with --env HF_HUB_OFFLINE=0.
ENV PATH=/opt/heap/bin:$PATH HOME=/tmp HF_HUB_OFFLINE=1
USER 1000
WORKDIR /data
EXPOSE 8750
ENTRYPOINT ["heap"]
# It is reached by the published port, under the name of the machine that publishes it.
CMD ["serve", "run", "--host", "0.0.0.0", "--allow-host", "localhost"]
