# ------------------------------------------------------------------------------------------------------------- database

# passwd(5), shadow(5), group(5) and gshadow(5), edited here as one: useradd(8) and its kind take a tenth of a second
# for each account, can't do it all at once, and refuse to rename who is logged in. The lock is theirs (lckpwdf(3)).
my %fields = (passwd => 7, shadow => 9, group => 4, gshadow => 4);

sub load_database {
    my %db;
    for my $file (keys %fields) {
        my $text = slurp("/etc/$file");
        next if !defined $text && $file eq 'gshadow';
        die "can't read /etc/$file: $!\n" unless defined $text;
        my (@lines, %by_name, %by_id);
        for (split /\n/, $text) {
            my @fields = split /:/, $_, -1;
            # What is not as it should be stays as it is.
            if (@fields != $fields{$file} || $fields[0] !~ /^[^+-]/) { push @lines, $_; next }
            push @lines, \@fields;
            $by_name{ $fields[0] } //= \@fields;
            $by_id{ $fields[2] } //= \@fields if $file eq 'passwd' || $file eq 'group';
        }
        $db{$file} = { text => $text, lines => \@lines, by_name => \%by_name, by_id => \%by_id };
    }
    return \%db;
}

sub add_line {
    my ($table, @fields) = @_;
    # Lines of NIS are the last.
    my $at = @{ $table->{lines} };
    $at-- while $at > 0 && !ref $table->{lines}[$at - 1] && $table->{lines}[$at - 1] =~ /^[+-]/;
    splice @{ $table->{lines} }, $at, 0, \@fields;
    $table->{by_name}{ $fields[0] } = \@fields;
    $table->{by_id}{ $fields[2] } = \@fields;
    return \@fields;
}

# edit DB, PLAN, DATA: makes the lines what they should be; what it says is who changed and how.
sub edit {
    my ($db, $plan, $data) = @_;
    my @said;
    my ($passwd, $shadow, $group, $gshadow) = @$db{qw(passwd shadow group gshadow)};
    my $group_line = sub {
        my ($name, $gid) = @_;
        add_line($group, $name, 'x', $gid, '');
        add_line($gshadow, $name, '!', '', '') if $gshadow && !$gshadow->{by_name}{$name};
    };
    my $group_named = sub { # OLD, NAME
        my ($old, $name) = @_;
        for my $table (grep { $_ } $group, $gshadow) {
            my $line = $table->{by_name}{$old} or next;
            next if $table->{by_name}{$name} && $table->{by_name}{$name}[0] eq $name;
            $line->[0] = $name;
            $table->{by_name}{$name} = $line;
        }
    };
    if (!$group->{by_name}{$people_group} && (%{ $plan->{want} } || %{ $plan->{leave} })) {
        # adduser(8) counts system groups up from 100, groupadd(8) and sysusers down from 999: out of everybody's way.
        my ($gid) = grep { !$group->{by_id}{$_} && !defined getgrgid $_ } 600 .. 999, reverse 100 .. 599;
        die "there is no free number for the group $people_group\n" unless defined $gid;
        $group_line->($people_group, $gid);
    }
    # Accounts that are there change their names first, all at once: one's new name may be another's old one.
    my @named = grep { defined $plan->{want}{$_}{old} && $plan->{want}{$_}{old} ne $plan->{want}{$_}{name} } sort { $a <=> $b } keys %{ $plan->{want} };
    my %new = map { $plan->{want}{$_}{old} => $plan->{want}{$_}{name} } @named;
    if (%new) {
        my %moving;
        for my $uid (@named) {
            my ($old, $name) = @{ $plan->{want}{$uid} }{qw(old name)};
            my $gid = $plan->{want}{$uid}{from} ? $plan->{want}{$uid}{from}{gid} : $uid;
            my $own = $group->{by_name}{$old};
            $moving{ "group $old" } = $moving{ "gshadow $old" } = $name if $own && $own->[2] == $gid;
            $moving{ "passwd $old" } = $moving{ "shadow $old" } = $name;
            push @said, "$name: renamed from $old";
        }
        for my $file (grep { $db->{$_} } keys %fields) {
            my $table = $db->{$file};
            my @lines = grep { ref && defined $moving{"$file $_->[0]"} } @{ $table->{lines} };
            delete $table->{by_name}{ $_->[0] } for @lines;
            for my $line (@lines) { $line->[0] = $moving{"$file $line->[0]"}; $table->{by_name}{ $line->[0] } = $line }
        }
        for my $table (grep { $_ } $group, $gshadow) {
            for my $line (grep { ref } @{ $table->{lines} }) {
                for my $field (3, $table == $group ? () : 2) {
                    next if $line->[$field] eq '';
                    my %seen;
                    $line->[$field] = join ',', grep { !$seen{$_}++ } map { $new{$_} // $_ } split /,/, $line->[$field];
                }
            }
        }
    }
    for my $gid (sort { $a <=> $b } values %{ $plan->{teams} }) {
        my ($name) = grep { $plan->{teams}{$_} == $gid } keys %{ $plan->{teams} };
        my $line = $group->{by_id}{$gid};
        if (!$line) { $group_line->($name, $gid); push @said, "group $name: made ($gid)" }
        elsif ($line->[0] ne $name) { push @said, "group $name: renamed from $line->[0]"; $group_named->($line->[0], $name) }
    }
    my (%belongs, %managed); # GROUP → NAME → 1; NAME → wanted or not
    for my $uid (sort { $a <=> $b } keys %{ $plan->{want} }) {
        my $one = $plan->{want}{$uid};
        my $name = $one->{name};
        my $line = $passwd->{by_name}{$name};
        if ($one->{from} && $line) {
            my $own = $group->{by_id}{ $one->{from}{gid} };
            if ($own && $own->[0] eq $name && $own->[2] != $uid) { $own->[2] = $uid; $group->{by_id}{$uid} = $own }
            push @said, "$name: taken over" . ($line->[2] == $uid ? '' : " from uid $line->[2]");
            @$line[2, 3] = ($uid, $uid);
            $passwd->{by_id}{$uid} = $line;
        }
        my $own = $group->{by_id}{$uid};
        if (!$own) { $group_line->($name, $uid) }
        elsif ($own->[0] ne $name) { $group_named->($own->[0], $name) }
        if (!$line) {
            $line = add_line($passwd, $name, 'x', $uid, $uid, $one->{full}, "/home/$name", $one->{shell});
            push @said, "$name: account made (uid $uid)";
        }
        my @comment = split /,/, $line->[4], -1;
        $comment[0] = $one->{full} if ($comment[0] // '') ne $one->{full};
        my $returns = $line->[6] eq $nologin && $one->{shell} ne $nologin;
        push @said, "$name: the account is in use again" if $returns;
        @$line[1, 2, 3, 4, 6] = ('x', $uid, $uid, join(',', @comment), $one->{shell});
        my $secret = $shadow->{by_name}{$name} // add_line($shadow, $name, '*', $today, 0, 99999, 7, '', '', '');
        # No password, and not locked: keys alone let somebody in. A password that the person was given stays.
        $secret->[1] = '*' if $secret->[1] eq '' || $secret->[1] =~ /^!/;
        my $end = $one->{end} // '';
        if ($secret->[7] ne $end) {
            push @said, "$name: access ends " . ($end eq '' ? 'never' : 'before ' . POSIX::strftime('%Y-%m-%d', gmtime $end * 86400)) if $end ne '' || ($secret->[7] ne '' && !$returns);
            $secret->[7] = $end;
        }
        $managed{$name} = 1;
        $belongs{$people_group}{$name} = 1;
        $belongs{$_}{$name} = 1 for keys %{ $one->{teams} };
    }
    for my $uid (sort { $a <=> $b } keys %{ $plan->{leave} }) {
        my $name = $plan->{leave}{$uid};
        my $line = $passwd->{by_name}{$name} or next;
        my $secret = $shadow->{by_name}{$name} // add_line($shadow, $name, '!*', $today, 0, 99999, 7, '', 1, '');
        push @said, "$name: locked" if $line->[6] ne $nologin || $secret->[1] !~ /^!/ || $secret->[7] ne 1;
        ($line->[6], $secret->[7]) = ($nologin, 1);
        $secret->[1] = '!*' if $secret->[1] !~ /^!/;
        $managed{$name} = 0;
        $belongs{$people_group}{$name} = 1;
    }
    # Memberships of ours in groups of ours are as the packages say; elsewhere they are the machine's, until one leaves.
    my %fleet = (%{ $plan->{teams} }, $people_group => 1, map { $_ => 1 } values %{ $record{group} });
    for my $line (grep { ref } @{ $group->{lines} }) {
        my $name = $line->[0];
        my @before = split /,/, $line->[3];
        my $wanted = $belongs{$name} || {};
        my @now = grep { !defined $managed{$_} || $wanted->{$_} || ($managed{$_} && !$fleet{$name}) } @before;
        my %there = map { $_ => 1 } @now;
        push @now, grep { !$there{$_} } sort keys %$wanted;
        if ($plan->{teams}{$name} && (my @strange = grep { !defined $managed{$_} && !is_held($_, $plan, $data) } @now)) {
            mark("group $name", 'has members that are not ours, with what the group may do: ' . join ' ', @strange);
        }
        my $text = join ',', @now;
        if ($text ne $line->[3]) {
            my %was = map { $_ => 1 } @before;
            my %is = map { $_ => 1 } @now;
            if ($name ne $people_group) {
                push @said, map({ "$_: joins the group $name" } grep { !$was{$_} } @now), map { "$_: leaves the group $name" } grep { !$is{$_} } @before;
            }
            $line->[3] = $text;
        }
        my $secret = $gshadow && $gshadow->{by_name}{$name} or next;
        my %is = map { $_ => 1 } @now;
        my %seen;
        my @members = grep { (!defined $managed{$_} || $is{$_}) && !$seen{$_}++ } split /,/, $secret->[3];
        push @members, grep { defined $managed{$_} && !$seen{$_}++ } @now;
        $secret->[3] = join ',', @members;
        $secret->[2] = join ',', grep { !(defined $managed{$_} && !$managed{$_}) } split /,/, $secret->[2];
    }
    return @said;
}

sub is_held { my ($name, $plan, $data) = @_; return exists $plan->{aside}{$name} || $data->{odd}{$name} || grep { $_ eq $name } values %{ $plan->{ours} } }

sub text_of { my ($table) = @_; return join '', map { (ref $_ ? join(':', @$_) : $_) . "\n" } @{ $table->{lines} } }

sub differs { my ($db) = @_; return grep { $db->{$_} && text_of($db->{$_}) ne $db->{$_}{text} } qw(shadow gshadow group passwd) }

# settle_database DATA, DB, PLAN: (plan, database as it is now, whether it is as it should be)
sub settle_database {
    my ($data, $db, $plan) = @_;
    my @said = edit($db, $plan, $data);
    return ($plan, $db, 1) unless differs($db);
    if ($dry) { told($_) for @said; return ($plan, $db, 1) }
    my $held = eval { lock_database() };
    if (!$held) {
        mark('runtime', $@ || 'no lock');
        return ($plan, load_database(), 0);
    }
    my $well = attempt('runtime', sub {
        $db = load_database();
        $plan = decide($data, $db);
        @said = edit($db, $plan, $data);
        # What follows a change of name or number, and would not be seen from the machine any more, is written down first.
        for my $uid (keys %{ $plan->{want} }) {
            my ($from, $old, $name) = @{ $plan->{want}{$uid} }{qw(from old name)};
            $record{adopting}{$uid} = [$from->{uid}, $from->{gid}, $from->{files}] if $from && $from->{uid} != $uid;
            push @{ $record{renamed}{$uid} }, $old if defined $old && $old ne $name && !grep { $_ eq $old } @{ $record{renamed}{$uid} || [] };
        }
        if (!attempt('runtime', \&write_record)) {
            # No room: nobody whose former name or number would be lost changes, everybody else does.
            for my $uid (keys %{ $plan->{want} }) {
                my ($from, $old, $name) = @{ $plan->{want}{$uid} }{qw(from old name)};
                next unless $from || (defined $old && $old ne $name);
                delete $plan->{want}{$uid};
                delete $record{adopting}{$uid};
                delete $record{renamed}{$uid};
            }
            $db = load_database();
            @said = edit($db, $plan, $data);
        }
        write_database($db);
        told($_) for @said;
    });
    close $held;
    $db = load_database() unless $well;
    return ($plan, $db, $well);
}

# lckpwdf(3): what shadow's programs, passwd(1) and systemd-sysusers(8) take.
sub lock_database {
    sysopen my $file, '/etc/.pwd.lock', O_WRONLY | O_CREAT, 0600 or die "can't open /etc/.pwd.lock: $!\n";
    for (my $waited = 0;; $waited++) {
        my $wanted = pack $flock, F_WRLCK, SEEK_SET, 0, 0, 0;
        return $file if fcntl $file, F_SETLK, $wanted;
        die "somebody else edits /etc/passwd: waited $database_seconds seconds\n" if $waited >= $database_seconds;
        sleep 1;
    }
}

# One that is cut short would lock everybody out: whole, on the disk, and then in place.
sub write_database {
    my ($db) = @_;
    for my $file (differs($db)) {
        my @is = stat "/etc/$file" or die "can't look at /etc/$file: $!\n";
        replace("/etc/$file", text_of($db->{$file}), $is[2] & 07777, "/etc/.@PREFIX@-$file~", $is[4], $is[5]);
    }
}

# Writes where somebody's home directory is.
sub set_home {
    my ($uid, $name, $home) = @_;
    my $held = lock_database();
    my $db = load_database();
    my $line = $db->{passwd}{by_id}{$uid};
    if ($line && $line->[0] eq $name) {
        $line->[5] = $home;
        write_database($db);
    }
    close $held;
}
