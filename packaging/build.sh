#!/bin/sh
# Builds the packages into target/packages: a static binary, a Debian package and an OCI image.
# PROFILE=dev builds them from an unoptimised binary, which is quicker; the tests do that.
# Nothing but the binary depends on the machine: same sources, same bytes in the archives.
set -eu
cd "$(dirname "$0")/.."

profile=${PROFILE:-release}
out=$PWD/target/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
machine=$(uname -m)
case $machine in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) echo "no packages are made for $machine" >&2 && exit 1 ;;
esac
# Files in the archives are as old as the last commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH out version architecture

rm -rf "$out"
mkdir -p "$out"
sh packaging/static-binary.sh "$profile" "$machine" "$out/boxwood"
cargo run --quiet --package pages -- "$out/pages"
sh packaging/debian-package.sh
sh packaging/oci-image.sh

rm -r "$out/pages"
mv "$out/boxwood" "$out/boxwood-$version-linux-$machine"
cd "$out"
for file in *; do
    printf '%9d KiB  %s\n' "$(($(wc -c <"$file") / 1024))" "$file"
done
