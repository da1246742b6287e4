# docker build -t micrec-explorer . && docker run --rm -p 127.0.0.1:8501:8501 micrec-explorer
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt constraints.txt ./
RUN pip install -r requirements.txt -c constraints.txt

COPY . .
RUN useradd --create-home micrec && mkdir -p runs && chown micrec runs
USER micrec
VOLUME ["/app/runs"]
EXPOSE 8501

HEALTHCHECK --interval=30s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health')"]
# Inside the container every address is right: what is published decides who can reach it.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0", \
     "--server.headless", "true", "--server.allowedHosts", "*"]
