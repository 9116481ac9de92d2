# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the scripts that set a machine up; sourced, not run.

# Debian packages: what building needs, what the guest needs on top of that,
# and what the tests need on top of both.
# shellcheck disable=SC2034 # used by those who source this
{
    build_packages=(autoconf automake libtool pkg-config gcc libc6-dev make
        libuv1-dev liblz4-dev libzstd-dev libxxhash-dev libjansson-dev
        libmnl-dev nettle-dev libsystemd-dev check)
    guest_packages=(qemu-system-x86 busybox-static nbd-client libnbd-bin jq
        util-linux mount kmod cpio gzip binutils systemd e2fsprogs)
    test_packages=(clang libclang-rt-dev libnbd-bin nbdkit qemu-utils fio zstd
        shellcheck python3 python3-libnbd jq man-db git xz-utils procps
        e2fsprogs gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
}

# as_root COMMAND...: by sudo unless root already.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

update_package_lists() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2> /dev/null) == ii* ]]
}

# install_packages PACKAGE...: those that are missing. An installation that was
# interrupted is finished first, for apt-get refuses to work beside one.
install_packages() {
    local package missing=()
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a > /dev/null
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    echo "installing ${missing[*]}"
    update_package_lists
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        --no-install-recommends install "${missing[@]}" > /dev/null
}

# configure_tree SOURCE BUILD OPTION...: get BUILD ready for make, once for
# each set of options.
configure_tree() {
    local source=$1 build=$2
    shift 2
    [[ -x $source/configure ]] || "$source/autogen.sh"
    mkdir -p "$build"
    if [[ ! -e $build/config.status || $(cat "$build/options") != "$*" ]]; then
        rm -rf "$build/options"
        (cd "$build" && "$source/configure" --quiet "$@")
        echo "$*" > "$build/options"
    fi
}
