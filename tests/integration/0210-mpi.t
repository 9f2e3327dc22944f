#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# MPI over two slurmd's and on one, with each PMI that Slurm has: whatever works on the host
# works in an image with the distribution's Open MPI and MPICH, and says the same.
# timeout: 180
. "$(dirname "$0")/lib.sh"

image=$(make_image mpi)
home=$(getent passwd "$USER1" | cut -d: -f6)
for mpi in openmpi mpich; do
    for program in hello ring; do
        ok "$program with $mpi is compiled" "mpicc.$mpi" -O1 -rdynamic \
            -o "$home/$program.$mpi" "$integration/mpi-$program.c"
    done
done

# Both nodes are this machine: of Open MPI's ranks on "different" nodes each would remove the
# other's shared memory, bare too, so they must use the network.
btl() {
    [ "$1" = 1 ] && echo self,vader,tcp || echo self,tcp
}

# mpi_step NODES PMI PROGRAM [OPTION]...: its output in $out, its words in $err, sorted.
mpi_step() {
    try as_user env OMPI_MCA_btl="$(btl "$1")" timeout 40 \
        srun -Q --mpi="$2" -N"$1" -n4 --overcommit "${@:4}" "./$3"
    out=$(sort <<<"$out")
}

hello() { # NAME
    seq -f "$1: rank %g of 4" 0 3
}

# works NODES PMI MPI NAME: on the host, and inside just so.
works() {
    local program bare_out bare_err
    for program in hello ring; do
        mpi_step "$1" "$2" "$program.$3"
        bare_out=$out bare_err=$err
        report "$4 by $2 on $1 node(s), $program: works on the host" "$rc" || show_try
        mpi_step "$1" "$2" "$program.$3" --container-image="$image"
        report 'works inside' "$rc" || show_try
        is 'with the same output' "$out" "$bare_out"
        is 'and the same words' "$err" "$bare_err"
        case $program in
        hello) is 'which is four ranks' "$out" "$(hello "$4")" ;;
        ring) like 'which is right' "$out" '^ranks 4, token 12, blocks 4, ' ;;
        esac
    done
}

works 1 pmix openmpi 'Open MPI'
like 'ranks of a node copy from each other (CMA)' "$out" 'CMA used$'
works 2 pmix openmpi 'Open MPI'
works 1 pmi2 mpich MPICH
like 'ranks of a node copy from each other (CMA)' "$out" 'CMA used$'
works 2 pmi2 mpich MPICH

# What the distribution did not build is no better and no worse inside: Open MPI without PMI2,
# MPICH without PMIx (each rank then thinks that it is alone).
for pair in 'pmi2 openmpi' 'pmix mpich'; do
    read -r pmi mpi <<<"$pair"
    mpi_step 1 "$pmi" "ring.$mpi"
    bare="$rc $out"
    mpi_step 1 "$pmi" "ring.$mpi" --container-image="$image"
    is "$mpi by $pmi: inside as on the host" "$rc $out" "$bare"
done

done_testing
