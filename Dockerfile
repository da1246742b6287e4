# docker build -t micrec-explorer . && docker run --rm -p 127.0.0.1:8501:8501 micrec-explorer
# docs/deploy.md goes on from there, to a server that several people share.
#
# The same base to the last byte: --build-arg BASE=python:3.12.12-slim-bookworm@sha256:...
ARG BASE=python:3.12.12-slim-bookworm
FROM ${BASE}

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# What tests, checks and documents need stays out.
COPY requirements.txt constraints.txt ./
RUN sed '/^# tests and checks/,$d' requirements.txt > /tmp/runtime.txt \
    && pip install -r /tmp/runtime.txt -c constraints.txt

COPY . .
# A volume that is mounted on a folder belongs to whom the folder belongs to.
RUN useradd --create-home --uid 10001 micrec && mkdir -p runs data brought && chown micrec runs data brought
USER micrec
# All that is written lies here, in /tmp, in the home and in `brought`: the rest may be read-only.
ENV MICREC_CACHE=/app/runs/.cache NUMBA_CACHE_DIR=/tmp/numba
VOLUME ["/app/runs"]
EXPOSE 8501

# It asks for a page as a browser does: a server that answers may not be able to draw one.
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s CMD ["python", "-m", "micrec_core.ui.viewer"]
# Inside the container every address is right: what is published decides who can reach it. Hosts that
# a browser may ask for are this computer's own and those of STREAMLIT_SERVER_ALLOWED_HOSTS.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0", \
     "--server.headless", "true"]
