# ------------------------------------------------------------------------------------------------------------- between

# What a role or this machine's package lets people do counts on while somebody is at dpkg who has taken the package
# apart and may be about to put the same grant back: apt removes one role before it unpacks the one that replaces it, and
# unpacks the version that gives a grant away before the one that gets it. Who would be put out meanwhile would not get
# their sessions and jobs back. Only what roles and hosts grant: members, keys and last days count as they are, always.
#
# $state/between, a line each: NAME SECONDS    whose grants count on, and when that was seen first (since 1970, UTC)

sub read_between {
    my %since;
    for (split /\n/, slurp("$state/between") // '') { $since{$1} = $2 if /^(\S+) (\d+)$/ }
    return \%since;
}

sub write_between {
    my ($since) = @_;
    return if $dry;
    my $text = join '', map { "$_ $since->{$_}\n" } sort keys %$since;
    return if $text eq (slurp("$state/between") // '');
    if ($text eq '') { unlink "$state/between" or die "can't remove $state/between: $!" }
    else { replace("$state/between", $text, 0600, "$state/between.new") }
}

# Who holds the lock of dpkg's frontends: 0: a process that can't be seen from here; none: nobody, or whoever called us.
# dpkg calls us at the end of its run, when all is there.
sub at_dpkg {
    open my $file, '<', '/var/lib/dpkg/lock-frontend' or return undef;
    my $asked = pack $flock, F_WRLCK, SEEK_SET, 0, 0, 0;
    fcntl $file, F_GETLK, $asked or return undef;
    my ($type, undef, undef, undef, $pid) = unpack $flock, $asked;
    return undef if $type == F_UNLCK || callers()->{$pid};
    return $pid > 0 ? $pid : 0;
}

# Of these packages, those that dpkg has not installed completely: NAME → 1. None where it can't be asked.
sub taken_apart {
    my (@packages) = @_;
    my ($status, $list) = said('dpkg-query', '-W', '-f', '== ${Package} ${db:Status-Status}\n', @packages);
    return {} if $status && grep { !/^== |no packages found matching/ } split /\n/, $list;
    my %apart = map { $_ => 1 } @packages;
    for (split /\n/, $list) { delete $apart{$1} if /^== (\S+) (installed|triggers-awaited|triggers-pending)$/ }
    return \%apart;
}

# grants_that_count_on TEXTS, OLD: adds to the texts what was accepted last and is not in them between two steps of dpkg's.
sub grants_that_count_on {
    my ($texts, $old) = @_;
    my $before_ = read_between();
    my (%missing, %package, %since);
    for my $name (keys %$old) {
        next unless $name =~ m{^(roles|hosts)/([^/]+)/grants$} && ($1 eq 'roles' || is_this_machine($2));
        my ($head, @lines) = split /\n/, $old->{$name};
        my $text = $texts->{$name} // "$head\n";
        # One of a newer kind counts as it was before anyhow.
        next if $head ne 'debrole-grants 1' || $text !~ /^\Q$head\E\n/;
        my %there = map { $_ => 1 } split /\n/, $text;
        my @gone = grep { !$there{$_} } @lines;
        ($package{$name}) = map { /^package (\S+)$/ } @lines;
        $missing{$name} = join '', map { "$_\n" } @gone if @gone && defined $package{$name};
    }
    my $holder = %missing ? at_dpkg() : undef;
    if (defined $holder) {
        my $apart = taken_apart(map { $package{$_} } sort keys %missing);
        for my $name (grep { $apart->{ $package{$_} } } keys %missing) {
            my $first = $before_->{$name} // $now;
            $since{$name} = $first if $first <= $now && $now < $first + $between_seconds;
        }
    }
    # Without a note of when it began it would have no end.
    my $noted = attempt('runtime', sub { write_between(\%since) });
    return unless $noted && %since;
    my $who = $holder ? (slurp("/proc/$holder/comm") // 'process') =~ s/\s+\z//r . " (process $holder)" : 'somebody';
    for my $name (keys %since) {
        $texts->{$name} = ($texts->{$name} // "debrole-grants 1\n") . $missing{$name};
        mark($package{$name}, "$who is at dpkg, and this package is not completely installed: what it let people do counts on until that ends, until "
            . POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime $since{$name} + $between_seconds) . ' at the latest');
    }
}
