# --------------------------------------------------------------------------------------------------------------- decide

# $state/accounts, what we made and took over:
#   account UID NAME on|off HOME GROUP,GROUP…    HOME: keep|archive|remove, as it was said last
#   group GID NAME
#   adopting UID OLD-UID OLD-GID FILES           files are on their way from one number to the other
#   renamed UID OLD-NAME…                        what was called by a former name is on its way
my %record = (account => {}, group => {}, adopting => {}, renamed => {});

sub read_record {
    my ($head, @lines) = split /\n/, slurp("$state/accounts") // '';
    for (@lines) {
        my ($kind, $id, @rest) = split / /;
        if ($kind eq 'account') { $record{account}{$id} = { name => $rest[0], on => $rest[1] eq 'on', home => $rest[2], groups => { map { $_ => 1 } split /,/, $rest[3] // '' } } }
        elsif ($kind eq 'group') { $record{group}{$id} = $rest[0] }
        elsif ($kind eq 'adopting' || $kind eq 'renamed') { $record{$kind}{$id} = [@rest] }
    }
}

sub write_record {
    return if $dry;
    my $text = "debrole-accounts 1\n";
    for my $uid (sort { $a <=> $b } keys %{ $record{account} }) {
        my $one = $record{account}{$uid};
        $text .= join(' ', 'account', $uid, $one->{name}, $one->{on} ? 'on' : 'off', $one->{home}, join ',', sort keys %{ $one->{groups} }) . "\n";
    }
    $text .= "group $_ $record{group}{$_}\n" for sort { $a <=> $b } keys %{ $record{group} };
    for my $kind (qw(adopting renamed)) {
        $text .= "$kind $_ @{ $record{$kind}{$_} }\n" for sort { $a <=> $b } keys %{ $record{$kind} };
    }
    replace("$state/accounts", $text, 0600, "$state/accounts.new") if $text ne (slurp("$state/accounts") // '');
}

# ours DATA, DB: UID → name in passwd of each account that is ours. The record alone does not make it so: the number may
# be somebody else's by now. Nor is the record needed: it may have gone with a purge.
sub ours {
    my ($data, $db) = @_;
    my %ours;
    my $members = $db->{group}{by_name}{$people_group};
    my %people = map { $_ => 1 } $members ? split /,/, $members->[3] : ();
    for my $line (@{ $db->{passwd}{lines} }) {
        next unless ref $line && @$line >= 7;
        my ($name, $uid) = @$line[0, 2];
        my $recorded = $record{account}{$uid};
        next unless $recorded ? $recorded->{name} eq $name || $people{$name}
            : $people{$name} && ($data->{users}{$uid} || $data->{departed}{$uid} || in_band($data, $uid));
        $ours{$uid} = $name;
    }
    return \%ours;
}

# decide DATA, DB:
#   want UID → the user, with old (the name it has), from (what it is made of), groups here, keys here
#   leave UID → name     whose account is to be out of use
#   teams GROUP → gid    groups of the fleet that are wanted here
#   aside WHO → text     what is in the way of it
sub decide {
    my ($data, $db) = @_;
    my $ours = ours($data, $db);
    my (%want, %leave, %teams, %aside);
    my ($pw_name, $pw_id) = @{ $db->{passwd} }{qw(by_name by_id)};
    my ($gr_name, $gr_id) = @{ $db->{group} }{qw(by_name by_id)};

    for my $group (grep { $data->{groups}{$_} } sort keys %{ $data->{named} }) {
        my $gid = $data->{groups}{$group}{gid};
        my ($same, $number) = ($gr_name->{$group}, $gr_id->{$gid});
        my $recorded = $record{group}{$gid};
        if ($number && $number->[0] ne $group && !(defined $recorded && $recorded eq $number->[0])) {
            $aside{"group $group"} = "its number $gid is the group $number->[0]'s on this machine: left alone";
        }
        elsif ($same && $same->[2] != $gid) {
            $aside{"group $group"} = "there is a group $group with the number $same->[2] on this machine, not $gid: left alone";
        }
        elsif (!$number && (getgrnam $group || defined getgrgid $gid)) {
            $aside{"group $group"} = "another source of this machine's (nsswitch.conf) has a group $group or the number $gid: left alone";
        }
        else { $teams{$group} = $gid }
    }

    for my $uid (sort { $a <=> $b } keys %{ $data->{users} }) {
        my $user = $data->{users}{$uid};
        next unless grep { $data->{login}{$_} } keys %{ $user->{groups} };
        next if defined $user->{end} && $today >= $user->{end};
        # A package of the group that is older (reinstalled from old lists of apt's) brings nobody back.
        next if $data->{departed}{$uid};
        my %one = (%$user, teams => { map { $_ => 1 } grep { defined $teams{$_} } keys %{ $user->{groups} } });
        my @keys = grep { is_here($_->{hosts}) && !(defined $_->{end} && $today >= $_->{end}) } map { $user->{keys}{$_} } sort keys %{ $user->{keys} };
        $one{lines} = [map { key_line($_, $user->{end}) } @keys];
        $one{shell} = '/bin/sh' if !-x $user->{shell};
        $want{$uid} = \%one;
    }
    for my $uid (keys %want) {
        my $one = $want{$uid};
        my $name = $one->{name};
        my ($number, $same) = ($pw_id->{$uid}, $pw_name->{$name});
        my $who = $name;
        my $old; # what its own group is called
        if (defined $ours->{$uid}) {
            $one->{old} = $old = $ours->{$uid};
            if ($old ne $name && $same && !($ours->{ $same->[2] } && $want{ $same->[2] } && $want{ $same->[2] }{name} ne $name)) {
                $aside{$who} = "can't be renamed from $old: there is another account $name (uid $same->[2]) on this machine";
            }
        }
        elsif (my ($adopt) = grep { my $a = $_; my $is = $pw_name->{ $a->{name} }; $is && $is->[2] == $a->{uid} && !defined $ours->{ $a->{uid} } } @{ $one->{adopt} }) {
            my $is = $pw_name->{ $adopt->{name} };
            $old = $is->[0];
            if ($number && $number->[0] ne $old) { $aside{$who} = "can't take over $old (uid $is->[2]): uid $uid is the account $number->[0]'s on this machine" }
            elsif ($same && $same->[0] ne $old) { $aside{$who} = "can't take over $old: there is another account $name on this machine" }
            elsif ($is->[2] < 1000) { $aside{$who} = "$old (uid $is->[2]) is a system account: it is not taken over" }
            elsif ($is->[2] != $uid && $adopt->{files} eq '-') { $aside{$who} = "can't take over $old: the tree does not say what becomes of its files" }
            elsif ($is->[2] != $uid && %{ processes({ $is->[2] => $old }) }) { $aside{$who} = "can't take over $old (uid $is->[2]) while processes of it run" }
            else { @$one{qw(old from)} = ($old, { uid => $is->[2], gid => $is->[3], files => $adopt->{files} }) }
        }
        elsif ($same) { $aside{$who} = "there is an account $name (uid $same->[2]) on this machine that is not ours: left alone (to take it over: [[adopt]] in users/$name.toml)" }
        elsif ($number) { $aside{$who} = "uid $uid is the account $number->[0]'s on this machine: left alone (to take it over: [[adopt]] in users/$name.toml)" }
        elsif (defined getpwnam $name || defined getpwuid $uid) { $aside{$who} = "another source of this machine's (nsswitch.conf) has an account $name or the number $uid: left alone" }
        next if exists $aside{$who};
        my ($group, $called) = ($gr_id->{$uid}, $gr_name->{$name});
        if ($group && $group->[0] ne $name && !(defined $old && $group->[0] eq $old)) { $aside{$who} = "gid $uid is the group $group->[0]'s on this machine: left alone" }
        elsif ($called && $called->[2] != $uid && !($one->{from} && $called->[2] == $one->{from}{gid} && $called->[0] eq $old)) {
            my $moves = $ours->{ $called->[2] } && $want{ $called->[2] } && $want{ $called->[2] }{name} ne $name;
            $aside{$who} = "there is a group $name with the number $called->[2] on this machine, not $uid: left alone" unless $moves;
        }
    }
    for my $uid (keys %want) {
        my $one = $want{$uid};
        my $held = $data->{odd}{$uid} || $data->{odd}{ $one->{name} } || exists $aside{ $one->{name} };
        if ($held) { delete $want{$uid} }
    }
    for my $uid (keys %$ours) {
        next if $want{$uid} || $data->{odd}{$uid} || $data->{odd}{ $ours->{$uid} };
        my $user = $data->{users}{$uid};
        # What is in the way of a renaming takes nobody's access away.
        next if $user && exists $aside{ $user->{name} } && !$data->{departed}{$uid} && !(defined $user->{end} && $today >= $user->{end}) && grep { $data->{login}{$_} } keys %{ $user->{groups} };
        $leave{$uid} = $ours->{$uid};
    }
    return { want => \%want, leave => \%leave, teams => \%teams, aside => \%aside, ours => $ours };
}

# sshd(8), AUTHORIZED_KEYS FILE FORMAT: an expiry that sshd itself sees to, whatever becomes of us.
sub key_line {
    my ($key, $account_end) = @_;
    my ($end) = sort { $a <=> $b } grep { defined } $key->{end}, $account_end;
    my @options;
    push @options, POSIX::strftime('expiry-time="%Y%m%d%H%M%SZ"', gmtime $end * 86400) if defined $end;
    push @options, "from=\"$key->{from}\"" if $key->{from} ne '-';
    return join(',', @options) . (@options ? ' ' : '') . $key->{text};
}

# Who can log in and become root: an account, a key that is good here, a group whose sudo is everything, and its rule.
sub administrators {
    my ($data, $plan) = @_;
    return () unless -x '/usr/bin/sudo';
    my @names;
    for my $one (values %{ $plan->{want} }) {
        my @packages = map { keys %{ $data->{admin}{$_} || {} } } keys %{ $one->{teams} };
        push @names, $one->{name} if @{ $one->{lines} } && grep { rule_is_there($_) } @packages;
    }
    @names = sort @names;
    return @names;
}

# The managed file of a role's or host's package in /etc/sudoers.d. Before files are put in place none is asked for.
sub rule_is_there {
    my ($package) = @_;
    return 1 if $before;
    my $file = '/etc/sudoers.d/' . ($package =~ /^@PREFIX@-host-/ ? 70 : 60) . '-' . $package =~ tr/./_/r;
    return -e $file;
}
