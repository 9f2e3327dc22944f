#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attacks with --container-mounts: nobody reads, writes or runs by it what he could not before, and
# neither the host nor other steps see anything of it, whatever the image and the user's own
# directories look like meanwhile.
# serial
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack.sh"

# mounting IMAGE MOUNTS SCRIPT [SRUN-OPTION]...
mounting() {
    as_user timeout 30 srun -Q --container-image="$1" --container-mounts="$2" "${@:4}" sh -c "$3"
}

# ---- what the user may not read -----------------------------------------------------------

install -d -m 700 "$own/closed" "$own/closed/dir"
echo secret >"$own/closed/file"
echo secret >"$own/closed/dir/file"
install -m 600 /dev/null "$own/mode600"
echo secret >"$own/mode600"
install -d -m 711 "$own/hidden"
echo secret >"$own/hidden/file"
chmod 700 "$home2"
echo secret >"$home2/file"
chown "$USER2" "$home2/file"
ln -s "$own/closed/dir" "$home/link"
ln -s "$own/closed" "$home/to"
for way in "$own/closed/file" "$own/closed/dir" "$home2/file" "$home2/../$USER2/file" "$home/to/dir" \
    /root/.ssh /proc/1/root /proc/1/cwd /proc/1/fd/0 "/proc/$(cat "$VITRINE_CLUSTER/slurmd.$node.pid")/root"; do
    for kind in '' :ro :bind :squashfs; do
        flags=${kind#:}
        try mounting "$tiny" "$way:/x${flags:+:$flags}" 'find /x; cat /x /x/*'
        is "${way##*/} $kind: not for the user" "$rc$out" 1
        like 'which is told' "$err" "^vitrine: $node: .*mount '.*': (cannot open .*: (Permission denied|Too many levels.*)|.* does not exist.*)"
    done
done
for way in "$own/mode600" "$own/closed" "$own/hidden" "$home/link" /etc/shadow; do
    try mounting "$tiny" "$way:/x" 'cat /x || cat /x/*'
    unlike "${way##*/}: nothing is read" "$out" 'secret|root:'
    [ "$rc" != 0 ]
    report "${way##*/}: and that fails" $?
done
for fd in root/root cwd/../../root fd/3 fd/4 fd/5 fd/7 fd/9 fd/12 exe; do
    try mounting "$tiny" "/proc/self/$fd:/x" 'cat /x; ls /x'
    is "/proc/self/$fd: not the user's" "$rc$out" 1
done
prints '/proc/self/root is what the user sees of the host' 1 mounting "$tiny" /proc/self/root:/x \
    'ls /x/root >/dev/null 2>&1; echo $?'
prints 'a fake root has no more rights' '1 1 1' mounting "$tiny" "$own:/x,${home2%/*}:/y" \
    "cat /x/mode600 2>/dev/null; echo \$? \$(ls /x/closed 2>/dev/null; echo \$?) \$(ls /y/$USER2 2>/dev/null; echo \$?)" \
    --container-remap-root

# What is closed in an image, of which also a directory of the host can be one.
cp -a "$tree" "$own/image"
install -d -m 700 "$own/image/closed" "$own/image/closed/dir"
: >"$own/image/closed/file"
pack "$own/image" "$own/image.sqfs" >"$T/pack" 2>&1
chmod 644 "$own/image.sqfs"
for image in "$own/image" "$own/image.sqfs"; do
    answers=''
    for name in file dir nothing file/x; do
        for source in /etc /etc/passwd; do
            try mounting "$image" "$source:/closed/$name" true
            answers+=$(sed -n "s/.*: \(cannot open .*\)/\1/; s|/closed/$name|WHERE|p" <<<"$err")$'\n'
        done
    done
    is "closed directories, $(stat -c %F "$image"): all that is told" "$(sort -u <<<"$answers" | grep .)" \
        'cannot open WHERE in the container: Permission denied'
done

# ---- what the host has decided ------------------------------------------------------------

mkdir "$own/fixed" "$own/outer" "$own/outer/inner"
install -d -o "$USER1" "$own/writable"
mount -t tmpfs -o "ro,noexec,nosuid,nodev,uid=$uid" fixed "$own/fixed"
echo hidden >"$own/outer/inner/under"
mount -t tmpfs -o "mode=755" cover "$own/outer/inner"
# So that there are flags to be lost: a file system of the user's in which root left things.
mount -t tmpfs -o "mode=755" things "$own/writable"
install -m 6755 "$tool" "$own/writable/suid"
mknod -m 666 "$own/writable/null" c 1 3
mknod -m 600 "$own/writable/zero" c 1 5
mount --bind "$own/writable" "$own/fixed" 2>/dev/null
mount -o remount,bind,ro,nodev,noexec "$own/fixed"
for who in no- ''; do
    root="--${who}container-remap-root"
    prints "$root: read-only stays" '1 1 0' mounting "$tiny" "$own/fixed:/x" \
        '(: >/x/new) 2>/dev/null; echo $? $(mount -o remount,bind,rw /x 2>/dev/null; echo $?) $(awk "\$5 == \"/x\" && \$6 !~ /^ro/" /proc/self/mountinfo | wc -l)' "$root"
    prints "$root: noexec stays" '126 1' mounting "$tiny" "$own/fixed:/x" \
        '/x/suid 2>/dev/null; echo $? $(mount -o remount,bind,ro,exec /x 2>/dev/null; echo $?)' "$root"
    prints "$root: nodev stays" '1 1' mounting "$tiny" "$own/fixed:/x" \
        'cat /x/null 2>/dev/null; echo $? $(mount -o remount,bind,ro,noexec,dev /x 2>/dev/null; echo $?)' "$root"
    try mounting "$tiny" "$own/writable:/x" '/x/suid; cat /x/zero | head -c 1; cat /x/null && echo null' "$root"
    [ -n "$who" ] && want="$uid $uid $gid $gid
null" || want='0 0 0 0
null'
    is "$root: a set-user-ID program gains nothing, a device is what it is on the host" "$out" "$want"
    like 'and no more' "$err" "zero'?: Permission denied"
    try mounting "$tiny" "$own/outer:/x" 'cat /x/inner/under; umount /x/inner; cat /x/inner/under' "$root"
    is "$root: what a mount covers stays so" "$out" ''
    try mounting "$tiny" "$own/outer:/x:bind" 'cat /x/inner/under' "$root"
    is "$root: by no flag either" "$rc$out" 1
    try mounting "$tiny" "$own/outer:/x,umount:/x/inner" 'cat /x/inner/under' "$root"
    is "$root: nor by umount" "$rc$out" 1
    try mounting "$tiny" "$own/fixed/../outer/inner/..:/x:bind" 'cat /x/inner/under' "$root"
    is "$root: nor by another way" "$rc$out" 1
    prints "$root: no device can be made in a tmpfs" '1 nodev' mounting "$tiny" tmpfs:/x \
        'mknod /x/null c 1 3 2>/dev/null; echo $? $(awk "\$5 == \"/x\" { print \$6 }" /proc/self/mountinfo | tr , "\n" | grep nodev)' "$root"
    try mounting "$tiny" tmpfs:/x 'cp /bin/busybox /x/id && chmod 4755 /x/id && /x/id -u' "$root"
    [ -n "$who" ] && want=$uid || want=0
    is "$root: nor a program that gains anything" "$out" "$want"
done
start_sleeper_with() { # MOUNTS [SRUN-OPTION]...
    as_user timeout 30 srun -Q --container-image="$tiny" --container-mounts="$1" "${@:2}" sleep 20 2>/dev/null &
    waiting=$!
    wait_for 10 sleeper
}
start_sleeper_with "$own/writable:/x"
is 'nor does one from outside, through /proc' "$(as_user "/proc/$task/root/x/suid" 2>&1)" "$uid $uid $gid $gid"
let_end
prints 'a device at another place is the same device' '1:3 0' mounting "$tiny" /dev/null:/dev-null \
    'echo $(stat -c %t:%T /dev-null) $(echo x >/dev-null; echo $?)'
for device in /dev/kmsg /dev/mem "$own/writable/zero"; do
    [ ! -e "$device" ] || as_user test -r "$device" || {
        try mounting "$tiny" "$device:/x" 'head -c 1 /x'
        is "$device: closed there is closed here" "$rc" 1
    }
done
umount -l "$own/fixed" "$own/fixed" "$own/outer/inner" "$own/writable" 2>/dev/null

# ---- others see nothing of it -------------------------------------------------------------

host_mounts() {
    awk '{ print $5, $NF }' /proc/1/mountinfo | sort
}
mkdir "$home/shared"
chown "$USER1" "$home/shared"
mount -t tmpfs -o "uid=$uid" shared "$home/shared"
mount --make-shared "$home/shared"
before_mounts=$(host_mounts)
sum=$(md5sum /etc/passwd /etc/hosts)
start_sleeper_with "tmpfs:/proc,tmpfs:/etc,$home/shared:/x,tmpfs:/x/new,tmpfs:$home/shared/made,/etc:/x/etc,$tree/etc/passwd:/usr/passwd,tmpfs:/tmp,tmpfs:/dev/shm,tmpfs:/run,tmpfs:/sys,tmpfs:/var/tmp"
is 'the host has no mount more' "$(host_mounts)" "$before_mounts"
is 'its files are as before' "$(md5sum /etc/passwd /etc/hosts)" "$sum"
prints 'nor has another step' '0 1' step "$tiny" sh -c \
    'echo $(grep -cE " (/x|/usr/passwd)( |/)" /proc/self/mountinfo) $(grep -c "^root:" /etc/passwd)'
prints "nor another user's" '0' as_user2 srun -Q --container-image="$tiny" \
    sh -c 'grep -cE " (/x|/usr/passwd)( |/)" /proc/self/mountinfo; true'
let_end
start_sleeper_with "$home/shared:/x" --container-remap-root
as_user nsenter --preserve-credentials -U -m -t "$task" mount -t tmpfs inside "/x/new" 2>/dev/null
is 'nor does it get one that a fake root makes' "$(host_mounts)" "$before_mounts"
let_end
umount "$home/shared"

# Over Vitrine's own files, Slurm's commands, everything: only he is without them.
for target in /run/vitrine /run/vitrine/host /etc/slurm /usr /bin /lib64 /run /proc /sys /dev /etc "$VITRINE_CLUSTER"; do
    try mounting "$tiny" "tmpfs:$target" 'true'
    [ "$rc" = 0 ] || [ "$rc" = 2 ] || [ "$rc" = 127 ]
    report "$target: covered for him alone" $? || show_try
done
mkdir "$home/fake"
for name in proc/self/ns proc/self/fd proc/1; do mkdir -p "$home/fake/$name"; done
for name in mnt net ipc uts user; do ln -s /proc/1/ns/$name "$home/fake/proc/self/ns/$name"; done
echo 'root::0:0::/:/bin/sh' >"$home/fake/passwd"
chown -hR "$USER1:" "$home/fake"
prints 'a forged /proc' "1 $uid" mounting "$tiny" "$home/fake/proc:/proc" 'echo $(ls -d /proc/1 | wc -l) $(id -u)' \
    --container-unshare=net,ipc,uts
prints 'a forged /etc/passwd' "$uid" mounting "$tiny" "$home/fake/passwd:/etc/passwd" 'id -u'
prints 'a process in the place of another' "$uid" mounting "$tiny" "/proc/self:/proc/1" 'id -u'
try mounting "$tiny" /proc/1:/proc/self 'id -u'
[ "$rc$out" = 1 ] || [ "$out" = "$uid" ]
report 'another in the place of the own' $? || show_try
cat >"$home/fake/command" <<'SH'
#!/bin/sh
id -u
SH
chmod 755 "$home/fake/command"
prints "a command of Slurm's is the user's own" "$uid" mounting "$tiny" "$home/fake/command:/run/vitrine/host-command" squeue

# ---- texts --------------------------------------------------------------------------------

for text in $'/etc:/x\nvitrine: forged' $'/etc:/x\e[31m' $'/etc\r:/x' $'tmpfs:/x:size=1\n'; do
    for way in VITRINE SLURM; do # srun itself repeats what is wrong on its command line
        case $way in
        VITRINE) try as_user env VITRINE_CONTAINER_MOUNTS="$text" timeout 30 srun -Q --container-image="$tiny" echo ran ;;
        SLURM) try as_user timeout 30 srun -Q --container-image="$tiny" --export="ALL,SLURM_VITRINE_MOUNTS=$text" echo ran ;;
        esac
        unlike "a control character by $way: no forged line" "$err" $'^vitrine: forged|\e|\r'
    done
done
bad=$'line\nvitrine: forged \e[31m'
as_user mkdir "$home/$bad"
for mounts in ./missing:/x ./missing:/x:nofail ./missing:/x:squashfs .:/etc/passwd ./:/x:x-create=file; do
    try mounting "$tiny" "$mounts" 'echo ran' -D "$home/$bad"
    unlike "a directory with a newline, $mounts: no forged line" "$err" $'^vitrine: forged|\e'
    like 'but one of the node' "$err" "^vitrine: $node: .*line\\?vitrine: forged|^vitrine: $node: .*mount '"
done
long=$(printf '/%0200d' $(seq 18))
prints 'a very long target' ran mounting "$tiny" "/etc:$long" "cd $long && echo ran"
deep=$(printf '/d%.0s' $(seq 2000))
prints 'a very deep target' ran mounting "$tiny" "/etc:${deep:0:4000}" 'echo ran'
many=$(for i in $(seq 256); do printf 'tmpfs:/m/%s,' "$i"; done)
prints '256 mounts' 256 mounting "$tiny" "${many%,}" 'grep -c " /m/" /proc/self/mountinfo'
try mounting "$tiny" "${many}tmpfs:/m/0" 'echo ran'
[ "$rc" != 0 ] && [ -z "$out" ]
report '257 mounts: refused' $?
like 'with the reason' "$err" '^vitrine: --container-mounts: there are more than 256 mounts'
try mounting "$tiny" "/etc:/$(head -c 70000 /dev/zero | tr '\0' x)" 'echo ran'
[ "$rc" != 0 ] && [ -z "$out" ]
report '70 KB: refused' $?
heavy=$(for i in $(seq 15); do printf '/etc:/h%s%s,' "$i" "$(printf '/d%.0s' $(seq 1900))"; done)
try mounting "$tiny" "${heavy%,}" 'echo ran'
[ "$rc $out" = '0 ran' ] || { [ "$rc$out" = 1 ] && grep -q "^vitrine: $node: .*mount '" <<<"$err"; }
report '28,500 directories to be made: works or is told' $? || show_try

# ---- images -------------------------------------------------------------------------------

# Where an image has something else than it should, it is told, or the links stay inside.
state() {
    stat -c '%n %a %u' /etc /run /home /root /var /usr /dev /etc/passwd /etc/shadow
    ls -A /
}
host=$(state)
for trap in '/tmp /' '/proc /' '/dev /' '/etc /' '/run /' '/tmp /proc' '/proc /dev' '/dev /tmp' '/run /etc' \
    '/etc /proc/self' '/tmp /proc/1/root/tmp' '/tmp ../../../../..' '/run file' '/tmp file' '/proc file' '/etc file' '/dev file' \
    '/var/tmp /tmp' '/home /root' '/data /data/data' '/data /proc/self/cwd' '/data /proc/self/fd'; do
    read -r path leads <<<"$trap"
    rm -rf "$own/trap" && cp -a "$tree" "$own/trap" && rm -rf "$own/trap$path"
    if [ "$leads" = file ]; then : >"$own/trap$path"; else ln -s "$leads" "$own/trap$path"; fi
    pack "$own/trap" "$own/trap.sqfs" >"$T/pack" 2>&1
    chmod 644 "$own/trap.sqfs"
    install -o "$USER1" -m 644 "$own/trap.sqfs" "$home/trap.sqfs"
    for image in "$own/trap.sqfs" "$home/trap.sqfs" "$own/trap"; do
        for target in /data/x "$path/x" "$path"; do
            try mounting "$image" "$own/hidden:$target,tmpfs:/y" 'id -u; ls /root; cat /etc/shadow'
            if [ -n "$out" ]; then
                is "$path is $leads, $(stat -c %F "$image"), $target: runs" "$(head -n 1 <<<"$out")" "$uid"
            else
                like "$path is $leads, $(stat -c %F "$image"), $target: is told" "$err" \
                    "^(vitrine: $node: |slurmstepd-$node: error: execve)"
            fi
            unlike 'and nothing is read' "$out$err" 'root:[*!$]|secret'
        done
    done
done
is 'the host is as before' "$(state)" "$host"

# ---- races --------------------------------------------------------------------------------

cat >"$own/swap.c" <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
/* Exchanges pairs of names until it is killed. */
int main(int argc, char **argv)
{
    for (;;)
        for (int i = 1; i + 1 < argc; i += 2)
            renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE);
}
END
cc -O1 -o "$T/swap" "$own/swap.c"
chmod 755 "$T/swap"
race=$home/race
as_user mkdir -p "$race/good/dir" "$race/place"
cp -a "$tree/." "$race/place/"
chown -R "$USER1:" "$race/place"
install -d -m 755 "$own/open"
echo mine >"$race/good/dir/file"
chown "$USER1:" "$race/good/dir/file"
as_user ln -s "$own/closed" "$race/bad"
as_user ln -s /etc "$race/place/bad"
as_user mkdir -p "$race/place/good" "$race/t"
as_user ln -s "$own/open" "$race/t-bad"
install -o "$USER1" -m 644 "$tiny" "$race/mine.sqfs"
as_user ln -s "$own/image.sqfs" "$race/roots.sqfs"
: >"$T/loops"
as_user "$T/swap" "$race/good" "$race/bad" "$race/place/good" "$race/place/bad" "$race/t" "$race/t-bad" \
    "$race/mine.sqfs" "$race/roots.sqfs" &
swapper=$!
while sleep 0.01; do losetup -n -l -O BACK-FILE; done >>"$T/loops" 2>/dev/null &
watcher=$!
# Each runs until its time is up, so that a slow machine has fewer rounds.
rounds() { # FILE MOUNTS SCRIPT [SRUN-OPTION]...
    local end=$((SECONDS + 25)) n=0
    while [ $SECONDS -lt $end ] && [ $n -lt 150 ]; do
        n=$((n + 1))
        mounting "$image" "${@:2}"
        echo "code $?"
    done >"$T/race.$1" 2>&1
}
host=$(state)
racers=()
image=$tiny
rounds source "$race/good/dir:/x" 'cat /x/file' &
racers+=($!)
rounds target "/bin:$race/t/new/a/b:nofail+silent,$race/good/dir/file:$race/t/new/f:nofail+silent" 'echo ran' &
racers+=($!)
rounds data "$race/mine.sqfs:/x:squashfs" 'ls /x | wc -l' &
racers+=($!)
image=$race/place
rounds place "/bin:/good/new/deep:nofail+silent,tmpfs:/bad/x:nofail+silent" 'echo ran' --container-writable &
racers+=($!)
wait "${racers[@]}"
pkill -KILL -u "$USER1" -x swap
kill "$watcher"
wait "$swapper" "$watcher" 2>/dev/null
for kind in source target data place; do
    file=$T/race.$kind
    n=$(grep -c ^code "$file")
    diagnose "$kind: $n rounds, $(grep -c '^code 0' "$file") ran"
    [ "$n" -ge 20 ] && [ "$(grep -c '^code 0' "$file")" -ge 1 ]
    report "race for the $kind: rounds" $?
    [ $kind != source ] || like 'some of which failed' "$(cat "$file")" '^code 1'
    is "race for the $kind: codes" "$(grep ^code "$file" | sort -u | grep -vxE 'code [01]')" ''
    unlike 'no secret' "$(cat "$file")" 'secret|root:[*!$]'
done
is 'nothing was made where the user may not' "$(echo "$own/open/"* "$own/closed/"*)" \
    "$own/open/* $own/closed/dir $own/closed/file"
is 'the host is as before the races' "$(state)" "$host"
is "no image of the user's was ever on a loop device" "$(grep -c -e "$home" "$T/loops")" 0
like "root's were" "$(sort -u "$T/loops")" "$own/image.sqfs"

done_testing
