# What the tests of packages share; read with `. ./lib.sh`.

fail() {
    echo "failed: $*" >&2
    exit 1
}

# await SECONDS COMMAND...: until it succeeds.
await() {
    left=$(($1 * 20))
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for: $*"
        sleep 0.05
    done
}

# url_of FILE: the address in the ready line of a daemon's output.
url_of() {
    sed -n 's/^boxwood ready //p' "$1" | head -n 1
}

is_ready() {
    [ -n "$(url_of "$1")" ]
}

# stop PID: asks a child to end, and expects that it does so with 0.
stop() {
    kill -TERM "$1"
    code=0
    wait "$2" || code=$?
    [ "$code" = 0 ] || fail "it ended with $code"
}
