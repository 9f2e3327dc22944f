#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# What tasks may write: nothing, a layer that goes with the step, one of each task's own, or the
# files of a directory image.
# timeout: 240
. "$(dirname "$0")/lib.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
uid=$(id -u "$USER1")
gid=$(id -g "$USER1")
one=$(make_image owners -all-root) && many=$(make_image owners) && sif=$(make_image owners.sif) &&
    fuse=$(untrusted "$many") && tiny=$(make_image tiny) || exit
tree=$(make_tree owners)
own=$VITRINE_TEST_CACHE/1100.$slot
clean_up() {
    rm -rf --one-file-system "$own"
    at_end
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -m 755 "$own"
echo WritableSize=8M >"$T/conf"
private_cluster --vitrine-conf "$T/conf"
node=${NODES%% *}

step() { # SRUN-OPTION... COMMAND
    as_user timeout 30 srun -Q -w "$node" "${@:1:$#-1}" sh -c "${!#}"
}
# fails_with NAME REGEX SRUN-OPTION... COMMAND: nothing runs, and one line says why.
fails_with() {
    try step "${@:3}"
    is "$1: nothing runs" "$rc$out" 1
    error_line "$1: is told" "$2"
}
# write_all: appends to each file and says which it could.
write_all='for f in plain hidden owned shared open program closed/file public/file foreign/new sticky/new null new
    do (echo z >>/data/$f) 2>/dev/null && echo $f; done; true'
modes='cd /data && stat -c "%n %u:%g %a" ./* ./*/*'

# ---- read-only ----------------------------------------------------------------------------

as_it_is=$(cd "$tree/data" && stat -c "%n %u:%g %a" ./* ./*/* | grep -v closed/)
for image in "$many" "$fuse" "$sif" "$tree"; do
    kind="$(basename "$image"), $(stat -c '%F of %U' "$image")"
    for option in --container-readonly -Q; do
        is "$kind, $option: files are as in the image" \
            "$(step $option --container-image="$image" "$modes" 2>/dev/null)" "$as_it_is"
        prints "$kind, $option: nothing can be written" '' \
            step $option --container-image="$image" "$write_all"
    done
    try step --container-image="$image" 'rm /data/public/file'
    like "$kind: which is told as usual" "$err" 'Read-only file system'
done
try step --container-image="$fuse" 'cat /data/hidden /data/owned /data/closed/file'
is 'what is not for the user is not read' "$rc$out" 1

# ---- a layer that goes with the step ------------------------------------------------------

# servers: how many FUSE servers the user has, seen from inside.
servers='cat /proc/[0-9]*/status 2>/dev/null | awk -v uid=$(id -u) "/^Name:/ { name = \$2 }
    /^State:/ { state = \$2 }
    /^Uid:/ && \$2 == uid && name == \"vitrine-fuse\" && state != \"Z\" { n++ }
    END { print n + 0 }"'
# What an ordinary file system can do.
work='set -e
mkdir /data/new && cd /data/new
echo text >a && ln a b && ln -s a c && mv b d && chmod 640 a && touch -d "2001-02-03 04:05:00" a
stat -c "%h %a %Y" a
rm /data/plain && echo again >/data/plain && cat /data/plain
rm -r /data/public && mkdir /data/public && ls /data/public
mkfifo f && mkdir e && mv e g && rmdir g
cp /data/open copy && cat copy && ls'
worked=$'2 640 981173100\nagain\nopen\na\nc\ncopy\nd\nf'

for image in "$one" "$many" "$fuse" "$sif"; do
    kind="$(basename "$image") of $(stat -c %U "$image")"
    prints "$kind, writable: all belongs to the user" "$uid:$gid" \
        step --container-writable --container-image="$image" \
        'cd / && stat -c "%u:%g" . bin etc/passwd data data/* data/*/* | sort -u'
    is "$kind, writable: modes are as in the image" \
        "$(step --container-writable --container-image="$image" "$modes" | sed 's/ [0-9]*:[0-9]* / /')" \
        "$(cd "$tree/data" && stat -c "%n %u:%g %a" ./* ./*/* | sed 's/ [0-9]*:[0-9]* / /')"
    prints "$kind, writable: what the user's own modes forbid stays so" \
        $'plain\nowned\nshared\nopen\nprogram\nclosed/file\npublic/file\nforeign/new\nsticky/new\nnew' \
        step --container-writable --container-image="$image" "$write_all"
    prints "$kind, writable: files can be made, replaced and removed" "$worked" \
        step --container-writable --container-image="$image" "$work"
    prints "$kind, writable: times of files that change their place stay" \
        "$(stat -c '%Y %a' "$tree/data/foreign" "$tree/data/program")" \
        step --container-writable --container-image="$image" \
        'mv /data/program /p && touch -c -r /data/foreign /data/foreign && stat -c "%Y %a" /data/foreign /p'
    prints "$kind: the next step begins anew" 'plain public' \
        step --container-writable --container-image="$image" 'echo $(cat /data/plain; ls -d /data/new /data/public 2>/dev/null | sed s,/data/,,)'
done
prints 'the kernel serves an image with one id' 0 step --container-writable --container-image="$one" "$servers"
prints 'FUSE one with many' 1 step --container-writable --container-image="$many" "$servers"
prints 'which the kernel serves as long as nothing is written' 0 step --container-image="$many" "$servers"
is 'the image file is as before' "$(md5sum <"$many")" "$(md5sum <"$fuse")"
prints 'files of /etc can be edited' "$(printf 'x:x:1:1:::\n127.0.0.9 edited')" \
    step --container-writable --container-image="$many" \
    'echo x:x:1:1::: >>/etc/passwd; echo 127.0.0.9 edited >>/etc/hosts; tail -n 1 /etc/passwd; tail -n 1 /etc/hosts'
prints "the host's files are not in the layer" "$uid here" \
    step --container-writable --container-image="$many" \
    'echo here >$HOME/made; stat -c %u $HOME/made | tr "\n" " "; cat $HOME/made'
is 'but on the host' "$(cat "$home/made")" here
prints 'chown to another fails as it would outside' 1 step --container-writable \
    --container-image="$many" 'chown 5 /data/open 2>/dev/null; echo $?'
prints 'chgrp to a group of the user works' "$(getent group vitrine-a | cut -d: -f3)" \
    step --container-writable --container-image="$many" 'chgrp vitrine-a /data/open; stat -c %g /data/open'
prints 'no capability and no user namespace' "0000000000000000 $(readlink /proc/self/ns/user)" \
    step --container-writable --container-image="$many" \
    'echo $(sed -n "s/^CapEff:.//p" /proc/self/status) $(readlink /proc/self/ns/user)'

# ---- how much -----------------------------------------------------------------------------

for image in "$one" "$many"; do
    try step --container-writable --container-image="$image" \
        'dd if=/dev/zero of=/big bs=1M count=9; echo $?; stat -c %s /big; rm /big; echo more >/more; cat /more'
    is "$(basename "$image"): the layer has a limit" "$out" $'1\n8388608\nmore'
    like 'told as usual' "$err" 'No space left on device'
done
prints 'which df tells' 8192 step --container-writable --container-image="$many" \
    "df -k / | awk 'END { print \$2 }'"
prints 'and each task has that much' $'0\n0' step --container-writable=task -n 2 --container-image="$many" \
    'head -c 7000000 /dev/zero >/big; echo $?'

# ---- whose --------------------------------------------------------------------------------

both='touch /t$SLURM_PROCID
i=0; while [ $i -lt 50 ] && ! [ -e /t0 -a -e /t1 ]; do i=$((i + 1)); sleep 0.1; done'
for option in --container-writable --container-writable=node; do
    prints "$option: tasks of a node share a layer" $'/t0 /t1\n/t0 /t1' \
        step -n 2 $option --container-image="$many" "$both; echo \$(ls -d /t?)"
done
meet='touch /dev/shm/vitrine-'$slot'.$SLURM_PROCID
i=0; while [ $i -lt 50 ] && [ "$(ls -d /dev/shm/vitrine-'$slot'.? | wc -l)" != 3 ]; do
i=$((i + 1)); sleep 0.1; done; sleep 0.3'
for image in "$one" "$many" "$fuse" "$sif" "$tree"; do
    try step -n 3 --container-writable=task --container-image="$image" \
        "$meet; touch /t\$SLURM_PROCID; sleep 0.3; ls -d /t?"
    is "$(basename "$image") of $(stat -c %U "$image"): each task has its own" \
        "$rc $(sort <<<"$out" | xargs)" '0 /t0 /t1 /t2'
done
rm -f /dev/shm/vitrine-"$slot".?
try step -n 3 --container-writable=task --container-image="$many" \
    "$meet; readlink /proc/self/ns/mnt; sleep 0.3"
rm -f /dev/shm/vitrine-"$slot".?
is 'in a mount namespace of its own' "$(sort -u <<<"$out" | wc -l)" 3
try step -n 3 --container-writable=task --container-image="$many" 'echo $(readlink /proc/self/ns/user) $(readlink /proc/self/ns/ipc)'
is 'and no other' "$(sort -u <<<"$out")" "$(readlink /proc/self/ns/user /proc/self/ns/ipc | xargs)"
try as_user srun -Q -N 2 --container-writable --container-image="$many" sh -c \
    'touch /t$SLURM_PROCID; sleep 0.3; ls -d /t?'
is 'two nodes: each has its own layer' "$(sort <<<"$out")" $'/t0\n/t1'
try as_user srun -Q -N 2 --ntasks-per-node=2 --container-writable --container-image="$many" sh -c \
    'touch /t$SLURM_PROCID; sleep 0.5; echo $SLURM_NODEID $(ls -d /t?)'
is 'which its tasks share' "$(sort -u <<<"$out")" $'0 /t0 /t1\n1 /t2 /t3'
exit_is 'exit codes are the same' 7 step --container-writable=task -n 2 --container-image="$many" 'exit 7'
try_batch --container-writable --container-image="$many" <<'SCRIPT'
#!/bin/sh
echo batch >/data/plain
cat /data/plain
srun cat /data/plain
srun --container-readonly sh -c 'echo x >/new' 2>/dev/null || echo read-only
srun sh -c 'echo x >/new' && echo writable
SCRIPT
is 'a batch script has its own layer, and its steps theirs' "$out" $'batch\nplain\nread-only\nwritable'

fails_with 'a named container for each task' \
    "^vitrine: $node: a named container is the same for all tasks: --container-writable=task cannot" \
    --container-writable=task --container-name=x --container-image="$many" true
fails_with 'a saved container for each task' \
    "^vitrine: $node: with --container-writable=task there is a container for each task" \
    --container-writable=task --container-save="$home/x.sqfs" --container-image="$many" true
for value in x Task 1; do
    try step "--container-writable=$value" --container-image="$many" true
    like "--container-writable=$value: is told" "$err" \
        "vitrine: --container-writable: give task, or node, or nothing, not $value"
done
try step --container-writable --container-readonly --container-image="$many" true
like 'both: is told' "$err" 'vitrine: --container-writable and --container-readonly contradict each other'
prints 'what is said last in the environment does not count' '' env VITRINE_CONTAINER_WRITABLE=1 \
    "$top/contrib/cluster/run" --user "$USER1" srun -Q --container-readonly \
    --container-image="$many" sh -c 'touch /new 2>/dev/null && echo written || true'
conf=$VITRINE_CLUSTER/vitrine.conf
for value in 0 8X -1 ' '; do
    echo "WritableSize=$value" >"$conf"
    try step --container-writable --container-image="$many" 'echo ran'
    is "WritableSize=$value: nothing runs" "$rc$out" 1
    like "WritableSize=$value: is told" "$err" "^vitrine: $node: $conf:1: "
done
: >"$conf"
prints 'without a limit: half of the memory' "$(awk '/^MemTotal:/ { print int($2 / 2 / 1024) }' /proc/meminfo)" \
    step --container-writable --container-image="$many" "df -k / | awk 'END { print int(\$2 / 1024) }'"

# ---- a directory that is edited -----------------------------------------------------------

fresh() {
    rm -rf --one-file-system "$home/tree" "$own/tree"
    cp -a "$tree" "$own/tree" && chown -hR "$USER1:" "$own/tree" && mv "$own/tree" "$home/tree"
}
fresh
cp -a "$home/tree" "$T/before"
prints 'a directory: files can be made, replaced and removed' "$worked" \
    step --container-writable --container-image="$home/tree" "$work"
is 'which stays' "$(cat "$home/tree/data/plain"; ls "$home/tree/data/new")" "again
a
c
copy
d
f"
prints 'for the next step, too' again step --container-image="$home/tree" 'cat /data/plain'
is 'what is new belongs to the user' "$(stat -c '%U:%G' "$home/tree/data/new/a")" "$USER1:$USER1"
prints 'in which he has his name' "$USER1" step --container-writable --container-image="$home/tree" 'id -un'
cmp "$home/tree/etc/passwd" "$T/before/etc/passwd"
report '/etc/passwd is kept' $?
is 'mount points are empty' "$(find "$home/tree/home" "$home/tree/proc" "$home/tree/dev" ! -type d | wc -l)" 0
is 'files of /etc, too' "$(stat -c %s "$home/tree/etc/hosts" "$home/tree/etc/resolv.conf" | sort -u)" 0
prints "the host's are seen there" "$(md5sum </etc/hosts)" \
    step --container-writable --container-image="$home/tree" 'md5sum </etc/hosts'
prints 'nothing of the layer is there' '' find "$home/tree" -name '*vitrine*' ! -path "*$home"
prints 'in a job: tasks see one directory' $'/t0 /t1\n/t0 /t1' \
    step -n 2 --container-writable --container-image="$home/tree" "$both; echo \$(ls -d /t?)"
ok 'two nodes at once' as_user srun -Q -N 2 -n 4 --container-writable --container-image="$home/tree" true
fresh
prints 'read-only by default' '' step --container-image="$home/tree" "$write_all"
prints 'a layer for each task leaves it alone' "$uid:$gid" step --container-writable=task \
    --container-image="$home/tree" 'echo x >>/data/plain; rm -r /data/public; touch /new; stat -c %u:%g /data/plain'
list() { (cd "$1" && find . -printf '%p %u %m %s\n' | sort); }
diff <(list "$home/tree") <(list "$T/before") >"$T/diff"
report 'nothing is changed by either' $? || diagnose "$(cat "$T/diff")"
fails_with "root's directory" \
    "^vitrine: $node: you may not write to directory $tree: use a copy, or leave --container-writable out" \
    --container-writable --container-image="$tree" true
prints 'but in a layer of each task, except for files of other users' $'no\npublic\nnew' \
    step --container-writable=task --container-image="$tree" \
    '(echo x >>/data/plain) 2>/dev/null || echo no; cat /data/public/file; touch /new && ls -d /new | sed s,/,,'
chmod 000 "$home/tree/data/plain"
mkdir -m 700 "$home/tree/data/roots" && echo secret >"$home/tree/data/roots/file"
for option in --container-writable --container-writable=task --container-readonly; do
    try step $option --container-image="$home/tree" 'cat /data/plain /data/roots/file; echo x >/data/roots/new'
    is "$option: foreign files in a directory stay foreign" "$rc$out" 1
done

done_testing
