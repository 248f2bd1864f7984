#!/bin/sh
# Tests the packages in target/packages: `make test-packages` builds them first, unoptimised.
# Needs root, since it makes mount and process namespaces in which packages are installed and run;
# nothing on the machine itself changes. Each test has five minutes.
set -u
cd "$(dirname "$0")"
packages=$(realpath ../../target/packages)
export packages
if [ "$(id -u)" != 0 ]; then
    echo "tests/packages needs root: it installs into namespaces of its own" >&2
    exit 1
fi

passed=0 failed=0
for test in binary.sh debian.sh image.sh reproducible.sh; do
    work=$(mktemp -d)
    # A mount namespace of its own, so that nothing stays mounted.
    if work=$work timeout --kill-after=10 300 unshare --mount --propagation private \
        sh -eu "$test" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $test"
    else
        failed=$((failed + 1))
        echo "FAILED  $test"
        sed 's/^/    /' "$work/log"
    fi
    rm -rf --one-file-system "$work"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
