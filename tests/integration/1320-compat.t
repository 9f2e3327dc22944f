#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compat=pyxis: what scripts written for pyxis rely on, each thing that its option takes back,
# and that nothing of it holds without.
# timeout: 240
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1320.$slot
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$own" /tmp/vitrine-1320.*
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -p "$own"
home=$(getent passwd "$USER1" | cut -d: -f6)
uid=$(id -u "$USER1")

# image NAME [RECORD]...: of tree tiny, with what an importer would have written.
image() {
    local tree=$own/$1.dir
    cp -a "$(make_tree tiny)" "$tree"
    mkdir -p "$tree/.vitrine" "$tree/workspace"
    echo "of the image" >"$tree/workspace/file"
    printf '%s\0' "${@:2}" >"$tree/.vitrine/config"
    pack "$tree" "$own/$1.sqfs"
}
image plain env=OF_IMAGE=yes
image torch workdir=/workspace env=PATH=/opt/conda/bin:/bin env=PYTORCH_VERSION=2.9 \
    env=LC_ALL=C env=HOME=/nowhere entrypoint=/bin/busybox entrypoint=sh entrypoint=/entry
printf '%s\n' 'echo ran >>/tmp/entry; export ENTERED=yes; exec "$@"' >"$own/torch.dir/entry"
pack "$own/torch.dir" "$own/torch.sqfs"
plain=$own/plain.sqfs torch=$own/torch.sqfs

# As on a site: nothing of the node's spool is in what a container shows anyway.
printf '%s\n' "SlurmdSpoolDir=$own/spool.%n" "TmpFS=/tmp/vitrine-1320.%n" >"$T/slurm.conf"
for node in $NODES; do
    install -d -m 755 "$own/spool.$node"
    install -d -m 1777 "/tmp/vitrine-1320.$node"
done
private_cluster --slurm-conf "$T/slurm.conf"
conf=$VITRINE_CLUSTER/vitrine.conf
echo Compat=pyxis >"$conf"

# inside NAME WANT SCRIPT [OPTION]...: of one task in the image $image.
image=$plain
inside() {
    prints "$1" "$2" as_user srun -Q --container-image="$image" "${@:4}" sh -c "$3"
}

# ---- who and where ------------------------------------------------------------------------

inside 'fake root' '0 root root root /root' 'echo $(id -u) $(id -un) $USER $LOGNAME $HOME'
inside 'all capabilities in its own namespace' ok 'mount -t tmpfs none /workspace && echo ok'
inside 'not with --no-container-remap-root' "$uid $USER1 $home" \
    'echo $(id -u) $USER $HOME' --no-container-remap-root
inside '/ without a working directory of the image' / pwd
inside 'the submit directory is not shown' no "test -e $home/mine && echo yes || echo no"
inside '--container-workdir' /workspace pwd --container-workdir=/workspace
image=$torch
inside "the image's working directory" /workspace pwd
inside 'which is not hidden by what the host has there' 'of the image' 'cat file'
inside '--container-workdir over it' /bin pwd --container-workdir=/bin
inside '--chdir does not count' /workspace pwd --chdir=/var/tmp
image=$plain
exit_is 'a --container-workdir that is missing' 1 \
    as_user srun -Q --container-image="$plain" --container-workdir=/nowhere true
error_line 'is named' "^vitrine: n[12]: cannot change to the working directory /nowhere in the container: "

# ---- files --------------------------------------------------------------------------------

inside 'the root is writable' new 'echo new >/etc/new && cat /etc/new'
inside 'again' ok 'mkdir -p /opt/new/x && chown root /opt/new && echo ok'
exit_is 'the image has not changed' 1 as_user srun -Q --container-image="$plain" cat /etc/new
prints 'one root for all tasks of a node' "$(printf '3\n%.0s' 1 2 3)" as_user srun -Q -n3 \
    --container-image="$plain" sh -c \
    'touch /here.$SLURM_PROCID; while [ $(ls /here.* | wc -l) -lt 3 ]; do sleep 0.1; done; echo 3'
exit_is '--container-readonly' 1 as_user srun -Q --container-readonly --container-image="$plain" \
    touch /etc/new
prints "so is that of a directory that is not the user's" ok as_user srun -Q \
    --container-image="$own/plain.dir" sh -c 'touch /etc/new && echo ok'
[ ! -e "$own/plain.dir/etc/new" ]
report 'in a layer' $?
image=$plain
echo host >"/tmp/vitrine-1320.file"
inside '/tmp is private' 'no tmpfs' \
    'test -e /tmp/vitrine-1320.file && echo yes || echo no $(stat -f -c %T /tmp)'
inside 'one for all tasks' '0 1 2' 'touch /tmp/t.$SLURM_PROCID; [ $SLURM_PROCID != 0 ] || {
    while [ $(ls /tmp | wc -l) -lt 3 ]; do sleep 0.1; done; ls /tmp | sed s/^t.// | paste -s -d" "; }' \
    -n3
inside 'in which everybody may write' 1777 'stat -c %a /tmp'
unlike 'nothing of it is on the host' "$(ls /tmp)" '^t\.[0-9]$'
rm -f /tmp/vitrine-1320.file
prints 'a TMPDIR below it is shown' yes as_user env TMPDIR=/tmp/vitrine-1320.n1/job.1 srun -Q -w n1 \
    --container-image="$plain" sh -c 'touch $TMPDIR/x && echo yes'
[ -e /tmp/vitrine-1320.n1/job.1/x ]
report 'and is the host'\''s' $?

# ---- home ---------------------------------------------------------------------------------

as_user sh -c "mkdir -p $home/.cache && echo mine >$home/mine"
inside 'home is not there' "no /root" "test -e $home/mine || echo no \$HOME"
inside 'but ~ is' ok 'cd ~ && touch x && echo ok'
inside 'without fake root too' "$home ok" 'cd ~ && touch x && echo $(pwd) ok' --no-container-remap-root
[ ! -e "$home/x" ]
report 'and is not the host'\''s' $?
inside '--container-mount-home' '/root mine' 'echo $HOME $(cat ~/mine)' --container-mount-home
inside 'it is at its own place, too' mine "cat $home/mine" --container-mount-home
inside 'it is the same' ok "touch ~/written && test -e $home/written && echo ok" --container-mount-home
[ "$(stat -c %U "$home/written")" = "$USER1" ]
report 'what is written there is the user'\''s' $?
inside 'without fake root' "$home mine" 'echo $HOME $(cat ~/mine)' \
    --container-mount-home --no-container-remap-root
inside 'PYXIS_CONTAINER_MOUNT_HOME' '/root mine' 'echo $HOME $(cat ~/mine)' \
    --export=ALL,PYXIS_CONTAINER_MOUNT_HOME=1
inside 'a named container' '/root mine' 'echo $HOME $(cat ~/mine)' --container-mount-home \
    --container-name="c$slot"

# ---- variables ----------------------------------------------------------------------------

image=$torch
inside "PATH is the image's, with Slurm's commands" "/opt/conda/bin:/bin yes" \
    'echo ${PATH%:*} $(test -x ${PATH##*:}/srun && echo yes)'
prints 'nothing of the host'\''s PATH' /opt/conda/bin:/bin as_user env \
    PATH="/usr/bin:$home/bin:/data" "$SLURM_PREFIX/bin/srun" -Q --container-image="$torch" sh -c 'echo ${PATH%:*}'
image=$plain
prints 'locale variables are dropped' '- - - it' as_user env LANG=it_IT LANGUAGE=it LC_ALL=it LC_TIME=it \
    srun -Q --container-image="$plain" sh -c 'echo ${LANG--} ${LANGUAGE--} ${LC_ALL--} $LC_TIME'
prints 'but those that are named' '- it' as_user env LANG=it_IT LC_ALL=it srun -Q \
    --container-env=LC_ALL --container-image="$plain" sh -c 'echo ${LANG--} ${LC_ALL--}'
prints 'or of the image' C as_user env LC_ALL=it srun -Q --container-image="$torch" sh -c 'echo $LC_ALL'
prints 'variables of the host stay' mine as_user env MINE=mine srun -Q --container-image="$plain" \
    sh -c 'echo $MINE'
ranks='echo $RANK $LOCAL_RANK $SLURM_PROCID $SLURM_LOCALID'
try as_user srun -Q -N2 -n4 --ntasks-per-node=2 --container-image="$torch" sh -c "$ranks"
is 'ranks of PyTorch' "$(sort <<<"$out")" $'0 0 0 0\n1 1 1 1\n2 0 2 0\n3 1 3 1'
inside 'for no other image' '' 'echo $RANK$LOCAL_RANK'
prints 'but if the user says so' '0 0 0 0' as_user env PYTORCH_VERSION=2 srun -Q \
    --container-image="$plain" sh -c "$ranks"
image=$torch
inside 'the entry point does not run' - 'echo ${ENTERED--}'
inside 'but if it is wanted' 'yes ran' 'echo $ENTERED $(cat /tmp/entry)' --container-entrypoint

# ---- references ---------------------------------------------------------------------------

as_user cp "$plain" "$home/ubuntu"
prints 'a file is looked for first' yes as_user srun -Q --container-image=ubuntu \
    sh -c 'echo $OF_IMAGE'
for reference in docker://localhost:1/ubuntu:24.04 localhost:1#ubuntu:24.04 localhost:1/ubuntu; do
    try as_user srun -Q --container-image="$reference" true
    [ "$rc" != 0 ] && [ -z "$out" ]
    report "a registry that is not there: $reference" $? || show_try
    is 'one line tells' "$(grep -c '^vitrine: ' <<<"$err")" 1
    like 'of which image' "$(grep '^vitrine: ' <<<"$err")" "${reference//./\\.}.*localhost:1 cannot be reached"
done

# ---- MPI ----------------------------------------------------------------------------------

mpi=$(make_image mpi) || exit
ok 'a program for MPI' mpicc.openmpi -O1 -o "$home/hello" "$integration/mpi-hello.c"
ok 'another one' mpicc.mpich -O1 -o "$home/hello2" "$integration/mpi-hello.c"
# mpi_hello NAME WHO NODES OPTION...: four ranks, each reads the memory of all others of its node.
mpi_hello() {
    local btl=self,vader,tcp
    [ "$3" = 1 ] || btl=self,tcp
    try as_user env OMPI_MCA_btl="$btl" timeout 40 srun -Q -N"$3" -n4 --overcommit \
        --container-image="$mpi" "${@:4}" /hello
    is "$1 on $3 node(s), with a private /tmp" "$rc $(sort <<<"$out")" \
        "0 $(seq -f "$2: rank %g of 4 reads $((4 / $3 - 1))" 0 3)" || show_try
}
# PMIx's own security wants the same user id on both sides, which a fake root has not: so
# nobody is one there who does not ask for it.
for nodes in 1 2; do
    mpi_hello 'PMIx' 'Open MPI' $nodes --mpi=pmix \
        --container-mounts="$home/hello:/hello"
done
mpi_hello 'PMI2 for a fake root' MPICH 1 --mpi=pmi2 --container-mounts="$home/hello2:/hello"

# ---- a job as they are written ------------------------------------------------------------

as_user mkdir -p "$home/data" "$home/results"
echo 'a set of data' >"$home/data/set"
cat >"$home/train.sh" <<'SH'
echo "$RANK/$WORLD_SIZE on $MASTER_ADDR in $(pwd) with $(cat /data/set) as $(id -un)" >/results/$RANK
echo cached >/root/cache
SH
try_batch -N2 --ntasks-per-node=2 --overcommit <<END
#!/bin/bash
#SBATCH --job-name=train
export MASTER_ADDR=\$(scontrol show hostnames "\$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_PORT=29500 WORLD_SIZE=\$SLURM_NTASKS NCCL_DEBUG=WARN
srun -Q --ntasks-per-node=1 -n2 --container-image=$torch --container-name=train$slot true
srun -Q --container-image=$torch --container-name=train$slot --no-container-mount-home \\
    --container-remap-root --container-writable --container-workdir=/workspace \\
    --container-mounts=$home/data:/data:ro,$home/results:/results,$home/train.sh:/train.sh \\
    sh /train.sh
srun -Q -n1 -N1 --container-name=train$slot cat /root/cache
END
is 'a job for PyTorch' "$rc $(tail -n 1 <<<"$out")" '0 cached' || diagnose "$out"
is 'each rank has done its work' "$(cat "$home"/results/* 2>&1)" \
    "$(seq -f '%g/4 on n1 in /workspace with a set of data as root' 0 3)"

# ---- without ------------------------------------------------------------------------------

: >"$conf"
image=$torch
inside 'without Compat: the same user' "$USER1 $home $USER1" 'echo $USER $HOME $(id -un)'
inside 'without Compat: the submit directory' "$home" pwd
inside 'without Compat: home' mine 'cat ~/mine'
exit_is 'without Compat: nothing is writable' 1 as_user srun -Q --container-image="$torch" touch /x
inside 'without Compat: no ranks' '' 'echo $RANK'
prints 'without Compat: a locale' it as_user env LANG=it srun -Q --container-image="$plain" \
    sh -c 'echo $LANG'
touch /tmp/vitrine-1320.file
inside 'without Compat: /tmp' /tmp/vitrine-1320.file 'ls /tmp/vitrine-1320.file'

# ---- without home -------------------------------------------------------------------------

inside 'without home: it is empty' "$home" 'ls -A ~; pwd' --no-container-mount-home
as_user mkdir -p "$home/project"
prints 'without home: but for where one is' $'project\nhere' as_user sh -c "echo here >$home/project/file &&
    cd $home/project && srun -Q --container-image=$plain --no-container-mount-home sh -c 'ls -A ~ && cat file'"

# ---- without fake root --------------------------------------------------------------------

echo RemapRoot=no >>"$conf"
try as_user srun -Q --container-image="$plain" --container-remap-root id -u
is 'RemapRoot=no: a fake root is refused' "$rc$out" 1
like 'RemapRoot=no: and told so' "$err" '^vitrine: n[12]: --container-remap-root is not allowed on this node \(RemapRoot=no in vitrine.conf\)'
echo Compat=pyxis >>"$conf"
inside 'RemapRoot=no: nobody is one with Compat=pyxis' "$(id -u "$USER1")" 'id -u'

done_testing
