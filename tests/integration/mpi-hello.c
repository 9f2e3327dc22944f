// SPDX-License-Identifier: LGPL-2.1-or-later
/* Each rank tells the library that serves it, its node and how many ranks it sees,
 * through rank 0, so that a rank which was started alone ("rank 0 of 1") is noticed. */
#include <stdio.h>
#include <string.h>

#include <mpi.h>

#define LINE 128

static const char *library(void)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(version, &length);
    return strstr(version, "Open MPI") ? "Open MPI"
           : strstr(version, "MPICH")  ? "MPICH"
                                       : "?";
}

int main(int argc, char **argv)
{
    int rank, size, length;
    char host[MPI_MAX_PROCESSOR_NAME];
    char line[LINE];

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    snprintf(line, sizeof(line), "%s: rank %d of %d", library(), rank, size);
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
