#!/usr/bin/env bats
# The provider with a real kubelet, CRI-O and API server, for behaviour that only these can
# show. The tests assert files, the registry's requests and the state of pods, not log
# messages.
#
#   make e2e, or test/e2e-run on a node that test/e2e-setup has set up
#
# The images are only on the mirrors, so a pod that runs was pulled through one.

load helpers

setup_file() {
    start_registries
}

teardown_file() {
    stop_registries
}

setup() {
    bats_require_minimum_version 1.5.0
    NAMESPACE=e2e-$BATS_TEST_NUMBER
    registries_conf <"$BATS_TEST_DIRNAME/registries.conf"
    new_namespace "$NAMESPACE"
    local image
    for image in docker.io/library/e2e-{one,two,three}:1 remapped.example/app/e2e-one:1 \
        docker.io/other/e2e-one:1 open.example/library/e2e-one:1; do
        remove_image "$image"
    done
    forget
    remove_auth_files
    watch_auth_files
}

teardown() {
    stop_watching
    if grep -q '^serializeImagePulls: false' "$KUBELET_CONFIG"; then
        serialize_image_pulls true
    fi
    rm -f "$MANIFESTS/e2e-static.yml" "$DROP_IN"
    kubectl delete namespace --ignore-not-found --timeout=60s "$NAMESPACE" "$NAMESPACE-other"
}

readonly ONE=docker.io/library/e2e-one
readonly DROP_IN=/etc/containers/registries.conf.d/50-e2e.conf

@test "the installed provider prints its version" {
    run -0 "$PLUGIN" --version
    run -0 "$PLUGIN" --version-json
    jq -e '.version and .gitCommit' <<<"$output"
}

@test "check finds no problem on the node" {
    run -0 "$PLUGIN" check
    run ! grep -q '^FAIL' <<<"$output"
}

@test "a pull goes through the mirror, and CRI-O takes the file and removes it" {
    local file
    file=$(auth_file "$NAMESPACE" "$ONE")
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" pod.yml

    ready "$NAMESPACE"
    pulled library/e2e-one
    happened "$AUTH_DIR/$file.json MOVED_TO"
    happened "$AUTH_DIR/$file.json MOVED_FROM"
    happened "$AUTH_DIR/in-use/$file-[0-9a-f-]+.json MOVED_TO"
    happened "$AUTH_DIR/in-use/$file-[0-9a-f-]+.json DELETE"
    no_auth_files "$NAMESPACE"
    [[ $(stat -c '%U %a' "$AUTH_DIR") == 'root 700' ]]
}

@test "without a login in the namespace the mirror refuses, and no file is written" {
    apply "$NAMESPACE" pod.yml

    not_pulled "$NAMESPACE"
    run ! pulled library/e2e-one
    untouched "$NAMESPACE"
}

@test "without a mirror the mirror is not asked, and no file is written" {
    registries_conf </dev/null
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" pod.yml

    not_pulled "$NAMESPACE"
    [[ -z $(requests) ]]
    untouched "$NAMESPACE"
}

@test "without registries.conf the mirror is not asked, and no file is written" {
    rm "$REGISTRIES_CONF"
    reload_crio
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" pod.yml

    not_pulled "$NAMESPACE"
    [[ -z $(requests) ]]
    untouched "$NAMESPACE"
}

@test "a mirror in a drop-in without a main file serves the pull" {
    mkdir -p "${DROP_IN%/*}"
    mv "$REGISTRIES_CONF" "$DROP_IN"
    reload_crio
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" pod.yml

    ready "$NAMESPACE"
    pulled library/e2e-one
}

@test "a pod with three images of one registry becomes ready without a back-off" {
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" three-images-pod.yml

    ready "$NAMESPACE"
    for repository in library/e2e-one library/e2e-two library/e2e-three; do
        pulled "$repository"
    done
    [[ $(events "$NAMESPACE" BackOff) == 0 && $(events "$NAMESPACE" Failed) == 0 ]]
    no_auth_files "$NAMESPACE"
}

# Each pull needs its own auth file: CRI-O takes it with the pull.
@test "replicas that start together are all pulled for at the first attempt" {
    local one_by_one file
    file=$(auth_file "$NAMESPACE" "$ONE")
    apply "$NAMESPACE" secret.yml
    for one_by_one in true false; do
        serialize_image_pulls "$one_by_one"

        apply "$NAMESPACE" replicas.yml

        all_ready "$NAMESPACE" replicas
        [[ $(events "$NAMESPACE" BackOff) == 0 && $(events "$NAMESPACE" Failed) == 0 ]]
        [[ $(grep -c -x "$AUTH_DIR/$file.json MOVED_FROM" "$BATS_TEST_TMPDIR/auth-files") -ge 8 ]]
        no_auth_files "$NAMESPACE"
        kubectl -n "$NAMESPACE" delete --wait deployment/replicas
        wait_for 60 no_pods "$NAMESPACE"
        kubectl -n "$NAMESPACE" delete events --all
        remove_image "$ONE:1"
        : >"$BATS_TEST_TMPDIR/auth-files"
    done
    serialize_image_pulls true
}

no_pods() { [[ -z $(kubectl -n "$1" get pods -o name) ]]; }

@test "replicas whose image is on the node already do not wait for each other" {
    apply "$NAMESPACE" secret.yml
    apply "$NAMESPACE" pod.yml
    ready "$NAMESPACE"

    SECONDS=0
    sed 's/Always/IfNotPresent/' "$BATS_TEST_DIRNAME/cluster/replicas.yml" |
        kubectl -n "$NAMESPACE" apply -f -

    all_ready "$NAMESPACE" replicas
    ((SECONDS < 30))
    [[ $(events "$NAMESPACE" BackOff) == 0 && $(events "$NAMESPACE" Failed) == 0 ]]
}

@test "an account that may not read the Secret cannot pull with another's auth file" {
    local file
    file=$AUTH_DIR/$(auth_file "$NAMESPACE" "$ONE").json
    apply "$NAMESPACE" secret.yml
    apply "$NAMESPACE" pod.yml
    ready "$NAMESPACE"
    # kubelet runs the provider, and then does not pull.
    sed 's/Always/IfNotPresent/; s/ name: app$/ name: second/' \
        "$BATS_TEST_DIRNAME/cluster/pod.yml" | kubectl -n "$NAMESPACE" apply -f -
    ready "$NAMESPACE" second
    [[ -e $file ]]
    kubectl -n "$NAMESPACE" create serviceaccount poor

    sed 's/serviceAccountName: app/serviceAccountName: poor/; s/ name: app$/ name: poor/' \
        "$BATS_TEST_DIRNAME/cluster/pod.yml" | kubectl -n "$NAMESPACE" apply -f -

    not_pulled "$NAMESPACE" poor
    [[ ! -e $file ]]
}

@test "a namespace without the login cannot run the image that another has pulled" {
    new_namespace "$NAMESPACE-other"
    apply "$NAMESPACE" secret.yml
    apply "$NAMESPACE" pod.yml
    ready "$NAMESPACE"

    sed 's/Always/IfNotPresent/' "$BATS_TEST_DIRNAME/cluster/pod.yml" |
        kubectl -n "$NAMESPACE-other" apply -f -

    not_pulled "$NAMESPACE-other"
    # The account that pulled it can run it, from the node's store.
    forget
    sed 's/Always/IfNotPresent/; s/ name: app$/ name: second/' \
        "$BATS_TEST_DIRNAME/cluster/pod.yml" | kubectl -n "$NAMESPACE" apply -f -
    ready "$NAMESPACE" second
    run ! pulled library/e2e-one
}

@test "a login that was deleted is not used again" {
    apply "$NAMESPACE" secret.yml
    apply "$NAMESPACE" pod.yml
    ready "$NAMESPACE"
    kubectl -n "$NAMESPACE" delete --wait secret/mirror pod/app
    remove_image "$ONE:1"

    apply "$NAMESPACE" pod.yml

    not_pulled "$NAMESPACE"
    no_auth_files "$NAMESPACE"
}

@test "a static pod still starts, with and without a call of the provider" {
    local required pod
    pod=e2e-static-$(node_name)
    for required in true false; do
        require_service_account "$required"

        cp "$BATS_TEST_DIRNAME/cluster/static-pod.yml" "$MANIFESTS/e2e-static.yml"

        wait_for 90 ready default "$pod"
        rm "$MANIFESTS/e2e-static.yml"
        wait_for 60 gone default "$pod"
        remove_image open.example/library/e2e-one:1
    done
    require_service_account true
}

gone() { ! kubectl -n "$1" get pod "$2" &>/dev/null; }

# e2e-setup gives the API server an address of the node, as workers see it.
@test "a node without an API server on localhost pulls" {
    run ! curl -ks --max-time 2 https://localhost:6443/livez
    apply "$NAMESPACE" secret.yml

    apply "$NAMESPACE" pod.yml

    ready "$NAMESPACE"
    pulled library/e2e-one
}

@test "a registry with another location serves the pull with the login of that location" {
    apply "$NAMESPACE" secret.yml

    pod_with "$NAMESPACE" remapped.example/app/e2e-one:1

    ready "$NAMESPACE"
    pulled library/e2e-one
    happened "$AUTH_DIR/$(auth_file "$NAMESPACE" remapped.example/app/e2e-one).json MOVED_FROM"
}

@test "a login for a path of the mirror serves that path, and no other" {
    apply "$NAMESPACE" path-scoped-secret.yml

    apply "$NAMESPACE" pod.yml
    pod_with "$NAMESPACE" docker.io/other/e2e-one:1 other

    ready "$NAMESPACE"
    pulled library/e2e-one
    not_pulled "$NAMESPACE" other
    run ! pulled other/e2e-one
}
