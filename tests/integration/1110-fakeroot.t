#!/bin/bash
# shellcheck disable=SC2016 # many texts are for a shell inside
# SPDX-License-Identifier: LGPL-2.1-or-later
# --container-remap-root: USER2 has subordinate ids, USER1 (who has groups) only his own. Tasks are
# root as far as they can see, nothing more on the host, and package managers work.
# timeout: 400
. "$(dirname "$0")/lib.sh"

many=$(make_image owners) && one=$(make_image owners -all-root) && sif=$(make_image owners.sif) &&
    base=$(make_image base) && rpm=$(make_image rpm) || exit
tree=$(make_tree owners)
own=$VITRINE_TEST_CACHE/1110.$slot
node=${NODES%% *}

# ---- subordinate ids ----------------------------------------------------------------------

range_of() { # FILE USER
    awk -F: -v user="$2" '$1 == user { print $2 "-" $2 + $3 - 1; exit }' "/etc/$1"
}
uids2=$(range_of subuid "$USER2") gids2=$(range_of subgid "$USER2")
uids1=$(range_of subuid "$USER1") gids1=$(range_of subgid "$USER1")
give_back() {
    [ -z "$uids1" ] || usermod --add-subuids "$uids1" "$USER1"
    [ -z "$gids1" ] || usermod --add-subgids "$gids1" "$USER1"
    rm -rf --one-file-system "$own"
    at_end
}
[ -n "$uids2$gids2" ] || { skip_all 'useradd gives no subordinate ids here'; }
trap give_back EXIT
[ -z "$uids1" ] || usermod --del-subuids "$uids1" "$USER1"
[ -z "$gids1" ] || usermod --del-subgids "$gids1" "$USER1"
rm -rf --one-file-system "$own"
mkdir -m 755 "$own"
ok 'a program that tries all' cc -static -Wall -Werror -o "$T/tool" "$integration/fakeroot.c"
ok 'the probe compiles' gcc -std=gnu17 -D_GNU_SOURCE -O1 -o "$T/probe" "$integration"/probe*.c

is_user() { # ranges|one: the steps that follow are of this kind of user
    kind=$1
    case $kind in
    ranges) user=$USER2 ;;
    one) user=$USER1 ;;
    esac
    uid=$(id -u "$user") gid=$(id -g "$user") home=$(getent passwd "$user" | cut -d: -f6)
}
run() {
    "$top/contrib/cluster/run" --user "$user" timeout 200 "$@"
}
step() { # SRUN-OPTION... COMMAND
    run srun -Q -w "$node" --container-remap-root "${@:1:$#-1}" sh -c "${!#}"
}
spaces() { tr -s ' \t\n' ' ' | sed 's/^ //; s/ $//'; }

# owners TEXT: who owns what, if the user has ids enough.
owners() {
    if [ "$kind" = ranges ]; then
        echo "$1"
    else
        sed -E 's/ [0-9]+:[0-9]+ / 0:0 /; s/ [a-z]+:[_a-z]+ / root:root /' <<<"$1"
    fi
}

# ---- who one is ---------------------------------------------------------------------------

is_user ranges
try step --container-image="$base" 'cat /proc/self/uid_map'
is 'with ranges: 0 is the user, the others follow' "$(spaces <<<"$out")" \
    "0 $uid 1 1 ${uids2%-*} $((${uids2#*-} - ${uids2%-*} + 1))"
try step --container-image="$base" 'head -n 2 /proc/self/gid_map'
is 'with ranges: groups, too' "$(spaces <<<"$out")" \
    "0 $gid 1 1 ${gids2%-*} $((${gids2#*-} - ${gids2%-*} + 1))"
is_user one
a=$(getent group vitrine-a | cut -d: -f3) b=$(getent group vitrine-b | cut -d: -f3)
try step --container-image="$base" 'cat /proc/self/uid_map /proc/self/gid_map'
is 'without: one, and his groups as they are' "$(spaces <<<"$out")" "0 $uid 1 0 $gid 1 $a $a 1 $b $b 1"
prints 'which are his in files of the host, too' "$(printf '%s\n' 0:0 "0:$a" root:vitrine-b 0:0)" \
    step --container-image="$base" 'cd && touch mine && stat -c %u:%g mine && chgrp vitrine-a mine &&
    stat -c %u:%g mine && chgrp vitrine-b mine && stat -c %U:%G mine && chgrp 33 mine; chgrp root mine && stat -c %u:%g mine'
prints 'he is in them' "0 $a $b" step --container-image="$base" 'id -G'
prints 'without: a filter, of which bare steps have none' $'Seccomp: 2\nSeccomp: 0' sh -c "
    '$top/contrib/cluster/run' --user $user srun -Q -w $node --container-remap-root \
    --container-image=$base grep Seccomp: /proc/self/status | tr '\t' ' '
    '$top/contrib/cluster/run' --user $user srun -Q -w $node --no-container-remap-root \
    --container-image=$base grep Seccomp: /proc/self/status | tr '\t' ' '"
is_user ranges
prints 'with ranges: no filter' $'Seccomp:\t0' step --container-image="$base" 'grep Seccomp: /proc/self/status'

for each in ranges one; do
    is_user $each
    prints "$kind: root by number and name" '0 0 0 root root root /root' step --container-image="$base" \
        'echo $(id -u) $(id -ru) $(id -g) $(id -un) $USER $LOGNAME $(getent passwd 0 | cut -d: -f6)'
    prints "$kind: new privileges cannot be had" $'NoNewPrivs:\t1' step --container-image="$base" \
        'grep NoNewPrivs /proc/self/status'
    prints "$kind: files on the host are the user's" '0:0 0:0' step --container-image="$base" \
        'touch $HOME/mine; echo $(stat -c %u:%g $HOME $HOME/mine)'
    is "$kind: seen from the host" "$(stat -c '%U:%G' "$home/mine")" "$user:$user"
    for image in "$one" "$many" "$sif" "$tree"; do
        what="$kind, $(basename "$image")"
        want=$(cd "$tree/data" && stat -c '%n %u:%g %a' ./* ./*/*)
        [ "$image" != "$one" ] || want=$(kind=one owners "$want")
        want=$(owners "$want")
        if [ "$image" = "$tree" ]; then # root's files are nobody's
            prints "$what: the directory can be read as before" $'plain\n0' step --container-image="$image" \
                'cat /data/plain; cat /data/hidden 2>/dev/null | wc -c'
            continue
        fi
        is "$what: owners" "$(step --container-image="$image" 'cd /data && stat -c "%n %u:%g %a" ./* ./*/*')" "$want"
        prints "$what: root reads everything" $'hidden\nowned\nclosed' step --container-image="$image" \
            'cat /data/hidden /data/owned /data/closed/file'
        prints "$what: but writes nothing" '' step --container-image="$image" \
            '(echo x >>/data/plain) 2>/dev/null && echo written; true'
        prints "$what: in a layer everything" $'hidden\nx\nclosed\nx\nfile\nx' \
            step --container-writable --container-image="$image" 'cd /data
            for f in hidden closed/file; do echo x >>$f; cat $f; done
            rm -r closed && mkdir foreign/file && ls foreign && echo x >owned && cat owned'
    done
    prints "$kind: the system calls" "$(sed "s/^$kind: //; t; d" <<'WANT'
ranges: chown: works, 33:34
ranges: lchown: works, 33:34
ranges: fchown: works, 33:34
ranges: fchownat: works, 33:34
ranges: mknod fifo: works, fifo
ranges: mknod device: EPERM, nothing
ranges: setgroups: works
ranges: setgid: works
ranges: setuid: works
ranges: who: 33 33 34 34
one: chown: works, 0:0
one: lchown: works, 0:0
one: fchown: works, 0:0
one: fchownat: works, 0:0
one: mknod fifo: works, fifo
one: mknod device: works, nothing
one: setgroups: works
one: setgid: works
one: setuid: works
one: who: 0 0 0 0
WANT
    )" step --container-writable --container-image="$base" "$T/tool /tool"
    prints "$kind: a file system can be mounted" 'here' step --container-image="$base" \
        'mkdir -p /tmp/vm.$$ && mount -t tmpfs none /tmp/vm.$$ && echo here >/tmp/vm.$$/f &&
        cat /tmp/vm.$$/f && umount /tmp/vm.$$ && rmdir /tmp/vm.$$'
    prints "$kind: capabilities of files" 'cap_net_raw=ep' step --container-writable --container-image="$rpm" \
        'cp /bin/true /t && /sbin/setcap cap_net_raw=ep /t && /sbin/getcap /t | cut -d" " -f2'
    for code in 0 7 255; do
        exit_is "$kind: exit code $code" $code step --container-image="$base" "exit $code"
    done
    exit_is "$kind: a signal" 143 step --container-image="$base" 'kill -TERM $$'
    prints "$kind: tasks share the user namespace" 1 sh -c "'$top/contrib/cluster/run' --user $user \
        srun -Q -w $node -n 3 --container-remap-root --container-image=$base readlink /proc/self/ns/user | sort -u | wc -l"
done

# ---- as without a container ---------------------------------------------------------------

peers() { # SRUN-OPTION...
    rm -rf "$home/peers"
    run mkdir "$home/peers"
    run srun -Q -n 2 -w "$node" --label "$@" "$T/probe" --peer "$home/peers" |
        sed -n 's/^0: //p' | grep -E 'process_vm|ptrace|shm|memfd|kill|pidfd' | grep -v 'owner'
}
sleeping='^(/[a-z/]*/)?sleep 30$'
sleeper() {
    task=$(pgrep -u "$user" -f "$sleeping") && [ "$(wc -w <<<"$task")" = 1 ]
}
ok 'the attacker' cc -static -Wall -o "$T/attack" "$integration/attack.c"
for each in ranges one; do
    is_user $each
    bare=$(peers)
    like "$kind: what tasks do to each other" "$bare" 'process_vm_readv'
    is "$kind: they do inside" "$(peers --container-remap-root --container-image="$base")" "$bare"
    step --container-image="$base" 'exec sleep 30' 2>/dev/null &
    wait_for 10 sleeper
    report "$kind: a task" $?
    is "$kind: on the host it is the user" "$(stat -c %U "/proc/$task")" "$user"
    is "$kind: whose debugger works" "$(run "$T/attack" intrude "$task" | grep -v ': works')" ''
    other=$USER1
    [ "$user" != "$USER1" ] || other=$USER2
    is "$kind: not that of others" \
        "$("$top/contrib/cluster/run" --user "$other" "$T/attack" intrude "$task" | grep -c ': works')" 0
    run kill -TERM "$task"
    wait
done

# ---- Slurm's commands ---------------------------------------------------------------------

for each in ranges one; do
    is_user $each
    cat >"$T/script" <<'SCRIPT'
#!/bin/sh
id -u
srun -Q id -u
srun -Q --container-image=none id -u
squeue -h -o %T -j $SLURM_JOB_ID
scontrol show job $SLURM_JOB_ID | grep -c "($(head -n 1 /proc/self/uid_map | awk '{ print $2 }'))"
job=$(sbatch --parsable --container-image=none --hold --wrap true) && scancel $job && echo submitted
salloc -Q --no-shell --no-kill -H -J held --immediate=1 2>/dev/null
sinfo -h >/dev/null && sacct --version >/dev/null && echo told
SCRIPT
    chmod 755 "$T/script"
    install -o "$user" /dev/null "$T/output"
    ok "$kind: a batch job" run sbatch -W -Q -w "$node" -n 1 -o "$T/output" --container-remap-root \
        --container-image="$base" "$T/script"
    is "$kind: which uses Slurm as the user" "$(cat "$T/output")" "0
0
$uid
RUNNING
1
submitted
told"
done

# ---- packages -----------------------------------------------------------------------------

# What reaches the mirror from the host does so inside.
apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::Proxy' >"$T/apt.conf"
apt() { # SRUN-OPTION... COMMAND
    step --export="ALL,APT_CONFIG=$T/apt.conf,DEBIAN_FRONTEND=noninteractive" "$@"
}
is_user ranges
if ! apt --container-writable --container-image="$base" 'apt-get -qq update' >"$T/update" 2>&1; then
    skip 'apt-get' "no mirror can be reached: $(tail -n 1 "$T/update")"
else
    install='apt-get -qq update && apt-get -qq -y install --no-install-recommends hello at openssh-client \
        >/tmp/vitrine-apt.$$ 2>&1 || tail -n 20 /tmp/vitrine-apt.$$
        rm -f /tmp/vitrine-apt.$$; hello; getent passwd _ssh >/dev/null || getent group _ssh >/dev/null && echo names
        dpkg --audit; stat -c "%n %U:%G %a" /usr/bin/at /usr/bin/ssh-agent /var/spool/cron/atjobs'
    for each in ranges one; do
        is_user $each
        want='Hello, world!
names
/usr/bin/at daemon:daemon 6755
/usr/bin/ssh-agent root:_ssh 2755
/var/spool/cron/atjobs daemon:daemon 1770'
        want=$(owners "$want")
        prints "$kind: apt-get install, in a layer" "$want" \
            apt --container-writable --container-image="$base" "$install"
        rm -rf --one-file-system "$home/tree"
        cp -a "$(make_tree base)" "$own/tree" && chown -hR "$user:" "$own/tree" && mv "$own/tree" "$home/tree"
        prints "$kind: apt-get install, into a directory" "$want" \
            apt --container-writable --container-image="$home/tree" "$install"
        prints "$kind: which keeps it" 'Hello, world!' run srun -Q --container-image="$home/tree" hello
        is "$kind: root owns nothing of it" "$(find "$home/tree" -uid 0 -o -gid 0 | head -n 3)" ''
        prints "$kind: dpkg --unpack and remove" $'unpacked\ngone' apt --container-writable \
            --container-image="$home/tree" 'cd /tmp && d=$(mktemp -d) && cd $d && apt-get -qq download less >/dev/null 2>&1
            dpkg --unpack less*.deb >/dev/null 2>&1 && dpkg -s less | grep -q unpacked && echo unpacked
            dpkg --configure less >/dev/null 2>&1 && dpkg --purge less >/dev/null 2>&1 && ! [ -e /usr/bin/less ] && echo gone; rm -r $d'
        rm -rf --one-file-system "$home/tree"
    done
fi

# A package with what gives trouble: owners, modes, capabilities, scripts; and one for dnf, which
# wants to know who has the shell.
cat >"$T/probe.spec" <<'SPEC'
Name: vitrine-probe
Version: 1
Release: 1
Summary: Owners, modes and scripts
License: none
BuildArch: noarch
Provides: /bin/sh
%description
For a test.
%install
mkdir -p %{buildroot}/opt/probe/dir
for f in owned sgid caps; do echo $f >%{buildroot}/opt/probe/$f; done
ln -s owned %{buildroot}/opt/probe/link
%files
%attr(0640, probe, probe) /opt/probe/owned
%attr(2755, root, probe) /opt/probe/sgid
%attr(0755, root, root) %caps(cap_net_raw=ep) /opt/probe/caps
%attr(1770, probe, probe) %dir /opt/probe/dir
%attr(-, probe, probe) /opt/probe/link
%pre
groupadd -r probe && useradd -r -g probe -d /opt/probe -s /sbin/nologin probe
%post
chown probe:probe /opt/probe/dir && su -s /bin/sh probe -c 'echo post >/opt/probe/dir/post'
%preun
rm /opt/probe/dir/post
SPEC
for each in ranges one; do
    is_user $each
    run mkdir -p rpm
    ok "$kind: rpmbuild and createrepo" step --container-image="$rpm" \
        "cd $home/rpm && rpmbuild -bb --define '_topdir $home/rpm' $T/probe.spec >log 2>&1 &&
        createrepo_c -q RPMS"
    look='cd /opt/probe && stat -c "%n %U:%G %a" * dir/* && /sbin/getcap caps'
    want='caps root:root 755
dir probe:probe 1770
link probe:probe 777
owned probe:probe 640
sgid root:probe 2755
dir/post probe:probe 644
caps cap_net_raw=ep'
    want=$(owners "$want")
    try step --container-writable --container-image="$rpm" \
        "rpm -i --nodeps $home/rpm/RPMS/noarch/vitrine-probe*.rpm 2>/dev/null && $look && rpm -q vitrine-probe &&
        rpm -e vitrine-probe 2>/dev/null && ls /opt/probe"
    is "$kind: rpm -i and -e" "$out" "$want"$'\nvitrine-probe-1-1.noarch'
    try step --container-writable --container-image="$rpm" \
        "printf '[p]\nname=p\nbaseurl=file://$home/rpm/RPMS\ngpgcheck=0\n' >/etc/p.repo
        dnf -q -y -c /etc/p.repo --setopt=reposdir=/nowhere --releasever=1 install vitrine-probe >/tmp/dnf.\$\$ 2>&1 ||
            cat /tmp/dnf.\$\$; rm /tmp/dnf.\$\$; $look"
    is "$kind: dnf install" "$out" "$want"
done

done_testing
