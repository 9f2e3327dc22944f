#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The ground the other tests stand on: the cluster runs steps and batch jobs of the test users
# without a container.
. "$(dirname "$0")/lib.sh"

prints 'a task runs as the user' "$USER1" as_user srun id -un
prints 'one task on each of two nodes' 2 \
    as_user sh -c 'srun -N2 printenv SLURMD_NODENAME | sort -u | wc -l'
prints 'supplementary groups' "$USER1 vitrine-a vitrine-b" as_user srun id -Gn
prints 'the other user has none' "$USER2" as_user2 srun id -Gn
exit_is 'the exit code comes back' 7 as_user srun sh -c 'exit 7'
error_line 'and nothing else on stderr' . 0

try_batch -N2 <<'END'
#!/bin/sh
srun -l true && echo "job of $(id -un)"
exit 3
END
is 'a batch job ends with its code' "$rc $state" '3 FAILED'
is 'and what it wrote' "$out" "job of $USER1"

private_cluster --no-plugin -n 1
is 'a private cluster' "$NODES" n1
prints 'runs as well' "$USER1" as_user srun id -un
shared_cluster
prints 'and the shared one still does' "$USER1" as_user srun id -un

done_testing
