# shellcheck shell=bash
#
# A real node for e2e.bats, set up by test/e2e-setup: kubelet, CRI-O and kubeadm's API server, and
# the provider in kubelet's plugin directory. Everything runs as root.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly NAME=crio-credential-provider
# shellcheck disable=SC2034 # for the tests
readonly PLUGIN=/usr/libexec/kubelet-image-credential-provider-plugins/$NAME
readonly PROVIDERS=/etc/kubernetes/credential-providers.yaml
readonly KUBELET_CONFIG=/var/lib/kubelet/config.yaml
AUTH_DIR=${AUTH_DIR:-/etc/crio/auth}
readonly REGISTRIES_CONF=/etc/containers/registries.conf
# shellcheck disable=SC2034 # for the tests
readonly MANIFESTS=/etc/kubernetes/manifests
STATE=${STATE:-/var/lib/$NAME-e2e}
MIRROR=localhost:5000 OPEN_MIRROR=localhost:5001
export KUBECONFIG=${KUBECONFIG:-/etc/kubernetes/admin.conf}
# crictl would use containerd first, if the machine has it too.
export CONTAINER_RUNTIME_ENDPOINT=unix:///run/crio/crio.sock IMAGE_SERVICE_ENDPOINT=unix:///run/crio/crio.sock

# wait_for SECONDS COMMAND...
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        if ((SECONDS >= until)); then
            printf 'timed out: %s\n' "$*" >&2
            return 1
        fi
        sleep 0.5
    done
}

# The registries, with images of a program that only waits. They differ from the image that
# CRI-O uses for its sandboxes, which kubelet would find on the node.
start_registries() {
    local image repository
    image=oci:$STATE/image:pause
    [[ -d $STATE/image ]] || skopeo copy -q docker://registry.k8s.io/pause:3.9 "$image"
    "$here/registry/start" "$STATE/mirror" 127.0.0.1:5000
    REGISTRY_USER='' "$here/registry/start" "$STATE/open" 127.0.0.1:5001
    for repository in library/e2e-one library/e2e-two library/e2e-three other/e2e-one; do
        skopeo copy -q --dest-tls-verify=false --dest-creds myuser:mypassword \
            "$image" "docker://$MIRROR/$repository:1"
    done
    skopeo copy -q --dest-tls-verify=false "$image" "docker://$OPEN_MIRROR/library/e2e-one:1"
}

stop_registries() {
    "$here/registry/stop" "$STATE/mirror"
    "$here/registry/stop" "$STATE/open"
}

# The requests to the mirror since the last call of forget, one per line: METHOD PATH STATUS.
requests() {
    tail -c "+$((FORGOTTEN + 1))" "$STATE/mirror/log" |
        sed -n 's/^.*\] "\([A-Z]*\) \([^ ]*\) HTTP[^"]*" \([0-9]*\) .*/\1 \2 \3/p'
}

forget() { FORGOTTEN=$(stat -c %s "$STATE/mirror/log"); }

# Whether the mirror returned that repository's manifest to a client with the login: without one it
# does not answer 200.
pulled() { requests | grep -q "^\(GET\|HEAD\) /v2/$1/manifests/[^ ]* 200$"; }

node_name() { kubectl get nodes -o jsonpath='{.items[0].metadata.name}'; }

# registries.conf from stdin; CRI-O reads it again.
registries_conf() {
    cat >"$REGISTRIES_CONF"
    reload_crio
}

reload_crio() {
    systemctl reload crio
    wait_for 10 crictl info >/dev/null
}

# A namespace with a service account that may list its Secrets: new_namespace NAME
new_namespace() {
    kubectl kustomize "$here/cluster" | sed "s/\(name\|namespace\): e2e$/\1: $1/" | kubectl apply -f -
    wait_for 30 kubectl -n "$1" get serviceaccount app
}

# Applies a file of test/cluster to a namespace: apply NAMESPACE FILE
apply() { kubectl -n "$1" apply -f "$here/cluster/$2"; }

# The same pod with another image: pod_with NAMESPACE IMAGE [NAME]
pod_with() {
    sed "s;docker.io/library/e2e-one:1;$2;; s/name: app$/name: ${3:-app}/" "$here/cluster/pod.yml" |
        kubectl -n "$1" apply -f -
}

# ready NAMESPACE [POD]
ready() { kubectl -n "$1" wait --for=condition=Ready --timeout=60s "pod/${2:-app}"; }

# The reason why the first container of a pod waits; empty if it does not.
waiting_for() {
    kubectl -n "$1" get pod "${2:-app}" -o jsonpath='{.status.containerStatuses[0].state.waiting.reason}'
}

refused() { [[ $(waiting_for "$@") =~ ^(ErrImagePull|ImagePullBackOff)$ ]]; }

# Asserts that kubelet cannot pull for a pod, for a minute: not_pulled NAMESPACE [POD]
not_pulled() { wait_for 60 refused "$@"; }

# The number of events of pods with that reason: events NAMESPACE REASON
events() {
    kubectl -n "$1" get events --field-selector "involvedObject.kind=Pod,reason=$2" -o name | wc -l
}

remove_image() { crictl rmi "$1" &>/dev/null || true; }

# The path that CRI-O reads: auth_file NAMESPACE IMAGE
auth_file() { printf '%s-%s' "$1" "$(printf %s "$2" | sha256sum | cut -d ' ' -f 1)"; }

# Records the file events in the auth directories.
watch_auth_files() {
    install -d -m 0700 "$AUTH_DIR" "$AUTH_DIR/in-use"
    inotifywait --quiet --monitor --format '%w%f %e' --event create,moved_to,moved_from,delete \
        "$AUTH_DIR" "$AUTH_DIR/in-use" >"$BATS_TEST_TMPDIR/auth-files" 2>/dev/null 3>&- &
    WATCH=$!
    wait_for 5 watching
}

watching() {
    touch "$AUTH_DIR/.watching"
    rm -f "$AUTH_DIR/.watching"
    grep -q watching "$BATS_TEST_TMPDIR/auth-files"
}

stop_watching() {
    if [[ -n ${WATCH:-} ]]; then
        kill "$WATCH" 2>/dev/null || true
        WATCH=
    fi
}

# Asserts that an event of an auth file matches: happened PATTERN
happened() { grep -q -x -E "$1" "$BATS_TEST_TMPDIR/auth-files"; }

# Asserts that there was no event of a namespace's auth files.
untouched() { ! grep -q "/$1-" "$BATS_TEST_TMPDIR/auth-files"; }

# Asserts that no auth file is left for a namespace: no_auth_files NAMESPACE
no_auth_files() { [[ -z $(find "$AUTH_DIR" -type f -name "$1-*") ]]; }

# Removes auth files of earlier tests: kubelet also runs the provider without a pull.
remove_auth_files() {
    if [[ -d $AUTH_DIR ]]; then
        find "$AUTH_DIR" -type f -delete
    fi
}

# Sets requireServiceAccount in kubelet's configuration: require_service_account BOOL
require_service_account() {
    sed -i "s/requireServiceAccount: .*/requireServiceAccount: $1/" "$PROVIDERS"
    restart_kubelet
}

# Lets kubelet pull one image after the other, or several at once:
# serialize_image_pulls BOOL
serialize_image_pulls() {
    sed -i '/^serializeImagePulls:/d' "$KUBELET_CONFIG"
    echo "serializeImagePulls: $1" >>"$KUBELET_CONFIG"
    restart_kubelet
}

restart_kubelet() {
    systemctl restart kubelet
    wait_for 60 kubectl wait --for=condition=Ready node --all --timeout=1s
}

# Every replica of a Deployment is ready: all_ready NAMESPACE DEPLOYMENT
all_ready() { kubectl -n "$1" rollout status --timeout=120s "deployment/$2"; }
