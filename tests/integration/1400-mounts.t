#!/bin/bash
# shellcheck disable=SC2016,SC2088 # many texts are for a shell inside, or mean ~/ as it stands
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-mounts: each form and flag, on steps; where targets lead; what is told of a mount
# that cannot be; in every kind of container.
# serial
# timeout: 400
. "$(dirname "$0")/lib.sh"

tiny=$(make_image tiny) || exit
theirs=$(untrusted "$tiny")
base=$(make_image base) || exit
node=${NODES%% *}
home=$(getent passwd "$USER1" | cut -d: -f6)
uid=$(id -u "$USER1")
own=$VITRINE_TEST_CACHE/1400.$slot
user_link=/tmp/vitrine-1400.$slot
clean() {
    awk -v own="$own/" 'index($5, own) == 1 { print $5 }' /proc/self/mountinfo |
        sort -r | xargs -r -n 1 umount -l
    rm -rf --one-file-system "$own" "$user_link"*
}
trap 'clean; at_end' EXIT
clean
mkdir -p "$own"

# in_image IMAGE MOUNTS SCRIPT [SRUN-OPTION]...
in_image() {
    as_user timeout 30 srun -Q -w "$node" --container-image="$1" --container-mounts="$2" \
        "${@:4}" sh -c "$3"
}
# shows NAME WANT MOUNTS SCRIPT [SRUN-OPTION]...
shows() {
    prints "$1" "$2" in_image "${image:-$tiny}" "${@:3}"
}
# fails NAME MOUNTS REASON [SRUN-OPTION]...: with one line of the node, which has this (extended)
# expression at its end.
fails() {
    try in_image "${image:-$tiny}" "$2" 'echo ran' "${@:4}"
    is "$1: fails" "$rc$out" 1
    error_line "$1: is told" "^vitrine: $node: (cannot run image [^ ]+: )?mount '${2##*,}': $3\$"
}

# ---- what is there to be mounted ----------------------------------------------------------

data=$own/data
mkdir -p "$data/sub" "$data/with blank" "$data/inner"
echo file >"$data/file"
echo deep >"$data/sub/deep"
echo blank >"$data/with blank/a file"
echo program >"$data/program"
printf '#!/bin/sh\necho executed\n' >"$data/run"
chmod 755 "$data/run"
ln -s file "$data/link"
ln -s sub "$data/dirlink"
mount -t tmpfs below "$data/inner"
echo below >"$data/inner/below"
install -d -o "$USER1" "$data/mine" "$home/project" "$home/project/src" "$home/a dir"
echo source >"$home/project/src/code"
echo homely >"$home/a dir/f"
echo dotted >"$home/project/.hidden"
chown -R "$USER1:" "$home/project" "$home/a dir"

# ---- forms --------------------------------------------------------------------------------

shows 'a directory at another place' $'file\ndeep' "$data:/data" 'cat /data/file /data/sub/deep'
shows 'a directory at its own place' file "$data" "cat $data/file"
shows 'with the mounts below it' below "$data:/data" 'cat /data/inner/below'
shows 'a mount itself' below "$data/inner:/data" 'cat /data/below'
shows 'a file' file "$data/file:/etc/new" 'cat /etc/new'
shows 'a file at its own place' file "$data/file" "cat $data/file; ls $data | grep -vx file; true"
shows 'a file over a file' file "$data/file:/etc/passwd" 'cat /etc/passwd'
shows 'a file over a program' executed "$data/run:/usr/bin/awk.new" '/usr/bin/awk.new'
shows 'a link to a file' file "$data/link:/new" 'cat /new'
shows 'a link to a directory' deep "$data/dirlink:/new" 'cat /new/deep'
shows 'a device' '1:3' /dev/null:/dev/of/null:nofail+silent 'stat -c %t:%T /dev/null'
shows 'a device in the image' '0 bytes' /dev/null:/opt/null \
    'echo lost >/opt/null && echo "$(wc -c </opt/null) bytes"'
shows 'blanks on both sides' blank "$data/with blank:/new place/of it" 'cat "/new place/of it/a file"'
shows 'a file name with blanks' blank "$data/with blank/a file:/a b" 'cat "/a b"'
shows 'odd names' file "$data/file:/é \"q\" 'a' \$HOME\`x\`*;&|\\" 'cat "/é \"q\" '\''a'\'' \$HOME\`x\`*;&|\\"'
shows 'the home directory' source '~/project:/p' 'cat /p/src/code'
shows 'all of it' homely '~:/h' 'cat "/h/a dir/f"'
shows '~/ with blanks' homely '~/a dir:/h' 'cat /h/f'
shows 'relative' source "./project/src:/src" 'cat /src/code'
shows 'relative, of a file that begins with a dot' dotted '.hidden:/h' 'cat /h' -D "$home/project"
shows 'relative to --chdir' source ./src:/src 'cat /src/code' -D "$home/project"
shows 'the directory itself' source .:/src 'cat /src/code' -D "$home/project/src"
shows '../' dotted ../.hidden:/h 'cat /h' -D "$home/project/src"
shows 'relative, at its own place' dotted ./.hidden 'cat .hidden' -D "$home/project"
shows 'a target that begins with ./' file "$data:./data" 'cat /data/file'
shows 'a target with dots and slashes' file "$data:/x/.//y/../data/" 'cat /x/data/file'
# shellcheck disable=SC2086
shows 'a target above what is there' "$(printf '%s\n' a b)" "$data/file:/a/b/c/d/e/f" 'ls /a/b/c/d | sed s/e/a/; echo b'

# Relative to the working directory on the node, in a job, too.
install -d -o "$USER1" "$home/elsewhere/src"
echo other >"$home/elsewhere/src/code"
try_batch -w "$node" -D "$home/project" --container-image="$tiny" --container-mounts=./src:/src <<SH
#!/bin/sh
cat /src/code
cd $home/elsewhere
srun -Q cat /src/code
srun -Q --container-mounts=./src:/other cat /other/code
srun -Q --container-mounts=./src:/other ls /src
SH
is 'in a job and its steps' "$(grep -v ^srun <<<"$out")" "$(printf 'source\nother\nother\n')
ls: /src: No such file or directory"

# ---- flags --------------------------------------------------------------------------------

# The options of a mount, from mountinfo, of those in $3 only.
options='awk -v t=/data "\$5 == t { print \$6 }" /proc/self/mountinfo | tail -n 1 | tr , "\n" |
    grep -xE "ro|rw|nosuid|nodev|noexec|nosymfollow" | xargs'
rc_of='2>/dev/null; echo $?'
shows 'no flag' 'rw nosuid' "$data/mine:/data" "$options"
shows 'it can be written' 'written 0' "$data/mine:/data" 'echo written >/data/new && cat /data/new | xargs -I% echo % $?'
is 'as the user' "$(stat -c %U "$data/mine/new")" "$USER1"
shows 'ro' 'ro nosuid 1' "$data/mine:/data:ro" "echo \$($options) \$( (: >/data/x) $rc_of)"
shows 'ro, for what is below' 'ro 1' "$data:/data:ro" \
    'awk "\$5 == \"/data/inner\" { print substr(\$6, 1, 2) }" /proc/self/mountinfo | xargs -I% echo % $( (: >/data/inner/x) 2>/dev/null; echo $?)'
shows 'ro+rw' 'rw nosuid' "$data/mine:/data:ro+rw" "$options"
shows 'rw+ro' 'ro nosuid' "$data/mine:/data:rw+ro" "$options"
shows 'noexec' 'rw nosuid noexec 126' "$data/mine:/data:noexec" \
    "cp /bin/busybox /data/true; echo \$($options) \$(/data/true $rc_of)"
shows 'exec' 'rw nosuid 0' "$data/mine:/data:noexec+exec" "echo \$($options) \$(/data/true $rc_of)"
rm "$data/mine/true"
shows 'nodev' 'rw nosuid nodev' "$data/mine:/data:nodev" "$options"
shows 'nosuid' 'rw nosuid' "$data/mine:/data:nosuid" "$options"
shows 'nosymfollow' 'rw nosuid nosymfollow 1' "$data:/data:nosymfollow" \
    "echo \$($options) \$(cat /data/link $rc_of)"
shows 'several' 'ro nosuid nodev noexec' "$data/mine:/data:ro+nodev+noexec+rbind+defaults" "$options"
shows 'relatime' 'rw nosuid' "$data/mine:/data:relatime" "$options"
shows 'bind, without mounts below' file "$data/mine:/data:bind,$data/file:/data/f2" 'cat /data/f2'
rm -f "$data/mine/f2"
shows 'x-create=auto' file "$data/file:/new:x-create=auto" 'cat /new'
shows 'x-create=file' file "$data/file:/a/new:x-create=file" 'cat /a/new'
shows 'x-create=dir' deep "$data/sub:/a/new:x-create=dir" 'cat /a/new/deep'
for flag in private rprivate slave rslave unbindable runbindable; do
    shows "$flag" file "$data:/data:$flag" 'cat /data/file'
done
fails 'x-create=dir for a file' "$data/file:/new:x-create=dir" "$data/file is a file, but x-create=dir"
fails 'x-create=file for a directory' "$data:/new:x-create=file" "$data is a directory, but x-create=file"
fails 'bind of what has mounts below' "$data:/data:bind" \
    "$data has mounts below it that a container cannot leave out: use rbind in place of bind"
mkdir "$own/fixed"
mount -t tmpfs -o ro,noexec fixed "$own/fixed"
shows 'what is read-only on the host' 'ro nosuid noexec' "$own/fixed:/data" "$options"
fails 'stays so' "$own/fixed:/data:rw" 'the host has mounted it read-only, so it cannot be rw'
fails 'as does noexec' "$own/fixed:/data:exec" 'the host has mounted it noexec, so it cannot be exec'
fails 'access times' "$data:/data:strictatime" \
    'the host has decided when access times are kept there, which a container cannot change'
umount "$own/fixed"

# ---- tmpfs and umount ---------------------------------------------------------------------

shows 'tmpfs' "$uid 1777 rw nosuid nodev" tmpfs:/data \
    ": >/data/x && echo \$(stat -c %u /data/x) \$(stat -c %a /data) \$($options)"
shows 'tmpfs with a size' '1.0M full' tmpfs:/data:size=1M \
    'df -h /data | awk "NR == 2 { print \$2 }" | xargs -I% echo % $(head -c 2000000 /dev/zero 2>/dev/null >/data/x || echo full)'
shows 'tmpfs of a mode' 700 tmpfs:/data:mode=700+size=10% 'stat -c %a /data'
shows 'tmpfs, read-only' 'ro nosuid nodev' tmpfs:/data:ro "$options"
shows 'over what the image has' '0' tmpfs:/etc 'ls /etc | wc -l'
shows 'over what the host has' '0' tmpfs:/tmp 'ls -A /tmp | wc -l'
shows 'and something in it' file "tmpfs:/data,$data/file:/data/a/b" 'cat /data/a/b'
shows 'one in another' $'1\n2' 'tmpfs:/a,tmpfs:/a/b' 'echo 1 >/a/x; echo 2 >/a/b/x; cat /a/x /a/b/x'
shows 'two tasks share it' 'there' tmpfs:/data \
    'if [ $SLURM_PROCID = 0 ]; then echo there >/data/x; sleep 0.5; else while [ ! -s /data/x ]; do usleep 10000; done; cat /data/x; fi' -n 2
try as_user timeout 30 srun -Q -N 2 --container-image="$tiny" --container-mounts=tmpfs:/data \
    sh -c 'mkdir /data/x && echo made'
is 'two nodes do not' "$rc $out" $'0 made\nmade'
fails 'a wrong option' tmpfs:/data:sze=1 "sze=1 cannot be used: tmpfs: Unknown parameter 'sze'"
fails 'a wrong value' tmpfs:/data:size=big "size=big cannot be used: .*"
shows 'umount' '0' umount:/var/tmp 'awk "\$5 == \"/var/tmp\"" /proc/self/mountinfo | wc -l'
shows 'umount of what was mounted before' 'ls: /data/file: No such file or directory' \
    "$data/sub:/data,umount:/data" 'ls /data/file 2>&1; true'
shows 'umount:/proc' 0 umount:/proc 'ls /proc | wc -l'
shows 'tmpfs over /proc' 0 tmpfs:/proc 'ls /proc | wc -l'
shows 'tmpfs over /dev' 0 tmpfs:/dev 'ls /dev | wc -l' -i none
fails 'umount of nothing' umount:/nothing 'nothing is mounted at /nothing in the container'
fails 'umount of a file of the image' umount:/etc/os-release 'nothing is mounted at /etc/os-release in the container'
fails 'umount of a part of a mount' umount:/dev/shm \
    '/dev/shm came with a mount of the host.s above it, and cannot be taken away without that'

# ---- order --------------------------------------------------------------------------------

shows 'of two the later one' deep "$data/mine:/data,$data/sub:/data" 'cat /data/deep'
shows 'one in another' $'file\nsource' "$data:/data:ro,~/project/src:/data/sub" 'cat /data/file /data/sub/code'
shows 'a later one hides earlier ones' 'ls: /data/sub/code: No such file or directory' \
    "~/project/src:/data/sub,$data:/data" 'ls /data/sub/code 2>&1; cat /data/sub/deep >/dev/null'
shows 'the same twice' deep "$data/sub:/data,$data/sub:/data" \
    'cat /data/deep; awk "\$5 == \"/data\" { n++ } END { if (n != 1) print n }" /proc/self/mountinfo'
shows 'an option given twice' $'file\ndeep' "$data/file:/f" 'cat /f /d/deep' --container-mounts="$data/sub:/d"

# ---- from variables and to steps ----------------------------------------------------------

for prefix in VITRINE PYXIS; do
    prints "${prefix}_CONTAINER_MOUNTS" file as_user env "${prefix}_CONTAINER_MOUNTS=$data:/data" \
        srun -Q --container-image="$tiny" cat /data/file
done
prints 'the option wins' 'deep 1' as_user env "VITRINE_CONTAINER_MOUNTS=$data:/data" srun -Q \
    --container-image="$tiny" --container-mounts="$data/sub:/deep" \
    sh -c 'echo $(cat /deep/deep) $(cat /data/file 2>/dev/null; echo $?)'
try_batch --export=NONE -w "$node" --container-image="$tiny" --container-mounts="$data/file:/f" \
    --container-mounts="$data/sub:/d" <<'SH'
#!/bin/sh
cat /f /d/deep
srun -Q cat /f /d/deep
srun -Q --container-mounts=/etc/hostname:/h sh -c 'test -s /h && ls /f 2>&1'
SH
is 'sbatch passes them on to its steps' "$(grep -v ^srun <<<"$out")" $'file\ndeep\nfile\ndeep\nls: /f: No such file or directory'
try_batch -w "$node" <<SH
#!/bin/sh
#SBATCH --container-image=$tiny
#SBATCH --container-mounts=$data/file:/f
#SBATCH --container-mounts=$data/sub:/d
cat /f /d/deep
SH
is 'and from #SBATCH lines' "$out" $'file\ndeep'

# ---- targets ------------------------------------------------------------------------------

links=$own/links
cp -a "$(make_tree tiny)" "$links"
mkdir -p "$links/real/dir" "$links/a/b" "$links/rundir"
echo image >"$links/real/file"
ln -s /real "$links/absolute"
ln -s ../../real "$links/a/b/relative"
ln -s ../../../../../../real "$links/escaping"
ln -s /real/file "$links/to-file"
ln -s loop2 "$links/loop1"
ln -s loop1 "$links/loop2"
ln -s / "$links/to-root"
ln -s /nowhere/at/all "$links/dangling"
ln -s "$home" "$links/to-home"
pack "$links" "$own/links.sqfs" && chmod 644 "$own/links.sqfs"
install -o "$USER1" "$own/links.sqfs" "$home/links.sqfs"
for image in "$own/links.sqfs" "$home/links.sqfs" "$links"; do
    kind=$(stat -c '%F of %U' "$image")
    shows "$kind: through an absolute link" file "$data:/absolute/dir" 'cat /real/dir/file'
    shows "$kind: on an absolute link" file "$data:/absolute" 'cat /real/file /absolute/file | sort -u'
    shows "$kind: a relative one" file "$data:/a/b/relative/dir" 'cat /real/dir/file'
    shows "$kind: one that would escape" file "$data:/escaping/new" 'cat /real/new/file'
    shows "$kind: a link to a file" file "$data/file:/to-file" 'cat /real/file'
    shows "$kind: a link that leads nowhere" file "$data:/dangling" 'cat /dangling/file'
    shows "$kind: through one that leads nowhere" file "$data:/dangling/x" 'cat /dangling/x/file'
    shows "$kind: .. is taken by the text" file "$data:/absolute/../a/new" 'cat /a/new/file'
    fails "$kind: a loop" "$data:/loop1/x" '.*: Too many levels of symbolic links'
    fails "$kind: a link to /" "$data:/to-root" '/to-root leads to the container.s root, on which nothing can be mounted'
    fails "$kind: a directory on a file" "$data:/real/file" \
        'it is a directory, but in the container /real/file is a file'
    fails "$kind: a file on a directory" "$data/file:/real" 'it is a file, but in the container /real is a directory'
    fails "$kind: below a file" "$data:/real/file/x" '.*/real/file/x.*'
    shows "$kind: through a link into what the host shows" file "$data:/to-home/made.here" "cat $home/made.here/file"
    is "$kind: where it is made by the user" "$(stat -c '%U %a' "$home/made.here")" "$USER1 755"
    rmdir "$home/made.here"
done
image=''
is 'no image was changed' "$(find "$links" -newer "$own/links.sqfs" | wc -l)" 0

shows 'below the home directory' file "$data:$home/made/of/mine" "cat $home/made/of/mine/file"
is 'it stays' "$(stat -c '%U %F' "$home/made/of/mine")" "$USER1 directory"
shows 'a file below it' file "$data/file:$home/made/file" "cat $home/made/file"
is 'that stays, too' "$(stat -c '%U %F %s' "$home/made/file")" "$USER1 regular empty file 0"
fails 'below what the user cannot change' "$data:/proc/made" \
    'the container has no /proc/made to mount on, and it cannot be made there: .*'
fails 'nor root' "$data:/sys/made" 'the container has no /sys/made to mount on, and it cannot be made there: .*'
shows 'in what was mounted before' file "$home/project:/p,$data:/p/new" 'cat /p/new/file'
is 'it is made there' "$(stat -c %U "$home/project/new")" "$USER1"
fails 'unless that is read-only' "~/project/src:/p:ro,$data:/p/new" \
    'the container has no /p/new to mount on, and it cannot be made there: Read-only file system'

# ---- what is told -------------------------------------------------------------------------

fails 'a source that is missing' /missing/x:/x '/missing/x does not exist on this node'
fails 'a source in a file' "$data/file/x:/x" "$data/file/x does not exist on this node"
fails 'a relative one that is missing' ./missing:/x "$home/./missing does not exist on this node"
install -d -m 700 "$own/closed" "$own/closed/in"
fails 'one that is not for the user' "$own/closed/in:/x" "cannot open $own/closed/in: Permission denied"
fails 'of several the one that fails' "$data:/data,/missing/y:/x" '/missing/y does not exist on this node'
# refused NAME MOUNTS REASON: at submission.
refused() {
    try as_user timeout 30 srun --container-image="$tiny" --container-mounts="$2" echo ran
    [ "$rc" != 0 ] && [ -z "$out" ]
    report "$1: refused" $? || show_try
    is "$1: the reason" "$(head -n 1 <<<"$err")" "vitrine: --container-mounts: $3"
}
refused 'a bare name' data:/data "mount 'data:/data': SRC must start with . or / or ~/, or be tmpfs or umount"
refused 'a variable' '$HOME:/data' "mount '\$HOME:/data': SRC must start with . or / or ~/, or be tmpfs or umount; variables are not expanded here"
refused 'a flag for a target' "$data:ro" "mount '$data:ro': DST must start with / or .; flags come third, as in /data:/data:ro"
refused 'the root' "$data:/" "mount '$data:/': nothing can be mounted on /, the container's root; write SRC:DST with another DST"
refused 'above the root' "$data:/../x" "mount '$data:/../x': DST leads above the container's root"
refused 'an unknown flag' "$data:/data:readonly" "mount '$data:/data:readonly': unknown flag 'readonly'"
refused 'a misspelt one' "$data:/data:noexc" "mount '$data:/data:noexc': unknown flag 'noexc'; did you mean 'noexec'?"
refused 'suid' "$data:/data:suid" "mount '$data:/data:suid': the flag suid cannot be given: programs gain no privilege in a container"
refused 'shared' "$data:/data:rshared" "mount '$data:/data:rshared': the flag rshared cannot be given: mounts of a container are never passed on to the host"
refused 'a flag of another kind' umount:/data:ro "mount 'umount:/data:ro': the flag ro is not for an umount"
refused 'an empty entry' "$data:/data,,/etc:/x" 'there is an empty mount between commas; write SRC[:DST[:FLAG+FLAG...]],...'
refused 'no target' tmpfs "mount 'tmpfs': there is no DST; write tmpfs:/DST"

passed_over() { # NAME MOUNTS REASON
    try in_image "$tiny" "$2:nofail" 'echo ran'
    is "$1, nofail: runs" "$rc $out" '0 ran'
    error_line "$1, nofail: is told" "^vitrine: $node: mount '$2:nofail': $3\$"
    shows "$1, nofail and silent" ran "$2:nofail+silent" 'echo ran'
}
passed_over 'a source that is missing' /missing/x:/x '/missing/x does not exist on this node'
passed_over 'a directory on a file' "$data:/etc/passwd" '.*/etc/passwd is .*'
passed_over 'a target that cannot be made' "$data:/proc/made" 'the container has no /proc/made .*'
passed_over 'nothing to take away' umount:/nothing 'nothing is mounted at /nothing in the container'
passed_over 'what does not exist' '/missing/x:/proc/x' '/missing/x does not exist on this node'
shows 'of several the others are mounted' file "/missing:/x:nofail+silent,$data:/data,umount:/y:nofail+silent" 'cat /data/file'

# Several nodes and tasks: a line for each node.
try as_user timeout 30 srun -Q -N 2 -n 4 --container-image="$tiny" --container-mounts=/missing:/x true
is 'two nodes: fails' "$rc" 1
error_line 'two nodes: a line from each' "^vitrine: (${NODES// /|}): cannot run image $tiny: mount '/missing:/x': /missing does not exist on this node\$" 2

# ---- kinds of containers ------------------------------------------------------------------

echo_all='cat /data/file /etc/passwd | sort; : >/written && ls /written'
for image in "$tiny" "$theirs" "$(make_image tiny.sif)" "$(make_tree tiny)"; do
    kind=$(stat -c '%F of %U' "$image")
    shows "$kind: read-only" $'deep\nfile' "$data:/data,$data/sub/deep:/etc/passwd" 'cat /data/file /etc/passwd | sort'
done
for image in "$tiny" "$theirs"; do
    kind=$(stat -c '%F of %U' "$image")
    for who in node task; do
        shows "$kind: writable=$who" $'deep\nfile\n/written' "$data:/data,$data/sub/deep:/etc/passwd" \
            "$echo_all" --container-writable=$who
        shows "$kind: writable=$who, a target that is made" $'file\n/new/y' "$data:/new/x" \
            'cat /new/x/file; : >/new/y && ls /new/y' --container-writable=$who
    done
done
image=''

place=$own/place
cp -a "$(make_tree tiny)" "$place"
chown -R "$USER1:" "$place"
image=$place
shows 'in place' $'file\n/written' "$data:/data" 'cat /data/file; : >/written; ls /written' --container-writable
is 'what was missing stays in the directory, and nothing else' \
    "$(cd "$place" && stat -c '%n %U %F' data written && ls data)" "data $USER1 directory
written $USER1 regular empty file"
shows 'in place, over a file' deep "$data/sub/deep:/etc/passwd" 'cat /etc/passwd' --container-writable
like 'which is not changed' "$(cat "$place/etc/passwd")" ^root:
image=''
clean_place() {
    rm -rf "$place"
}
clean_place

# A named container that runs, joined and started beside.
as_user salloc -Q --no-shell -w "$node" -J named
job=$(as_user squeue -h -n named -t R -o %A)
kept() {
    as_user timeout 30 srun -Q --overlap --jobid="$job" --container-name=kept"$1" "${@:2}"
}
kept '' --container-image="$tiny" --container-mounts="$data:/data" \
    sh -c ': >/here; while [ -e /here ]; do usleep 20000; done' &
joined() {
    kept :exec test -e /here >/dev/null 2>&1
}
wait_for 10 joined
try kept :exec --container-mounts="$data/sub:/sub" sh -c 'cat /data/file; ls -d /sub'
is 'joined: with the mounts that it has' "$rc $out" '1 file'
like 'joined: others have no effect, which is told' "$err" "^vitrine: $node: container kept runs already, so --container-mounts and --container-unshare have no effect; with --container-name=kept:no_exec it gets these mounts\$"
prints 'no_exec: with mounts of its own' $'deep\nls: /data/file: No such file or directory' \
    kept :no_exec --container-mounts="$data/sub:/sub" sh -c 'cat /sub/deep; ls /data/file 2>&1; test -e /here'
prints 'the first one ends' '' kept '' rm /here
wait
prints 'a kept one, started again' deep kept '' --container-mounts="$data/sub:/data" cat /data/deep
prints 'and without: its mount point is gone' 'ls: /data: No such file or directory' \
    kept '' sh -c 'ls -d /data 2>&1; true'
as_user scancel "$job"
wait_for 10 job_is_over "$job"

# Fake root.
root_step() { # NAME WANT MOUNTS SCRIPT...
    for image in "$tiny" "$theirs"; do
        shows "fake root, $(stat -c '%F of %U' "$image"): $1" "${@:2}" --container-remap-root
    done
    image=''
}
root_step 'a directory of his' 'root 0' "$data/mine:/data" 'rm -f /data/r; : >/data/r && echo $(stat -c "%U %u" /data/r)'
is 'which is the user outside' "$(stat -c %U "$data/mine/r")" "$USER1"
root_step 'a tmpfs is his' '0 0 12' tmpfs:/data:size=1M 'mkdir /data/d; echo hello world >/data/d/f; echo $(stat -c "%u %g %s" /data/d/f)'
root_step 'his home' 'source' '~/project/src:/src' 'cat /src/code'
root_step 'he may mount more' '1' "$data:/data" 'mount -t tmpfs x /data/sub && : >/data/sub/y && ls /data/sub | wc -l'
is 'which the host does not see' "$(ls "$data/sub")" deep
mkdir "$own/fixed/rw"
mount -t tmpfs -o ro,noexec fixed "$own/fixed"
root_step 'but not take away what the host says' '1 1' "$own/fixed:/data" \
    'mount -o remount,bind,rw /data 2>/dev/null; echo $? $(mount -o remount,bind,ro,exec /data 2>/dev/null; echo $?)'
umount "$own/fixed"
root_step 'nor the mounts below a directory' '1 below' "$data:/data" \
    'umount /data/inner 2>/dev/null; echo $? $(cat /data/inner/below)'

# ---- Compat=pyxis -------------------------------------------------------------------------

private_cluster -n 1
node=$NODES
echo Compat=pyxis >"$VITRINE_CLUSTER/vitrine.conf"
echo host >"$user_link.file"
chmod 644 "$user_link.file"
shows 'pyxis: a target below the private /tmp' file "$data:/tmp/data/of" 'cat /tmp/data/of/file'
shows "pyxis: a source in the host's /tmp" host "$user_link.file:/seen" 'cat /seen'
shows 'pyxis: at its own place' "host
${user_link##*/}.file" "$user_link.file" "cat $user_link.file; ls -A /tmp"
shows 'pyxis: the whole of it' "host" "/tmp:/host-tmp" "cat /host-tmp/${user_link##*/}.file"
shows 'pyxis: /tmp itself' "host" /tmp "cat $user_link.file"
shows 'pyxis: enroot flags' file "$data:/data:x-create=auto+rbind+ro+nosuid+rslave" 'cat /data/file'
shows 'pyxis: home is not there' 0 "$data:/data" "ls -A $home | wc -l" -D /
shows 'pyxis: unless it is mounted' source "$home" "cat $home/project/src/code" -D /
shared_cluster

done_testing
