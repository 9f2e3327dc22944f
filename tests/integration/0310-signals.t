#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signals and exit codes are what they are on the host, with a trusted image (the kernel's
# SquashFS) and with one of the user's own (FUSE), whose server must live through all of it
# and end with the step.
. "$(dirname "$0")/lib.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
kernel=$(make_image tiny) || exit
fuse=$(untrusted "$kernel") || exit
kinds='kernel fuse'

# Zombies are for init to bury.
alive() { pgrep -r D,R,S,T,t -u "$@"; }
no_server() { ! alive "$USER1" -x vitrine-fuse >/dev/null; }
no_task() { ! alive "$USER1" -x sh >/dev/null; }
# Right away: srun must not return before the server has ended.
server_gone() {
    no_server
    report "$1: no FUSE server is left" $? || diagnose "$(alive "$USER1" -a)"
}

in_home() {
    as_user tee "$home/$1" >/dev/null
}

# What srun says, in no certain order, without numbers of jobs, nodes and times.
normal() {
    sed -E 's/StepId=[0-9.]+/StepId=/; s/\*\*\* STEP .* (CANCELLED|FAILED).*/STEP \1/
        s/^(slurmstepd-[^:]*:|\[.*\]) error/slurmstepd: error/; s/error: [^ ]+: task/error: task/
        /: job [0-9]+ (queued|has been allocated)/d' <<<"$err" | sort
}

# as_bare NAME COMMAND...: how it ends, and what it and srun print, is the same in each image
# as on the host; %IMAGE% in the arguments stands for that.
as_bare() {
    local kind bare
    try "${@:2}" none
    bare="$rc,$out,$(normal)"
    for kind in $kinds; do
        try "${@:2}" "${!kind}"
        is "$1, $kind" "$rc,$out,$(normal)" "$bare"
        server_gone "$1, $kind"
    done
}

# ---- the time limit -----------------------------------------------------------------------

# Begins here and is looked at in the end: slurmctld looks for jobs that are over time twice
# a minute. The jobs are USER2's, as all else looks at what USER1's tasks leave. KillWait is
# 2 s.
home2=$(getent passwd "$USER2" | cut -d: -f6)
as_user2 tee limit.sh >/dev/null <<'END'
trap 'echo task got TERM; cat /etc/os-release' TERM
touch "started-$1"
while :; do sleep 0.1; done
END
for kind in $kinds; do
    job=$(as_user2 sbatch --parsable -t 10 -o "limit-$kind.out" --container-image="${!kind}" \
        --wrap "srun sh limit.sh $kind")
    wait_for 10 test -e "$home2/started-$kind"
    as_root scontrol update "jobid=$job" endtime=now+1
    declare "limit_$kind=$job"
done

# ---- exit codes and death by signals ------------------------------------------------------

# step SRUN-ARGUMENT... IMAGE
step() {
    as_user srun --container-image="${!#}" "${@:1:$#-1}"
}

for code in 0 1 2 37 126 127 128 255; do
    for kind in $kinds; do
        exit_is "exit code $code, $kind" $code step sh -c "exit $code" "${!kind}"
    done
done
server_gone 'exit codes'

echo 'exit "$1"' | in_home exit.sh
echo '0-255 sh exit.sh %t' >"$T/codes"
# One by one: srun puts tasks that end at the same time into one line.
each_code() {
    local list code n
    sed -nE 's/^srun: error: .*: tasks? ([0-9,-]+): Exited with exit code ([0-9]+)$/\1 \2/p' |
        while read -r list code; do
            for n in ${list//,/ }; do
                seq "${n%-*}" "${n#*-}" | sed "s/\$/ $code/"
            done
        done | sort -n
}
for kind in $kinds; do
    exit_is "256 tasks, the highest code is srun's, $kind" 255 \
        step -n256 --overcommit --multi-prog "$T/codes" "${!kind}"
    is "and each has its own, $kind" "$(each_code <<<"$err")" "$(seq 255 | sed 's/.*/& &/')"
done
server_gone 'all exit codes'

# Every signal that kills, as far as srun can tell them apart. Perl has no signal handlers of
# its own, as shells have; it only ignores SIGFPE (8).
base=$(make_image base) || exit
base_fuse=$(untrusted "$base") || exit
deadly='1 2 3 4 5 6 7 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 50 64'
printf '%s\n' 'kill shift, $$;' 'sleep 10;' 'exit 99' | in_home die.pl
i=0
for signal in $deadly; do
    echo "$i perl die.pl $signal"
    i=$((i + 1))
done >"$T/signals"
deaths() {
    as_user sh -c 'ulimit -c 0; exec srun "$@"' - --container-image="$1" -n "$i" --overcommit \
        --multi-prog "$T/signals"
}
kernel=$base fuse=$base_fuse as_bare 'death by each deadly signal' deaths
is 'by all of them' "$(grep -c ': task [0-9]*: [A-Z]' <<<"$err")" "$i"
unlike 'at once' "$err$out" 99
echo 'ulimit -c 0; kill -"$1" $$; sleep 10' | in_home die.sh
for signal in 6 8 9 11 15; do
    as_bare "death by signal $signal" step sh die.sh $signal
done

# A core file is the user's, and where it is without a container.
core() {
    rm -rf "$home/core.d"
    as_user mkdir "$home/core.d"
    as_user sh -c 'ulimit -c unlimited; exec srun --container-image="$1" -D core.d \
        sh -c "kill -ABRT \$\$"' - "$1"
    local code=$?
    find "$home/core.d" -type f -printf 'core of %u, mode %m\n'
    return $code
}
as_bare 'a core dump' core

# ---- signals to srun ----------------------------------------------------------------------

# Says what it gets; goes on after the first, so that srun has to insist. It has read nothing
# of the image for a while, and does so after each signal (busybox itself is in memory).
cat <<'END' | in_home listen.sh
for signal in HUP INT TERM USR1 USR2; do
    trap "echo got $signal; cat /etc/passwd >/dev/null || echo 'image is gone'" $signal
done
echo "$$ $SLURM_JOB_ID" >ready.new && mv ready.new ready
n=0
while [ $n -lt 100 ]; do
    [ ! -e enough ] || exit 4
    sleep 0.1
    n=$((n + 1))
done
exit 5
END
ready() { [ -e "$home/ready" ]; }
said() { grep -q "$1" "$T/.out"; }

# started CMD...: runs it in the background, as $pid, until the listener is ready.
started() {
    rm -f "$home/ready" "$home/enough"
    tried=$*
    "$top/contrib/cluster/run" --user "$USER1" "$@" >"$T/.out" 2>"$T/.err" &
    pid=$!
    wait_for 10 ready || diagnose "not ready: $*" "$(cat "$T/.err")"
    read -r task job <"$home/ready"
}

# ended: waits for it; then as after try.
ended() {
    wait "$pid"
    rc=$?
    out=$(cat "$T/.out") err=$(cat "$T/.err")
}

# signalled SIGNAL IMAGE: one to srun, which decides what the tasks get; for SIGINT twice.
signalled() {
    started srun --container-image="$2" sh listen.sh
    kill -"$1" "$pid"
    if [ "$1" = INT ]; then
        wait_for 5 grep -q 'one more within' "$T/.err"
        kill -INT "$pid"
    fi
    wait "$pid"
    local code=$?
    cat "$T/.out"
    cat "$T/.err" >&2
    return $code
}
for signal in TERM INT HUP QUIT; do
    signalled "$signal" none >"$T/bare.out" 2>"$T/bare.err"
    # Whether a task still tells of INT before the second one kills it is a race, bare too.
    bare=$?,$(grep got "$T/bare.out" | grep -v INT)
    for kind in $kinds; do
        signalled "$signal" "${!kind}" >"$T/contained.out" 2>"$T/contained.err"
        is "SIG$signal to srun, $kind" "$?,$(grep got "$T/contained.out" | grep -v INT)" "$bare"
        unlike "SIG$signal to srun, $kind: the image stays" "$(cat "$T/contained.out")" gone
        server_gone "SIG$signal to srun, $kind"
    done
done
like 'as on the host' "$bare" '^[1-9]'
for signal in USR1 USR2; do
    for kind in $kinds; do
        started srun --container-image="${!kind}" sh listen.sh
        kill -"$signal" "$pid"
        wait_for 5 said "got $signal"
        as_user touch enough
        ended
        is "srun passes on SIG$signal, $kind" "$rc $out" "4 got $signal"
        server_gone "SIG$signal, $kind"
    done
done

# The terminal's Ctrl-C goes to srun, or with --pty to the task alone.
cat >"$T/expect" <<END
set timeout 15
spawn -noecho $top/contrib/cluster/run --user $USER1 env {PS1=ready> } \\
    srun --pty --container-image=$fuse sh
expect ready>
send "sleep 100; cat /etc/os-release\r"
sleep 0.3
send "\003"
expect ready>
send "cat /etc/os-release; exit 6\r"
expect "Tiny 1" {} timeout {exit 1}
expect eof
exit [lindex [wait] 3]
END
exit_is 'Ctrl-C under --pty reaches no FUSE server' 6 expect "$T/expect"
server_gone 'Ctrl-C under --pty'

# ---- scancel ------------------------------------------------------------------------------

for kind in $kinds; do
    started srun --container-image="${!kind}" sh listen.sh
    ok "scancel --signal=USR1 to the step, $kind" as_user scancel --signal=USR1 "$job.0"
    wait_for 5 grep -q 'got USR1' "$T/.out" || diagnose 'no USR1'
    for signal in INT USR2 HUP; do
        as_user scancel --signal="$signal" "$job"
        # Signals that come together may be one.
        wait_for 5 grep -q "got $signal" "$T/.out" || diagnose "no $signal"
    done
    as_user touch enough
    tried="scancel --signal" && ended
    is "each arrives once, $kind" "$rc $(xargs <<<"$out")" '4 got USR1 got INT got USR2 got HUP'
    server_gone "scancel --signal, $kind"
done

# cancelled IMAGE: srun may return before the tasks have ended.
cancelled() {
    started srun --container-image="$1" sh listen.sh
    as_user scancel "$job"
    wait_for 5 said 'got TERM'
    as_user touch enough
    ended
    wait_for 10 no_task
    echo "$rc $out"
}
killed() {
    started srun --container-image="$1" sh listen.sh
    as_user scancel --signal=KILL "$job.0"
    ended
    echo "$rc $out"
}
bare_cancelled=$(cancelled none)
bare_killed=$(killed none)
is 'scancel: TERM first' "${bare_cancelled#* }" 'got TERM'
is 'scancel: KILL' "$bare_killed" '137 '
for kind in $kinds; do
    is "scancel as bare, $kind" "$(cancelled "${!kind}")" "$bare_cancelled"
    wait_for 1 no_server
    server_gone "scancel, $kind"
    is "scancel --signal=KILL of the step as bare, $kind" "$(killed "${!kind}")" "$bare_killed"
    server_gone "scancel --signal=KILL, $kind"
done

# A batch job: the script and its step.
for kind in $kinds; do
    rm -f "$home/ready" "$home/enough" "$home/batch.out"
    job=$(as_user sbatch --parsable -o batch.out --container-image="${!kind}" --wrap \
        'trap "echo batch got USR1" USR1; srun sh listen.sh & wait; wait; echo "end $?"')
    wait_for 10 ready
    as_user scancel --batch --signal=USR1 "$job"
    wait_for 5 grep -q 'batch got' "$home/batch.out"
    as_user scancel --signal=USR2 "$job"
    wait_for 5 grep -q 'got USR2' "$home/batch.out"
    as_user touch enough
    wait_for 10 job_is_over "$job"
    is "signals to a batch script and its step, $kind" \
        "$(grep -E '^(batch )?got' "$home/batch.out")" $'batch got USR1\ngot USR2'
    is "which then ends, $kind" "$(job_field "$job" JobState)" COMPLETED
    wait_for 5 no_server
    server_gone "batch, $kind"
done

# ---- suspend ------------------------------------------------------------------------------

is_stopped() { [[ $(ps -o stat= -p "$task") == T* ]]; }
# Slurm needs a moment to believe in the step again.
step_gets_usr1() { as_user scancel --signal=USR1 "$job.0" 2>/dev/null && wait_for 2 said 'got USR1'; }
for kind in $kinds; do
    started srun --container-image="${!kind}" sh listen.sh
    ok "suspend, $kind" as_root scontrol suspend "$job"
    wait_for 10 is_stopped
    report "tasks stand still, $kind" $? || diagnose "$(ps -fu "$USER1")"
    ok "resume, $kind" as_root scontrol resume "$job"
    wait_for 10 step_gets_usr1
    as_user touch enough
    ended
    is "and go on, with the image, $kind" "$rc $out" '4 got USR1'
    server_gone "suspend, $kind"
done

# ---- the time limit, again ----------------------------------------------------------------

nothing_of_user2() { ! alive "$USER2" >/dev/null; }
for kind in $kinds; do
    job=limit_$kind
    wait_for 60 job_is_over "${!job}"
    is "a job that runs out of time, $kind" "$(job_field "${!job}" JobState)" TIMEOUT
    like "its tasks are told first, $kind" "$(xargs <"$home2/limit-$kind.out")" \
        'task got TERM (.* )?ID=tiny'
done
wait_for 5 nothing_of_user2
report 'time limit: no task and no server is left' $? || diagnose "$(ps -fu "$USER2")"

done_testing
