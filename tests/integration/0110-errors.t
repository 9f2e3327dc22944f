#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes wrong is told in one line with the node, the image and the reason; srun ends at once
# with exit code 1, nothing runs on the host instead, and the nodes stay in service.
# timeout: 300
# srun is quiet (-Q), as it also tells when a job or step has had to wait for a moment.
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/0110.$slot # of root, so trusted
clean() {
    rm -rf --one-file-system "$own"
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own"
home=$(getent passwd "$USER1" | cut -d: -f6)
tiny=$(make_image tiny)
node=${NODES%% *}

# A text as a regular expression for a whole line.
whole_line() {
    printf '%s\n' "$1" | sed -E 's/[][\.*^$+?(){}|]/\\&/g; s/.*/^&$/'
}

# quick NAME CODE CMD...: the command ends at once, with this code and no word on stdout.
quick() {
    local begin=${EPOCHREALTIME/[.,]/}
    try "${@:3}"
    [ "$rc" = "$2" ] && [ -z "$out" ] && [ $((${EPOCHREALTIME/[.,]/} - begin)) -lt 10000000 ]
    report "$1" $? || { diagnose "wanted exit code $2 and no output, in 10 s" && show_try; }
}

# fails NAME MESSAGE IMAGE [SRUN-OPTION]...: a step in this image.
fails() {
    quick "$1: fails at once" 1 \
        as_user timeout 30 srun -Q -w "$node" --container-image="$3" "${@:4}" echo ran
    error_line "$1: one line" "$(whole_line "vitrine: $node: $2")"
}

# refuses NAME MESSAGE IMAGE [CMD]...: srun, sbatch or salloc themselves do, before anything is
# allocated. What they add, and their exit code, are Slurm's own for a bad option.
refuses() {
    try as_user timeout 30 "${@:4}" --container-image="$3" "$T/job"
    [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ -z "$out" ]
    report "$1: refused" $? || show_try
    grep -v '^$' <<<"$err" | head -n 1 >"$T/first"
    is "$1: the reason" "$(cat "$T/first")" "vitrine: --container-image: $2"
    is "$1: and no more than Slurm says" \
        "$(tail -n +2 <<<"$err" | grep -cv -e 'error: Invalid --container-image argument: ')" \
        "${extra_lines:-0}"
}

# ---- no such image ------------------------------------------------------------------------

where='check the path, and that this node has its file system mounted'
fails 'no such file' "cannot find image /no/such.sqfs: no such file or directory; $where" \
    /no/such.sqfs
fails 'below a file' "cannot find image /etc/passwd/x: no such file or directory; $where" \
    /etc/passwd/x
ln -s nowhere "$home/dangling"
fails 'a link to nothing' \
    "cannot find image $home/dangling: no such file or directory; $where" "$home/dangling"
# shellcheck disable=SC2088 # not for the shell
fails 'not in the home directory' "cannot find image ~/nope: no such file or directory; $where" \
    '~/nope'
fails 'no such relative file' \
    "cannot find image ./nope: no such file or directory in $home; check the name" ./nope
fails 'no such bare name' \
    "cannot find image nope: no such file or directory in $home, $IMAGES; check the name" nope
ln -s circle "$home/circle"
fails 'links in a circle' \
    "cannot open image $home/circle: Too many levels of symbolic links" "$home/circle"
long=/$(printf '%04095d' 1)
try as_user srun -Q -w "$node" --container-image="$long" echo ran
is 'a path of 4096 bytes: exit code' "$rc$out" 1
like 'a path of 4096 bytes: the reason' "$err" "^vitrine: $node: cannot open image /0000*"
unlike 'a path of 4096 bytes: not to be looked for' "$err" ran

# ---- no permission ------------------------------------------------------------------------

access='permission denied; you need read access to it and search access to the directories above it'
install -m 600 "$tiny" "$own/secret.sqfs"
fails 'no permission for the file' "cannot open image $own/secret.sqfs: $access" "$own/secret.sqfs"
install -d -m 700 "$own/closed"
cp "$tiny" "$own/closed/image.sqfs"
fails 'no permission for a directory above' "cannot open image $own/closed/image.sqfs: $access" \
    "$own/closed/image.sqfs"
fails 'no permission for a directory as an image' "cannot open image $own/closed: $access" \
    "$own/closed"
as_user2 mkdir -m 700 other
as_user2 cp "$tiny" other/image.sqfs
other=$(getent passwd "$USER2" | cut -d: -f6)/other/image.sqfs
fails "another user's file" "cannot open image $other: $access" "$other"

# ---- not an image -------------------------------------------------------------------------

hint='not an image: Vitrine runs SquashFS files, SIF files and directories'
not_image() {
    fails "$1" "cannot use image $2: it is $1, $hint" "$2"
}
cd "$home" || exit
echo hello >text
printf '#!/bin/sh\ntrue\n' >script
: >nothing
truncate -s 100000 zeros
printf '\1\2\3\4\5' >noise
tar -cf archive.tar text script
echo '[]' >manifest.json
tar -cf docker.tar text manifest.json
gzip -c archive.tar >archive.tar.gz
zstd -q archive.tar -o archive.tar.zst 2>/dev/null
mkfifo fifo
mkdir layout
echo '{"imageLayoutVersion": "1.0.0"}' >layout/oci-layout
echo '{}' >layout/index.json
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
chown -R "$USER1:" .
not_image 'an ELF program' "$(realpath /usr/bin/env)"
not_image 'a text file' "$home/text"
not_image 'a shell script' "$home/script"
not_image 'an empty file' "$home/nothing"
not_image 'filled with zeros where it begins, perhaps a copy that did not finish' "$home/zeros"
not_image 'nothing that is known' "$home/noise"
not_image 'a tar archive' "$home/archive.tar"
not_image 'a docker archive' "$home/docker.tar"
not_image 'a gzip-compressed archive' "$home/archive.tar.gz"
not_image 'a FIFO' "$home/fifo"
not_image 'a character device' /dev/null
not_image 'an OCI layout, whose layers must be unpacked first' "$home/layout"
fails 'a socket' "cannot open image $home/socket: No such device or address" "$home/socket"

# ---- damaged SquashFS ---------------------------------------------------------------------

# damage FILE OFFSET PACK-TEMPLATE VALUE...: overwrites bytes, as Perl's pack() makes them.
damage() {
    perl -e 'my ($file, $offset, $template, @value) = @ARGV;
        open(my $f, "+<:raw", $file) or die "$file: $!\n";
        seek($f, $offset, 0) && print {$f} pack($template, @value) or die "$file: $!\n";' "$@"
}

# number FILE OFFSET: the 64-bit number there.
number() {
    od -An -t u8 -j "$2" -N 8 "$1" | tr -d ' '
}

# copy NAME: a fresh copy of the image, the user's own.
copy() {
    install -o "$USER1" "$tiny" "$home/$1"
    image=$home/$1
}

# For the offsets see struct squashfs_super_block in fs/squashfs/squashfs_fs.h of Linux.
used=$(number "$tiny" 40)
copy half.sqfs
truncate -s 100000 "$image"
fails 'truncated' "cannot use image $image: it is truncated: the SquashFS file system needs $used bytes, the file has 100000; copy it again" "$image"
copy stub.sqfs
truncate -s 50 "$image"
fails 'truncated in the superblock' "cannot use image $image: it is truncated within the first 96 bytes of its SquashFS file system; copy it again" "$image"
copy compressor.sqfs
damage "$image" 20 S 9
fails 'unknown compressor' "cannot use image $image: it has the unknown compressor 9; it is damaged or too new" "$image"
damage "$image" 20 S 2
fails 'compressor lzma' "cannot use image $image: it is compressed with lzma, which Linux cannot read; make it again with mksquashfs -comp zstd" "$image"
copy version.sqfs
damage "$image" 28 SS 3 1
fails 'old version' "cannot use image $image: it is written by SquashFS 3.x, which Linux no longer reads; make it again with mksquashfs 4" "$image"
damage "$image" 28 SS 5 0
fails 'future version' "cannot use image $image: its SquashFS version is 5.0, and only 4.0 is known; it is damaged or too new" "$image"
copy super.sqfs
damage "$image" 12 L 12345
fails 'impossible block size' "cannot use image $image: it is damaged: its block size is 12345 (logarithm 17); copy it again" "$image"
copy super.sqfs
damage "$image" 72 Q "$((1 << 40))"
fails 'a table outside' "cannot use image $image: it is damaged: its directory table is out of place; copy it again" "$image"
cp "$image" "$own/super.sqfs"
chmod 644 "$own/super.sqfs"
fails 'the same in a trusted image' "cannot use image $own/super.sqfs: it is damaged: its directory table is out of place; copy it again" "$own/super.sqfs"
copy super.sqfs
damage "$image" 32 Q "$((1 << 40))"
fails 'the root outside' "cannot use image $image: it is damaged: its root directory is out of place; copy it again" "$image"

# What is not seen until the FUSE server reads it.
copy ids.sqfs
damage "$image" "$(number "$image" 48)" Q "$((used - 1))"
quick 'damaged owner table: fails at once' 1 \
    as_user timeout 30 srun -Q -w "$node" --container-image="$image" echo ran
error_line 'damaged owner table: one line, which names the image' \
    "^vitrine: $node: cannot (use|mount|run) image $image: .*cannot read its tables: Input/output error$"

# Whole tables of noise, and noise all over: an error of the server, or EIO and its like for the
# command; never a hang, and never the command.
damaged() {
    try as_user timeout 10 srun -Q -w "$node" --container-image="$2" \
        sh -c 'cat /etc/os-release >/dev/null && echo ran'
    [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ -z "$out" ] && [ -n "$err" ]
    report "$1: ends with an error" $? || show_try
}
noise() {
    perl -e 'my ($file, $offset, $count, $seed) = @ARGV;
        srand($seed);
        open(my $f, "+<:raw", $file) or die "$file: $!\n";
        seek($f, $offset, 0) && print {$f} pack("C*", map { int(rand(256)) } 1 .. $count)
            or die "$file: $!\n";' "$@"
}
for table in inode:64 directory:72 fragment:80; do
    copy "${table%:*}.sqfs"
    noise "$image" "$(number "$image" "${table#*:}")" 200 1
    damaged "noise in the ${table%:*} table" "$image"
    install -m 644 "$image" "$own/table.sqfs"
    damaged "noise in the ${table%:*} table, trusted" "$own/table.sqfs"
done
copy metadata.sqfs
start=$(number "$image" 64)
noise "$image" "$start" "$((used - start))" 2
damaged 'noise in all tables' "$image"
copy data.sqfs
noise "$image" 96 "$((start - 96))" 3
damaged 'noise in all data' "$image"
install -m 644 "$image" "$own/data.sqfs"
damaged 'noise in all data, trusted' "$own/data.sqfs"

# ---- SIF ----------------------------------------------------------------------------------

sif() {
    "$integration/mksif" "${@:2}" "$tiny" "$home/$1"
    chown "$USER1:" "$home/$1"
    image=$home/$1
}
here=$(uname -m)
case $here in
x86_64) foreign=aarch64 foreign_sif=04 foreign_elf=183 ;;
*) foreign=x86_64 foreign_sif=02 foreign_elf=62 ;;
esac
sif encrypted.sif --fstype 5
fails 'encrypted SIF' "cannot use image $image: it is encrypted; decrypt it with apptainer first (apptainer build --sandbox DIRECTORY IMAGE)" "$image"
sif data.sif --parttype 3
fails 'SIF without a system' "cannot use image $image: its SIF file has no primary system partition" "$image"
sif ext3.sif --fstype 2
fails 'SIF with ext3' "cannot use image $image: its SIF file holds an ext3 file system; build it again with apptainer, which uses SquashFS" "$image"
sif short.sif
truncate -s 200000 "$image"
like 'truncated SIF: the test' "$(stat -c %s "$image")" '^200000$'
quick 'truncated SIF: fails at once' 1 \
    as_user timeout 30 srun -Q -w "$node" --container-image="$image" echo ran
error_line 'truncated SIF: one line' \
    "^vitrine: $node: cannot use image $image: it is truncated: its system partition ends at [0-9]+, the file has 200000 bytes; copy it again$"
sif foreign.sif --arch $foreign_sif
fails 'SIF of another architecture' "cannot use image $image: it is built for $foreign, this node is $here" "$image"

# ---- what is inside -----------------------------------------------------------------------

cp -a "$(make_tree tiny)" "$own/tree"
damage "$own/tree/bin/busybox" 18 S $foreign_elf
pack "$own/tree" "$own/foreign.sqfs"
fails 'programs of another architecture' "cannot use image $own/foreign.sqfs: it is built for $foreign, this node is $here" "$own/foreign.sqfs"
fails 'the same in a directory' "cannot use image $own/tree: it is built for $foreign, this node is $here" "$own/tree"
cp "$(make_tree tiny)/bin/busybox" "$own/tree/bin/busybox"
rmdir "$own/tree/proc"
: >"$own/tree/proc"
pack "$own/tree" "$own/proc.sqfs"
fails 'a file at /proc' "cannot make a mount point for the host's /proc in image $own/proc.sqfs: Not a directory" "$own/proc.sqfs"
rm "$own/tree/proc"
: >"$own/tree/$(cut -d/ -f2 <<<"$home")"
pack "$own/tree" "$own/home.sqfs"
fails 'a file above the home directory' "cannot make a mount point for the host's $home in image $own/home.sqfs: Not a directory" "$own/home.sqfs"
rm -rf "$own/tree"
mkdir "$own/tree"
quick 'an empty directory: fails' 2 as_user timeout 30 srun -Q -w "$node" --container-image="$own/tree" no-such-command
like 'an empty directory: by its missing command' "$err" 'no-such-command: No such file or directory'

# ---- values that are refused when they are given ------------------------------------------

printf '#!/bin/sh\necho ran\n' >"$T/job"
chmod 755 "$T" "$T/job"
for command in srun sbatch salloc; do
    refuses "docker:// ($command)" "image docker://Ubuntu: the repository 'Ubuntu' has letters in upper case; registries know lower case only" \
        docker://Ubuntu "$command"
done
refuses 'an enroot reference' "image nvcr.io#nvidia/pytorch:: the tag behind ':' is empty" \
    'nvcr.io#nvidia/pytorch:' srun
refuses 'https://' 'images cannot be taken from https://; give a file or a directory, not https://x/y.sif' \
    https://x/y.sif srun
refuses 'file://' 'write the path of the image without file://, not file:///x' file:///x srun
refuses 'too long' 'the value is longer than 4096 bytes' "/$(printf '%04096d' 1)" srun
refuses 'far too long' 'the value is longer than 4096 bytes' "/$(printf '%0100000d' 1)" srun
refuses 'empty' 'the value is empty; give an image, or none' '' srun
refuses 'an escape sequence' 'the value has a control character in it: /a?[31mb' $'/a\e[31mb' srun
extra_lines=1 refuses 'a newline' 'the value has a control character in it: /a?vitrine: n1: forged' \
    $'/a\nvitrine: n1: forged' srun
for name in nvcr.io/nvidia/pytorch:24.05-py3 ubuntu:22.04 localhost:5000/x; do
    fails "$name" "cannot find image $name: it is not a file in $home, $IMAGES; an image in a registry needs docker:// before its name" $name
done

# ---- more tasks, batch jobs ---------------------------------------------------------------

message="cannot find image /no/such.sqfs: no such file or directory; $where"
fails 'eight tasks tell once' "$message" /no/such.sqfs -n 8
quick 'two nodes: fails at once' 1 as_user timeout 30 srun -Q -N2 -n 8 --container-image=/no/such.sqfs echo ran
error_line 'two nodes: each tells once' \
    "$(whole_line "vitrine: NODE: $message" | sed "s/NODE/(${NODES// /|})/")" 2
is 'two nodes: they differ' "$(grep '^vitrine: ' <<<"$err" | sort -u | wc -l)" 2

try_batch --container-image=/no/such.sqfs -w "$node" <<'SH'
#!/bin/sh
echo ran
SH
is 'a batch job fails with exit code 1' "$rc $state" '1 FAILED'
like 'its output tells why' "$out" "^vitrine: $node: $message"
is 'and has no other line' "$(grep -vc -e 'error: .*task_init.* failed' -e 'Failed to invoke spank' <<<"$out")" 1
try_batch --export=NONE --container-image=/no/such.sqfs <<'SH'
#!/bin/sh
echo ran
SH
is 'with --export=NONE, too' "$rc $state" '1 FAILED'
like 'with the same line' "$out" "cannot find image /no/such.sqfs"
unlike 'and nothing ran' "$out" ran

# A step that fails is not the end of its job.
try_batch -N2 <<SH
#!/bin/sh
srun -N2 --container-image=/no/such.sqfs sleep 60
echo "first \$?"
srun -N2 --container-image=$tiny true
echo "second \$?"
SH
is 'a failed step in a batch job' "$rc $state $(grep -E '^(first|second) ' <<<"$out" | paste -sd' ')" \
    '0 COMPLETED first 1 second 0'

report 'all nodes are in service' "$(nodes_in_trouble | wc -l)"

# ---- nodes that lack something ------------------------------------------------------------

private_cluster -n 6
# shellcheck disable=SC2086 # words
set -- $NODES
good=$1 hidden=$2 no_server=$3 no_fuse=$4 old=$5 misled=$6
conf=$VITRINE_CLUSTER/vitrine.conf

# again NODE COMMANDS [ENV]...: starts a node's slurmd again, in a mount namespace of its own in
# which these shell commands have been run.
again() {
    local pid
    pid=$(cat "$VITRINE_CLUSTER/slurmd.$1.pid")
    kill "$pid"
    wait_for 10 is_gone "$pid"
    # shellcheck disable=SC2016 # expanded there
    as_root env "${@:3}" unshare -m sh -ec "$2"'
        exec "$@"' sh "$SLURM_PREFIX/sbin/slurmd" -N "$1" 2>"$T/slurmd.$1" ||
        diagnose "slurmd of $1: $(cat "$T/slurmd.$1")"
}
is_gone() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

libexec=$VITRINE_TEST_PREFIX/libexec/vitrine
again "$hidden" "mount -t tmpfs none $IMAGES"
echo Nonsense=1 >"$T/nonsense.conf"
again "$misled" "mount --bind $T/nonsense.conf $conf"
again "$no_server" "cp -a $libexec $T/libexec; rm $T/libexec/vitrine-fuse
    mount --bind $T/libexec $libexec"
again "$no_fuse" "mount -t tmpfs -o mode=755 none /mnt; mkdir /mnt/pts /mnt/shm
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/loop* /mnt
    mount --rbind /dev/pts /mnt/pts; mount --rbind /dev/shm /mnt/shm; mount --move /mnt /dev"
cat >"$T/old.c" <<'C'
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
int uname(struct utsname *uts)
{
    int rc = (int)syscall(SYS_uname, uts);
    strcpy(uts->release, "5.13.0-99-generic");
    return rc;
}
C
gcc -shared -fPIC -o "$T/old.so" "$T/old.c"
again "$old" : LD_PRELOAD="$T/old.so"
all_idle() {
    [ "$(as_root sinfo -h -N -p debug -t idle -o %N | wc -l)" = 6 ]
}
wait_for 20 all_idle
report 'six nodes, most of them lacking something' $? || diagnose "$(as_root sinfo -N)"

theirs=$(untrusted "$tiny")
works() {
    prints "$1" ID=tiny as_user srun -Q -w "$2" --container-image="$3" grep ^ID= /etc/os-release
}
works 'a node that lacks nothing: trusted' "$good" "$tiny"
works 'a node that lacks nothing: untrusted' "$good" "$theirs"
works 'without FUSE server: trusted' "$no_server" "$tiny"
works 'without /dev/fuse: trusted' "$no_fuse" "$tiny"
node=$no_server
fails 'without FUSE server: untrusted' "cannot mount image $theirs: cannot start this node's FUSE server $libexec/vitrine-fuse: No such file or directory" "$theirs"
node=$no_fuse
fails 'without /dev/fuse: untrusted' "cannot mount image $theirs: this node cannot mount with FUSE (/dev/fuse; is the kernel's fuse module loaded?): No such file or directory" "$theirs"
node=$old
fails 'an old kernel' "this node's kernel 5.13.0-99-generic is too old: containers need Linux 5.14" "$tiny"
prints 'an old kernel without an image' ran as_user srun -Q -w "$old" echo ran
node=$hidden
fails 'an image that one node lacks' "cannot find image $tiny: no such file or directory; $where" "$tiny"

# one_of_two NAME NODE MESSAGE: the tasks of the other node have begun, or are just about to:
# they must end. Several times, as it depends on how far they have come.
one_of_two() {
    local begin good_ones=0 took
    while [ $good_ones -lt 5 ]; do
        begin=${EPOCHREALTIME/[.,]/}
        try as_user timeout 10 srun -Q -w "$good,$2" -n 4 --container-image="$tiny" sleep 60
        took=$((${EPOCHREALTIME/[.,]/} - begin))
        # 1 of the tasks that could not begin, 137 where others had begun and had to be killed.
        [[ $rc =~ ^(1|137)$ ]] || break
        [ "$(grep '^vitrine: ' <<<"$err")" = "vitrine: $2: $3" ] || break
        good_ones=$((good_ones + 1))
    done
    is "$1: that node tells so, and the step ends at once" $good_ones 5 || {
        diagnose "the last one took $took us"
        show_try
    }
    wait_for 5 gone_from
    report "$1: no task is left on the other" $? || diagnose "$(ps -u "$USER1")"
}
gone_from() {
    ! pgrep -u "$USER1" -x sleep >/dev/null
}
one_of_two 'one of two nodes lacks the image' "$hidden" \
    "cannot find image $tiny: no such file or directory; $where"
one_of_two "one of two nodes has a wrong vitrine.conf" "$misled" \
    "$conf:1: unknown key 'Nonsense'"
wait_for 10 all_idle
report 'all nodes are idle again' $? || diagnose "$(as_root sinfo -N)"

# ---- vitrine.conf -------------------------------------------------------------------------

node=$good

# broken NAME MESSAGE: no step runs, whatever it wants.
broken() {
    quick "$1: a plain step fails" 1 as_user timeout 30 srun -Q -w "$node" echo ran
    error_line "$1: one line" "$(whole_line "vitrine: $node: $2")"
    quick "$1: one on the host, too" 1 \
        as_user timeout 30 srun -Q -w "$node" --container-image=none echo ran
}
configure() {
    printf '%s\n' "$@" >"$conf"
}
configure '# a comment' "Image=$tiny" 'ImageDri=/x'
broken 'an unknown key' "$conf:3: unknown key 'ImageDri'; did you mean 'ImageDir'?"
try_batch -w "$node" <<'SH'
#!/bin/sh
echo ran
SH
is 'an unknown key: a batch job fails' "$rc $state" '1 FAILED'
like 'an unknown key: and tells why' "$out" "^vitrine: $node: $conf:3: unknown key"
unlike 'an unknown key: it does not run' "$out" ran
configure 'KernelMount=perhaps'
broken 'a bad value' "$conf:1: KernelMount must be trusted, always or never, not 'perhaps'"
configure 'KernelMount=never' 'KernelMount=never'
broken 'a key twice' "$conf:2: KernelMount is already set in line 1"
configure "Image=$tiny"
chmod 666 "$conf"
broken 'everybody may write it' "$conf must not be writable by group or others, but has mode 0666"
chmod 664 "$conf"
broken 'its group may write it' "$conf must not be writable by group or others, but has mode 0664"
chmod 644 "$conf"
chown "$USER1" "$conf"
broken 'a user owns it' "$conf must belong to root, but belongs to uid $(id -u "$USER1")"
chown 0 "$conf"
chmod 775 "$VITRINE_CLUSTER"
broken 'its directory' "$VITRINE_CLUSTER must not be writable by group or others, but has mode 0775"
chmod 755 "$VITRINE_CLUSTER"
mv "$conf" "$conf.away"
broken 'missing' "cannot open $conf: No such file or directory"
mkfifo "$conf"
broken 'a FIFO' "$conf is not a regular file"
rm "$conf"
mv "$conf.away" "$conf"
prints 'all is well again' ID=tiny as_user srun -Q -w "$node" grep ^ID= /etc/os-release
wait_for 10 all_idle
report 'all nodes are idle after all this' $? || diagnose "$(as_root sinfo -N)"
shared_cluster

done_testing
