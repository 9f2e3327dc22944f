#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# What else Slurm can put around a task: a private /tmp and /dev/shm for each job
# (job_container/tmpfs), and cgroups with their limits on devices and memory.
. "$(dirname "$0")/lib.sh"

tiny=$(make_image tiny) || exit
fuse=$(untrusted "$tiny") || exit
tiny_id='. /etc/os-release && echo $ID'
mark=vitrine-$slot
clean_up() {
    rm -f "/tmp/$mark"* "/dev/shm/$mark"*
    at_end
}
trap clean_up EXIT

alive() { pgrep -r D,R,S,T,t -u "$USER1" "$@"; }
no_server() { ! alive -x vitrine-fuse >/dev/null; }

# allocation NAME: as $job, until release.
allocation() {
    as_user salloc -Q --no-shell -J "$1" "${@:2}"
    job=$(as_user squeue -h -n "$1" -t R -o %A)
}

release() {
    as_user scancel "$job"
    wait_for 10 job_is_over "$job"
}

# step IMAGE COMMAND: in the allocation.
step() {
    as_user srun --overlap --jobid="$job" --container-image="$1" sh -c "$2"
}

# ---- private /tmp and /dev/shm ------------------------------------------------------------

private_cluster --tmpfs-container
config=$VITRINE_CLUSTER/vitrine.conf
touch "/tmp/$mark-host" "/dev/shm/$mark-host"

allocation one
prints "the job's /tmp is empty, not the host's" 0 step "$tiny" 'ls -A /tmp | wc -l'
prints 'so is its /dev/shm' 0 step "$tiny" 'ls -A /dev/shm | wc -l'
ok 'files from the host' step none "echo host >/tmp/$mark-a; echo host >/dev/shm/$mark-a"
prints 'are seen inside' $'host\nhost' step "$tiny" "cat /tmp/$mark-a /dev/shm/$mark-a"
ok 'files from inside' step "$tiny" "echo inside >/tmp/$mark-b; echo inside >/dev/shm/$mark-b"
prints 'are seen on the host' $'inside\ninside' step none "cat /tmp/$mark-b /dev/shm/$mark-b"
prints 'and in another image' $'inside\ninside' step "$fuse" "cat /tmp/$mark-b /dev/shm/$mark-b"
is 'by nobody else' "$(cd / && ls /tmp/"$mark"* /dev/shm/"$mark"*)" \
    "/dev/shm/$mark-host"$'\n'"/tmp/$mark-host"
prints 'a step on /tmp as its working directory' "/tmp $mark-a $mark-b" \
    as_user srun --overlap --jobid="$job" -D /tmp --container-image="$tiny" sh -c 'echo $(pwd; ls)'
is 'with the same owner and mode' "$(step "$tiny" 'stat -c "%u %g %a" /tmp /dev/shm')" \
    "$(step none 'stat -c "%u %g %a" /tmp /dev/shm')"

for kind in FUSE kernel; do
    [ $kind = FUSE ] || echo KernelMount=always >"$config"
    ok "an image in the job's /tmp, $kind" step none "cp $tiny /tmp/$mark.sqfs"
    prints "works, $kind" "tiny $mark-a $mark-b $mark.sqfs" \
        step "/tmp/$mark.sqfs" "$tiny_id | tr '\n' ' '; echo \$(ls /tmp)"
    prints "by relative path, $kind" tiny as_user srun --overlap --jobid="$job" -D /tmp \
        --container-image="./$mark.sqfs" sh -c "$tiny_id"
done
prints 'another job has a /tmp of its own' $'0\n0' as_user srun --container-image="$tiny" \
    sh -c 'ls -A /tmp | wc -l; ls -A /dev/shm | wc -l'
: >"$config"
exit_is 'and not the image' 1 as_user srun -w "${NODES% *}" --container-image="/tmp/$mark.sqfs" true
error_line 'which is said' "${NODES% *}: cannot find image /tmp/$mark.sqfs: no such file"
release

try_batch --container-image="$tiny" <<END
#!/bin/sh
$tiny_id
echo script >/tmp/$mark-batch
ls -A /tmp
srun cat /tmp/$mark-batch
srun -N2 -n2 --container-image=none sh -c 'ls /tmp' 2>/dev/null
srun --container-image=none cp $tiny /tmp/$mark.sqfs
srun --container-image=/tmp/$mark.sqfs sh -c '$tiny_id; ls -A /tmp'
END
is 'a batch job and its steps share one' "$out" "tiny
$mark-batch
script
tiny
$mark-batch
$mark.sqfs"
prints 'one on each of two nodes' '2' as_user sh -c "srun -N2 --container-image=$tiny \
    sh -c 'echo \$SLURMD_NODENAME >/tmp/$mark; cat /tmp/*' | sort -u | wc -l"
is "the host's own are untouched" "$(ls /tmp/"$mark"* /dev/shm/"$mark"*)" \
    "/dev/shm/$mark-host"$'\n'"/tmp/$mark-host"
wait_for 10 no_jobs
no_private() { [ -z "$(find "$VITRINE_CLUSTER"/private.* -mindepth 1 -name '[0-9]*')" ]; }
wait_for 5 no_private
report "jobs' directories are gone" $? || diagnose "$(find "$VITRINE_CLUSTER"/private.*)"

# ---- cgroups ------------------------------------------------------------------------------

[ -d /sys/fs/cgroup/freezer ] || { skip 'cgroups' 'no cgroup v1 here' && done_testing && exit; }
shared_cluster
private_cluster --cgroup
config=$VITRINE_CLUSTER/vitrine.conf
gpus=$VITRINE_CLUSTER/dev
groups() { find /sys/fs/cgroup/*/"slurm_${NODES%% *}" -path '*job_*' -type d 2>/dev/null; }
no_groups() { [ -z "$(groups)" ]; }

# inside IMAGE [SRUN-OPTION]... COMMAND
inside() {
    as_user srun -w "${NODES%% *}" --container-image="$1" "${@:2:$#-2}" sh -c "${!#}"
}
of_task() { inside "$1" "cat /proc/self/cgroup" | sed 's/job_[0-9]*/job_N/'; }
bare=$(of_task none)
like 'Slurm has cgroups for tasks' "$bare" '/job_N/step_0/task_0$'
is "a task's cgroups are the same inside" "$(of_task "$tiny")" "$bare"
is 'with FUSE, too' "$(of_task "$fuse")" "$bare"

use="for i in 0 1; do head -c 0 $gpus/fakegpu\$i 2>/dev/null && echo gpu \$i; done; echo end"
for wish in '' --gres=gpu:1 --gres=gpu:2; do
    # shellcheck disable=SC2086 # may be nothing
    bare=$(inside none $wish "$use")
    for image in "$tiny" "$fuse"; do
        # shellcheck disable=SC2086
        is "devices with '$wish' in $(stat -c %U "$image")'s image" "$(inside "$image" $wish "$use")" "$bare"
    done
done
is 'all of them where asked for' "$bare" $'gpu 0\ngpu 1\nend'
is 'none where not' "$(inside "$tiny" "$use")" end
prints 'the memory limit' "$((1024 * 1024 * 1024))" inside "$tiny" \
    'cat /sys/fs/cgroup/memory$(sed -n "s/.*:memory:\(.*\)\/task_0$/\1/p" /proc/self/cgroup)/memory.limit_in_bytes'

# Says where it is, what it gets, and that the image is there.
cat <<'END' | as_user tee listen.sh >/dev/null
for signal in HUP INT TERM USR1; do
    trap "echo got $signal; cat /etc/os-release >/dev/null || echo 'image is gone'" $signal
done
echo "$SLURM_JOB_ID" >ready.new && mv ready.new ready
n=0
while [ $n -lt 300 ]; do
    [ ! -e enough ] || exit 4
    sleep 0.1
    n=$((n + 1))
done
END
home=$(getent passwd "$USER1" | cut -d: -f6)
ready() { [ -e "$home/ready" ]; }
said() { grep -q "$1" "$T/.out"; }
started() {
    rm -f "$home/ready" "$home/enough"
    tried=$*
    "$top/contrib/cluster/run" --user "$USER1" srun -w "${NODES%% *}" "$@" sh listen.sh \
        >"$T/.out" 2>"$T/.err" &
    pid=$!
    wait_for 10 ready || diagnose "not ready: $(cat "$T/.err")"
    job=$(cat "$home/ready")
}

started --container-image="$fuse"
server=$(alive -x vitrine-fuse)
like 'the FUSE server is one process' "$server" '^[0-9]+$'
like "in a step's cgroups" "$(sed 's/^[0-9]*://' "/proc/$server/cgroup")" \
    "^freezer:/slurm_.*/job_$job/step_0(/task_[0-9]+)?$"
is 'all of them' "$(sed "s/job_$job/job_N/; s/^[0-9]*://" "/proc/$server/cgroup" | grep -c job_N)" \
    "$(grep -c job_N <<<"$(of_task none)")"
for signal in USR1 INT HUP; do
    as_user scancel --signal=$signal "$job.0"
    wait_for 5 said "got $signal"
done
as_user touch enough
wait "$pid"
is 'the task ends with' "$?" 4
no_server
report 'so does the FUSE server' $?
is 'signals arrive, the image stays' "$(xargs <"$T/.out")" 'got USR1 got INT got HUP'
wait_for 5 no_groups
report 'no cgroup is left' $? || diagnose "$(groups)"

for image in "$tiny" "$fuse"; do
    whose=$(stat -c %U "$image")
    started --container-image="$image" -n4 --overcommit
    ok "scancel, image of $whose" as_user scancel "$job"
    four() { [ "$(wc -l <"$T/.out")" = 4 ]; }
    wait_for 5 four
    as_user touch enough
    wait_for 10 job_is_over "$job"
    report 'ends the job' $?
    wait_for 1 no_server
    report 'and the server' $? || diagnose "$(alive -a)"
    ! alive -x sh >/dev/null
    report 'and all tasks' $? || diagnose "$(alive -a)"
    wait "$pid"
    is 'all tasks got TERM' "$(sort "$T/.out" | uniq -c | xargs)" '4 got TERM'
    wait_for 5 no_groups
    report 'no cgroup is left' $? || diagnose "$(groups)"

    # Children of a task that the task has left behind.
    ok "left-behind children, image of $whose" inside "$image" \
        '(trap "" HUP TERM; setsid sh -c "sleep 100 & sleep 100" >/dev/null 2>&1 </dev/null &) ; exit 0'
    wait_for 10 no_jobs
    ! alive -x sleep >/dev/null
    report 'are killed with the step' $? || diagnose "$(alive -a)"
    wait_for 1 no_server
    report 'no server is left' $? || diagnose "$(alive -a)"
    wait_for 5 no_groups
    report 'no cgroup is left' $? || diagnose "$(groups)"

    # A job that is not ready yet.
    "$top/contrib/cluster/run" --user "$USER1" srun --container-image="$image" sleep 100 \
        >"$T/.out" 2>"$T/.err" &
    pid=$!
    has_job() { [ -n "$(as_user squeue -h -t R -o %A)" ]; }
    wait_for 5 has_job
    as_user scancel -u "$USER1"
    wait "$pid"
    wait_for 10 no_jobs
    report 'scancel while it starts' $?
    wait_for 5 no_groups
    report 'no cgroup is left' $? || diagnose "$(groups)"
done

job=$(as_user sbatch --parsable -w "${NODES%% *}" -o batch.out --container-image="$fuse" \
    --wrap "cat /proc/self/cgroup; srun sleep 100")
runs() { alive -x sleep >/dev/null; }
wait_for 10 runs
is 'a batch job has a server for the script and one for the step' "$(alive -x vitrine-fuse | wc -l)" 2
like 'the script is in its cgroup' "$(cat "$home/batch.out")" "/job_$job/step_batch"
as_user scancel "$job"
wait_for 10 job_is_over "$job"
wait_for 1 no_server
report 'scancel ends both servers' $? || diagnose "$(alive -a)"
wait_for 5 no_groups
report 'no cgroup is left' $? || diagnose "$(groups)"

done_testing
