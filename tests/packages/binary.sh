# The static binary runs where there is nothing else at all.
. ./lib.sh

binary=$(echo "$packages"/boxwood-*-linux-*)
[ -z "$(readelf --dynamic "$binary" | grep NEEDED)" ] || fail "it needs libraries"
[ -z "$(readelf --program-headers "$binary" | grep INTERP)" ] || fail "it needs a loader"

root=$work/root
mkdir -p "$root/tmp"
cp "$binary" "$root/boxwood"
chroot "$root" /boxwood --version | grep '^boxwood [0-9]'
chroot "$root" /boxwood dev --listen https://127.0.0.1:0 >"$work/out" &
daemon=$!
await 30 is_ready "$work/out"
url=$(url_of "$work/out")
chroot "$root" /boxwood healthcheck --url "$url"
# Names are looked up by the C library, which is in the binary.
chroot "$root" /boxwood healthcheck --url "$(echo "$url" | sed 's/127.0.0.1/localhost/')" ||
    mkdir "$root/etc"
[ ! -d "$root/etc" ] || {
    cp /etc/hosts "$root/etc/hosts"
    chroot "$root" /boxwood healthcheck --url "$(echo "$url" | sed 's/127.0.0.1/localhost/')"
}
stop "$daemon" "$daemon"
[ -z "$(ls "$root/tmp")" ] || fail "the temporary directory is left behind"
