#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-entrypoint: what an image runs before its tasks, once on each node, and what it
# leaves to them; and what becomes of one that does not work.
# timeout: 240
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1310.$slot
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$own"
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -p "$own"
home=$(getent passwd "$USER1" | cut -d: -f6)
ran=$home/ran

# A directory, so that each test may have its own entry point.
tree=$own/tree
cp -a "$(make_tree tiny)" "$tree"
mkdir "$tree/.vitrine"

# config RECORD...
config() {
    printf '%s\0' "$@" >"$tree/.vitrine/config"
}

# entry LINE...: the script, for busybox' sh unless the first line is another.
entry() {
    local first='#!/bin/sh'
    case $1 in '#!'*) first='' ;; esac
    printf '%s\n' ${first:+"$first"} "$@" >"$tree/entry"
    chmod 755 "$tree/entry"
    rm -f "$ran"
}
config env=OF_IMAGE=yes entrypoint=/entry entrypoint='with blanks' cmd=/bin/false

# inside NAME WANT SCRIPT [OPTION]...: with the entry point; without: without.
inside() {
    without "${@:1:3}" --container-entrypoint "${@:4}"
}

without() {
    prints "$1" "$2" as_user timeout 30 srun -Q --container-image="$tree" "${@:4}" sh -c "$3"
}

# ---- one that works -----------------------------------------------------------------------

entry "echo \$SLURMD_NODENAME >>$ran" 'export ENTERED="$1 $#" PATH=/opt/entry:$PATH OF_IMAGE=changed' \
    'unset HOST_SAID' 'export LD_LIBRARY_PATH=/opt/lib' 'exec "$2" "$3"'
without 'it does not run unless that is wanted' 'yes -' 'echo $OF_IMAGE ${ENTERED--}'
without 'nor if it is not' 'yes -' 'echo $OF_IMAGE ${ENTERED--}' --no-container-entrypoint
[ ! -e "$ran" ]
report 'really' $?
inside 'what it exports reaches the task' 'changed with blanks 3 /opt/lib' \
    'echo $OF_IMAGE $ENTERED $LD_LIBRARY_PATH'
prints 'what it unsets, too' - as_user env HOST_SAID=x srun -Q --container-image="$tree" \
    --container-entrypoint sh -c 'echo ${HOST_SAID--}'
inside 'the search path' /opt/entry 'echo ${PATH%%:*}'
rm -f "$ran"
try as_user srun -Q -N2 -n6 --container-image="$tree" --container-entrypoint sh -c \
    'echo "$ENTERED $SLURM_PROCID $SLURM_LOCALID $(printenv -0 SLURM_TASK_PID >/dev/null 2>&1; test $SLURM_TASK_PID = $$ && echo own)"'
is 'all tasks of both nodes have it, and what is their own' "$rc $(cut -d' ' -f 4,6 <<<"$out" | sort)" \
    "0 $(printf '%s own\n' 0 1 2 3 4 5)" || show_try
is 'it has run once on each node' "$(sort "$ran" | paste -s -d' ')" 'n1 n2'
rm -f "$ran"
try_batch --container-image="$tree" --container-entrypoint <<'END'
#!/bin/sh
echo $ENTERED
srun -Q sh -c 'echo $ENTERED'
srun -Q --no-container-entrypoint sh -c 'echo $ENTERED'
END
is 'a batch script and its steps' "$rc $(sort -u <<<"$out")" '0 with blanks 3'
is 'of which each runs it' "$(wc -l <"$ran")" 2
without 'VITRINE_CONTAINER_ENTRYPOINT' 'with blanks 3' 'echo $ENTERED' \
    --export=ALL,VITRINE_CONTAINER_ENTRYPOINT=yes
without 'PYXIS_CONTAINER_ENTRYPOINT' 'with blanks 3' 'echo $ENTERED' \
    --export=ALL,PYXIS_CONTAINER_ENTRYPOINT=1

entry 'cd /tmp; export SEEN="$(id -u) $PWD"; _=x; exec "$2" "$3"'
inside 'it runs as the user; where it goes is its own affair' "$(id -u "$USER1") /tmp $home $home" \
    'echo $SEEN $PWD $(pwd)'
entry 'export SEEN="$(pwd)"; exec "$2" "$3"'
inside 'it runs where the tasks do' /bin 'echo $SEEN' --container-workdir=/bin
entry 'export SEEN="$(id -u) $HOME"; exec "$2" "$3"'
inside 'as fake root' "0 $home" 'echo $SEEN' --container-remap-root
entry '"$2" "$3"'
inside 'it may run its command as a child, as tini does' yes 'echo $OF_IMAGE'
entry 'read -r line && exit 1; exec "$2" "$3"'
inside 'it has no standard input' yes 'echo $OF_IMAGE'
entry 'echo to stdout; echo to stderr >&2; exec "$2" "$3"'
inside 'nobody sees what it says' yes 'echo $OF_IMAGE'
try as_user srun -Q --container-image="$tree" --container-entrypoint --container-entrypoint-log \
    sh -c 'echo $OF_IMAGE'
is '--container-entrypoint-log' "$rc $out $(paste -s -d' ' <<<"$err")" '0 yes to stdout to stderr'
entry 'export BIG=$(head -c 100000 /dev/zero | tr "\0" x) NL="a' 'b"; exec "$2" "$3"'
inside 'a long value, and one of two lines' $'100000 a\nb' 'echo "${#BIG} $NL"'
entry 'exec env -i ONLY=this PATH="$PATH" "$2" "$3"'
inside 'it may begin anew' $'0 this -\n1 this -' '[ $SLURM_PROCID = 0 ] || sleep 0.3
    echo $SLURM_PROCID $ONLY ${OF_IMAGE--}' -n2
entry 'export SLURM_PROCID=77 SLURM_LOCALID=77 PMI_RANK=77; exec "$2" "$3"'
inside 'but not change which task one is' '0 -' 'echo $SLURM_PROCID ${PMI_RANK--}'
entry "touch /written && echo >>$ran" 'exec "$2" "$3"'
inside 'in a root for each task: once for each' 'ok ok ' 'test -e /written && printf "ok "' -n2 \
    --container-writable=task
is 'that is' "$(wc -l <"$ran")" 2

# ---- one that does not --------------------------------------------------------------------

node=n1
# fails NAME REASON [OPTION]...: no task runs, and one line tells why.
fails() {
    exit_is "$1" 1 as_user timeout 30 srun -Q -n2 --container-image="$tree" --container-entrypoint \
        "${@:3}" echo ran
    [ -z "$out" ]
    report "$1: nothing runs" $? || show_try
    error_line "$1: why" "^vitrine: $node: cannot run the entry point of image $tree: $2\$"
}
no_command='it ended without running the command that it was given; --container-entrypoint-log shows what it said'
entry 'exit 0'
fails 'one that ends' "$no_command"
entry 'exit 3'
fails 'one that fails' "$no_command"
entry 'kill -9 $$'
fails 'one that is killed' "$no_command"
entry 'echo of no use >&2; exit 1'
try as_user srun -Q --container-image="$tree" --container-entrypoint --container-entrypoint-log true
is 'with a log' "$(grep -cx -e 'of no use' <<<"$err") $(grep -c "it ended without running the command that it was given\$" <<<"$err")" '1 1'
entry '#!/nowhere/sh'
fails 'one whose interpreter is missing' 'cannot execute /entry: No such file or directory'
chmod 644 "$tree/entry"
fails 'one that may not be executed' 'cannot execute /entry: Permission denied'
printf 'no program' >"$tree/entry"
chmod 755 "$tree/entry"
fails 'one that is no program' "$no_command" # a shell has tried
rm "$tree/entry"
fails 'one that is missing' 'cannot execute /entry: No such file or directory'
mkdir "$tree/entry"
fails 'a directory' 'cannot execute /entry: Permission denied'
rmdir "$tree/entry"
prints 'which is no matter without' yes as_user srun -Q --container-image="$tree" sh -c 'echo $OF_IMAGE'
config entrypoint=sh entrypoint=-c entrypoint='exec "$0" "$@"'
inside 'a name is looked up in PATH' ok 'echo ok'
config cmd=/bin/false
inside 'a default command is no entry point' ok 'echo ok'
config entrypoint=/entry entrypoint= entrypoint=x
exit_is 'an empty argument cannot be passed on yet' 1 as_user srun -Q --container-image="$tree" \
    --container-entrypoint true
like 'which is told' "$err" '^vitrine: n1: .*has an empty argument'
config env=OF_IMAGE=yes entrypoint=/entry entrypoint='with blanks'

# ---- named containers ---------------------------------------------------------------------

entry "echo >>$ran" 'export ENTERED=now' 'exec "$2" "$3"'
name=e$slot
try_batch -n2 --overcommit --container-image=none <<END
#!/bin/sh
step() {
    srun -Q -n1 --overlap --container-image=$tree --container-name=$name --container-entrypoint "\$@"
}
step sh -c 'touch $home/up; while [ ! -e $home/down ]; do sleep 0.1; done' &
until [ -e $home/up ]; do sleep 0.1; done
step sh -c 'echo \${ENTERED--}'
wc -l <$ran
touch $home/down
wait
step sh -c 'echo \${ENTERED--}'
wc -l <$ran
END
is 'a named container runs it when it starts, but not for those who join' "$rc $(paste -s -d' ' <<<"$out")" \
    '0 - 1 now 2'

# ---- images of others ---------------------------------------------------------------------

# tool NAME: a tree of its own in $tree.
tool() {
    tree=$own/$1
    cp -a "$(make_tree tiny)" "$tree"
}
tool enroot
entry 'export ENTERED=$1; shift; exec "$@"'
cat >"$tree/etc/rc" <<'END'
# enroot-provenance: docker://example

mkdir -p "/opt/app" 2> /dev/null
cd "/opt/app" && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    exec '/entry' 'of enroot' "$@"
else
    exec '/entry' 'of enroot' 'sh'
fi
END
echo OF_IMAGE=enroot >"$tree/etc/environment"
inside "enroot's" 'enroot of enroot' 'echo $OF_IMAGE $ENTERED'

tool apptainer
mkdir -p "$tree/.singularity.d/env"
cat >"$tree/.singularity.d/env/10-docker2singularity.sh" <<'END'
#!/bin/sh
export PATH="/opt/conda/bin:/bin"
export OF_IMAGE="${OF_IMAGE:-"apptainer"}"
END
cat >"$tree/.singularity.d/runscript" <<'END'
#!/bin/sh
OCI_ENTRYPOINT='"/entry" "of apptainer"'
OCI_CMD=''
CMDLINE_ARGS=""
for arg in "$@"; do
    CMDLINE_ARGS="${CMDLINE_ARGS} \"$arg\""
done
SINGULARITY_OCI_RUN="${OCI_ENTRYPOINT} ${CMDLINE_ARGS}"
eval "set ${SINGULARITY_OCI_RUN}"
exec "$@"
END
chmod 755 "$tree/.singularity.d/runscript"
entry 'export ENTERED=$1; shift; exec "$@"'
inside "Apptainer's runscript" 'apptainer of apptainer' 'echo $OF_IMAGE $ENTERED'

# One static program, and nothing else at all.
tree=$own/scratch
mkdir -p "$tree/.vitrine"
cat >"$T/static.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "entry") == 0) {
        setenv("ENTERED", "static", 1);
        execv(argv[2], argv + 2);
        return 1;
    }
    const char *entered = getenv("ENTERED"), *image = getenv("OF_IMAGE");
    return printf("%s %s\n", image ? image : "-", entered ? entered : "-") < 0;
}
END
ok 'a static program' gcc -static -O1 -o "$tree/program" "$T/static.c"
config env=OF_IMAGE=scratch entrypoint=/program entrypoint=entry
pack "$tree" "$own/scratch.sqfs"
for image in "$tree" "$own/scratch.sqfs"; do
    for options in '' --container-remap-root --container-writable; do
        [ "$image $options" != "$tree --container-writable" ] || continue
        prints "an image of one program: ${image##*/} $options" 'scratch -' \
            as_user srun -Q --container-image="$image" ${options:+"$options"} /program
        prints 'with its entry point' 'scratch static' as_user srun -Q --container-image="$image" \
            --container-entrypoint ${options:+"$options"} /program
    done
done

# ---- what it leaves -----------------------------------------------------------------------

tree=$own/tree
entry "sleep 1000 & echo \$! >$ran" 'exec "$2" "$3"'
# By cgroups, which know what belongs to a step; at the end, as node names change.
private_cluster --cgroup
node=${NODES%% *}
inside 'a process that it leaves is there' yes "kill -0 \$(cat $ran) && echo yes"
wait_for 5 sh -c "! kill -0 $(cat "$ran")" 2>/dev/null
report 'and ends with the step' $?
since=${EPOCHREALTIME/[.,]/}
inside 'at once' yes "kill -0 \$(cat $ran) && echo yes"
[ $((${EPOCHREALTIME/[.,]/} - since)) -lt 5000000 ]
report 'or nearly so' $?

entry 'sleep 1000 & exit 0'
fails 'one that leaves a process and ends' "$no_command"

done_testing
