#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-unshare: a network, IPC or host name that the tasks of a node share, and nobody else.
# timeout: 300
. "$(dirname "$0")/lib.sh"

tiny=$(make_image tiny) || exit
theirs=$(untrusted "$tiny")
base=$(make_image base) || exit
node=${NODES%% *}
home=$(getent passwd "$USER1" | cut -d: -f6)
host_name=$(uname -n)
mark=vitrine-$slot
key=$((0x76690000 + slot))
clean_up() {
    rm -f "/dev/shm/$mark"*
    ipcrm -M $key 2>/dev/null
    at_end
}
trap clean_up EXIT

# step UNSHARE SCRIPT [SRUN-OPTION]...
step() {
    as_user timeout 30 srun -Q -w "$node" --container-image="${image:-$tiny}" \
        --container-unshare="$1" "${@:3}" sh -c "$2"
}
shows() { # NAME WANT UNSHARE SCRIPT [SRUN-OPTION]...
    prints "$1" "$2" step "${@:3}"
}

cat >"$T/ipc.c" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

/* Whether System V memory with a key, and a POSIX queue, are there; "make": makes them. */
int main(int argc, char **argv)
{
    key_t key = atoi(argv[1]);
    int make = argc > 3;
    int shm = shmget(key, 4096, make ? IPC_CREAT | 0600 : 0);
    mqd_t queue = mq_open(argv[2], make ? O_CREAT | O_RDWR : O_RDWR, 0600, NULL);

    printf("shm %s, queue %s\n", shm < 0 ? strerrorname_np(errno) : "there",
           queue == (mqd_t)-1 ? "none" : "there");
    if (argc > 3 && strcmp(argv[3], "remove") == 0) {
        shmctl(shm, IPC_RMID, NULL);
        mq_unlink(argv[2]);
    }
    return 0;
}
END
cat >"$T/net.py" <<'END'
import socket, sys, os
rank, size, port = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"]), 23456
if rank == 0:
    server = socket.create_server(("127.0.0.1", port))
    for _ in range(size - 1):
        server.accept()[0].sendall(b"hello")
    print("served")
else:
    for _ in range(500):
        try:
            print(socket.create_connection(("127.0.0.1", port)).recv(5).decode())
            break
        except ConnectionRefusedError:
            os.sched_yield() or __import__("time").sleep(0.01)
END
ok 'the program is compiled' cc -static -Wall -D_GNU_SOURCE -o "$T/ipc" "$T/ipc.c" -lrt
chmod 755 "$T/ipc"
ipc="$T/ipc $key /$mark"

# ---- what each has of its own -------------------------------------------------------------

# The namespaces that differ from those of the host.
differ='for ns in cgroup ipc mnt net pid time user uts; do
    [ "$(readlink /proc/self/ns/$ns)" = "$(echo "$1" | grep ^$ns:)" ] || printf "%s " $ns
done'
host_spaces=$(for ns in cgroup ipc mnt net pid time user uts; do readlink "/proc/self/ns/$ns"; done)
differ() { # NAME WANT SRUN-OPTION...
    prints "$1: namespaces" "$2" as_user timeout 30 srun -Q -w "$node" "${@:3}" sh -c "$differ" sh "$host_spaces"
}
differ 'without' 'mnt ' --container-image="$tiny"
differ net 'mnt net ' --container-image="$tiny" --container-unshare=net
differ ipc 'ipc mnt ' --container-image="$tiny" --container-unshare=ipc
differ uts 'mnt uts ' --container-image="$tiny" --container-unshare=uts
differ 'all of them' 'ipc mnt net uts ' --container-image="$tiny" --container-unshare=uts,net,ipc
differ 'given twice' 'ipc mnt net ' --container-image="$tiny" --container-unshare=ipc --container-unshare=net,ipc
differ 'an image by FUSE' 'ipc mnt net uts ' --container-image="$theirs" --container-unshare=net,ipc,uts
differ 'a directory' 'ipc mnt net uts ' --container-image="$(make_tree tiny)" --container-unshare=net,ipc,uts
differ 'writable' 'ipc mnt net uts ' --container-image="$tiny" --container-unshare=net,ipc,uts --container-writable
differ 'one for each task' 'ipc mnt net uts ' --container-image="$tiny" --container-unshare=net,ipc,uts \
    --container-writable=task
differ 'a fake root' 'ipc mnt net user uts ' --container-image="$tiny" --container-unshare=net,ipc,uts \
    --container-remap-root
prints 'VITRINE_CONTAINER_UNSHARE' 'mnt net ' as_user env VITRINE_CONTAINER_UNSHARE=net \
    srun -Q --container-image="$tiny" sh -c "$differ" sh "$host_spaces"
prints 'PYXIS_CONTAINER_UNSHARE' 'ipc mnt ' as_user env PYXIS_CONTAINER_UNSHARE=ipc \
    srun -Q --container-image="$tiny" sh -c "$differ" sh "$host_spaces"
try_batch -w "$node" --container-image="$tiny" --container-unshare=uts --export=NONE <<SH
#!/bin/sh
set -- '$host_spaces'
$differ
SH
is 'a job' "$out" 'mnt uts '
for word in pid user mnt all NET net,,ipc 'net ipc' 'net,'; do
    try as_user timeout 30 srun --container-image="$tiny" --container-unshare="$word" echo ran
    [ "$rc" != 0 ] && [ -z "$out" ]
    report "$word: refused" $?
    like "$word: with the reason" "$(head -n 1 <<<"$err")" "^vitrine: --container-unshare: give net, ipc or uts, not '.*'\$"
done

# ---- net ----------------------------------------------------------------------------------

shows 'a loopback device that is up, and no other' 'lo: LOOPBACK UP 127.0.0.1' net \
    'echo $(ip -o link | sed -E "s/^[0-9]+: ([^:]*): .*<(LOOPBACK),(UP).*/\1: \2 \3/") $(ip -o -4 addr show lo | sed -E "s|.*inet ([0-9.]*)/.*|\1|")'
shows 'which /proc says, too' 'lo' net 'sed -n "s/^ *\([^:]*\):.*/\1/p" /proc/net/dev'
shows 'it answers' ' 0% packet loss' net 'ping -c 1 -W 2 127.0.0.1 | grep -o " 0% packet loss"' \
    --container-remap-root
shows 'no route' '' net 'ip route; tail -n +2 /proc/net/route'
try step net 'nc -w 2 192.0.2.1 80 </dev/null; echo $?'
like 'nothing outside is reached' "$err $out" '[Nn]etwork( is)? unreachable'
python3 -m http.server -b 127.0.0.1 $((21000 + slot)) -d "$T" >"$T/server" 2>&1 &
server=$!
wait_for 5 bash -c ": </dev/tcp/127.0.0.1/$((21000 + slot))" 2>/dev/null
prints "the host's own servers are reached without" ok as_user srun -Q --container-image="$tiny" \
    sh -c "nc -w 2 127.0.0.1 $((21000 + slot)) </dev/null && echo ok"
try step net "nc -w 2 127.0.0.1 $((21000 + slot)) </dev/null && echo reached"
is 'and not with net' "$rc$out" 1
kill $server
# Abstract sockets belong to the network, too.
image=$base
try step net "python3 $T/net.py" -n 4
is 'four tasks of a node share it' "$(sort <<<"$out" | xargs)" 'hello hello hello served'
try as_user timeout 30 srun -Q -N 2 -n 2 --container-image="$tiny" --container-unshare=net \
    readlink /proc/self/ns/net
is 'two nodes have two' "$(sort -u <<<"$out" | grep -c net:)" 2
image=''
try step net 'readlink /proc/self/ns/net' -n 3
is 'three tasks have one' "$(sort -u <<<"$out" | grep -c net:)" 1
try step net 'readlink /proc/self/ns/net' -n 3 --container-writable=task
is 'containers of their own have their own' "$(sort -u <<<"$out" | grep -c net:)" 3

# Slurm's commands cannot reach slurmctld: their own error, and soon.
for command in 'squeue' 'sinfo' 'scontrol ping' 'srun -n 1 true'; do
    begin=$SECONDS
    # shellcheck disable=SC2086 # words
    try as_user timeout 100 srun -Q -w "$node" --container-image="$tiny" --container-unshare=net \
        env SLURM_TIME_LIMIT=1 timeout 60 $command
    like "$command in a network of its own: its own error" "$err$out" \
        'Unable to contact slurm controller|DOWN|slurm_load|error'
    unlike "$command: nothing of Vitrine's" "$err" '^vitrine'
    [ $((SECONDS - begin)) -lt 70 ]
    report "$command: ends" $? || diagnose "$((SECONDS - begin)) s"
done

# MPI on one node goes through shared memory. A PMIx client talks to slurmstepd by TCP, and cannot
# in a network of its own; by pmi2 it can.
if mpi=$(make_image mpi) && mpicc.mpich -o "$T/mpich" "$integration/mpi-hello.c" &&
    mpicc.openmpi -o "$T/openmpi" "$integration/mpi-hello.c"; then
    chmod 755 "$T/mpich" "$T/openmpi"
    for what in net ipc net,ipc,uts; do
        try as_user timeout 60 srun -Q -w "$node" -n 4 --mpi=pmi2 \
            --container-image="$mpi" --container-unshare="$what" "$T/mpich"
        is "MPICH on one node with $what" "$rc $(grep -c 'of 4' <<<"$out")" '0 4' || show_try
    done
    try as_user env OMPI_MCA_btl=self,vader timeout 60 srun -Q -w "$node" -n 4 --mpi=pmix \
        --container-image="$mpi" --container-unshare=ipc,uts "$T/openmpi"
    is 'Open MPI on one node with ipc,uts' "$rc $(grep -c 'of 4' <<<"$out")" '0 4' || show_try
else
    skip 'MPI on one node' 'no MPI'
fi

# ---- ipc ----------------------------------------------------------------------------------

is "the host's" "$(as_user "$T/ipc" $key "/$mark" make)" 'shm there, queue there'
echo host >"/dev/shm/$mark.host"
chmod 666 "/dev/shm/$mark.host"
prints 'is seen without' "shm there, queue there
host" as_user srun -Q --container-image="$tiny" sh -c "$ipc; cat /dev/shm/$mark.host"
for image in "$tiny" "$theirs"; do
    for who in no- ''; do
        kind="$(stat -c %U "$image")'s image, ${who}remap-root"
        shows "$kind: not with ipc" "shm ENOENT, queue none
0 $mark.new
shm there, queue there" ipc "$ipc; echo \$(ls -A /dev/shm | wc -l) \$(: >/dev/shm/$mark.new; ls /dev/shm); $ipc make" \
            --"${who}container-remap-root"
    done
done
image=''
is "the host's are as before" "$(as_user "$T/ipc" $key "/$mark") $(echo "/dev/shm/$mark"*)" \
    "shm there, queue there /dev/shm/$mark.host"
as_user "$T/ipc" $key "/$mark" remove >/dev/null
shows 'two tasks share them' $'seen there\nseen shm there, queue there' ipc "
    if [ \$SLURM_PROCID = 0 ]; then $ipc make >/dev/null; echo there >/dev/shm/$mark.new; sleep 1
    else while [ ! -s /dev/shm/$mark.new ]; do usleep 10000; done
    echo seen \$(cat /dev/shm/$mark.new); echo seen \$($ipc); fi" -n 2
is 'and the host has nothing of them' "$(as_user "$T/ipc" $key "/$mark") $(echo "/dev/shm/$mark"*)" \
    "shm ENOENT, queue none /dev/shm/$mark.host"
shows '/dev/shm can be filled and is of mode 1777' '1777 4.0M' ipc \
    'stat -c %a /dev/shm | tr "\n" " "; head -c 4194304 /dev/zero >/dev/shm/x; du -h /dev/shm/x | cut -f 1'
echo file >"$T/file"
shows 'a mount in it' file ipc 'cat /dev/shm/x' --container-mounts="$T/file:/dev/shm/x"

# ---- uts ----------------------------------------------------------------------------------

shows 'uts: the name of the host at first' "$host_name" uts 'uname -n'
shows 'which only a fake root can change' 'EPERM' uts 'hostname other 2>/dev/null || echo EPERM'
shows 'as he can' 'other' uts 'hostname other && uname -n' --container-remap-root
shows 'for all tasks of a node' $'other\nother' uts \
    '[ $SLURM_PROCID != 0 ] || hostname other; while [ "$(uname -n)" != other ]; do usleep 10000; done; uname -n' \
    -n 2 --container-remap-root
shows 'but not without uts' EPERM net 'hostname other 2>/dev/null || echo EPERM' --container-remap-root
is 'the host keeps its own' "$(uname -n)" "$host_name"
shows 'a fake root rules his network' 'lo: DOWN' net \
    'ip link set lo down; ip -o link show lo | grep -q LOWER_UP || echo lo: DOWN' --container-remap-root
try as_user srun -Q --container-image="$tiny" --container-remap-root ip link set lo down
unlike "and not the host's" "$rc" '^0$'
shows 'the user does not' EPERM net 'ip link set lo down 2>/dev/null || echo EPERM'

# ---- named containers ---------------------------------------------------------------------

as_user salloc -Q --no-shell -w "$node" -J named
job=$(as_user squeue -h -n named -t R -o %A)
kept() {
    as_user timeout 30 srun -Q --overlap --jobid="$job" --container-name=kept"$1" "${@:2}"
}
spaces='echo $(for ns in ipc mnt net user uts; do readlink /proc/self/ns/$ns; done)'
for who in no- ''; do
    rm -f "$home/spaces"
    kept "$who" --container-image="$tiny" --container-unshare=net,ipc,uts --"${who}container-remap-root" \
        sh -c "$spaces >spaces; echo mine >/dev/shm/x; while [ -e spaces ]; do usleep 20000; done" &
    wait_for 10 test -s "$home/spaces"
    prints "${who}remap-root: a step that joins is in the same" "$(cat "$home/spaces") mine" \
        kept "$who:exec" sh -c "echo \$($spaces) \$(cat /dev/shm/x)"
    prints "${who}remap-root: two tasks as well" "$(cat "$home/spaces")" \
        kept "$who" -n 2 --overcommit sh -c "[ \$SLURM_PROCID = 0 ] || $spaces"
    try kept "$who" --container-unshare=net sh -c "$spaces"
    is "${who}remap-root: what it is asked for has no effect" "$out" "$(cat "$home/spaces")"
    like 'which is told' "$err" "^vitrine: $node: container kept$who runs already, so --container-mounts and --container-unshare have no effect; with --container-name=kept$who:no_exec it gets these mounts\$"
    try kept "$who:no_exec" --container-unshare=net readlink /proc/self/ns/net
    [ "$rc" = 0 ] && ! grep -qwF -e "$(head -n 1 <<<"$out")" "$home/spaces"
    report "${who}remap-root: one beside it has its own" $? || show_try
    rm -f "$home/spaces"
    wait
done
as_user scancel "$job"
wait_for 10 job_is_over "$job"

done_testing
