#!/usr/bin/env bats
# The demo, and the node that it keeps on request.
#
#   make local-e2e

setup() {
    bats_require_minimum_version 1.5.0
    export TMPDIR=$BATS_TEST_TMPDIR
    unset KEEP
}

teardown() {
    local stop
    for stop in "$BATS_TEST_TMPDIR"/*/stop; do
        [[ ! -x $stop ]] || "$stop"
    done
}

nodes() { find "$BATS_TEST_TMPDIR" -mindepth 1 -maxdepth 1 -name 'crio-credential-provider-demo.*'; }

@test "the demo works, says what next, and leaves nothing" {
    run -0 "$BATS_TEST_DIRNAME/demo" 3>&-

    [[ $output == *'RESULT: it works.'* && $output == *'make demo KEEP=1'* ]]
    [[ -z $(nodes) ]]
}

@test "with KEEP the node stays to try things on, until it is stopped" {
    local node processes
    KEEP=1 run -0 "$BATS_TEST_DIRNAME/demo" 3>&-
    node=$(nodes)
    [[ $output == *"cd $node"* ]]
    cd "$node"

    run -0 ./provider resolve docker.io/library/hello
    [[ $output == *mirror* ]]
    run -0 --separate-stderr ./provider <request
    [[ $output == *CredentialProviderResponse* ]]
    processes=$(pgrep -f "$node")
    [[ -n $processes ]]

    run -0 ./stop
    [[ ! -e $node ]]
    # A killed process may be a zombie, which has no command line.
    run ! pgrep -f "$node"
}
