#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All options but the image: what is refused before a node is asked for, where an option may
# come from, and that the node gets all of it, whatever Slurm loses on the way.
# timeout: 300
. "$(dirname "$0")/lib.sh"

image=$(make_image tiny) || exit
node=${NODES%% *}
# What the tasks see of the options that count, the image first.
cat >"$T/seen" <<'SH'
#!/bin/sh
list() {
    env | sed -n 's/^SLURM_VITRINE_\(.*=.\)/\1/p' | grep "$@" | sort
}
echo $(list '^IMAGE='; list -v -e '^IMAGE=' -e '^DIR=')
SH
chmod 755 "$T/seen"
seen=$T/seen

# ---- refused at submission ----------------------------------------------------------------

# refused NAME MESSAGE CMD...: no job, no task, and the first line says why.
refused() {
    try as_user timeout 30 "${@:3}"
    [ "$rc" != 0 ] && [ -z "$out" ]
    report "$1" $? || show_try
    is "$1: the reason" "$(head -n 1 <<<"$err")" "vitrine: $2"
}


# bad OPTION VALUE MESSAGE: on the command lines of all three commands, and by a variable.
bad() {
    local variable=${1#--container-}
    variable=${variable//-/_} variable=${variable^^}
    refused "srun $1=$2" "$1: $3" srun "$1=$2" true
    [ -n "$2" ] || return
    refused "VITRINE_CONTAINER_$variable=$2" "VITRINE_CONTAINER_$variable: $3" \
        env "VITRINE_CONTAINER_$variable=$2" srun true
    refused "PYXIS_CONTAINER_$variable=$2" "PYXIS_CONTAINER_$variable: $3" \
        env "PYXIS_CONTAINER_$variable=$2" "VITRINE_CONTAINER_$variable=" srun true
}

bad --container-workdir '' 'the value is empty'
bad --container-workdir data 'give an absolute path in the container, not data'
bad --container-workdir ./data 'give an absolute path in the container, not ./data'
bad --container-name '' 'the value is empty'
bad --container-name a:run 'after the name give auto, create, exec or no_exec, not run'
bad --container-name a:exec:exec 'after the name give auto, create, exec or no_exec, not exec:exec'
bad --container-save '' 'the value is empty'
for directory in / ./ . .. ../ a/ /home/me/ a/. a/..; do
    bad --container-save "$directory" "give the file to be written; $directory is a directory"
done
bad --container-env '' 'the value is empty'
bad --container-env A=b 'give the names of variables, without values: not A=b'
bad --container-env A,2B "'2B' is not the name of a variable"
bad --container-env A,,B "'' is not the name of a variable"
bad --container-unshare '' 'the value is empty'
bad --container-unshare pid "give net, ipc or uts, not 'pid'"
bad --container-unshare net,user "give net, ipc or uts, not 'user'"
bad --container-unshare net, "give net, ipc or uts, not ''"
bad --container-workdir $'/a\tb' 'the value has a control character in it: /a?b'
refused 'mounts: empty' '--container-mounts: the value is empty' srun --container-mounts= true
refused '--container-writable=yes' \
    '--container-writable: give task, or node, or nothing, not yes' \
    srun --container-writable=yes true
refused 'sbatch' "--container-unshare: give net, ipc or uts, not 'pid'" \
    sbatch --container-unshare=pid --wrap true
refused 'salloc' "--container-unshare: give net, ipc or uts, not 'pid'" \
    salloc --container-unshare=pid true

words='1, true, yes, y, 0, false, no, n'
for variable in MOUNT_HOME REMAP_ROOT ENTRYPOINT ENTRYPOINT_LOG READONLY; do
    for prefix in VITRINE_CONTAINER_ PYXIS_CONTAINER_; do
        refused "$prefix$variable=maybe" "$prefix$variable: maybe is none of $words" \
            env "$prefix$variable=maybe" srun true
    done
done
refused 'VITRINE_CONTAINER_MOUNT_HOME=YES' "VITRINE_CONTAINER_MOUNT_HOME: YES is none of $words" \
    env VITRINE_CONTAINER_MOUNT_HOME=YES srun true
refused 'VITRINE_CONTAINER_READONLY=task' "VITRINE_CONTAINER_READONLY: task is none of $words" \
    env VITRINE_CONTAINER_READONLY=task srun true
refused 'VITRINE_CONTAINER_WRITABLE=maybe' \
    "VITRINE_CONTAINER_WRITABLE: maybe is none of $words, task, node" \
    env VITRINE_CONTAINER_WRITABLE=maybe srun true
prints 'a wrong variable does not matter to an option' yes as_user \
    env VITRINE_CONTAINER_MOUNT_HOME=maybe srun -Q --container-image=none --container-mount-home \
    printenv SLURM_VITRINE_MOUNT_HOME

# ---- contradictions -----------------------------------------------------------------------

# contradict MESSAGE OPTION...: by srun and salloc; sbatch takes the last.
contradict() {
    refused "srun ${*:2}" "$1" srun "${@:2}" true
    refused "salloc ${*:2}" "$1" salloc -Q "${@:2}" true
    try_batch --container-image=none "${@:2}" <<<$'#!/bin/sh\ntrue'
    is "sbatch ${*:2}" "$rc" 0 || show_try
}
contradict '--container-workdir is given twice: /a and /b' \
    --container-workdir=/a --container-workdir=/b
contradict '--container-save is given twice: a and b' --container-save=a --container-save=b
contradict '--container-name is given twice: a and a:exec' \
    --container-name=a --container-name=a:exec
contradict '--container-mount-home and --no-container-mount-home contradict each other' \
    --container-mount-home --no-container-mount-home
contradict '--no-container-remap-root and --container-remap-root contradict each other' \
    --no-container-remap-root --container-remap-root
contradict '--container-entrypoint and --no-container-entrypoint contradict each other' \
    --container-entrypoint --no-container-entrypoint
contradict '--container-writable and --container-readonly contradict each other' \
    --container-writable --container-readonly
contradict '--container-writable is given for the node and for each task' \
    --container-writable --container-writable=task
refused 'in two components' '--container-workdir is given twice: /a and /b' \
    srun -n1 --container-workdir=/a true : -n1 --container-workdir=/b true

# ---- what arrives -------------------------------------------------------------------------

# sees WANT NAME [A=B]... -- [SRUN-OPTION]...: on the host, where nothing else can go wrong.
sees() {
    local want=$1 name=$2 variables=()
    shift 2
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    prints "$name" "IMAGE=none${want:+ $want}" as_user env "${variables[@]}" \
        srun -Q --container-image=none "${@:2}" "$seen"
}

sees '' 'nothing' --
sees 'MOUNTS=/a:/b,/c,/d' 'repeated mounts' -- --container-mounts=/a:/b,/c \
    --container-mounts=/d,/c --container-mounts=/a:/b
sees 'ENV=A,B UNSHARE=net,ipc' 'repeated lists' -- --container-env=A --container-unshare=net \
    --container-env=B,A --container-unshare=ipc
sees 'WRITABLE=yes' 'plain --container-writable' -- --container-writable
sees 'WRITABLE=yes' '--container-writable=node' -- --container-writable=node
sees 'WRITABLE=task' '--container-writable=task' -- --container-writable=task
sees 'WRITABLE=no' '--container-readonly' -- --container-readonly
sees 'ENTRYPOINT=no MOUNT_HOME=no REMAP_ROOT=no' 'switches turned off' -- \
    --no-container-mount-home --no-container-remap-root --no-container-entrypoint
sees 'ENTRYPOINT=yes ENTRYPOINT_LOG=yes MOUNT_HOME=yes REMAP_ROOT=yes' 'and on' -- \
    --container-mount-home --container-remap-root --container-entrypoint \
    --container-entrypoint-log
sees 'NAME=a SAVE=b WORKDIR=/c' 'values' -- --container-name=a --container-save=b \
    --container-workdir=/c --container-workdir=/c

sees 'MOUNTS=/a,/b WORKDIR=/w' 'by variables' VITRINE_CONTAINER_MOUNTS=/a,/b,/a \
    PYXIS_CONTAINER_WORKDIR=/w --
sees 'MOUNTS=/a' 'VITRINE_ over PYXIS_' VITRINE_CONTAINER_MOUNTS=/a PYXIS_CONTAINER_MOUNTS=/b --
sees 'MOUNTS=/b' 'an empty one is unset' VITRINE_CONTAINER_MOUNTS= PYXIS_CONTAINER_MOUNTS=/b --
sees 'MOUNTS=/c' 'options over both' VITRINE_CONTAINER_MOUNTS=/a PYXIS_CONTAINER_MOUNTS=/b -- \
    --container-mounts=/c
sees 'MOUNT_HOME=no' 'its opposite over a variable' VITRINE_CONTAINER_MOUNT_HOME=1 -- \
    --no-container-mount-home
sees 'WRITABLE=no' 'READONLY' PYXIS_CONTAINER_READONLY=y --
sees 'WRITABLE=yes' 'WRITABLE over READONLY' PYXIS_CONTAINER_READONLY=y \
    PYXIS_CONTAINER_WRITABLE=true --
for export in NONE ALL,X=y HOME; do
    sees 'MOUNTS=/a,/b WRITABLE=task' "--export=$export" VITRINE_CONTAINER_WRITABLE=task -- \
        --export=$export --container-mounts=/a --container-mounts=/b
done

# ---- jobs and their steps -----------------------------------------------------------------

cat >"$T/job" <<SH
#!/bin/sh
#SBATCH --container-image=none --container-mounts=/line --container-mount-home
export PATH=$(as_user printenv PATH)
srun -Q $seen
srun -Q --export=NONE $seen
srun -Q --export=NONE --container-mounts=/own --no-container-mount-home $seen
VITRINE_CONTAINER_MOUNTS=/var VITRINE_CONTAINER_WORKDIR=/w srun -Q $seen
srun -Q --export=ALL sh -c 'srun -Q --overlap $seen'
SH
for export in ALL NONE; do
    try_batch --export=$export --container-mounts=/a --container-mounts=/b <"$T/job"
    is "steps inherit, override, and do not merge: --export=$export" "$out" \
        'IMAGE=none MOUNTS=/line,/a,/b MOUNT_HOME=yes
IMAGE=none MOUNTS=/line,/a,/b MOUNT_HOME=yes
IMAGE=none MOUNTS=/own MOUNT_HOME=no
IMAGE=none MOUNTS=/line,/a,/b MOUNT_HOME=yes WORKDIR=/w
IMAGE=none MOUNTS=/line,/a,/b MOUNT_HOME=yes' || show_try
done
prints 'steps of salloc' 'IMAGE=none MOUNTS=/a,/b WRITABLE=task
IMAGE=none MOUNTS=/c WRITABLE=no' \
    as_user salloc -Q --container-image=none --container-mounts=/a --container-mounts=/b \
    --container-writable=task sh -c \
    "srun -Q $seen; srun -Q --container-mounts=/c --container-readonly $seen"
prints 'the image of a step, not the container of its job' 'IMAGE=none' \
    as_user salloc -Q --container-name=a srun -Q --container-image=none "$seen"
prints 'what is taken back stays so in the next step' 'IMAGE=none' \
    as_user salloc -Q --container-name=a srun -Q --container-image=none \
    srun -Q --overlap "$seen"

# A task in a container passes its options on to steps that it starts.
is_inside='[ -e /bin/busybox ] && [ ! -e /var/lib/dpkg ]'
prints 'a step in a step is inside, too' 'inside inside host' as_user srun -Q --overlap \
    --container-image="$image" sh -c "
    ask() { $is_inside && printf 'inside ' || printf 'host'; }
    ask
    srun -Q --overlap sh -c '$is_inside && printf \"inside \" || printf host'
    srun -Q --overlap --container-image=none sh -c '$is_inside && printf inside || printf host'"
prints 'with its other options' \
    "IMAGE=$image ENV=A,B" as_user srun -Q --overlap --container-image="$image" \
    --container-env=A --container-env=B srun -Q --overlap "$seen"
prints 'over a variable' "IMAGE=$image ENV=A" as_user env VITRINE_CONTAINER_ENV=C \
    srun -Q --overlap --container-image="$image" --container-env=A srun -Q --overlap "$seen"

# ---- without an image ---------------------------------------------------------------------

# useless WANT NAME [SRUN-OPTION]...
useless() {
    try as_user srun -Q "${@:3}" echo host
    is "$2: runs on the host" "$rc $(sort -u <<<"$out")" '0 host'
    is "$2: what is said" "$err" "$1"
}
without='without --container-image or --container-name'
useless "vitrine: $node: --container-mounts has no effect $without" 'one option' \
    --container-mounts=/a
useless "vitrine: $node: --container-workdir, --no-container-mount-home have no effect $without" \
    'two, by four tasks on two nodes' -N 2 -n 4 --overcommit --no-container-mount-home \
    --container-workdir=/w
useless '' 'none is asked for' --container-image=none --container-mounts=/a
prints 'variables are no reason to say anything' host as_user \
    env VITRINE_CONTAINER_MOUNTS=/a PYXIS_CONTAINER_WORKDIR=/w srun -Q echo host

done_testing
