#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Kill -9 of each process that takes part in a container, at each stage: the step ends with an
# error, the node goes on, and (the harness checks that) nothing at all is left.
# serial
# timeout: 240
. "$(dirname "$0")/lib.sh"

private_cluster -n 1
node=$NODES
slurmd=$(cat "$VITRINE_CLUSTER/slurmd.$node.pid")
trusted=$(make_image tiny)
untrusted=$(untrusted "$trusted")

srun_in() { # IMAGE [OPTION-OR-COMMAND]...
    as_user timeout 30 srun -Q -w "$node" --container-image="$1" "${@:2}"
}
traced() {
    grep -q '^TracerPid:.*[1-9]' "/proc/$slurmd/status"
}
# inject SYSCALL WHAT: from now on, for each process that slurmd starts, until let_go.
inject() {
    strace -f -qq -o /dev/null -p "$slurmd" -e trace="$1" --inject="$1:$2" 2>/dev/null &
    tracer=$!
    wait_for 10 traced
}
# strace sometimes waits for a process that ended under it: then it is killed, too.
let_go() {
    kill "$tracer" 2>/dev/null
    wait_for 3 tracer_ended || kill -KILL "$tracer" 2>/dev/null
    wait "$tracer" 2>/dev/null
}
tracer_ended() {
    ! kill -0 "$tracer" 2>/dev/null
}

# killed_at IMAGE SYSCALL N VICTIM: whoever makes this call for the Nth time dies there.
killed_at() {
    local what="killed at $2 number $3 ($4)"
    inject "$2" "signal=SIGKILL:when=$3"
    try srun_in "$1" echo ran
    let_go
    [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ -z "$out" ]
    report "$what: the step fails" $? || show_try
    [ "$4" != builder ] ||
        like "$what: the user is told" "$err" \
            "^vitrine: $node: cannot run image $1: the container's builder was killed"
    prints "$what: the next step works" ran srun_in "$1" echo ran
}

for image in "$trusted" "$untrusted"; do
    kind=$(stat -c "image of %U:" "$image")
    echo "# $kind"
    killed_at "$image" fsopen 1 leader
    killed_at "$image" fsconfig 1 leader
    killed_at "$image" fsmount 1 leader
    killed_at "$image" fsopen 2 builder
    killed_at "$image" fsmount 2 builder
    killed_at "$image" unshare 1 builder
    killed_at "$image" open_tree 1 builder
    killed_at "$image" open_tree 4 builder
    killed_at "$image" move_mount 1 builder
    killed_at "$image" move_mount 2 builder
    killed_at "$image" symlinkat 1 builder
    killed_at "$image" move_mount 5 builder
    killed_at "$image" pivot_root 1 builder
    killed_at "$image" umount2 1 builder
    killed_at "$image" setns 1 leader
done
# The FUSE server's process, before it becomes the server.
killed_at "$untrusted" close_range 1 server

# ---- a leader is followed by the next -----------------------------------------------------

# By the real uid: where devices are opened the effective one is root's.
leader_stopped() {
    leader=$(pgrep -U "$USER1" -r T vitrine-task) && [ -n "$leader" ]
}
leader_in_trace() {
    leader=$(pgrep -U "$USER1" -r t,T vitrine-task) && [ -n "$leader" ]
}
for image in "$trusted" "$untrusted"; do
    inject fsopen signal=SIGSTOP:when=1
    srun_in "$image" -n4 --overcommit echo ran >"$T/ran" 2>"$T/err" &
    step=$!
    wait_for 10 leader_in_trace
    sleep 0.3 # it is stopped by strace at first, then by the signal
    let_go
    wait_for 10 leader_stopped
    report 'a leader that has stopped' $?
    # shellcheck disable=SC2086 # numbers
    kill -KILL $leader
    wait $step
    [ $? = 137 ]
    report 'is killed: so is the step, by its exit code' $?
    is 'and the three others have run' "$(xargs <"$T/ran")" 'ran ran ran'
done

# ---- while a container is prepared --------------------------------------------------------

srun_in none sleep 60 >/dev/null 2>&1 &
step=$!
task_runs() {
    pgrep -u "$USER1" -x sleep >/dev/null
}
wait_for 10 task_runs
as_root scancel -u "$USER1"
wait $step
bare=$?
wait_for 10 no_jobs
no_server() {
    ! pgrep -u "$USER1" -x vitrine-fuse -r R,S,D,T >/dev/null
}
for image in "$trusted" "$untrusted"; do
    inject unshare signal=SIGSTOP:when=1
    srun_in "$image" echo ran >"$T/ran" 2>"$T/err" &
    step=$!
    wait_for 10 leader_in_trace
    sleep 0.3
    let_go
    wait_for 10 leader_stopped
    report 'a builder that has stopped' $?
    as_root scancel -u "$USER1"
    wait $step
    is 'scancel meanwhile: srun ends as it does on the host' $? $bare
    is 'and nothing has run' "$(cat "$T/ran")" ''
    wait_for 10 no_jobs
    wait_for 5 no_server
    report 'and no server goes on' $?
done

# ---- while tasks run ----------------------------------------------------------------------

base=$(untrusted "$(make_image base)")
srun_in "$base" sh -c 'sleep 2; cat /usr/bin/perl >/dev/null' >"$T/ran" 2>"$T/err" &
step=$!
served() {
    server=$(pgrep -u "$USER1" -x vitrine-fuse -r R,S,D) && [ "$(wc -w <<<"$server")" = 1 ] && pgrep -u "$USER1" -x sleep >/dev/null
}
wait_for 10 served
report 'a FUSE server and a task' $?
kill -KILL "$server"
wait $step
report 'the server is killed: the task has an error' "$(($? == 0))"
like 'and its user knows why' "$(cat "$T/err")" \
    "^(slurmstepd-$node: )?vitrine: $node: the server of image $base ended before the step did"

# A step without slurmstepd is in Slurm's hands; what matters here is that it ends as it does
# on the host, and that a container is gone with its last task.
node_state() {
    as_root sinfo -h -n "$node" -p debug -o %t
}
node_is_idle() {
    [ "$(node_state)" = idle ]
}
for image in none "$trusted" "$untrusted"; do
    srun_in "$image" sleep 60 >/dev/null 2>&1 &
    step=$!
    wait_for 10 task_runs
    # The step's slurmstepd is the parent of its task.
    stepd=$(ps -o ppid= -p "$(pgrep -u "$USER1" -x sleep)")
    kill -KILL $((stepd))
    pkill -KILL -u "$USER1" -x sleep
    as_root scancel -u "$USER1"
    wait $step
    codes=${codes-}" $?"
    wait_for 20 no_jobs
    states=${states-}" $(node_state)"
    as_root scontrol update nodename="$node" state=resume 2>/dev/null
    wait_for 10 node_is_idle
done
read -r bare first second <<<"$codes"
is 'slurmstepd is killed: exit codes are those of the host' "$first $second" "$bare $bare"
read -r bare first second <<<"$states"
is 'and so is the state of the node' "$first $second" "$bare $bare"
prints 'the node goes on' ran srun_in "$untrusted" echo ran

done_testing
