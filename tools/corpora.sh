#!/usr/bin/env bash
# corpora.sh takes what fuzzing has found interesting, so far in Go's cache alone, into the corpora that
# are committed: testdata/fuzz beside each target, where `go test` tries it from then on. Of each target
# the shortest inputs, 100 at most and none above 4 KiB.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=$(go env GOCACHE)/fuzz
taken=0
for folder in $(grep -rlE --include='*_test.go' '^func Fuzz' . | sed 's|/[^/]*$||' | sort -u); do
	import=$(go list -C "$folder" .)
	for target in $(grep -hoE '^func Fuzz\w*' "$folder"/*_test.go | cut -d' ' -f2 | sort); do
		from=$cache/$import/$target to=$folder/testdata/fuzz/$target
		[ -d "$from" ] || continue
		mkdir -p "$to"
		room=$((100 - $(find "$to" -type f | wc -l)))
		while read -r size name; do
			[ "$room" -gt 0 ] && [ "$size" -le 4096 ] || break
			[ -e "$to/$name" ] && continue
			cp "$from/$name" "$to/"
			room=$((room - 1)) taken=$((taken + 1))
		done < <(find "$from" -type f -printf '%s %f\n' | sort -n)
	done
done
echo "$taken inputs taken into testdata/fuzz: commit them"
