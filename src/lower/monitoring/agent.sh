#!/bin/sh
# agent VERB: what makes the monitoring of @PREFIX@ set itself up. Root, but for `accept`.
#
#   keys          this machine's certificate for NRPE and, on a monitoring server, that for asking others
#   exchange      keys, and then certificates with each monitoring server; 1 unless all have answered
#   report ROLE/CHECK STATUS TEXT
#                 tells the monitoring servers how a passive check went: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. For jobs
#                 of roles; 1 unless a server has taken it
#   accept FQDN   on a monitoring server, run by sshd for a machine that showed its host key: takes that machine's
#                 certificates on standard input and gives this server's on standard output; or takes its report
#   status        what the checks can't find out themselves
#
# NRPE authenticates both sides by TLS with certificates that each machine makes itself and that are trusted one by one:
# an agent answers those who have a certificate of a monitoring server's, a server believes a machine by that machine's
# own certificate alone. They are exchanged by SSH, where both sides are known by their host keys, which are in the tree.
# There is no authority whose key could be stolen, and no private key leaves its machine.
#
# $nrpe/agent.key, agent.pem             this machine's, for serving NRPE
#       client.key, client.pem           a monitoring server's, for asking
#       agent.next.*, client.next.*      what replaces them before they expire, known to the others ahead of time
#       monitors/FQDN.pem, monitors.pem  those of the monitoring servers, and all of them
#       hosts/FQDN.pem                   on a monitoring server: that of each machine
set -u
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset CDPATH IFS ENV
share=/usr/share/@PREFIX@
nrpe=/var/lib/@PREFIX@/nrpe
facts=/var/lib/@PREFIX@/monitoring
account=@PREFIX@-agents
valid=730 # days for which a certificate is valid,
next=60   # before its end when the one after it is made,
swap=30   # and when that takes its place: the others ask daily
longest=16384

warn() { printf '%s\n' "@PREFIX@-agent: $*" >&2; }
die() { warn "$*"; exit 1; }

is_monitor() { [ -e "$share/nagios-config/agents.keys" ]; }

# is_here FQDN: whether that is this machine, by its package.
is_here() { [ -e "$share/hosts/$1/manifest" ]; }

write_atomically() { cat >"$1.new" && sync "$1.new" && mv -fT "$1.new" "$1"; }

# ------------------------------------------------------------------------------------------------------------------ keys

make_pair() { # NAME USAGE: $nrpe/NAME.key and $nrpe/NAME.pem
    set +f
    set -- "$1" "$2" "$share"/hosts/*/manifest
    set -f
    of=${3%/manifest}
    of=${of##*/}
    [ "$of" != '*' ] || of=$(uname -n)
    serial=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n' | sed 's/^./1/')
    # A common name is 64 characters at most. Each certificate has a subject of its own: of two with the same one, OpenSSL
    # looks at the first alone.
    cat >"$nrpe/openssl.cnf" <<CONF || return 1
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
O = @PREFIX@ monitoring
CN = $(printf '%.64s' "$of")
serialNumber = $serial
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, $2
CONF
    rm -f "$nrpe/$1.key.new" "$nrpe/$1.pem.new"
    (umask 077 && openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days "$valid" \
        -set_serial "0x$serial" \
        -config "$nrpe/openssl.cnf" -keyout "$nrpe/$1.key.new" -out "$nrpe/$1.pem.new" 2>"$nrpe/error") || {
        warn "openssl makes no certificate: $(tail -n 1 "$nrpe/error")"
        return 1
    }
    rm -f "$nrpe/error" "$nrpe/openssl.cnf"
    chgrp nagios "$nrpe/$1.key.new" && chmod 0640 "$nrpe/$1.key.new" && chmod 0644 "$nrpe/$1.pem.new" &&
        sync "$nrpe/$1.key.new" "$nrpe/$1.pem.new" || return 1
    # A certificate without its key is of no use, and is made again.
    rm -f "$nrpe/$1.pem"
    mv -fT "$nrpe/$1.key.new" "$nrpe/$1.key" && mv -fT "$nrpe/$1.pem.new" "$nrpe/$1.pem"
}

# has_begun FILE: the certificate is valid already. Whoever made it may have had a clock that was ahead.
has_begun() {
    begins=$(openssl x509 -in "$1" -noout -startdate 2>/dev/null) || return 1
    begins=$(date -d "${begins#notBefore=}" +%s 2>/dev/null) || return 1
    [ "$begins" -le "$(date +%s)" ]
}

lasts() { # NAME DAYS: it is there, fits its key, and is valid for so long
    [ -s "$nrpe/$1.key" ] && [ -s "$nrpe/$1.pem" ] || return 1
    openssl x509 -in "$nrpe/$1.pem" -noout -checkend $(($2 * 86400)) >/dev/null 2>&1 && has_begun "$nrpe/$1.pem" || return 1
    [ "$(openssl x509 -in "$nrpe/$1.pem" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$nrpe/$1.key" -pubout 2>/dev/null)" ]
}

# keep_pair NAME USAGE: $changed, if there is another one to be used now.
keep_pair() {
    if ! lasts "$1" 0; then
        rm -f "$nrpe/$1.next.key" "$nrpe/$1.next.pem"
        make_pair "$1" "$2" || return 1
        changed=yes
    fi
    lasts "$1" "$next" || lasts "$1.next" "$next" || make_pair "$1.next" "$2" || return 1
    if ! lasts "$1" "$swap" && lasts "$1.next" "$swap"; then
        rm -f "$nrpe/$1.pem"
        mv -fT "$nrpe/$1.next.key" "$nrpe/$1.key" && mv -fT "$nrpe/$1.next.pem" "$nrpe/$1.pem" || return 1
        changed=yes
    fi
}

keys() {
    if ! mkdir -p "$nrpe/monitors" || ! chmod 0755 "$nrpe"; then die "cannot make $nrpe"; fi
    exec 9>"$nrpe/lock" || die "cannot write to $nrpe"
    flock 9 || die "cannot lock $nrpe/lock"
    changed=
    keep_pair agent serverAuth || die "this machine has no certificate for NRPE"
    if is_monitor; then
        keep_pair client clientAuth || die "this monitoring server has no certificate for asking"
        # What sysusers.d(5) makes is locked by "!", with which sshd may refuse keys, too.
        case $(getent shadow "$account" | cut -d: -f2) in '!'*) usermod -p '*' "$account" || die "cannot unlock $account" ;; esac
        install -d -o "$account" -g "$account" -m 0755 "$nrpe/hosts" || die "cannot make $nrpe/hosts"
        # Who has left is forgotten.
        set +f
        for file in "$nrpe"/hosts/*.pem; do
            of=${file##*/}
            grep -qsF " accept ${of%.pem}\"" "$share/nagios-config/agents.keys" || rm -f "$file"
        done
        set -f
    fi
    collect
}

# monitors.pem: those of the servers that are still in the tree. NRPE needs one: until the first has come that is its own,
# which lets nobody in, for it is not for asking.
collect() {
    set +f
    for file in "$nrpe"/monitors/*.pem; do
        of=${file##*/}
        cut -d ' ' -f 1 "$share/agent/monitors" | grep -qxF -e "${of%.pem}" || rm -f "$file"
    done
    cat "$nrpe"/monitors/*.pem >"$nrpe/monitors.pem.new" 2>/dev/null
    set -f
    [ -s "$nrpe/monitors.pem.new" ] || cat "$nrpe/agent.pem" >"$nrpe/monitors.pem.new" || die "cannot write to $nrpe"
    if cmp -s "$nrpe/monitors.pem.new" "$nrpe/monitors.pem"; then
        rm -f "$nrpe/monitors.pem.new"
    else
        mv -fT "$nrpe/monitors.pem.new" "$nrpe/monitors.pem" || die "cannot write to $nrpe"
        changed=yes
    fi
    # It reads its files when it starts.
    if [ -n "$changed" ] && [ -d /run/systemd/system ]; then
        systemctl try-restart nagios-nrpe-server.service || warn "NRPE does not start again"
    fi
}

# -------------------------------------------------------------------------------------------------------------- exchange

# certificates FILE USAGE: FILE holds one or two of them, and nothing else: valid, for that use, no authority's. Each ends
# with its line afterwards: others are put behind it.
certificates() {
    [ "$(wc -c <"$1")" -le "$longest" ] || return 1
    awk -v out="$1." '
        $0 == "-----BEGIN CERTIFICATE-----" { if (inside) exit bad = 1; inside = 1; n++; if (n > 2) exit bad = 1 }
        !inside { exit bad = 1 }
        { print >(out n) }
        $0 == "-----END CERTIFICATE-----" { inside = 0; close(out n) }
        END { exit bad || inside || n == 0 }' "$1" || return 1
    for n in 1 2; do
        [ -e "$1.$n" ] || continue
        openssl x509 -in "$1.$n" -noout -checkend 0 >/dev/null 2>&1 && has_begun "$1.$n" || return 1
        openssl x509 -in "$1.$n" -noout -text 2>/dev/null | awk -v usage="$2" '
            prev ~ /X509v3 Extended Key Usage: critical/ { sub(/^ +/, ""); sub(/ +$/, ""); if ($0 == usage) use = 1 }
            prev ~ /X509v3 Basic Constraints: critical/ && /CA:FALSE/ { leaf = 1 }
            { prev = $0 }
            END { exit !(use && leaf) }' || return 1
    done
    { cat "$1.1" && { [ ! -e "$1.2" ] || cat "$1.2"; }; } >"$1.whole" && mv -fT "$1.whole" "$1"
}

hand_out() { # NAME: what the others are to know of this machine
    cat "$nrpe/$1.pem" || return 1
    if [ -e "$nrpe/$1.next.pem" ]; then cat "$nrpe/$1.next.pem"; fi
}

ask() { # WHAT FQDN ADDRESS…: $work/answer to $work/mine
    asked=$1
    of=$2
    shift 2
    if is_here "$of"; then
        runuser -u "$account" -- env SSH_ORIGINAL_COMMAND="$asked" /bin/sh "$0" accept "$of" <"$work/mine" >"$work/answer" 2>"$work/error"
        return
    fi
    identities=
    for key in /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ecdsa_key /etc/ssh/ssh_host_rsa_key; do
        [ ! -r "$key" ] || identities="$identities -i $key"
    done
    [ -n "$identities" ] || { echo "this machine has no SSH host key" >"$work/error"; return 1; }
    # Nothing of this machine's or root's own configuration of ssh counts: -F. Names need not resolve.
    for address in "$@" "$of"; do
        # shellcheck disable=SC2086 # options
        timeout 60 ssh -F /dev/null -T $identities -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 \
            -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/etc/ssh/ssh_known_hosts2 \
            -o HostKeyAlias="$of" -o CheckHostIP=no -o PreferredAuthentications=publickey -o LogLevel=ERROR \
            "$account@$address" "$asked" <"$work/mine" >"$work/answer" 2>"$work/error" && return 0
    done
    return 1
}

exchange() {
    keys
    work=$(mktemp -d) || die "there is no room for temporary files"
    trap 'rm -rf "$work"' EXIT
    hand_out agent >"$work/mine" || die "cannot write to $work"
    missing=
    while read -r of addresses; do
        rm -f "$work"/answer "$work/answer.1" "$work/answer.2"
        # shellcheck disable=SC2086 # addresses have no blanks
        if ! ask certificates "$of" $addresses; then
            warn "$of does not exchange certificates: $(tail -n 1 "$work/error")"
            missing=yes
        elif ! certificates "$work/answer" "TLS Web Client Authentication"; then
            warn "$of answers with something that is no certificate for asking"
            missing=yes
        elif ! cmp -s "$work/answer" "$nrpe/monitors/$of.pem"; then
            write_atomically "$nrpe/monitors/$of.pem" <"$work/answer" || die "cannot write to $nrpe/monitors"
            echo "@PREFIX@-agent: $of may ask this machine from now on"
        fi
    done <"$share/agent/monitors"
    changed=
    collect
    [ -z "$missing" ]
}

report() { # ROLE/CHECK STATUS TEXT
    case $1 in
    */*/* | *[!a-z0-9/-]* | /* | */) die "\"$1\" is no ROLE/CHECK" ;;
    */*) ;;
    *) die "\"$1\" is no ROLE/CHECK" ;;
    esac
    case $2 in [0123]) ;; *) die "the status is 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN" ;; esac
    [ "$(id -u)" = 0 ] || die "this needs root: the machine's host key tells who reports"
    work=$(mktemp -d) || die "there is no room for temporary files"
    trap 'rm -rf "$work"' EXIT
    { printf '%s %s ' "$1" "$2"; printf '%.1000s' "$3" | tr '\n\t' '  ' | tr -d '\000-\037\177'; echo; } >"$work/mine"
    taken=
    while read -r of addresses; do
        # shellcheck disable=SC2086 # addresses have no blanks
        if ask report "$of" $addresses; then taken=yes; else warn "$of does not take the report: $(tail -n 1 "$work/error")"; fi
    done <"$share/agent/monitors"
    [ -n "$taken" ]
}

accept() { # FQDN
    case ${SSH_ORIGINAL_COMMAND-} in
    certificates) accept_certificates "$1" ;;
    report) accept_report "$1" ;;
    *) die "there is nothing else to be had here" ;;
    esac
}

accept_certificates() { # FQDN
    work=$(mktemp -d) || die "there is no room for temporary files"
    trap 'rm -rf "$work"' EXIT
    timeout 30 head -c $((longest + 1)) >"$work/theirs" || die "nothing came"
    certificates "$work/theirs" "TLS Web Server Authentication" || die "what $1 sent is no certificate for serving"
    if ! cmp -s "$work/theirs" "$nrpe/hosts/$1.pem"; then
        write_atomically "$nrpe/hosts/$1.pem" <"$work/theirs" || die "cannot write to $nrpe/hosts"
        ! command -v logger >/dev/null || logger -t @PREFIX@-agent "a certificate of $1 has come" || :
    fi
    hand_out client
}

# Of the machine that showed its host key, whatever it says; Nagios itself knows which of its checks are passive.
accept_report() { # FQDN
    line=$(timeout 30 head -c 2000 | LC_ALL=C tr -d '\000-\011\013-\037\177' | head -n 1)
    of=${line%% *}
    rest=${line#* }
    result=${rest%% *}
    case $of in *[!a-z0-9/-]* | */*/*) die "this is no report" ;; ?*/?*) ;; *) die "this is no report" ;; esac
    case $result in [0123]) ;; *) die "this is no report" ;; esac
    commands=/var/lib/nagios4/rw/nagios.cmd
    [ -p "$commands" ] || die "Nagios does not run"
    # One write of less than PIPE_BUF is not torn. Without a reader it would wait for ever.
    # shellcheck disable=SC2016 # that shell's own
    timeout 20 sh -c 'printf "%s\n" "$2" >"$1"' sh "$commands" \
        "[$(date +%s)] PROCESS_SERVICE_CHECK_RESULT;$1;${of%/*}: ${of#*/};$result;${rest#* }" || die "Nagios does not take it"
}

# ---------------------------------------------------------------------------------------------------------------- status

# $facts/updates: "time N", "error TEXT", "since N" (since when there is one), "update NAME VERSION", of security updates.
status() {
    mkdir -p "$facts" || die "cannot make $facts"
    work=$(mktemp -d) || die "there is no room for temporary files"
    trap 'rm -rf "$work"' EXIT
    time=$(date +%s)
    {
        echo "time $time"
        # Those on hold count, too: their holes are open.
        if apt-get -qq -s --ignore-hold dist-upgrade >"$work/apt" 2>"$work/error" </dev/null; then
            # "Inst NAME [OLD] (NEW Debian-Security:12/stable-security [amd64])"
            awk '$1 == "Inst" && $0 ~ /\([^)]*Debian-Security:/ {
                name = $2; sub(/^[^(]*\(/, ""); print "update", name, $1 }' "$work/apt" | sort >"$work/updates"
            if [ -s "$work/updates" ]; then
                # Since when the oldest of them has been known: an update that comes meanwhile is no excuse for it.
                awk -v time="$time" -v old="$facts/updates.since" '
                    FILENAME == old { since[$1 " " $2] = $3; next }
                    { k = $2 " " $3; print $2, $3, (k in since ? since[k] : time) }' \
                    "$([ -e "$facts/updates.since" ] && echo "$facts/updates.since" || echo /dev/null)" "$work/updates" >"$work/since"
                echo "since $(awk 'NR == 1 || $3 < oldest { oldest = $3 } END { print oldest }' "$work/since")"
                cat "$work/updates"
            fi
        else
            echo "error apt-get can't tell: $(grep -m 1 '^E:' "$work/error" || tail -n 1 "$work/error")"
        fi
    } >"$work/facts" || die "cannot write to $work"
    if [ -s "$work/since" ]; then
        write_atomically "$facts/updates.since" <"$work/since" || die "cannot write to $facts"
    elif ! grep -q '^error ' "$work/facts"; then
        rm -f "$facts/updates.since"
    fi
    write_atomically "$facts/updates" <"$work/facts" || die "cannot write to $facts"
}

set -f
case $#.${1-} in
1.keys) keys ;;
1.exchange) exchange ;;
1.status) status ;;
4.report) report "$2" "$3" "$4" ;;
2.accept) accept "$2" ;;
*)
    echo "usage: ${0##*/} keys|exchange|status|report ROLE/CHECK STATUS TEXT|accept FQDN" >&2
    exit 2
    ;;
esac
