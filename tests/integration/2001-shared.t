#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One cache for all users, which an account of its own writes (CacheOwner); the program that
# imports is set-user-ID meanwhile.
# serial
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

account='vitrine-cache'
program=$VITRINE_TEST_PREFIX/libexec/vitrine/vitrine-import
shared=$VITRINE_TEST_CACHE/shared
rm -rf "$shared"
id "$account" >/dev/null 2>&1 || useradd -r -s /usr/sbin/nologin "$account"
install -d -m 755 -o "$account" "$shared"
end_sharing() {
    chown root:root "$program"
    chmod 755 "$program"
    rm -rf "$shared"
    userdel "$account"
}
trap 'end_sharing; at_end' EXIT
chown "$account" "$program"
chmod 4755 "$program"

tiny=$(make_tree tiny) || exit
printf '%s\n' 'image one' 'layer gzip' "tree $tiny" "file version one\\012" | layout "$T/app"
registry_start main htpasswd=me:secret
registry_push "oci:$T/app:one" main/app:one --dest-creds me:secret
image=docker://${REGISTRY[main]}/app:one
log_in() { # AS
    "$1" mkdir -p .docker
    printf '{"auths": {"%s": {"auth": "%s"}}}' "${REGISTRY[main]}" "$(printf me:secret | base64)" |
        "$1" sh -c 'umask 077; cat >.docker/config.json'
}
printf '%s\n' "Registry=${REGISTRY[main]} AllowHTTP=yes" "CacheDir=$shared" "CacheOwner=$account" \
    >"$T/conf"
private_cluster -n 2 --vitrine-conf "$T/conf"

log_in as_user
prints 'a user runs an image of the shared cache' $'one\none' as_user srun -Q -N2 \
    --container-image="$image" cat /version
is 'which belongs to the account, and is closed' \
    "$(find "$shared/images" -type f -printf '%u %m\n')" "$account 400"
exit_is 'the user himself cannot read it' 1 as_user sh -c "cat $shared/images/*"
is 'nor has a cache of his own' "$(find "$(getent passwd "$USER1" | cut -d: -f6)" -name '*.sqfs')" ''
registry_forget main
prints 'a warm start' one as_user salloc -Q -N1 --container-image="$image" srun cat /version
is 'asks what the tag is and nothing else' "$(registry_count main '/blobs/')" 0
as_user srun -Q -n1 --container-image="$image" sh -c 'sleep 3' &
srun=$!
# The kernel has it as a loop device.
wait_for 3 sh -c "losetup --list --noheadings --output BACK-FILE | grep -q '^$shared/images/'"
report 'the kernel mounts it' $?
wait "$srun"

exit_is 'another user, whom the registry does not know, gets nothing' 1 \
    as_user2 srun -Q --container-image="$image" cat /version
like 'and is told' "$err" "^vitrine: .*${REGISTRY[main]}"
log_in as_user2
prints 'but with a password' one as_user2 srun -Q --container-image="$image" cat /version
is 'and it is there once' "$(find "$shared/images" -type f | wc -l)" 1

done_testing
