#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each kind of image and each compressor shows the very files that were packed, by the way that
# the image deserves (a loop device for a trusted file, a FUSE server for any other), and is
# found under each kind of name.
# timeout: 300
# srun is quiet (-Q), as it also tells when a job or step has had to wait for a moment.
. "$(dirname "$0")/lib.sh"

# Trusted images of this test alone; /var/tmp is no place for such.
own=$VITRINE_TEST_CACHE/0100.$slot
mine=$own/mine # of the user
other_fs=$T/fuse

clean() {
    umount -l "$other_fs" 2>/dev/null
    rm -rf --one-file-system "$own"
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own" "$mine"
home=$(getent passwd "$USER1" | cut -d: -f6)

# ---- what is packed -----------------------------------------------------------------------

# The tree has what an image can have. Text is repetitive and the rest is not, so that blocks
# are stored both compressed and as they are, in fragments and in whole blocks.
tree=$own/tree
cp -a "$(make_tree tiny)" "$tree"
data=$tree/data
mkdir -p "$data"/many "$data"/empty "$data/with space" "$data/deep/$(printf '%0200d' 1)"
seq 200000 >"$data/text"
head -c 700001 /dev/urandom >"$data/noise"
truncate -s 3M "$data/sparse"
seq 9 >>"$data/sparse"
: >"$data/nothing"
for i in $(seq 600); do echo "file $i" >"$data/many/a-longer-name-$i"; done
echo odd >"$data/with space/\"odd\" 'name' \\ \$é"
ln "$data/text" "$data/hard link"
ln -s ../data/text "$data/link"
ln -s /data/many/a-longer-name-1 "$data/absolute"
ln -s nowhere "$data/dangling"
mkfifo "$data/fifo"
mknod "$data/null" c 1 3
for mode in 0400 0444 0555 0640 0755 1777 2755 4755 6711; do
    echo $mode >"$data/mode$mode"
    chmod $mode "$data/mode$mode"
done
for owner in 1:1 0:5 12345:54321 4294967290:77 "$USER1:$USER1"; do
    echo "$owner" >"$data/owner-$owner"
    chown "$owner" "$data/owner-$owner"
done
chown "$USER1" "$data/mode0400" "$data/mode6711"
chmod 4755 "$data/mode4755"
echo secret >"$data/secret"
chmod 600 "$data/secret"
install -d -m 700 "$data/closed"
touch -d '2001-02-03 04:05:06Z' "$data/text" "$data/empty"

# Lists what is in a directory, by whatever stat, find and md5sum there are.
cat >"$T/list" <<'SH'
cd "$1" || exit
export LC_ALL=C TZ=UTC
find . ! -type d -exec stat -c '%n|%F|%a|%u|%g|%s|%h|%Y|%t,%T' {} + 2>/dev/null | sort
find . -type d -exec stat -c '%n|%F|%a|%u|%g|%Y' {} + 2>/dev/null | sort
find . -type f ! -name secret -exec md5sum {} + 2>/dev/null | sort
find . -type l 2>/dev/null | sort | while read -r link; do echo "$link -> $(readlink "$link")"; done
SH

# What serves the image that is at a path: "loop" and "fuse", looked up on the node itself, as
# neither /proc nor /sys are the container's own.
cat >"$T/way" <<'SH'
way=
[ -z "$(grep -sxF -e "$1" /sys/block/loop*/loop/backing_file)" ] || way=loop
cat /proc/[0-9]*/status 2>/dev/null | awk -v uid="$(id -u)" '
    /^Name:/ { name = $2 }
    /^State:/ { state = $2 }
    /^Uid:/ && name == "vitrine-fuse" && state != "Z" && $2 == uid { found = 1 }
    END { exit !found }' && way=$way${way:+,}fuse
echo "way: ${way:-neither}"
SH

cat >"$T/look" <<'SH'
sh "$2/way" "$1"
cat /data/secret 2>/dev/null && echo 'the secret is told'
ls /data/closed 2>/dev/null && echo 'the closed directory is open'
( : >>/data/text ) 2>/dev/null && echo 'the image can be written'
sh "$2/list" /data
SH
setpriv --reuid="$USER1" --regid="$USER1" --clear-groups "$tree/bin/busybox" sh "$T/list" "$data" \
    >"$T/want" 2>/dev/null
report 'the list is one' $(($(wc -l <"$T/want") < 1200))

# shows NAME IMAGE WAY: the whole content, by this way.
shows() {
    try as_user srun -Q --container-image="$2" sh "$T/look" "$2" "$T"
    is "$1: by $3" "$(head -n 1 <<<"$out")" "way: $3"
    [ -z "$err" ] && diff <(tail -n +2 <<<"$out") "$T/want" >"$T/diff"
    report "$1: content" $? || diagnose "$err" "$(head -n 40 "$T/diff")"
}

# way_is NAME IMAGE WAY [SRUN-OPTION]...
way_is() {
    prints "$1" "way: $3" as_user srun -Q --container-image="$2" "${@:4}" sh "$T/way" "$2"
}

# ---- kinds and compressors ----------------------------------------------------------------

for compressor in gzip lzo lz4 xz zstd; do
    image=$own/$compressor.sqfs
    pack "$tree" "$image" -comp $compressor -b 128K
    cp "$image" "$mine/$compressor.sqfs"
done
# The SquashFS lies at an offset that is no multiple of a page.
"$integration/mksif" --align 512 "$own/zstd.sqfs" "$own/image.sif"
cp "$own/image.sif" "$mine/image.sif"
chmod 644 "$own"/*.s*
chown -R "$USER1:" "$mine"
for compressor in gzip lzo lz4 xz zstd; do
    shows "trusted, $compressor" "$own/$compressor.sqfs" loop
    shows "untrusted, $compressor" "$mine/$compressor.sqfs" fuse
done
shows 'trusted SIF' "$own/image.sif" loop
shows 'untrusted SIF' "$mine/image.sif" fuse
shows "root's directory" "$tree" neither
cp -a "$tree" "$mine/tree"
chown "$USER1:" "$mine/tree"
shows "the user's directory" "$mine/tree" neither

# Other shapes of the same tree that mksquashfs can make.
pack "$tree" "$own/raw.sqfs" -noI -noD -noF -noX -b 4K
pack "$tree" "$own/plain.sqfs" -no-fragments -no-exports -no-duplicates -no-sparse -b 1M
for shape in raw plain; do
    cp "$own/$shape.sqfs" "$mine/$shape.sqfs"
    chown "$USER1:" "$mine/$shape.sqfs"
    shows "trusted, $shape" "$own/$shape.sqfs" loop
    shows "untrusted, $shape" "$mine/$shape.sqfs" fuse
done
# The kernel does not read a last part of a sector from a loop device.
pack "$tree" "$own/nopad.sqfs" -nopad
way_is 'trusted, but not of whole sectors' "$own/nopad.sqfs" fuse

# ---- extended attributes ------------------------------------------------------------------

mkdir "$T/attributes"
echo content >"$T/attributes/file"
mkdir "$T/attributes/dir"
if python3 - "$T/attributes" <<'PY'
import os, sys
os.chdir(sys.argv[1])
for path in ("file", "dir"):
    os.setxattr(path, "user.short", b"1")
    os.setxattr(path, "user.long", bytes(range(256)) * 8)
PY
then
    cp "$(make_image base)" "$own/attributes.sqfs"
    mksquashfs "$T/attributes" "$own/attributes.sqfs" -keep-as-directory -no-progress -quiet \
        >"$T/log" 2>&1 || diagnose "$(cat "$T/log")"
    cp "$own/attributes.sqfs" "$mine/attributes.sqfs"
    chown "$USER1:" "$mine/attributes.sqfs"
    cat >"$T/attributes.py" <<'PY'
import os
for path in ("/attributes/file", "/attributes/dir"):
    names = sorted(name for name in os.listxattr(path) if name.startswith("user."))
    print(path, names, os.getxattr(path, "user.short"),
          os.getxattr(path, "user.long") == bytes(range(256)) * 8)
PY
    want="/attributes/file ['user.long', 'user.short'] b'1' True
/attributes/dir ['user.long', 'user.short'] b'1' True"
    prints 'trusted: extended attributes' "$want" \
        as_user srun -Q --container-image="$own/attributes.sqfs" python3 "$T/attributes.py"
    prints 'untrusted: extended attributes' "$want" \
        as_user srun -Q --container-image="$mine/attributes.sqfs" python3 "$T/attributes.py"
else
    skip 'extended attributes' "no such attributes in $T"
fi

# ---- the kind is found from the content ---------------------------------------------------

cp "$own/lz4.sqfs" "$own/x.txt"
cp "$own/image.sif" "$own/y.sqfs"
mkdir "$mine/z.sqfs" # a directory
cp -a "$tree/." "$mine/z.sqfs"
way_is 'a SquashFS file called x.txt' "$own/x.txt" loop
way_is 'a SIF file called y.sqfs' "$own/y.sqfs" loop
way_is 'a directory called z.sqfs' "$mine/z.sqfs" neither

# ---- names --------------------------------------------------------------------------------

# Each image tells its own name by this file.
named_image() {
    echo "$2" >"$tree/name"
    pack "$tree" "$1" -e data
}

submit=$home/project
other=$home/elsewhere
odd_name=$'a \'b\' "c" $d * [e] ;&é%s,:\\'
mkdir -p "$submit/sub" "$other" "$home/dir with spaces"
named_image "$submit/one.sqfs" submit
named_image "$home/top.sqfs" home
named_image "$other/one.sqfs" elsewhere
named_image "$submit/tiny.sqfs" 'before ImageDir'
cp "$submit/one.sqfs" "$home/dir with spaces/with space.sqfs"
cp "$submit/one.sqfs" "$submit/$odd_name"
cp "$submit/one.sqfs" "$submit/-n"
ln -s one.sqfs "$submit/link"
ln -s "$home/project" "$home/linked"
chown -Rh "$USER1:" "$submit" "$other" "$home/dir with spaces" "$home/linked" "$home/top.sqfs"
chmod 755 "$home"

# in_dir DIR CMD...: as the user in a directory.
in_dir() {
    # shellcheck disable=SC2016 # expanded there
    as_user sh -c 'cd "$1" && shift && exec "$@"' sh "$@"
}

named() {
    prints "$1" "$2" in_dir "$3" srun -Q --container-image="$4" "${@:5}" cat /name
}

named 'absolute' submit / "$submit/one.sqfs"
named './relative' submit "$submit" ./one.sqfs
named 'relative with a directory' submit "$home" ./project/one.sqfs
named '../relative' home "$submit/sub" ../../top.sqfs
named 'a bare name' submit "$submit" one.sqfs
named 'a bare name with a directory' submit "$home" project/one.sqfs
named 'the submit directory comes before ImageDir' 'before ImageDir' "$submit" tiny.sqfs
# shellcheck disable=SC2088 # not for the shell
named 'the home directory' submit / '~/project/one.sqfs'
named 'a link to an image' submit "$submit" link
named 'a path through a link' submit / "$home/linked/one.sqfs"
named 'spaces' submit "$home" 'dir with spaces/with space.sqfs'
named 'odd characters' submit "$submit" "$odd_name"
named 'a leading dash' submit "$submit" -n
named '--chdir does not change what is meant' submit "$submit" ./one.sqfs --chdir="$other"
named 'not for a bare name either' submit "$submit" one.sqfs --chdir="$other"
prints 'ImageDir' ID=tiny in_dir "$other" srun -Q --container-image=tiny.sqfs grep ^ID= /etc/os-release
prints 'a bare name is trusted as an absolute one is' 'way: loop' in_dir "$own" \
    srun -Q --container-image=x.txt sh "$T/way" "$own/x.txt"
newline=$home/$'new\nline'
mkdir "$newline" && cp "$submit/one.sqfs" "$newline/one.sqfs" && chown -R "$USER1:" "$newline"
named 'a directory with a newline in its name' submit "$newline" ./one.sqfs

try in_dir "$submit" srun -Q --container-image=one.sqfs --chdir="$other" pwd
is 'and --chdir is the working directory' "$out" "$other"

# A relative name of the job is meant from where sbatch was called, in all of its steps.
cat >"$T/job" <<SH
#!/bin/sh
#SBATCH --container-image=./one.sqfs
cat /name
cd $other
srun -Q cat /name
srun -Q --container-image=./one.sqfs cat /name
cd $home
srun -Q cat /name
SH
chmod 755 "$T/job"
submitted() {
    local output=$home/output.$RANDOM job
    try in_dir "$submit" sbatch --parsable -o "$output" "$@" "$T/job"
    job=$out
    wait_for 30 job_is_over "$job"
    out=$(cat "$output" 2>&1)
}
want=$'submit\nsubmit\nelsewhere\nsubmit'
submitted
is 'a relative name in a job and its steps' "$out" "$want"
submitted --export=NONE
is 'with --export=NONE' "$out" "$want"
submitted --chdir="$home"
is 'with --chdir' "$out" "$want"

# ---- one loop device ----------------------------------------------------------------------

# devices FILE: the loop devices of this very file.
devices() {
    losetup -n -O NAME -j "$1"
}

no_devices() {
    [ -z "$(devices "$1")" ]
}

for image in "$own/gzip.sqfs" "$own/image.sif"; do
    name=$(basename "$image")
    install -d -o "$USER1" "$T/here"
    rm -f "$T"/here/*
    # shellcheck disable=SC2016 # expanded there
    for step in 1 2; do
        as_user srun -Q --container-image="$image" sh -c \
            ': >"$1" && while [ ! -e "$2" ]; do sleep 0.1; done' sh "$T/here/$step" "$T/here/end$step" &
    done
    there() {
        [ -e "$T/here/1" ] && [ -e "$T/here/2" ]
    }
    wait_for 20 there
    is "$name: two steps share one loop device" "$(devices "$image" | wc -l)" 1
    device=$(devices "$image")
    touch "$T/here/end1"
    wait -n
    is "$name: the second step goes on with it" "$(devices "$image")" "$device"
    touch "$T/here/end2"
    wait
    wait_for 5 no_devices "$image"
    report "$name: the loop device is gone afterwards" $? || diagnose "$(losetup -l)"
done

# ---- trust --------------------------------------------------------------------------------

trusted=$own/zstd.sqfs
# A file of root's in a directory with this owner and mode, and with an owner and mode of its own.
placed() {
    rm -rf "$own/placed"
    install -d -o "$1" -m "$2" "$own/placed"
    install -d -m 755 "$own/placed/sub"
    install -o "$3" -m "$4" "$trusted" "$own/placed/sub/image"
    echo "$own/placed/sub/image"
}

way_is 'all is well' "$(placed root 755 root 644)" loop
way_is 'a group may write to a directory above' "$(placed root 775 root 644)" fuse
way_is 'everybody may write to a directory above' "$(placed root 1777 root 644)" fuse
way_is 'the user owns a directory above' "$(placed "$USER1" 755 root 644)" fuse
way_is 'a group may write to the file' "$(placed root 755 root 664)" fuse
way_is 'everybody may write to the file' "$(placed root 755 root 646)" fuse
way_is 'another user owns the file' "$(placed root 755 "$USER2" 644)" fuse
ln -sf "$trusted" "$home/to-trusted"
prints "a link of the user's to a trusted file" 'way: loop' as_user \
    srun -Q --container-image="$home/to-trusted" sh "$T/way" "$trusted"
ln -sf "$mine/zstd.sqfs" "$own/to-mine"
prints "a link of root's to a file of the user's" 'way: fuse' as_user \
    srun -Q --container-image="$own/to-mine" sh "$T/way" "$mine/zstd.sqfs"

# Only for the user's eyes.
chmod 600 "$mine/zstd.sqfs"
chmod 700 "$mine"
way_is 'a file that only the user may read' "$mine/zstd.sqfs" fuse
install -m 640 -g vitrine-a "$trusted" "$own/group.sqfs"
way_is 'a file that only a supplementary group may read' "$own/group.sqfs" loop
chmod 755 "$mine"
chmod 644 "$mine/zstd.sqfs"

# A file system that is closed to root, as a file server with root squash is: FUSE without
# allow_other. The image is the one file in another image.
mkdir "$T/inside" "$other_fs"
cp "$trusted" "$T/inside/image.sqfs"
pack "$T/inside" "$T/outside.sqfs" -noD -no-fragments
exec 3<"$T/outside.sqfs" 4<>/dev/fuse 5>/dev/null
if mount -i -t fuse -o "fd=4,rootmode=40000,user_id=$(id -u "$USER1"),group_id=$(id -g "$USER1")" \
    outside "$other_fs" >"$T/log" 2>&1; then
    (cd / && setpriv --reuid="$USER1" --regid="$USER1" --clear-groups \
        "$VITRINE_TEST_PREFIX/libexec/vitrine/vitrine-fuse" 0) >"$T/log" 2>&1 &
    exec 3<&- 4<&- 5<&-
    ! cat "$other_fs/image.sqfs" >/dev/null 2>&1
    report 'a file system that is closed to root' $?
    way_is 'is open to the user' "$other_fs/image.sqfs" fuse
    umount "$other_fs"
    wait
else
    exec 3<&- 4<&- 5<&-
    skip 'a file system that is closed to root' "cannot mount: $(cat "$T/log")"
fi

# ---- what the administrator says ----------------------------------------------------------

private_cluster -n 1
configure() {
    printf '%s\n' "$@" >"$VITRINE_CLUSTER/vitrine.conf"
}
configure KernelMount=always
way_is "KernelMount=always: the user's file" "$mine/zstd.sqfs" loop
way_is "KernelMount=always: root's file" "$trusted" loop
way_is "KernelMount=always: the user's SIF file" "$mine/image.sif" loop
configure KernelMount=never
way_is "KernelMount=never: the user's file" "$mine/zstd.sqfs" fuse
way_is "KernelMount=never: root's file" "$trusted" fuse
way_is "KernelMount=never: root's directory" "$tree" neither
configure KernelMount=trusted
way_is "KernelMount=trusted: the user's file" "$mine/zstd.sqfs" fuse
way_is "KernelMount=trusted: root's file" "$trusted" loop
configure "TrustedOwner=$USER1"
way_is 'TrustedOwner by name' "$mine/zstd.sqfs" loop
way_is "root is trusted besides" "$trusted" loop
way_is 'nobody else is' "$(placed root 755 "$USER2" 644)" fuse
configure "TrustedOwner=$(id -u "$USER2"),$(id -u "$USER1")"
way_is 'TrustedOwner by number, of a list' "$mine/zstd.sqfs" loop
configure "ImageDir=$submit,$other"
named 'ImageDir is a list' submit / one.sqfs
rm "$submit/one.sqfs"
named 'the next one is searched then' elsewhere / one.sqfs
shared_cluster

done_testing
