#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine import: images of a real registry, of OCI layouts and of archives become what their
# layers say, and the same bytes however they were packed; or there is one clear sentence.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

tiny=$(make_image tiny.dir)
home=$(getent passwd "$USER1" | cut -d: -f6)
cache=$home/.cache/vitrine
registry_start main
main=${REGISTRY[main]}
vitrine_conf "Registry=$main AllowHTTP=yes"

# ---- what is imported ---------------------------------------------------------------------

# Three layers: a system, what is added to it, and what that makes of both.
long=$(printf '%0200d' 0)
cat >"$T/app" <<END
image TAG
config '{"Env": ["PATH=/bin", "GREETING=good day"], "WorkingDir": "/data", "User": "7:9"}'
config '{"Entrypoint": ["/bin/echo", "-n"], "Cmd": ["a", "b c"], "Labels": {"x": "y"}}'
layer KIND
tree $tiny
layer KIND
dir data
file data/read.me 'read me' mode=640 uid=7 gid=9
file data/noise size=300000 mtime=1234567890
hardlink data/again data/noise
symlink data/link ../etc/passwd
fifo data/pipe mode=600
dir data/closed mode=700 uid=5
file data/closed/x x mode=600
dir data/emptied
file data/emptied/a a
file 'data/odd \303\244\377 name' odd
file data/setuid s mode=4755
file data/$long long
layer KIND
whiteout data/read.me
opaque data/emptied
file data/emptied/b b
whiteout root
file root 'a file now'
file etc/os-release ID=changed
END
# The same by hand.
cp -a "$tiny" "$T/want"
(
    set -e
    umask 022
    cd "$T/want"
    rm -r root && printf 'a file now' >root
    rm etc/os-release && printf ID=changed >etc/os-release
    mkdir -p data/emptied data/closed
    cd data
    python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random("data/noise").randbytes(300000))' >noise
    touch -d @1234567890 noise
    ln noise again
    ln -s ../etc/passwd link
    mkfifo -m 600 pipe
    printf x >closed/x
    printf b >emptied/b
    printf odd >$'odd \303\244\377 name'
    printf s >setuid
    printf long >"$long"
    touch -d @1700000000 ../root ../etc/os-release closed/x emptied/b odd* setuid "$long"
    chmod 600 closed/x
    chown 5 closed && chmod 700 closed && chmod 4755 setuid
)
for kind in gzip zstd none; do
    sed "s/TAG/$kind/; s/KIND/$kind/" "$T/app"
done >"$T/apps"
layout "$T/app.oci" <"$T/apps"
for kind in gzip zstd none; do
    registry_push "oci:$T/app.oci:$kind" "main/team/app:$kind"
    try import "docker://$main/team/app:$kind" "$home/$kind.sqfs"
    report "OCI, $kind" "$rc" || show_try
    same_tree "OCI, $kind: has what its layers say" "$home/$kind.sqfs" "$T/want"
done
manifest() { # TAG
    curl -s -H "Accept: application/vnd.oci.image.manifest.v1+json" \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$main/v2/team/app/manifests/$1"
}
is 'the registry has layers of each kind' "$(for kind in gzip zstd none; do
    manifest $kind | grep -oE 'layer\.v1\.tar[+a-z]*' | sort | uniq -c
done | xargs)" '3 layer.v1.tar+gzip 3 layer.v1.tar+zstd 3 layer.v1.tar'
registry_push "oci:$T/app.oci:gzip" main/team/app:v2s2 --format v2s2
like 'and of version 2, schema 2' "$(manifest v2s2)" 'docker.image.rootfs.diff.tar.gzip'
ok 'v2s2' import "docker://$main/team/app:v2s2" "$home/v2s2.sqfs"
same_tree 'v2s2: has what its layers say' "$home/v2s2.sqfs" "$T/want"
for kind in zstd none v2s2; do
    ok "the file of $kind is that of gzip, byte by byte" cmp "$home/gzip.sqfs" "$home/$kind.sqfs"
done
is 'it belongs to the user' "$(stat -c %U "$home/gzip.sqfs")" "$USER1"

info() { # FILE PYTHON-EXPRESSION, of what vitrine info tells of the configuration
    as_user "$vitrine" info --json "$1" |
        python3 -c "import json, sys; c = json.load(sys.stdin)['config']; print($2)"
}
is 'the configuration is in it: variables' "$(info "$home/gzip.sqfs" '[v for v in c["env"] if v[:1] == "G"]')" \
    "['GREETING=good day']"
is 'entry point and command' "$(info "$home/gzip.sqfs" 'c["entrypoint"] + c["cmd"]')" \
    "['/bin/echo', '-n', 'a', 'b c']"
is 'directory and user' "$(info "$home/gzip.sqfs" 'c["workdir"], c["user"]')" '/data 7:9'
is 'records that the plugin reads' \
    "$(unsquashfs -cat "$home/gzip.sqfs" .vitrine/config | tr '\0' '\n' | sort | tr '\n' '|')" \
    'cmd=a|cmd=b c|entrypoint=-n|entrypoint=/bin/echo|env=GREETING=good day|env=PATH=/bin|user=7:9|workdir=/data|'

# ---- the cache ----------------------------------------------------------------------------

digest=$(registry_digest main/team/app:gzip)
cached=$cache/images/sha256-${digest#sha256:}.sqfs
registry_forget main
try import "docker://$main/team/app:gzip"
report 'into the cache' "$rc" || show_try
like 'it says where' "$out" "$cached"
ok 'what is there is the same' cmp "$home/gzip.sqfs" "$cached"
is 'nobody can write to it' "$(stat -c %a "$cached")" 444
registry_forget main
ok 'again, by its tag' import "docker://$main/team/app:gzip"
is 'asks for the manifest, and for no blob' \
    "$(registry_count main manifests/gzip) $(registry_count main blobs/)" '1 0'
registry_forget main
ok 'again, by its digest' import "docker://$main/team/app@$digest"
is 'asks for nothing' "$(registry_log main)" ''
ok 'with another cache' import HOME="$home/other" "docker://$main/team/app@$digest"
is 'each blob is fetched once' "$(registry_log main | grep -c 'GET .*/blobs/.* 20[06]') $(registry_log main |
    awk '/GET .*blobs/ { print $2 }' | sort | uniq -d)" '4 '
ok 'makes the same bytes' cmp "$cached" "$(find "$home/other" -name '*.sqfs')"
no_partial 'the cache' "$cache" "$home/other"
echo old >"$home/x.sqfs" && chown "$USER1:" "$home/x.sqfs"
ok 'a file is replaced' import "docker://$main/team/app:gzip" "$home/x.sqfs"
ok 'by what it should be' cmp "$home/x.sqfs" "$home/gzip.sqfs"

# ---- ways to write it ---------------------------------------------------------------------

registry_push "oci:$T/app.oci:gzip" main/team/app:latest
for reference in "$main/team/app:gzip" "docker://$main#team/app:gzip" "$main#team/app:gzip" \
    "docker://$main/team/app:gzip@$digest" "docker://$main/team/app:nothing@$digest" "docker://$main/team/app"; do
    rm -f "$home/x.sqfs"
    try import "$reference" "$home/x.sqfs"
    [ "$rc" = 0 ] && cmp -s "$home/x.sqfs" "$home/gzip.sqfs"
    report "${reference/$main/HOST}" $? || show_try
done

# ---- platforms ----------------------------------------------------------------------------

{
    echo index multi
    for platform in linux/s390x linux/amd64 linux/arm/v6 linux/arm64/v8 linux/arm/v7 unknown/unknown; do
        printf '%s\n' "part $platform" 'layer zstd' "file arch $platform"
    done
    printf '%s\n' 'image foreign linux/ppc64le' layer 'file arch linux/ppc64le'
} | layout "$T/multi.oci"
registry_push "oci:$T/multi.oci:multi" main/multi:oci
registry_push "oci:$T/multi.oci:foreign" main/multi:foreign
printf '%s\n' 'index multi' 'part linux/amd64' layer 'file arch linux/amd64' \
    'part linux/arm64/v8' layer 'file arch linux/arm64/v8' | layout "$T/list.oci"
registry_push "oci:$T/list.oci:multi" main/multi:list --format v2s2
arch_of() { # [OPTION]... REFERENCE
    rm -f "$home/x.sqfs"
    if import "$@" "$home/x.sqfs" >"$T/.out" 2>&1; then
        unsquashfs -cat "$home/x.sqfs" arch
    else
        cat "$T/.out"
    fi
}
here=$(unsquashfs -cat "$home/gzip.sqfs" .vitrine/config.json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["architecture"])')
is 'of an index, this machine'\''s' "$(arch_of "docker://$main/multi:oci")" "linux/$here$([ "$here" != arm64 ] || echo /v8)"
is 'of a list of manifests' "$(arch_of --platform amd64 "docker://$main/multi:list")" linux/amd64
is 'another platform of it' "$(arch_of --platform arm64 "docker://$main/multi:list")" linux/arm64/v8
is 'a platform' "$(arch_of --platform s390x "docker://$main/multi:oci")" linux/s390x
is 'a variant' "$(arch_of --platform arm/v6 "docker://$main/multi:oci")" linux/arm/v6
is 'another variant' "$(arch_of --platform arm/v7 "docker://$main/multi:oci")" linux/arm/v7
is 'an index by its digest' \
    "$(arch_of --platform s390x "docker://$main/multi@$(registry_digest main/multi:oci)")" linux/s390x
is 'an entry by its digest' \
    "$(arch_of --platform s390x "docker://$main/multi@$(registry_digest main/multi:oci s390x)")" linux/s390x
is 'one image of another platform' "$(arch_of --platform ppc64le "docker://$main/multi:foreign")" linux/ppc64le
refused 'a platform that an index has not' 'riscv64.*s390x' --platform riscv64 "docker://$main/multi:oci"
refused 'an image of another platform' "ppc64le.*$here|$here.*ppc64le" "docker://$main/multi:foreign"
refused 'no platform' 'what/ever/else' --platform what/ever/else "docker://$main/multi:oci"

# ---- layouts and archives -----------------------------------------------------------------

as_user mkdir "$home/work"
cp -r "$T/app.oci" "$home/work/layout" && chown -R "$USER1:" "$home/work"
ok 'an OCI layout' import "oci:$T/app.oci:zstd" "$home/x.sqfs"
ok 'makes the same bytes as a registry' cmp "$home/x.sqfs" "$home/gzip.sqfs"
ok 'its path may be relative' as_user sh -c "cd work && $vitrine import -q oci:layout:none ../relative.sqfs"
ok 'and the file'\''s' cmp "$home/relative.sqfs" "$home/gzip.sqfs"
is 'an index in a layout' "$(arch_of --platform arm/v7 "oci:$T/multi.oci:multi")" linux/arm/v7
is 'a layout with one image needs no tag' "$(arch_of --platform arm64 "oci:$T/list.oci")" linux/arm64/v8
registry_forget main
ok 'it can be cached' import "oci:$T/app.oci:gzip"
like 'where a registry'\''s is: it is the same image' "$out" "$cached"

skopeo copy -q --insecure-policy "oci:$T/app.oci:gzip" "docker-archive:$T/app.tar:team/app:v1" >"$T/.skopeo" 2>&1
chmod 644 "$T/app.tar"
rm -f "$home/x.sqfs"
ok 'an archive of docker save' import "docker-archive:$T/app.tar" "$home/x.sqfs"
same_tree 'has what its layers say' "$home/x.sqfs" "$T/want"
ok 'by its name' import "docker-archive:$T/app.tar:team/app:v1" "$home/y.sqfs"
ok 'the same' cmp "$home/x.sqfs" "$home/y.sqfs"
ok 'into the cache' import "docker-archive:$T/app.tar"
ok 'a file of its own' cmp "$home/x.sqfs" "$out"

refused 'no such layout' "$T/nowhere" "oci:$T/nowhere:v1"
refused 'no such tag in a layout' 'v9.*(gzip|none|zstd)' "oci:$T/app.oci:v9"
refused 'several images and no tag' '(gzip|none|zstd)' "oci:$T/app.oci"
refused 'no such archive' "$T/nowhere.tar" "docker-archive:$T/nowhere.tar"
refused 'no such image in an archive' 'team/app:v[19]' "docker-archive:$T/app.tar:team/app:v9"
head -c 400000 "$T/app.tar" >"$T/cut.tar" && chmod 644 "$T/cut.tar"
refused 'an archive that is cut' "$T/cut.tar" "docker-archive:$T/cut.tar" "$home/no.sqfs"
refused 'a layout is no archive' "$T/app.oci" "docker-archive:$T/app.oci"
refused 'an archive is no layout' "$T/app.tar" "oci:$T/app.tar"
blob=$(python3 -c 'import json, sys
top = sys.argv[1] + "/blobs/sha256/"
digest = [entry["digest"] for entry in json.load(open(sys.argv[1] + "/index.json"))["manifests"]
          if "none" in entry["annotations"].values()][0]
print(top + json.load(open(top + digest[7:]))["layers"][1]["digest"][7:])' "$home/work/layout")
printf x | dd of="$blob" bs=1 seek=5000 conv=notrunc 2>/dev/null
refused 'a layer in a layout that was changed' "$(basename "$blob" | cut -c1-12)" \
    "oci:$home/work/layout:none" "$home/no.sqfs"
truncate -s -1 "$blob"
refused 'that is cut' "$(basename "$blob" | cut -c1-12)" "oci:$home/work/layout:none" "$home/no.sqfs"
rm "$blob"
refused 'that is missing' "$(basename "$blob" | cut -c1-12)" "oci:$home/work/layout:none" "$home/no.sqfs"
chmod 0 "$home/work/layout/index.json"
refused 'a layout that the user may not read' 'Permission denied' "oci:$home/work/layout:gzip"

# ---- errors -------------------------------------------------------------------------------

refused 'no such tag' "v9 of team/app" "docker://$main/team/app:v9"
refused 'no such repository' "team/none" "docker://$main/team/none:v1"
wrong=sha256:$(printf '%064d' 0)
refused 'no such digest' "$wrong" "docker://$main/team/app@$wrong"
refused 'no such host' 'no-such-host.invalid' docker://no-such-host.invalid/app:v1
refused 'nobody listens' 'localhost:1[^0-9]' docker://localhost:1/app:v1
for reference in "docker://" "docker://$main/" "docker://$main/UPPER" "docker://$main/a//b" "docker://$main/app:" \
    "docker://$main/app@sha256:12" "docker://$main/app:a b" "docker://$main/../app" oci: docker-archive:; do
    refused "'${reference/$main/HOST}' is no reference" 'image|reference' "$reference"
done
as_user mkdir "$home/directory"
refused 'a file in no directory' "$home/nowhere" "docker://$main/team/app:gzip" "$home/nowhere/x.sqfs"
refused 'a file where the user may not write' 'Permission denied' "docker://$main/team/app:gzip" "$T/x.sqfs"
refused 'a directory instead of a file' "$home/directory" "docker://$main/team/app:gzip" "$home/directory"
echo 'Registry=' >"$T/wrong.conf"
refused 'a wrong configuration' "$T/wrong.conf" --config "$T/wrong.conf" "docker://$main/team/app:gzip"
no_partial 'all of this' "$cache" "$home/directory"
is 'no file with a temporary name, none of what failed' \
    "$(cd "$home" && find . -name .cache -prune -o \( -name '.*' -o -name 'no.sqfs' \) -type f -print)" ''

done_testing
