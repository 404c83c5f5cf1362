# ---------------------------------------------------------------------------------------------------------------- homes

# A home directory is made where none is. One that is there is somebody's work: it is looked at and left alone.
sub make_homes {
    my ($plan, $db) = @_;
    for my $uid (sort { $a <=> $b } keys %{ $plan->{want} }) {
        my $name = $plan->{want}{$uid}{name};
        my $line = $db->{passwd}{by_id}{$uid};
        next unless $line && $line->[0] eq $name && !$record{adopting}{$uid} && !$record{renamed}{$uid};
        my $home = $line->[5];
        my @is = lstat $home;
        if (@is && S_ISLNK($is[2])) {
            @is = stat $home;
            if (!@is) { mark($name, "the home directory $home is a symlink to nothing: left alone") ; next }
        }
        if (@is) {
            if (!S_ISDIR($is[2])) { mark($name, "the home $home is not a directory: left alone") }
            elsif ($is[4] != $uid) { mark($name, "the home directory $home is uid $is[4]'s: left alone") }
        }
        elsif ($home eq "/home/$name") {
            attempt($name, sub { told("$name: home directory made"); make_home($home, $uid) unless $dry });
        }
        else { mark($name, "there is no home directory $home") }
    }
}

# Nobody but root can look in until it is whole, and has its name.
sub make_home {
    my ($home, $uid) = @_;
    my $new = $home =~ s{/([^/]+)$}{/.@PREFIX@-new.$1~}r;
    mkdir '/home', 0755;
    if (-e $new) { run('rm', '-rf', '--one-file-system', '--', $new) }
    mkdir $new, 0700 or die "can't make $new: $!\n";
    copy_skeleton('/etc/skel', $new, $uid);
    chown $uid, $uid, $new or die "can't change the owner of $new: $!\n";
    rename $new, $home or die "can't make $home: $!\n";
}

# Files, directories and symlinks, which become theirs; a fork for each of many accounts would take minutes.
sub copy_skeleton {
    my ($from, $to, $uid) = @_;
    for my $name (names($from)) {
        my ($source, $target) = ("$from/$name", "$to/$name");
        my @is = lstat $source or next;
        if (S_ISDIR($is[2])) {
            mkdir $target, 0700 or die "can't make $target: $!\n";
            copy_skeleton($source, $target, $uid);
            chmod $is[2] & 0777, $target;
        }
        elsif (S_ISLNK($is[2])) { symlink readlink $source, $target or die "can't make $target: $!\n" }
        elsif (S_ISREG($is[2])) {
            sysopen my $out, $target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "can't write $target: $!\n";
            my $text = slurp($source);
            die "can't read $source: $!\n" unless defined $text;
            (print {$out} $text) && chmod($is[2] & 0777, $out) && close $out or die "can't write $target: $!\n";
        }
        else { next }
        POSIX::lchown($uid, $uid, $target) or die "can't change the owner of $target: $!\n";
    }
}

# What was called by a former name. The home directory waits until nobody is in it.
sub follow_names {
    my ($plan, $db) = @_;
    my %todo = map { $_ => $plan->{want}{$_}{name} } grep { $plan->{want}{$_} } keys %{ $record{renamed} };
    return if $dry || !%todo;
    my $busy = processes(\%todo);
    my %busy = map { $_ => 1 } values %$busy;
    for my $uid (sort { $a <=> $b } keys %todo) {
        my $name = $todo{$uid};
        my $line = $db->{passwd}{by_id}{$uid};
        next unless $line && $line->[0] eq $name;
        my @wait;
        attempt($name, sub {
            for my $old (grep { $_ ne $name } @{ $record{renamed}{$uid} }) {
                for my $path ('/var/spool/cron/crontabs', '/var/lib/systemd/linger', '/var/mail') {
                    if (-e "$path/$old" && !-e "$path/$name") { rename "$path/$old", "$path/$name" or die "can't rename $path/$old: $!\n" }
                }
                for my $file ('/etc/subuid', '/etc/subgid') {
                    my $text = slurp($file) // '';
                    next unless $text =~ s/^\Q$old\E:/$name:/mg;
                    my @is = stat $file;
                    replace($file, $text, $is[2] & 07777, "$file.@PREFIX@-new~", $is[4], $is[5]);
                }
                next unless $line->[5] eq "/home/$old";
                if ($busy{$uid}) { push @wait, $old; next }
                if (-e "/home/$old" || -l "/home/$old") {
                    if (-e "/home/$name" || -l "/home/$name") { mark($name, "the home directory stays /home/$old: there is a /home/$name"); push @wait, $old; next }
                    rename "/home/$old", "/home/$name" or die "can't rename /home/$old: $!\n";
                }
                set_home($uid, $name, "/home/$name");
                $line->[5] = "/home/$name";
                told("$name: home directory renamed from /home/$old");
            }
            if (@wait) { $record{renamed}{$uid} = \@wait } else { delete $record{renamed}{$uid} }
        });
    }
}

# What an account that was taken over owned by its former number.
sub follow_numbers {
    my ($plan, $db) = @_;
    return if $dry;
    for my $uid (sort { $a <=> $b } keys %{ $record{adopting} }) {
        my $line = $db->{passwd}{by_id}{$uid} or next;
        my ($old_uid, $old_gid, $files) = @{ $record{adopting}{$uid} };
        my $name = $line->[0];
        attempt($name, sub {
            my @where = grep { -e } '/var/spool/cron/atjobs', map({ ("/var/mail/$_", "/var/spool/cron/crontabs/$_") } $name, @{ $record{renamed}{$uid} || [] });
            # With the slash find(1) goes through a symlink; what it finds is changed only where it was the account's.
            if ($files eq 'all') { push @where, local_mounts() } elsif (-d $line->[5]) { push @where, "$line->[5]/" }
            # A group that others share keeps its files.
            my @group = defined getgrgid $old_gid ? () : (['-gid', $old_gid, "--from=:$old_gid", ":$uid"]);
            for my $what (['-uid', $old_uid, "--from=$old_uid", $uid], @group) {
                my ($test, $number, $from, $to) = @$what;
                next unless @where;
                # From within each directory, and only what still is the former number's: whoever owns a directory on
                # the way can put a symlink (to /etc, say) in its place between the finding and the change.
                my ($status, $said) = said('find', @where, '-xdev', $test, $number, '-execdir', 'chown', '-h', $from, $to, '{}', '+');
                die "not all files of the uid $old_uid could be given to $uid: $said\n" if $status;
            }
            delete $record{adopting}{$uid};
            told("$name: files of the uid $old_uid are now of uid $uid");
        });
    }
}

sub local_mounts {
    my %mounts;
    for (split /\n/, slurp('/proc/self/mounts') // '') {
        my (undef, $where, $type) = split / /;
        next unless $type =~ /^(ext[234]|xfs|btrfs|bcachefs|f2fs|jfs|zfs|overlay|tmpfs|fuseblk)$/;
        next if $where =~ m{^/(proc|sys|dev)(/|$)};
        $mounts{ $where =~ s/\\(\d{3})/chr oct $1/ger } = 1;
    }
    return ('/', grep { $_ ne '/' } sort keys %mounts);
}

# archive and remove, where the tree says so. Nothing of theirs runs any more; the run's lock is not held meanwhile, so
# that nobody's access waits for a large directory.
sub leave_homes {
    my ($plan, $db, $data) = @_;
    return if $withdraw; # the machine leaves the fleet: that says nothing of its people
    my @todo;
    for my $uid (sort { $a <=> $b } keys %{ $plan->{leave} }) {
        my $line = $db->{passwd}{by_id}{$uid} or next;
        my $recorded = $record{account}{$uid};
        my $departed = $data->{departed}{$uid};
        my $user = $data->{users}{$uid};
        # A role or a group's package that has gone from this machine says nothing of its people either.
        my $said = $departed || ($user ? defined $user->{end} && $today >= $user->{end} : $recorded && grep { $data->{groups}{$_} } keys %{ $recorded->{groups} });
        my $policy = $user && !$departed ? $user->{home} : $departed && $departed->[0] ne '-' ? $departed->[0] : $recorded ? $recorded->{home} : 'keep';
        push @todo, [$uid, @$line[0, 5], $policy] if $said && $policy ne 'keep';
    }
    @todo = grep { my @is = lstat $_->[2]; @is || lstat left_home(@$_[0, 2]) } @todo or return;
    if ($dry) { told("$_->[1]: $_->[3] $_->[2]") for @todo; return }
    unlock_run();
    open my $homes, '>', '/run/@PREFIX@/homes.lock' or return;
    return unless flock $homes, LOCK_EX | LOCK_NB; # another run is at it
    for my $one (@todo) {
        attempt($one->[1], sub { leave_home(@$one) });
    }
    close $homes;
}

sub left_home { my ($uid, $home) = @_; return $home =~ s{/[^/]+$}{/.@PREFIX@-left.$uid~}r }

sub leave_home {
    my ($uid, $name, $home, $policy) = @_;
    my $left = left_home($uid, $home);
    my @is = lstat $home;
    if (@is) {
        if (S_ISLNK($is[2])) {
            mark($name, "the home directory $home is a symlink to " . readlink($home) . ": it is not removed");
            return;
        }
        if (!S_ISDIR($is[2]) || $is[4] != $uid || $home !~ m{^/[^/]+/[^/]}) { mark($name, "$home is not a directory of uid $uid: it is not removed"); return }
        if ($policy eq 'archive') {
            umask 077;
            mkdir $archives, 0700;
            my $archive = POSIX::strftime("$archives/$name-$uid-%Y%m%d.tar.gz", gmtime $now);
            my ($above, $base) = $home =~ m{^(.*)/([^/]+)$};
            my ($status, $said) = said('tar', '--create', '--gzip', '--one-file-system', '--numeric-owner', '--file', "$archive.new", '--directory', $above, '--', $base);
            die "can't archive $home: $said\n" if $status;
            run('sync', "$archive.new");
            rename "$archive.new", $archive or die "can't archive $home: $!\n";
            umask 022;
        }
        # Meanwhile they may have come back.
        lock_run();
        my $secret = load_database()->{shadow}{by_name}{$name};
        my $out = $secret && $secret->[7] eq '1';
        # In one step: what is half removed is never taken for a home, and never archived in the place of the whole.
        my $moved = $out && rename $home, $left;
        my $why = $!;
        unlock_run();
        return unless $out;
        die "can't remove $home: $why\n" unless $moved;
        told("$name: $home is " . ($policy eq 'archive' ? "archived in $archives and " : '') . 'removed');
    }
    run('rm', '-rf', '--one-file-system', '--', $left) == 0 or die "can't remove $left\n";
}
