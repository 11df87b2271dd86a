# The image of the service. Alone it keeps its record in a SQLite file on the volume /data; with a DATABASE_URL of
# PostgreSQL it is any of the processes of the Procfile, as compose.yaml starts them.

FROM python:3.11-slim AS build
RUN ["python", "-m", "venv", "/opt/runledger"]
COPY requirements.txt /build/
RUN ["/opt/runledger/bin/python", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--require-hashes", "--requirement", "/build/requirements.txt"]
COPY app.yml /app/
COPY bot /app/bot/
# Whoever runs it may not write there, so what Python compiles is compiled here.
RUN ["/opt/runledger/bin/python", "-m", "compileall", "-q", "/app/bot"]

FROM python:3.11-slim
RUN ["useradd", "--uid", "10001", "--user-group", "--home-dir", "/data", "--create-home", "--shell", "/usr/sbin/nologin", "runledger"]
COPY --from=build /opt/runledger /opt/runledger
COPY --from=build /app /app
ENV PATH=/opt/runledger/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATABASE_URL=sqlite:///data/runledger.sqlite3 \
    PORT=8080
WORKDIR /app
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import os, sys; from http.client import HTTPConnection; service = HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); service.request('GET', '/healthz'); sys.exit(service.getresponse().status != 200)"]
CMD ["python", "-m", "bot", "serve"]
