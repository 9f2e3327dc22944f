#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every way to start tasks, and what they find inside. The test has a mount namespace of its
# own, and so has its cluster: mounts that it makes "on the host" stay in there.
[ -n "${VITRINE_TEST_UNSHARED-}" ] ||
    VITRINE_TEST_UNSHARED=yes exec unshare -m --propagation private bash "$0"
. "$(dirname "$0")/lib.sh"

# Mount points cannot be made anywhere but on the host's own root.
scratch=/vitrine-test-scratch-$slot
clean_up() {
    umount -R "$scratch" 2>/dev/null
    [ ! -e "$scratch" ] || rmdir "$scratch"
    rm -f "$trusted" "/tmp/vitrine-$slot-"*
    at_end
}
trusted=$VITRINE_TEST_CACHE/jobs-$slot.sqfs
trap clean_up EXIT

home=$(getent passwd "$USER1" | cut -d: -f6)
tiny=$(make_image tiny) || exit
base=$(make_image base) || exit
tree=$(make_image tiny.dir) || exit
tiny_id='. /etc/os-release && echo $ID'
# shellcheck source=/dev/null
host_id=$(. /etc/os-release && echo "$ID")

cat >"$T/prolog" <<'END'
#!/bin/sh
[ -e "$0-on" ] || exit 0
. /etc/os-release
echo "export FROM_PROLOG=$ID"
echo "print prolog in $ID"
END
chmod 755 "$T/prolog"
cat >"$T/slurm.conf" <<END
LaunchParameters=use_interactive_step
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
TaskProlog=$T/prolog
END
: >"$T/vitrine.conf"
private_cluster --slurm-conf "$T/slurm.conf"
# Read by each step.
config=$VITRINE_CLUSTER/vitrine.conf
srun=$(as_user sh -c 'command -v srun')
# The daemon of the first node, and what could pile up in it.
slurmd=$(cat "$VITRINE_CLUSTER/slurmd.${NODES%% *}.pid")
mounts_of_slurmd() { cut -d' ' -f4,5 "/proc/$slurmd/mountinfo"; }
at_start=$(mounts_of_slurmd)

# inside [SRUN-OPTION]... COMMAND: runs a shell command in the tiny image.
inside() {
    as_user srun --container-image="$tiny" "${@:1:$#-1}" sh -c "${!#}"
}

# as_bare NAME SRUN-ARGUMENT...: no difference to the host in what it prints and how it ends.
as_bare() {
    local bare
    try as_user srun "${@:2}"
    bare="$rc,$out,$(normal)"
    try as_user srun --container-image="$tiny" "${@:2}"
    is "$1" "$rc,$out,$(normal)" "$bare"
}

# Of what srun says, in no certain order, all but names of nodes, numbers of jobs
# and times.
normal() {
    sed -E 's/StepId=[0-9.]+/StepId=/; s/STEP .* AT .*/STEP/
        s/^(slurmstepd-[^:]*:|\[.*\]) error/slurmstepd: error/; s/error: [^ ]+: task/error: task/
        /: job [0-9]+ (queued|has been allocated)/d' <<<"$err" | sort
}

in_home() {
    as_user tee "$home/$1" >/dev/null && as_user chmod 755 "$home/$1"
}

# ---- batch jobs ---------------------------------------------------------------------------

as_user mkdir "$home/work"
try_batch --chdir="$home/work" --container-image="$tiny" <<'END'
#!/bin/sh
. /etc/os-release
echo "script in $ID"
[ -r "$0" ] && sed -n 's/^# this line/can read \0/p' "$0"
# this line
echo "cwd $PWD = $(pwd)"
srun sh -c '. /etc/os-release; echo "step in $ID"; pwd'
srun --container-image=none sh -c '. /etc/os-release; echo "host is $ID"'
exit 5
END
is 'a batch script and its steps are in the image' "$out" "script in tiny
can read # this line
cwd $home/work = $home/work
step in tiny
$home/work
host is $host_id"
is 'its exit code' "$rc $state" '5 FAILED'

cat >"$T/line" <<END
#!/bin/sh
#SBATCH --container-image=$tiny
$tiny_id; srun sh -c '$tiny_id'
END
try_batch <"$T/line"
is 'as an #SBATCH line' "$out" $'tiny\ntiny'
try_batch --export=NONE <"$T/line"
is 'also with --export=NONE' "$out" $'tiny\ntiny'
# As on any host, there is no PATH that knows of srun, and none for its tasks.
sed "s|srun sh|$srun /bin/sh|" "$T/line" >"$T/line-of-host"
try_batch --export=NONE --container-image=none <"$T/line-of-host"
is 'the command line overrides the line' "$out" "$host_id"$'\n'"$host_id"

ok 'sbatch --wrap' as_user sbatch -o "$home/wrap.out" --container-image="$tiny" \
    --wrap "$tiny_id; srun sh -c '$tiny_id'"
wait_for 20 no_jobs
is 'is in the image' "$(cat "$home/wrap.out")" $'tiny\ntiny'

as_user sbatch -Q -a 1-3 -o "$home/array-%a.out" --container-image="$tiny" \
    --wrap "$tiny_id; srun sh -c 'echo \$SLURM_ARRAY_TASK_ID'"
wait_for 20 no_jobs
is 'a job array' "$(cat "$home"/array-{1,2,3}.out)" $'tiny\n1\ntiny\n2\ntiny\n3'

cat >"$home/het.sh" <<END
#!/bin/sh
#SBATCH -n1 --container-image=$tiny
#SBATCH hetjob
#SBATCH -n1
$tiny_id
srun -l --het-group=0,1 sh -c '$tiny_id' | sort
END
try_batch <"$home/het.sh"
is 'a heterogeneous job' "$out" $'tiny\n0: tiny\n1: tiny'
# As with any SPANK option: the last one counts for all components.
ok 'components of srun' as_user srun -l --container-image=none -n1 sh -c "$tiny_id" : \
    --container-image="$tiny" -n1 sh -c "$tiny_id"
is 'share the last option' "$(sort <<<"$out")" $'0: tiny\n1: tiny'

# ---- allocations --------------------------------------------------------------------------

ok 'salloc with a command' as_user salloc --container-image="$tiny" sh -c \
    "$tiny_id; srun sh -c '$tiny_id'; srun --container-image=none sh -c '$tiny_id'"
is 'which stays outside, its steps do not' "$out" "$host_id"$'\ntiny\n'"$host_id"

# terminal COMMAND: the expect commands on stdin talk to it on a terminal of 33 by 99.
terminal() {
    {
        cat <<END
set timeout 10
proc wants {what} {
    expect -re \$what {} timeout {puts "\\nno: \$what"; exit 1} eof {puts "\\nend, no: \$what"; exit 1}
}
spawn -noecho $top/contrib/cluster/run --user $USER1 env SHELL=/bin/sh {PS1=ready> } $*
stty rows 33 columns 99 < \$spawn_out(slave,name)
wants ready>
END
        cat
        echo 'expect eof {} timeout {puts "no end"; exit 1}; exit [lindex [wait] 3]'
    } >"$T/expect"
    try expect "$T/expect"
    out=${out//$'\r'/}
}

terminal srun --pty --container-image="$tiny" sh <<'END'
send "stty size; tty; echo in \$(. /etc/os-release; echo \$ID)\r"
wants "\n33 99\r\n/dev/pts/\[0-9]+\r\nin tiny\r"
wants ready>
send "trap 'echo shell' INT; echo go; sleep 100\r"
wants "\ngo\r"
sleep 0.3
send "\003"
wants ready>
send "cat; ls -d /bin\r"
sleep 0.2
send "typed\r"
wants "typed\r\ntyped\r\n"
send "\004"
wants "/bin\r"
send "exit 7\r"
END
[ "$rc" = 7 ]
report 'srun --pty is a terminal, Ctrl-C ends what runs in it' $? || show_try

terminal salloc --container-image="$tiny" <<'END'
send ". /etc/os-release; echo in \$ID; srun --overlap sh -c '. /etc/os-release; echo step in \$ID'; exit 3\r"
wants "\nin tiny\r"
wants "\nstep in tiny\r"
END
[ "$rc" = 3 ]
report "salloc's interactive step" $? || show_try

ok 'an allocation without a command' as_user salloc --no-shell -J overlap -N1
job=$(as_user squeue -h -n overlap -o %A)
prints '--overlap --jobid is on the host' "$host_id" \
    as_user srun --overlap --jobid="$job" sh -c "$tiny_id"
prints 'or in an image, if asked for' tiny inside --overlap --jobid="$job" "$tiny_id"
ok 'two steps at once' as_user sh -c "
    srun --overlap --jobid=$job --container-image=$tiny sh -c '$tiny_id; sleep 0.3' &
    srun --overlap --jobid=$job --container-image=$tree sh -c '$tiny_id; sleep 0.3' &
    wait"
is 'in an image each' "$out" $'tiny\ntiny'
as_user scancel "$job"

# ---- srun's options -----------------------------------------------------------------------

ok 'two nodes' inside -l -N2 "$tiny_id; echo \$SLURMD_NODENAME"
is 'both inside' "$(sort <<<"$out")" "0: ${NODES% *}
0: tiny
1: ${NODES#* }
1: tiny"
# The whole of a node, and not of the one that other tests take first.
ok '64 tasks on a node' inside -w "${NODES##* }" -N1 -n64 --overcommit "$tiny_id"
is 'all inside' "$(sort <<<"$out" | uniq -c | xargs)" '64 tiny'
prints '--exclusive' tiny inside -w "${NODES##* }" --exclusive "$tiny_id"

printf '%s\n' '0 ipcalc -m 10.1.2.3' "1 cat /etc/os-release" "2 /bin/busybox hostid" >"$T/multi"
ok '--multi-prog finds commands that only the image has' \
    as_user srun -l -n3 --container-image="$tiny" --multi-prog "$T/multi"
like 'by name' "$out" '^0: NETMASK=255.0.0.0'
like 'a file' "$out" '^1: ID=tiny'
like 'and by path' "$out" '^2: [0-9a-f]{8}$'

prints '--chdir' "/tmp $home/work" \
    as_user sh -c "echo \$(srun --container-image=$tiny -D /tmp pwd;
        srun --container-image=$tiny -D $home/work pwd)"
in_home script <<<$'#!/bin/sh\n. /etc/os-release\necho "$1 in $ID as $0"'
in_home name <<<$'#!/bin/sh\necho "$0"'
prints '--bcast' "sent in tiny as /tmp/vitrine-$slot-bcast" \
    as_user srun --container-image="$tiny" --bcast="/tmp/vitrine-$slot-bcast" "$home/script" sent
as_bare 'a script by relative path' ./name
exit_is 'a command that the image lacks' 2 as_user srun --container-image="$tiny" perl -v

ok '--input, --output, --error' inside -i "$home/script" -o "$home/o" -e "$home/e" \
    'wc -l; echo error >&2'
is 'an output file' "$(cat "$home/o")" 3
is 'an error file' "$(cat "$home/e")" error
is 'both are the user'"'"'s' "$(stat -c %U "$home/o" "$home/e" | uniq)" "$USER1"
prints 'stdin through a pipe' 200000 \
    as_user sh -c "head -c 200000 /dev/zero | srun --container-image=$tiny wc -c"
as_bare '--kill-on-bad-exit' -n2 -K sh -c '[ "$SLURM_PROCID" = 0 ] && exit 3; sleep 60'

# ---- task prologs: they run after the task has entered the image ---------------------------

touch "$T/prolog-on"
ok 'TaskProlog' inside 'echo $FROM_PROLOG'
is 'runs inside, with effect' "$out" $'prolog in tiny\ntiny'
in_home prolog <<<$'#!/bin/sh\n. /etc/os-release\necho "export USERS_OWN=$ID"'
prints '--task-prolog, too' $'prolog in tiny\ntiny' \
    inside --task-prolog="$home/prolog" 'echo $USERS_OWN'
exit_is 'one that cannot run inside fails the task' 127 \
    inside --task-prolog=/usr/bin/perl true
like 'with a word why' "$err" 'task-prolog failed'
rm "$T/prolog-on"

# ---- Slurm's commands, in an image without a C library ------------------------------------

try_batch --container-image="$tiny" -J nested <<'END'
#!/bin/sh
scontrol show hostnames a[8-10] | xargs
sinfo -h -p debug -o %P
squeue -h -j "$SLURM_JOB_ID" -o '%j %T'
srun -n2 --overcommit sh -c '. /etc/os-release; echo $ID'
srun -l cat </etc/os-release | sed -n 1p
srun sh -c 'exit 9' 2>/dev/null
echo "code $?"
sbatch -Q -W -o nested.out --wrap '. /etc/os-release; echo "job in $ID"' && cat nested.out
job=$(sbatch --parsable -o /dev/null --wrap 'sleep 60')
scancel "$job" && echo cancelled
END
is "Slurm's commands" "$out" "a8 a9 a10
debug*
nested RUNNING
tiny
tiny
0: ID=tiny
code 9
job in tiny
cancelled"
wait_for 10 no_jobs
report 'the nested job is gone' $?

# ---- PATH and environment -----------------------------------------------------------------

# variant NAME: a directory image like tiny, with a command "where" in /opt/NAME/bin.
variant() {
    variant=$T/$1
    cp -a "$tree" "$variant"
    mkdir -p "$variant/opt/$1/bin"
    printf '#!/bin/sh\necho %s "$PATH"\n' "$1" >"$variant/opt/$1/bin/where"
    chmod 755 "$variant/opt/$1/bin/where"
}

variant pam
echo 'PATH="/opt/pam/bin:/bin"' >"$variant/etc/environment"
variant charlie
mkdir "$variant/ch"
echo 'PATH=/opt/charlie/bin:/bin' >"$variant/ch/environment"
variant apptainer
mkdir -p "$variant/.singularity.d/env"
echo 'export PATH="/opt/apptainer/bin:/bin"' \
    >"$variant/.singularity.d/env/10-docker2singularity.sh"
# Slurm's commands are found in any case.
last=$(dirname "$srun")
for name in pam charlie apptainer; do
    prints "PATH of an image: $name" "$name /opt/$name/bin:/bin:$last" \
        as_user srun --container-image="$T/$name" where
    prints "with --export=NONE: $name" "$name /opt/$name/bin:/bin:$last" \
        as_user srun --export=NONE --container-image="$T/$name" where
done
usual=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case :$usual: in *":$last:"*) last='' ;; *) last=:$last ;; esac
prints 'the usual PATH' "$usual$last" \
    as_user srun --export=NONE --container-image="$tiny" sh -c 'echo $PATH'
as_user mkdir "$home/bin"
in_home bin/mine <<<$'#!/bin/sh\necho mine "$PATH"'
prints "the user's own directories come last" "mine $usual:$home/bin$last" \
    as_user env PATH="$home/bin:/usr/games:/usr/bin:/bin" "$srun" --container-image="$tiny" mine

venv=$home/venv
version=$(cd "$IMAGES/base.dir/usr/lib" && echo python3.*)
as_user mkdir -p "$venv/bin" "$venv/lib/$version/site-packages"
as_user ln -s /usr/bin/python3 "$venv/bin/python"
echo 'home = /usr/bin' | in_home venv/pyvenv.cfg
echo 'name = "mine"' | in_home "venv/lib/$version/site-packages/treasure.py"
prints 'a Python virtual environment' "mine $venv" \
    as_user env VIRTUAL_ENV="$venv" PATH="$venv/bin:/usr/bin:/bin" \
    "$srun" --container-image="$base" python -c 'import sys, treasure; print(treasure.name, sys.prefix)'
prints 'an active one comes first' "$venv/bin:$usual$last" \
    as_user env VIRTUAL_ENV="$venv" PATH="/usr/bin:$venv/bin" \
    "$srun" --container-image="$base" printenv PATH
prints 'one that was left does not' "$usual$last" \
    as_user env VIRTUAL_ENV="$venv" srun --container-image="$base" printenv PATH
prints 'variables and arguments arrive as they are' $'a  b\n|*|$x|' \
    as_user env ODD=$'a  b' srun --container-image="$tiny" \
    sh -c 'echo "$ODD"; printf "|%s" "$@"; echo "|"' - '*' '$x'

# ---- names, files, host -------------------------------------------------------------------

prints 'names of the user and his groups' "$USER1 $USER1 $USER1 vitrine-a vitrine-b" \
    inside 'echo $(id -un) $(whoami) $(id -Gn)'
is 'numbers as outside' "$(inside 'id -u; id -g; id -G')" "$(as_user sh -c 'id -u; id -g; id -G')"
umask_check='umask 027; srun --container-image='$tiny' sh -c "umask; >new; >/tmp/vitrine-'$slot'-new; mkdir dir"'
prints 'umask' 0027 as_user sh -c "$umask_check"
is 'new files outside' \
    "$(stat -c '%n %U %G %a' "$home/new" "$home/dir" "/tmp/vitrine-$slot-new")" \
    "$home/new $USER1 $USER1 640
$home/dir $USER1 $USER1 750
/tmp/vitrine-$slot-new $USER1 $USER1 640"
prints 'new files inside' "$USER1 $USER1 640" inside "stat -c '%U %G %a' new"
prints "a file for the user's group" "$USER1 vitrine-b" \
    inside "chgrp vitrine-b new && stat -c '%U %G' new"
is 'and outside' "$(stat -c %G "$home/new")" vitrine-b
prints "root's files" 'root root root root' inside 'echo $(stat -c "%U %G" / /etc)'
is 'hosts, resolv.conf, hostname' "$(inside 'cat /etc/hosts /etc/resolv.conf /etc/hostname; hostname')" \
    "$(cat /etc/hosts /etc/resolv.conf /etc/hostname; hostname)"
is 'the time zone' "$(inside 'md5sum </etc/localtime; date +%Z%z')" \
    "$(md5sum </etc/localtime; date +%Z%z)"
ok 'the image cannot be written' inside '! touch /x /etc/x /bin/x 2>/dev/null'

# ---- host mounts --------------------------------------------------------------------------

mkdir "$scratch"
mount -t tmpfs -o mode=1777 tmpfs "$scratch"
mkdir "$scratch/nested" "$scratch/bound" "$T/plain"
mount -t tmpfs -o mode=755 tmpfs "$scratch/nested"
echo deep >"$scratch/nested/file"
echo plain >"$T/plain/file"
mount --bind "$T/plain" "$scratch/bound"
# The daemons are of the test's mount namespace, but have copies of what was there before.
[ "$(readlink "/proc/$slurmd/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]
report 'the cluster has the mounts of this test' $?
prints 'host mounts are at their own path, nested ones too' $'deep\nplain' \
    inside "touch $scratch/by-user && cat $scratch/nested/file $scratch/bound/file"
is 'writable' "$(stat -c %U "$scratch/by-user")" "$USER1"
prints 'also from a directory there' "$scratch/nested" inside -D "$scratch/nested" pwd
echo 'MountHost=none' >"$config"
exit_is 'MountHost=none hides them' 1 inside "ls -d $scratch"
prints 'but not home and /tmp' yes inside "[ -w $home ] && [ -w /tmp ] && echo yes"
printf '%s\n' MountHost=none "MountInclude=$T/plain,$scratch/nested" >"$config"
prints 'MountInclude adds some' $'plain\ndeep\nnested' \
    inside "cat $T/plain/file $scratch/nested/file; ls $scratch"
echo "MountExclude=$scratch" >"$config"
exit_is 'MountExclude hides some' 1 inside "ls -d $scratch"
: >"$config"

# A directory of operating systems, but not the one where this Slurm lives.
owned=/opt
[[ $srun != /opt/* ]] || owned=/boot
mkdir -p "$T/pam$owned/pam"
# A network file system, as it looks: served by FUSE, from an image with "of-host" in it.
mkdir "$T/share"
touch "$T/share/of-host"
pack "$T/share" "$T/share.sqfs" >/dev/null
exec 3<"$T/share.sqfs" 4<>/dev/fuse 5>/dev/null
mount -i -t fuse.share -o fd=4,rootmode=40000,user_id=0,group_id=0,allow_other share "$owned"
"$VITRINE_TEST_PREFIX/libexec/vitrine/vitrine-fuse" 0 &
exec 3<&- 4<&- 5<&-
is "a shared file system on $owned" "$(ls "$owned")" of-host
prints "does not cover the image's own" pam as_user srun --container-image="$T/pam" ls "$owned"
prints 'unless there is nothing' of-host inside "ls $owned"
umount "$owned"

# ---- many steps ---------------------------------------------------------------------------

# A trusted image of this test alone, so that its loop devices can be counted.
cp "$tiny" "$trusted"
descriptors() { find "/proc/$slurmd/fd" -mindepth 1 | wc -l; }
descriptors_before=$(descriptors)
try_batch --container-image="$trusted" <<'END'
#!/bin/sh
n=0
while [ $n -lt 200 ]; do
    srun -Q sh -c '[ -x /bin/busybox ] && ! [ -e /etc/debian_version ]' || echo "step $n: $?"
    n=$((n + 1))
done
echo "$n steps"
END
is '200 steps in a row' "$out" '200 steps'
umount -R "$scratch"
no_loop_device() { [ -z "$(losetup -j "$trusted")" ]; }
wait_for 5 no_loop_device
is 'no loop device is left' "$(losetup -j "$trusted")" ''
is 'no mount' "$(mounts_of_slurmd)" "$at_start"
no_more_descriptors() { [ "$(descriptors)" -le "$descriptors_before" ]; }
wait_for 5 no_more_descriptors
report 'no descriptor of slurmd' $?
is 'no file in its spool' \
    "$(find "$VITRINE_CLUSTER"/spool.* -mindepth 1 -name 'job*')" ''
is 'no file in TmpFS' "$(find "$VITRINE_CLUSTER"/tmp.* -mindepth 1)" ''

done_testing
