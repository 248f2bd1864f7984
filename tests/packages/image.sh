# The container image: its digests agree, and it runs as a container runs it: PID 1, no root, a
# root file system that cannot be written.
. ./lib.sh

archive=$(echo "$packages"/boxwood-*-oci-*.tar)
layout=$work/layout
mkdir "$layout"
tar --extract --file "$archive" --directory "$layout"

# Every blob is what its name says, and every reference has its blob with the stated size.
(cd "$layout/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --check)
read_json() { # read_json FILE EXPRESSION: of python, with the document as d
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
blob() {
    echo "$layout/blobs/sha256/${1#sha256:}"
}
manifest=$(blob "$(read_json "$layout/index.json" 'd["manifests"][0]["digest"]')")
[ "$(wc -c <"$manifest")" = "$(read_json "$layout/index.json" 'd["manifests"][0]["size"]')" ]
config=$(blob "$(read_json "$manifest" 'd["config"]["digest"]')")
[ "$(wc -c <"$config")" = "$(read_json "$manifest" 'd["config"]["size"]')" ]
layer=$(blob "$(read_json "$manifest" 'd["layers"][0]["digest"]')")
[ "$(wc -c <"$layer")" = "$(read_json "$manifest" 'd["layers"][0]["size"]')" ]
[ "sha256:$(gzip -dc "$layer" | sha256sum | cut -d ' ' -f 1)" = \
    "$(read_json "$config" 'd["rootfs"]["diff_ids"][0]')" ] || fail "the layer is another one"
[ "$(read_json "$config" 'd["config"]["User"]')" = 65532:65532 ]

root=$work/root
mkdir "$root"
tar --extract --gzip --same-owner --same-permissions --file "$layer" --directory "$root"
[ "$(stat -c '%a %u %g' "$root/var/lib/boxwood")" = '700 65532 65532' ]
mkdir "$root/proc"

# run NAME ARGUMENT...: the entry point as PID 1. Sets pid, as seen from here, and url.
entry=$(read_json "$config" '" ".join(d["config"]["Entrypoint"])')
run() {
    name=$1
    shift
    unshare --pid --fork --mount --propagation private sh -eu -c '
        root=$1
        shift
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmp "$root/tmp"
        [ -z "$volume" ] || mount --bind "$volume" "$root/var/lib/boxwood"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs chroot --userspec=65532:65532 "$root" "$@"
    ' sh "$root" "$entry" "$@" >"$work/$name.out" &
    outer=$!
    await 30 is_ready "$work/$name.out"
    pid=$(cat "/proc/$outer/task/$outer/children")
    pid=${pid% }
    url=$(url_of "$work/$name.out")
}
check() {
    chroot --userspec=65532:65532 "$root" "$entry" healthcheck --url "$url" "$@"
}

# As its command says, on a volume, but on a free port.
volume=$work/volume
mkdir "$volume"
chown 65532:65532 "$volume"
chmod 700 "$volume"
export volume BOXWOOD_ADMIN_PASSWORD=admin
[ "$(read_json "$config" 'd["config"]["Cmd"]')" = "['serve', '--listen', 'https://0.0.0.0:8443']" ]
run serve serve --listen https://0.0.0.0:0
[ "$(awk '/^NSpid:/ { print $3 }' "/proc/$pid/status")" = 1 ] || fail "it is not PID 1"
url=$(echo "$url" | sed 's/0\.0\.0\.0/127.0.0.1/')
check --ready
curl --silent --fail --insecure --user admin:admin "$url/api/authentication" >"$work/login"
stop "$pid" "$outer"
[ -d "$volume/revisions.sled" ] || fail "nothing is on the volume"

# The emulator, reachable from outside by a flag; without it, it refuses.
volume=
unset BOXWOOD_ADMIN_PASSWORD
if chroot --userspec=65532:65532 "$root" "$entry" dev --listen https://0.0.0.0:0; then
    fail "dev is reachable from outside without a flag"
fi
run dev dev --expose-dev --listen https://0.0.0.0:0
url=$(echo "$url" | sed 's/0\.0\.0\.0/127.0.0.1/')
check
stop "$pid" "$outer"
