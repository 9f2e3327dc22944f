#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where tasks start, and the directories that they are promised: --container-workdir, --chdir,
# the home, TMPDIR, and the volumes of an image.
# timeout: 180
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1340.$slot # below /var, so only what is asked for is shown
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$own"
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -p "$own"
home=$(getent passwd "$USER1" | cut -d: -f6)
scratch=$own/scratch
install -d -m 1777 "$scratch"

tree=$own/tree
cp -a "$(make_tree tiny)" "$tree"
mkdir -p "$tree"/{.vitrine,data/full,data/empty,data/closed,work,opt/app}
chmod 700 "$tree/data/closed"
echo old >"$tree/data/full/file"
ln -s work "$tree/link"
ln -s nowhere "$tree/dangling"
volumes=(volume=/data/full volume=/data/empty volume=/data/new volume=/ volume=relative
    volume=/../up volume=/data/../x volume=/dangling/x volume=/work/ volume=/proc/x volume=/tmp/x
    volume=/etc/passwd volume=/link/sub)
printf '%s\0' workdir=/work "${volumes[@]}" >"$tree/.vitrine/config"
image=$own/image.sqfs
pack "$tree" "$image"

# inside NAME WANT SCRIPT [OPTION]...
inside() {
    prints "$1" "$2" as_user srun -Q --container-image="$image" "${@:4}" sh -c "$3"
}

# ---- where tasks start --------------------------------------------------------------------

inside 'where they are on the host' "$home" pwd
inside '--chdir' /var/tmp pwd --chdir=/var/tmp
inside '--container-workdir' /opt/app pwd --container-workdir=/opt/app
inside 'over --chdir' /opt/app pwd --container-workdir=/opt/app --chdir=/var/tmp
inside 'a directory of the host' /var/tmp pwd --container-workdir=/var/tmp
inside 'one that a mount shows' /mnt/s pwd --container-workdir=/mnt/s --container-mounts="$scratch:/mnt/s"
inside 'through a link' /work 'pwd -P' --container-workdir=/link
inside 'written with slashes' /opt/app 'pwd -P' --container-workdir=//opt/./app/
inside 'VITRINE_CONTAINER_WORKDIR' /opt/app pwd --export=ALL,VITRINE_CONTAINER_WORKDIR=/opt/app
inside 'PYXIS_CONTAINER_WORKDIR' /opt/app pwd --export=ALL,PYXIS_CONTAINER_WORKDIR=/opt/app
prints 'a program in it' /bin as_user srun -Q --container-image="$image" --container-workdir=/bin \
    ./busybox pwd

# missing NAME DIRECTORY REASON: an error of each task, in one line.
missing() {
    exit_is "$1" 1 as_user srun -Q --container-image="$image" --container-workdir="$2" true
    error_line "$1: the reason" \
        "^vitrine: n[12]: cannot change to the working directory $2 in the container: $3\$"
}
missing 'one that is missing' /nowhere 'No such file or directory'
missing 'a file' /etc/passwd 'Not a directory'
missing 'one that is closed' /data/closed 'Permission denied'
missing 'one of the host that is not shown' "$scratch" 'No such file or directory'
exit_is 'one that is not absolute' 255 as_user srun -Q --container-image="$image" \
    --container-workdir=work true
like 'is told before anything runs' "$err" \
    '^vitrine: --container-workdir: give an absolute path in the container, not work'
try as_user srun -Q -N2 -n6 --container-image="$image" --container-workdir=/nowhere true
report 'on two nodes' $((rc != 1))
is 'one line of a node at most' "$(grep '^vitrine: ' <<<"$err" | sort | uniq -d)" ''
try_batch --container-image="$image" --container-workdir=/work <<'END'
#!/bin/sh
pwd
srun -Q sh -c pwd
srun -Q --container-workdir=/opt/app sh -c pwd
END
is 'a batch script and its steps' "$rc $out" $'0 /work\n/work\n/opt/app'

# What the host has but the container does not show is shown for its sake.
as_user mkdir -p "$scratch/deep/er"
prints 'a submit directory that nothing else shows' "$scratch/deep" as_user sh -c \
    "cd $scratch/deep && srun -Q --container-image=$image sh -c 'touch er/x && pwd'"
[ -e "$scratch/deep/er/x" ]
report 'is the host'\''s' $?
inside '--chdir to one' "$scratch/deep" pwd --chdir="$scratch/deep"
prints 'one whose name has blanks' "$scratch/a b" as_user sh -c \
    "mkdir '$scratch/a b' && cd '$scratch/a b' && srun -Q --container-image=$image sh -c pwd"
prints "one where the image's own system is" '/etc ID=tiny' as_user sh -c \
    "cd /etc && srun -Q --container-image=$image sh -c 'echo \$(pwd) \$(head -n 1 os-release)'"

# ---- home ---------------------------------------------------------------------------------

as_user sh -c "mkdir -p $home/project $home/tmp && echo mine >$home/mine"
inside 'home is shown' mine 'cat ~/mine'
inside '--no-container-mount-home' "$home" 'ls -A ~; pwd' --no-container-mount-home
inside 'with a directory to start in' '/work mine' 'echo $(pwd) $(cat ~/mine)' --container-workdir=/work
inside 'a directory in it' "$home/project" pwd --chdir="$home/project"
inside 'without home' "$home/project project" 'echo $(pwd) $(ls -A ~)' \
    --chdir="$home/project" --no-container-mount-home
inside 'fake root' "$home mine" 'echo $HOME $(cat ~/mine)' --container-remap-root
inside 'fake root without home' '/root 0' 'cd ~ && echo $HOME $(ls | wc -l)' --container-remap-root \
    --no-container-mount-home

# ---- TMPDIR -------------------------------------------------------------------------------

# tmpdir NAME VALUE [OPTION]...: it is there, the user's own, and may be written.
tmpdir() {
    rm -rf "$scratch/new"
    prints "TMPDIR: $1" "$2 700" as_user env TMPDIR="$2" srun -Q --container-image="$image" "${@:3}" \
        sh -c 'touch "$TMPDIR/x" && echo $TMPDIR $(stat -c %a "$TMPDIR")'
}
tmpdir 'that does not exist yet, where nothing is shown' "$scratch/new"
[ "$(stat -c %U "$scratch/new/x")" = "$USER1" ]
report 'it is the host'\''s' $?
tmpdir 'with //' "$own//scratch//new//"
tmpdir 'with /.' "$own/./scratch/./new"
tmpdir 'for fake root' "$scratch/new" --container-remap-root
tmpdir 'in a home that is not shown' "$home/tmp/new" --no-container-mount-home
prints 'TMPDIR: for each task' "$(printf 'ok\n%.0s' 1 2 3)" as_user env TMPDIR="$scratch/new" \
    srun -Q -n3 --container-image="$image" sh -c 'touch $TMPDIR/$SLURM_PROCID && echo ok'
# What cannot be made on the host cannot be had inside either, and the task runs.
for value in "$own/nowhere/new" "$scratch/new/." relative /proc/new ''; do
    rm -rf "$scratch/new"
    try as_user env TMPDIR="$value" srun -Q --container-image=none sh -c 'echo "$TMPDIR"'
    bare="$rc $out"
    try as_user env TMPDIR="$value" srun -Q --container-image="$image" sh -c 'echo "$TMPDIR"'
    is "TMPDIR: $value, as on the host" "$rc $out" "$bare"
done
try as_user env TMPDIR="$scratch/../scratch/new" srun -Q --container-image="$image" sh -c 'echo ran'
is 'TMPDIR: with .. does not end the task' "$rc $out" '0 ran'
# The image's own files are not hidden by it.
try as_user env TMPDIR=/etc srun -Q --container-image="$image" cat /etc/os-release
like 'TMPDIR: /etc does not hide the image' "$out" '^ID=tiny'

# ---- volumes ------------------------------------------------------------------------------

inside 'a volume that is empty is writable' ok 'touch /data/empty/x && echo ok'
inside 'also one that the image does not have' ok 'touch /data/new/x && echo ok'
inside 'also through a link' ok 'touch /work/sub/x && echo ok'
inside 'it is empty in each step' 0 'ls -A /data/empty | wc -l'
inside 'it is of all tasks of a node' '0 1' 'touch /data/empty/$SLURM_PROCID
    [ $SLURM_PROCID != 0 ] || { while [ $(ls /data/empty | wc -l) -lt 2 ]; do sleep 0.1; done
    echo $(ls /data/empty); }' -n2
inside "one with the image's files is as it is" old 'touch /data/full/x 2>/dev/null || cat /data/full/file'
inside 'what is no good path is passed over' "$(printf '%s\n' bin etc | paste -s -d' ')" \
    'test ! -e /up && test ! -e /x && test ! -e /relative && echo $(ls -d bin etc)' --container-workdir=/
inside '/etc/passwd is a file' yes 'test -f /etc/passwd && echo yes'
inside 'a mount over it' mine 'cat /data/empty/mine' --container-mounts="$home:/data/empty"
inside 'in a writable container' ok 'touch /data/full/x /data/empty/x && echo ok' --container-writable
inside 'fake root' ok 'touch /data/empty/x && echo ok' --container-remap-root
prints 'in a directory' ok as_user srun -Q --container-image="$tree" sh -c 'touch /data/empty/x && echo ok'
[ ! -e "$tree/data/empty/x" ]
report 'which has not changed' $?

done_testing
