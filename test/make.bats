#!/usr/bin/env bats
# The work of make around cargo: it reports missing tools, chooses a target, prints totals, and
# installs nothing stale. Stand-ins run in place of cargo and package managers.
#
#   make shell-tests
#
# shellcheck disable=SC2154 # stderr is set by run

setup() {
    bats_require_minimum_version 1.5.0
    PROJECT=$BATS_TEST_DIRNAME/..
    BIN=$BATS_TEST_TMPDIR/bin
    mkdir "$BIN"
    unset TARGET GOOS GOARCH MAKEFLAGS MAKELEVEL CARGO_TARGET_DIR DESTDIR PREFIX PLUGIN_DIR REGISTRY
}

# A program of the machine: stand_in NAME, its shell script from stdin.
stand_in() {
    { echo '#!/bin/bash' && cat; } >"$BIN/$1"
    chmod +x "$BIN/$1"
}

# Only these programs of this machine, and the stand-ins: with_only PROGRAM...
with_only() {
    local program
    for program in bash env sed head cut sort tail grep awk cat tee mktemp rm basename dirname paste tr uname "$@"; do
        [[ -e $BIN/$program ]] || ln -s "$(command -v "$program")" "$BIN/$program"
    done
}

# Runs as on the machine of an ordinary user: on_machine COMMAND...
on_machine() { env -i PATH="$BIN" HOME="$BATS_TEST_TMPDIR" TMPDIR="$BATS_TEST_TMPDIR" "$@"; }

ordinary_user() {
    with_only
    echo 'echo 1000' | stand_in id
    echo "echo \"rustup:\"; echo \"  Candidate: ${1:-(none)}\"" | stand_in apt-cache
    echo 'echo "apt-get $*" >&2; exit 100' | stand_in apt-get
}

@test "everything that is missing is reported at once, as one line for the package manager" {
    ordinary_user

    run -1 on_machine "$PROJECT/test/setup" rust cc jq registry htpasswd python-venv

    [[ $output == *'missing: rust cc jq registry htpasswd python-venv'* ]]
    [[ $output == *'as root: apt-get install curl ca-certificates gcc libc6-dev jq docker-registry apache2-utils python3 python3-venv'* ]]
    [[ $output == *"Rust: $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$PROJECT/Cargo.toml") or later is needed, none is here"* ]]
}

@test "Rust that is too old is reported, with the way to a newer one" {
    ordinary_user
    echo 'echo "cargo 1.63.0 (fd9c4297c 2022-07-01)"' | stand_in cargo

    run -1 on_machine "$PROJECT/test/setup" rust

    [[ $output == *'as root: apt-get install curl ca-certificates'* ]]
    [[ $output == *'1.63.0 is here'* ]]
}

@test "rustup is a package if the distribution has one, and wget replaces curl" {
    ordinary_user 1.27.1-3+b1
    run -1 on_machine "$PROJECT/test/setup" rust cc
    [[ $output == *'apt-get install rustup gcc libc6-dev'* ]]

    ordinary_user
    stand_in wget </dev/null
    run -1 on_machine "$PROJECT/test/setup" rust cc
    [[ $output == *'apt-get install gcc libc6-dev'$'\n'* ]]
}

@test "a rustup that has no Rust yet, and cannot install it, is reported once" {
    ordinary_user 1.27.1-3+b1
    for program in cargo rustc; do
        echo 'echo "no default toolchain is configured" >&2; exit 1' | stand_in "$program"
    done
    echo 'echo "rustup: the download failed" >&2; exit 1' | stand_in rustup
    stand_in cc </dev/null

    run -1 on_machine "$PROJECT/test/setup" rust cc static

    [[ ${lines[1]} == 'rustup: the download failed' && ${#lines[@]} == 4 ]]
    [[ ${lines[2]} == *'missing: rust' && ${lines[3]} == *'see above'*'https://rustup.rs'* ]]
}

@test "on Fedora the packages are Fedora's" {
    with_only
    echo 'echo 1000' | stand_in id
    stand_in dnf </dev/null

    run -1 on_machine "$PROJECT/test/setup" rust cc htpasswd shellcheck

    [[ $output == *'as root: dnf install cargo clippy rustfmt gcc glibc-devel httpd-tools ShellCheck'* ]]
}

@test "root gets what is missing installed, in one go" {
    ordinary_user
    echo 'echo 0' | stand_in id
    stand_in apt-get <<END
echo "\$*" >>"$BATS_TEST_TMPDIR/asked"
[[ \$* != *install* ]] || for program in jq skopeo; do echo '#!/bin/bash' >"$BIN/\$program"; $(command -v chmod) +x "$BIN/\$program"; done
END

    run -0 on_machine "$PROJECT/test/setup" jq skopeo

    [[ $(grep -c install "$BATS_TEST_TMPDIR/asked") == 1 ]]
    run -0 on_machine "$PROJECT/test/setup" jq skopeo
    [[ -z $output && $(grep -c install "$BATS_TEST_TMPDIR/asked") == 1 ]]
}

@test "cargo installs the versions in tools.txt, whatever is installed" {
    local version
    version=$(sed -n 's/^cargo-deny //p' "$PROJECT/test/tools.txt")
    ordinary_user
    stand_in cc </dev/null
    stand_in cargo <<END
case \$* in
    --version) echo 'cargo 1.99.0' ;;
    'install --list') echo "cargo-deny v\$(cat "$BATS_TEST_TMPDIR/deny"):" ;;
    install*) echo "\$*" >>"$BATS_TEST_TMPDIR/asked"; echo $version >"$BATS_TEST_TMPDIR/deny" ;;
esac
END
    echo 0.1.0 >"$BATS_TEST_TMPDIR/deny"

    run -0 on_machine "$PROJECT/test/setup" cargo-deny
    run -0 on_machine "$PROJECT/test/setup" cargo-deny

    [[ $(<"$BATS_TEST_TMPDIR/asked") == "install --quiet --locked cargo-deny@$version" ]]
}

# A toolchain of a host with the standard libraries of targets: toolchain HOST TARGET...
toolchain() {
    local target
    rm -rf "$BATS_TEST_TMPDIR/sysroot"
    for target in "${@:2}"; do
        mkdir -p "$BATS_TEST_TMPDIR/sysroot/lib/rustlib/$target/lib"
    done
    echo "[[ \$1 != -vV ]] || echo 'host: $1'; [[ \$1 != --print ]] || echo '$BATS_TEST_TMPDIR/sysroot'" |
        stand_in rustc
}

@test "a Go platform selects the target, and the way to build it is printed if it cannot be built" {
    local musl=x86_64-unknown-linux-musl gnu=x86_64-unknown-linux-gnu arm=aarch64-unknown-linux
    with_only
    toolchain "$gnu" "$gnu" "$musl"
    run -0 --separate-stderr on_machine "$PROJECT/test/target"
    [[ $output == "$musl" ]]
    run -0 --separate-stderr on_machine GOARCH=amd64 "$PROJECT/test/target"
    [[ $output == "$musl" ]]
    run -0 --separate-stderr on_machine TARGET="$gnu" GOARCH=arm64 "$PROJECT/test/target"
    [[ $output == "$gnu" ]]
    run -1 on_machine GOARCH=arm64 "$PROJECT/test/target"
    [[ $output == *"test/setup-cross $arm-musl" ]]
    run -1 on_machine GOARCH=s390x "$PROJECT/test/target"
    [[ $output == *'test/setup-cross s390x-unknown-linux-gnu' ]]
    run -1 on_machine GOOS=darwin GOARCH=arm64 "$PROJECT/test/target"
    [[ $output == *'GOOS=darwin GOARCH=arm64 is not supported'* ]]

    toolchain "$gnu" "$gnu" "$arm-gnu"
    run -0 --separate-stderr on_machine "$PROJECT/test/target"
    [[ $output == "$gnu" && $stderr == *"rustup target add $musl" ]]
    run -0 --separate-stderr on_machine GOARCH=arm64 "$PROJECT/test/target"
    [[ $output == "$arm-gnu" ]]
    toolchain "$gnu" "$gnu" "$arm-gnu" "$arm-musl"
    run -0 --separate-stderr on_machine GOARCH=arm64 "$PROJECT/test/target"
    [[ $output == "$arm-musl" ]]
}

@test "a build for another machine without a compiler prints how to install one" {
    with_only sha256sum stat install
    toolchain x86_64-unknown-linux-gnu aarch64-unknown-linux-musl
    stand_in cargo </dev/null

    run -1 on_machine CARGO_TARGET_DIR=/nonexistent GOARCH=arm64 "$PROJECT/test/build" "$BATS_TEST_TMPDIR/binary"

    [[ $output == *'test/setup-cross aarch64-unknown-linux-musl' ]]
}

@test "tests end with their total, and fail if one fails or does not build" {
    with_only
    stand_in cargo <<'END'
[[ $* != *--no-run* ]] || exit "${BUILD:-0}"
echo 'running 3 tests'
echo 'skipped tests::it_works: this is not root'
echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s'
echo "half a line test result: ${RESULT:-ok}. 20 passed; ${FAILED:-0} failed; 4 ignored; 0 measured"
exit "${FAILED:-0}"
END
    run -0 on_machine "$PROJECT/test/cargo-test" --workspace
    [[ ${lines[-1]} == '22 passed, 0 failed, 6 skipped' ]]

    run -1 --separate-stderr on_machine RESULT=FAILED FAILED=2 "$PROJECT/test/cargo-test" --workspace
    [[ ${lines[-1]} == '22 passed, 2 failed, 6 skipped' ]]

    run -101 on_machine BUILD=101 "$PROJECT/test/cargo-test" --workspace
    [[ $output != *passed* ]]
}

@test "a build shows warnings and errors, and no line for each crate" {
    with_only
    stand_in cargo <<'END'
printf '   Compiling %s v1.0.0\n' a b c >&2
echo 'warning: unused' >&2
echo '    Finished dev' >&2
echo out
exit 3
END

    run -3 --separate-stderr on_machine "$PROJECT/test/progress" building cargo build

    [[ $output == out ]]
    [[ $stderr == 'building, which takes some minutes the first time
warning: unused
building: 3 crates in '*' s' ]]
}

# A copy of the files to install, with stand-ins for what is built.
tree() {
    TREE=$BATS_TEST_TMPDIR/tree
    mkdir -p "$TREE/build/man" "$TREE/build/completions" "$TREE/src" "$TREE/crates/a/src" "$TREE/examples/manual"
    (cd "$PROJECT" && cp -r Makefile Cargo.toml Cargo.lock build.rs packaging deploy docs test README.md \
        CHANGELOG.md SECURITY.md LICENSE "$TREE")
    touch "$TREE/src/main.rs" "$TREE/crates/a/"{Cargo.toml,src/lib.rs} "$TREE/examples/manual/main.rs"
    touch "$TREE/build/"{crio-credential-provider,man/crio-credential-provider.8,completions/_crio-credential-provider}
    with_only make find install ln cp date touch realpath readlink git mkdir
}

@test "make install installs below DESTDIR, and prints what it installed" {
    local root="$BATS_TEST_TMPDIR/a 'b' \"c\" & d"
    tree

    run -0 on_machine make -s -C "$TREE" install DESTDIR="$root"

    local program=/usr/libexec/kubelet-image-credential-provider-plugins/crio-credential-provider
    [[ -x $root$program && -e $root/usr/share/man/man8/crio-credential-provider.8 ]]
    [[ $output == *"installed $root$program"$'\n'* ]]
    [[ $output == *"installed $root/usr/share/man/man8/crio-credential-provider.8"* ]]
    [[ $output == *"installed $root/usr/share/zsh/site-functions/_crio-credential-provider"* ]]
}

@test "make install and make deb use nothing that is older than its sources" {
    local changed target
    tree
    for changed in src/main.rs crates/a/src/lib.rs Cargo.lock; do
        touch "$TREE/build/"{crio-credential-provider,man/crio-credential-provider.8}
        sleep 0.01
        touch "$TREE/$changed"
        for target in install deb rpm; do
            run ! on_machine make -s -C "$TREE" "$target" DESTDIR="$BATS_TEST_TMPDIR/root"
            [[ $output == *'build/crio-credential-provider is older than its sources: run "make" first'* ]]
            [[ ! -e $BATS_TEST_TMPDIR/root ]]
        done
    done
}

@test "make clean needs no cargo, and removes no directory that is not cargo's" {
    tree
    mkdir -p "$TREE/target/debug" "$BATS_TEST_TMPDIR/mine"
    echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$TREE/target/CACHEDIR.TAG"

    run -0 on_machine make -s -C "$TREE" clean
    [[ ! -e $TREE/target && ! -e $TREE/build ]]
    run -0 on_machine make -s -C "$TREE" clean
    run ! on_machine CARGO_TARGET_DIR="$BATS_TEST_TMPDIR/mine" make -s -C "$TREE" clean
    [[ -e $BATS_TEST_TMPDIR/mine ]]
}
