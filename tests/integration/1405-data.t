#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-mounts with the flag squashfs: data in SquashFS and SIF files, by the way that each
# deserves, and gone with the step.
# timeout: 300
. "$(dirname "$0")/lib.sh"

tiny=$(make_image tiny) || exit
theirs=$(untrusted "$tiny")
node=${NODES%% *}
home=$(getent passwd "$USER1" | cut -d: -f6)
own=$VITRINE_TEST_CACHE/1405.$slot
clean() {
    rm -rf --one-file-system "$own"
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own"

mkdir -p "$own/tree/sub" "$own/other"
echo one >"$own/tree/file"
seq 50000 >"$own/tree/sub/numbers"
echo two >"$own/other/file"
install -m 4755 "$(command -v busybox)" "$own/tree/busybox"
mknod -m 666 "$own/tree/null" c 1 3
chown 12345:54321 "$own/tree/sub"
pack "$own/tree" "$own/one.sqfs"
pack "$own/other" "$own/two.sqfs" -comp gzip
"$integration/mksif" "$own/one.sqfs" "$own/one.sif"
chmod 644 "$own"/*.s*
cp "$own"/*.s* "$home"
chown "$USER1:" "$home"/*.s*

# in_image IMAGE MOUNTS SCRIPT [SRUN-OPTION]...
in_image() {
    as_user timeout 30 srun -Q -w "$node" --container-image="$1" --container-mounts="$2" \
        "${@:4}" sh -c "$3"
}
shows() { # NAME WANT MOUNTS SCRIPT [SRUN-OPTION]...
    prints "$1" "$2" in_image "${image:-$tiny}" "${@:3}"
}
fails() { # NAME MOUNTS REASON
    try in_image "${image:-$tiny}" "$2" 'echo ran'
    is "$1: fails" "$rc$out" 1
    error_line "$1: is told" "^vitrine: $node: (cannot run image [^ ]+: )?mount '${2##*,}': $3\$"
    [ "${2##*:}" = squashfs ] || return
    try in_image "${image:-$tiny}" "$2+nofail" 'echo ran'
    is "$1, nofail: runs" "$rc $out" '0 ran'
    error_line "$1, nofail: is told" "^vitrine: $node: mount '${2##*,}\\+nofail': $3\$"
    shows "$1, silent" ran "$2+nofail+silent" 'echo ran'
}
devices() { losetup -n -l -O BACK-FILE | grep -c -e "$own" -e "$home"; }
servers() { pgrep -c -r D,R,S -u "$USER1" -x vitrine-fuse; }
nothing_serves() { [ "$(devices)$(servers)" = 00 ]; }
# The numbers of loop devices and of servers while a step has these mounts.
ways_are() { # NAME WANT MOUNTS [SRUN-OPTION]...
    as_user timeout 30 srun -Q -w "$node" --container-image="${image:-$tiny}" \
        --container-mounts="$3" "${@:4}" sh -c ': >started; while [ -e started ]; do usleep 20000; done' &
    wait_for 10 test -e "$home/started"
    is "$1" "$(devices) $(servers)" "$2"
    rm -f "$home/started"
    wait
    wait_for 2 nothing_serves
    report "$1: gone with the step" $?
}

# ---- what is seen -------------------------------------------------------------------------

look='cat /data/file; tail -n 1 /data/sub/numbers; stat -c "%u %g" /data/sub'
seen=$'one\n50000\n12345 54321'
for file in "$own/one.sqfs" "$own/one.sif" "$home/one.sqfs" "$home/one.sif"; do
    kind="${file##*.} of $(stat -c %U "$file")"
    shows "$kind" "$seen" "$file:/data:squashfs" "$look"
    shows "$kind: read-only, nosuid, nodev" 'ro nosuid nodev 1 1' "$file:/data:squashfs" \
        'echo $(awk "\$5 == \"/data\" { print \$6 }" /proc/self/mountinfo | tr , "\n" | grep -E "^(ro|no(suid|dev))\$") $( (: >/data/new) 2>/dev/null; echo $?) $( (: >/data/null) 2>/dev/null; echo $?)'
    shows "$kind: noexec" 126 "$file:/data:squashfs+noexec" '/data/busybox true 2>/dev/null; echo $?'
    shows "$kind: exec" 0 "$file:/data:ro+squashfs+exec" '/data/busybox true; echo $?'
done
shows 'CSCS call it sqsh' one "$own/one.sqfs:/data:sqsh" 'cat /data/file'
shows 'a bare name' one one.sqfs:/data:squashfs 'cat /data/file'
install -d -o "$USER1" "$home/sub"
shows 'a relative name' two ../two.sqfs:/data:squashfs 'cat /data/file' -D "$home/sub"
# shellcheck disable=SC2088 # as it stands
shows 'in the home directory' one '~/one.sqfs:/data:squashfs' 'cat /data/file'
shows 'several' $'one\ntwo\none' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs,one.sif:/3:squashfs" \
    'cat /1/file /2/file /3/file'
shows 'one in another' $'one\ntwo' "$own/one.sqfs:/1:squashfs,two.sqfs:/1/sub:squashfs" 'cat /1/file /1/sub/file'
shows 'the same at two places' $'one\none' "$own/one.sqfs:/1:squashfs,$own/one.sqfs:/2:squashfs" 'cat /1/file /2/file'
shows 'over what the image has' one "$own/one.sqfs:/etc:squashfs" 'cat /etc/file; ls /etc/passwd 2>/dev/null; true'
shows 'over the home directory' one "$own/one.sqfs:$home:squashfs" 'cat file' -D "$home"
shows 'below what the host shows' one "$own/one.sqfs:$home/made:squashfs" "cat $home/made/file"
shows 'taken away again' 0 "$own/one.sqfs:/data:squashfs,umount:/data" 'ls /data | wc -l'
shows 'many' 24 "$(for i in $(seq 24); do printf '%s,' "one.sqfs:/d/$i:squashfs"; done | sed 's/,$//')" \
    'cat /d/*/file | grep -c one'
try_batch -w "$node" -D "$home" --container-image="$tiny" --container-mounts=one.sqfs:/data:squashfs <<'SH'
#!/bin/sh
cat /data/file
srun -Q cat /data/file
SH
is 'in a job and its steps' "$out" $'one\none'
for image in "$theirs" "$(make_tree tiny)"; do
    kind=$(stat -c '%F of %U' "$image")
    shows "image $kind" $'one\ntwo' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs" 'cat /1/file /2/file'
    shows "image $kind: writable" $'one\ntwo' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs" \
        'cat /1/file /2/file' --container-writable=task
done
image=''
for file in "$own/one.sqfs" "$home/one.sqfs"; do
    shows "fake root: $(stat -c %U "$file")'s" $'one\n0 0' "$file:/data:squashfs" \
        'cat /data/file; stat -c "%u %g" /data/file' --container-remap-root
done

# Named, and started beside itself, also as a fake root.
as_user salloc -Q --no-shell -w "$node" -J data
job=$(as_user squeue -h -n data -t R -o %A)
kept() {
    as_user timeout 30 srun -Q --overlap --jobid="$job" --container-name="$1" "${@:2}"
}
for who in no- ''; do
    name=kept$who
    kept "$name" --container-image="$tiny" --"${who}container-remap-root" \
        --container-mounts="one.sqfs:/data:squashfs" \
        sh -c ': >/here; while [ -e /here ]; do usleep 20000; done' &
    joined() {
        kept "$name:exec" test -e /here >/dev/null 2>&1
    }
    wait_for 10 joined
    prints "named, ${who}remap-root: joined" one kept "$name" cat /data/file
    uid=0
    [ -z "$who" ] || uid=$(stat -c %u "$home/two.sqfs")
    uid=0
    for file in "$own/two.sqfs" "$home/two.sqfs"; do
        prints "named, ${who}remap-root: beside it, $(stat -c %U "$file")'s" "two $uid" \
            kept "$name:no_exec" --container-mounts="$file:/data:squashfs" \
            sh -c 'echo $(cat /data/file) $(stat -c %u /data/file)'
    done
    ok 'let it end' kept "$name" rm /here
    wait
done
as_user scancel "$job"
wait_for 10 job_is_over "$job"

# ---- by what way --------------------------------------------------------------------------

ways_are 'trusted: by the kernel' '1 0' "$own/one.sqfs:/data:squashfs"
ways_are 'trusted, SIF' '1 0' "$own/one.sif:/data:squashfs"
ways_are "the user's: by FUSE" '0 1' "one.sqfs:/data:squashfs"
ways_are 'both' '1 1' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs"
ways_are 'several' '2 2' \
    "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs,$own/two.sqfs:/3:squashfs,one.sqfs:/4:squashfs"
ways_are 'for two tasks' '1 1' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs" -n 2
ways_are 'taken away: nothing is kept' '0 0' "$own/one.sqfs:/1:squashfs,umount:/1,two.sqfs:/2:squashfs,umount:/2"
image=$theirs
ways_are 'beside an image by FUSE' '1 2' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs"
image=''

# ---- what is no data ----------------------------------------------------------------------

head -c 3000 "$own/one.sqfs" >"$home/short.sqfs"
head -c 90000 /dev/urandom >"$home/noise"
: >"$home/empty"
python3 - "$own/one.sqfs" "$home/damaged.sqfs" "$own/damaged.sqfs" <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
for at in range(struct.unpack_from("<Q", data, 64)[0] + 2, len(data)):
    data[at] ^= 0x5a
for path in sys.argv[2:]:
    open(path, "wb").write(data)
PY
install -m 600 "$own/one.sqfs" "$own/closed.sqfs"
mkfifo "$home/fifo"
chown "$USER1:" "$home"/*
chmod 644 "$own/damaged.sqfs"
fails 'missing' missing.sqfs:/data:squashfs "$home/missing.sqfs does not exist on this node"
fails 'missing, of several' "$own/one.sqfs:/1:squashfs,./missing:/data:squashfs" "$home/./missing does not exist on this node"
fails 'below a file' one.sqfs/x:/data:squashfs "$home/one.sqfs/x does not exist on this node"
fails 'a directory' "$home/sub:/data:squashfs" "$home/sub is a directory, and not a SquashFS or SIF file"
fails 'truncated' short.sqfs:/data:squashfs "cannot use image $home/short.sqfs: it is truncated: .*"
fails 'noise' noise:/data:squashfs "cannot use image $home/noise: .*"
fails 'empty' empty:/data:squashfs "cannot use image $home/empty: .*"
fails 'text' /etc/passwd:/data:squashfs 'cannot use image /etc/passwd: it is a text file.*'
fails 'a pipe' fifo:/data:squashfs "cannot use image $home/fifo: .*"
fails 'a device' /dev/null:/data:squashfs '.*'
fails 'not for the user' "$own/closed.sqfs:/data:squashfs" "cannot open $own/closed.sqfs: Permission denied"
fails "damaged, the user's" damaged.sqfs:/data:squashfs \
    "cannot use $home/damaged.sqfs: cannot serve the image: .*"
fails "damaged, root's" "$own/damaged.sqfs:/data:squashfs" \
    "cannot use $own/damaged.sqfs: cannot serve the image: .*"
fails 'a file for a target' "$own/one.sqfs:/etc/passwd:squashfs" \
    'it is a directory, but in the container /etc/passwd is a file'
nothing_serves
report 'nothing serves what failed' $? || diagnose "$(devices) $(servers)"

# ---- a server that dies -------------------------------------------------------------------

# dies WORDS MOUNTS: a step whose servers are killed.
dies() {
    as_user timeout 30 srun -Q -w "$node" --container-image="${image:-$tiny}" --container-mounts="$2" \
        sh -c ': >started; while [ -e started ]; do usleep 20000; done; cat /data/file || exit 7' \
        >"$T/out" 2>&1 &
    wait_for 10 test -e "$home/started"
    sleep 0.2
    pkill -KILL -u "$USER1" -x vitrine-fuse
    rm -f "$home/started"
    wait $!
    is 'a task that reads on fails' $? 7
    like 'because of that' "$(cat "$T/out")" "^cat: .*/data/file.*: (Transport endpoint is not connected|Software caused connection abort)"
    like 'and it is told' "$(cat "$T/out")" "vitrine: $node: $1"
}
dies 'the server of what --container-mounts has from SquashFS files ended before the step did' \
    one.sqfs:/data:squashfs,two.sqfs:/2:squashfs

# ---- what the administrator says ----------------------------------------------------------

private_cluster -n 1
node=$NODES
echo KernelMount=always >"$VITRINE_CLUSTER/vitrine.conf"
ways_are 'KernelMount=always' '2 0' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs"
echo KernelMount=never >"$VITRINE_CLUSTER/vitrine.conf"
ways_are 'KernelMount=never' '0 3' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs"
echo KernelMount=trusted >"$VITRINE_CLUSTER/vitrine.conf"
ways_are 'KernelMount=trusted' '1 1' "$own/one.sqfs:/1:squashfs,two.sqfs:/2:squashfs"
printf '%s\n' KernelMount=trusted "TrustedOwner=$USER1" >"$VITRINE_CLUSTER/vitrine.conf"
install -d -o "$USER1" "$own/of-user"
install -o "$USER1" -m 644 "$own/two.sqfs" "$own/of-user/two.sqfs"
ways_are 'an owner whom the administrator trusts' '2 0' \
    "$own/one.sqfs:/1:squashfs,$own/of-user/two.sqfs:/2:squashfs"
shared_cluster

done_testing
