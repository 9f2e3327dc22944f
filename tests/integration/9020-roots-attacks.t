#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attacks with what tasks may write and with fake root: nothing that is root's or another user's
# gets onto the host's disk, no file is read that the user could not read, and root inside is
# nobody special outside.
# serial
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack.sh"

job=''
umount -l "$home/covered" 2>/dev/null
at_last() {
    umount -l "$home/covered" 2>/dev/null
    clean
    at_end
}
trap at_last EXIT
conf=$VITRINE_CLUSTER/vitrine.conf
rooms=$own/rooms
echo "ContainerDir=$rooms" >"$conf"
disk=/dev/$(lsblk -ndo NAME 2>/dev/null | head -n 1)
[ -b "$disk" ] || disk=$(find /dev -type b | head -n 1)
allocation() {
    as_user salloc -Q --no-shell -J attack
    job=$(as_user squeue -h -n attack -t R -o %A)
}
inside() { # SRUN-OPTION... COMMAND
    as_user timeout 30 srun -Q --jobid="$job" --overlap "${@:1:$#-1}" sh -c "${!#}"
}

# ---- an image of traps --------------------------------------------------------------------

# Set-user-ID programs of root and of another user, in directories that all may write to, and
# devices.
hostile=$own/hostile
cp -a "$tree" "$hostile"
for dir in open sticky mine; do
    mkdir "$hostile/$dir"
    for owner in root "$USER2" "$USER1"; do
        install -o "$owner" -m 6777 "$tool" "$hostile/$dir/$owner"
        install -o "$owner" -g root -m 2777 "$tool" "$hostile/$dir/$owner.group"
        install -d -o "$owner" -m 6777 "$hostile/$dir/$owner.dir"
        cp -p "$tool" "$hostile/$dir/$owner.dir/tool"
    done
    mknod -m 666 "$hostile/$dir/device" c 1 3
done
chmod 777 "$hostile/open"
chmod 1777 "$hostile/sticky"
chown "$USER1" "$hostile/mine"
install -m 755 "$tool" "$hostile/bin/tool"
mkdir -m 700 "$hostile/closed"
echo secret >"$hostile/closed/file"
install -m 600 "$hostile/closed/file" "$hostile/secret"
mkdir -m 755 "$hostile/plain"
echo plain >"$hostile/plain/file"
pack "$hostile" "$own/hostile.sqfs" >"$T/pack" 2>&1
pack "$hostile" "$own/one.sqfs" -all-root >"$T/pack" 2>&1
chmod 644 "$own"/*.sqfs
install -o "$USER1" -m 644 "$own/hostile.sqfs" "$home/hostile.sqfs"
cp -a "$hostile" "$own/edited"
chown -h "$USER1" "$own/edited" "$own/edited"/{etc,bin,dev,home,proc,sys,tmp,var,usr,root} 2>/dev/null
chown -hR "$USER1" "$own/edited/bin" "$own/edited/etc"

# foreign DIR...: what must not be there, apart from what root has put there: files of others but
# the user's own subordinate ids, programs that make whoever runs them such a one, devices but
# overlayfs's marks.
IFS=: read -r _ first last < <(grep "^$USER1:" /etc/subuid)
first=${first:-1} last=$((${first:-1} + ${last:-0} - 1))
foreign() {
    find "$@" -xdev -printf '%U %G %m %y %p\n' 2>/dev/null |
        while read -r owner group mode type path; do
            [ "$owner" = "$uid" ] || { [ "$owner" -ge "$first" ] && [ "$owner" -le "$last" ]; } ||
                echo "owner $owner $mode $path"
            case $mode in
            2??? | 6???)
                [ "$group" = "$gid" ] || { [ "$group" -ge "$first" ] && [ "$group" -le "$last" ]; } ||
                    [ "$type" = d ] || echo "group $group $mode $path"
                ;;
            esac
            case $type in
            b | c) [ "$(stat -c %t:%T "$path")" = 0:0 ] || echo "device $path" ;;
            esac
        done
}
copy_up='cd / && tool copy-up $(find open sticky mine plain secret closed ! -name "*.link" 2>/dev/null) /open/new
    echo tried'

allocation
for image in "$own/hostile.sqfs" "$own/one.sqfs" "$home/hostile.sqfs" "$hostile"; do
    for option in --no-container-remap-root --container-remap-root; do
        name=n$RANDOM
        what="$(basename "$image") of $(stat -c %U "$image"), $option"
        for round in 1 2; do
            prints "$what, round $round: all ways to copy a file" tried \
                inside $option --container-name=$name --container-image="$image" "$copy_up"
        done
        upper=$(find "$rooms" -type d -path "*/$name/upper")
        [ -n "$(find "$upper" -mindepth 1 | head -n 1)" ]
        report "$what: files are on the disk" $?
        is "$what: none is foreign" "$(foreign "${upper%/upper}")" ''
        try inside $option --container-name=$name-2 --container-image="$image" \
            'for f in /open/root /sticky/'"$USER2"' /mine/root.group; do chmod 6777 $f 2>/dev/null; $f; done; cat /open/device'
        is "$what: no program gains" "$(sort -u <<<"$out")" \
            "$([[ $option = --no* ]] && echo "$uid $uid $gid $gid" || echo 0 0 0 0)"
        like "$what: no device opens" "$err" "cat: can't open '/open/device': Permission denied"
        try inside $option --container-writable=task --container-image="$image" "$copy_up"
        is "$what: a layer for a task" "$out" tried
    done
done
# dangerous: each file in a directory that is not the user's and is set-user-ID, or a device.
dangerous() {
    find "$own/edited" ! -user "$USER1" \( -type f -perm /6000 -o -type b -o -type c ! -name '*.*' \) \
        -printf '%i %U %G %m\n' | sort
}
dangerous >"$T/dangerous"
for option in --no-container-remap-root --container-remap-root; do
    prints "a directory that is edited, $option: all ways" tried \
        inside $option --container-writable --container-image="$own/edited" "$copy_up"
    is "$option: nothing dangerous is new" "$(dangerous | comm -13 "$T/dangerous" - |
        awk -v first="$first" -v last="$last" '$2 < first || $2 > last')" ''
done
is 'the directory of root is as it was' "$(foreign "$hostile" | grep -cE '\.(moved|swapped|link|null|disk)$')" 0

# ---- a container's layer, changed from outside --------------------------------------------

write_upper() { # COMMAND: as the user on the host, in the container's directory
    as_user sh -c "cd ${upper%/upper} && $1"
}
setx() { # PATH NAME VALUE
    write_upper "python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())' $1 $2 '$3'"
}
secrets='cat /closed/file /secret /other/file /copy /plain/secret /abs/shadow 2>/dev/null | grep -a -e secret -e "root:"; ls /closed 2>/dev/null; echo end'
for option in --no-container-remap-root --container-remap-root; do
    name=x$RANDOM
    prints "$option: a container over root's directory" $'end' inside $option --container-name=$name \
        --container-image="$hostile" "$secrets"
    upper=$(find "$rooms" -type d -path "*/$name/upper")
    write_upper 'mkdir -p -m 777 upper/closed upper/other && ln -s ../../../../../../etc upper/abs &&
        : >upper/secret && : >upper/copy && chmod 666 upper/secret upper/copy && truncate -s 7 upper/secret upper/copy'
    setx upper/other user.overlay.redirect /closed
    setx upper/secret user.overlay.metacopy ''
    setx upper/copy user.overlay.metacopy ''
    setx upper/copy user.overlay.redirect /secret
    setx upper/closed user.overlay.origin x
    setx upper/closed trusted.overlay.opaque y 2>/dev/null
    try inside $option --container-name=$name "$secrets"
    unlike "$option: layers and attributes show nothing" "$out$err" 'secret$|root:'
    as_user timeout 30 srun -Q --jobid="$job" --overlap $option --container-name=$name sleep 20 2>/dev/null &
    waiting=$!
    wait_for 10 sleeper
    report "$option: it runs" $?
    write_upper 'rm -rf upper/closed upper/other && mkdir -m 777 upper/closed upper/other && mv upper/plain upper/p2 2>/dev/null
        ln -sfn /etc upper/abs'
    setx upper/other user.overlay.redirect /closed
    try inside $option --container-name=$name "$secrets"
    unlike "$option: nor while it runs" "$out$err" 'secret$|root:'
    let_end
    for trap in 'mv upper u && ln -s /etc upper' 'mv upper u && ln -s '"$home2"' upper' \
        'mv upper u && ln -s u upper' 'mv work w && ln -s /etc work' \
        'rm -rf upper && mkfifo upper' 'mv upper u && ln -s /proc/1/root/etc upper'; do
        state=$(stat -c '%n %i %y %a %u' /etc /root "$home2" /etc/passwd /etc/shadow)
        write_upper "$trap"
        try inside $option --container-name=$name 'cat /shadow /*/shadow 2>/dev/null | grep root:; touch /passwd; echo end'
        unlike "$option, $trap: nothing appears" "$out" 'root:'
        is "$option, $trap: the host is as before" \
            "$(stat -c '%n %i %y %a %u' /etc /root "$home2" /etc/passwd /etc/shadow)" "$state"
        write_upper 'rm -f upper work 2>/dev/null; [ ! -d u ] || mv u upper; [ ! -d w ] || mv w work; mkdir -p upper work'
    done
    write_upper 'cd .. && mv '$name' away && ln -s /etc '$name
    try inside $option --container-name=$name --container-image="$tiny" 'echo ran'
    is "$option: a link is no container" "$rc$out" 1
done
as_user scancel "$job"
wait_for 10 job_is_over "$job"
is 'the host has its /etc' "$(test -s /etc/passwd && test -s /etc/shadow && echo yes)" yes

# ---- devices and flags of mounts ----------------------------------------------------------

mkdir "$own/nodes"
mknod -m 666 "$own/nodes/null" c 1 3
pack "$own/nodes" "$own/nodes.sqfs" >"$T/pack" 2>&1
install -o "$USER1" -m 644 "$own/nodes.sqfs" "$home/nodes.sqfs"
chmod 644 "$own/nodes.sqfs"
for nodes in "$own/nodes.sqfs" "$home/nodes.sqfs"; do
    for kernel in trusted always; do
        printf 'ContainerDir=%s\nKernelMount=%s\n' "$rooms" $kernel >"$conf"
        what="$(stat -c %U "$nodes")'s data, KernelMount=$kernel"
        prints "$what: a fake root cannot take nodev away" $'remount: EPERM\ndevice: EACCES' \
            as_user timeout 30 srun -Q --container-remap-root --container-image="$own/hostile.sqfs" \
            --container-mounts="$nodes:/data:sqsh" tool remount /data /data/null
        prints "$what: nor from a copy of it" $'remount: EPERM\ndevice: EACCES' \
            as_user timeout 30 srun -Q --container-remap-root --container-image="$own/hostile.sqfs" \
            --container-mounts="$nodes:/data:sqsh" \
            sh -c 'mount -t tmpfs none /mnt && mkdir /mnt/x && mount --bind /data /mnt/x && tool remount /mnt/x /mnt/x/null'
    done
done
echo "ContainerDir=$rooms" >"$conf"
cp -a "$own/edited" "$own/mine" && mknod -m 666 "$own/mine/null" c 1 3
prints 'nor of a directory that is edited' $'remount: EPERM\ndevice: EACCES' \
    as_user timeout 30 srun -Q --container-remap-root --container-writable --container-image="$own/mine" \
    tool remount / /null
for option in --container-readonly --container-writable; do
    try as_user timeout 30 srun -Q --container-remap-root $option --container-image="$own/hostile.sqfs" \
        tool remount / /open/device
    like "$option: an image's devices are dead without nodev" "$out" 'device: EACCES$'
done

# What a mount hides stays hidden.
mkdir -p "$home/covered"
echo hidden >"$home/covered/file"
chown -R "$USER1:" "$home/covered"
mount -t tmpfs none "$home/covered"
prints 'what is mounted over is not uncovered' end as_user timeout 30 srun -Q --container-remap-root \
    --container-image="$own/hostile.sqfs" sh -c 'umount $HOME/covered 2>/dev/null; cat $HOME/covered/file 2>/dev/null
    mount -t tmpfs none /mnt && mkdir /mnt/x && mount --bind $HOME /mnt/x 2>/dev/null && cat /mnt/x/covered/file; echo end'
umount "$home/covered"

# ---- root inside is nobody outside --------------------------------------------------------

for option in --container-remap-root '--container-remap-root --container-writable' --no-container-remap-root; do
    # shellcheck disable=SC2086 # words
    prints "$option: nothing that only root may do" tried as_user timeout 30 srun -Q $option \
        --container-image="$own/hostile.sqfs" tool power "$disk"
done
echo theirs >"$home2/theirs"
chown "$USER2:" "$home2/theirs"
chmod 600 "$home2/theirs"
chmod 755 "$home2"
as_user timeout 30 srun -Q --container-remap-root \
    --container-mounts="$home2" --container-image="$own/hostile.sqfs" sh -c \
    "cat $home2/theirs; chown 0:0 $home2/theirs; chmod 777 $home2/theirs; rm -f $home2/theirs; touch $home2/x; echo end" >"$T/theirs" 2>&1
is "another user's file is as it was" "$(grep -c denied "$T/theirs") $(stat -c '%U %a' "$home2/theirs")" "3 $USER2 600"

start_fake() {
    as_user timeout 30 srun -Q --container-remap-root "$@" --container-image="$own/hostile.sqfs" sleep 20 2>/dev/null &
    waiting=$!
    wait_for 10 sleeper
}
start_fake --container-mounts="$own/hostile.sqfs:/data:sqsh"
report 'a fake root' $?
# From outside there is no no_new_privs.
for dir in /open /data/open; do
    for owner in root "$USER2"; do
        is "its user enters: $dir/$owner gains nothing" "$(as_user nsenter --preserve-credentials -U -m \
            -t "$task" "$dir/$owner" 2>&1)" '0 0 0 0'
    done
done
is 'and on the host programs of root gain nothing through /proc' \
    "$(as_user "/proc/$task/root/open/root" 2>&1)" "$uid $uid $gid $gid"
is 'nor does root in it get at what is root outside' "$(as_user nsenter --preserve-credentials -U -m \
    -t "$task" tool power "$disk" 2>&1)" tried
is 'another user cannot enter' "$(as_user2 nsenter -U -m -t "$task" id 2>&1 | grep -c 'Permission denied')" 1
let_end

# ---- those who prepare --------------------------------------------------------------------

for call in unshare setns mount open_tree move_mount pivot_root; do
    for options in '--container-remap-root' "--container-remap-root --container-mounts=$own/nodes.sqfs:/data:sqsh"; do
        [ "$call" != mount ] || [[ $options = *mounts* ]] || continue
        # shellcheck disable=SC2086 # words
        stop_at $call "$own/one.sqfs" $options
        for pid in $leader; do
            is "process $(cat "/proc/$pid/comm"): the user cannot get into it" \
                "$(as_user "$T/tool" intrude "$pid")" "$nothing"
        done
        go_on
    done
done

done_testing
