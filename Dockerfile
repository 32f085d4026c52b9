# syntax=docker/dockerfile:1
# The studio in a container; docs/docker.md shows how to build and run it.
#   docker build -t semblance .                                   CPU
#   docker build -t semblance:cuda --build-arg VARIANT=cuda .     NVIDIA GPUs
ARG VARIANT=cpu
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# PyTorch's wheels differ between the two; everything else is the same requirements.txt.
FROM base AS wheels-cpu
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

FROM base AS wheels-cuda
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cu128

# hadolint ignore=DL3006
FROM wheels-${VARIANT} AS build
WORKDIR /app
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && python -m multimodal.files.lpips_weights

FROM base AS final
RUN useradd --create-home --uid 1000 semblance
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=semblance:semblance /root/.cache/semblance /home/semblance/.cache/semblance
ENV PATH=/opt/venv/bin:$PATH \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HUB_DISABLE_TELEMETRY=1
USER 1000
WORKDIR /home/semblance
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
ENTRYPOINT ["semblance"]
CMD ["web", "--host", "0.0.0.0", "--port", "7860"]
