#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Networks as they are: certificates, proxies, mirrors, connections that break, servers that
# are busy or lie. The image is right, or there is an error; nothing half-made is ever left.
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
cache=$home/.cache/vitrine
registry_start main
registry_start secure tls storage=main
# Whose log nothing in the background writes to.
registry_start plain storage=main
printf '%s\n' 'image v1' 'layer gzip' 'file a a' 'layer none' 'file b size=1500000' 'layer zstd' \
    'file c size=700000' 'image small' layer 'file a small' | layout "$T/app.oci"
registry_push "oci:$T/app.oci:v1" main/app:v1
registry_push "oci:$T/app.oci:small" main/app:small
digest=$(registry_digest main/app:v1)
# blob N: the digest of a layer, "config" that of the configuration.
blob() {
    python3 -c 'import json, sys
manifest = json.load(open(f"{sys.argv[1]}/blobs/sha256/{sys.argv[2][7:]}"))
what = manifest["config"] if sys.argv[3] == "config" else manifest["layers"][int(sys.argv[3])]
print(what["digest"][7:])' "$T/app.oci" "$digest" "$1"
}
configuration=$(blob config) middle=$(blob 1)
secure=${REGISTRY[secure]}
allow=()
front() { # NAME...: in front of main, allowed
    local name
    for name; do
        front_start "$name" main
        allow+=("Registry=${REGISTRY[$name]} AllowHTTP=yes")
    done
    vitrine_conf "${allow[@]}"
}
allow+=("Registry=${REGISTRY[main]} AllowHTTP=yes")
vitrine_conf "${allow[@]}"
ok 'without trouble' import "docker://${REGISTRY[main]}/app:v1" "$home/want.sqfs"

# ---- in the background --------------------------------------------------------------------

# What takes its time because pauses are part of it. One file for each, as all have begun
# before the first has ended.
declare -A pids
later() { # NAME [IMPORT-ARGUMENT]...: of a front of this name
    local name=$1
    import "${@:2}" "docker://${REGISTRY[$name]}/app:v1" "$home/$name.sqfs" \
        >"$T/$name.out" 2>"$T/$name.err" &
    pids[$name]=$!
}
now() { # NAME: as if tried now
    wait "${pids[$1]}"
    rc=$? tried="import through the front $1" out=$(cat "$T/$1.out") err=$(cat "$T/$1.err")
}
right() { # NAME WHAT: it has come out right after all
    now "$1"
    [ "$rc" = 0 ] && cmp -s "$home/$1.sqfs" "$home/want.sqfs"
    report "$2: the image is right" $? || { show_try && diagnose "$(front_log "$1")"; }
}
wrong() { # NAME WHAT REGEX: or there is an error
    now "$1"
    one_error "$2: an error" "$3"
    [ ! -e "$home/$1.sqfs" ]
    report "$2: no file" $?
}
front cuts norange stall busy down down429 always500 alwayscut cutmanifest shorter longwait
front_rules cuts "$middle cut 200000 times=5"
later cuts
front_rules norange "GET blobs/ norange" "$middle cut 60% times=2"
later norange
front_rules stall "$middle hold 50% times=1"
later stall
front_rules busy 'blobs/ status 429 Retry-After:3 times=1'
later busy
front_rules down '/v2/.* status 503 times=2' "$middle status 500 times=1" "$middle drop after=1 times=1"
later down
front_rules down429 "$middle status 429 'Retry-After:Wed, 21 Oct 2015 07:28:00 GMT' times=1"
later down429
front_rules always500 'GET blobs/ status 500'
later always500
front_rules alwayscut "$middle cut 100"
later alwayscut
front_rules cutmanifest 'GET manifests/ cut 50'
later cutmanifest
front_rules shorter "$middle replace /etc/os-release"
later shorter
front_rules longwait 'blobs/ status 429 Retry-After:86400'
later longwait

# ---- certificates -------------------------------------------------------------------------

certificate='certificate'
image=docker://$secure/app:small
refused 'an authority that nobody knows' "$secure.*$certificate|$certificate.*$secure" "$image"
ok 'SSL_CERT_FILE' import SSL_CERT_FILE="$tls/ca.pem" "$image" "$home/x.sqfs"
vitrine_conf "Registry=$secure CAFile=$tls/ca.pem"
registry_forget secure
ok 'CAFile' import "$image" "$home/x.sqfs"
like 'HTTP/2 is spoken' "$(registry_log secure)" '/blobs/.* HTTP/2'
vitrine_conf "Registry=$secure CAFile=$T/nothing.pem"
refused 'a CAFile that is not there' "$T/nothing.pem" "$image"
vitrine_conf "Registry=$secure AllowHTTP=yes"
refused 'AllowHTTP does not allow any certificate' "$certificate" "$image"
vitrine_conf ''
refused 'HTTP, which is not allowed' "${REGISTRY[plain]}" "docker://${REGISTRY[plain]}/app:small"
is 'is not spoken' "$(registry_log plain)" ''
front_start downgrade main tls
front_rules downgrade "blobs/ redirect http://${REGISTRY[plain]}"
vitrine_conf "Registry=${REGISTRY[downgrade]} CAFile=$tls/ca.pem"
refused 'HTTPS does not become HTTP' 'https to http' "docker://${REGISTRY[downgrade]}/app:small"
is 'by a redirect' "$(registry_log plain)" ''

# ---- proxies ------------------------------------------------------------------------------

front_start proxy - proxy
front_start closed - proxy 'user=me pr0xy-secret'
proxy=http://${REGISTRY[proxy]} port=${secure#*:}
vitrine_conf "Registry=registry.test:$port CAFile=$tls/ca.pem" "Registry=other.test:$port CAFile=$tls/ca.pem" \
    "Registry=plain.test:${REGISTRY[plain]#*:} AllowHTTP=yes"
image=docker://registry.test:$port/app:small
ok 'https_proxy' import https_proxy="$proxy" "$image" "$home/x.sqfs"
is 'is used for all' "$(front_log proxy | cut -d' ' -f1-3 | sort -u)" "CONNECT registry.test:$port 200"
ok 'HTTPS_PROXY' import HTTPS_PROXY="$proxy" "$image" "$home/x.sqfs"
ok 'all_proxy' import all_proxy="$proxy" "$image" "$home/x.sqfs"
front_rules proxy
refused 'no_proxy' 'registry.test' https_proxy="$proxy" no_proxy=.test "$image"
is 'is obeyed' "$(front_log proxy)" ''
refused 'the certificate must have the name that was asked for' "$certificate" https_proxy="$proxy" \
    "docker://other.test:$port/app:small"
ok 'http_proxy' import http_proxy="$proxy" "docker://plain.test:${REGISTRY[plain]#*:}/app:small" "$home/x.sqfs"
like 'is used' "$(front_log proxy)" "http://plain.test:.*/blobs/"
ok 'a proxy with a password' import https_proxy="http://me:pr0xy-secret@${REGISTRY[closed]}" "$image" "$home/x.sqfs"
begin=$SECONDS
refused 'with a wrong one' "proxy.*${REGISTRY[closed]}" https_proxy="http://me:wr0ng@${REGISTRY[closed]}" "$image"
unlike 'is not shown' "$err" 'wr0ng'
[ $((SECONDS - begin)) -lt 8 ]
report 'is not tried again and again' $?
refused 'a proxy that is not there' 'localhost:1[^0-9]' https_proxy=http://localhost:1 "$image"

# Docker Hub, as far as the network of this test goes.
registry_push "oci:$T/app.oci:v1" plain/library/app:v1
registry_push "oci:$T/app.oci:small" plain/someone/app:latest
echo "registry-1.docker.io:443 $port" >"$T/front.proxy/hosts"
vitrine_conf ''
for name in docker://app:v1 app:v1 docker.io/library/app:v1 "docker://docker.io#library/app:v1" someone/app; do
    rm -rf "$home/x.sqfs"
    registry_forget secure
    ok "Docker Hub: $name" import HOME="$home/hub" SSL_CERT_FILE="$tls/ca.pem" https_proxy="$proxy" "$name" "$home/x.sqfs"
    wanted=library/app
    [ "$name" != someone/app ] || wanted=someone/app
    is "Docker Hub: $name is what it should be" \
        "$(unsquashfs -cat "$home/x.sqfs" a) $(registry_log secure | grep -c "GET /v2/$wanted/manifests/.* 200")" \
        "$([ $wanted = someone/app ] && echo small || echo a) 1"
done

# ---- mirrors ------------------------------------------------------------------------------

registry_start mirror tls
registry_push "oci:$T/app.oci:v1" mirror/app:v1
front_start badmirror mirror tls
front_rules badmirror 'manifests/ flip 10'
host=${REGISTRY[plain]}
mirrored() { # NAME MIRROR-URL TAG: the image comes, to somebody with an empty cache
    vitrine_conf "Registry=$host AllowHTTP=yes Mirror=$2" "Registry=${REGISTRY[mirror]} CAFile=$tls/ca.pem" \
        "Registry=${REGISTRY[badmirror]} CAFile=$tls/ca.pem"
    registry_forget plain
    registry_forget mirror
    rm -rf "$home/x.sqfs" "$home/fresh"
    ok "$1" import HOME="$home/fresh" "docker://$host/app:$3" "$home/x.sqfs"
}
mirrored 'a mirror that has it' "https://${REGISTRY[mirror]}" v1
is 'is the only one that is asked' "$(registry_log plain | grep -c .) $(registry_count mirror 'GET .*blobs/')" '0 4'
mirrored 'a mirror that does not have it' "https://${REGISTRY[mirror]}" small
is 'the registry has' "$(registry_count plain 'GET .*blobs/')" 2
mirrored 'a mirror that is not there' https://localhost:1 small
mirrored 'the second one' "https://localhost:1,https://${REGISTRY[mirror]}" v1
is 'is enough' "$(registry_log plain)" ''
mirrored 'a mirror that lies' "https://${REGISTRY[badmirror]}" "v1@$digest"
ok 'is not believed' cmp "$home/x.sqfs" "$home/want.sqfs"

# ---- lies ---------------------------------------------------------------------------------

front liar
liar=${REGISTRY[liar]}
lie() { # NAME REGEX REFERENCE RULE...
    front_rules liar "${@:4}"
    rm -f "$home/x.sqfs"
    refused "$1" "$2" "docker://$liar/$3" "$home/x.sqfs"
    [ ! -e "$home/x.sqfs" ] && [ "$(front_count liar .)" -lt 60 ]
    report "$1: no file, and an end" $? || diagnose "$(front_log liar | sort | uniq -c | head)"
}
python3 -c 'print("{\"schemaVersion\": 2, \"x\": \"" + "x" * 20000000 + "\"}")' >"$T/large.json"
sed 's/"size": *1[0-9]*/"size": 1/' "$T/app.oci/blobs/sha256/${digest#sha256:}" >"$T/sizes.json"
wrong_digest=sha256:$(printf '%064d' 0)
lie 'a manifest that is not what the digest says' "${digest:0:19}" "app@$digest" 'manifests/ flip 20'
lie 'a manifest that is not what the header says' 'digest|sha256' app:v1 "manifests/ header Docker-Content-Digest:$wrong_digest"
lie 'a manifest that is longer' "${digest:0:19}" "app@$digest" 'manifests/ longer 1'
lie 'a manifest that is too large' 'large|big|bytes|MiB' app:v1 "manifests/ replace $T/large.json"
lie 'a manifest that is none' 'manifest|JSON' app:v1 "GET manifests/ replace /etc/os-release" "manifests/ header Docker-Content-Digest:"
lie 'a manifest whose sizes are wrong' 'size|bytes|sha256' app:v1 "manifests/ replace $T/sizes.json" "manifests/ header Docker-Content-Digest:"
lie 'another configuration' "${configuration:0:12}" app:v1 "$configuration flip 30"
lie 'a configuration that is longer' "more bytes" app:v1 "$configuration longer 1"
lie 'another layer' "${middle:0:12}" app:v1 "$middle flip 700000"
lie 'a layer whose last byte is another' "${middle:0:12}" app:v1 "$middle flip 999999999"
lie 'a layer that is longer' "${middle:0:12}" app:v1 "$middle longer 1"
lie 'a layer that is not there' "${middle:0:12}" app:v1 "$middle status 404"
lie 'redirects without end' 'answer leads on' app:v1 'blobs/ redirect loop'
lie 'a redirect to a file of this machine' 'answer leads to' app:v1 'blobs/ redirect file:///etc'
lie 'headers without end' 'header|large|long' app:v1 'manifests/ huge 4000000'
lie 'a page of a portal' 'manifest|JSON|registry' app:v1 "GET . replace /etc/os-release" 'GET . header Content-Type:text/html' 'GET . header Docker-Content-Digest:'

# ---- ends ---------------------------------------------------------------------------------

front ends
image=docker://${REGISTRY[ends]}/app:v1
target=$home/out/x.sqfs
# Only this test's own: others of the same user run in the background.
importing() {
    pgrep -u "$USER1" -f "^$vitrine import .*$image"
}
gone() {
    ! importing >/dev/null
}
next_works() { # NAME [FILE]
    front_rules ends
    ok "$1: the next one works" import "$image" "${@:2}"
    ok "$1: and makes what it should" cmp "${2:-$cache/images/sha256-${digest#sha256:}.sqfs}" "$home/want.sqfs"
    rm -f "${2-}"
    no_partial "$1, then" "$cache" "$home/out"
    rm -rf "$cache" "$home/out"
    as_user mkdir -p "$home/out"
}
ended() { # NAME SIGNAL PLACE [FILE]: a signal when so much of the layer has come
    front_rules ends "$middle hold $3"
    import "$image" "${@:4}" >"$T/.out" 2>"$T/.err" &
    importer=$!
    front_wait ends holding
    importing | xargs kill "-$2"
    wait_for 5 gone
    report "$1: it ends at once" $?
    wait "$importer" 2>/dev/null
    no_partial "$1" "$cache/images" "$home/out"
    [ ! -e "$target" ]
    report "$1: no file" $?
    next_works "$1" "${@:4}"
}
rm -rf "$cache"
as_user mkdir -p "$home/out"
ended 'TERM at the begin' TERM 0
ended 'TERM half-way' TERM 50%
ended 'TERM half-way to a file' TERM 50% "$target"
ended 'INT near the end' INT 99%
ended 'HUP half-way' HUP 50%
ended 'KILL at the begin' KILL 0 "$target"
ended 'KILL half-way' KILL 50%
ended 'KILL near the end, to a file' KILL 99% "$target"

# Wherever it happens to be, also while it compresses and renames.
left=''
for delay in 0.01 0.02 0.03 0.04 0.05 0.06 0.07 0.08 0.1 0.12 0.15; do
    import "$image" >"$T/.out" 2>"$T/.err" &
    importer=$!
    sleep "$delay"
    importing | xargs -r kill -KILL
    wait "$importer" 2>/dev/null
    left+=$(find "$cache/images" -type f ! -exec cmp -s {} "$home/want.sqfs" \; -print 2>/dev/null)
done 2>/dev/null
is 'KILL at any time: what has a name is whole' "$left" ''
next_works 'KILL at any time'

# A file system of the test's own namespace, so that nothing can be left mounted.
mkdir "$T/full"
vitrine_conf "${allow[@]}" "CacheDir=$T/full/cache"
for size in 64k 400k 1200k 2000k; do
    try unshare -m sh -c "mount -t tmpfs -o size=$size,mode=755,uid=$(id -u "$USER1") none $T/full &&
        '$top/contrib/cluster/run' --user $USER1 timeout 60 $vitrine import -q --config $T/vitrine.conf $image >&2 && exit
        find $T/full -type f ! -path '*/locks/*' ! -path '*/leases/*' ! -path '*/records/*'
        mount -o remount,size=64m $T/full
        '$top/contrib/cluster/run' --user $USER1 $vitrine import -q --config $T/vitrine.conf $image >$T/.second 2>&1 || exit 99
        cmp $T/full/cache/images/*.sqfs $home/want.sqfs || exit 98
        exit 7"
    is "a disk of $size is full: nothing partial, and the next one works" "$rc $out" '7 ' || show_try
    like "a disk of $size: it says so" "$err" "^vitrine: .*[Nn]o space( is)? left.*$T/full/cache"
done

# ---- what has been going on in the background ---------------------------------------------

right cuts 'a layer that breaks off five times'
is 'only what is missing is fetched again' \
    "$(front_log cuts | sed -nE "s/.*$middle 20[06] range=([^ ]*) .*/\1/p" | sort -u | grep -c 'bytes=[0-9]')" 5
right norange 'a server that knows no ranges'
right stall 'a transfer that stands still'
right busy '429'
pause=$(front_log busy | awk '/ 429 / { path = $2; sub(/.* at=/, ""); since = $1 } path && $2 == path && / 200 / {
    sub(/.* at=/, ""); print $1 - since; exit }')
[ "${pause%.*}" -ge 2 ]
report 'Retry-After is honoured' $? || diagnose "$pause" "$(front_log busy)"
right down '503, 500 and no answer at all'
right down429 'a Retry-After that is over'
wrong always500 '500 for ever' 500
wrong alwayscut 'a layer that always breaks off' "${middle:0:12}|broke|closed"
wrong cutmanifest 'a manifest that always breaks off' 'broke|cut|transfer|ended|closed'
wrong shorter 'a layer that is shorter' "${middle:0:12}"
wrong longwait 'who shall wait for a day' '429|86400|too many|later'
[ "$(front_count longwait ' 429 ')" -le 8 ]
report 'is told at once' $? || diagnose "$(front_log longwait)"

done_testing
