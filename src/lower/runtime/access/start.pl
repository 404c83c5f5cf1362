#!/usr/bin/perl
# Accounts, keys and memberships of people on this machine: makes them what the installed packages say, and takes them
# out of use. Called by @PREFIX@-runtime(8), whose manual says what it touches. Needs perl-base only.
#
#   access [--dry-run] [--before] [--withdraw]
#
# --before: the sudoers rules are not in place yet, the caller comes again; exit status 3: the guard refused.
# --withdraw: as if no package were there. Exit status 1: there are marks.
#
# One run, in the order of this file's parts:
#   data       members, grants and people of the packages, or of what a refresh has fetched ahead of dpkg
#   between    what counts on while somebody has taken a package apart and is not done
#   decide     who is to have an account, whose is to go, what is in the way; the guard
#   keys       taken away first
#   database   passwd, shadow, group, gshadow: one edit under the system's lock, whole files by rename
#   sessions   lingering, cron and at jobs, processes of who has no access
#   homes      made, renamed, given to their new number, archived
# Everything is worked out anew from the machine itself, so a run that was killed anywhere is completed by the next.
# What is wrong with one person or group is a mark and stops nobody else.
use strict;
use warnings;
use Errno qw(ENOENT EEXIST);
use Fcntl qw(:flock :mode F_GETLK F_SETLK F_WRLCK F_UNLCK SEEK_SET O_WRONLY O_CREAT O_EXCL O_NOFOLLOW);
use POSIX ();

my $share = '/usr/share/@PREFIX@';
my $state = '/var/lib/@PREFIX@/access';          # 0700
my $mark_file = '/var/lib/@PREFIX@/marks/access';
my $backups = '/var/backups/@PREFIX@/access';    # jobs of who has left
my $archives = '/var/backups/@PREFIX@-homes';    # stays when the runtime goes: it is people's
my $keys = '/etc/ssh/@PREFIX@-keys';             # as in @PREFIX@-access's sshd.conf
my $people_group = '@PREFIX@-people';            # everybody whose account is or was ours
my $lock_seconds = 120;                          # how long we wait for another run,
my $database_seconds = 20;                       # and for whoever edits passwd
my $kill_seconds = 15;                           # and for processes to end
my $between_seconds = 3600;                      # the longest that grants count on while somebody is at dpkg
my $nologin = '/usr/sbin/nologin';

$ENV{PATH} = '/usr/sbin:/usr/bin:/sbin:/bin';
$ENV{LC_ALL} = 'C';
delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};
umask 022;
$| = 1;

my ($dry, $before, $withdraw) = (0, 0, 0);
for my $argument (@ARGV) {
    if ($argument eq '--dry-run') { $dry = 1 }
    elsif ($argument eq '--before') { $before = 1 }
    elsif ($argument eq '--withdraw') { $withdraw = 1 }
    else { print STDERR "Usage: access [--dry-run] [--before] [--withdraw]\n"; exit 2 }
}

my $flock = 's s x![q] q q i x![q]'; # struct flock, with 64 bit offsets: type, whence, start, length, process

my $now = time;
my $today = int($now / 86400); # days since 1970, UTC, as in shadow(5)
my %marks;                     # "WHO: TEXT" → 1
my $did = 0;

sub told { my ($text) = @_; $did++; print '@PREFIX@-runtime: access: ', ($dry ? 'would: ' : ''), "$text\n" }
sub mark { my ($who, $text) = @_; $text =~ s/\s+/ /g; $text =~ s/( at \S+ line \d+\.)? ?$//; $marks{"$who: $text"} = 1 }

# attempt WHO, CODE: what goes wrong with one is a mark, and the others go on. True if it succeeded.
sub attempt {
    my ($who, $code) = @_;
    return 1 if eval { $code->(); 1 };
    mark($who, $@);
    return 0;
}

# None where it is not there, or no file.
sub slurp {
    my ($path) = @_;
    return undef if -d $path || -p $path;
    open my $in, '<', $path or return undef;
    local $/;
    my $text = <$in>;
    close $in;
    return defined $text ? $text : '';
}

# The names in a directory; none where it is not there.
sub names {
    my ($path) = @_;
    opendir my $dir, $path or return ();
    my @names = grep { !/^\.\.?$/ } readdir $dir;
    closedir $dir;
    return sort @names;
}

# replace PATH, TEXT, MODE, TEMPORARY [, UID, GID]: the whole file by one rename.
sub replace {
    my ($path, $text, $mode, $new, $uid, $gid) = @_;
    unlink $new;
    sysopen my $out, $new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "can't write $new: $!";
    my $written = print {$out} $text;
    $written &&= chown $uid, $gid, $out if defined $uid;
    $written &&= chmod $mode, $out;
    $written &&= $out->flush && ($path =~ m{^\Q$keys\E/} || $out->sync);
    $written = close($out) && $written;
    if (!$written || !rename $new, $path) { my $why = $!; unlink $new; die "can't write $path: $why" }
}

# run COMMAND…: its exit status; nothing on its standard input, what it says goes where ours goes.
sub run {
    my $pid = fork;
    die "can't fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        exec { $_[0] } @_ or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $?;
}

# said COMMAND…: (its exit status, what it said on both)
sub said {
    my $pid = open my $from, '-|';
    die "can't fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec { $_[0] } @_ or POSIX::_exit(127);
    }
    local $/;
    my $text = <$from>;
    close $from;
    return ($?, defined $text ? $text : '');
}

my $lock;

sub lock_run {
    mkdir '/run/@PREFIX@', 0700;
    open $lock, '>', '/run/@PREFIX@/access.lock' or die "can't open /run/@PREFIX@/access.lock: $!\n";
    for (my $waited = 0; !flock $lock, LOCK_EX | LOCK_NB; $waited++) {
        die "another run has not ended in $lock_seconds seconds\n" if $waited >= $lock_seconds;
        sleep 1;
    }
}

sub unlock_run { close $lock }
