# The same binary gives the same archives, byte by byte.
. ./lib.sh

cd ../..
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
export version architecture=test SOURCE_DATE_EPOCH=1000000000
for turn in 1 2; do
    export out=$work/$turn
    mkdir -p "$out/pages/man" "$out/pages/completions"
    echo binary >"$out/boxwood"
    echo page >"$out/pages/man/boxwood.1"
    for file in boxwood.bash _boxwood boxwood.fish; do
        echo completion >"$out/pages/completions/$file"
    done
    sh packaging/debian-package.sh
    sh packaging/oci-image.sh
    # Whatever the clock and the mask are.
    umask 077
done
for file in "boxwood_${version}_test.deb" "boxwood-$version-oci-test.tar"; do
    cmp "$work/1/$file" "$work/2/$file" || fail "$file differs"
done
