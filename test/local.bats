#!/usr/bin/env bats
# The provider, a real registry with a login and a real skopeo, without a cluster: the auth file is
# enough for a pull through a mirror, and for nothing else.
#
#   make local-e2e

load local.bash

setup() {
    bats_require_minimum_version 1.5.0
    NODE=$BATS_TEST_TMPDIR
    need_programs
    prepare_node
    start_registry
}

teardown() {
    stop_processes
}

readonly IMAGE=docker.io/library/app

# registries.conf with one mirror for docker.io: mirror_at LOCATION
mirror_at() {
    registries_conf <<EOF
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "$1"
insecure = true
EOF
}

# Runs the provider as kubelet does: ask NAMESPACE IMAGE; the response is in $NODE/response.
ask() {
    request "$1" "$2" | provider >"$NODE/response" 2>"$NODE/provider.log"
}

# Asserts that two JSON values are equal, in any order of keys: same_json GOT EXPECTED.
same_json() {
    diff <(jq -S . <<<"$1") <(jq -S . <<<"$2")
}

response_is() { same_json "$(<"$NODE/response")" "$1"; }

# kubelet's response with a login of the namespace, and without.
owned() {
    jq -n --arg image "$1" '{
        kind: "CredentialProviderResponse", apiVersion: "credentialprovider.kubelet.k8s.io/v1",
        cacheKeyType: "Image", cacheDuration: "0s", auth: {($image): {username: "", password: ""}}
    }'
}

empty() { owned x | jq '.auth = {}'; }

auth_file_is() { same_json "$(<"$(auth_file "$1" "$2")")" "$3"; }

# Asserts that our image was pulled from the registry at PATH: pulled_from PATH.
pulled_from() {
    [[ $(digest "$NODE/pulled/manifest.json") == "$IMAGE_DIGEST" ]]
    registry_requests | grep -q "^GET /v2/$1/manifests/[^ ]* 200$"
    registry_requests | grep -q "^GET /v2/$1/blobs/[^ ]* 200$"
    # This log would have a request to docker.io.
    run ! grep -q 'registry-1\.docker\.io' "$SKOPEO_LOG"
}

# Asserts that the registry refused PATH, and that skopeo reports why.
refused_at() {
    grep -q -i -E 'unauthorized|authentication required' "$SKOPEO_LOG"
    registry_requests | grep -q "^GET /v2/$1/manifests/[^ ]* 401$"
    run ! grep -q "^GET /v2/$1/" <(registry_requests | grep ' 200$')
    [[ ! -e $NODE/pulled/manifest.json ]]
}

@test "a pull goes through the mirror with the login of the namespace" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a

    ask team-a "$IMAGE"

    response_is "$(owned "$IMAGE")"
    auth_file_is team-a "$IMAGE" \
        "$(login "$MIRROR/library/app" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths)"
    [[ $(stat -c %a "$AUTH_DIR") == 700 ]]
    [[ $(stat -c %a "$(auth_file team-a "$IMAGE")") == 600 ]]
    [[ $(find "$AUTH_DIR" -type f | wc -l) == 1 ]]
    run -0 cat "$API_LOG"
    [[ ${#lines[@]} == 1 ]]
    [[ ${lines[0]} == "GET /api/v1/namespaces/team-a/secrets?"*" -> 200" ]]

    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from library/app
}

@test "without the file the same pull is refused" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a

    run ! pull "$IMAGE:1"
    refused_at library/app
    run ! grep -q "^GET .* 200$" <(registry_requests)
}

@test "a wrong password in the Secret is refused by the registry" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" wrong | auths | secret team-a mirror
    start_cluster team-a

    ask team-a "$IMAGE"

    response_is "$(owned "$IMAGE")"
    run ! pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    refused_at library/app
}

@test "the file of another namespace does not help" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    login "$MIRROR" team-b-user team-b-password | auths | secret team-b mirror
    start_cluster team-a team-b

    ask team-a "$IMAGE"
    ask team-b "$IMAGE"

    auth_file_is team-b "$IMAGE" "$(login "$MIRROR/library/app" team-b-user team-b-password | auths)"
    run ! pull "$IMAGE:1" "$(auth_file team-b "$IMAGE")"
    refused_at library/app
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from library/app
}

@test "a namespace without a login gets no file" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a team-c

    ask team-a "$IMAGE"
    ask team-c "$IMAGE"

    response_is "$(empty)"
    [[ ! -e $(auth_file team-c "$IMAGE") ]]
    [[ -e $(auth_file team-a "$IMAGE") ]]
}

@test "the file of one image does not open another" {
    push_image library/app:1
    push_image library/other:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a

    ask team-a "$IMAGE"

    [[ -e $(auth_file team-a "$IMAGE") ]]
    run ! pull docker.io/library/other:1 "$(auth_file team-a "$IMAGE")"
    refused_at library/other
}

@test "a login for the mirror's path wins over one for its host" {
    push_image cache/docker/library/app:1
    mirror_at "$MIRROR/cache/docker"
    login "$MIRROR" "$REGISTRY_USER" wrong | auths | secret team-a z-host-wide
    login "$MIRROR/cache/docker" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a a-path
    start_cluster team-a

    ask team-a "$IMAGE"

    response_is "$(owned "$IMAGE")"
    auth_file_is team-a "$IMAGE" \
        "$(login "$MIRROR/cache/docker/library/app" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths)"
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from cache/docker/library/app
}

@test "a registry with another location needs no mirror" {
    push_image remapped/team/app:1
    registries_conf <<EOF
[[registry]]
prefix = "registry.example.com"
location = "$MIRROR/remapped"
insecure = true
EOF
    login "$MIRROR/remapped" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a remapped
    start_cluster team-a

    ask team-a registry.example.com/team/app

    response_is "$(owned registry.example.com/team/app)"
    run ! pull registry.example.com/team/app:1
    refused_at remapped/team/app
    pull registry.example.com/team/app:1 "$(auth_file team-a registry.example.com/team/app)"
    pulled_from remapped/team/app
}

@test "a Secret in the old dockercfg format works" {
    push_image library/app:1
    mirror_at "$MIRROR"
    jq -n --arg host "http://$MIRROR/v2/" --arg user "$REGISTRY_USER" --arg password "$REGISTRY_PASSWORD" \
        '{($host): {username: $user, password: $password, email: "nobody@example.com"}}' |
        secret team-a old kubernetes.io/dockercfg
    start_cluster team-a

    ask team-a "$IMAGE"

    response_is "$(owned "$IMAGE")"
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from library/app
}

@test "the node's own logins are carried over, and the namespace's come first" {
    push_image library/app:1
    mirror_at "$MIRROR"
    { login "$MIRROR" node wrong && login quay.example.com node other; } | auths >"$GLOBAL_AUTH_FILE"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a

    ask team-a "$IMAGE"

    auth_file_is team-a "$IMAGE" "$({
        login "$MIRROR/library/app" "$REGISTRY_USER" "$REGISTRY_PASSWORD"
        login "$MIRROR" node wrong
        login quay.example.com node other
    } | auths)"
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from library/app
}

@test "a login of the node alone serves the pull, and the response names no owner" {
    push_image library/app:1
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths >"$GLOBAL_AUTH_FILE"
    start_cluster team-a

    ask team-a "$IMAGE"

    response_is "$(empty)"
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from library/app
}

@test "a mirror from a drop-in serves a pull by digest" {
    push_image by-digest/library/app:1
    registries_conf <<<'unqualified-search-registries = ["docker.io"]'
    cat >"$REGISTRIES_CONF_DIR/10-mirror.conf" <<EOF
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "$MIRROR/by-digest"
insecure = true
pull-from-mirror = "digest-only"
EOF
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a

    ask team-a "$IMAGE"

    pull "$IMAGE@$IMAGE_DIGEST" "$(auth_file team-a "$IMAGE")"
    pulled_from by-digest/library/app
}

@test "the second mirror serves what the first does not have" {
    push_image second/library/app:1
    registries_conf <<EOF
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "$MIRROR/first"
insecure = true
[[registry.mirror]]
location = "$MIRROR/second"
insecure = true
EOF
    login "$MIRROR/second" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a second
    start_cluster team-a

    ask team-a "$IMAGE"

    auth_file_is team-a "$IMAGE" \
        "$(login "$MIRROR/second/library/app" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths)"
    pull "$IMAGE:1" "$(auth_file team-a "$IMAGE")"
    pulled_from second/library/app
}

@test "for an image without a mirror no server is asked, and an old file is removed" {
    registries_conf </dev/null
    start_cluster team-a
    install -D -m 600 /dev/null "$(auth_file team-a "$IMAGE")"

    ask team-a "$IMAGE"

    response_is "$(empty)"
    [[ ! -e $(auth_file team-a "$IMAGE") ]]
    [[ ! -s $API_LOG ]]
}

@test "a token that the API server does not accept is a failure, and gives no file" {
    mirror_at "$MIRROR"
    login "$MIRROR" "$REGISTRY_USER" "$REGISTRY_PASSWORD" | auths | secret team-a mirror
    start_cluster team-a
    # Its signature is no longer valid.
    request team-a "$IMAGE" | jq '.serviceAccountToken |= (split(".") | .[2] |= ascii_downcase | join("."))' \
        >"$NODE/request"

    run -1 --separate-stderr provider <"$NODE/request"

    [[ -z $output && -n $stderr ]]
    [[ ! -e $(auth_file team-a "$IMAGE") ]]
    grep -q ' -> 401$' "$API_LOG"
}
