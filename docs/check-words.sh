#!/bin/sh
# Looks for the words of words.tsv in the given files and folders; fails when one is found.
# A line that quotes such a word on purpose says `words: allow`.
# Usage: docs/check-words.sh FILE-OR-FOLDER...
set -eu
list=$(dirname "$0")/words.tsv
find "$@" -type f \( -name '*.md' -o -name '*.rs' -o -name '*.toml' -o -name '*.sh' -o -name '*.py' \
    -o -name '*.ps1' -o -name '*.yml' -o -name '*.yaml' -o -name Makefile \) -print0 |
    xargs -0 awk '
BEGIN { FS = "\t" }
NR == FNR {
    if ($0 !~ /^#/ && NF == 2) { advice[" " $1 " "] = $2 }
    next
}
/words: allow/ { next }
{
    line = " " tolower($0) " "
    # Ends of clauses stay, so that no phrase is found across one; everything else between words is
    # a space.
    gsub(/[.:;,!?()|`"]/, " . ", line)
    gsub(/[^a-z0-9._]+/, " ", line)
    # "there is no X", "is no longer" and "is no more than" are how one says it.
    gsub(/ there is no /, " there . ", line)
    gsub(/ is no (longer|more|less|fewer|greater|larger|smaller|later|earlier) /, " . ", line)
    for (phrase in advice) {
        if (index(line, phrase)) {
            printf "%s:%d:%s- write: %s\n", FILENAME, FNR, phrase, advice[phrase]
            found++
        }
    }
}
END {
    if (found) {
        printf "%d found; docs/STYLE.md has the rules\n", found
        exit 1
    }
}' "$list"
