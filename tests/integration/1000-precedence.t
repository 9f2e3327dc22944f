#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which image a step runs in, or none: each source against those below it, what steps inherit,
# also where --export loses the options, and what an administrator requires.
# timeout: 300
# srun is quiet (-Q), as it also tells when a job or step has had to wait for a moment.
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1000.$slot # of root, so trusted
clean() {
    rm -rf --one-file-system "$own"
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own"

# Images that differ by their name, which is in this file.
cp -a "$(make_tree tiny)" "$own/tree"
for name in A B C Partition Global Required; do
    echo $name >"$own/tree/name"
    pack "$own/tree" "$own/$name"
done
chmod 644 "$own"/[A-Z]*
A=$own/A B=$own/B C=$own/C
cat >"$T/where" <<'SH'
#!/bin/sh
[ -e /name ] && exec cat /name
echo host
SH
chmod 755 "$T/where"
where=$T/where

printf 'PartitionName=%s Nodes=ALL MaxTime=INFINITE State=UP OverSubscribe=YES\n' \
    plain required >"$T/slurm.conf"
private_cluster -n 1 --slurm-conf "$T/slurm.conf"
node=$NODES
conf=$VITRINE_CLUSTER/vitrine.conf
configure() {
    printf '%s\n' "$@" >"$conf"
}

# Clients without the plugin, as slurmrestd is one: what they set reaches slurmstepd alone.
bare=$T/bare.conf
sed "s|^PlugStackConfig=.*|PlugStackConfig=$T/empty.conf|" "$VITRINE_CLUSTER/slurm.conf" >"$bare"
: >"$T/empty.conf"

# runs WHERE NAME [A=B]... -- [SRUN-OPTION]...
runs() {
    local want=$1 name=$2 variables=()
    shift 2
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    prints "$name" "$want" as_user env "${variables[@]}" srun -Q "${@:2}" "$where"
}

# fails NAME MESSAGE CMD...: the step ends with 1 and this line, and nothing ran.
fails() {
    try as_user timeout 30 "${@:3}"
    [ "$rc" = 1 ] && [ -z "$out" ]
    report "$1" $? || show_try
    is "$1: the reason" "$(grep '^vitrine: ' <<<"$err")" "vitrine: $2"
}

# ---- one source above the other -----------------------------------------------------------

option=(--container-image="$A")
vitrine=(VITRINE_CONTAINER_IMAGE="$B")
pyxis=(PYXIS_CONTAINER_IMAGE="$C")

configure "Image=$own/Global" "PartitionName=imaged Image=$own/Partition" \
    'PartitionName=plain Image=none'
runs Global 'the default of the cluster' --
runs Partition 'the default of the partition' -- -p imaged
runs host 'a partition without' -- -p plain
runs C 'PYXIS_ over the default of the cluster' "${pyxis[@]}" --
runs C 'PYXIS_ over the default of the partition' "${pyxis[@]}" -- -p imaged
runs C 'PYXIS_ in a partition without' "${pyxis[@]}" -- -p plain
runs B 'VITRINE_ over PYXIS_' "${vitrine[@]}" "${pyxis[@]}" -- -p imaged
runs A 'the command line over both' "${vitrine[@]}" "${pyxis[@]}" -- -p imaged "${option[@]}"
runs A 'the command line over the partition' -- -p imaged "${option[@]}"
runs B 'the last of two options' -- "${option[@]}" --container-image="$B"

runs host 'none over the default of the cluster' -- --container-image=none
runs host 'none over the default of the partition' -- --container-image=none -p imaged
runs host 'none over VITRINE_' "${vitrine[@]}" -- --container-image=none
runs host 'VITRINE_ with none over PYXIS_' VITRINE_CONTAINER_IMAGE=none "${pyxis[@]}" --
runs host 'VITRINE_ with none over the partition' VITRINE_CONTAINER_IMAGE=none -- -p imaged
runs host 'PYXIS_ with none over the cluster' PYXIS_CONTAINER_IMAGE=none --
runs A 'the command line over none' VITRINE_CONTAINER_IMAGE=none -- "${option[@]}"

runs Global 'an empty variable is unset' VITRINE_CONTAINER_IMAGE= PYXIS_CONTAINER_IMAGE= --
runs C 'an empty VITRINE_ leaves PYXIS_' VITRINE_CONTAINER_IMAGE= "${pyxis[@]}" --

# --export loses variables and, in Slurm 22.05, options on their way to slurmstepd.
for export in NONE ALL,X=y X=y HOME; do
    runs A "--export=$export: the command line" "${vitrine[@]}" -- --export=$export "${option[@]}"
    runs B "--export=$export: VITRINE_" "${vitrine[@]}" "${pyxis[@]}" -- --export=$export -p imaged
    runs C "--export=$export: PYXIS_" "${pyxis[@]}" -- --export=$export
    runs host "--export=$export: VITRINE_ with none" VITRINE_CONTAINER_IMAGE=none "${pyxis[@]}" -- \
        --export=$export -p imaged
    runs host "--export=$export: none" -- --export=$export --container-image=none
    runs Partition "--export=$export: the partition" -- --export=$export -p imaged
done
runs B 'a variable that --export itself sets' -- --export=ALL,VITRINE_CONTAINER_IMAGE="$B"

# ---- jobs and their steps -----------------------------------------------------------------

# The batch script, then steps that inherit, override and leave.
cat >"$T/steps" <<SH
{
    $where
    srun -Q $where
    srun -Q --container-image=$B $where
    srun -Q --container-image=none $where
    srun -Q --export=NONE $where
    srun -Q --export=ALL,X=y $where
    srun -Q --export=HOME $where
    srun -Q --export=NONE --container-image=$B $where
    srun -Q --export=NONE --container-image=none $where
    VITRINE_CONTAINER_IMAGE=$C srun -Q $where
    srun -Q $where
} | paste -s -d' '
SH
# The option of the job is more than a variable of the step, which is more than the default.
steps() { # WHERE-OF-THE-JOB WHERE-WITH-VARIABLE
    echo "$1 $1 B host $1 $1 $1 B host $2 $1"
}

# job WHERE-OF-THE-JOB WHERE-WITH-VARIABLE NAME [A=B]... -- [SBATCH-OPTION]...
job() {
    local want name=$3 variables=() job output=$T/output.$RANDOM
    want=$(steps "$1" "$2")
    shift 3
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    install -o "$USER1" /dev/null "$output"
    install -o "$USER1" /dev/null "$output.err"
    try as_user env "${variables[@]}" sbatch --parsable -o "$output" -e "$output.err" "${@:2}" \
        "$script"
    job=${out%%;*}
    [ "$rc" = 0 ] && wait_for 60 job_is_over "$job"
    out=$(cat "$output") err=$(cat "$output.err")
    is "$name" "$out" "$want" || show_try
}

script=$T/job
{ printf '#!/bin/sh\n' && cat "$T/steps"; } >"$script"
with_line=$T/job-with-line
{ printf '#!/bin/sh\n#SBATCH --container-image=%s\n' "$A" && cat "$T/steps"; } >"$with_line"
with_none=$T/job-with-none
{ printf '#!/bin/sh\n#SBATCH --container-image=none\n' && cat "$T/steps"; } >"$with_none"
chmod 755 "$script" "$with_line" "$with_none"

job A A 'sbatch --container-image' -- "${option[@]}"
job Partition C 'sbatch in a partition with an image' -- -p imaged
job host C 'sbatch in a partition without' -- -p plain
job B C 'sbatch with VITRINE_' "${vitrine[@]}" "${pyxis[@]}" -- -p imaged
job host host 'sbatch --container-image=none' "${vitrine[@]}" -- --container-image=none -p imaged
for export in NONE ALL,X=y HOME; do
    job A A "sbatch --export=$export --container-image" "${vitrine[@]}" -- \
        --export=$export "${option[@]}"
    job B C "sbatch --export=$export with VITRINE_" "${vitrine[@]}" -- --export=$export -p imaged
    job Partition C "sbatch --export=$export in a partition" -- --export=$export -p imaged
    job host host "sbatch --export=$export --container-image=none" "${vitrine[@]}" -- \
        --export=$export --container-image=none -p imaged
done
script=$with_line
job A A '#SBATCH over VITRINE_ and the partition' "${vitrine[@]}" -- -p imaged
job C C 'the command line over #SBATCH' -- --container-image="$C"
job host host 'none on the command line over #SBATCH' -- --container-image=none
job A A '#SBATCH with --export=NONE' "${vitrine[@]}" -- -p imaged --export=NONE
job A A '#SBATCH with --export=HOME' "${vitrine[@]}" -- -p imaged --export=HOME
script=$with_none
job host host '#SBATCH none over VITRINE_ and the partition' "${vitrine[@]}" -- -p imaged
job A A 'the command line over #SBATCH none' -- "${option[@]}"

# salloc: its command stays where salloc is, on the host.
in_salloc() {
    prints "$1" "host $2" as_user "${@:3}" sh -c \
        "$where | tr '\n' ' '; srun -Q $where"
}
in_salloc 'salloc --container-image' A salloc -Q "${option[@]}"
in_salloc 'salloc with VITRINE_' B env "${vitrine[@]}" salloc -Q -p imaged
in_salloc 'salloc in a partition' Partition salloc -Q -p imaged
in_salloc 'salloc --container-image=none' host salloc -Q -p imaged --container-image=none
prints 'steps of salloc' "$(steps A A | cut -d' ' -f2-)" \
    as_user salloc -Q "${option[@]}" sh -c "$(sed '2d' "$T/steps")"

# ---- what only slurmstepd sees ------------------------------------------------------------

runs host 'without the plugin at the client' SLURM_CONF="$bare" -- -p plain
runs Partition 'seen by slurmstepd alone: the partition' SLURM_CONF="$bare" -- -p imaged
runs B 'seen by slurmstepd alone: VITRINE_' SLURM_CONF="$bare" "${vitrine[@]}" "${pyxis[@]}" -- -p imaged
runs C 'seen by slurmstepd alone: PYXIS_' SLURM_CONF="$bare" "${pyxis[@]}" -- -p imaged
runs host 'seen by slurmstepd alone: none' SLURM_CONF="$bare" VITRINE_CONTAINER_IMAGE=none -- -p imaged
runs Global 'seen by slurmstepd alone: empty' SLURM_CONF="$bare" VITRINE_CONTAINER_IMAGE= --
runs A 'seen by slurmstepd alone: the name in ImageDir' SLURM_CONF="$bare" \
    VITRINE_CONTAINER_IMAGE=./A -- -D "$own"
# The script starts with the clean environment of its job, as slurmrestd's do; its steps are
# made by an srun that has the plugin again.
script=$T/job
cat >"$T/rest" <<SH
#!/bin/sh
$where
SLURM_CONF=$VITRINE_CLUSTER/slurm.conf srun -Q $where
SLURM_CONF=$VITRINE_CLUSTER/slurm.conf srun -Q --container-image=$C $where
SH
chmod 755 "$T/rest"
output=$T/rest.out
install -o "$USER1" /dev/null "$output"
try as_user env SLURM_CONF="$bare" sbatch --parsable -o "$output" -p imaged \
    --export=HOME,PATH,VITRINE_CONTAINER_IMAGE="$B" "$T/rest"
wait_for 30 job_is_over "$out"
is 'a job of slurmrestd' "$(paste -s -d' ' "$output")" 'B B C'

long=/$(printf '%04096d' 1)
fails 'an over-long variable' 'VITRINE_CONTAINER_IMAGE: the value is longer than 4096 bytes' \
    env VITRINE_CONTAINER_IMAGE="$long" srun "$where"
fails 'an over-long variable, seen by slurmstepd alone' \
    "$node: VITRINE_CONTAINER_IMAGE: the value is longer than 4096 bytes" \
    env SLURM_CONF="$bare" VITRINE_CONTAINER_IMAGE="$long" srun "$where"
fails 'a far longer one' "$node: PYXIS_CONTAINER_IMAGE: the value is longer than 4096 bytes" \
    env SLURM_CONF="$bare" PYXIS_CONTAINER_IMAGE="$(printf '/%0100000d' 1)" srun "$where"
fails 'an over-long option, seen by slurmstepd alone' \
    "$node: --container-image: the value is longer than 4096 bytes" \
    env SLURM_CONF="$bare" \
    SLURM_SPANK__SLURM_SPANK_OPTION_vitrine_container_image="$long" srun "$where"
fails 'a control character, seen by slurmstepd alone' \
    "$node: VITRINE_CONTAINER_IMAGE: the value has a control character in it: /a?b" \
    env SLURM_CONF="$bare" VITRINE_CONTAINER_IMAGE=$'/a\nb' srun "$where"
runs A 'an over-long variable does not matter to an option' \
    SLURM_CONF="$VITRINE_CLUSTER/slurm.conf" VITRINE_CONTAINER_IMAGE="$long" -- "${option[@]}"

# ---- Required -----------------------------------------------------------------------------

R=$own/Required
configure "PartitionName=imaged Image=$own/Partition" "PartitionName=required Image=$R Required=yes"
runs Required 'a required image' -- -p required
runs Required 'the same image' -- -p required --container-image="$R"
runs Required 'the same image by VITRINE_' VITRINE_CONTAINER_IMAGE="$R" -- -p required
runs host 'not in other partitions' --
runs A 'which may have any' -- "${option[@]}"
runs Partition 'or their own' -- -p imaged
runs host 'or none' -- -p imaged --container-image=none

# required NAME SOURCE IMAGE CMD...: an error that names the partition and the image.
required() {
    fails "$1" \
        "$node: $2 asks for $3, but partition required requires image $R: remove it" "${@:4}"
}
required 'another image' --container-image "$A" srun -p required "${option[@]}" "$where"
required 'none' --container-image none srun -p required --container-image=none "$where"
required 'another by VITRINE_' VITRINE_CONTAINER_IMAGE "$B" \
    env "${vitrine[@]}" srun -p required "$where"
required 'none by PYXIS_' PYXIS_CONTAINER_IMAGE none \
    env PYXIS_CONTAINER_IMAGE=none srun -p required "$where"
required 'another with --export=NONE' --container-image "$A" \
    srun -Q -p required --export=NONE "${option[@]}" "$where"
required 'another, seen by slurmstepd alone' VITRINE_CONTAINER_IMAGE "$B" \
    env SLURM_CONF="$bare" "${vitrine[@]}" srun -p required "$where"

# Nothing that a user can forge lets him escape.
for forged in SLURM_JOB_PARTITION=debug SLURM_JOB_PARTITION=plain SLURM_JOB_PARTITION= \
    SLURM_JOB_ID=1 SLURM_VITRINE_IMAGE=none SLURM_VITRINE_DIR=/nowhere SLURM_JOBID=4000000; do
    try as_user env SLURM_CONF="$bare" "$forged" timeout 30 srun -p required "$where"
    unlike "forged $forged" "$out" host
done
runs Required 'forged SLURM_JOB_PARTITION' SLURM_JOB_PARTITION=debug -- -p required
runs Required 'the same without the plugin' SLURM_CONF="$bare" SLURM_JOB_PARTITION=debug -- -p required
runs Required 'forged by --export' -- -p required --export=ALL,SLURM_JOB_PARTITION=debug
required 'a forged option' --container-image none env SLURM_CONF="$bare" \
    SLURM_SPANK__SLURM_SPANK_OPTION_vitrine_container_image=none srun -p required "$where"
runs Required 'one of several partitions' -- -p required,required
prints 'a step of salloc with a forged partition' Required as_user salloc -Q -p required \
    sh -c "SLURM_JOB_PARTITION=debug srun -Q $where"
try_batch -p required <<SH
#!/bin/sh
$where
export SLURM_JOB_PARTITION=debug
srun -Q $where
SLURM_CONF=$bare srun -Q $where
srun -Q --container-image=none $where
SH
is 'a batch job with a forged partition' "$(head -n 3 <<<"$out" | paste -s -d' ')" \
    'Required Required Required'
like 'which cannot leave either' "$out" \
    "^vitrine: $node: --container-image asks for none, but partition required requires image $R"
unlike 'at all' "$out" host

# For the whole cluster.
configure "Image=$R" 'Required=yes' "PartitionName=imaged Image=$own/Partition"
runs Required 'required in the whole cluster' --
runs Partition 'but for a partition with its own' -- -p imaged
runs host 'which need not be required' -- -p imaged --container-image=none
try as_user srun --container-image=none "$where"
like 'nobody leaves it' "$err" "^vitrine: $node: --container-image asks for none, but partition debug requires image $R"
is 'and none ran' "$rc$out" 1

# A required image that is not there.
configure "PartitionName=required Image=$own/nowhere Required=yes"
fails 'a required image that is missing' "$node: cannot find image $own/nowhere: no such file or directory; check the path, and that this node has its file system mounted" \
    srun -Q -p required "$where"

shared_cluster
done_testing
