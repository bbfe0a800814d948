# shellcheck shell=bash
# To be sourced by what compiles for another system than this one: a small Debian with Rust's
# sources and zig, made once under target/cross, and a way to run commands in it.
#
# No standard library of another target can be had ready made. rustc builds it from source,
# which Debian packages (rust-src), and zig brings a linker, a C compiler and the C library
# of every target: libSystem's symbols, musl, glibc of any age. That Debian's Rust is 1.85,
# the oldest we promise.
#
# Expects to be in the project's folder. Gives `inside COMMAND`, and `shared`, the folder
# that is seen inside as /cross.

suite=trixie
zig_version=0.17.0
folder=${CROSS_DIR:-$PWD/target/cross}
root=$folder/$suite
shared=$folder/shared # seen inside as /cross

if [ "$(id -u)" -ne 0 ]; then
    echo "${0##*/} needs root, for its chroot" >&2
    exit 77
fi
command -v mmdebstrap >/dev/null || tests/system/needs
mkdir -p "$shared/sdk" "$shared/home"

if [ ! -d "$root" ]; then
    echo "making a Debian with Rust's sources, once, in $root"
    rm -rf "$root.new"
    # What dpkg-shlibdeps knows about a C library it reads from that library's package.
    mmdebstrap --quiet --variant=apt --architectures=amd64,arm64 \
        --include=cargo,rust-src,ca-certificates,gcc,libc6-dev,python3-pip,dpkg-dev,libc6:arm64 \
        "$suite" "$root.new"
    mkdir "$root.new/cross" "$root.new/project"
    mv "$root.new" "$root"
fi
# Inside, the network and the certificates are those of this machine.
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# Runs a command in the chroot, with the variables named in `environment` besides the usual
# ones. The mounts are in a namespace that ends with it.
environment=()
# shellcheck disable=SC2016
inside() {
    unshare --mount /bin/bash -euc '
        mount --bind "$1" "$3/project"
        mount --bind "$2" "$3/cross"
        mount --bind /proc "$3/proc"
        mount --bind /dev "$3/dev"
        root=$3
        command=$4
        shift 4
        certificates=/etc/ssl/certs/ca-certificates.crt
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/cross/home \
            SSL_CERT_FILE=$certificates PIP_CERT=$certificates CARGO_HTTP_CAINFO=$certificates \
            ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
            CARGO_HOME=/cross/cargo CARGO_TARGET_DIR=/cross/target CARGO_TERM_COLOR=never \
            ZIG_GLOBAL_CACHE_DIR=/cross/zig-cache ZIG_LOCAL_CACHE_DIR=/cross/zig-cache \
            RUSTC_BOOTSTRAP=1 "$@" \
            /bin/bash -euc "cd /project; $command"
    ' inside "$PWD" "$shared" "$root" "$1" "${environment[@]}"
}

if [ ! -x "$shared/zig/ziglang/zig" ]; then
    inside "pip install --quiet --no-cache-dir --root-user-action=ignore --target /cross/zig ziglang==$zig_version"
    chmod +x "$shared/zig/ziglang/zig"
fi

# Tells cargo and the C compiling crates to use /cross/TARGET-cc and, as archiver, zig's:
# Debian's would make an archive without the index of symbols that some linkers go by.
# rustc takes a linker named *-cc for one that wants a C compiler's options.
use_tools_for() {
    local target=$1 lower upper
    lower=${target//-/_}
    upper=${lower^^}
    printf '#!/bin/bash\nexec /cross/zig/ziglang/zig ar "$@"\n' >"$shared/zig-ar"
    chmod 755 "$shared/zig-ar" "$shared/$target-cc"
    environment+=("CARGO_TARGET_${upper}_LINKER=/cross/$target-cc" "CC_$lower=/cross/$target-cc" "AR_$lower=/cross/zig-ar")
}
