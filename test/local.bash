# shellcheck shell=bash
#
# A node without a kubelet, for local.bats and the demo: a real registry that
# needs a login, a real skopeo that reads the node's registries.conf, and the
# stand-in for the API server. Everything is in $NODE, every port is a free one.
#
# The caller sets NODE, an empty directory, and PROVIDER, TEST_CLUSTER and REGISTRY, the programs to
# run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
PROVIDER=${PROVIDER:-$target/debug/crio-credential-provider}
TEST_CLUSTER=${TEST_CLUSTER:-$target/debug/test-cluster}

# The login that the registry accepts.
export REGISTRY_USER=mirror-user REGISTRY_PASSWORD='s3cret: with "quotes"'

processes=()

die() {
    printf '%s\n' "$*" >&2
    return 1
}

need_programs() {
    local program
    for program in "$PROVIDER" "$TEST_CLUSTER"; do
        [[ -x $program ]] || die "$program is missing: run \"make local-e2e\"" || return
    done
    for program in jq skopeo htpasswd; do
        command -v "$program" >/dev/null || die "$program is missing: run \"test/setup $program\"" || return
    done
}

# Waits until a command succeeds, at most ten seconds.
wait_for() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return
        sleep 0.05
    done
    die "timed out after ten seconds: $*"
}

# Lays out the node: the files that the provider and skopeo read and write.
prepare_node() {
    HOME_DIR=$NODE/root
    REGISTRIES_CONF_FILE=$HOME_DIR/.config/containers/registries.conf
    REGISTRIES_CONF_DIR=$HOME_DIR/.config/containers/registries.conf.d
    AUTH_DIR=$NODE/etc/crio/auth
    GLOBAL_AUTH_FILE=$NODE/var/lib/kubelet/config.json
    LOCK_FILE=$NODE/run/lock
    CLUSTER=$NODE/cluster
    REGISTRY_LOG=$NODE/registry/log
    API_LOG=$NODE/api.log
    SKOPEO_LOG=$NODE/skopeo.log
    mkdir -p "$REGISTRIES_CONF_DIR" "$(dirname "$GLOBAL_AUTH_FILE")" "$NODE/pulled" "$NODE/run"
    : >"$NODE/secrets.jsonl"
}

stop_processes() {
    "$root/test/registry/stop" "$NODE/registry"
    [[ ${#processes[@]} -gt 0 ]] || return 0
    kill "${processes[@]}" 2>/dev/null || true
    wait "${processes[@]}" 2>/dev/null || true
    processes=()
}

# Starts the registry, and sets MIRROR to its address.
start_registry() {
    MIRROR=$("$root/test/registry/start" "$NODE/registry" 127.0.0.1:0)
}

# The access log, a line per request: METHOD PATH STATUS.
registry_requests() {
    sed -n 's/^.*\] "\([A-Z]*\) \([^ ]*\) HTTP[^"]*" \([0-9]*\) .*/\1 \2 \3/p' "$REGISTRY_LOG"
}

# Makes an image with one small file, as an OCI layout: make_image DIRECTORY.
make_image() {
    local layout=$1 rootfs=$NODE/rootfs diff_id config manifest
    mkdir -p "$layout/blobs/sha256" "$rootfs"
    echo 'pulled through the mirror' >"$rootfs/hello"
    tar -C "$rootfs" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$NODE/layer.tar" hello
    diff_id=$(digest "$NODE/layer.tar")
    gzip -n -f "$NODE/layer.tar"
    jq -cn --arg diff_id "$diff_id" '{
        architecture: "amd64", os: "linux", config: {Cmd: ["/hello"]},
        rootfs: {type: "layers", diff_ids: [$diff_id]}
    }' >"$NODE/config.json"
    config=$(blob "$layout" "$NODE/config.json" application/vnd.oci.image.config.v1+json)
    layer=$(blob "$layout" "$NODE/layer.tar.gz" application/vnd.oci.image.layer.v1.tar+gzip)
    jq -cn --argjson config "$config" --argjson layer "$layer" '{
        schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: $config, layers: [$layer]
    }' >"$NODE/manifest.json"
    manifest=$(blob "$layout" "$NODE/manifest.json" application/vnd.oci.image.manifest.v1+json)
    # shellcheck disable=SC2034 # for the tests
    IMAGE_DIGEST=$(jq -r .digest <<<"$manifest")
    jq -cn --argjson manifest "$manifest" '{schemaVersion: 2, manifests: [$manifest]}' >"$layout/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
}

digest() { sha256sum "$1" | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }

# Puts a file into the layout and prints its descriptor: blob LAYOUT FILE TYPE.
blob() {
    local digest
    digest=$(digest "$2")
    cp "$2" "$1/blobs/sha256/${digest#sha256:}"
    jq -cn --arg digest "$digest" --arg type "$3" --argjson size "$(stat -c %s "$2")" \
        '{mediaType: $type, digest: $digest, size: $size}'
}

# skopeo as on a node that has only our registries.conf: a registries.conf in the
# home directory replaces the machine's, drop-ins included. The proxy does not answer, so
# no request reaches another host.
node_skopeo() {
    env -i PATH="$PATH" HOME="$HOME_DIR" XDG_CONFIG_HOME="$HOME_DIR/.config" \
        XDG_RUNTIME_DIR="$NODE/run" TMPDIR="$NODE" \
        HTTPS_PROXY=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 \
        skopeo --insecure-policy "$@"
}

# Stores the image in the registry: push_image PATH:TAG.
push_image() {
    [[ -d $NODE/image ]] || make_image "$NODE/image"
    node_skopeo copy -q --preserve-digests --dest-tls-verify=false \
        --dest-creds "$REGISTRY_USER:$REGISTRY_PASSWORD" \
        "oci:$NODE/image" "docker://$MIRROR/$1"
}

# Pulls as CRI-O does, with a log in SKOPEO_LOG: pull IMAGE [AUTH-FILE].
pull() {
    local with_file=(--src-no-creds)
    if [[ $# -gt 1 ]]; then
        with_file=(--authfile "$2")
    fi
    rm -rf "$NODE/pulled"
    node_skopeo --debug copy "${with_file[@]}" "docker://$1" "dir:$NODE/pulled" >"$SKOPEO_LOG" 2>&1
}

registries_conf() { cat >"$REGISTRIES_CONF_FILE"; }

# Adds a Secret, its docker config from stdin: secret NAMESPACE NAME [TYPE].
secret() {
    local type=${3:-kubernetes.io/dockerconfigjson} key=.dockerconfigjson
    if [[ $type == kubernetes.io/dockercfg ]]; then
        key=.dockercfg
    fi
    jq -cR --slurp --arg namespace "$1" --arg name "$2" --arg type "$type" --arg key "$key" '{
        apiVersion: "v1", kind: "Secret", type: $type,
        metadata: {$name, $namespace}, data: {($key): @base64}
    }' >>"$NODE/secrets.jsonl"
}

# One login of a docker config, a map with one entry: login KEY USER PASSWORD.
login() { jq -cn --arg key "$1" --arg auth "$2:$3" '{($key): {auth: ($auth | @base64)}}'; }

# {"auths": ..} of maps of logins on stdin; of a repeated key the last one is used.
auths() { jq -c --slurp '{auths: add}'; }

# Starts the API server with the Secrets so far, and a service account "app" that may
# list them in each namespace named: start_cluster NAMESPACE...
start_cluster() {
    jq -c --slurp '{apiVersion: "v1", kind: "List", items: .}' "$NODE/secrets.jsonl" >"$NODE/secrets.json"
    local accounts=("${@/%//app}")
    "$TEST_CLUSTER" --out "$CLUSTER" --secrets "$NODE/secrets.json" \
        --grant "${accounts[@]}" --token "${accounts[@]}" --log "$API_LOG" \
        >"$NODE/cluster.log" 2>&1 3>&- </dev/null &
    processes+=($!)
    wait_for test -e "$CLUSTER/ready"
}

# What kubelet writes to the provider: request NAMESPACE IMAGE.
request() {
    jq -n --arg image "$2" --rawfile token "$CLUSTER/token-$1-app" '{
        apiVersion: "credentialprovider.kubelet.k8s.io/v1",
        kind: "CredentialProviderRequest",
        $image, serviceAccountToken: $token, serviceAccountAnnotations: {}
    }'
}

# The provider as on this node: provider ARGUMENT...
provider() {
    env -i "$PROVIDER" \
        --registries-conf "$REGISTRIES_CONF_FILE" --registries-conf-dir "$REGISTRIES_CONF_DIR" \
        --auth-dir "$AUTH_DIR" --global-auth-file "$GLOBAL_AUTH_FILE" \
        --lock-file "$LOCK_FILE" --kubeconfig "$CLUSTER/kubeconfig" "$@"
}

# The path that CRI-O reads: auth_file NAMESPACE IMAGE.
auth_file() { printf '%s/%s-%s.json' "$AUTH_DIR" "$1" "$(printf %s "$2" | sha256sum | cut -d ' ' -f 1)"; }
