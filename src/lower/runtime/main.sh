# ---------------------------------------------------------------------------------------------------------- the command

usage() {
    cat >&2 <<END
Usage: @PREFIX@-runtime apply                     make this machine what its packages say
       @PREFIX@-runtime withdraw PACKAGE...|--all  take back what they put here
       @PREFIX@-runtime verify [--json|--quiet|--record]
                                            what has changed since; exit status 1 if anything
       @PREFIX@-runtime hold PATH|all --until TIME --reason TEXT
                                            leave it alone until then
       @PREFIX@-runtime release PATH|all          end a hold, or all
       @PREFIX@-runtime owner PATH...             which package manages a path
       @PREFIX@-runtime status                    what is applied, the marks, and how refreshes went; exit
                                             status 1 if there are marks
       @PREFIX@-runtime refresh [--keyring|--all] [--wait SECONDS]
                                             upgrade what this machine has of our archive, and nothing else
       @PREFIX@-runtime access [--dry-run]        make accounts, keys and groups of people what the packages say
       @PREFIX@-runtime web-login [--new] [NAME]  your login for the web pages of this monitoring server
       @PREFIX@-runtime secrets                   decrypt the secrets of services, as when the machine starts
END
    exit 2
}

attempts=0
in_place=
copied=
setup_ran=
second=
withdrawing=
all_count= # packages count whatever dpkg is doing with them
reload_needed=
hopeless=
name=
set -f # no path of ours has a character that a shell would expand; nothing else is to be
verb=${1-}
[ $# -eq 0 ] || shift
case $verb in
apply) [ $# -eq 0 ] || usage; apply ;;
withdraw) [ $# -gt 0 ] || usage; withdraw "$@" ;;
verify)
    case $#.${1-} in
    0.) verify ;;
    1.--json) verify json ;;
    1.--quiet) verify >/dev/null ;;
    1.--record) record_drift ;;
    *) usage ;;
    esac
    ;;
hold) hold "$@" ;;
release) release "$@" ;;
owner) owner "$@" ;;
status) status ;;
refresh) refresh "$@" ;;
access) access "$@" ;;
web-login) web_login "$@" ;;
secrets) [ $# -eq 0 ] || usage; decrypt_at_boot ;;
view-secrets) view_secrets && run_validators ;; # by ourselves, in a mount namespace
view) view ;; # by ourselves, in a mount namespace
-h | --help) (usage) 2>&1 || exit 0 ;;
*) usage ;;
esac
