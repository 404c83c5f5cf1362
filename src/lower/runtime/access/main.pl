# ----------------------------------------------------------------------------------------------------------------- main

# The data that counts. What would leave the machine without anybody who can log in and become root, where somebody can
# by what counted before, does not: that goes on to count, until the packages say something better. (Access that ends by
# its date is no change of what they say.)
sub choose {
    my $old_texts = accepted_texts();
    my $texts = $withdraw ? {} : installed_texts();
    grants_that_count_on($texts, $old_texts) unless $withdraw;
    my $data = understand($texts, $old_texts);
    my $db = load_database();
    my $plan = decide($data, $db);
    if (%{ $data->{login} } && !administrators($data, $plan)) {
        my %marked = %marks;
        my $old = understand($old_texts, {});
        %marks = %marked;
        my $as_before = decide($old, $db);
        my @administrators = administrators($old, $as_before);
        if (@administrators) {
            mark('guard', 'what the packages say leaves nobody who can log in and become root: it goes on as before, with '
                . join(' ', @administrators)) unless $before;
            return ($old, $db, $as_before, 1);
        }
    }
    # Where there is no room to write it down, it counts all the same: nobody's removal waits for a disk.
    attempt('runtime', sub { accept_texts($texts) });
    return ($data, $db, $plan, 0);
}

sub update_record {
    my ($plan, $data, $db) = @_;
    my %kept;
    for my $uid (keys %{ $plan->{ours} }, keys %{ $plan->{want} }) {
        my $line = $db->{passwd}{by_id}{$uid} or next;
        my ($one, $before_) = ($plan->{want}{$uid}, $record{account}{$uid});
        my $user = $data->{users}{$uid};
        $kept{$uid} = {
            name => $line->[0],
            on => $one ? 1 : $plan->{leave}{$uid} ? 0 : $before_ ? $before_->{on} : 0,
            home => $user ? $user->{home} : $before_ ? $before_->{home} : 'keep',
            groups => $user ? { map { $_ => 1 } keys %{ $user->{groups} } } : $before_ ? $before_->{groups} : {},
        };
    }
    for my $uid (grep { !$kept{$_} } keys %{ $record{account} }) {
        my $line = $db->{passwd}{by_id}{$uid};
        mark($record{account}{$uid}{name}, "the number $uid is " . ($line ? "the account $line->[0]'s" : "nobody's") . ' now, and was not by us') if $line;
        delete @{ $record{$_} }{$uid} for qw(adopting renamed);
    }
    $record{account} = \%kept;
    my %gids = reverse %{ $plan->{teams} };
    for my $gid (keys %{ $record{group} }) {
        my $line = $db->{group}{by_id}{$gid};
        $gids{$gid} //= $line->[0] if $line;
    }
    $record{group} = \%gids;
}

sub settle {
    my ($data, $db, $plan, $refused) = choose();
    attempt('runtime', \&make_key_directory) if %{ $data->{login} } || -e $keys;
    take_keys($plan, $data);
    ($plan, $db, my $well) = settle_database($data, $db, $plan);
    mark($_, $plan->{aside}{$_}) for keys %{ $plan->{aside} };
    if (%{ $plan->{leave} }) {
        attempt('runtime', sub { take_jobs($plan->{leave}) });
        attempt('runtime', sub { end_sessions($plan->{leave}) });
    }
    attempt('runtime', sub { follow_numbers($plan, $db); follow_names($plan, $db) });
    make_homes($plan, $db) if $well;
    give_keys($plan, $db, $data) if $well;
    rmdir $keys if !%{ $plan->{want} } && !%{ $data->{login} } && !$dry;
    if ($well) {
        update_record($plan, $data, $db);
        attempt('runtime', \&write_record);
    }
    check_sshd($plan, $db);
    check_sudoers() if %{ $data->{named} };
    leave_homes($plan, $db, $data);
    return $refused;
}

# The same marks keep their file, whose time says since when.
sub settle_marks {
    return if $dry;
    my $text = join '', map { "access: $_\n" } sort keys %marks;
    my $old = slurp($mark_file);
    return if ($old // '') eq $text;
    if ($text eq '') { unlink $mark_file; print "@PREFIX@-runtime: access is well: its mark is gone\n"; return }
    mkdir '/var/lib/@PREFIX@/marks', 0755;
    my %was = map { $_ => 1 } split /\n/, $old // '';
    print STDERR "@PREFIX@-runtime: $_\n" for grep { !$was{$_} } split /\n/, $text;
    replace($mark_file, $text, 0644, "$state/mark.new");
}

if (!$dry) {
    mkdir $_ for '/var/lib/@PREFIX@';
    mkdir $state, 0700;
    chmod 0700, $state;
    # What is no file can be neither read nor replaced; what it told is worked out from the machine.
    for my $name (grep { (lstat "$state/$_") && !-f "$state/$_" } qw(accounts accepted between)) {
        run('rm', '-rf', '--', "$state/$name.damaged");
        rename "$state/$name", "$state/$name.damaged";
        print STDERR "@PREFIX@-runtime: access: $state/$name is no file: it is $name.damaged now\n";
    }
    for my $left (grep { /^(accounts|accepted|between|mark|checked\..*)\.new$/ } names($state)) { unlink "$state/$left" }
}
my $refused = 0;
my $ended = eval {
    lock_run();
    read_record();
    $refused = settle();
    1;
};
mark('runtime', $@) unless $ended;
eval { settle_marks(); 1 } or print STDERR "@PREFIX@-runtime: access: $@";
if ($dry) { print STDERR "@PREFIX@-runtime: access: $_\n" for sort keys %marks }
exit($refused && $before ? 3 : %marks ? 1 : 0);
