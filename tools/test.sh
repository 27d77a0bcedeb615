#!/bin/sh
# The dashboard's type check and unit tests. Needs Node 20.19 or newer; building and running jobqueue need none.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --no-audit --no-fund
npx tsc --project tsconfig.json
node --disable-warning=MODULE_TYPELESS_PACKAGE_JSON --test tests/*.test.js
