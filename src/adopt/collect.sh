#!/bin/sh
# What is on this machine, for `debrole host adopt`: reads, and changes nothing. Run it as root, so that it may read
# what only root may; its output goes to debrole's standard input. ROOT=DIRECTORY: a machine's tree that is not running.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
root=${ROOT-}

paths() {
    cat <<'PATHS'
@PATHS@
PATHS
}

units() {
    cat <<'UNITS'
@UNITS@
UNITS
}

# The machine's own name: /etc/hostname, completed from /etc/hosts.
name=$(sed -n '/^[a-zA-Z0-9]/{p;q;}' "$root/etc/hostname" 2>/dev/null)
[ -n "$name" ] || [ -n "$root" ] || name=$(uname -n)
case $name in
*.*) ;;
*)
    long=$(awk -v short="$name" '
        { sub(/#.*/, ""); for (i = 2; i <= NF; i++) if (index($i, short ".") == 1) { print $i; exit } }' \
        "$root/etc/hosts" 2>/dev/null)
    name=${long:-$name}
    ;;
esac

echo "debrole-facts 1"
echo "name ${name:--}"
sed -n 's/^VERSION_CODENAME="*\([^"]*\)"*$/release \1/p' "$root/etc/os-release"
[ "$(id -u)" = 0 ] || echo "not-root"
if [ -z "$root" ]; then
    # Addresses that other machines could know: no link-local, temporary or container ones.
    ip -o addr show scope global up 2>/dev/null |
        awk '!/ (temporary|deprecated|tentative)/ && $2 !~ /^(docker|veth|virbr|br-|cni|lxc)/ { sub(/\/.*/, "", $4); print "address " $4 }'
fi
for key in "$root"/etc/ssh/ssh_host_*_key.pub; do
    [ -f "$key" ] && awk 'NF >= 2 { print "host-key " $1 " " $2; exit }' "$key"
done
dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed /package /p'

who() { # DATABASE ID
    found=$(awk -F: -v id="$2" '$3 == id { print $1; exit }' "$root/etc/$1" 2>/dev/null)
    echo "${found:-$2}"
}

paths | while read -r path; do
    [ -n "$path" ] || continue
    file=$root$path
    if [ -L "$file" ]; then
        echo "link $path $(readlink "$file")"
        continue
    fi
    [ -e "$file" ] || continue
    mode=$(stat -c %a "$file")
    ownership="$mode $(who passwd "$(stat -c %u "$file")") $(who group "$(stat -c %g "$file")")"
    if [ -d "$file" ]; then
        echo "dir $path $ownership"
    elif [ ! -f "$file" ]; then
        echo "other $path $ownership"
    elif [ ! -r "$file" ] || [ "$(stat -c %s "$file")" -gt 1048576 ]; then
        echo "file $path $ownership -" # not told; = stands for what is empty
    else
        content=$(base64 -w0 <"$file")
        echo "file $path $ownership ${content:-=}"
    fi
done

units | while read -r unit; do
    [ -n "$unit" ] || continue
    state=$(systemctl ${root:+--root="$root"} is-enabled "$unit" 2>/dev/null)
    echo "unit $unit ${state:-not-found}"
done
echo "end"
