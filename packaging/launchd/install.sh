#!/bin/sh
# Sets heartbeat-server up under launchd, and takes it out again.
#
#   sudo sh install.sh              for the machine: a LaunchDaemon with a user of its own
#   sh install.sh agent             for you: a LaunchAgent that runs while you are logged in
#   … uninstall                     takes out what that made; state, logs and configuration stay
#
# The program is expected at /usr/local/sbin/heartbeat-server, where `make install` puts it. With DESTDIR set, files
# are put under it and nothing else is done: no user is made, launchd is not told.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
DESTDIR=${DESTDIR:-}
program=/usr/local/sbin/heartbeat-server
user=_heartbeat-server
state=/usr/local/var/lib/heartbeat-server
logs=/usr/local/var/log/heartbeat-server

kind=daemon
action=install
for word in "$@"; do
    case "$word" in
    agent) kind=agent ;;
    uninstall) action=uninstall ;;
    *)
        echo "usage: install.sh [agent] [uninstall]" >&2
        exit 64
        ;;
    esac
done

if [ -z "$DESTDIR" ]; then
    if [ "$(uname -s)" != Darwin ]; then
        echo "install.sh: launchd is macOS's; elsewhere see the packages and \`make install\`" >&2
        exit 69
    fi
    if [ "$kind" = daemon ] && [ "$(id -u)" -ne 0 ]; then
        echo "install.sh: a LaunchDaemon needs root: sudo sh install.sh, or sh install.sh agent for yourself" >&2
        exit 77
    fi
    if [ "$kind" = agent ] && [ "$(id -u)" -eq 0 ]; then
        echo "install.sh: an agent belongs to a user: run it without sudo" >&2
        exit 77
    fi
    if [ "$action" = install ] && [ ! -x "$program" ]; then
        echo "install.sh: there is no $program: make install first" >&2
        exit 66
    fi
fi

if [ "$kind" = daemon ]; then
    label=com.heartbeat-server
    domain=system
    plist=/Library/LaunchDaemons/$label.plist
else
    label=com.heartbeat-server.agent
    domain=gui/$(id -u)
    plist=$HOME/Library/LaunchAgents/$label.plist
fi

# A free number below 500, for the group and the user alike.
free_id() {
    taken=$(dscl . -list /Users UniqueID | awk '{print $2}'; dscl . -list /Groups PrimaryGroupID | awk '{print $2}')
    id=400
    while echo "$taken" | grep -qx "$id"; do
        id=$((id + 1))
    done
    if [ "$id" -ge 500 ]; then
        echo "install.sh: no user number between 400 and 499 is free" >&2
        exit 71
    fi
    echo "$id"
}

make_user() {
    if dscl . -read "/Users/$user" >/dev/null 2>&1; then
        return
    fi
    number=$(free_id)
    dscl . -create "/Groups/$user"
    dscl . -create "/Groups/$user" PrimaryGroupID "$number"
    dscl . -create "/Users/$user"
    dscl . -create "/Users/$user" UniqueID "$number"
    dscl . -create "/Users/$user" PrimaryGroupID "$number"
    dscl . -create "/Users/$user" UserShell /usr/bin/false
    dscl . -create "/Users/$user" NFSHomeDirectory "$state"
    dscl . -create "/Users/$user" RealName "Heartbeat server"
    dscl . -create "/Users/$user" IsHidden 1
}

# Out of launchd, which takes a moment to let go of the sockets.
boot_out() {
    if launchctl print "$domain/$label" >/dev/null 2>&1; then
        launchctl bootout "$domain/$label"
        waited=0
        while launchctl print "$domain/$label" >/dev/null 2>&1; do
            if [ "$waited" -ge 30 ]; then
                echo "install.sh: launchd does not let go of $label" >&2
                exit 75
            fi
            sleep 1
            waited=$((waited + 1))
        done
    fi
}

if [ "$action" = uninstall ]; then
    if [ -z "$DESTDIR" ]; then
        boot_out
    fi
    rm -f "$DESTDIR$plist"
    if [ "$kind" = daemon ]; then
        rm -f "$DESTDIR/etc/newsyslog.d/heartbeat-server.conf"
        echo "Kept: $state, $logs, /etc/heartbeat-server and the user $user"
    else
        echo "Kept: $HOME/.local/state/heartbeat-server, $HOME/Library/Logs/heartbeat-server"
    fi
    exit 0
fi

mkdir -p "$DESTDIR$(dirname "$plist")"
if [ "$kind" = daemon ]; then
    mkdir -p "$DESTDIR$state" "$DESTDIR$logs" "$DESTDIR/etc/newsyslog.d"
    chmod 750 "$DESTDIR$state" "$DESTDIR$logs"
    if [ -z "$DESTDIR" ]; then
        make_user
        chown "$user:$user" "$state" "$logs"
    fi
    install -m 644 "$here/newsyslog.conf" "$DESTDIR/etc/newsyslog.d/heartbeat-server.conf"
    install -m 644 "$here/$label.plist" "$DESTDIR$plist"
    if [ -z "$DESTDIR" ]; then
        chown root:wheel "$plist" /etc/newsyslog.d/heartbeat-server.conf
    fi
else
    mkdir -p "$DESTDIR$HOME/Library/Logs/heartbeat-server"
    # A path may hold what sed takes for its own, and what XML does.
    home=$(printf '%s\n' "$HOME" | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/[\\&|]/\\&/g')
    sed "s|@HOME@|$home|" "$here/$label.plist" > "$DESTDIR$plist"
    chmod 644 "$DESTDIR$plist"
fi

if [ -z "$DESTDIR" ]; then
    boot_out
    # One that somebody disabled stays out until it is enabled again.
    launchctl enable "$domain/$label"
    launchctl bootstrap "$domain" "$plist"
    echo "Running: launchctl print $domain/$label"
    echo "Try it:  curl -d '{\"id\":\"me\"}' http://localhost:7777/"
fi
