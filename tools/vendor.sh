#!/bin/sh
# Regenerates static/vendor/ from the versions pinned in package.json and package-lock.json.
# Only a developer who changes those versions runs it; building and running jobqueue need no Node.
set -eu
cd "$(dirname "$0")"
npm ci --no-audit --no-fund
out=../static/vendor
mkdir -p "$out"
npx esbuild vendor-entry.js --bundle --minify --format=esm --target=es2022 --legal-comments=none --outfile="$out/preact.js"
cp vendor-entry.d.ts "$out/preact.d.ts"

version() { node -p "require('./node_modules/$1/package.json').version"; }
{
    echo "preact.js bundles the packages below, unchanged, by tools/vendor.sh."
    for package in preact htm @preact/signals @preact/signals-core; do
        printf '\n==== %s %s ====\n\n' "$package" "$(version "$package")"
        cat "node_modules/$package/LICENSE"
    done
} > "$out/LICENSES"
