# ------------------------------------------------------------------------------------------------------ system accounts

# make_accounts: the accounts that active packages' software needs, before anything is to be owned by one. What is there
# is left as it is, whoever made it. One getent for all; systemd-sysusers only where one is missing.
make_accounts() {
    awk '$1 == "account" { print $2, $3, $4 }' "$w/desired" >"$w/sysusers" || die "cannot write to $w"
    [ -s "$w/sysusers" ] || return 0
    # shellcheck disable=SC2046 # names of accounts have no blanks
    getent passwd $(awk '{ print $1 }' "$w/sysusers") >"$w/passwd"
    awk -F: -v passwd="$w/passwd" '
        FILENAME == passwd { there[$1] = 1; next }
        { split($0, f, " "); if (!(f[1] in there) && !(f[2] in told)) { told[f[2]] = 1; print f[2], f[3] } }' \
        "$w/passwd" "$w/sysusers" >"$w/sysusers.missing" || die "cannot write to $w"
    while read -r file pkg; do
        say "making the accounts of $file"
        systemd-sysusers "$file" >"$w/log.sysusers" 2>&1 </dev/null || {
            mark "$pkg" "account: systemd-sysusers $file failed: $(tail -n 1 "$w/log.sysusers")"
            set_aside "$pkg"
        }
    done <"$w/sysusers.missing"
}
