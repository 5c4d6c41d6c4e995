#!/usr/bin/env bats
# The registry that local.bats and e2e.bats pull from.
#
#   make local-e2e

setup() {
    bats_require_minimum_version 1.5.0
    DIRECTORY=$BATS_TEST_TMPDIR/registry
}

teardown() {
    stop
}

start() { "$BATS_TEST_DIRNAME/registry/start" "$DIRECTORY" 127.0.0.1:0; }

stop() { "$BATS_TEST_DIRNAME/registry/stop" "$DIRECTORY"; }

# The status of a request: status ADDRESS [LOGIN]
status() {
    curl -s -o /dev/null -w '%{http_code}' ${2:+--user "$2"} "http://$1/v2/" || true
}

@test "the registry accepts the login that it was given, and no other" {
    local address
    address=$(REGISTRY_USER=me REGISTRY_PASSWORD='a b:c' start)

    [[ $(status "$address") == 401 ]]
    [[ $(status "$address" me:wrong) == 401 ]]
    [[ $(status "$address" 'me:a b:c') == 200 ]]
}

@test "without a user the registry is open" {
    local address
    address=$(REGISTRY_USER='' start)

    [[ $(status "$address") == 200 ]]
}

@test "a stopped registry does not run, and stopping it again is not an error" {
    local address pid
    address=$(start)
    pid=$(<"$DIRECTORY/pid")

    stop

    [[ $(status "$address") == 000 ]]
    [[ ! -e /proc/$pid/exe ]]
    stop
}

@test "starting it again replaces the running one" {
    local first second
    first=$(start)
    second=$(start)

    [[ $(status "$second" myuser:mypassword) == 200 ]]
    [[ $first == "$second" || $(status "$first") == 000 ]]
}

@test "another process with the same ID is not stopped" {
    mkdir "$DIRECTORY"
    sleep 60 3>&- &
    echo $! >"$DIRECTORY/pid"

    stop

    kill -0 $!
    kill $!
}

@test "an address in use is an error with the reason" {
    local address
    address=$(start)

    run ! "$BATS_TEST_DIRNAME/registry/start" "$BATS_TEST_TMPDIR/other" "$address"
    [[ $output == *'address already in use'* ]]
}
