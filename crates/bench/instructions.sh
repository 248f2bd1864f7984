#!/bin/sh
# Counts what is the same on every run: instructions (callgrind) and allocations of four paths, a
# GET over and over, the same in a transaction, a PUT and a commit, without sockets, on a store in
# memory, with the log on.
#
#   instructions.sh            compare with instructions.tsv; a path that grew by more than the
#                              tolerance there makes it fail
#   instructions.sh --update   write what is counted now into instructions.tsv
#
# Exit codes: 0 within the tolerance, 1 a path grew, 2 something went wrong, 77 no valgrind.
#
# A count is the difference of a long and a short run over that of their lengths, so the start does
# not count; what making the bare request costs is taken off. Counts depend on the compiler and on
# the instruction sets that valgrind knows, little on anything else.
set -u
here=$(dirname "$0")
reference="$here/instructions.tsv"
binaries=${BENCH_BINARIES:-target/release}
short=200 long=1200

if ! command -v valgrind > /dev/null; then
    echo "instructions: there is no valgrind here; apt-get install valgrind" >&2
    exit 77
fi
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# run PATH COUNT: instructions of a whole run.
run() {
    valgrind --tool=callgrind --callgrind-out-file="$work/out" \
        "$binaries/bench-paths" "$1" "$2" > "$work/log" 2>&1 || { tail -5 "$work/log" >&2; return 1; }
    sed -n 's/^\(totals\|summary\): *\([0-9]*\).*/\2/p' "$work/out" | tail -1
}

# count PATH: instructions of going down it once.
count() {
    few=$(run "$1" $short) && many=$(run "$1" $long) || return 1
    echo $(((many - few) / (long - short)))
}

nothing=$(count nothing) || exit 2
"$binaries/bench-allocations" > "$work/allocations" || exit 2
: > "$work/counted"
for path in get get-staged put commit; do
    counted=$(count $path) || exit 2
    # A commit is not a request.
    [ $path = commit ] || counted=$((counted - nothing))
    printf '%s\tinstructions\t%s\n' $path $counted >> "$work/counted"
    awk -v path=$path '$1 == path { printf "%s\tallocations\t%.0f\n", path, $2 }' \
        "$work/allocations" >> "$work/counted"
done

if [ "${1-}" = --update ]; then
    {
        grep '^#' "$reference"
        cat "$work/counted"
    } > "$work/new" && cp "$work/new" "$reference" && cat "$reference"
    exit
fi

tolerance=$(sed -n 's/^# tolerance: *\([0-9]*\) %.*/\1/p' "$reference")
awk -F '\t' -v tolerance="${tolerance:-5}" '
    FNR == NR { if ($0 !~ /^#/) before[$1 FS $2] = $3; next }
    {
        known = before[$1 FS $2]
        change = known ? ($3 / known - 1) * 100 : 0
        verdict = "ok"
        if (!known) verdict = "no reference; run with --update"
        else if (change > tolerance) { verdict = "GREW"; grew = 1 }
        else if (change < -tolerance) verdict = "shrank; run with --update"
        printf "%-10s %-13s %9d  reference %9d  %+6.1f %%  %s\n", $1, $2, $3, known, change, verdict
    }
    END { exit grew }
' "$reference" "$work/counted"
