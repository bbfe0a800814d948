#!/bin/bash
# make.sh VERSION PROGRAM PORT: writes VERSION.tar.gz, the state directory of a daemon of that version that was stopped,
# started again and killed: some of it is in the tables, some in the journal only. See README.md.
set -euo pipefail
version=$1 program=$2 port=$3
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HEARTBEAT_CONTROL=$dir/control.sock
{
    printf '[[listen]]\naddress = "127.0.0.1:%s"\n' "$port"
    # 0.2 told nobody.
    [ "$version" = 0.2 ] || cat <<C
[defaults]
notify = ["ops"]
[[notifier]]
name = "ops"
type = "webhook"
url = "http://127.0.0.1:9/"
group_wait = "0s"
C
} > "$dir/config.toml"

start() {
    "$program" --config "$dir/config.toml" --state-dir "$dir/state" >> "$dir/log" 2>&1 &
    pid=$!
    until curl -s -o /dev/null "http://127.0.0.1:$port/healthz"; do sleep 0.1; done
}
beat() { curl -sS -f -o /dev/null -d "$1" "http://127.0.0.1:$port/"; }
admin() { curl -sS -f -o /dev/null --unix-socket "$HEARTBEAT_CONTROL" -X "$1" "http://localhost/api/v1/$2"; }
list() { curl -sS -f "http://127.0.0.1:$port/api/v1/$1"; }

start
beat '{"id":"web","interval":"1h","grace":"5m","tags":["shop","数据库"],"message":"all is well"}'
beat '{"id":"job","interval":"24h","status":"start","rid":"r-1"}'
beat '{"id":"silent","interval":"1s","grace":"1s"}'
beat '{"id":"failed","interval":"1h","status":"fail","message":"disk full"}'
beat '{"id":"mended","interval":"1h","status":3}'
beat '{"id":"paused","interval":"1h"}'
beat '{"id":"gone","interval":"1h"}'
admin POST monitors/paused/pause
admin DELETE monitors/gone
until list 'incidents?monitor=silent' | grep -q '"cause":"silence"'; do sleep 0.2; done
incident=$(list 'incidents?monitor=failed' | grep -o '"id":"[^"]*"' | head -n 1 | cut -d '"' -f 4)
admin POST "incidents/$incident/acknowledge"
kill -TERM $pid
wait $pid || true
start
beat '{"id":"web","interval":"1h","grace":"5m","seq":7}'
beat '{"id":"mended","interval":"1h","status":0}'
beat '{"id":"late-comer","interval":"1h","status":255}'
until list 'incidents?monitor=late-comer' | grep -q '"cause":"fail"'; do sleep 0.2; done
sleep 2
kill -KILL $pid
wait $pid 2>/dev/null || true
rm -f "$dir/state/state.db-shm" "$dir/state/lock"
tar -C "$dir" --sort=name --owner=0 --group=0 --numeric-owner -cf - state | gzip -9n > "$here/$version.tar.gz"
