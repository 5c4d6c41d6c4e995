# shellcheck shell=bash
#
# Facts and functions for both packages.

# shellcheck disable=SC2034 # for the scripts that load this
name=crio-credential-provider
# dpkg and rpm write a pre-release with a tilde, so that it sorts before the release: 1.0.0~rc.1.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
version=${version/-/\~}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The architecture of a binary, by Linux's name: machine FILE.
machine() {
    case $(LC_ALL=C readelf -h "$1" | sed -n 's/^ *Machine: *//p') in
        *X86-64) echo x86_64 ;;
        AArch64) echo aarch64 ;;
        PowerPC64) echo ppc64le ;;
        'IBM S/390') echo s390x ;;
        *) die "$1 is for a machine without packages" ;;
    esac
}

# The newest glibc version whose symbols a binary needs; empty for a static one.
needed_glibc() {
    LC_ALL=C readelf -V "$1" | grep -o 'GLIBC_[0-9.]*' | cut -d _ -f 2 | sort -V | tail -n 1 || true
}
