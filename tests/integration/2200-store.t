#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache of images when something goes wrong: killed at any point, a full disk of any size,
# a step that is cancelled. And the one that all users share, of which each sees only what
# the registry gives to him.
# timeout: 240
# shellcheck disable=SC2016 # variables of other shells
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
home2=$(getent passwd "$USER2" | cut -d: -f6)
cache=$home/.cache/vitrine
program=$VITRINE_TEST_PREFIX/libexec/vitrine/vitrine-import
account=64999
registry_start main
registry_start private htpasswd=alice:secret storage=main
registry_start other storage=main
front_start front other
printf '%s\n' 'image v1' 'layer gzip' 'file a one' 'layer none' 'file b size=1500000' \
    'layer zstd' 'file c size=700000' | layout "$T/app.oci"
registry_push "oci:$T/app.oci:v1" main/app:v1
digest=$(registry_digest main/app:v1)
file=sha256-${digest#sha256:}.sqfs
allowed=()
for name in main private other front; do
    allowed+=("Registry=${REGISTRY[$name]} AllowHTTP=yes")
done

# program [--after MS WHAT] IMAGE [DIGEST [STEP]]: as USER1; program2: as USER2.
run_program() { # AS HOME [--after MS WHAT] IMAGE [DIGEST [STEP]]
    local as=$1 dir=$2 after=()
    shift 2
    [ "$1" != --after ] || { after=("${@:1:3}") && shift 3; }
    "$as" env "HOME=$dir" ${variable:+"$variable"} timeout 60 "$integration/import-program" "${after[@]}" \
        "$program" "$T/vitrine.conf" "$1" "${2:--}" nobody "$dir" "${3:--}" - quiet
}
program() {
    run_program as_user "$home" "$@"
}
program2() {
    run_program as_user2 "$home2" "$@"
}
variable=''
no_program() {
    ! pgrep -u "$USER1,$USER2" -x vitrine-import >/dev/null
}
# What is not an image with its whole name.
partial() {
    find "$1" -path '*/images/*' ! -name 'sha256-*.sqfs'
}

# ---- killed -------------------------------------------------------------------------------

image=docker://${REGISTRY[main]}/app:v1
vitrine_conf "${allowed[@]}"
for what in KILL TERM INT close orphan; do
    bad=''
    ends=0
    for delay in 1 5 10 15 20 30 40 60 80 120; do
        rm -rf "$cache"
        got=$(program --after "$delay" "$what" "$image" - "$what.$delay" 2>&1)
        [[ $got != ended* ]] || ends=$((ends + 1))
        wait_for 5 no_program || bad+=" $delay ms: it runs on"
        left=$(partial "$cache" 2>/dev/null)
        [ -z "$left" ] || bad+=" $delay ms: $left"
        locks=$(find "$cache/locks" -type f 2>/dev/null)
        # Who is killed cannot remove his locks.
        [ "$what" = KILL ] || [ -z "$locks" ] || bad+=" $delay ms: $locks"
        next=$(program "$image" "$digest" "$what.$delay" 2>&1)
        [[ $next == "ok $digest $cache/images/$file "*hsqs ]] || bad+=" $delay ms: $next"
    done
    is "$what at ten points: nothing is left, the next one has the image" "$bad" ''
    [ "$ends" -gt 2 ]
    report "$what: it hit" $? || diagnose "only $ends of them"
done
is 'nothing is held' "$(find "$cache/locks" -type f)" ''

# ---- a full disk --------------------------------------------------------------------------

mkdir "$T/full"
vitrine_conf "${allowed[@]}" "CacheDir=$T/full/cache"
bad='' full=0 fits=0
for size in 16 32 48 64 96 160 400 800 1200 1600 2000 2400 2800 3600 5000; do
    mount -t tmpfs -o "size=${size}k,uid=$(id -u "$USER1"),mode=700" none "$T/full" || break
    got=$(program "$image" 2>&1)
    case $got in
    "failed "*'no space is left'* | "failed "*'No space left'*)
        full=$((full + 1))
        [ -z "$(find "$T/full/cache/images" "$T/full/cache/locks" -type f)" ] ||
            bad+=" $size KiB: $(find "$T/full" -type f)"
        ;;
    "ok "*) fits=$((fits + 1)) ;;
    *) bad+=" $size KiB: $got" ;;
    esac
    umount "$T/full"
done
is 'full disks: one sentence, nothing is left' "$bad" ''
[ "$full" -gt 6 ] && [ "$fits" -gt 1 ]
report 'some were too small, some were not' $? || diagnose "$full $fits"

mount -t tmpfs -o "size=6000k,uid=$(id -u "$USER1"),mode=700" none "$T/full"
for number in 1 2; do
    printf '%s\n' "image n$number" 'layer none' "file $number size=2200000" | layout "$T/n$number.oci"
    registry_push "oci:$T/n$number.oci:n$number" "main/n:n$number"
    like "image $number fits" "$(program "docker://${REGISTRY[main]}/n:n$number" 2>&1)" '^ok '
done
of=$(registry_digest main/n:n1)
find "$T/full/cache" -name "*${of#sha256:}*" -exec touch -d '3 hours ago' {} +
like 'the third has the place of the one that was not used' "$(program "$image" 2>&1)" '^ok '
is 'of this one alone' "$(find "$T/full/cache/images" -name "*${of#sha256:}*" | wc -l) $(find "$T/full/cache/images" -type f | wc -l)" '0 2'
umount "$T/full"

# ---- one of all users ---------------------------------------------------------------------

shared=$T/shared
install -d -o $account -m 700 "$shared"
install -D -o $account -m 4755 "$program" "$T/bin/vitrine-import"
vitrine_conf "${allowed[@]}" "CacheDir=$shared" "CacheOwner=$account"
guarded=docker://${REGISTRY[private]}/app:v1
login() { # USER HOME
    install -d -o "$1" "$2/.docker"
    printf '{"auths": {"%s": {"auth": "%s"}}}\n' "${REGISTRY[private]}" \
        "$(printf alice:secret | base64)" >"$2/.docker/config.json"
    chown "$1" "$2/.docker/config.json"
    chmod 600 "$2/.docker/config.json"
}
login "$USER1" "$home"
rm -rf "$cache" "$home2/.cache"

like 'a program that is not set-user-ID is told so' "$(program "$guarded" 2>&1)" \
    "^failed .*has to belong to $account"
program=$T/bin/vitrine-import
like 'who may has the image' "$(program "$guarded" 2>&1)" "^ok $digest $shared/images/sha256-.* new [0-9]+ hsqs$"
is 'it is the account'\''s alone' "$(find "$shared/images" -type f -printf '%U %m')" "$account 400"
is 'as all that is there' "$(find "$shared" ! -uid $account -o -perm /077)" ''
fails() { ! "$@" 2>/dev/null; }
ok 'he cannot look into it himself' fails as_user ls "$shared"
registry_forget private
like 'with the digest he has it again' "$(program "$guarded" "$digest" 2>&1)" "^ok .* cached [0-9]+ hsqs$"
is 'without a request' "$(registry_count private .)" 0
for with in '' "$digest"; do
    like "who may not has nothing${with:+, not with the digest}" "$(program2 "$guarded" "$with" 2>&1)" '^failed '
done
ok 'nor is anything told of it' test -z "$(find "$shared/grants/$(id -u "$USER2")" -type f 2>/dev/null)"
# His own registry says that it has it, but it has the manifest only.
front_rules front 'GET blobs/ status 404'
like 'a registry that has only the manifest gives nothing' \
    "$(program2 "docker://${REGISTRY[front]}/app:v1" "$digest" 2>&1)" '^failed '
is 'there is still one image' "$(find "$shared/images" -type f | wc -l)" 1
like 'one that has it all gives its own' \
    "$(program2 "docker://${REGISTRY[other]}/app:v1" "$digest" 2>&1)" '^ok .* new [0-9]+ hsqs$'
is 'beside the other' "$(find "$shared/images" -type f | wc -l)" 2
login "$USER2" "$home2"
registry_forget private
like 'who may from now on has it without a pull' "$(program2 "$guarded" 2>&1)" '^ok .* cached [0-9]+ hsqs$'
is 'the registry was asked' "$(registry_count private 'manifests/.* 200')" 1
is 'for no layer' "$(registry_count private 'blobs/')" 0
# A user can stop his process, or have it wait for ever: the registry's answer does it here.
registry_push "oci:$T/n1.oci:n1" other/held:v1
front_rules front 'GET blobs/ hold 10% times=1'
program "docker://${REGISTRY[front]}/held:v1" >/dev/null 2>&1 &
held=$!
front_wait front '^holding '
like 'nobody waits for the process of another user' \
    "$(program2 "docker://${REGISTRY[front]}/held:v1" 2>&1)" '^ok .* new [0-9]+ hsqs$'
front_go front
wait "$held"
is 'who comes second finds it there' $? 0
front_rules front
variable=http_proxy=http://127.0.0.1:1
find "$shared/grants" -type f -exec touch -d '8 days ago' {} +
like 'a proxy of the environment does not count' "$(program2 "$guarded" "$digest" 2>&1)" '^ok '
variable=''
rm "$home2/.docker/config.json"
find "$shared/grants" -type f -exec touch -d '8 days ago' {} +
like 'what was given once is not given for ever' "$(program2 "$guarded" "$digest" 2>&1)" '^failed '

# Nor does it say what there is that he may not see.
program_conf() {
    as_user2 "$integration/import-program" "$program" "$1" "$guarded" - x x - - quiet 2>&1
}
like 'a vitrine.conf is read with his rights' "$(program_conf "$(find "$shared/images" -type f | head -n 1)")" \
    '^failed .*Permission denied'

like 'a layout goes to his own cache' "$(program "oci:$T/app.oci:v1" 2>&1)" "^ok $digest $cache/images/$file new"
is 'as his own' "$(stat -c %U "$cache/images/$file")" "$USER1"
install -d -m 700 "$T/secret"
cp -r "$T/app.oci" "$T/secret/app.oci"
chown -R $account "$T/secret"
like 'of what the account may read he has nothing' "$(program "oci:$T/secret/app.oci:v1" 2>&1)" '^failed '

got=$(program --after 30 KILL "$guarded" - 77.0 2>&1)
like 'killed: it is as it was' "$(program "$guarded" - 77.0 2>&1)" '^ok '
is 'and nothing is left' "$(partial "$shared")" ''
install -o root -m 4755 "$program" "$T/bin/of-root"
program=$T/bin/of-root
like 'set-user-ID root it does nothing' "$(program "$guarded" 2>&1)" '^failed .*must not be set-user-ID root'

done_testing
