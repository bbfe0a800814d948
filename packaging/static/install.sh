#!/bin/sh
# Installs heartbeat-server and its client from this folder, on any Linux, and takes them out again.
#
#   sudo ./install.sh                     programs, manuals, user and service; nothing is started
#   ./install.sh --dry-run                only prints what it would do
#   sudo ./install.sh --prefix /opt/hb    elsewhere than under /usr/local
#   sudo ./install.sh --uninstall         configuration, state, logs and users stay
#
# Over an older version it is an upgrade: what runs is restarted, an edited configuration is kept.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local
action=install
dry=

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
zh*) chinese=1 ;;
*) chinese= ;;
esac

# Says the first text, or the second where the locale is Chinese.
say() {
    if [ -n "$chinese" ]; then echo "$2"; else echo "$1"; fi
}

fail() {
    code=$1
    shift
    say "install.sh: $1" "install.sh: $2" >&2
    exit "$code"
}

usage() {
    say "usage: install.sh [--prefix FOLDER] [--dry-run] [--uninstall]" \
        "用法：install.sh [--prefix 目录] [--dry-run] [--uninstall]"
}

while [ $# -gt 0 ]; do
    case "$1" in
    --prefix=*) prefix=${1#--prefix=} ;;
    --prefix)
        [ $# -gt 1 ] || { usage >&2; exit 64; }
        prefix=$2
        shift
        ;;
    --dry-run) dry=1 ;;
    --uninstall) action=uninstall ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 64
        ;;
    esac
    shift
done

prefix=${prefix%/}
case "$prefix" in
/*) ;;
*) fail 64 "--prefix wants a path that begins with /, not '$prefix'" "--prefix 需要以 / 开头的路径，而不是“$prefix”" ;;
esac
# Units and sed would take other characters for their own.
case "$prefix" in
*[!A-Za-z0-9/._+-]*) fail 64 "--prefix may hold letters, digits and /._+- only: '$prefix'" "--prefix 只能含字母、数字和 /._+-：“$prefix”" ;;
esac
if [ -z "$dry" ] && [ "$(id -u)" -ne 0 ]; then
    fail 77 "this needs root: sudo $0, or --dry-run to see what it would do" "需要 root 权限：sudo $0，或用 --dry-run 查看将做什么"
fi

# Who starts services here.
if [ -d /run/systemd/system ] || command -v systemctl >/dev/null 2>&1; then
    manager=systemd
elif command -v openrc-run >/dev/null 2>&1 || [ -x /sbin/openrc-run ]; then
    manager=openrc
else
    manager=none
fi
# systemd reads these two under their own prefix; what is elsewhere it is told of in /etc.
case "$prefix" in
/usr | /usr/local) units=$prefix/lib/systemd/system ;;
*) units=/etc/systemd/system ;;
esac

# What goes where: mode, file here, file there.
files() {
    cat <<END
755 sbin/heartbeat-server $prefix/sbin/heartbeat-server
755 bin/heartbeat $prefix/bin/heartbeat
644 share/man/man1/heartbeat.1 $prefix/share/man/man1/heartbeat.1
644 share/man/man5/heartbeat-server.toml.5 $prefix/share/man/man5/heartbeat-server.toml.5
644 share/man/man8/heartbeat-server.8 $prefix/share/man/man8/heartbeat-server.8
644 share/man/zh_CN/man1/heartbeat.1 $prefix/share/man/zh_CN/man1/heartbeat.1
644 share/man/zh_CN/man5/heartbeat-server.toml.5 $prefix/share/man/zh_CN/man5/heartbeat-server.toml.5
644 share/man/zh_CN/man8/heartbeat-server.8 $prefix/share/man/zh_CN/man8/heartbeat-server.8
644 share/bash-completion/completions/heartbeat $prefix/share/bash-completion/completions/heartbeat
644 share/bash-completion/completions/heartbeat-server $prefix/share/bash-completion/completions/heartbeat-server
644 share/zsh/site-functions/_heartbeat $prefix/share/zsh/site-functions/_heartbeat
644 share/zsh/site-functions/_heartbeat-server $prefix/share/zsh/site-functions/_heartbeat-server
644 share/fish/vendor_completions.d/heartbeat.fish $prefix/share/fish/vendor_completions.d/heartbeat.fish
644 share/fish/vendor_completions.d/heartbeat-server.fish $prefix/share/fish/vendor_completions.d/heartbeat-server.fish
644 LICENSE-MIT $prefix/share/doc/heartbeat-server/LICENSE-MIT
644 LICENSE-APACHE $prefix/share/doc/heartbeat-server/LICENSE-APACHE
END
    if [ "$manager" = systemd ]; then
        cat <<END
644 sysusers/heartbeat-server.conf $prefix/lib/sysusers.d/heartbeat-server.conf
644 sysusers/heartbeat-client.conf $prefix/lib/sysusers.d/heartbeat-client.conf
644 systemd/heartbeat-server.service $units/heartbeat-server.service
644 systemd/heartbeat-server.socket $units/heartbeat-server.socket
644 systemd/heartbeat-server-tcp.socket $units/heartbeat-server-tcp.socket
644 systemd/lockdown.conf $prefix/share/heartbeat-server/lockdown.conf
644 systemd/heartbeat-client.service $units/heartbeat-client.service
END
    elif [ "$manager" = openrc ]; then
        echo "755 openrc/heartbeat-server /etc/init.d/heartbeat-server"
    fi
    # firewalld and ufw look nowhere else.
    if [ -d /usr/lib/firewalld/services ]; then
        echo "644 firewalld/heartbeat-server.xml /usr/lib/firewalld/services/heartbeat-server.xml"
    fi
    if [ -d /etc/ufw/applications.d ]; then
        echo "644 ufw/heartbeat-server /etc/ufw/applications.d/heartbeat-server"
    fi
    # It tells the daemon of a new log through systemd.
    if [ "$manager" = systemd ] && [ -d /etc/logrotate.d ]; then
        echo "644 logrotate/heartbeat-server /etc/logrotate.d/heartbeat-server"
    fi
}

# Installed where there is none yet, never taken out.
configurations() {
    cat <<END
644 etc/heartbeat-server.toml /etc/heartbeat-server/heartbeat-server.toml
644 etc/heartbeat-client.toml /etc/heartbeat-client/heartbeat-client.toml
END
}

# Runs a command, or only says so.
run() {
    if [ -n "$dry" ]; then echo "$*"; else "$@"; fi
}

# systemd, where it is there and running; what it refuses ends nothing.
systemctl_if_running() {
    if [ -d /run/systemd/system ]; then
        run systemctl "$@" || :
    fi
}

# Puts a file in place at once, so that a running program is never written over.
put() {
    mode=$1
    from=$here/$2
    to=$3
    if [ -n "$dry" ]; then
        echo "install -m $mode $from $to"
        return
    fi
    mkdir -p "$(dirname "$to")"
    case "$2" in
    systemd/* | openrc/*)
        sed "s|/usr/sbin/heartbeat-server|$prefix/sbin/heartbeat-server|; s|/usr/bin/heartbeat |$prefix/bin/heartbeat |
            s|/usr/share/heartbeat-server|$prefix/share/heartbeat-server|" "$from" >"$to.new"
        ;;
    *) cp "$from" "$to.new" ;;
    esac
    chmod "$mode" "$to.new"
    mv -f "$to.new" "$to"
}

# A user and a group of that name without login: by whatever makes users here.
make_user() {
    name=$1
    home=$2
    if id "$name" >/dev/null 2>&1; then
        return
    fi
    if [ "$manager" = systemd ] && command -v systemd-sysusers >/dev/null 2>&1; then
        run systemd-sysusers "$prefix/lib/sysusers.d/$name.conf"
    elif command -v useradd >/dev/null 2>&1; then
        run useradd --system --user-group --no-create-home --home-dir "$home" --shell /sbin/nologin "$name"
    elif command -v adduser >/dev/null 2>&1; then
        run addgroup -S "$name"
        run adduser -S -D -H -h "$home" -s /sbin/nologin -G "$name" "$name"
    else
        fail 69 "neither systemd-sysusers nor useradd nor adduser is here: make the user $name yourself, then run this again" \
            "找不到 systemd-sysusers、useradd 或 adduser：请先自行创建用户 $name，再运行本脚本"
    fi
}

if [ "$action" = uninstall ]; then
    if [ "$manager" = systemd ]; then
        systemctl_if_running disable --now heartbeat-server.socket heartbeat-server-tcp.socket \
            heartbeat-server.service heartbeat-client.service
    elif [ "$manager" = openrc ] && [ -x /etc/init.d/heartbeat-server ]; then
        run rc-service --ifstarted heartbeat-server stop || :
        run rc-update --all delete heartbeat-server || :
    fi
    files | while read -r _ _ to; do
        if [ -e "$to" ]; then
            run rm -f "$to"
        fi
    done
    for folder in "$prefix/share/doc/heartbeat-server" "$prefix/share/heartbeat-server"; do
        if [ -d "$folder" ]; then
            run rmdir "$folder" || :
        fi
    done
    if [ "$manager" = systemd ]; then
        systemctl_if_running daemon-reload
    fi
    say "Kept: /etc/heartbeat-server, /etc/heartbeat-client, /var/lib/heartbeat-server, /var/log/heartbeat-server and the users" \
        "保留：/etc/heartbeat-server、/etc/heartbeat-client、/var/lib/heartbeat-server、/var/log/heartbeat-server 以及用户"
    exit 0
fi

# A package's files and these would get in each other's way.
for unit in /usr/lib/systemd/system/heartbeat-server.service /usr/lib/systemd/system/heartbeat-client.service; do
    if [ "$prefix" != /usr ] && [ -e "$unit" ]; then
        fail 73 "a package installed $unit already: remove that package first" "软件包已安装 $unit：请先卸载该软件包"
    fi
done
if ! "$here/sbin/heartbeat-server" --version >/dev/null 2>&1; then
    fail 69 "$here/sbin/heartbeat-server does not run on this machine ($(uname -s) $(uname -m)): take the tarball made for it" \
        "$here/sbin/heartbeat-server 无法在本机（$(uname -s) $(uname -m)）运行：请使用对应的压缩包"
fi

files | while read -r mode from to; do put "$mode" "$from" "$to"; done
configurations | while read -r mode from to; do
    if [ -e "$to" ]; then
        say "Kept: $to" "保留：$to"
    else
        put "$mode" "$from" "$to"
    fi
done
make_user heartbeat-server /var/lib/heartbeat-server
make_user heartbeat-client /

case "$manager" in
systemd)
    systemctl_if_running daemon-reload
    # After an upgrade; one that was stopped stays stopped.
    systemctl_if_running try-restart heartbeat-server.service heartbeat-client.service
    start="systemctl enable --now heartbeat-server"
    ;;
openrc)
    # After an upgrade, as above.
    run rc-service --ifstarted heartbeat-server restart || :
    start="rc-update add heartbeat-server && rc-service heartbeat-server start"
    ;;
none)
    start="$prefix/sbin/heartbeat-server"
    say "No service manager that we know is here (systemd, OpenRC): start it as you start other services." \
        "没有找到我们支持的服务管理器（systemd、OpenRC）：请按启动其他服务的方式启动。"
    ;;
esac
say "Next: $start" "下一步：$start"
say "Then: curl -d '{\"id\":\"me\"}' http://localhost:7777/" "然后：curl -d '{\"id\":\"me\"}' http://localhost:7777/"
say "To send beats from here: $prefix/bin/heartbeat install SERVER" "从本机发送心跳：$prefix/bin/heartbeat install 服务器"
