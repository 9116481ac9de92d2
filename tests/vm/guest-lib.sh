# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # $guest and $root: see below
# Shared by the scripts that make root file systems for guests; sourced, not
# run. They set $guest, the folder that all is made in, and $root, the root file
# system that is being made.

# Administrators' programs are in no ordinary user's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# fetch_package NAME DIRECTORY: unpack a Debian package there, install nothing.
fetch_package() {
    mkdir -p "$2"
    (cd "$guest" && apt-get -q -o APT::Sandbox::User=root download "$1")
    dpkg -x "$guest/$1"_*.deb "$2"
    rm "$guest/$1"_*.deb
}

# The package that Debian's newest kernel for this machine is in.
kernel_package() {
    apt-cache depends linux-image-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

fetch_kernel() {
    local package
    [[ -e $guest/vmlinuz && -d $guest/kernel/lib/modules ]] && return
    package=$(kernel_package)
    [[ -n $package ]] || die "apt-cache knows no linux-image-amd64"
    rm -rf "$guest/kernel"
    fetch_package "$package" "$guest/kernel"
    cp "$guest"/kernel/boot/vmlinuz-* "$guest/vmlinuz"
}

# add_libraries FILE: those that ldd names, where ldd names them.
add_libraries() {
    local library
    ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
        [[ -e $root$library ]] ||
            install -D -m 755 "$library" "$root$library"
    done
}

# add_program FILE [PATH]: put it in the root's /usr/bin, or at PATH, with its
# libraries. Symbols stay here: the guest's memory is scarce.
add_program() {
    install -D -s -m 755 "$1" "$root${2:-/usr/bin/${1##*/}}"
    add_libraries "$1"
}

# add_busybox: under the names of all its applets that are not there yet.
add_busybox() {
    local applet
    cp "$(command -v busybox)" "$root/usr/bin/busybox"
    for applet in $(busybox --list); do
        [[ -e $root/usr/bin/$applet ]] ||
            ln -s busybox "$root/usr/bin/$applet"
    done
}

# pack_root FILE: make it an initrd.
pack_root() {
    (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) \
        > "$1.new"
    mv "$1.new" "$1"
    rm -rf "$root"
}
