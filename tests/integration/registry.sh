# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Registries, and what may stand between a client and them. To be sourced after lib.sh:
#
#     . "$(dirname "$0")/registry.sh"
#     layout "$T/app" <<<"image v1 ..."            an OCI layout (see mklayout)
#     registry_start main                          ${REGISTRY[main]} is HOST:PORT
#     registry_push oci:$T/app:v1 main/app:v1
#     front_start front main                       a proxy that can be told to misbehave
#
# Everything listens on the loopback, at ports that the kernel has found free, keeps its files
# below $T, and ends with the test. To wait for processes of its own a test must name them
# ("wait $pid"): these servers are children of its shell, too.

declare -A REGISTRY
tls=$T/tls

# layout DIR <DESCRIPTION: writes an OCI layout that everybody may read; mklayout(1).
layout() {
    "$integration/mklayout" "$1" && chmod -R a+rX "$1"
}

# tls_make: once per test, a certification authority $tls/ca.pem, and a certificate of it for
# localhost, 127.0.0.1, registry.test and Docker Hub: $tls/server.pem with $tls/server.key. The default store of
# this machine does not know the authority.
tls_make() {
    [ ! -e "$tls/server.pem" ] || return 0
    mkdir -p "$tls"
    local ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3'
    # shellcheck disable=SC2086 # words
    openssl req -x509 $ec -keyout "$tls/ca.key" -out "$tls/ca.pem" -subj '/CN=Test authority' \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign &&
        openssl req $ec -keyout "$tls/server.key" -out "$tls/server.csr" -subj /CN=localhost &&
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -days 3 \
            -CAcreateserial -out "$tls/server.pem" -extfile <(printf 'subjectAltName=%s\n' \
                'DNS:localhost,DNS:registry.test,DNS:registry-1.docker.io,IP:127.0.0.1,IP:::1')
} >"$T/.tls" 2>&1

# registry_start NAME [OPTION]...: the distribution's docker-registry. Options:
#   htpasswd=USER:PASSWORD  basic authentication
#   token=FRONT             tokens of this front (front_start FRONT - token=...)
#   tls                     HTTPS, with tls_make's certificate
#   storage=NAME            the storage of another registry, so that one push serves both
# Sets REGISTRY[NAME]; "localhost:PORT", so tls_make's certificate is right for it.
registry_start() {
    local name=$1 option dir=$T/registry.$1 storage=$T/registry.$1/storage auth='' http=''
    shift
    mkdir -p "$dir"
    for option in "$@"; do
        case $option in
        htpasswd=*)
            htpasswd -nbB -C 4 "${option%%:*}" "${option#*:}" | sed 's/^htpasswd=//' >"$dir/htpasswd"
            auth="auth: {htpasswd: {realm: test, path: $dir/htpasswd}}"
            ;;
        token=*)
            option=${option#*=}
            auth="auth: {token: {realm: 'http://${REGISTRY[$option]}/token', service: test-registry,
                issuer: test-issuer, rootcertbundle: $T/front.$option/token.pem}}"
            ;;
        tls)
            tls_make
            http=", tls: {certificate: $tls/server.pem, key: $tls/server.key}"
            ;;
        storage=*) storage=$T/registry.${option#*=}/storage ;;
        *) report "registry_start: no option $option" 1 && return 1 ;;
        esac
    done
    mkdir -p "$storage"
    # No redis, no traces, no cache of descriptors: each request is answered from the storage.
    printf '%s\n' 'version: 0.1' 'log: {level: info, formatter: text}' "$auth" \
        "storage: {filesystem: {rootdirectory: $storage}, delete: {enabled: true}}" \
        "http: {addr: '127.0.0.1:0', secret: test$http}" >"$dir/config.yml"
    docker-registry serve "$dir/config.yml" >>"$dir/access.log" 2>>"$dir/error.log" 8>&- &
    wait_for 20 grep -qs 'msg="listening on ' "$dir/error.log" || {
        report "registry $name runs" 1
        diagnose "$(cat "$dir/error.log")"
        exit 1
    }
    REGISTRY[$name]=localhost:$(sed -nE 's/.*msg="listening on [^"]*:([0-9]+).*/\1/p' "$dir/error.log")
}

# registry_push SOURCE NAME/REPOSITORY:TAG [SKOPEO-OPTION]...: copies with skopeo, whatever it
# knows as a source: oci:DIR:TAG, docker-archive:FILE. An index as a whole, all bytes as they
# are unless the format is another: --format v2s2.
registry_push() {
    local as_is=--preserve-digests
    [[ " $* " != *' v2s2 '* ]] || as_is=''
    skopeo copy -q --insecure-policy --all ${as_is:+"$as_is"} --dest-tls-verify=false "${@:3}" "$1" \
        "docker://${REGISTRY[${2%%/*}]}/${2#*/}" >"$T/.push" 2>&1 || {
        report "push $1 to $2" 1
        diagnose "$(cat "$T/.push")"
    }
}

# registry_digest NAME/REPOSITORY:TAG [PLATFORM]: of its manifest; of an index's entry for the
# platform ("arm64", "arm/v7") if one is given.
registry_digest() {
    local url=http://${REGISTRY[${1%%/*}]}/v2/${1#*/}
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        -H 'Accept: application/vnd.oci.image.index.v1+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' \
        "${url%:*}/manifests/${url##*:}" | python3 -c '
import hashlib, json, sys
data, wanted = sys.stdin.buffer.read(), sys.argv[1:]
for entry in json.loads(data).get("manifests", []) if wanted else []:
    where = entry["platform"]
    if wanted[0] == "/".join(filter(None, (where["architecture"], where.get("variant")))):
        print(entry["digest"])
        break
else:
    print("sha256:" + hashlib.sha256(data).hexdigest())' "${@:2}"
}

# registry_log NAME: the requests that it has answered, one a line: METHOD PATH STATUS BYTES
# PROTOCOL. registry_forget NAME: only those from now on.
registry_log() {
    sed -nE 's/^[^"]*"([A-Z]+) ([^ ]+) ([^"]+)" ([0-9]+) ([0-9]+) .*/\1 \2 \4 \5 \3/p' \
        "$T/registry.$1/access.log"
}
registry_forget() {
    : >"$T/registry.$1/access.log"
}

# registry_count NAME REGEX: how many requests there were whose line matches.
registry_count() {
    registry_log "$1" | grep -cE -e "$2"
}

# front_start NAME UPSTREAM|- [OPTION]...: registry-front, in front of the registry UPSTREAM of
# this test. Options:
#   tls             HTTPS, with tls_make's certificate
#   token           issues tokens, at /token (registry_start NAME token=FRONT)
#   token=FRONT     the same, signed as by that one
#   proxy           is a forward proxy instead
#   user='USER PASSWORD [REFRESH-TOKEN]'  whom a token server or a proxy knows
# Sets REGISTRY[NAME], so that it can be used as a registry's name everywhere.
front_start() {
    local name=$1 upstream=$2 option dir=$T/front.$1 options=()
    shift 2
    mkdir -p "$dir"
    : >"$dir/log"
    [ "$upstream" = - ] || options+=(--upstream "${REGISTRY[$upstream]/localhost/127.0.0.1}")
    for option in "$@"; do
        case $option in
        tls)
            tls_make
            options+=(--tls "$tls/server.pem" "$tls/server.key")
            ;;
        token)
            openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=tokens \
                -keyout "$dir/token.key" -out "$dir/token.pem" 2>"$dir/openssl"
            options+=(--token)
            ;;
        token=*)
            cp "$T/front.${option#*=}"/token.{key,pem} "$dir/"
            options+=(--token)
            ;;
        proxy) options+=(--proxy) ;;
        user=*)
            cut -d' ' -f1-3 <<<"${option#*=} none" >>"$dir/users"
            ;;
        *) report "front_start: no option $option" 1 && return 1 ;;
        esac
    done
    "$integration/registry-front" "$dir" "${options[@]}" 2>"$dir/error.log" 8>&- &
    wait_for 20 test -s "$dir/port" || {
        report "front $name runs" 1
        diagnose "$(cat "$dir/error.log")"
        exit 1
    }
    REGISTRY[$name]=localhost:$(cat "$dir/port")
}

# front_rules NAME [RULE]...: these and no others, from now on; the log starts anew. See
# registry-front for what a rule is: "[METHOD] REGEX ACTION [ARGUMENT]...".
front_rules() {
    local dir=$T/front.$1
    rm -f "$dir/go"
    printf '%s\n' "${@:2}" >"$dir/rules.new"
    mv "$dir/rules.new" "$dir/rules"
    : >"$dir/log"
}

# front_go NAME: what a rule "hold" has held goes on.
front_go() {
    : >"$T/front.$1/go"
}

# front_log NAME; front_count NAME REGEX: requests whose line matches.
front_log() {
    cat "$T/front.$1/log"
}
front_count() {
    grep -cE -e "$2" "$T/front.$1/log"
}

# front_wait NAME REGEX [SECONDS]: until a line of its log matches.
front_wait() {
    wait_for "${3:-20}" grep -qE -e "$2" "$T/front.$1/log"
}

# ---- vitrine import -----------------------------------------------------------------------

vitrine=$VITRINE_TEST_PREFIX/bin/vitrine

# vitrine_conf LINE...: what the imports that follow are configured with.
vitrine_conf() {
    printf '%s\n' "$@" >"$T/vitrine.conf"
}

# import [NAME=VALUE]... [OPTION]... IMAGE [FILE]: "vitrine import -q" as USER1, with these
# variables. Ends within 100 seconds.
import() {
    local variables=()
    while [[ $1 =~ ^[A-Za-z_]+= ]]; do
        variables+=("$1")
        shift
    done
    as_user env "${variables[@]}" timeout 100 "$vitrine" import -q --config "$T/vitrine.conf" "$@"
}

# refused NAME REGEX IMPORT-ARGUMENT...: the import fails, and says just this, in one line.
refused() {
    try import "${@:3}"
    one_error "$1" "$2"
}

# one_error NAME REGEX: the last try was an import that failed, of itself, in one sentence.
one_error() {
    [ "$rc" != 0 ] && [ "$rc" -lt 124 ] && [ -z "$out" ] &&
        [ "$(grep -c . <<<"$err")" = 1 ] && grep -qE -e "^vitrine: .*($2)" <<<"$err"
    report "$1" $? || { diagnose "wanted an error like: $2" && show_try; }
}

# no_partial NAME DIR...: none of these has anything of an import that has not been finished.
no_partial() {
    local left
    left=$(find "${@:2}" -type f ! -path '*/locks/*' ! -path '*/leases/*' ! -path '*/records/*' \
        ! -name 'sha256-*.sqfs' 2>/dev/null)
    [ -z "$left" ]
    report "$1: nothing partial is left" $? || diagnose "$left"
}

# list_tree DIR: all that is in it, one entry a line, without what an importer adds. Times of
# directories are left out: those change with what is done to their entries.
list_tree() (
    cd "$1" || exit
    find . -mindepth 1 -path ./.vitrine -prune -o \( \
        -type d -printf '%p d %m %U:%G\n' -o \
        -type f -printf '%p f %m %U:%G %s %n %Ts ' -exec md5sum {} \; -o \
        -type l -printf '%p l %U:%G %l\n' -o \
        -printf '%p %y %m %U:%G\n' \) | sed 's/  [.].*//' | LC_ALL=C sort
)

# same_tree NAME IMAGE DIR: the image has what the directory has.
same_tree() {
    rm -rf "$T/unpacked"
    unsquashfs -q -n -d "$T/unpacked" "$2" >"$T/.unsquashfs" 2>&1 &&
        list_tree "$T/unpacked" >"$T/.got" && list_tree "$3" >"$T/.want" && [ -s "$T/.want" ] &&
        cmp -s "$T/.got" "$T/.want"
    report "$1" $? || diagnose "$(head "$T/.unsquashfs"; diff "$T/.want" "$T/.got" | head -n 20)"
}
