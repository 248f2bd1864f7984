#!/bin/sh
# Makes the Debian package with ar and tar, so that it can be built on any Linux.
# Reads out, version, architecture and SOURCE_DATE_EPOCH; called by build.sh.
set -eu

tree=$out/deb
mkdir -p "$tree/control" "$tree/data"
data=$tree/data

put() { # put MODE FILE PLACE
    mkdir -p "$(dirname "$data/$3")"
    cp "$2" "$data/$3"
    chmod "$1" "$data/$3"
}

put 755 "$out/boxwood" usr/bin/boxwood
put 644 packaging/debian/boxwood.service usr/lib/systemd/system/boxwood.service
put 644 config/boxwood.toml etc/boxwood/boxwood.toml
put 644 packaging/debian/copyright usr/share/doc/boxwood/copyright
put 644 docs/CHANGELOG.md usr/share/doc/boxwood/CHANGELOG.md
put 644 docs/OPERATIONS.md usr/share/doc/boxwood/OPERATIONS.md
gzip -9n "$data/usr/share/doc/boxwood/CHANGELOG.md" "$data/usr/share/doc/boxwood/OPERATIONS.md"
for page in "$out"/pages/man/*.1; do
    put 644 "$page" "usr/share/man/man1/$(basename "$page")"
done
gzip -9n "$data"/usr/share/man/man1/*
put 644 "$out/pages/completions/boxwood.bash" usr/share/bash-completion/completions/boxwood
put 644 "$out/pages/completions/_boxwood" usr/share/zsh/vendor-completions/_boxwood
put 644 "$out/pages/completions/boxwood.fish" usr/share/fish/vendor_completions.d/boxwood.fish

for script in postinst prerm postrm; do
    cp "packaging/debian/$script" "$tree/control/$script"
    chmod 755 "$tree/control/$script"
done
echo /etc/boxwood/boxwood.toml >"$tree/control/conffiles"
(cd "$data" && find . -type f ! -path './etc/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
    >"$tree/control/md5sums"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@SIZE@/$(du -sk "$data" | cut -f 1)/" packaging/debian/control >"$tree/control/control"
chmod 644 "$tree/control/conffiles" "$tree/control/md5sums" "$tree/control/control"
find "$tree" -type d -exec chmod 755 {} +

archive() { # archive FOLDER FILE
    tar --create --directory "$1" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 \
        --numeric-owner --format=gnu . | gzip -9n >"$2"
}
archive "$tree/control" "$tree/control.tar.gz"
archive "$data" "$tree/data.tar.gz"
echo 2.0 >"$tree/debian-binary"
package=$out/boxwood_${version}_$architecture.deb
# Deterministic (D): no times and owners.
(cd "$tree" && ar rcD "$package" debian-binary control.tar.gz data.tar.gz)
rm -r "$tree"
