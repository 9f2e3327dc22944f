#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How named containers begin and end: by whom they are removed, and what becomes of them when
# somebody is killed, or many start at once.
# serial
# timeout: 300
# shellcheck disable=SC2016 # variables of commands in containers
. "$(dirname "$0")/lib.sh"

private_cluster -n 1
node=$NODES
slurmd=$(cat "$VITRINE_CLUSTER/slurmd.$node.pid")
rooms=$T/rooms
boot=$(cat /proc/sys/kernel/random/boot_id)
image=$(make_image tiny)
other=$(make_image tiny -comp gzip)
vitrine="^(slurmstepd[^ ]*: |srun: )?(error: )?vitrine: ($node: )?"

conf() { # LINE...
    printf '%s\n' "ImageDir=$IMAGES" "ContainerDir=$rooms" "$@" >"$VITRINE_CLUSTER/vitrine.conf"
}
run() { # [SRUN-OPTION]... COMMAND
    as_user timeout 60 srun -Q -n1 -w "$node" "$@"
}
# in_job COMMAND: a job with several steps, which `step` starts in the named container a.
in_job() {
    as_user timeout 60 salloc -Q -n4 --overcommit -w "$node" bash -c "
        step() { srun -Q -n1 --overlap --container-name=\"\$@\"; }; $1"
}
jobs_left() {
    ls "$rooms/job/$boot" 2>/dev/null
}
no_jobs_left() {
    [ -z "$(jobs_left)" ]
}
all_removed() {
    wait_for 10 no_jobs_left
    report "$1: the epilog has removed the container" $? || diagnose "$(find "$rooms/job" -ls | head -n 20)"
}

# ---- scope: a job -------------------------------------------------------------------------

conf
try in_job "step a --container-image=$image sh -c 'echo 1 >/file'; step a cat /file
    ls -d $rooms/job/$boot/\$SLURM_JOB_ID/a; step b:create --container-image=$other echo ran"
like 'the steps of a job share' "$rc $(xargs <<<"$out")" "^0 1 $rooms/job/$boot/[0-9]+/a ran$"
all_removed 'a job ends'
try run --container-name=a cat /file
error_line 'another job has none' "${vitrine}there is no container a on this node; make it with --container-image$"
all_removed 'a job that made none ends'
try_batch -n1 -w "$node" --container-name=a --container-image="$image" <<'END'
#!/bin/sh
echo batch >/file
srun -Q -n1 --overlap cat /file
END
is 'a batch script and its steps' "$rc $out" '0 batch'
all_removed 'a batch job ends'

with_ranges
try in_job "step a --container-image=$image --container-remap-root sh -c '
    mkdir -p /d/e/f && touch /d/e/f/x && chown -R 5:6 /d && chmod 000 /d/e/f /d/e /d && mkfifo /p && ln -s / /root/link'"
is 'files of subordinate ids' "$rc" 0 || show_try
all_removed 'with files of subordinate ids'
without_ranges
try in_job "step a --container-image=$image --container-remap-root sh -c 'mkdir -p /d/e && chmod 000 /d/e /d; id -u'"
is 'without subordinate ids' "$rc $out" '0 0' || show_try
all_removed 'without subordinate ids'
with_ranges

install -d -m 777 "$T/others" && touch "$T/others/file" && chmod 644 "$T/others/file"
install -d -m 1777 "$T/public" && touch "$T/public/file"
install -d -m 755 -o "$USER1" "$T/own" && as_user touch "$T/own/file"
try in_job "step a --container-image=$image true; cd $rooms/job/$boot/\$SLURM_JOB_ID
    ln -s $T/public up1; ln -s $T/public/file up2; ln -s / a/upper/root; ln $T/own/file hard
    mkdir -p a/deep/\$(seq -s / 1 300); mkdir -m 000 a/upper/none; mv a/work $T/own/moved
    mkdir there; unshare -Urm sh -c 'mount --bind $T/public there; sleep 2' & sleep 0.5"
all_removed 'links, mounts, depth, what was moved out'
is 'files of others are there' "$(find "$T/others" "$T/public" -type f | wc -l)" 2
is 'what a user has elsewhere is there' "$(cd "$T/own" && echo *)" 'file moved'

# Directories change their names while they are removed.
as_user sh -c "
    cd $T/own; until test -e job; do sleep 0.01; done; cd \$(cat job) && mkdir -p game && cd game || exit
    while test -e $T/own/job; do
        mkdir -p x/y/z; mv x/y ../v; ln -s $T/public x/y; rm -f x/y; mv ../v x/y; rm -rf x
    done" 2>/dev/null &
game=$!
try in_job "step a --container-image=$image sh -c 'mkdir -p /t; for i in \$(seq 2000); do mkdir -p /t/\$i/u; done'
    echo $rooms/job/$boot/\$SLURM_JOB_ID >$T/own/job.new; mv $T/own/job.new $T/own/job; sleep 0.5"
wait_for 10 no_jobs
report 'a rename game does not hold up the epilog' $?
rm "$T/own/job"
wait "$game"
is 'nothing of others is lost by it' "$(find "$T/others" "$T/public" -type f | wc -l)" 2
rm -rf "${rooms:?}/job/$boot"/*

as_user timeout 30 srun -Q -n1 -w "$node" --container-name=a --container-image="$image" sh -c "sleep 60 & sleep 60" &
task_runs() {
    pgrep -u "$USER1" -x sleep >/dev/null
}
no_task() {
    ! task_runs
}
no_jobs() {
    [ -z "$(as_root squeue -h -u "$USER1,$USER2" -o '%i %T')" ]
}
wait_for 10 task_runs
as_root scancel -u "$USER1"
wait $!
wait_for 20 no_jobs
all_removed 'after scancel'
run --container-name=a --container-image="$image" sleep 60 >/dev/null 2>&1 &
wait_for 10 task_runs
kill -KILL "$(ps -o ppid= -p "$(pgrep -u "$USER1" -x sleep)" | xargs)"
as_root scancel -u "$USER1"
pkill -KILL -u "$USER1" -x sleep
wait $!
wait_for 30 no_jobs
all_removed 'after slurmstepd was killed'
as_root scontrol update nodename="$node" state=resume 2>/dev/null

# ---- jobs of another boot -----------------------------------------------------------------

old=$rooms/job/01234567-89ab-cdef-0123-456789abcdef
install -d -m 711 "$old"
install -d -m 700 -o "$USER1" -g "$USER1" "$old/7" "$old/7/a" "$old/7/a/upper"
install -d -m 700 -o "$USER2" -g "$USER2" "$old/8" "$old/8/b"
install -d -m 700 "$old/9" # root's: its maker was killed
ln -s "$T/public" "$old/8/b/link"
# What an epilog could not remove, because the user ended its child.
install -d -m 700 -o "$USER1" -g "$USER1" "$rooms/job/$boot/ended.99" "$rooms/job/$boot/ended.99/a"
touch "$rooms/job/$boot/unrelated" "$rooms/job/file"
prints 'a job' ran run echo ran
wait_for 10 test ! -e "$old"
report 'whatever job ends, those of another boot are removed' $? || diagnose "$(find "$rooms/job" -ls)"
wait_for 10 test ! -e "$rooms/job/$boot/ended.99"
report 'and what an earlier epilog left' $?
report 'and nothing else' "$([ -e "$rooms/job/$boot/unrelated" ] && [ -e "$T/public/file" ]; echo $?)"
rm "$rooms/job/$boot/unrelated" "$rooms/job/file"
install -d -m 700 -o "$USER1" "$old" "$old/7"
chattr +i "$old/7" 2>/dev/null
prints 'what cannot be removed' ran run echo ran
wait_for 10 no_jobs
is 'drains no node' "$(as_root sinfo -h -n "$node" -p debug -o %t)" idle
chattr -i "$old/7" 2>/dev/null
conf 'ContainerScope=nonsense'
exit_is 'a job whose steps fail' 1 run echo ran
wait_for 10 no_jobs
is 'a broken vitrine.conf drains no node in the epilog' "$(as_root sinfo -h -n "$node" -p debug -o %t)" idle

# ---- scope: a user ------------------------------------------------------------------------

conf ContainerScope=user
prints 'of one job' ran run --container-name=a --container-image="$image" sh -c 'echo 1 >/file; echo ran'
wait_for 10 no_jobs
prints 'for the next' 1 run --container-name=a cat /file
is 'no job has any' "$(jobs_left)" ''

# ---- preparation fails --------------------------------------------------------------------

kept() {
    find "$rooms/user/$(id -u "$USER1")" -mindepth 1 -maxdepth 1 ! -name a -printf '%f\n'
}
gone() { # NAME SRUN-ARGUMENT...
    try run --container-name=f --container-image="$image" "${@:2}"
    [ "$rc" != 0 ] && [ -z "$(kept)" ]
    report "$1: nothing exists" $? || { show_try && diagnose "$(kept)"; }
}
gone 'a mount that is not there' --container-mounts=/nowhere echo ran
gone 'a file that cannot be saved to' --container-save=/proc/x echo ran
gone 'a working directory that is none' --container-image=/nowhere.sqfs echo ran
cp -a "$IMAGES/tiny.dir" "$T/entry"
mkdir "$T/entry/.vitrine"
printf 'entrypoint=%s\0' /bin/sh -c 'echo made >/made; exit 3' >"$T/entry/.vitrine/config"
pack "$T/entry" "$T/entry.sqfs" && chmod 644 "$T/entry.sqfs"
try run --container-name=f --container-image="$T/entry.sqfs" --container-entrypoint echo ran
is 'an entry point that fails: nothing exists' "$((rc != 0)) $(kept)" '1 ' || show_try

# What a killed one has begun does not get into what is made next.
uid=$(id -u "$USER1")
begun() { # FILE-IN-UPPER
    as_user sh -c "umask 077; mkdir -p $rooms/user/$uid/g/upper/dir $rooms/user/$uid/g/work/work && echo old >$rooms/user/$uid/g/upper/old &&
        chmod 000 $rooms/user/$uid/g/work/work $rooms/user/$uid/g/upper/dir; touch $rooms/user/$uid/g/lock $rooms/user/$uid/g/image.new"
}
begun
prints 'a stale beginning' none run --container-name=g:create --container-image="$image" sh -c 'test -e /old || echo none'
rm -rf "$rooms/user/$uid/g"

# ---- somebody is killed -------------------------------------------------------------------

traced() {
    grep -q '^TracerPid:.*[1-9]' "/proc/$slurmd/status"
}
# killed_at SYSCALL N: the leader is killed there, while it makes a container.
killed_at() {
    strace -f -qq -o "$T/strace" -p "$slurmd" -e trace="$1" --inject="$1:signal=SIGKILL:when=$2" 2>/dev/null &
    tracer=$!
    wait_for 10 traced
    try run --container-name=k --container-image="$image" echo ran
    kill "$tracer"
    wait "$tracer" 2>/dev/null
    grep -q 'killed by SIGKILL' "$T/strace" && [ "$rc" != 0 ] && [ -z "$out" ]
    report "killed at $1 number $2: nothing has run" $? || show_try
    prints "killed at $1 number $2: the next step has it" 'ran' run --container-name=k --container-image="$image" \
        sh -c 'test ! -e /once && touch /once && echo ran'
    prints 'and the next' 'again' run --container-name=k sh -c 'test -e /once && echo again'
    rm -rf "$rooms/user/$uid/k"
}
killed_at fsopen 1
killed_at unshare 1
killed_at fsmount 2
killed_at pivot_root 1
killed_at umount2 1
killed_at fsync 1
killed_at setns 1

# slurmstepd is killed, its task lives: nobody may mount what it uses a second time.
prints 'made' ran run --container-name=o --container-image="$image" echo ran
run --container-name=o sh -c 'readlink /proc/self/ns/mnt >/ns; sleep 60; true' >/dev/null 2>&1 &
orphaned=$!
wait_for 10 task_runs
task=$(pgrep -u "$USER1" -x sleep)
stepd=$(ps -o ppid= -p "$(ps -o ppid= -p "$task" | xargs)" | xargs)
kill -KILL "$stepd"
prints 'slurmstepd was killed, its task is joined' "$(readlink "/proc/$task/ns/mnt")" \
    run --container-name=o:exec readlink /proc/self/ns/mnt
pkill -KILL -u "$USER1" -x sleep
as_root scancel -u "$USER1"
wait "$orphaned"
wait_for 30 no_jobs
as_root scontrol update nodename="$node" state=resume 2>/dev/null
prints 'when that has ended it starts anew' "mnt" run --container-name=o sh -c 'cut -d: -f1 /ns'

# ---- many at once -------------------------------------------------------------------------

for round in 1 2; do
    pids=()
    for i in $(seq 50); do
        name=m$((i % 5))
        run --container-name=$name --container-image="$image" sh -c "
            echo made >/log.$i; ln /log.$i /log 2>/dev/null; rm /log.$i; echo $i >>/log; sleep 0.1
            grep -qx $i /log && head -n 1 /log" >"$T/many.$i" 2>&1 &
        pids+=($!)
    done
    bad=0
    for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
    is "50 starts of 5 containers, round $round: none fails" $bad 0 || diagnose "$(cat "$T"/many.*)"
    is 'all have seen one beginning' "$(sort "$T"/many.* | uniq -c | xargs)" '50 made'
done
for i in 0 1 2 3 4; do
    prints "m$i holds what all wrote" '21 1' run --container-name=m$i sh -c 'echo $(wc -l </log) $(grep -c made /log)'
done

chattr -R -i "$rooms" 2>/dev/null
done_testing
