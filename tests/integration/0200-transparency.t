#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A task cannot tell from what it observes that it is in a container: the probe runs bare and in
# an image of the same distribution, and what it prints must be equal but for the list below.
# The cluster is the test's own, so that each run gets the same node and CPUs.
# timeout: 300
. "$(dirname "$0")/lib.sh"
home=$(getent passwd "$USER1" | cut -d: -f6)

# ---- what may differ ------------------------------------------------------------------------

# allow KEY VALUE REASON (regular expressions): inside, this observable may be so. What no run
# needs any more fails the test, so that the list stays honest.
allowed=()
allow() {
    allowed+=("$1"$'\t'"$2"$'\t'"$3")
}

allow 'ns\.mnt' 'mnt:\[[0-9]+\]' \
    'the container is a mount namespace'
allow 'prctl\.no_new_privs|status\.NoNewPrivs' 1 \
    'what makes a mount tree of the user safe, as setuid programs trust their files'
allow 'may\.setuid_program' EPERM \
    'follows from no_new_privs'
allow 'mount\.(/|/bin/sh|/etc|/etc/[a-z]+|/home|/mnt|/opt|/root|/run|/srv|/usr/bin|/var/run)' \
    'type 0x(794c7630|65735546|73717368|ef53), flags 0x102[67]' \
    "the image's own directories, without setuid programs and devices"
allow 'may\.write\.(/|/etc|/home|/opt|/run|/usr|/usr/bin|/var/lib)' EROFS \
    'an image is read-only: a more precise answer than EACCES'
allow 'checksum\./etc/(passwd|group)' '[0-9a-f]{16}' \
    "the image's users, to which this user and his groups are added"
allow 'name\.group\.[0-9]+' "vitrine-[ab]:[0-9]+: $USER1" \
    'the other members of a group have no names inside'
allow 'env\.PATH' '/.*' \
    "the image's directories come first (checked below: none is lost)"
allow 'env\.SLURM_VITRINE_DIR' "$home(/work)?" \
    'where a relative image name in a later step is looked up'
allow 'env\.(VITRINE_IMAGE|SLURM_VITRINE_IMAGE)' '/.*' \
    'which image an environment is made for, so that steps inside take it as it is'
allow 'env\.VITRINE_HOST_PATH' '.*' \
    'what a step that leaves the image gets back'
allow 'env\.SLURM_SPANK__SLURM_SPANK_OPTION_vitrine_container_image' '.*' \
    "how Slurm carries the option to a job's steps"

# What changes from run to run, also without a container.
hide_volatile() {
    sed -E -e 's/^(env\.SLURM_(JOB_?ID|JOB_SLUID|STEP_?ID|JOB_START_TIME|JOB_END_TIME)): .*/\1: */' \
        -e 's/^(env\.SLURM_(TASK_PID|SRUN_COMM_PORT|STEP_LAUNCHER_PORT|PTY_PORT)): .*/\1: */' \
        -e '/^proc\.self\.(cgroup|cpuset):/s/(job|step|task)_[0-9]+/\1_*/g' | tr -d '\r'
}

# ---- comparing ------------------------------------------------------------------------------

# value_of KEY FILE
value_of() {
    awk -v key="$1: " 'index($0, key) == 1 { print substr($0, length(key) + 1); exit }' "$2"
}

# is_allowed KEY VALUE: and remembers which entry was needed; in a file, from a subshell.
is_allowed() {
    local i key value
    for i in "${!allowed[@]}"; do
        IFS=$'\t' read -r key value _ <<<"${allowed[i]}"
        if [[ $1 =~ ^($key)$ && $2 =~ ^($value)$ ]]; then
            echo "$i" >>"$T/needed"
            return
        fi
    done
    return 1
}

# unexpected BARE INSIDE: what differs and may not, for a reader.
unexpected() {
    local key value
    diff "$1" "$2" | sed -nE 's/^[<>] ([^ ]+( of task .)?): .*/\1/p' | sort -u |
        while read -r key; do
            value=$(value_of "$key" "$2")
            is_allowed "$key" "$value" || printf '%s\n  bare:   %s\n  inside: %s\n' \
                "$key" "$(value_of "$key" "$1")" "$value"
        done
}

# observe FILE CMD...: what the probe prints; fails unless it came to its end, and quietly.
observe() {
    "${@:2}" >"$1.raw" 2>"$T/errors.raw"
    rc=$?
    without_waits <"$T/errors.raw" >"$T/errors"
    hide_volatile <"$1.raw" >"$1"
    if [ "$rc" != 0 ] || [ -s "$T/errors" ] || [ "$(wc -l <"$1")" -lt "${least:-400}" ]; then
        diagnose "command: ${*:2}" "exit code: $rc" "$(tail "$1")" "$(cat "$T/errors")"
        return 1
    fi
}

# compare NAME FUNCTION IMAGE: FUNCTION runs the probe with the options that it gets.
compare() {
    local found='no output to compare' rc
    if observe "$T/bare" "$2" && observe "$T/inside" "$2" --container-image="$3"; then
        found=$(unexpected "$T/bare" "$T/inside")
    fi
    [ -z "$found" ]
    report "$1" $? || diagnose "$found"
}

# path_of FILE: sorted, without a directory of Slurm's daemons, which has no use inside.
path_of() {
    value_of env.PATH "$1" | tr : '\n' | grep -vx "$SLURM_PREFIX/sbin" | sort
}

# ---- ways to run the probe ------------------------------------------------------------------

# Out of the ordinary wherever something could get lost.
# shellcheck disable=SC2016 # for the other shell
odd_user() {
    as_user bash -c 'umask 027 && cd work && ulimit -S -c 1000 -n 900 -s 7000 &&
        export PATH=$PWD:$PATH && exec "$@"' bash \
        env EMPTY= ODD=$'two\nlines = "quoted" $x' TZ=America/St_Johns LC_TIME=C "$@"
}

by_srun() {
    odd_user srun "$@" "$T/probe" "$T/probe-setuid"
}

# batch COMMAND [SBATCH-OPTION]...
batch() {
    try_batch -J probe -D "$home/work" "${@:2}" <<END
#!/bin/sh
umask 077
$1
END
    printf '%s\n' "$out"
    printf '%s' "$err" >&2
    return "$rc"
}

by_sbatch() {
    batch "exec $T/probe $T/probe-setuid" "$@"
}

by_step_of_batch() {
    batch "ulimit -S -n 800; exec srun $T/probe $T/probe-setuid" "$@"
}

# Its input is silent but does not end: script would send ^D into the terminal.
by_pty() {
    [ -p "$T/silence" ] || mkfifo "$T/silence"
    as_user script -qec "stty rows 33 cols 101 && exec srun --pty $* $T/probe $T/probe-setuid" \
        /dev/null <>"$T/silence"
}

by_peers() {
    as_user sh -c 'rm -rf peers && mkdir peers' &&
        as_user srun -n 2 -N 1 --label "$@" "$T/probe" --peer "$home/peers" |
        sed -E 's/^([01]): ([^ ]+): /\2 of task \1: /' | sort
}

# The image is the site's default, and the user has not heard of it.
by_default() {
    echo "${1:+Image=${1#*=}}" >"$VITRINE_CLUSTER/vitrine.conf"
    by_sbatch -p debug && by_srun -p debug
}

# On a node whose steps are in cgroups.
by_constrained_srun() {
    as_user srun -w "${NODES%% *}" -c 2 --mem=512 --gres=gpu:1 "$@" "$T/probe" "$T/probe-setuid"
}

# ---- the test -------------------------------------------------------------------------------

base=$(make_image base) || exit
ok 'the probe compiles' gcc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$T/probe" \
    "$integration"/probe*.c
install -m 4755 "$T/probe" "$T/probe-setuid"
as_user mkdir work
as_user chmod 2750 work
private_cluster

observe "$T/bare" by_srun && observe "$T/again" by_srun
is 'two bare runs print the same' "$(diff "$T/bare" "$T/again")" ''

compare 'srun' by_srun "$base"
is 'PATH has all directories of before' "$(path_of "$T/inside")" "$(path_of "$T/bare")"
compare 'srun, an image that the kernel may not parse' by_srun "$(untrusted "$base")"
compare 'srun, a directory' by_srun "$(make_image base.dir)"
compare 'sbatch' by_sbatch "$base"
compare 'srun in sbatch' by_step_of_batch "$base"
compare 'srun --pty' by_pty "$base"
compare 'an image by default' by_default "$base"
: >"$VITRINE_CLUSTER/vitrine.conf"
least=60 compare 'two tasks see each other' by_peers "$base"
is 'they met' "$(grep -c '^peer.met of task .: yes' "$T/inside")" 2

if [ -d /sys/fs/cgroup/freezer ]; then
    private_cluster --cgroup
    compare 'srun in cgroups' by_constrained_srun "$base"
    like 'in the cgroup of the step' "$(grep ^proc.self.cgroup "$T/inside")" 'memory:[^|]*/step_'
else
    skip 'srun in cgroups' 'no cgroup v1 here'
fi

for i in "${!allowed[@]}"; do
    IFS=$'\t' read -r key _ reason <<<"${allowed[i]}"
    grep -qx "$i" "$T/needed"
    report "still needed: $key: $reason" $?
done

done_testing
