# ------------------------------------------------------------------------------------------------------------- sessions

# What of somebody would run again by itself. It is kept for root, because it is work.
sub take_jobs {
    my ($leave) = @_;
    my %name = map { $leave->{$_} => $_ } keys %$leave;
    my $keep = sub {
        my ($path, $name, $as) = @_;
        attempt($name, sub {
            told("$name: $path is taken away");
            return if $dry;
            mkdir $_, 0700 for '/var/backups/@PREFIX@', $backups, "$backups/$name";
            run('mv', '-fT', '--', $path, "$backups/$name/$as") == 0 or die "can't move $path to $backups\n";
        });
    };
    for my $one (grep { $name{$_} } names('/var/lib/systemd/linger')) {
        attempt($one, sub { told("$one: lingering ends"); $dry || unlink "/var/lib/systemd/linger/$one" or die "can't remove /var/lib/systemd/linger/$one: $!" });
    }
    my $crontabs = '/var/spool/cron/crontabs';
    $keep->("$crontabs/$_", $_, 'crontab') for grep { $name{$_} } names($crontabs);
    my $at = '/var/spool/cron/atjobs';
    for my $job (names($at)) {
        my @is = lstat "$at/$job";
        next unless @is && S_ISREG($is[2]) && defined $leave->{ $is[4] };
        $keep->("$at/$job", $leave->{ $is[4] }, "at.$job");
    }
}

# processes UID → NAME: pid → uid of every process that is of these people's. By number; by what they were when they
# logged in (loginuid), by the slice that logind put the session in: both stay with `sudo -i`; and all that such a
# process has started. sshd's own process of a session has no child of theirs while nothing runs in it.
sub processes {
    my ($of) = @_;
    my (%mine, %children);
    my %named = map { $of->{$_} => $_ } keys %$of;
    # In a container all processes may have the number of whoever started it.
    my $all = slurp('/proc/1/loginuid') // '';
    for my $pid (grep { /^\d+$/ && $_ > 1 } names('/proc')) {
        my $status = slurp("/proc/$pid/status");
        next unless defined $status && $status =~ /^State:\s*[^ZX\s]/m;
        my ($parent) = $status =~ /^PPid:\s*(\d+)/m;
        push @{ $children{$parent} }, $pid if defined $parent;
        my ($ids) = $status =~ /^Uid:\s*(.*)/m;
        my @ids = split ' ', $ids // '';
        my $login = slurp("/proc/$pid/loginuid") // '';
        push @ids, $login if $login ne $all;
        push @ids, $1 if (slurp("/proc/$pid/cgroup") // '') =~ m{/user-(\d+)\.slice};
        if ($status =~ /^Name:\s*sshd/m && (slurp("/proc/$pid/cmdline") // '') =~ /^sshd(?:-session)?: ([a-z][a-z0-9-]*)(?:@|\s|\0|\[|\z)/) {
            push @ids, $named{$1} if defined $named{$1};
        }
        my ($uid) = grep { defined $of->{$_} } @ids;
        $mine{$pid} = $uid if defined $uid;
    }
    my @todo = keys %mine;
    while (defined(my $pid = shift @todo)) {
        for my $child (grep { !defined $mine{$_} } @{ $children{$pid} || [] }) { $mine{$child} = $mine{$pid}; push @todo, $child }
    }
    return \%mine;
}

# Ourselves and whoever called us: somebody may retire themselves with a dpkg run of their own, which is to end well.
sub callers {
    my %callers;
    my $pid = $$;
    while ($pid && !$callers{$pid}) {
        $callers{$pid} = 1;
        ($pid) = (slurp("/proc/$pid/status") // '') =~ /^PPid:\s*(\d+)/m;
    }
    return \%callers;
}

sub end_sessions {
    my ($leave) = @_;
    my $callers = callers();
    my %told;
    my $until = time + $kill_seconds;
    while (1) {
        my $all = processes($leave);
        my %held = map { $leave->{ $all->{$_} } => 1 } grep { $callers->{$_} } keys %$all;
        my @pids = grep { !$callers->{$_} } sort { $a <=> $b } keys %$all;
        for my $name (map { $leave->{ $all->{$_} } } @pids) { told("$name: sessions and processes are ended") unless $told{$name}++ }
        return if $dry;
        if (!@pids) {
            mark($_, 'this run was started from a session of theirs: the next one ends it') for sort keys %held;
            last;
        }
        # None may start another while the others die.
        kill STOP => @pids;
        kill KILL => @pids;
        if (time > $until) {
            my %left = map { $leave->{ $all->{$_} } => 1 } @pids;
            for my $name (sort keys %left) { mark($name, 'processes do not end: ' . join ' ', grep { $leave->{ $all->{$_} } eq $name } @pids) }
            last;
        }
        select undef, undef, undef, 0.02;
    }
}
