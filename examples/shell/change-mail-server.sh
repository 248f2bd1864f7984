#!/bin/sh
# Changes the mail server of an appliance in one transaction.
# Usage: change-mail-server.sh URL MAIL_SERVER
set -eu

url=${1:?usage: change-mail-server.sh URL MAIL_SERVER}
mail_server=${2:?usage: change-mail-server.sh URL MAIL_SERVER}
api=$url/api
work=$(mktemp -d)
# Whatever happens: end the session, which also rolls back an open transaction.
trap 'call DELETE authentication >/dev/null 2>&1 || true; rm -r "$work"' EXIT

# call METHOD PATH [BODY]: prints the answer, and fails with it on anything but 2xx.
call() {
    method=$1 path=$2
    shift 2
    if [ $# -gt 0 ]; then
        set -- --header 'Content-Type: application/json' --data "$1"
    elif [ "$method" = POST ]; then
        set -- --data ''
    fi
    status=$(curl --silent --show-error --insecure --request "$method" \
        --cookie "$work/cookies" --output "$work/answer" --write-out '%{http_code}' \
        "$@" "$api/$path")
    cat "$work/answer"
    case $status in
    2*) ;;
    *)
        echo "$method $path was answered with $status" >&2
        return 1
        ;;
    esac
}

# The password goes to curl on standard input, where no list of processes shows it.
printf 'user = "%s:%s"\n' "${BOXWOOD_USER:-admin}" "${BOXWOOD_PASSWORD:-admin}" |
    curl --silent --show-error --fail --insecure --config - \
        --cookie-jar "$work/cookies" --output "$work/answer" "$api/authentication"

call POST transaction >"$work/opened"
call PUT configuration/management/email '{
    "admin_address": "root@example.com",
    "alerting_address": "alerts@example.com",
    "reporting_address": "reports@example.com",
    "sender_address": null,
    "smtp_auth": {"enabled": false},
    "smtp_encryption": {"selection": "disabled"},
    "smtp_server": {"selection": "fqdn", "value": "'"$mail_server"'"}
}' >"$work/written"
call GET transaction/changes >"$work/changes"
call PUT transaction '{"status": "commit", "message": "New mail server"}' >"$work/committed"
echo "the mail server is now $mail_server"
