#!/usr/bin/env bash
# typescript 7.0.2: in a class that has a private method, a property key that is spelled as the class is written as `_a`, for
# the targets ES2021 to ES2023: `{ Store: 1 }` becomes `{ _a: 1 }`, and nothing says so. typescript 5.9.3 and the target ESNext
# keep it. Needs npm. Exits 1 once that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm pkg set type=module >/dev/null
npm install --silent --no-audit --no-fund typescript@7.0.2 before@npm:typescript@5.9.3
cat >store.ts <<'TS'
export class Store { #key() { return { Store: 1 }; } show() { return this.#key(); } }
console.log(JSON.stringify(new Store().show()));
TS
outcome() {
  node "node_modules/$1/bin/tsc" --target "$2" --module ESNext --outDir out store.ts
  node out/store.js
}
now=$(outcome typescript ES2023)
before=$(outcome before ES2023)
next=$(outcome typescript ESNext)
printf '7.0.2, ES2023: %s\n5.9.3, ES2023: %s\n7.0.2, ESNext: %s\n' "$now" "$before" "$next"
[ "$now" = '{"_a":1}' ] && [ "$before" = '{"Store":1}' ] && [ "$next" = '{"Store":1}' ]
