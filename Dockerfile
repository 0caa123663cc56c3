# The operator's image. The process that runs dask-kubernetes' controller (`python3 -m daskjob.dask_controller`) is in it
# too. Users' images need nothing of it.
#   docker build -t daskjob/operator .        any base with Python >= 3.11, its venv module and pip will do
# The tag below serves development. A release names its base by a digest, which image/release demands.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
# Versions and hashes of all that is installed are those of image/lock. pip takes wheels only: what builds a source
# distribution would come without a hash. pip and the build back end stay here, out of the image.
COPY image/requirements.txt image/build-requirements.txt /tmp/
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --quiet --require-hashes --only-binary :all: -r /tmp/build-requirements.txt
RUN python3 -m venv --without-pip /opt/daskjob-venv
WORKDIR /src
# Dependencies come before the source: a change of code does not fetch them again. Their byte code is compiled now, and
# "unchecked", so that a start compares and writes nothing; what does not compile (files for other Pythons) is not needed.
RUN /opt/build/bin/pip --python /opt/daskjob-venv/bin/python install --no-cache-dir --no-compile --quiet \
        --require-hashes --only-binary :all: -r /tmp/requirements.txt \
 && { python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/daskjob-venv/lib || true; }
COPY pyproject.toml ./
COPY README.md LICENSE* ./
COPY crds crds
COPY operator operator
RUN /opt/build/bin/pip wheel --no-cache-dir --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheels . \
 && /opt/build/bin/pip --python /opt/daskjob-venv/bin/python install --no-cache-dir --no-compile --quiet --no-deps /tmp/wheels/*.whl \
 && /opt/daskjob-venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/daskjob-venv/lib/python3*/site-packages/daskjob

FROM ${BASE}
COPY --from=build /opt/daskjob-venv /opt/daskjob-venv
# HOME: the root file system is read-only in the chart's pods. USER: kopf asks for a name, and the number below has none.
ENV PATH=/opt/daskjob-venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp USER=daskjob
# A number, so that runAsNonRoot can be checked.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["python3", "-m", "daskjob"]
