# The harness with everything that scoring takes. Build and run it as docs/security.md says: the
# sandbox inside needs two flags.
FROM python:3.11-slim

# g++, make and perl compile the simulation of the firmware; libseccomp makes the system-call
# filter; util-linux has setpriv.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git libseccomp2 make perl util-linux \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/build
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE data_manifest.yaml ./
COPY harness harness
COPY leaderboard_app leaderboard_app
RUN pip install --no-cache-dir --no-deps . && rm -rf /opt/build

RUN useradd --create-home harness
USER harness
WORKDIR /home/harness
ENTRYPOINT ["harness"]
CMD ["doctor"]
