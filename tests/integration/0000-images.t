#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the images that most tests want; tests/run runs this one before all others.
# timeout: 600
. "$(dirname "$0")/lib.sh"

for name in base tiny rpm owners; do
    image=$(make_image $name)
    is "image $name" "$(head -c 4 "$image")" hsqs
    is "$name is root's alone" "$(stat -c '%U %a' "$image" "$(dirname "$image")")" \
        $'root 644\nroot 755'
done
for compressor in gzip lzo lz4 xz zstd; do
    image=$(make_image tiny -comp $compressor)
    like "compressor $compressor" "$(unsquashfs -s "$image")" "Compression $compressor"
done
sif=$(make_image tiny.sif)
is 'SIF' "$(head -c 46 "$sif" | tail -c 14 | tr '\0' ' ')" 'SIF_MAGIC 01 0'
ok 'a SquashFS is in it' unsquashfs -quiet -no-progress -o 36864 -l "$sif"
is 'an untrusted copy' "$(stat -c %U "$(untrusted "$(make_image tiny)")")" "$USER1"
is 'an untrusted directory' "$(stat -c %U "$(untrusted "$(make_image tiny.dir)")/bin/sh")" "$USER1"

done_testing
