#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Named containers: each mode and each refusal, joining, and what may stand in the way.
# serial
# timeout: 300
# shellcheck disable=SC2016 # variables of commands in containers
. "$(dirname "$0")/lib.sh"

private_cluster -n 1
node=$NODES
rooms=$T/rooms
mkdir -m 755 "$T/images"
image=$(make_image tiny)
other=$(make_image tiny -comp gzip)
uid=$(id -u "$USER1")

conf() { # LINE...
    printf '%s\n' "ImageDir=$IMAGES" "$@" >"$VITRINE_CLUSTER/vitrine.conf"
}
run() { # [SRUN-OPTION]... COMMAND
    as_user timeout 60 srun -Q -n1 -w "$node" "$@"
}
run2() {
    as_user2 timeout 60 srun -Q -n1 -w "$node" "$@"
}
kept() {
    ls "$rooms/user/$uid"
}
# refused NAME REGEX SRUN-ARGUMENT...: exit code 1, one line, and nothing has run.
refused() {
    exit_is "$1" 1 run "${@:3}" echo ran
    error_line "$1: the user is told in one line" "$2"
    is "$1: nothing has run" "$out" ''
}
vitrine="^(slurmstepd[^ ]*: |srun: )?(error: )?vitrine: ($node: )?"

conf "ContainerDir=$rooms" ContainerScope=user

# ---- modes --------------------------------------------------------------------------------

refused 'a container that is not there' "${vitrine}there is no container a on this node; make it with --container-image$" \
    --container-name=a
refused 'a container that is not there, with exec' "${vitrine}container a does not run on this node; start it without :exec$" \
    --container-name=a:exec --container-image="$image"
is 'what was refused has left nothing' "$(kept)" ''
prints 'create' made run --container-image="$image" --container-name=a:create \
    sh -c 'echo made >/file; rm /etc/os-release; cat /file'
is 'it is kept under its name' "$(kept)" a
is 'its place is the user'\''s alone' "$(stat -c '%U %a' "$rooms/user/$uid" "$rooms/user/$uid/a" | sort -u)" "$USER1 700"
is 'above it is root'\''s' "$(stat -c '%U %a' "$rooms" "$rooms/user" | sort -u)" 'root 711'
refused 'create it again' "${vitrine}container a exists already; use it with --container-name=a or choose another name$" \
    --container-image="$image" --container-name=a:create
refused 'join it while it does not run' "${vitrine}container a does not run on this node; start it without :exec$" \
    --container-name=a:exec
prints 'start it again, without an image' "made
no" run --container-name=a sh -c 'cat /file; test -e /etc/os-release || echo no'
for mode in auto no_exec; do
    prints "start it again with $mode and its image" made \
        run --container-name=a:$mode --container-image="$image" cat /file
done
ln -s "$image" "$T/images/link"
prints 'an image has one name, however it is called' made \
    run --container-name=a --container-image="$T/images/link" cat /file
refused 'another image' "${vitrine}container a is made from image $image, not from $other: leave --container-image out, or choose another name$" \
    --container-name=a --container-image="$other"
prints 'read-only' 'made
ro' run --container-name=a --container-readonly sh -c 'cat /file; touch /x 2>/dev/null || echo ro'
prints 'create read-only, then write' 'x' run --container-name=ro --container-image="$image" \
    --container-readonly sh -c 'touch /x 2>/dev/null || echo x'
prints 'what was created read-only can be written to' y run --container-name=ro sh -c 'echo y >/y; cat /y'
prints 'read-only again' y run --container-name=ro --container-readonly cat /y
exit_is 'a failing command' 3 run --container-name=a sh -c 'echo failed >/file; exit 3'
prints 'does not undo what it wrote' failed run --container-name=a cat /file
prints 'a directory as the image is not changed' y run --container-name=dir \
    --container-image="$IMAGES/tiny.dir" sh -c 'echo y >/y; cat /y'
report 'and is not' "$([ ! -e "$IMAGES/tiny.dir/y" ]; echo $?)"

# ---- names --------------------------------------------------------------------------------

long=$(printf 'n%.0s' $(seq 64))
for name in '' .. . .a / a/b ../a 'a b' ä "n$long" a:b a: :exec $'a\nb'; do
    try run --container-image="$image" --container-name="$name" echo ran
    [ "$rc" != 0 ] && [ -z "$out" ] && [ "$(grep -c 'vitrine: --container-name' <<<"$err")" = 1 ]
    report "no name: '$name'" $? || show_try
done
for name in "$long" 0 1.x A_b+c-d.e 12.; do
    prints "a name: $name" ran run --container-image="$image" --container-name="$name" echo ran
done
refused 'with --container-writable=task' "${vitrine}a named container is the same for all tasks: --container-writable=task cannot be had with it$" \
    --container-image="$image" --container-name=a --container-writable=task

# ---- images that change -------------------------------------------------------------------

cp "$image" "$T/images/own.sqfs"
prints 'from an image that will change' ran run --container-image="$T/images/own.sqfs" --container-name=own echo ran
cp "$other" "$T/images/own.sqfs.new" && mv "$T/images/own.sqfs.new" "$T/images/own.sqfs"
replaced="${vitrine}container own is made from image $T/images/own.sqfs, which has been replaced by another since: choose another name$"
refused 'its image is another now' "$replaced" --container-name=own
refused 'its image is another now, and given' "$replaced" --container-name=own --container-image="$T/images/own.sqfs"
rm "$T/images/own.sqfs"
refused 'its image is gone' "${vitrine}.*$T/images/own.sqfs" --container-name=own
damage=$rooms/user/$uid/a/image
for text in '' nonsense relative$'\n'print; do
    cp -a "$damage" "$T/record" && printf %s "$text" >"$damage"
    refused "a damaged record '$text'" "${vitrine}container a is damaged: it does not say its image; use another name$" --container-name=a
    cp "$T/record" "$damage"
done
prints 'it lives, when its record is repaired' failed run --container-name=a cat /file

# ---- joining ------------------------------------------------------------------------------

# holds NAME SRUN-ARGUMENT...: a step in the background that lives until release.
holds() {
    rm -f "$T/go/$1" "$T/go/$1.up"
    run "${@:2}" --container-mounts="$T/go:/go" sh -c "
        readlink /proc/self/ns/mnt >$T/go/$1.up; until [ -e $T/go/$1 ]; do sleep 0.1; done; cat /late 2>/dev/null; true" >"$T/held.$1" 2>&1 &
    held[$1]=$!
    wait_for 10 test -s "$T/go/$1.up"
    report "$1 runs" $? || diagnose "$(cat "$T/held.$1")"
}
release() {
    touch "$T/go/$1"
    wait "${held[$1]}"
    is "$1 has ended well" "$? $(cat "$T/held.$1")" "0 ${2-}"
}
declare -A held
install -d -m 755 -o "$USER1" "$T/go"

holds first --container-name=a
ns=$(cat "$T/go/first.up")
for mode in '' :auto :exec; do
    prints "join with a$mode: the same namespace" "$ns" run --container-name=a$mode readlink /proc/self/ns/mnt
done
prints 'files of one are the other'\''s' failed run --container-name=a sh -c 'echo late >/late; cat /file'
prints 'its mounts are there' yes run --container-name=a sh -c "test -e /go/first.up && echo yes"
refused 'create while it runs' "${vitrine}container a exists already" --container-name=a:create --container-image="$image"
refused 'join with another image' "${vitrine}container a is made from image $image, not from $other: leave --container-image out, or choose another name$" \
    --container-name=a --container-image="$other"
refused 'no_exec with another image' "${vitrine}container a is made from image $image, not from $other" \
    --container-name=a:no_exec --container-image="$other"
prints 'join with its image' failed run --container-name=a --container-image="$image" cat /file
try run --container-name=a --container-mounts=/etc/hostname:/mnt sh -c 'test -f /mnt || echo none'
is 'mounts of who joins have no effect' "$rc $out" '0 none'
error_line 'and he is told so' "${vitrine}container a runs already, so --container-mounts and --container-unshare have no effect; with --container-name=a:no_exec it gets these mounts$"
echo own >"$T/mounted"
prints 'no_exec: a namespace and mounts of its own' 'other
own
failed
late' run --container-name=a:no_exec --container-mounts="$T/mounted:/mounted" sh -c "
        test \$(readlink /proc/self/ns/mnt) = '$ns' || echo other
        test -e /go/first.up || cat /mounted /file /late"
prints 'nobody else has them' '' run --container-name=a sh -c 'cat /mounted; true'
ok 'what no_exec writes' run --container-name=a:no_exec sh -c 'echo seen >/seen'
prints 'the others see' seen run --container-name=a:exec cat /seen
prints 'several tasks join' "$ns
$ns
$ns" run -n3 --overcommit --container-name=a readlink /proc/self/ns/mnt
release first late

# Joined, it goes on without the step that started it.
holds first --container-name=a
holds second --container-name=a:no_exec
release second late
holds second --container-name=a:exec
is 'two steps, one namespace' "$(cat "$T/go/first.up")" "$(cat "$T/go/second.up")"
release first late
prints 'the other holds it' "$(cat "$T/go/second.up")" run --container-name=a:exec readlink /proc/self/ns/mnt
touch "$T/go/second"
wait "${held[second]}"
is 'second has ended well' "$? $(tail -n 1 "$T/held.second")" '0 late'
refused 'when all have ended it does not run' "${vitrine}container a does not run" --container-name=a:exec

# A sandbox that a program makes inside is not the container, though its process is older.
for root in '' --container-remap-root; do
    prints "${root:-plain}: made" ran run --container-image="$image" --container-name="sand$root" $root echo ran
    run --container-name="sand$root" $root --container-mounts="$T/go:/go" sh -c "
        (readlink /proc/self/ns/mnt; id -u) >$T/go/outside; sleep 3 &
        exec unshare -Urm sh -c 'readlink /proc/self/ns/mnt >$T/go/inside; sleep 3'" >"$T/sandbox" 2>&1 &
    wait_for 10 test -s "$T/go/inside" || diagnose "$(cat "$T/sandbox")"
    prints "${root:-plain}: a sandbox inside is not joined" "$(cat "$T/go/outside")" \
        run --container-name="sand$root:exec" sh -c 'readlink /proc/self/ns/mnt; id -u'
    wait $!
    rm "$T/go/inside"
done

# ---- of other users -----------------------------------------------------------------------

holds first --container-name=a
exit_is 'another user cannot join' 1 run2 --container-name=a:exec echo ran
error_line 'he is told that there is none' "${vitrine}container a does not run on this node"
try run2 --container-name=a --container-image="$image" sh -c 'cat /file 2>/dev/null; echo own'
is 'his of the same name is another' "$rc $out" '0 own'
exit_is 'he cannot look into it' 2 as_user2 ls "$rooms/user/$uid"
exit_is 'nor list whose there are' 2 as_user2 ls "$rooms/user"
step=$(as_root squeue -h -s -u "$USER1" -o %i | head -n 1)
exit_is 'he cannot join by the step' 1 run2 --container-name="$step" echo ran
error_line 'he is told that none runs' "${vitrine}no container of step $step runs on this node$"
release first late

# ---- JOB.STEP -----------------------------------------------------------------------------

holds unnamed --container-image="$image" --container-writable
step=$(as_root squeue -h -s -u "$USER1" -o %i | head -n 1)
prints 'join a step of another job' "$(cat "$T/go/unnamed.up")" run --container-name="$step" readlink /proc/self/ns/mnt
prints 'with exec' "$(cat "$T/go/unnamed.up")" run --container-name="$step:exec" readlink /proc/self/ns/mnt
release unnamed
refused 'join a step that is over' "${vitrine}no container of step $step runs on this node$" --container-name="$step"
try as_user salloc -Q -n2 --overcommit -w "$node" bash -c '
    srun -Q -n1 --overlap --container-image='"$image"' sh -c "readlink /proc/self/ns/mnt; sleep 3" &
    sleep 1
    srun -Q -n1 --overlap --container-name=$SLURM_JOB_ID.0 readlink /proc/self/ns/mnt
    wait'
is 'join a step of one'\''s own job with --overlap' "$rc $(sort -u <<<"$out" | wc -l) $(wc -l <<<"$out")" '0 1 2' || show_try

# ---- fake root ----------------------------------------------------------------------------

prints 'as a fake root' '0 0' run --container-name=fake --container-image="$image" --container-remap-root \
    sh -c 'mkdir /d && chmod 700 /d && touch /d/f && chown 7:8 /d/f; echo $(id -u) $(id -g)'
holds fake --container-name=fake --container-remap-root
prints 'who joins him is root, too' "0 $(cat "$T/go/fake.up")" run --container-name=fake \
    sh -c "echo \$(id -u) \$(readlink /proc/self/ns/mnt)"
prints 'no_exec, too' '0 /d/f' run --container-name=fake:no_exec sh -c "echo \$(id -u) \$(ls /d/f)"
release fake

run --container-name=a --container-mounts="$T/go" unshare -U sh -c "
    echo >$T/go/boxed.up; until [ -e $T/go/boxed ]; do sleep 0.1; done" >"$T/held.boxed" 2>&1 &
held[boxed]=$!
wait_for 10 test -s "$T/go/boxed.up"
prints 'join where all are in a user namespace of their own' "$uid" run --container-name=a id -u
release boxed

# ---- rules --------------------------------------------------------------------------------

conf "ContainerDir=$rooms" ContainerScope=user "PartitionName=imaged Image=$image Required=yes"
prints 'a required image: its container' failed run -p imaged --container-name=a cat /file
prints 'a new one' ran run -p imaged --container-name=req echo ran
prints 'outside, of another image' ran run --container-name=gz --container-image="$other" echo ran
refused 'a container of another image' "${vitrine}container gz is made from image $other, not from $image" -p imaged --container-name=gz
conf "ContainerDir=$rooms" ContainerScope=user
holds gz -p imaged --container-name=gz
holds unnamed -p imaged --container-image="$other"
conf "ContainerDir=$rooms" ContainerScope=user "PartitionName=imaged Image=$image Required=yes"
refused 'that runs' "${vitrine}container gz is made from image $other, not from $image" -p imaged --container-name=gz
refused 'that runs, with no_exec' "${vitrine}container gz is made from image $other, not from $image" -p imaged --container-name=gz:no_exec
for step in $(as_root squeue -h -s -u "$USER1" -o %i); do
    refused "the container of step $step, of another image" "${vitrine}(container $step has the image that its step chose|no container of step $step runs)" \
        -p imaged --container-name="$step"
done
release gz
release unnamed
holds req -p imaged --container-name=req
prints 'the one that runs' "$(cat "$T/go/req.up")" run -p imaged --container-name=req readlink /proc/self/ns/mnt
release req

# ---- ContainerDir -------------------------------------------------------------------------

rm -rf "$T/bad"
conf "ContainerDir=$T/bad/none"
refused 'ContainerDir without a parent' "${vitrine}cannot keep containers in $T/bad/none \(ContainerDir\): No such file" \
    --container-image="$image" --container-name=a
conf "ContainerDir=$T/bad"
prints 'ContainerDir is made' ran run --container-image="$image" --container-name=a echo ran
is 'as root'\''s' "$(stat -c '%U %a' "$T/bad")" 'root 711'
unfit="${vitrine}cannot keep containers in $T/bad \(ContainerDir\): $T/bad must (not be writable by group or others, but has mode|belong to root, but belongs to uid) [0-9]+$"
chmod 1777 "$T/bad"
refused 'world-writable' "$unfit" --container-image="$image" --container-name=a
chmod 771 "$T/bad"
refused 'group-writable' "$unfit" --container-image="$image" --container-name=a
chmod 755 "$T/bad" && chown "$USER1" "$T/bad"
refused 'not root'\''s' "$unfit" --container-image="$image" --container-name=a
prints 'who names none does not mind' ran run --container-image="$image" echo ran
rm -rf "$T/bad"
touch "$T/bad"
refused 'no directory' "${vitrine}cannot keep containers in $T/bad \(ContainerDir\): Not a directory" \
    --container-image="$image" --container-name=a
rm "$T/bad"

done_testing
