// SPDX-License-Identifier: LGPL-2.1-or-later
/* Each rank tells, through rank 0, the library that serves it and how many ranks it sees,
 * so that one which was started alone ("rank 0 of 1") is noticed; and whether it can read
 * the memory of the other ranks of its node, as MPI libraries do to copy between them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <mpi.h>

#define LINE 128

struct peer {
    int node;
    pid_t pid;
    void *address;
};

static const char *library(void)
{
    static char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(version, &length);
    return strstr(version, "Open MPI") ? "Open MPI"
           : strstr(version, "MPICH")  ? "MPICH"
                                       : "?";
}

/* Both nodes may be one machine with one host name: Slurm's number tells them apart. */
static int reads_peers(int rank, int size)
{
    const char *node = getenv("SLURM_NODEID");
    int secret = 1000 + rank, right = 0;
    struct peer mine = {
        .node = node ? atoi(node) : 0, .pid = getpid(), .address = &secret};
    struct peer *all = calloc(size, sizeof(*all));

    if (!all)
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all, sizeof(mine), MPI_BYTE,
                  MPI_COMM_WORLD);
    for (int i = 0; i < size; i++) {
        int copy = 0;
        struct iovec local = {&copy, sizeof(copy)},
                     remote = {all[i].address, sizeof(copy)};
        right += i != rank && all[i].node == mine.node &&
                 process_vm_readv(all[i].pid, &local, 1, &remote, 1, 0) == sizeof(copy) &&
                 copy == 1000 + i;
    }
    /* Nobody's secret may go before all have read it. */
    MPI_Barrier(MPI_COMM_WORLD);
    free(all);
    return right;
}

int main(int argc, char **argv)
{
    int rank, size;
    char line[LINE];

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    snprintf(line, sizeof(line), "%s: rank %d of %d reads %d", library(), rank, size,
             reads_peers(rank, size));
    if (rank == 0) {
        puts(line);
        for (int peer = 1; peer < size; peer++) {
            MPI_Recv(line, LINE, MPI_CHAR, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            puts(line);
        }
    } else {
        MPI_Send(line, LINE, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
    }
    MPI_Finalize();
    return 0;
}
