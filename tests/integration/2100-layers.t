#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# Layers of all odd kinds become what umoci makes of them, entry by entry, or an error where it
# fails; likewise random ones, for which VITRINE_TEST_SEED and VITRINE_TEST_LAYERS are set by
# hand for more.
. "$(dirname "$0")/lib.sh"

seed=${VITRINE_TEST_SEED:-1} number=${VITRINE_TEST_LAYERS:-60}
flavour=''
[ "${SLURM_PREFIX:-/usr}" = /usr ] || flavour=-$(basename "$SLURM_PREFIX")
builder=${VITRINE_TEST_BUILDER:-$top/build/tests$flavour/tests/build-layers}
image=$T/image.sqfs

# build LAYOUT TAG: our image of it.
build() {
    # Of a new file, as a loop device that goes late still knows what the old one had.
    rm -f "$image"
    mapfile -t layers <"$1/$2.layers"
    "$builder" "$image" "${layers[@]}" >"$T/our.log" 2>&1
}

# same DIRECTORY: our image is what is there.
same() {
    local rc
    mkdir -p "$T/mnt"
    mount -t squashfs -o loop,ro "$image" "$T/mnt" || return
    "$integration/cmptrees" "$1" "$T/mnt"
    rc=$?
    umount "$T/mnt"
    return "$rc"
}

# agree LAYOUT TAG: with umoci.
agree() {
    local theirs=0 ours=0
    rm -rf "$T/bundle"
    umoci unpack --image "$1:$2" "$T/bundle" >"$T/umoci.log" 2>&1 || theirs=1
    build "$1" "$2" || ours=1
    if [ "$theirs" != "$ours" ]; then
        cat "$T/umoci.log" "$T/our.log"
        return 1
    fi
    [ "$ours" = 1 ] || same "$T/bundle/rootfs"
}

ok 'the program that builds images is there' test -x "$builder"
ok 'layouts are made' "$integration/mklayers" "$T/fixed"
ok 'random ones are made' "$integration/mklayers" "$T/random" "$seed" "$number"

for list in "$T"/fixed/*.layers; do
    tag=$(basename "$list" .layers)
    # GNU's old sparse files are none of umoci's.
    [ "$tag" = sparse-gnu ] || ok "as umoci does it: $tag" agree "$T/fixed" "$tag"
done

rm -rf "$T/bundle"
ok 'umoci unpacks sparse files of version 1.0' \
    umoci unpack --image "$T/fixed:sparse-1.0" "$T/bundle"
ok 'an image of old sparse files is made' build "$T/fixed" sparse-gnu
ok 'they are the same' same "$T/bundle/rootfs"

for list in "$T"/random/*.layers; do
    agree "$T/random" "$(basename "$list" .layers)" >"$T/log" || {
        report "random layers as umoci does it: $(basename "$list" .layers)" 1
        diagnose "$(cat "$T/log")"
    }
done
report "$number random images are done" 0

for tag in wrong-cut wrong-hard wrong-name wrong-noise; do
    build "$T/fixed" "$tag"
    ok "one line says what is wrong: $tag" \
        grep -q '^build-layers: layer [0-9]*: .*' "$T/our.log"
done

done_testing
