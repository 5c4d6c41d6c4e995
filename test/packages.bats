#!/usr/bin/env bats
# The files on a node after "make install", with both packages, and with the installer of
# the container image. The packages are those in build/, of the binary that is there.
#
#   make packages

readonly NAME=crio-credential-provider
readonly PLUGINS=usr/libexec/kubelet-image-credential-provider-plugins

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_DIRNAME/.." || return
    BINARY=$PWD/build/$NAME
    ROOT=$BATS_TEST_TMPDIR/root
    mkdir "$ROOT"
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# MODE PATH, or MODE PATH -> TARGET, of everything below $ROOT except directories.
laid_out() {
    (cd "$ROOT" && find . -type l -printf '%m %P -> %l\n' -o -type f -printf '%m %P\n') | sort -k 2
}

# The same for a package, from a listing in the format of "tar -tv".
listed() {
    awk '$1 !~ /^d/ {
        mode = 0
        for (i = 2; i <= 10; i++) mode = mode * 2 + (substr($1, i, 1) != "-")
        sub(/^\.?\//, "", $6)
        printf "%o %s%s\n", mode, $6, $7 == "->" ? " -> " $8 : ""
    }' | sort -k 2
}

# A listing without documents.
without_documents() { grep -v -E ' usr/share/(doc|licenses|man|bash-completion|fish|zsh)/'; }

only_manual() { grep -E ' usr/share/(man|bash-completion|fish|zsh)/' | sed 's/\.gz$//'; }

manual_files() {
    local page
    {
        for page in build/man/*; do
            echo "644 usr/share/man/man8/${page##*/}"
        done
        echo "644 usr/share/bash-completion/completions/$NAME"
        echo "644 usr/share/fish/vendor_completions.d/$NAME.fish"
        echo "644 usr/share/zsh/site-functions/_$NAME"
    } | sort -k 2
}

node_files() {
    cat <<END
777 usr/bin/$NAME -> ../libexec/kubelet-image-credential-provider-plugins/$NAME
755 $PLUGINS/$NAME
644 usr/lib/tmpfiles.d/$NAME.conf
END
}

same() { diff <(echo "$1") <(echo "$2"); }

deb() { echo build/"$NAME"_*_"$(dpkg --print-architecture)".deb; }

@test "make install lays out program, link, tmpfiles entry, licence and documents" {
    make -s install DESTDIR="$ROOT"

    same "$(laid_out | without_documents)" "$(node_files | sort -k 2)"
    cmp "$BINARY" "$ROOT/$PLUGINS/$NAME"
    cmp LICENSE "$ROOT/usr/share/licenses/$NAME/LICENSE"
    cmp README.md "$ROOT/usr/share/doc/$NAME/README.md"
    diff -r deploy "$ROOT/usr/share/doc/$NAME/deploy"
    same "$(laid_out | only_manual)" "$(manual_files)"
}

@test "make install installs into PREFIX and PLUGIN_DIR" {
    make -s install DESTDIR="$ROOT" PREFIX=/opt/x PLUGIN_DIR=/opt/plugins

    [[ -x $ROOT/opt/plugins/$NAME && ! -e $ROOT/usr ]]
    [[ $(readlink -f "$ROOT/opt/x/bin/$NAME") == "$ROOT/opt/plugins/$NAME" ]]
}

@test "the binary has its commit, with the date" {
    [[ -n $(git log -1 --format=%H 2>/dev/null) ]] || skip 'there is no git'
    run -0 "$BINARY" --version-json

    jq -e --arg commit "$(git rev-parse HEAD)" '.gitCommit == $commit' <<<"$output"
    jq -e --arg date "$(date -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" +%Y-%m-%dT%H:%M:%SZ)" \
        '.buildDate == $date' <<<"$output"
}

@test "man pages and completions are installed if they were generated" {
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/build/man" "$tree/build/completions"
    cp -r packaging deploy docs README.md CHANGELOG.md SECURITY.md LICENSE "$tree"
    touch "$tree/build/man/$NAME.8" "$tree/build/man/$NAME-check.8" \
        "$tree/build/completions/"{_$NAME,$NAME.bash,$NAME.fish}

    DESTDIR=$ROOT "$tree/packaging/install" "$BINARY"

    same "$(laid_out | grep -E 'share/(man|bash|fish|zsh)')" "644 usr/share/bash-completion/completions/$NAME
644 usr/share/fish/vendor_completions.d/$NAME.fish
644 usr/share/man/man8/$NAME-check.8
644 usr/share/man/man8/$NAME.8
644 usr/share/zsh/site-functions/_$NAME"
}

@test "the Debian package holds the same" {
    dpkg-deb --contents "$(deb)" >"$BATS_TEST_TMPDIR/contents"

    run ! grep -v ' root/root ' "$BATS_TEST_TMPDIR/contents"
    same "$(listed <"$BATS_TEST_TMPDIR/contents" | without_documents)" "$(node_files | sort -k 2)"
    same "$(listed <"$BATS_TEST_TMPDIR/contents" | only_manual)" "$(manual_files)"
    dpkg-deb --extract "$(deb)" "$ROOT"
    cmp "$BINARY" "$ROOT/$PLUGINS/$NAME"
    grep -q Apache-2.0 "$ROOT/usr/share/doc/$NAME/copyright"
    run -0 dpkg-deb --field "$(deb)" Version
    [[ $output == "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1 | tr - '~')" ]]
}

@test "the Debian package installs, runs, and leaves no files when it is removed" {
    [[ -e /etc/debian_version ]] || skip 'this is no Debian'
    if dpkg-query --status "$NAME" &>/dev/null || [[ -e /$PLUGINS/$NAME ]]; then
        skip "$NAME is installed on this machine"
    fi
    run -0 as_root dpkg --install "$(deb)"

    run -0 dpkg --verify "$NAME"
    [[ -z $output ]]
    [[ $(stat -c '%U:%G %a' "/$PLUGINS/$NAME") == 'root:root 755' ]]
    [[ $(stat -c '%U:%G %a' "/usr/lib/tmpfiles.d/$NAME.conf") == 'root:root 644' ]]
    run -0 "/$PLUGINS/$NAME" --version
    [[ $output == "$("$BINARY" --version)" ]]
    run -0 "$NAME" --version-json
    jq -e .version <<<"$output"

    run -0 as_root dpkg --purge "$NAME"
    [[ ! -e /$PLUGINS/$NAME && ! -e /usr/bin/$NAME && ! -e /usr/share/doc/$NAME ]]
    [[ ! -e /usr/lib/tmpfiles.d/$NAME.conf ]]
    run ! dpkg-query --status "$NAME"
}

@test "the RPM holds the same" {
    local rpm
    rpm=$(echo build/"$NAME"-[0-9]*."$(uname -m)".rpm)
    rpm -qp --queryformat '[%{FILEMODES:perms} 1 %{FILEUSERNAME} %{FILEGROUPNAME} 0 %{FILENAMES} %{FILELINKTOS}\n]' "$rpm" |
        awk '{ print $1, $3 "/" $4, 0, 0, 0, $6, ($7 == "" ? "" : "-> " $7) }' >"$BATS_TEST_TMPDIR/contents"

    run ! grep -v ' root/root ' "$BATS_TEST_TMPDIR/contents"
    same "$(listed <"$BATS_TEST_TMPDIR/contents" | without_documents)" "$(node_files | sort -k 2)"
    same "$(listed <"$BATS_TEST_TMPDIR/contents" | only_manual)" "$(manual_files)"
    rpm2archive - <"$rpm" | tar -xz -C "$ROOT"
    cmp "$BINARY" "$ROOT/$PLUGINS/$NAME"
    run -0 rpm -qp --queryformat '%{VERSION}' "$rpm"
    [[ $output == "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1 | tr - '~')" ]]
    run -0 rpm -qp --licensefiles "$rpm"
    [[ $output == "/usr/share/licenses/$NAME/LICENSE" ]]
}

@test "the same commit and binary give the same packages" {
    local package
    packaging/deb "$BINARY" "$ROOT"
    packaging/rpm "$BINARY" "$ROOT"

    for package in "$ROOT"/*; do
        cmp "$package" "build/${package##*/}"
    done
}

@test "released files are named by their platform, and run with an old glibc" {
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree"
    cp -r packaging Cargo.toml "$tree"
    mkdir "$tree/build"
    cp "$BINARY" build/*.deb build/"$NAME"-[0-9]*."$(uname -m)".rpm "$tree/build"
    echo '{}' >"$tree/build/$NAME.cdx.json"

    run -0 "$tree/packaging/artifacts" "$ROOT"

    case $(uname -m) in
        x86_64) cmp "$BINARY" "$ROOT/$NAME-linux-amd64" ;;
        aarch64) cmp "$BINARY" "$ROOT/$NAME-linux-arm64" ;;
        *) cmp "$BINARY" "$ROOT/$NAME-linux-$(uname -m)" ;;
    esac
    [[ $(find "$ROOT" -type f | wc -l) == 4 ]]
    if readelf -d "$BINARY" | grep -q 'NEEDED.*libc\.so'; then
        run ! env MAX_GLIBC=2.5 "$tree/packaging/artifacts" "$ROOT"
        [[ $output == *'needs glibc'* ]]
    fi
}

@test "the notes of a release are those of its version, once it is no longer unreleased" {
    local tree=$BATS_TEST_TMPDIR/tree version
    mkdir -p "$tree"
    cp -r packaging Cargo.toml "$tree"
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    printf '# Changelog\n\n## %s (unreleased)\n\n- new\n\n## 0.0.1\n\n- old\n' "$version" >"$tree/CHANGELOG.md"

    run ! "$tree/packaging/notes" "v$version"
    run ! "$tree/packaging/notes" v0.0.1
    sed -i 's/ (unreleased)/ (2026-11-23)/' "$tree/CHANGELOG.md"
    run -0 "$tree/packaging/notes" "v$version"
    [[ $output == *'- new'* && $output != *'- old'* ]]
}

@test "files of an earlier boot in the auth directories are removed when the node starts" {
    command -v systemd-tmpfiles || skip 'systemd-tmpfiles is not installed'
    local auth=$ROOT/etc/crio/auth
    mkdir -p "$auth/in-use"
    touch "$auth/a.json" "$auth/.a.json.4711-0.tmp" "$auth/in-use/b.json" "$auth/notes"

    # This is what a package does when it is installed.
    as_root systemd-tmpfiles --root="$ROOT" --create --remove "$PWD/packaging/tmpfiles.conf"
    [[ -e $auth/a.json && -e $auth/in-use/b.json ]]

    # This is what systemd-tmpfiles-setup.service does.
    as_root systemd-tmpfiles --root="$ROOT" --create --remove --boot "$PWD/packaging/tmpfiles.conf"
    [[ $(as_root ls -A "$auth") == $'in-use\nnotes' ]]
    [[ -z $(as_root ls -A "$auth/in-use") ]]
}

@test "old auth files are removed, and those that CRI-O uses are not" {
    command -v systemd-tmpfiles || skip 'systemd-tmpfiles is not installed'
    local auth=$ROOT/etc/crio/auth
    mkdir -p "$auth/in-use"
    touch "$auth/a.json" "$auth/in-use/b.json"

    as_root systemd-tmpfiles --root="$ROOT" --clean "$PWD/packaging/tmpfiles.conf"
    [[ -e $auth/a.json && -e $auth/in-use/b.json ]]

    # Change times cannot be set, so the limit is.
    sed 's/1d$/0/' packaging/tmpfiles.conf >"$ROOT/now.conf"
    as_root systemd-tmpfiles --root="$ROOT" --clean "$ROOT/now.conf"
    [[ ! -e $auth/a.json && -e $auth/in-use/b.json ]]

    as_root systemd-tmpfiles --root="$ROOT" --create "$PWD/packaging/tmpfiles.conf"
    [[ $(stat -c %a "$auth") == 700 ]]
}

# The installer of the container image, with an image of one file.
installer() { SOURCE=$ROOT/new deploy/node-installer/install "$ROOT/plugins"; }

with_image() {
    [[ $(id -u) == 0 ]] || skip 'the installer runs as root'
    mkdir "$ROOT/plugins"
    echo new >"$ROOT/new"
    TARGET=$ROOT/plugins/$NAME
}

@test "the installer installs the program, owned by root, and nothing else" {
    with_image
    umask 077

    installer

    [[ $(<"$TARGET") == new ]]
    [[ $(stat -c %u:%g:%a "$TARGET") == 0:0:755 ]]
    [[ $(ls -A "$ROOT/plugins") == "$NAME" ]]
}

@test "the installer replaces an old program, and does not write into it" {
    with_image
    echo old >"$TARGET"
    exec 5<"$TARGET"

    installer

    # A process that has the old file open can still read all of it.
    [[ $(cat <&5) == old ]]
    exec 5<&-
    [[ $(<"$TARGET") == new ]]
}

@test "the installer replaces a symbolic link, and does not follow it" {
    with_image
    echo victim >"$ROOT/victim"
    ln -s "$ROOT/victim" "$TARGET"

    installer

    [[ ! -L $TARGET && $(<"$TARGET") == new && $(<"$ROOT/victim") == victim ]]
}

@test "the installer corrects owner and mode, and does not change a correct file" {
    with_image
    installer
    chmod 4775 "$TARGET"
    installer
    [[ $(stat -c %a "$TARGET") == 755 ]]
    local inode
    inode=$(stat -c %i "$TARGET")

    installer

    [[ $(stat -c %i "$TARGET") == "$inode" ]]
}

@test "an installer that fails leaves the old program and no temporary file" {
    with_image
    echo old >"$TARGET"
    rm "$ROOT/new"

    run ! installer

    [[ $(<"$TARGET") == old && $(ls -A "$ROOT/plugins") == "$NAME" ]]
    rm "$TARGET"
    mkdir "$TARGET"
    run ! installer
    [[ $(ls -A "$TARGET") == '' ]]
}
