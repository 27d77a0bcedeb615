#!/bin/sh
# Regenerates static/vendor/ and the tests' copy of axe from the versions pinned in package.json and package-lock.json.
# Only a developer who changes those versions runs it; building and running jobqueue need no Node.
set -eu
cd "$(dirname "$0")"
npm ci --no-audit --no-fund
out=../static/vendor
mkdir -p "$out"
bundle() { npx esbuild "$1" --bundle --minify --format=esm --target=es2022 --legal-comments=none --outfile="$out/$2"; }
bundle vendor-entry.js preact.js
cp vendor-entry.d.ts "$out/preact.d.ts"
# Each by itself, as only the pages that draw ask for them.
bundle node_modules/uplot/dist/uPlot.esm.js uplot.js
cp node_modules/uplot/dist/uPlot.d.ts "$out/uplot.d.ts"
cp node_modules/uplot/dist/uPlot.min.css "$out/uplot.css"
bundle vendor-dagre.js dagre.js
cp vendor-dagre.d.ts "$out/dagre.d.ts"
cp node_modules/axe-core/axe.min.js ../tests/browser/axe.min.js

version() { node -p "require('./node_modules/$1/package.json').version"; }
{
    echo "preact.js, uplot.js and dagre.js bundle the packages below, unchanged, by tools/vendor.sh."
    for package in preact htm @preact/signals @preact/signals-core uplot @dagrejs/dagre @dagrejs/graphlib; do
        printf '\n==== %s %s ====\n\n' "$package" "$(version "$package")"
        cat "node_modules/$package/LICENSE"
    done
} > "$out/LICENSES"
