#!/usr/bin/env bats
# The helpers of e2e.bats that need no node: the registry's requests, and the events of
# auth files.
#
#   make local-e2e

setup() {
    bats_require_minimum_version 1.5.0
    STATE=$BATS_TEST_TMPDIR AUTH_DIR=$BATS_TEST_TMPDIR/auth NODE=$BATS_TEST_TMPDIR/node
    load helpers
    mkdir "$NODE"
}

teardown() {
    stop_watching
    "$BATS_TEST_DIRNAME/registry/stop" "$STATE/mirror"
}

@test "a repository counts as pulled if its manifest was returned since forget" {
    local mirror
    mirror=$("$BATS_TEST_DIRNAME/registry/start" "$STATE/mirror" 127.0.0.1:0)
    (
        load local.bash
        prepare_node
        export MIRROR=$mirror REGISTRY_USER=myuser REGISTRY_PASSWORD=mypassword
        push_image library/app:1
        push_image other/app:1
    )
    manifest() {
        curl -s -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
            "http://$mirror/v2/$1/manifests/1" "${@:2}"
    }
    manifest library/app --user myuser:mypassword
    forget
    [[ -z $(requests) ]]

    manifest library/app
    run ! pulled library/app
    run -0 requests
    [[ $output == 'GET /v2/library/app/manifests/1 401' ]]
    manifest other/app --user myuser:mypassword
    run ! pulled library/app
    manifest library/app --user myuser:mypassword

    pulled library/app
    run ! pulled app
}

@test "the name of an auth file is the one that CRI-O looks for" {
    [[ $(auth_file default docker.io/library/nginx) == default-7e59ad64326bc321517fb6fc6586de5ee149178394d9edfa2a877176cdf6fad5 ]]
}

@test "events are recorded for the auth files of a namespace, and not for those of others" {
    local file=team-a-0123
    watch_auth_files
    : >"$AUTH_DIR/.tmp"
    mv "$AUTH_DIR/.tmp" "$AUTH_DIR/$file.json"
    run ! no_auth_files team-a
    no_auth_files team-b
    mv "$AUTH_DIR/$file.json" "$AUTH_DIR/in-use/$file-1a-2b.json"
    rm "$AUTH_DIR/in-use/$file-1a-2b.json"

    wait_for 5 happened "$AUTH_DIR/in-use/$file-[0-9a-f-]+.json DELETE"
    happened "$AUTH_DIR/$file.json MOVED_TO"
    happened "$AUTH_DIR/$file.json MOVED_FROM"
    happened "$AUTH_DIR/in-use/$file-[0-9a-f-]+.json MOVED_TO"
    run ! happened "$AUTH_DIR/$file.json DELETE"
    run ! untouched team-a
    untouched team-b
    no_auth_files team-a
}

@test "auth files of earlier tests are removed, and the directory is kept" {
    remove_auth_files
    mkdir -p "$AUTH_DIR/in-use"
    touch "$AUTH_DIR/team-a-0123.json" "$AUTH_DIR/in-use/team-a-0123-1.json"
    remove_auth_files
    no_auth_files team-a
    [[ -d $AUTH_DIR/in-use ]]
}
