#!/bin/sh
# A worker that works through what its task names, from any shell: counts the words of each file.
#
#     heaptui run --name words --inputs 'docs/*.md' -- sh examples/items.sh OUT
#
# What an item gives is on disk, in the directory OUT, before its line says that it is done. TERM
# goes to the shell alone: what it runs ends its item first, then the loop ends.

out=$1
draining=
trap 'draining=1' TERM

while IFS= read -r item && [ -z "$draining" ]; do
    wc -w < "$item" > "$out/$(printf %s "$item" | tr / _).words" || exit 1
    printf '%s\n' "$item" >> "$HEAPTUI_DONE"
done < "$HEAPTUI_SLICE"
