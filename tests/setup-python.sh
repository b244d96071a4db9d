#!/bin/sh
# Installs Python packages that a test drives the gateway with: those of NAME-requirements.txt beside
# this file, into target/NAME or into the folder given. Needs python3 with its venv module (Debian:
# python3-venv) and a Python package index. Does nothing when they are there already.
#
#   tests/setup-python.sh fhir-client|schemathesis [FOLDER]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?expected the name of a requirements file, as in fhir-client}
folder=${2:-$here/../target/$name}
wanted=$here/$name-requirements.txt

if [ -x "$folder/bin/python" ] && cmp -s "$wanted" "$folder/installed.txt"; then
    exit 0
fi
if ! command -v python3 >/dev/null; then
    echo "setup-python: python3 is missing; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! python3 -m venv --clear "$folder"; then
    echo "setup-python: python3 can't make a virtual environment; on Debian:" \
        "apt-get install python3-venv" >&2
    exit 1
fi
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"; then
    echo "setup-python: the packages of $wanted can't be installed; is a Python package" \
        "index reachable (PIP_INDEX_URL, proxy)?" >&2
    exit 1
fi
# Last, so that a broken-off installation is not taken for a whole one.
cp "$wanted" "$folder/installed.txt"
