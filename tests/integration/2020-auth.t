#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who a registry asks for a name: credentials come from the files of other tools, go to the
# registry that they are for and nowhere else, and are in no message and no argument.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry.sh"

home=$(getent passwd "$USER1" | cut -d: -f6)
password='Pa55:w0rd/with=signs'
other_password='other-Pa55w0rd'
refresh='refresh-t0ken-s3cret'
secrets="$password|$other_password|$refresh|$(printf '%s' "me:$password" | base64)"

registry_start plain
registry_start basic "htpasswd=me:$password" storage=plain
printf '%s\n' 'image v1' 'layer gzip' 'file a a' 'layer zstd' 'file b size=200000' 'layer none' \
    'file c size=400000' | layout "$T/app.oci"
registry_push "oci:$T/app.oci:v1" plain/private/app:v1
registry_push "oci:$T/app.oci:v1" plain/public/app:v1
htpasswd -bB -C 4 "$T/registry.basic/htpasswd" you "$other_password" 2>/dev/null
basic=${REGISTRY[basic]}
allow() { # NAME...: in the configuration
    local name lines=()
    for name; do
        lines+=("Registry=${REGISTRY[$name]} AllowHTTP=yes")
    done
    vitrine_conf "${lines[@]}"
}
allow basic

# Everything that is said is kept, to be searched for secrets.
got() { # NAME IMPORT-ARGUMENT...: the image comes
    rm -f "$home/x.sqfs"
    try import "${@:2}" "$home/x.sqfs"
    cat "$T/.out" "$T/.err" >>"$T/said"
    [ "$rc" = 0 ] && [ "$(unsquashfs -cat "$home/x.sqfs" a 2>/dev/null)" = a ]
    report "$1" $? || show_try
}
denied() { # NAME REGEX IMPORT-ARGUMENT...
    rm -f "$home/x.sqfs"
    refused "$1" "$2" "${@:3}" "$home/x.sqfs"
    cat "$T/.out" "$T/.err" >>"$T/said"
}
user_file() { # FILE <TEXT: in the user's home, as his tools make it
    as_user mkdir -p "$(dirname "$home/$1")"
    cat >"$home/$1" && chown "$USER1:" "$home/$1" && chmod 600 "$home/$1"
}
auths() { # USER PASSWORD [HOST]: what docker login writes
    printf '{"auths": {"%s": {"auth": "%s"}}}\n' "${3-$basic}" "$(printf '%s' "$1:$2" | base64 -w0)"
}
image=docker://$basic/private/app:v1

# ---- a password ---------------------------------------------------------------------------

unauthorized='[Cc]redentials|[Ll]og in|login|password'
denied 'no credentials' "$unauthorized" "$image"
auths me "$password" | user_file .docker/config.json
got 'docker login' "$image"
auths me "$password" localhost | user_file .docker/config.json
denied 'for another port' "$unauthorized" "$image"
auths me wrong-passw0rd | user_file .docker/config.json
denied 'a wrong password' "$home/.docker/config.json" "$image"
unlike 'is not shown' "$err" 'wrong-passw0rd'
auths me "$password" "http://$basic/v2/" | user_file .docker/config.json
got 'a URL as old versions have it' "$image"
mv "$home/.docker" "$home/elsewhere"
got 'DOCKER_CONFIG' DOCKER_CONFIG="$home/elsewhere" "$image"
rm -r "$home/elsewhere"

auths me "$password" | user_file run/containers/auth.json
got 'podman login' XDG_RUNTIME_DIR="$home/run" "$image"
denied 'which is not found without it' "$unauthorized" "$image"
auths me "$password" "$basic/private/app" | user_file .config/containers/auth.json
got 'for one repository' "$image"
auths me "$password" "$basic/private" | user_file .config/containers/auth.json
got 'for those below a name' "$image"
auths me "$password" "$basic/priv" | user_file .config/containers/auth.json
denied 'not for those that begin like it' "$unauthorized" "$image"
auths me "$password" | user_file my-auth.json
got 'REGISTRY_AUTH_FILE' REGISTRY_AUTH_FILE="$home/my-auth.json" "$image"
rm -r "$home/.config"
printf '{"auths": {"%s": {"auth": ' "$basic" | user_file my-auth.json
denied 'a broken file is named' "$home/my-auth.json" REGISTRY_AUTH_FILE="$home/my-auth.json" "$image"

# ---- helpers ------------------------------------------------------------------------------

user_file bin/docker-credential-test <<END
#!/bin/sh
read -r server
echo "\$0 \$* \$server" >>$home/helped
test ! -e $home/fail || { echo 'credentials not found in native keychain' && exit 1; }
printf '{"ServerURL": "%s", "Username": "me", "Secret": "%s"}' "\$server" '$password'
END
chmod 755 "$home/bin/docker-credential-test"
helper=PATH=$home/bin:/usr/bin:/bin
printf '{"credHelpers": {"%s": "test"}}' "$basic" | user_file .docker/config.json
got 'credHelpers' "$helper" "$image"
like 'is asked for this registry' "$(cat "$home/helped")" "docker-credential-test get (https://)?$basic\$"
echo '{"credsStore": "test"}' | user_file .docker/config.json
got 'credsStore' "$helper" "$image"
touch "$home/fail"
denied 'a helper that knows nothing' "$unauthorized" "$helper" "$image"
rm "$home/fail"
printf '{"credHelpers": {"%s": "missing"}}' "$basic" | user_file .docker/config.json
denied 'a helper that is missing' 'docker-credential-missing' "$helper" "$image"
printf '{"credHelpers": {"%s": "../../evil"}}' "$basic" | user_file .docker/config.json
denied 'a helper that is a path' 'evil' "$helper" "$image"
rm -r "$home/.docker"

# ---- enroot -------------------------------------------------------------------------------

user_file .config/enroot/.credentials <<END
# a comment
machine ${basic%:*} login me password $password
machine other.test login me password x
END
got 'enroot'\''s file' "docker://$basic#private/app:v1"
as_user sh -c "mv .config/enroot mine"
got 'ENROOT_CONFIG_PATH' ENROOT_CONFIG_PATH="$home/mine" "$image"
denied 'which is not found without it' "$unauthorized" "$image"
user_file .config/enroot/.credentials <<END
machine ${basic%:*} login me password wrong
machine ${basic%:*}
login you
password $other_password
END
got 'USER@REGISTRY#IMAGE is the one that is meant' "docker://you@$basic#private/app:v1"
denied 'the other one has a wrong password' "$home/.config/enroot/.credentials" "docker://me@$basic#private/app:v1"
denied 'a user of whom nothing is known' "$unauthorized" "docker://them@$basic#private/app:v1"

# ---- tokens -------------------------------------------------------------------------------

rm -rf "$home/.config"
front_start tokens - token "user=me $password $refresh"
registry_start bearer token=tokens storage=plain
front_start front bearer
allow front bearer tokens
front=${REGISTRY[front]}
image=docker://$front/private/app:v1
got 'a token for nobody' "docker://$front/public/app:v1"
is 'is asked for once, to pull this' "$(front_log tokens | sed -nE 's/.*(scope=[^ ]*)$/\1/p')" \
    scope=repository:public/app:pull
denied 'a token for nobody is not enough' "$unauthorized" "$image"
auths me wrong-passw0rd "$front" | user_file .docker/config.json
denied 'a wrong password at the token server' "$home/.docker/config.json" "$image"
auths me "$password" "$front" | user_file .docker/config.json
front_rules front
front_rules tokens
got 'a token for a password' "$image"
is 'the password goes to the token server, and not to the registry' \
    "$(front_count tokens auth=basic) $(front_count front auth=basic)" '1 0'
printf '{"auths": {"%s": {"auth": "%s", "identitytoken": "%s"}}}' "$front" "$(printf 'me:' | base64)" "$refresh" |
    user_file .docker/config.json
front_rules tokens
got 'a token for a refresh token' "$image"
is 'is got by POST' "$(front_log tokens | cut -d' ' -f1 | sort -u)" POST

# Each of the first answers with a blob stops at its half until the token is over, then breaks.
auths me "$password" "$front" | user_file .docker/config.json
echo 2 >"$T/front.tokens/expires"
front_rules tokens
front_rules front 'GET blobs/ hold 50% times=3' 'GET blobs/ cut 60% times=3'
rm -f "$home/x.sqfs"
import "$image" "$home/x.sqfs" >"$T/.out" 2>"$T/.err" &
importer=$!
front_wait front holding
for cmdline in /proc/[0-9]*/cmdline; do
    tr '\0' ' ' <"$cmdline" && echo
done >"$T/processes" 2>/dev/null
sleep 2.5
front_go front
wait "$importer"
report 'a token that expires while blobs come' $? || diagnose "$(cat "$T/.err")"
is 'the image is right' "$(unsquashfs -cat "$home/x.sqfs" a)" a
[ "$(front_count tokens ' 200 ')" -ge 2 ]
report 'a new token was got' $? || diagnose "$(front_log tokens)" "$(front_log front)"
cat "$T/.out" "$T/.err" >>"$T/said"
like 'a process list while it runs' "$(cat "$T/processes")" 'vitrine import'
unlike 'has no secret' "$(cat "$T/processes")" "$secrets|eyJ0eX"

echo 300 >"$T/front.tokens/expires"

# ---- challenges ---------------------------------------------------------------------------

challenge() { # FRONT: as a rule's word
    printf "'WWW-Authenticate:Bearer realm=\"http://%s/token\",service=\"test-registry\",scope=\"repository:private/app:pull\"'" \
        "${REGISTRY[$1]}"
}
front_start tokens2 - token=tokens "user=me $password $refresh"
allow front bearer tokens tokens2
front_rules front "GET blobs/ status 401 $(challenge tokens2) times=1"
got 'another realm while blobs come' "$image"
is 'is asked' "$(front_count tokens2 ' 200 ')" 1
front_rules front "GET blobs/ status 401 $(challenge tokens)"
front_rules tokens
denied 'a registry that takes no token' "$unauthorized|refuse|denied|accept" "$image"
[ "$(front_count tokens .)" -le 8 ] && [ "$(front_count front .)" -le 20 ]
report 'is not asked for ever' $? || diagnose "$(front_log tokens)" "$(front_log front)"

front_rules front
for bad in 'no JSON' '{}' '{"token": ""}' '{"token": 5}' '{"token": "a\r\nHost: evil"}' '["token"]' \
    "{\"token\": \"$(printf '%0200000d' 0)\"}"; do
    printf '%s' "$bad" >"$T/bad-token"
    front_rules tokens "/token replace $T/bad-token"
    denied "a token server that says ${bad:0:30}" "token|${REGISTRY[tokens]}" "$image"
done
front_rules front "GET . status 401 'WWW-Authenticate:Negotiate'"
denied 'a way to log in that nobody knows' "$unauthorized" "$image"
front_rules tokens
front_start secure bearer tls
vitrine_conf "Registry=${REGISTRY[secure]} CAFile=$tls/ca.pem"
auths me "$password" "${REGISTRY[secure]}" | user_file .docker/config.json
denied 'a registry with HTTPS whose token server has none' 'https|HTTPS|http:' "docker://${REGISTRY[secure]}/private/app:v1"
is 'it was not told the password' "$(front_count tokens 'auth=basic|POST')" 0

# ---- redirects ----------------------------------------------------------------------------

front_start store plain
front_start other-basic basic
for name in front other-basic; do
    allow "$name" tokens bearer store
    auths me "$password" "${REGISTRY[$name]}" | user_file .docker/config.json
    front_rules "$name" "GET blobs/ redirect http://${REGISTRY[store]}" 'manifests/ header Set-Cookie:session=s3ss10n;Path=/'
    front_rules store
    got "$name: blobs are elsewhere" "docker://${REGISTRY[$name]}/private/app:v1"
    is "$name: all four" "$(front_log store | grep -o '^GET .*blobs/[^ ]*' | sort -u | wc -l)" 4
    is "$name: neither credentials nor cookies get there" "$(front_log store | grep -vc "auth=none cookie=no")" 0
    like "$name: though the registry has had them" "$(front_log "$name")" 'manifests/.*auth=(basic|bearer)'
done

unlike 'no secret was ever told' "$(cat "$T/said")" "$secrets|s3ss10n|eyJ0eX"

done_testing
