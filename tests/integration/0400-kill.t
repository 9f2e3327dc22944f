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
node_state() {
    as_root sinfo -h -n "$node" -p debug -o %t
}
node_is_idle() {
    [ "$(node_state)" = idle ]
}
# all_gone NAME: no mount, no loop device, no process but an srun that may yet wait for its
# step; files in the spool are Slurm's.
all_gone() {
    wait_for 5 nothing_of_ours
    report "$1: nothing is left" $? ||
        diagnose "$(diff <(of_the_node <<<"$before") <(echo "$after"))"
}
nothing_of_ours() {
    after=$("$integration/leftovers" --all "$USER1" "$USER2" | of_the_node)
    [ "$after" = "$(of_the_node <<<"$before")" ]
}
of_the_node() {
    grep -vE '^(file|process [^ ]+ +(timeout [0-9]+ )?srun) '
}

traced() {
    grep -q '^TracerPid:.*[1-9]' "/proc/$slurmd/status"
}
# inject SYSCALL WHAT: from now on, for each process that slurmd starts, until let_go. Only
# calls that Slurm does not make, or not so often; and strace must not look into memory that a FUSE server which
# it traces has yet to fill, as it would with the calls of a task.
inject() {
    : >"$T/strace"
    strace -f -qq -o "$T/strace" -p "$slurmd" -e trace="$1" --inject="$1:$2" 2>/dev/null &
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

# killed_at IMAGE SYSCALL N VICTIM [SRUN-OPTION]...: whoever makes this call for the Nth time
# dies there.
killed_at() {
    local what="killed at $2 number $3 ($4)"
    inject "$2" "signal=SIGKILL:when=$3"
    try srun_in "$1" "${@:5}" echo ran
    let_go
    grep -q 'killed by SIGKILL' "$T/strace" && [ "$rc" != 124 ] && [ -z "$out" ]
    report "$what: nothing has run" $? || show_try
    case $4 in
    leader) is "$what: srun's exit code" "$rc" 137 ;;
    *)
        is "$what: srun's exit code" "$rc" 1
        error_line "$what: the user is told in one line" "$(words_of "$4" "$1")"
        ;;
    esac
    all_gone "$what"
    prints "$what: the next step works" ran srun_in "$1" echo ran
}
words_of() { # VICTIM IMAGE
    local words="vitrine: $node: cannot run image $2:"
    case $1 in
    builder) echo "^$words the container's builder was killed before it was done$" ;;
    server) echo "^$words .*(not connected|aborted)" ;;
    esac
}

# begin IMAGE ARGUMENT...: a step in the background.
begin() {
    srun_in "$@" >"$T/ran" 2>"$T/err" &
    step=$!
}
# finish: waits for it; then $out, $err and $rc are as after a try.
finish() {
    wait "$step"
    rc=$? tried='the step in the background' out=$(cat "$T/ran") err=$(without_waits <"$T/err")
}
# stop_at SYSCALL N IMAGE ARGUMENT...: a step whose process $stopped has just made this call.
stop_at() {
    inject "$1" "signal=SIGSTOP:when=$2"
    begin "${@:3}"
    wait_for 10 has_stopped 1
    let_go
    wait_for 10 is_stopped "$stopped"
    report "stopped at $1 number $2" $?
}
has_stopped() { # HOW-MANY
    [ "$(grep -c 'stopped by SIGSTOP' "$T/strace")" -ge "$1" ] &&
        stopped=$(awk '/stopped by SIGSTOP/ { pid = $1 } END { print pid }' "$T/strace")
}
is_stopped() {
    [ "$(ps -o stat= -p "$1" | cut -c1)" = T ]
}
parent_of() {
    echo $(($(ps -o ppid= -p "$1")))
}

for image in "$trusted" "$untrusted"; do
    kind=$(stat -c "image of %U:" "$image")
    echo "# $kind"
    killed_at "$image" fsopen 1 leader
    killed_at "$image" fsconfig 1 leader
    killed_at "$image" fsmount 1 leader
    killed_at "$image" unshare 1 builder
    killed_at "$image" sendmsg 1 builder
    killed_at "$image" fsopen 2 builder
    killed_at "$image" fsmount 2 builder
    killed_at "$image" open_tree 1 builder
    killed_at "$image" open_tree 4 builder
    killed_at "$image" move_mount 1 builder
    killed_at "$image" move_mount 2 builder
    killed_at "$image" symlinkat 1 builder
    killed_at "$image" mkdirat 30 builder
    killed_at "$image" move_mount 5 builder
    killed_at "$image" pivot_root 1 builder -n4 --overcommit
    killed_at "$image" umount2 1 builder
    killed_at "$image" sendmsg 2 builder
    killed_at "$image" setns 1 leader
done
# The FUSE server's process before it becomes the server (nobody else resets all signals),
# and the server itself. Slurm's processes, too, call close_range, but less often.
killed_at "$untrusted" rt_sigaction 50 server
killed_at "$untrusted" close_range 3 server

# ---- a leader is followed by the next -----------------------------------------------------

# followed NAME: its step of four tasks has lost the first.
followed() {
    finish
    is "$1: so is the step, by its exit code" "$rc" 137
    is "$1: the three others have run" "$(xargs <<<"$out")" 'ran ran ran'
    all_gone "$1"
}
for image in "$trusted" "$untrusted"; do
    stop_at fsopen 1 "$image" -n4 --overcommit echo ran
    kill -KILL "$stopped"
    followed 'a leader is killed as he mounts'

    # Before the builder could be told to die with him: it notices that nobody listens.
    stop_at unshare 1 "$image" -n4 --overcommit echo ran
    kill -KILL "$(parent_of "$stopped")"
    kill -CONT "$stopped"
    followed 'a leader is killed who has a new builder'

    stop_at pivot_root 1 "$image" -n4 --overcommit echo ran
    kill -KILL "$(parent_of "$stopped")"
    followed 'a leader is killed who has a builder'

    # The builder stops first, after its answer; then the leader, who has left the descriptor
    # for the others but not said so.
    inject sendmsg signal=SIGSTOP:when=2
    begin "$image" -n4 --overcommit echo ran
    wait_for 10 has_stopped 1 && kill -CONT "$stopped"
    wait_for 10 has_stopped 2
    let_go
    wait_for 10 is_stopped "$stopped"
    report 'stopped before it is said that the container is ready' $?
    kill -KILL "$stopped"
    followed 'a leader is killed just before he says that he is ready'

    # All stop when they have joined.
    inject setns signal=SIGSTOP:when=1
    begin "$image" -n4 --overcommit echo ran
    wait_for 10 has_stopped 4
    let_go
    wait_for 10 is_stopped "$stopped"
    report 'four tasks have joined' $?
    kill -KILL "$stopped"
    awk '/stopped by SIGSTOP/ { print $1 }' "$T/strace" | xargs kill -CONT 2>/dev/null
    followed 'a task is killed after it has joined'
done

# ---- while a container is prepared --------------------------------------------------------

task_runs() {
    pgrep -u "$USER1" -x sleep >/dev/null
}
begin none sleep 60
wait_for 10 task_runs
as_root scancel -u "$USER1"
finish
bare=$rc
wait_for 10 no_jobs
for image in "$trusted" "$untrusted"; do
    for call in unshare pivot_root; do
        stop_at "$call" 1 "$image" echo ran
        as_root scancel -u "$USER1"
        finish
        is 'scancel meanwhile: srun ends as it does on the host' "$rc" "$bare"
        is 'and nothing has run' "$out" ''
        wait_for 10 no_jobs
        all_gone 'scancel meanwhile'
    done
done

# The server, while the builder works with what it serves, and when that is done.
for call in unshare pivot_root; do
    stop_at "$call" 1 "$untrusted" echo ran
    kill -KILL "$(pgrep -u "$USER1" -x vitrine-fuse -r R,S,D)"
    kill -CONT "$stopped"
    finish
    [ "$rc" != 0 ] && [ "$rc" != 124 ] && [ -z "$out" ]
    report 'the server is killed meanwhile: the step fails' $? || show_try
    like 'its user is told' "$err" "^(slurmstepd[^ ]*: )?vitrine: $node: .*$untrusted"
    all_gone 'the server is killed meanwhile'
done

# ---- while tasks run ----------------------------------------------------------------------

base=$(untrusted "$(make_image base)")
begin "$base" sh -c 'sleep 2; cat /usr/bin/perl >/dev/null'
served() {
    server=$(pgrep -u "$USER1" -x vitrine-fuse -r R,S,D) && [ "$(wc -w <<<"$server")" = 1 ] &&
        task_runs
}
wait_for 10 served
report 'a FUSE server and a task' $?
kill -KILL "$server"
finish
report 'the server is killed: the task has an error' "$((rc == 0))"
like 'and its user knows why' "$err" \
    "^(slurmstepd-$node: )?vitrine: $node: the server of image $base ended before the step did"

# A step without slurmstepd is in Slurm's hands; what matters here is that it ends as it does
# on the host, and that a container is gone with its last task.
# orphaned NAME SLURMSTEPD: what is left of a step whose slurmstepd is killed now.
orphaned() {
    kill -KILL "$2"
    [ ! -e "/proc/${stopped:-none}" ] || kill -CONT "$stopped"
    pkill -KILL -u "$USER1" -x sleep
    all_gone "$1"
    as_root scancel -u "$USER1"
    finish
    wait_for 20 no_jobs
    ends+=("$rc $(node_state)")
    as_root scontrol update nodename="$node" state=resume 2>/dev/null
    wait_for 10 node_is_idle
}
ends=()
for image in none "$trusted" "$untrusted"; do
    stopped=''
    begin "$image" sleep 60
    wait_for 10 task_runs
    orphaned 'slurmstepd is killed' "$(parent_of "$(pgrep -u "$USER1" -x sleep)")"
done
# Its task goes on to where it needs slurmstepd, or to its program, which soon ends.
for image in "$trusted" "$untrusted"; do
    for call in unshare pivot_root; do
        stop_at "$call" 1 "$image" sleep 1
        orphaned 'slurmstepd is killed meanwhile' "$(parent_of "$(parent_of "$stopped")")"
    done
done
is 'without slurmstepd exit codes and the state of the node are those of the host' \
    "$(printf '%s\n' "${ends[@]}" | sort -u)" "${ends[0]}"
prints 'the node goes on' ran srun_in "$untrusted" echo ran

done_testing
