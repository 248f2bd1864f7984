# The Debian package installs, starts as its unit says, keeps edits, and goes again.
# All of it in an overlay of this machine's root, which is thrown away.
. ./lib.sh

package=$(echo "$packages"/boxwood_*.deb)
root=$work/root
mkdir -p "$work/over" "$root"
mount -t tmpfs over "$work/over"
mkdir "$work/over/upper" "$work/over/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/over/upper,workdir=$work/over/work" "$root"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmp "$root/tmp"
mount -t tmpfs run "$root/run"
cp "$package" "$root/tmp/boxwood.deb"
inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}

dpkg-deb --info "$package"
for script in postinst prerm postrm; do
    dpkg-deb --ctrl-tarfile "$package" | tar --extract --to-stdout "./$script" | sh -n
done

# Install.
inside dpkg --install /tmp/boxwood.deb >"$work/installed"
cat "$work/installed"
inside getent passwd boxwood | grep ':/var/lib/boxwood:' || fail "no user"
[ "$(stat -c '%a %U' "$root/var/lib/boxwood")" = "700 $(stat -c %U "$root/var/lib/boxwood")" ] ||
    fail "others can read the data directory"
inside dpkg --verify boxwood
environment=$root/etc/boxwood/environment
[ "$(stat -c '%a %u' "$environment")" = '600 0' ] || fail "others can read the password"
password=$(sed -n 's/^BOXWOOD_ADMIN_PASSWORD=//p' "$environment")
[ ${#password} -ge 20 ] || fail "no password was made"
! grep -q "$password" "$work/installed" || fail "the password was printed"

# Pages and completions.
inside man --warnings --locale C boxwood >"$work/page" 2>"$work/warnings"
grep -q healthcheck "$work/page" || fail "the man page does not name the commands"
[ ! -s "$work/warnings" ] || fail "the man page has mistakes: $(cat "$work/warnings")"
bash -n "$root/usr/share/bash-completion/completions/boxwood"

# The unit.
unit=$root/usr/lib/systemd/system/boxwood.service
inside systemd-analyze verify /usr/lib/systemd/system/boxwood.service 2>&1 |
    grep boxwood.service && fail "the unit has mistakes"
exposure=$(inside systemd-analyze security --offline=true --no-pager boxwood.service |
    sed -n 's/.*Overall exposure level for boxwood.service: \([0-9.]*\).*/\1/p')
echo "exposure $exposure"
[ "$(echo "${exposure:-10}" | cut -d . -f 1)" -lt 2 ] || fail "exposure level $exposure"

# Start as the unit does, but on a free port and with the unit's user.
command=$(sed -n 's/^ExecStart=//p' "$unit")
start() {
    # Not by `inside`: the process to be stopped is the daemon, not a shell around it.
    # shellcheck disable=SC2086
    chroot "$root" setpriv --reuid=boxwood --regid=boxwood --init-groups --no-new-privs --bounding-set=-all \
        env "BOXWOOD_ADMIN_PASSWORD=$password" BOXWOOD_LISTEN=https://127.0.0.1:0 \
        $command >"$work/out" &
    daemon=$!
    await 30 is_ready "$work/out"
    url=$(url_of "$work/out")
}
start
inside boxwood healthcheck --ready --url "$url"
curl --silent --fail --insecure --user "admin:$password" "$url/api/authentication" >"$work/login"
stop "$daemon" "$daemon"

# An upgrade keeps an edited file and the password.
echo '#edited' >>"$root/etc/boxwood/boxwood.toml"
inside dpkg --install /tmp/boxwood.deb
grep -q '#edited' "$root/etc/boxwood/boxwood.toml" || fail "an edit of a conffile is lost"
grep -qF "$password" "$environment" || fail "the password was made again"
start
stop "$daemon" "$daemon"

# Removal keeps configuration; purging keeps the data alone.
inside dpkg --remove boxwood
[ -e "$root/etc/boxwood/boxwood.toml" ] || fail "removal took the configuration"
[ ! -e "$root/usr/bin/boxwood" ] || fail "removal left the binary"
inside dpkg --purge boxwood
[ ! -e "$root/etc/boxwood" ] || fail "purging left the configuration"
[ -d "$root/var/lib/boxwood/revisions.sled" ] || fail "purging took the data"
