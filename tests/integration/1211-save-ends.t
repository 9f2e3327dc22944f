#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A save that comes to nothing: the old file is untouched, nothing else is there, the user is
# told if he is still there to be told, and neither job nor node waits for it.
# serial
# timeout: 240
# shellcheck disable=SC2016 # variables of commands in containers
. "$(dirname "$0")/lib.sh"

private_cluster -n 1
node=$NODES
base=$(make_image tiny)
home=$(getent passwd "$USER1" | cut -d: -f6)
file=$home/saved.sqfs
vitrine="^(slurmstepd[^ ]*: |srun: )?(error: )?vitrine: ($node: )?"

srun_in() { # [SRUN-OPTION]... COMMAND
    as_user timeout 60 srun -Q -n1 -w "$node" --container-image="$base" --container-writable --container-save="$file" "$@"
}
begin() {
    as_user sh -c "rm -f $home/*; echo old >$file"
    inode=$(stat -c %i "$file")
    srun_in "$@" >"$T/ran" 2>"$T/err" &
    step=$!
}
finish() {
    wait "$step"
    rc=$? tried='the step in the background' out=$(cat "$T/ran") err=$(without_waits <"$T/err")
}
no_jobs() {
    [ -z "$(as_root squeue -h -u "$USER1,$USER2" -o '%i %T')" ]
}
no_saver() {
    ! pgrep -x vitrine-save -u "$USER1" >/dev/null
}
untouched() { # NAME
    wait_for 10 no_saver
    report "$1: nobody saves any more" $? || diagnose "$(pgrep -a -u "$USER1")"
    is "$1: the old file is what it was" "$(head -c 20 "$file" | tr -d "\0") $(stat -c %i "$file")" "old $inode"
    is "$1: nothing else is there" "$(ls -A "$home")" saved.sqfs
    wait_for 20 no_jobs
    report "$1: the job has ended" $?
    is "$1: the node is well" "$(as_root sinfo -h -n "$node" -p debug -o %t)" idle
}
saver_stops() {
    saver=$(pgrep -x vitrine-save -u "$USER1") && kill -STOP "$saver"
}
task_ends() {
    [ -e "$home/done" ] && ! pgrep -u "$USER1" -x sleep >/dev/null
}
# stopped_save: a step whose task has ended, and whose container is being saved for ever.
stopped_save() {
    begin sh -c "head -c 3000000 /dev/urandom >/big; until test -e $home/go; do sleep 0.1; done; rm $home/go"
    wait_for 10 saver_stops
    report "$1: the process is there that will save" $?
    as_user touch "$home/go"
    wait_for 10 gone
    sleep 0.3
}
gone() {
    [ ! -e "$home/go" ] && ! pgrep -u "$USER1" -x sh >/dev/null
}
stepd() {
    pgrep -f "^slurmstepd: \[[0-9]+\.0\]" | while read -r pid; do
        grep -qsz "^SLURM_CONF=$SLURM_CONF" "/proc/$pid/environ" && echo "$pid"
    done
}

# ---- while tasks run ----------------------------------------------------------------------

runs() {
    pgrep -u "$USER1" -x sleep >/dev/null
}
begin sleep 60
wait_for 10 runs
as_root scancel -u "$USER1"
finish
untouched scancel

begin sleep 60
wait_for 10 runs
pkill -KILL -u "$USER1" -x sleep
finish
is 'a killed task: its exit code' "$rc" 137
like 'a killed task: the user is told' "$err" "${vitrine}the container is not saved to $file, because a task was killed$"
untouched 'a killed task'

begin sleep 1
wait_for 10 runs
pkill -KILL -u "$USER1" -x vitrine-save
finish
is 'the saving process killed early: exit code' "$rc" 0
error_line 'the user is told' "${vitrine}the process that saves the container was killed \(out of memory\?\); an old file is unchanged$"
untouched 'the saving process killed early'

begin sleep 60
wait_for 10 runs
kill -KILL "$(ps -o ppid= -p "$(pgrep -u "$USER1" -x sleep)")"
pkill -KILL -u "$USER1" -x sleep
as_root scancel -u "$USER1"
finish
as_root scontrol update nodename="$node" state=resume 2>/dev/null
untouched 'slurmstepd killed while the task ran'

# ---- while it saves -----------------------------------------------------------------------

stopped_save 'killed'
kill -KILL "$saver"
finish
is 'the saving process killed: exit code' "$rc" 0
error_line 'the user is told' "${vitrine}the process that saves the container was killed \(out of memory\?\); an old file is unchanged$"
untouched 'the saving process killed'

stopped_save scancel
begin_s=$SECONDS
as_root scancel -u "$USER1"
wait_for 30 no_jobs
report 'scancel while it saves ends the job' $?
diagnose "after $((SECONDS - begin_s)) s"
kill -CONT "$saver" 2>/dev/null
finish
untouched 'scancel while it saves'

stopped_save slurmstepd
killed=$(stepd | head -n 1) # the other waits for it
has_let_go() {
    [ -z "$(ls "/proc/$killed/fd" 2>/dev/null)" ]
}
kill -KILL "$killed"
wait_for 10 has_let_go
kill -CONT "$saver"
as_root scancel -u "$USER1"
finish
as_root scontrol update nodename="$node" state=resume 2>/dev/null
untouched 'slurmstepd killed while it saves'

# ---- a full disk --------------------------------------------------------------------------

mkdir "$T/disk"
mount -t tmpfs -o size=1m,mode=777 none "$T/disk"
as_user sh -c "echo old >$T/disk/x"
inode=$(stat -c %i "$T/disk/x")
try as_user srun -Q -n1 -w "$node" --container-image="$base" --container-writable --container-save="$T/disk/x" \
    sh -c 'head -c 3000000 /dev/urandom >/big'
is 'a full disk: exit code' "$rc" 0
error_line 'the user is told' "${vitrine}cannot save to x: /big: the new file cannot be written: No space left on device; the old file is unchanged$"
is 'the old file is what it was' "$(cat "$T/disk/x") $(stat -c %i "$T/disk/x") $(ls -A "$T/disk")" "old $inode x"
umount "$T/disk"

done_testing
