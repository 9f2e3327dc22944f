#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# MPI over two slurmd's and on one, with each PMI that Slurm has: whatever works on the host
# works in an image with the distribution's Open MPI and MPICH, and says the same. Which PMI
# an MPI can speak is up to the distribution; one at least it must.
# timeout: 180
. "$(dirname "$0")/lib.sh"

image=$(make_image mpi) || exit
home=$(getent passwd "$USER1" | cut -d: -f6)

# As on a site, and unlike below /var/tmp, the container has these directories only for PMIx.
dirs=$VITRINE_TEST_CACHE/mpi-$slot
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$dirs"
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$dirs"
for node in $NODES; do
    install -d -m 755 "$dirs" "$dirs/spool.$node"
    install -d -m 1777 "$dirs/tmp.$node"
done
cat >"$T/slurm.conf" <<END
SlurmdSpoolDir=$dirs/spool.%n/
TmpFS=$dirs/tmp.%n/
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
END
private_cluster --slurm-conf "$T/slurm.conf"
exit_is 'spool and TmpFS are not in the container as such' 2 \
    as_user srun -Q --container-image="$image" ls -d "$dirs"

# PMIx names its directories by the job, of which each component has another number. Whether
# MPI works across components is up to Slurm; the directories are inside in any case. Early,
# as it leaves nodes "planned" until the scheduler has more to do.
nodes_are_idle() {
    ! as_root sinfo -h -N -o %t | grep -qvx idle
}
# Slurm may forget a heterogeneous job that comes while a node completes another.
wait_for 20 nodes_are_idle
shows_pmix='d=$(ls -d '$dirs'/tmp.*/spmix_appdir_*) && touch "$d/new" && ls -d "$PMIX_SERVER_TMPDIR"'
ok 'the directories of PMIx are in each component of a heterogeneous job' \
    as_user timeout 60 srun -Q --mpi=pmix --container-image="$image" -n1 sh -c "$shows_pmix" : \
    -n1 sh -c "$shows_pmix"
is 'one line of each' "$(grep -c /pmix <<<"$out")" 2
as_user mkdir "$home/own"
ok 'a SLURM_PMIX_TMPDIR of the user' as_user env SLURM_PMIX_TMPDIR="$home/own/" \
    srun -Q --mpi=pmix --container-image="$image" sh -c "ls -d $home/own/spmix_appdir_*"

# Both nodes are this machine: of Open MPI's ranks on "different" nodes each would remove the
# other's shared memory, bare too, so they must use the network.
btl() {
    [ "$1" = 1 ] && echo self,vader,tcp || echo self,tcp
}

# mpi_step NODES PMI PROGRAM [OPTION]...: its output is in $out, sorted.
mpi_step() {
    try as_user env OMPI_MCA_btl="$(btl "$1")" timeout 40 \
        srun -Q --mpi="$2" -N"$1" -n4 --overcommit "${@:4}" "./$3"
    out=$(sort <<<"$out")
}

# hello NAME NODES: four ranks, and each reads the memory of all others of its node.
hello() {
    seq -f "$1: rank %g of 4 reads $((4 / $2 - 1))" 0 3
}

# Lines of stderr without what differs from run to run.
words() {
    sed -E 's/[0-9]+/N/g' <<<"$err" | sort -u
}

# inside_as_bare WHAT NODES PMI PROGRAM: after the same on the host.
inside_as_bare() {
    local bare_out=$out bare_words
    bare_words=$(words)
    mpi_step "${@:2}" --container-image="$image"
    report "$1: works inside" "$rc" || show_try
    is 'with the same output' "$out" "$bare_out"
    is 'and no more words' "$(comm -13 <(echo "$bare_words") <(words))" ''
}

# mpi_works NAME MPI PMI NODES: fails if it does not on the host.
mpi_works() {
    local what="$1 by $3 on $4 node(s)"
    mpi_step "$4" "$3" "hello.$2"
    if [ "$rc" != 0 ] || [ "$out" != "$(hello "$1" "$4")" ]; then
        diagnose "$what does not work on the host, exit code $rc: $(head -n 1 <<<"$out$err")"
        return 1
    fi
    inside_as_bare "$what, hello" "$4" "$3" "hello.$2"
    mpi_step "$4" "$3" "ring.$2"
    report "$what, ring: works on the host" "$rc" || show_try
    like 'and is right' "$out" '^ranks 4, token 12, blocks 4, '
    inside_as_bare "$what, ring" "$4" "$3" "ring.$2"
}

# check_mpi NAME MPI
check_mpi() {
    local program nodes pmi working
    for program in hello ring; do
        ok "$program is compiled for $1" "mpicc.$2" -O1 -rdynamic \
            -o "$home/$program.$2" "$integration/mpi-$program.c"
    done
    for nodes in 1 2; do
        working=''
        for pmi in pmi2 pmix; do
            ! mpi_works "$1" "$2" "$pmi" "$nodes" || working=$working,$pmi
        done
        [ -n "$working" ]
        report "$1 works on the host by some PMI on $nodes node(s): ${working#,}" $?
    done
}

# check_mpirun MPI: the MPI's own starter, in a batch script. It calls srun, which is the host's,
# for its daemons, and those start the ranks: on every node inside of the image.
check_mpirun() {
    local bare option
    for option in none "$image"; do
        try_batch -N2 -n4 --overcommit --container-image="$option" <<END
#!/bin/sh
export OMPI_MCA_btl=self,tcp
mpirun.$1 -n 4 ./ring.$1
exec mpirun.$1 -n 4 readlink /proc/self/ns/mnt >mnt
END
        [ "$option" = none ] && bare="$rc $out"
    done
    like "mpirun of $1: works on the host" "$bare" '^0 ranks 4, token 12, blocks 4, '
    is 'and inside' "$rc $out" "$bare"
    is 'of four ranks, none is on the host' \
        "$(wc -l <"$home/mnt") $(grep -cFx "$(readlink /proc/self/ns/mnt)" "$home/mnt")" '4 0'
}

check_mpi 'Open MPI' openmpi
check_mpi MPICH mpich
check_mpirun openmpi
check_mpirun mpich

done_testing
