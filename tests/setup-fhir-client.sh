#!/bin/sh
# Installs the FHIR client library that tests/gateway/fhir_client.py drives the gateway with, into
# target/fhir-client beside this folder or into the folder given. Needs python3 with its venv module
# (Debian: python3-venv) and a Python package index. Does nothing when it is there already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../target/fhir-client}
wanted=$here/fhir-client-requirements.txt

if [ -x "$folder/bin/python" ] && cmp -s "$wanted" "$folder/installed.txt"; then
    exit 0
fi
if ! command -v python3 >/dev/null; then
    echo "setup-fhir-client: python3 is missing; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! python3 -m venv --clear "$folder"; then
    echo "setup-fhir-client: python3 can't make a virtual environment; on Debian:" \
        "apt-get install python3-venv" >&2
    exit 1
fi
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"; then
    echo "setup-fhir-client: the packages of $wanted can't be installed; is a Python package" \
        "index reachable (PIP_INDEX_URL, proxy)?" >&2
    exit 1
fi
# Last, so that a broken-off installation is not taken for a whole one.
cp "$wanted" "$folder/installed.txt"
