#!/bin/bash
# shellcheck disable=SC2016 # some texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# The scripts that Slurm runs as each task, TaskProlog= and srun's --task-prolog, which it
# does inside of the container: they lie where no container would show them, and work as they
# do on the host. The epilog runs on the host.
# timeout: 180
. "$(dirname "$0")/lib.sh"

own=$VITRINE_TEST_CACHE/1330.$slot # below /var, so only what is asked for is shown
below=/tmp/vitrine-1330.$slot
clean_up() {
    (at_end)
    rc=$?
    rm -rf --one-file-system "$own" "$below"
    exit $rc
}
trap clean_up EXIT
rm -rf --one-file-system "$own"
mkdir -p "$own/site" "$own/user"
tiny=$(make_image tiny) || exit
home=$(getent passwd "$USER1" | cut -d: -f6)

# script FILE LINE...: for /bin/sh, unless the first line is another.
script() {
    local first='#!/bin/sh'
    case $2 in '#!'*) first='' ;; esac
    printf '%s\n' ${first:+"$first"} "${@:2}" >"$1"
    chmod 755 "$1"
}

# Where each runs: the image has this file, the host has not.
cp -a "$(make_tree tiny)" "$own/tree"
echo inside >"$own/tree/where"
pack "$own/tree" "$own/image.sqfs"
image=$own/image.sqfs
where='$(cat /where 2>/dev/null || echo host)'
site=$own/site/prolog
script "$site" "echo export SITE=$where" "echo export SITE_CWD=\$(pwd)" 'echo unset DROPPED'
script "$own/site/epilog" "echo \$SLURM_PROCID $where >>$home/epilog"
printf '%s\n' "TaskProlog=$site" "TaskEpilog=$own/site/epilog" >"$T/slurm.conf"
private_cluster --slurm-conf "$T/slurm.conf"

# ---- TaskProlog= --------------------------------------------------------------------------

show='echo "$SITE $USER_SAID ${DROPPED-unset}"'
prints 'TaskProlog on the host' 'host  unset' as_user env DROPPED=x srun -Q sh -c "$show"
prints 'TaskProlog inside' 'inside  unset' \
    as_user env DROPPED=x srun -Q --container-image="$image" sh -c "$show"
prints 'it runs where the task does' /var/tmp \
    as_user srun -Q --container-image="$image" -D /var/tmp sh -c 'echo "$SITE_CWD"'
prints 'for every task, on every node' "$(printf 'inside  unset\n%.0s' 1 2 3 4)" \
    as_user srun -Q -N2 -n4 --container-image="$image" sh -c "$show"
exit_is 'nothing beside it is shown' 1 as_user srun -Q --container-image="$image" test -e "$own/site/epilog"
exit_is 'nor its directory otherwise' 1 as_user srun -Q --container-image="$image" test -e "$own/user"
prints 'for the image of a directory' 'inside  unset' \
    as_user srun -Q --container-image="$own/tree" sh -c "$show"
prints 'for fake root' 'inside  unset' \
    as_user srun -Q --container-remap-root --container-image="$image" sh -c "$show"
try_batch --container-image="$image" <<END
#!/bin/sh
$show
srun -Q sh -c '$show'
END
is 'in a batch script and its step' "$rc $out" $'0 inside  unset\ninside  unset'
wait_for 5 test -s "$home/epilog"
like 'TaskEpilog runs on the host' "$(cat "$home/epilog")" '^0 host$'
unlike 'and only there' "$(cat "$home/epilog")" inside

# ---- srun's -------------------------------------------------------------------------------

mine=$own/user/prolog
script "$mine" "echo export USER_SAID=$where-\$SITE" "echo print said at \$SLURM_PROCID"
script "$own/user/other" 'echo export USER_SAID=other'
script "$own/user/with space" 'echo export USER_SAID=space'

# mine NAME WANT ARGUMENT-OF-SRUN...: as the last line.
mine() {
    try as_user srun -Q --container-image="$image" "${@:3}"
    is "$1" "$rc $(tail -n 1 <<<"$out")$err" "0 $2"
}
said=(sh -c 'echo "$USER_SAID"')
mine '--task-prolog=' inside-inside --task-prolog="$mine" "${said[@]}"
is 'what it prints' "$(head -n 1 <<<"$out")" 'said at 0'
mine '--task-prolog FILE' inside-inside --task-prolog "$mine" "${said[@]}"
mine 'behind other options' inside-inside -n 1 -J name --task-prolog "$mine" "${said[@]}"
mine 'abbreviated' inside-inside --task-p "$mine" "${said[@]}"
mine 'the last one counts' other --task-prolog "$mine" --task-prolog="$own/user/other" "${said[@]}"
mine 'a name with a space' space --task-prolog="$own/user/with space" "${said[@]}"
mine 'with slashes' other --task-prolog="${own}//user/./other" "${said[@]}"
mine 'not what the program is told' no --task-epilog=/bin/true sh -c \
    'test ! -e '"$mine"' && echo no' sh --task-prolog="$mine"
try as_user env SLURM_TASK_PROLOG="$mine" srun -Q --container-image="$image" "${said[@]}"
is 'SLURM_TASK_PROLOG' "$rc $(tail -n 1 <<<"$out")" '0 inside-inside'
try as_user env SLURM_TASK_PROLOG="$mine" srun -Q --container-image="$image" \
    --task-prolog="$own/user/other" "${said[@]}"
is 'the option over the variable' "$rc $(tail -n 1 <<<"$out")" '0 other'
try as_user srun -Q --container-image="$image" --task-prolog="$mine" \
    sh -c "srun -Q --overlap test ! -e $mine && echo no"
is 'a step within has not inherited it' "$rc $(tail -n 1 <<<"$out")" '0 no'
try as_user srun -Q --container-image="$image" --task-prolog="$mine" "${said[@]}" : \
    --task-prolog="$mine" "${said[@]}"
is 'in each component' "$rc $(grep -c '^inside-inside$' <<<"$out")" '0 2'

# What srun runs itself is on the host; and a prolog that fails is a task that fails.
script "$own/user/epilog" "echo user $where >>$home/epilog"
ok '--task-epilog' as_user srun -Q --container-image="$image" --task-epilog="$own/user/epilog" true
wait_for 5 grep -q user "$home/epilog"
like 'runs on the host' "$(cat "$home/epilog")" '^user host$'
script "$own/user/fails" 'exit 7'
for option in none "$image"; do
    exit_is "one that fails, in $option" 7 \
        as_user srun -Q --container-image="$option" --task-prolog="$own/user/fails" true
done

# ---- an interpreter that is not there -----------------------------------------------------

# As on the host, where it is not there either, but for one line that says why.
script "$own/user/nowhere" '#!/nowhere/perl' 'exit 0'
script "$own/user/perl" '#!/usr/bin/perl -w' 'print "export USER_SAID=perl\n"'
try as_user srun -Q --container-image=none --task-prolog="$own/user/nowhere" true
bare=$rc
try as_user srun -Q --container-image="$image" --task-prolog="$own/user/perl" true
is 'without its interpreter a task ends as it does on the host' "$rc" "$bare"
is 'with one line that tells why' "$(grep -c '^vitrine: ' <<<"$err")" 1
like 'which names all' "$err" \
    "^vitrine: n1: $own/user/perl is to be run before each task, but needs /usr/bin/perl, which image $image does not have"
try as_user srun -Q -n3 --container-image="$image" --task-prolog="$own/user/perl" true
is 'one line for three tasks' "$(grep -c '^vitrine: ' <<<"$err")" 1
base=$(make_image base)
prints 'an image that has it' perl \
    as_user srun -Q --container-image="$base" --task-prolog="$own/user/perl" "${said[@]}"
try as_user srun -Q --container-image=none --task-prolog="$own/user/missing" true
bare=$rc
try as_user srun -Q --container-image="$image" --task-prolog="$own/user/missing" true
is 'one that is missing itself' "$rc" "$bare"
chmod 700 "$mine"
try as_user srun -Q --container-image=none --task-prolog="$mine" true
bare=$rc
try as_user srun -Q --container-image="$image" --task-prolog="$mine" true
is 'one that the user may not read' "$rc" "$bare"

# ---- below /tmp, where Compat=pyxis has another -------------------------------------------

echo Compat=pyxis >"$VITRINE_CLUSTER/vitrine.conf"
mkdir -p "$below"
chmod 755 "$below"
script "$below/prolog" 'echo export USER_SAID=tmp'
try as_user srun -Q --container-image="$tiny" --task-prolog="$below/prolog" "${said[@]}"
is 'a script below a /tmp that is private' "$rc $out" '0 tmp'

done_testing
