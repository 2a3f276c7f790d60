#!/usr/bin/env bash
# oxlint 1.89.0 calls a private member unused (no-unused-private-class-members) where nothing reads it but `yield` or `yield*`; `await`
# and a spread count. eslint 10.15.0, whose rule it is, takes all four for uses. Needs npm. Exits 1 once that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund oxlint@1.89.0 eslint@10.15.0
cat >eslint.config.mjs <<'JS'
export default [{ rules: { 'no-unused-private-class-members': 'error' } }];
JS
outcome() {
  printf 'export class Box { #items = [1]; %s }\n' "$1" >box.js
  local ox=clean es=clean
  npx oxlint -A all -D no-unused-private-class-members box.js >/dev/null || ox=unused
  npx eslint box.js >/dev/null || es=unused
  printf '%s: oxlint %s, eslint %s\n' "$1" "$ox" "$es"
}
found=$(
  outcome '*each() { yield* this.#items; }'
  outcome '*whole() { yield this.#items; }'
  outcome 'async late() { await this.#items; }'
  outcome 'copy() { return [...this.#items]; }'
)
printf '%s\n' "$found"
[ "$(grep -c 'yield.*oxlint unused, eslint clean' <<<"$found")" = 2 ] && [ "$(grep -c 'oxlint clean, eslint clean' <<<"$found")" = 2 ]
