#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many imports with one cache: one pulls, the others wait for it, whatever becomes of the one;
# the cache keeps to its size, and to what is in use.
# timeout: 240
# shellcheck disable=SC2016 # variables of other shells
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
cache=$home/.cache/vitrine
registry_start main
registry_start behind storage=main
for tag in v1 v2; do
    printf '%s\n' "image $tag" 'layer gzip' "file a $tag" 'layer none' "file $tag size=1500000" 'layer zstd' 'file c size=700000'
done | layout "$T/app.oci"
for tag in v1 v2; do
    registry_push "oci:$T/app.oci:$tag" "main/app:$tag"
done
for name in front far slow; do
    front_start $name behind
done
vitrine_conf "Registry=${REGISTRY[main]} AllowHTTP=yes" "Registry=${REGISTRY[front]} AllowHTTP=yes" \
    "Registry=${REGISTRY[far]} AllowHTTP=yes" "Registry=${REGISTRY[slow]} AllowHTTP=yes"
declare -A owners waiters
image=docker://${REGISTRY[main]}/app:v1
fronted=docker://${REGISTRY[front]}/app:v1
digest=$(registry_digest main/app:v1)
file=$cache/images/sha256-${digest#sha256:}.sqfs

# on_host NAME CMD...: as on another machine, as far as its name and its boot tell.
on_host() {
    [ -e "$T/boot.$1" ] || printf '%08x-0000-4000-8000-000000000000\n' "$RANDOM$RANDOM" >"$T/boot.$1"
    unshare -um sh -c 'hostname "$1" && mount --bind "$2" /proc/sys/kernel/random/boot_id || exit; shift 2; exec "$@"' \
        sh "$1" "$T/boot.$1" "$top/contrib/cluster/run" --user "$USER1" timeout 100 "${@:2}"
}
host_import() { # HOST IMAGE [HOME]
    on_host "$1" env HOME="${3:-$home}" "$vitrine" import -q --config "$T/vitrine.conf" "$2"
}
importing() { # IMAGE
    pgrep -u "$USER1" -f "^$vitrine import .*$1"
}
# fetched NAME: bytes of each blob that the registry NAME sent, over its size: all is 1.
fetched() {
    registry_log "$1" | awk '/^GET .*\/blobs\/.* 20[06] / { sent[$2] += $4 } END { for (path in sent) print path, sent[path] }' |
        while read -r path bytes; do
            echo "$((bytes * 100 / $(stat -c %s "$T/app.oci/blobs/sha256/${path##*sha256:}")))%"
        done | sort | uniq -c | xargs
}

# Nobody can know that an owner on another machine is dead before his lock has stood still
# for a while; nor is he who is only slow. This takes its time, and goes on in the background.
front_rules far 'blobs/ hold 50% times=1'
front_rules slow 'blobs/ slow 40000'
for name in far slow; do
    host_import "owner-$name" "docker://${REGISTRY[$name]}/app:v1" "$home/$name" >"$T/$name.owner" 2>&1 &
    owners[$name]=$!
done
front_wait far holding
front_wait slow 'blobs/'
importing "${REGISTRY[far]}/app:v1" | xargs kill -KILL
for name in far slow; do
    host_import "waiter-$name" "docker://${REGISTRY[$name]}/app:v1" "$home/$name" >"$T/$name.out" 2>"$T/$name.err" &
    waiters[$name]=$!
done
waiting_since=$SECONDS

# ---- 64 at once ---------------------------------------------------------------------------

registry_forget main
pids=()
for node in $(seq 64); do
    host_import "node$((node % 8))" "$image" >"$T/out.$node" 2>"$T/err.$node" &
    pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do
    wait "$pid" || failed=$((failed + 1))
done
is '64 imports at once work' "$failed" 0 || diagnose "$(head -qn 2 "$T"/err.* | sort | uniq -c | head)"
is 'all are told of one file' "$(sort -u "$T"/out.* | grep -c .) $(grep -lF "$file" "$T"/out.* | wc -l)" '1 64'
is 'each blob was fetched once' "$(fetched main)" '4 100%'
is 'which is whole' "$(unsquashfs -cat "$file" a)" v1
ok 'and nothing is held any more' test -z "$(find "$cache/locks" -type f)"
no_partial 'the cache' "$cache"

# ---- the one that pulls is gone -----------------------------------------------------------

waits() { # NAME SIGNAL HOST SECONDS: the owner, on this host or another, gets a signal
    local owner waiter begin
    rm -rf "$cache"
    front_rules front 'blobs/ hold 50% times=1'
    host_import "$3" "$fronted" >"$T/.owner" 2>&1 &
    owner=$!
    front_wait front holding
    host_import here "$fronted" >"$T/.out" 2>"$T/.err" &
    waiter=$!
    sleep 1
    is "$1: the other one waits" "$(front_log front | grep -c 'GET .*blobs/[^ ]* 20')" \
        "$(front_log front | grep 'GET .*blobs/[^ ]* 20' | cut -d' ' -f2 | sort -u | wc -l)"
    begin=$SECONDS
    if [ "$2" = none ]; then
        front_go front
        wait "$owner"
        report "$1: it ends" $?
    else
        # The older one.
        importing "$fronted" | head -n 1 | xargs kill "-$2"
        wait "$owner" 2>/dev/null
    fi
    wait "$waiter"
    report "$1: the other one has the image" $? || diagnose "$(cat "$T/.err")"
    [ $((SECONDS - begin)) -le "$4" ]
    report "$1: within $4 s" $? || diagnose "it took $((SECONDS - begin)) s"
    is "$1: it is whole" "$(unsquashfs -cat "$file" a)" v1
    no_partial "$1" "$cache"
}
waits 'the owner goes on' none here 10
waits 'the owner is killed' KILL here 10
waits 'the owner is cancelled' TERM here 10
waits 'the owner on another host is cancelled' TERM there 10

# ---- no more than CacheSize ---------------------------------------------------------------

size=$(stat -c %s "$file")
vitrine_conf "Registry=${REGISTRY[main]} AllowHTTP=yes" "CacheSize=$((size * 5 / 2 / 1024))K"
for number in 1 2 3 4 5; do
    printf '%s\n' "image n$number" 'layer none' "file $number size=2200000" | layout "$T/n$number.oci"
    registry_push "oci:$T/n$number.oci:n$number" "main/n:$number"
done
n() { # NUMBER: the file of an image
    local of
    of=$(registry_digest "main/n:$1")
    echo "$cache/images/sha256-${of#sha256:}.sqfs"
}
# Who looks does not use: the times of use lie beside the images.
older() { # NUMBER TIME
    local of
    of=$(registry_digest "main/n:$1")
    touch -c -d "$2 ago" "$(n "$1")" "$cache/leases/sha256-${of#sha256:}".used
}
have() {
    local number
    for number in 1 2 3 4 5; do
        [ ! -e "$(n $number)" ] || echo -n $number
    done
}
pull() { # NUMBER
    ok "image $1" import "docker://${REGISTRY[main]}/n:$1"
}
rm -rf "$cache"
pull 1 && pull 2 && older 1 '30 hours' && older 2 '20 hours'
pull 3
is 'the one that was used least recently is removed' "$(have)" 23
older 3 '10 hours'
pull 2
older 3 '30 hours'
pull 4
is 'to use an image counts' "$(have)" 24
older 2 '30 hours' && older 4 '20 hours'
of=$(registry_digest main/n:2)
as_user touch -d '+2 hours' "$cache/leases/sha256-${of#sha256:}.1234"
pull 5
is 'one with a lease stays' "$(have)" 25
as_user touch -d '1 hour ago' "$cache/leases/sha256-${of#sha256:}.1234"
older 5 '20 hours'
pull 1
is 'until that is over' "$(have)" 15
older 1 '40 hours'
exec 7<"$(n 1)"
pull 2
is 'who has one open reads on' "$(have) $(head -c 4 <&7)" '25 hsqs'
exec 7<&-
older 2 '30 minutes' && older 5 '30 minutes'
pull 3
is 'those of the last hour stay, even if they are too many' "$(have)" 235

# ---- what is no good cache ----------------------------------------------------------------

vitrine_conf "Registry=${REGISTRY[main]} AllowHTTP=yes"
rm -rf "$cache"
ok 'a new one' import "$image"
is 'nobody else may enter it' "$(find "$cache" -type d -perm /077)" ''
for dir in . images locks leases; do
    chmod 777 "$cache/$dir"
    refused "$dir is for everybody" "$cache.*writ" "$image"
    chmod 700 "$cache/$dir"
    chown "$USER2" "$cache/$dir"
    refused "$dir is another's" "$cache" "$image"
    chown "$USER1" "$cache/$dir"
done
ok 'it is well again' import "$image"
chmod 644 "$file" && chown "$USER2" "$file"
refused 'an image of another user' "$(basename "$file")" "$image"
rm "$file"
mkfifo "$file" && chown "$USER1" "$file"
refused 'a FIFO instead of an image' "$(basename "$file")" "$image"
rm -rf "$cache"
ln -s "$T" "$cache"
refused 'a link to what is root'\''s' "$cache" "$image"
rm "$cache"
echo file >"$cache"
refused 'a file' "$cache" "$image"
rm "$cache"
vitrine_conf "Registry=${REGISTRY[main]} AllowHTTP=yes" 'CacheDir=%h/%u/images'
ok 'CacheDir may have the user'\''s name' import "$image"
like 'in it' "$out" "$home/$USER1/images/images/sha256-"

# ---- what has been going on in the background ---------------------------------------------

for name in far slow; do
    wait "${waiters[$name]}"
    report "$name: the one that waits has the image" $? || diagnose "$(cat "$T/$name.err")"
    is "$name: it is whole" "$(unsquashfs -cat "$home/$name/.cache/vitrine/images/sha256-${digest#sha256:}.sqfs" a)" v1
    no_partial "$name" "$home/$name/.cache/vitrine"
done
[ $((SECONDS - waiting_since)) -lt 60 ]
report 'far: within a minute' $?
wait "${owners[slow]}"
report 'slow: the owner has ended well' $? || diagnose "$(cat "$T/slow.owner")"
is 'slow: nobody else pulled' "$(front_log slow | grep 'blobs/' | cut -d' ' -f2 | sort | uniq -d)" ''

done_testing
