#!/bin/sh
# Makes the container image without a daemon: an OCI image layout in a tar, with the index that
# `docker load` of older versions wants too.
# Reads out, version, architecture and SOURCE_DATE_EPOCH; called by build.sh.
set -eu

image=$out/oci
root=$out/oci-root
blobs=$image/blobs/sha256
mkdir -p "$blobs" "$root/usr/bin" "$root/etc" "$root/var/lib/boxwood" "$root/tmp"
cp "$out/boxwood" "$root/usr/bin/boxwood"
chmod 755 "$root/usr/bin/boxwood"
echo 'boxwood:x:65532:65532:Boxwood:/var/lib/boxwood:/nonexistent' >"$root/etc/passwd"
echo 'boxwood:x:65532:' >"$root/etc/group"
chmod 644 "$root/etc/passwd" "$root/etc/group"
find "$root" -type d -exec chmod 755 {} +

# The data directory belongs to the user of the image; a fresh volume takes that over. Two runs of
# tar, since one has one owner; the first loses the two blocks that end an archive.
archive() { # archive MODE OWNER WHAT...
    mode=$1 owner=$2
    shift 2
    tar --create --directory "$root" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --mode="$mode" \
        --owner="$owner" --group="$owner" --numeric-owner --format=ustar --blocking-factor=1 "$@"
}
{
    archive u=rwX,go=rX 0 --no-recursion etc etc/group etc/passwd usr usr/bin usr/bin/boxwood var \
        var/lib | head -c -1024
    archive 1777 0 --no-recursion tmp | head -c -1024
    archive 0700 65532 --no-recursion var/lib/boxwood
} >"$out/layer.tar"
diff_id=$(sha256sum "$out/layer.tar" | cut -d ' ' -f 1)
gzip -9n "$out/layer.tar"

blob() { # blob FILE: moves it to its place and prints its digest
    digest=$(sha256sum "$1" | cut -d ' ' -f 1)
    mv "$1" "$blobs/$digest"
    echo "$digest"
}
layer=$(blob "$out/layer.tar.gz")
created=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
# Healthcheck is Docker's extension; Kubernetes has probes of its own.
cat >"$out/config.json" <<JSON
{
  "created": "$created",
  "architecture": "$architecture",
  "os": "linux",
  "config": {
    "User": "65532:65532",
    "ExposedPorts": {"8443/tcp": {}},
    "Entrypoint": ["/usr/bin/boxwood"],
    "Cmd": ["serve", "--listen", "https://0.0.0.0:8443"],
    "WorkingDir": "/var/lib/boxwood",
    "Volumes": {"/var/lib/boxwood": {}},
    "StopSignal": "SIGTERM",
    "Healthcheck": {
      "Test": ["CMD", "/usr/bin/boxwood", "healthcheck", "--url", "https://127.0.0.1:8443"],
      "Interval": 30000000000,
      "Timeout": 6000000000,
      "StartPeriod": 60000000000,
      "Retries": 3
    },
    "Labels": {
      "org.opencontainers.image.title": "Boxwood",
      "org.opencontainers.image.version": "$version",
      "org.opencontainers.image.licenses": "MIT OR Apache-2.0"
    }
  },
  "rootfs": {"type": "layers", "diff_ids": ["sha256:$diff_id"]},
  "history": [{"created": "$created", "created_by": "packaging/oci-image.sh"}]
}
JSON
config_size=$(wc -c <"$out/config.json")
config=$(blob "$out/config.json")
layer_size=$(wc -c <"$blobs/$layer")
cat >"$out/image.json" <<JSON
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:$config", "size": $config_size},
  "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:$layer", "size": $layer_size}]
}
JSON
manifest_size=$(wc -c <"$out/image.json")
manifest=$(blob "$out/image.json")
cat >"$image/index.json" <<JSON
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [{
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:$manifest",
    "size": $manifest_size,
    "platform": {"architecture": "$architecture", "os": "linux"},
    "annotations": {
      "io.containerd.image.name": "localhost/boxwood:$version",
      "org.opencontainers.image.ref.name": "$version"
    }
  }]
}
JSON
echo '{"imageLayoutVersion": "1.0.0"}' >"$image/oci-layout"
cat >"$image/manifest.json" <<JSON
[{"Config": "blobs/sha256/$config", "RepoTags": ["localhost/boxwood:$version"], "Layers": ["blobs/sha256/$layer"]}]
JSON
find "$image" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
tar --create --directory "$image" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 \
    --numeric-owner --format=ustar --file "$out/boxwood-$version-oci-$architecture.tar" \
    blobs index.json manifest.json oci-layout
rm -r "$image" "$root"
