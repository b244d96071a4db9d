#!/bin/sh
# Makes the JSON Schema of a Grafana dashboard from the types that Grafana publishes, into
# target/grafana-schema beside this folder. Needs node with npm, and a registry of npm packages. Does
# nothing when it is there already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$here/../target/grafana-schema
wanted=$here/grafana-schema/package-lock.json

if [ -s "$folder/dashboard.schema.json" ] && cmp -s "$wanted" "$folder/installed.json"; then
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "setup-grafana-schema: npm is missing; on Debian: apt-get install npm" >&2
    exit 1
fi
mkdir -p "$folder"
cp "$here/grafana-schema/package.json" "$wanted" "$folder"
if ! (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts); then
    echo "setup-grafana-schema: the packages of $wanted can't be installed; is a registry reachable" \
        "(npm_config_registry, proxy)?" >&2
    exit 1
fi
(cd "$folder" && node_modules/.bin/ts-json-schema-generator --no-type-check --type Dashboard \
    --path node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts \
    --out dashboard.schema.json)
# Last, so that a broken-off installation is not taken for a whole one.
cp "$wanted" "$folder/installed.json"
