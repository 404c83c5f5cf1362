#!/usr/bin/perl
# @PREFIX@-backup-server: what a backup server does with the backups that it keeps. @PREFIX@-backup-server(8) tells how it
# is used. perl-base alone, as every Debian has it.
#
# It goes by what it sees itself: when a backup arrived is when its file appeared here, and how large it is is what would be
# restored. What machines say of themselves counts for nothing but their own backups' names.
use strict;
use warnings;
use Fcntl qw(:flock);

$ENV{PATH}   = '/usr/sbin:/usr/bin:/sbin:/bin';
$ENV{LC_ALL} = 'C';
$|           = 1;
umask 0022;

my $share   = '/usr/share/@PREFIX@';
my $data    = "$share/backup-server";
my $state   = '/var/lib/@PREFIX@-backup-server';
my $account = '@PREFIX@-backup';
my $hostkey = '/etc/ssh/ssh_host_ed25519_key';
my $DAY     = 86_400;
# A sample of each job is restored so often.
my $SAMPLE = 30 * $DAY;
# So many samples at most in one run of the watch, so that it ends.
my $SAMPLES = 5;
my $name    = qr/[a-z0-9][a-z0-9.-]*/;
my $job     = qr/[a-z0-9][a-z0-9_-]*/;

sub say_ { print '@PREFIX@-backup-server: ', @_, "\n" }
sub complain { print STDERR '@PREFIX@-backup-server: ', @_, "\n" }
sub stop { complain(@_); exit 1 }

sub usage {
    print STDERR <<'TEXT';
usage: @PREFIX@-backup-server watch
       @PREFIX@-backup-server list [--records] [FQDN]
       @PREFIX@-backup-server restore FQDN JOB [--snapshot ID] [--path PATH] [--to DIRECTORY]
       @PREFIX@-backup-server sample FQDN
       @PREFIX@-backup-server clear FQDN
       @PREFIX@-backup-server renew FQDN
TEXT
    exit 2;
}

# ----------------------------------------------------------------------------------------------------------------- files

sub lines {    # of a file; none where it is not there
    my ($file) = @_;
    open my $in, '<', $file or return;
    my @lines = <$in>;
    close $in;
    chomp @lines;
    return @lines;
}

sub put {      # the whole file, or the old one
    my ($file, @lines) = @_;
    open my $out, '>', "$file.new" or stop("can't write $file.new: $!");
    (print $out map { "$_\n" } @lines) && close $out && rename "$file.new", $file or stop("can't write $file: $!");
}

my ($directory, $keep_left);
for (map { lines($_) } glob("$share/roles/*/backup-server $share/hosts/*/backup-server")) {
    $directory //= $1 if m{^directory (/\S+)$};
    $keep_left //= $1 if /^keep-left (\d+)$/;
}

# Who is to be here, as the packages say: client → job → what is asked of it.
my %expected;

sub read_expected {
    my @lines = lines("$data/expected");
    stop("$data/expected can't be read, or is of a newer kind") unless @lines && $lines[0] eq 'debrole-backup 1';
    for (@lines) {
        $expected{$1} //= {} if /^client ($name)$/;
        my ($client, $which, $keep) = /^job ($name) ($job) \d+ \d+ \d+ (\d+ \d+ \d+ \d+)$/ or next;
        my %keep;
        @keep{qw(all daily weekly monthly)} = split / /, $keep;
        $expected{$client}{$which} = \%keep;
    }
}

# What was seen of a client: its snapshots, by their ids. `going`: they are being removed by ourselves.
sub seen {
    my ($client) = @_;
    my %seen;
    for (lines("$state/seen/$client")) {
        my ($id, $which, $arrived, $size, $going) = /^snapshot ([0-9a-f]{64}) (\S+) (\d+) (\d+)( going)?$/ or next;
        $seen{$id} = { id => $id, job => $which, arrived => $arrived, size => $size, going => $going ? 1 : 0 };
    }
    return \%seen;
}

sub keep_seen {
    my ($client, $seen) = @_;
    put("$state/seen/$client", map { "snapshot $_->{id} $_->{job} $_->{arrived} $_->{size}" . ($_->{going} ? ' going' : '') }
          sort { $a->{arrived} <=> $b->{arrived} || $a->{id} cmp $b->{id} } values %$seen);
}

# ------------------------------------------------------------------------------------------------------------- processes

my ($uid, $gid) = (getpwnam $account)[2, 3];

# Runs as the account whose the backups are, never as root; its output, and whether it succeeded. `input`: on its standard
# input. `shown`: its output is ours.
sub run {
    my (%how) = @_;
    my @command = @{ $how{command} };
    unshift @command, 'setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups', '--' unless $how{root};
    pipe my $from_command, my $to_us or stop("pipe: $!");
    pipe my $from_us, my $to_command or stop("pipe: $!");
    my $pid = fork // stop("fork: $!");
    if (!$pid) {
        close $from_command;
        close $to_command;
        open STDIN, '<&', $from_us or exit 126;
        $how{shown} or open STDOUT, '>&', $to_us or exit 126;
        if ($how{errors}) { open STDERR, '>', $how{errors} or exit 126 }
        $ENV{RESTIC_PASSWORD} = $how{password} if defined $how{password};
        $ENV{HOME}            = '/';
        chdir($how{directory} // '/') or exit 126;
        exec @command or exit 127;
    }
    close $to_us;
    close $from_us;
    local $SIG{PIPE} = 'IGNORE';
    print $to_command $how{input} if defined $how{input};
    close $to_command;
    my $output = do { local $/; <$from_command> } // '';
    close $from_command;
    waitpid $pid, 0;
    return ($output, $? == 0);
}

# What was said last on its standard error.
my $errors = '/run/@PREFIX@-backup-server.errors';

sub last_error {
    my @said = grep { /\S/ } lines($errors);
    my $said = $said[-1] // 'it said nothing';
    $said =~ s/[^ -~]/?/g;
    return substr $said, 0, 200;
}

sub home { "$directory/$_[0]" }

# The password of a client's repository, by our own host key.
sub password {
    my ($client) = @_;
    my $file = home($client) . '/key.age';
    return unless -e $file;
    # What is in the directory is not root's: a link in it is not followed.
    return if -l $file;
    my ($password, $good) = run(root => 1, command => ['age', '-d', '-i', $hostkey, $file], errors => $errors);
    chomp $password;
    return $good && length $password ? $password : undef;
}

# The key that was there first. A machine may add others, of no use: restic would try twenty of them, and give up.
sub first_key {
    my ($client) = @_;
    opendir my $files, home($client) . '/repo/keys' or return;
    my %when = map { $_ => (lstat home($client) . "/repo/keys/$_")[9] // 0 } grep { /^[0-9a-f]{64}\z/ } readdir $files;
    my ($first) = sort { $when{$a} <=> $when{$b} || $a cmp $b } keys %when;
    return defined $first ? ('--key-hint', $first) : ();
}

sub restic {
    my ($client, $password, $command, %more) = @_;
    return run(
        command  => ['restic', '--repo', home($client) . '/repo', first_key($client), '--no-cache', '--quiet', @$command],
        password => $password,
        errors   => $errors,
        %more
    );
}

# The client's own lock: `shared` is what its sessions have.
sub locked {
    my ($client, $seconds) = @_;
    my $file = home($client) . '/lock';
    return if -l $file;
    open my $lock, '>>', $file or return;
    chown $uid, $gid, $file;
    for (0 .. $seconds) {
        return $lock if flock $lock, LOCK_EX | LOCK_NB;
        sleep 1 if $_ < $seconds;
    }
    return;
}

# ------------------------------------------------------------------------------------------------------------------ JSON

# RFC 8259, as restic writes it.
sub json {
    my ($text) = @_;
    my $value = eval { value(\$text) };
    return $value;
}

my %ESCAPES = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f");

sub value {
    my ($text) = @_;
    $$text =~ /\G\s*/gc;
    if ($$text =~ /\G\{\s*/gc) {
        my %object;
        until ($$text =~ /\G\s*\}/gc) {
            $$text =~ /\G\s*,\s*/gc;
            my $key = value($text);
            $$text =~ /\G\s*:/gc or die;
            $object{$key} = value($text);
        }
        return \%object;
    }
    if ($$text =~ /\G\[\s*/gc) {
        my @list;
        until ($$text =~ /\G\s*\]/gc) {
            $$text =~ /\G\s*,\s*/gc;
            push @list, value($text);
        }
        return \@list;
    }
    if ($$text =~ /\G"((?:[^"\\]|\\.)*)"/gcs) {
        my $string = $1;
        $string =~ s/\\(u([0-9a-fA-F]{4})|.)/$2 ? do { my $c = chr hex $2; utf8::encode($c); $c } : $ESCAPES{$1} \/\/ $1/ges;
        return $string;
    }
    return $1    if $$text =~ /\G(-?[0-9][0-9.eE+-]*)/gc;
    return 1     if $$text =~ /\Gtrue/gc;
    return 0     if $$text =~ /\Gfalse/gc;
    return undef if $$text =~ /\Gnull/gc;
    die;
}

# ----------------------------------------------------------------------------------------------------------------- watch

my $now = time;

# What of a job's snapshots is to be kept. The newest is, however old: nothing goes because nothing comes. Of a day, a week
# or a month the last one stands for all of them, by when they arrived: whoever takes a machine over can add to the days to
# come, but has no hand in those that went by.
sub kept {
    my ($keep, @snapshots) = @_;
    @snapshots = sort { $b->{arrived} <=> $a->{arrived} || $b->{id} cmp $a->{id} } @snapshots;
    my (%kept, %last);
    for my $one (@snapshots) {
        my $age   = $snapshots[0]{arrived} - $one->{arrived};
        my @parts = gmtime $one->{arrived};
        my %period =
          (daily => int($one->{arrived} / $DAY), weekly => int($one->{arrived} / $DAY + 3) / 7, monthly => "$parts[5].$parts[4]");
        $period{weekly} = int $period{weekly};
        $kept{ $one->{id} } = 1 if $age <= $keep->{all};
        for my $which (keys %period) {
            next if defined $last{$which} && $last{$which} eq $period{$which};
            $last{$which} = $period{$which};
            $kept{ $one->{id} } = 1 if $age <= $keep->{$which};
        }
    }
    return \%kept;
}

# The snapshots that are in a client's repository now: id → when it arrived.
sub present {
    my ($client) = @_;
    my %present;
    opendir my $files, home($client) . '/repo/snapshots' or return \%present;
    for my $id (grep { /^[0-9a-f]{64}\z/ } readdir $files) {
        my $when = (lstat home($client) . "/repo/snapshots/$id")[9] or next;
        $present{$id} = $when < $now ? $when : $now;
    }
    return \%present;
}

sub whole {
    my ($file) = @_;
    my ($said, $good) = run(command => ['sha256sum', $file], errors => $errors);
    return $good && substr($said, 0, 64) eq substr $file, -64;
}

sub alarm_ {    # is kept until somebody clears it
    my ($client, $text) = @_;
    my $file = "$state/alarms/$client";
    return if grep { $_ eq $text } lines($file);
    say_("$client: alarm: $text");
    put($file, lines($file), $text);
}

sub watch_client {
    my ($client, $left, $samples) = @_;
    my $jobs = $expected{$client} // {};
    my $seen = seen($client);
    my @now_wrong;
    my $refused = home($client) . '/refused';
    if (my @attempts = -l $refused ? () : lines($refused)) {
        my ($when, $what) = split / /, $attempts[-1], 2;
        push @now_wrong, sprintf('%s tried %d times to change what is here, last: %s', $client, scalar @attempts, $what // '?');
    }
    my $present = present($client);
    # What a full disk left of one is none: its name is its content's hash. The next session removes it.
    my @new = grep { !$seen->{$_} && whole(home($client) . "/repo/snapshots/$_") } sort keys %$present;
    for my $one (grep { !$present->{ $_->{id} } } values %$seen) {
        delete $seen->{ $one->{id} };
        alarm_($client, "the backup $one->{job} of " . day($one->{arrived}) . ' is gone, and it was not removed by this server')
          unless $one->{going};
    }
    keep_seen($client, $seen);
    my $password;
    if (%$present || @new) {
        $password = password($client);
        push @now_wrong, "this server can't decrypt the key of ${client}'s backups: " . last_error() unless defined $password;
    }
    if (@new && defined $password) {
        my ($text, $good) = restic($client, $password, ['snapshots', '--json', '--no-lock']);
        my $list = $good ? json($text) : undef;
        if (ref $list eq 'ARRAY') {
            my %tags = map { ($_->{id} // '') => $_->{tags} // [] } grep { ref eq 'HASH' } @$list;
            for my $id (@new) {
                next unless $tags{$id};
                my $which = $tags{$id}[0] // '-';
                $which = '-' unless $which =~ /^$job\z/;
                my ($sizes, $read) = restic($client, $password, ['stats', '--json', '--no-lock', '--mode', 'restore-size', $id]);
                my $size = $read ? json($sizes) : undef;
                if (ref $size ne 'HASH') {
                    push @now_wrong, "a backup of " . day($present->{$id}) . " can't be read: " . last_error();
                    next;
                }
                $seen->{$id} = { id => $id, job => $which, arrived => $present->{$id}, size => int($size->{total_size} // 0), going => 0 };
                keep_seen($client, $seen);
            }
        }
        else { push @now_wrong, "the repository of $client can't be read: " . last_error() }
    }
    my $restored = restored($client);
    if (defined $password) {
        remove_old($client, $password, $seen, $jobs, $left);
        keep_recipients($client, $password);
        for my $which (sort keys %$jobs) {
            last unless $$samples > 0;
            my @snapshots = of_job($seen, $which) or next;
            next if $restored->{$which} && $now - $restored->{$which}[0] < $SAMPLE && $restored->{$which}[1] eq '';
            # What failed is tried again, but not every ten minutes.
            next if $restored->{$which} && $now - $restored->{$which}[0] < $DAY;
            $$samples--;
            sample($client, $password, $which, $snapshots[-1], $restored);
        }
    }
    status($client, $jobs, $seen, $restored, @now_wrong);
}

sub of_job {    # oldest first
    my ($seen, $which) = @_;
    return sort { $a->{arrived} <=> $b->{arrived} || $a->{id} cmp $b->{id} } grep { $_->{job} eq $which } values %$seen;
}

sub status {
    my ($client, $jobs, $seen, $restored, @wrong) = @_;
    my @lines = ("time $now", map { "alarm $_" } lines("$state/alarms/$client"), @wrong);
    for my $which (sort keys %$jobs) {
        my @snapshots = of_job($seen, $which) or next;
        my $largest   = 0;
        for (@snapshots) { $largest = $_->{size} if $_->{size} > $largest && $_->{arrived} > $now - 14 * $DAY }
        my ($when, $failure) = @{ $restored->{$which} // [0, ''] };
        push @lines, join ' ', 'job', $which, scalar @snapshots, $snapshots[-1]{arrived}, $snapshots[-1]{size}, $largest, $when,
          $failure;
    }
    put("$state/status/$client", @lines);
}

# Removes what need not be kept, while no session of the client's is open. What is about to go is written down before.
sub remove_old {
    my ($client, $password, $seen, $jobs, $left) = @_;
    my @going = grep { $_->{going} } values %$seen;
    my %jobs  = map { $_->{job} => 1 } values %$seen;
    for my $which (keys %jobs) {
        my @snapshots = of_job($seen, $which);
        if ($jobs->{$which}) {
            my $kept = kept($jobs->{$which}, @snapshots);
            push @going, grep { !$kept->{ $_->{id} } && !$_->{going} } @snapshots;
        }
        elsif (my $since = $left->{"job $client $which"}) {
            push @going, grep { !$_->{going} } @snapshots if $now > $since + $keep_left;
        }
    }
    return unless @going;
    my $lock = locked($client, 60) or return;
    $_->{going} = 1 for @going;
    keep_seen($client, $seen);
    my @ids = map { $_->{id} } @going;
    # No session is open: whatever lock of restic's is there, nobody holds it.
    restic($client, $password, ['unlock', '--remove-all']);
    my (undef, $good) = restic($client, $password, ['forget', '--prune', '--max-unused', '10%', @ids]);
    if (!$good) { complain("$client: old backups could not be removed: " . last_error()); return }
    delete $seen->{$_} for @ids;
    keep_seen($client, $seen);
    say_("$client: removed " . scalar(@ids) . ' old backups');
}

# The key is for those who are to have it now.
sub keep_recipients {
    my ($client, $password) = @_;
    my ($digest) = split / /, (run(root => 1, command => ['sha256sum', "$data/recipients"]))[0];
    my $file = "$state/recipients/$client";
    return if ((lines($file))[0] // '') eq $digest;
    my ($encrypted, $good) =
      run(root => 1, command => ['age', '-R', "$data/recipients"], input => "$password\n", errors => $errors);
    if (!$good) { complain("$client: its key can't be encrypted anew: " . last_error()); return }
    my $home = home($client);
    (undef, $good) = run(
        command => ['sh', '-c', 'umask 077; cat >"$1/key.again" && sync "$1/key.again" && mv "$1/key.again" "$1/key.age"', 'sh', $home],
        input   => $encrypted
    );
    put($file, $digest) if $good;
}

# ---------------------------------------------------------------------------------------------------------------- sample

# job → when a sample was restored last, and what failed.
sub restored {
    my ($client) = @_;
    my %restored;
    for (lines("$state/restored/$client")) {
        $restored{$1} = [$2, $3 // ''] if /^($job) (\d+) ?(.*)$/;
    }
    return \%restored;
}

# Restores some files of the newest backup and looks whether they are what the backup says. Their content is told by their
# hashes, which restic looks at; so are one in fifty of all packs.
sub sample {
    my ($client, $password, $which, $snapshot, $restored) = @_;
    my $failure = try_sample($client, $password, $snapshot->{id});
    $restored->{$which} = [time, $failure];
    put("$state/restored/$client", map { "$_ " . join ' ', @{ $restored->{$_} } } sort keys %$restored);
    say_("$client: a sample of $which was restored") if $failure eq '';
    complain("$client: the restore of a sample of $which failed: $failure") if $failure ne '';
    return $failure eq '';
}

sub try_sample {
    my ($client, $password, $id) = @_;
    my $lock = locked($client, 60) or return 'the machine is sending a backup all the time';
    my (undef, $sound) = restic($client, $password, ['check', '--no-lock', '--read-data-subset=2%']);
    return last_error() unless $sound;
    my ($text, $good) = restic($client, $password, ['ls', '--json', '--no-lock', $id]);
    return last_error() unless $good;
    my (@files, @sample);
    for (split /\n/, $text) {
        my $node = json($_);
        next unless ref $node eq 'HASH' && ($node->{type} // '') eq 'file';
        my ($path, $size) = ($node->{path}, $node->{size} // 0);
        # In a pattern of restic these mean something.
        push @files, [$path, $size] if $size <= 64 << 20 && $path !~ /[*?\[\]\\\n\$]/;
    }
    my $room = 256 << 20;
    while (@files && @sample < 20) {
        my ($one) = splice @files, int rand @files, 1;
        next if $one->[1] > $room;
        $room -= $one->[1];
        push @sample, $one;
    }
    return '' unless @sample;
    my ($target, $made) = run(command => ['mktemp', '-d', "$directory/.sample.XXXXXXXX"], errors => $errors);
    return last_error() unless $made;
    chomp $target;
    (undef, $good) = restic($client, $password,
        ['restore', $id, '--no-lock', '--verify', '--target', $target, map { ('--include', $_->[0]) } @sample]);
    # It is not root, and so can give nothing to anybody: that is no fault of the backup.
    my @faults = grep { /\S/ && !/operation not permitted|There were \d+ errors/ } $good ? () : lines($errors);
    my $failure = @faults ? substr $faults[0] =~ s/[^ -~]/?/gr, 0, 200 : '';
    for my $one (@sample) {
        my $size = (lstat "$target$one->[0]")[7];
        if    (!defined $size)        { $failure ||= "$one->[0] is missing" }
        elsif ($size != $one->[1])    { $failure ||= "$one->[0] has $size bytes in the place of $one->[1]" }
    }
    run(command => ['sh', '-c', 'chmod -R u+rwx "$1"; rm -rf -- "$1"', 'sh', $target], errors => $errors);
    return $failure;
}

# ------------------------------------------------------------------------------------------------------------------ left

# Machines and jobs whose backups are here and who are expected no more: since when. In $state/left.
sub who_left {
    my ($there) = @_;
    my (%left, %before);
    for (lines("$state/left")) { $before{$1} = $2 if /^((?:host|job) \S.*) (\d+)$/ }
    for my $client (@$there) {
        if (!$expected{$client}) {
            $left{"host $client"} = $before{"host $client"} // $now;
            next;
        }
        for my $one (values %{ seen($client) }) {
            my $key = "job $client $one->{job}";
            $left{$key} = $before{$key} // $now unless $expected{$client}{ $one->{job} };
        }
    }
    put("$state/left", map { "$_ $left{$_}" } sort keys %left);
    for (sort keys %left) { say_("$_ has left the fleet: its backups are kept until " . day($left{$_} + $keep_left)) unless $before{$_} }
    return \%left;
}

sub remove_left {
    my ($client) = @_;
    my $home = home($client);
    say_("removing the backups of $client, which left the fleet");
    run(command => ['rm', '-rf', '--', $home]);
    unlink map { "$state/$_/$client" } qw(seen status alarms restored recipients);
}

sub day { my @time = gmtime $_[0]; return sprintf '%04d-%02d-%02d', $time[5] + 1900, $time[4] + 1, $time[3] }

sub moment {
    my @time = gmtime $_[0];
    return sprintf '%s %02d:%02d UTC', day($_[0]), $time[2], $time[1];
}

# -------------------------------------------------------------------------------------------------------------- commands

sub ready {
    stop('it is root\'s to call') if $>;
    stop('this machine keeps no backups: it has no role with [backup_server]') unless defined $directory;
    $keep_left //= 365 * $DAY;
    stop("there is no account $account: @PREFIX@-runtime apply makes it") unless defined $uid;
    stop("there is no $directory: @PREFIX@-runtime apply makes it") unless -d $directory;
    read_expected();
    for ('', qw(/seen /status /alarms /restored /recipients)) { mkdir "$state$_"; -d "$state$_" or stop("can't make $state$_: $!") }
}

sub there {    # the clients that have something here
    opendir my $entries, $directory or stop("can't read $directory: $!");
    return sort grep { /^$name\z/ && !-l "$directory/$_" && -d "$directory/$_" } readdir $entries;
}

sub watch {
    open my $lock, '>', '/run/@PREFIX@-backup-server.lock' or stop("can't lock: $!");
    exit 0 unless flock $lock, LOCK_EX | LOCK_NB;
    # An account without a password that is not locked: sshd lets it in by its keys, whatever PAM is set to.
    my $shadow = (getpwnam $account)[1] // '';
    run(root => 1, command => ['usermod', '-p', '*', $account]) if $shadow =~ /^!/;
    my @there = there();
    run(command => ['sh', '-c', 'rm -rf -- "$1"/.sample.*', 'sh', $directory]);
    my $left = who_left(\@there);
    my $samples = $SAMPLES;
    my %all = map { $_ => 1 } @there, keys %expected;
    for my $client (sort keys %all) {
        my $since = $left->{"host $client"};
        if ($since && $now > $since + $keep_left) { remove_left($client); next }
        if ($since) { unlink "$state/status/$client"; next }
        watch_client($client, $left, \$samples);
    }
}

sub client {    # one whose backups are here
    my ($client) = @_;
    usage() unless defined $client;
    stop("there are no backups of $client here") unless $client =~ /^$name$/ && -d home($client) && !-l home($client);
    return $client;
}

# What is known of each client, or of one: until when it is kept if it left (else undef), its snapshots, and the names of its
# jobs, each with the day until which it is kept if it is no job any more.
sub known {
    my ($only) = @_;
    client($only) if defined $only;
    my %left;
    for (lines("$state/left")) { $left{$1} = $2 + $keep_left if /^((?:host|job) \S.*) (\d+)$/ }
    my %all = map { $_ => 1 } there(), keys %expected;
    my @known;
    for my $client (defined $only ? $only : sort keys %all) {
        my $seen = seen($client);
        my %jobs = (%{ $expected{$client} // {} }, map { $_->{job} => 1 } values %$seen);
        push @known, { name => $client, until => $left{"host $client"}, seen => $seen, jobs => { map { $_ => $left{"job $client $_"} } keys %jobs } };
    }
    return @known;
}

sub refusals { return scalar @{ [lines(home($_[0]) . '/refused')] } }

sub list {
    for my $client (known(@_)) {
        print $client->{name}, $client->{until} ? ' (left the fleet; kept until ' . day($client->{until}) . ')' : '', "\n";
        for my $which (sort keys %{ $client->{jobs} }) {
            my $until = $client->{jobs}{$which};
            my @snapshots = of_job($client->{seen}, $which);
            print "  $which", $until ? ' (no job any more; kept until ' . day($until) . ')' : '', @snapshots ? "\n" : ": never backed up\n";
            print "    ", substr($_->{id}, 0, 8), '  ', moment($_->{arrived}), "  $_->{size} bytes\n" for @snapshots;
        }
        print "  alarm: $_\n" for lines("$state/alarms/$client->{name}");
        my $refused = refusals($client->{name});
        print "  refused: $refused attempts\n" if $refused;
    }
}

# The same for programs. A job's state is what monitoring hears of it; `left` is none that is expected.
sub records {
    print "debrole-backup-list 1\n";
    for my $client (known(@_)) {
        my $host = $client->{name};
        print join(' ', 'host', $host, $client->{until} // '-', refusals($host)), "\n";
        print "alarm $host $_\n" for lines("$state/alarms/$host");
        for my $which (sort keys %{ $client->{jobs} }) {
            my ($level, $said) = ('left', '');
            if ($expected{$host} && $expected{$host}{$which}) {
                my ($text) = run(root => 1, command => ['/usr/lib/@PREFIX@/check-backup', $host, $which]);
                ($level, $said) = $text =~ /^(OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]*)/ ? (lc $1, $2) : ('unknown', 'check-backup said nothing');
            }
            my $until = $client->{jobs}{$which} // $client->{until} // '-';
            print join(' ', 'job', $host, $which, $level, $until, $said), "\n";
            print join(' ', 'backup', $host, $which, @$_{qw(id arrived size)}), "\n" for of_job($client->{seen}, $which);
        }
    }
}

sub restore {
    my ($client, $which, @options) = @_;
    client($client);
    usage() unless defined $which && @options % 2 == 0;
    my %options = ('--snapshot' => '', '--path' => '/', @options);
    usage() if grep { !/^--(snapshot|path|to)$/ } keys %options;
    my @snapshots = of_job(seen($client), $which);
    my ($id) = map { $_->{id} } grep { index($_->{id}, $options{'--snapshot'}) == 0 } reverse @snapshots;
    stop("there is no such backup of $client for the job $which: @PREFIX@-backup-server list $client") unless $id;
    my $path = $options{'--path'};
    stop("a path begins with /") unless $path =~ m{^/};
    my $password = password($client) // stop("this server can't decrypt the key of ${client}'s backups: " . last_error());
    if (defined $options{'--to'}) {
        # As root, since owners are to be as they were.
        my (undef, $good) = restic($client, $password, ['restore', $id, '--no-lock', '--target', $options{'--to'}, '--include', $path], root => 1);
        stop('not restored: ' . last_error()) unless $good;
        return;
    }
    my ($text, $good) = restic($client, $password, ['ls', '--json', '--no-lock', $id, $path]);
    stop('the backup can\'t be read: ' . last_error()) unless $good;
    my ($node) = grep { ref eq 'HASH' && ($_->{path} // '') eq $path } map { json($_) } split /\n/, $text;
    stop("$path is not in this backup") unless $node || $path eq '/';
    stop('nothing is written to a terminal: give --to DIRECTORY, or let it go into a file or tar(1)') if -t STDOUT;
    if ($node && $node->{type} eq 'file') {
        print header($node);
        (undef, $good) = restic($client, $password, ['dump', '--no-lock', $id, $path], shown => 1);
        print "\0" x ((512 - $node->{size} % 512) % 512 + 1024);
    }
    else { (undef, $good) = restic($client, $password, ['dump', '--no-lock', '--archive', 'tar', $id, $path], shown => 1) }
    stop('not restored: ' . last_error()) unless $good;
}

# A header of tar for one file (POSIX.1-1988, ustar), which is what a directory comes as, too.
sub header {
    my ($node) = @_;
    (my $file = $node->{path}) =~ s{^.*/}{};
    stop('its name is too long for tar: restore the directory') if length $file > 100;
    stop('it is too large for tar: restore the directory') if $node->{size} >= 8**11;
    my $mode = ($node->{mode} // 0600) & 07777;
    my $header = pack 'a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12', $file, sprintf('%07o', $mode),
      sprintf('%07o', ($node->{uid} // 0) & 07777777), sprintf('%07o', ($node->{gid} // 0) & 07777777), sprintf('%011o', $node->{size}),
      sprintf('%011o', $now), '', '0', '', 'ustar', '00', '', '', '', '', '';
    substr($header, 148, 8) = sprintf "%06o\0 ", unpack '%32C*', $header;
    return $header;
}

sub clear {
    my ($client) = @_;
    client($client);
    my $refused = home($client) . '/refused';
    run(command => ['mv', '--', $refused, "$refused." . time]) if -e $refused;
    unlink "$state/alarms/$client";
    say_("$client: the alarm is cleared");
    watch();
}

# A machine that was installed anew makes itself another key: what is here of it goes aside, as of one that left.
sub renew {
    my ($client) = @_;
    client($client);
    my $lock = locked($client, 60) or stop("$client is sending a backup: try again later");
    my $aside = "$client.before-" . day($now) . '-' . $now;
    my (undef, $good) = run(command => ['mv', '--', home($client), home($aside)], errors => $errors);
    stop("can't put it aside: " . last_error()) unless $good;
    rename "$state/seen/$client", "$state/seen/$aside";
    unlink map { "$state/$_/$client" } qw(status alarms restored recipients);
    say_("the backups of $client are now those of $aside, kept until " . day($now + $keep_left));
}

my ($verb, @arguments) = @ARGV;
$verb //= '';
my %verbs = (watch => \&watch, list => \&list, restore => \&restore, clear => \&clear, renew => \&renew);
usage() unless $verbs{$verb} || $verb eq 'sample';
if ($verb eq 'list' && @arguments && $arguments[0] eq '--records') {
    shift @arguments;
    $verbs{list} = \&records;
}
usage() if $verb eq 'watch' && @arguments || $verb ne 'restore' && @arguments > 1;
ready();
if ($verb eq 'sample') {
    my $client = client($arguments[0]);
    my $password = password($client) // stop("this server can't decrypt the key of ${client}'s backups: " . last_error());
    my ($seen, $restored, $good) = (seen($client), restored($client), 1);
    for my $which (sort keys %{ $expected{$client} // {} }) {
        my @snapshots = of_job($seen, $which) or next;
        sample($client, $password, $which, $snapshots[-1], $restored) or $good = 0;
    }
    exit($good ? 0 : 1);
}
$verbs{$verb}->(@arguments);
