// SPDX-License-Identifier: LGPL-2.1-or-later
/* A token goes round all ranks and each adds one; then blocks of 4 MiB go round at once,
 * large enough to be copied from process to process (CMA) by ranks of one node, and are
 * checked. Rank 0 prints what came right, and whether CMA was used and refused. To be
 * linked with -rdynamic, so that the libraries call the process_vm_readv of this file. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <mpi.h>

#define ROUNDS 3
#define BLOCK  (1024 * 1024)

static int copied, refused;

ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long local_count,
                         const struct iovec *remote, unsigned long remote_count,
                         unsigned long flags)
{
    ssize_t rc = syscall(SYS_process_vm_readv, pid, local, local_count, remote,
                         remote_count, flags);
    if (rc < 0)
        refused = 1;
    else
        copied = 1;
    return rc;
}

static int pass_token(int rank, int size)
{
    int token = 0;
    int next = (rank + 1) % size, previous = (rank + size - 1) % size;

    for (int round = 0; round < ROUNDS; round++) {
        if (rank != 0)
            MPI_Recv(&token, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        token++;
        MPI_Send(&token, 1, MPI_INT, next, 1, MPI_COMM_WORLD);
        if (rank == 0)
            MPI_Recv(&token, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return token;
}

static int pass_blocks(int rank, int size)
{
    int next = (rank + 1) % size, previous = (rank + size - 1) % size;
    int *mine = malloc(BLOCK * sizeof(*mine)), *theirs = malloc(BLOCK * sizeof(*theirs));
    int right = 0;

    if (!mine || !theirs)
        MPI_Abort(MPI_COMM_WORLD, 1);
    for (int i = 0; i < BLOCK; i++)
        mine[i] = rank * BLOCK + i;
    MPI_Sendrecv(mine, BLOCK, MPI_INT, next, 2, theirs, BLOCK, MPI_INT, previous, 2,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 0; i < BLOCK; i++)
        right += theirs[i] == previous * BLOCK + i;
    free(mine);
    free(theirs);
    return right == BLOCK;
}

int main(int argc, char **argv)
{
    int rank, size, token, mine[3], all[3] = {0};

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size == 1) {
        fputs("alone\n", stderr);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    token = pass_token(rank, size);
    mine[0] = pass_blocks(rank, size);
    mine[1] = copied;
    mine[2] = refused;
    MPI_Reduce(mine, all, 3, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("ranks %d, token %d, blocks %d, CMA %s%s\n", size, token, all[0],
               all[1] ? "used" : "not used", all[2] ? " and refused" : "");
    MPI_Finalize();
    return 0;
}
