#!/bin/sh
# Builds a binary that needs no library of the machine it runs on.
# With musl where the Rust toolchain has that target and musl-gcc is installed; otherwise with a
# static glibc, which is larger.
# Usage: static-binary.sh PROFILE MACHINE OUTPUT
set -eu
profile=$1 machine=$2 output=$3

musl=$machine-unknown-linux-musl
target=$machine-unknown-linux-gnu
if [ -d "$(rustc --print sysroot)/lib/rustlib/$musl" ] && command -v musl-gcc >/dev/null; then
    target=$musl
    export CC=musl-gcc
else
    echo "no $musl (rustup target add $musl) or no musl-gcc (musl-tools): glibc is linked" >&2
fi
# In a folder of its own: other flags would otherwise rebuild what `cargo build` has built.
RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --profile "$profile" \
    --target "$target" --target-dir target/static --package boxwood
folder=$profile
[ "$profile" != dev ] || folder=debug
cp "target/static/$target/$folder/boxwood" "$output"
strip "$output"
if readelf --dynamic "$output" 2>/dev/null | grep -q NEEDED; then
    echo "$output needs libraries:" >&2
    readelf --dynamic "$output" | grep NEEDED >&2
    exit 1
fi
