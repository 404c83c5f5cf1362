# ----------------------------------------------------------------------------------------------------------------- data

# What a name of a user or a group may be; the compiler's own rule.
my $name_rule = qr/[a-z][a-z0-9-]{0,30}/;
my $day_rule = qr/\d{4}-\d\d-\d\d|-/;

# The day after a last day, in days since 1970: the first one without access.
sub end_of {
    my ($text) = @_;
    return undef if $text eq '-';
    my ($year, $month, $day) = split /-/, $text;
    # Days from the first of March of a year that is a multiple of 400 (proleptic Gregorian calendar).
    $year-- if $month <= 2;
    my $shifted = ($month + 9) % 12;
    my $era = POSIX::floor($year / 400);
    my $of_era = $year - $era * 400;
    my $of_year = POSIX::floor((153 * $shifted + 2) / 5) + $day - 1;
    return $era * 146097 + $of_era * 365 + POSIX::floor($of_era / 4) - POSIX::floor($of_era / 100) + $of_year - 719468 + 1;
}

# This machine's own name, as the rest of the runtime finds it: /etc/hostname, completed from /etc/hosts; never DNS.
sub machine_name {
    my ($name) = (slurp('/etc/hostname') // '') =~ /^([a-zA-Z0-9]\S*)/m;
    $name = (POSIX::uname())[1] unless defined $name;
    return $name if $name =~ /\./;
    for my $line (split /\n/, slurp('/etc/hosts') // '') {
        $line =~ s/#.*//;
        my (undef, @names) = split ' ', $line;
        for my $long (@names) { return $long if index($long, "$name.") == 0 }
    }
    return $name;
}

my $machine = machine_name();

sub is_this_machine { my ($host) = @_; return $host eq $machine || ($machine !~ /\./ && index($host, "$machine.") == 0) }

sub is_here { my ($hosts) = @_; return $hosts eq '-' || grep { $_ eq $machine } split /,/, $hosts }

# What the packages carry: file's name below $share → text. A refresh may have fetched a newer version of a group's
# package than dpkg could install: then that counts, until dpkg has caught up.
sub installed_texts {
    my %texts;
    for my $group (names("$share/access")) {
        my $text = slurp("$share/access/$group/members");
        $texts{"access/$group/members"} = $text if defined $text;
    }
    for my $role (names("$share/roles")) {
        my $text = slurp("$share/roles/$role/grants");
        $texts{"roles/$role/grants"} = $text if defined $text;
    }
    # A package of another machine grants nothing here.
    for my $host (grep { is_this_machine($_) } names("$share/hosts")) {
        my $text = slurp("$share/hosts/$host/grants");
        $texts{"hosts/$host/grants"} = $text if defined $text;
    }
    my $people = slurp("$share/people");
    $texts{people} = $people if defined $people;
    overlay_fetched(\%texts);
    return \%texts;
}

sub overlay_fetched {
    my ($texts) = @_;
    my @fetched = grep { /^@PREFIX@-access(-$name_rule)?$/ } names("$state/fetched");
    return unless @fetched;
    my %installed;
    my ($status, $list) = said('dpkg-query', '-W', '-f', '${Package} ${db:Status-Status} ${Version}\n', @fetched);
    for (split /\n/, $list) { $installed{$1} = $2 if /^(\S+) (?!not-installed|config-files)\S+ (\S+)$/ }
    # Where dpkg can't even be asked, what was fetched is all that is known.
    my $mute = $status && !%installed && $list !~ /no packages found/;
    for my $package (@fetched) {
        my $root = "$state/fetched/$package";
        my ($version) = (slurp("$root/version") // '') =~ /^(\S+)$/;
        my $newer = defined $version && ($mute || (defined $installed{$package}
            && run('dpkg', '--compare-versions', $version, 'gt', $installed{$package}) == 0));
        if (!$newer) {
            run('rm', '-rf', '--', $root) unless $dry;
            next;
        }
        if ($package eq '@PREFIX@-access') {
            my $text = slurp("$root/root$share/people");
            $texts->{people} = $text if defined $text;
            next;
        }
        my $group = substr $package, length '@PREFIX@-access-';
        my $text = slurp("$root/root$share/access/$group/members");
        # An empty package: the group has left the tree.
        if (defined $text) { $texts->{"access/$group/members"} = $text } else { delete $texts->{"access/$group/members"} }
    }
}

# What a former run accepted: the same texts, in one file.
sub accepted_texts {
    my %texts;
    my ($head, @parts) = split /^== (.*)\n/m, slurp("$state/accepted") // '';
    while (@parts) { my ($name, $text) = splice @parts, 0, 2; $texts{$name} = $text // '' }
    return \%texts;
}

sub accept_texts {
    my ($texts) = @_;
    my $all = join '', "debrole-accepted 1\n", map { "== $_\n$texts->{$_}" } sort keys %$texts;
    return if $dry || $all eq (slurp("$state/accepted") // '');
    replace("$state/accepted", $all, 0600, "$state/accepted.new");
}

# Who is in several groups has the same lines in each: they are taken apart once.
my %apart;

# understand TEXTS, OLD: what they say. A file of which not even the first line can be read counts as it was before.
#   groups GROUP → gid, members NAME → 1      users UID → name shell end home full keys adopt groups
#   login, admin GROUP → 1 by grants (admin → packages)   named GROUP → 1   departed UID → [home, names]
#   odd UID or NAME → 1: something about it can't be read: it is left as it is
sub understand {
    my ($texts, $old) = @_;
    my %data = (groups => {}, users => {}, login => {}, admin => {}, named => {}, departed => {}, odd => {}, band => [1000, 59999]);
    my %lines;
    for my $name (sort keys %$texts) {
        my $kind = $name eq 'people' ? 'people' : $name =~ /grants$/ ? 'grants' : 'access';
        my $text = $texts->{$name};
        if ($text !~ /^debrole-$kind 1\n/) {
            mark($name, "is of a newer kind: upgrade @PREFIX@-runtime, until then it counts as it was before");
            $text = $texts->{$name} = $old->{$name} // '';
        }
        push @{ $lines{$kind} }, [$name, grep { $_ ne '' } split /\n/, $text];
    }
    for my $file (@{ $lines{people} }) {
        my ($name, @lines) = @$file;
        for (@lines[1 .. $#lines]) {
            if (/^band (\d+) (\d+)$/) { $data{band} = [$1, $2] }
            elsif (/^departed (\d+) (keep|archive|remove|-) ($name_rule(?: $name_rule)*)$/) { $data{departed}{$1} = [$2, split / /, $3] }
            else { mark($name, "\"$_\" can't be understood") }
        }
    }
    for my $file (@{ $lines{grants} }) {
        my ($name, @lines) = @$file;
        my $package = '';
        for (@lines[1 .. $#lines]) {
            if (/^package (\S+)$/) { $package = $1 }
            elsif (/^login ($name_rule)$/) { $data{login}{$1} = $data{named}{$1} = 1 }
            elsif (/^admin ($name_rule)$/) { $data{admin}{$1}{$package} = $data{named}{$1} = 1 }
            elsif (/^sudo ($name_rule) ./) { $data{named}{$1} = 1 }
            else { mark($name, "\"$_\" can't be understood") }
        }
    }
    %apart = ();
    members(\%data, @$_) for @{ $lines{access} };
    return \%data;
}

sub members {
    my ($data, $file, undef, @lines) = @_;
    my ($group, $gid);
    for (@lines) {
        if (my $known = $apart{$_}) {
            my ($name, $uid, $key) = @$known;
            if (defined $group && defined $key) {
                if (defined member($data, $group, $name)) { next }
            }
            elsif (defined $group && $data->{users}{$uid}{name} eq $name) {
                $data->{users}{$uid}{groups}{$group} = 1;
                $data->{groups}{$group}{members}{$name} = $uid;
                next;
            }
        }
        if (/^package \S+$/) { next }
        elsif (/^group ($name_rule) (\d+)$/ && in_band($data, $2)) {
            ($group, $gid) = ($1, $2);
            $data->{groups}{$group} = { gid => $gid, members => {} };
        }
        elsif (/^user ($name_rule) (\d+) (\/[!-9;-~]+) ($day_rule) (keep|archive|remove) ([^:\x00-\x1f\x7f]*)$/ && defined $group && in_band($data, $2)) {
            my $user = $data->{users}{$2} //= { uid => $2, name => $1, keys => {}, adopt => [], groups => {} };
            if ($user->{name} ne $1) { odd($data, $file, $_, $1, $2); next }
            @$user{qw(shell end home full)} = ($3, end_of($4), $5, $6);
            $user->{groups}{$group} = 1;
            $data->{groups}{$group}{members}{$1} = $2;
            $apart{$_} = [$1, $2];
        }
        elsif (/^key ($name_rule) ($day_rule) ([!-~]+) ([!-~]+) ([a-z0-9@.-]+) ([A-Za-z0-9+\/]+=*)(?: ([^\x00-\x1f\x7f]*))?$/ && $3 !~ /["\\]/) {
            my ($name, $end, $from, $hosts, $key, $comment) = ($1, end_of($2), $3, $4, "$5 $6", $7 // '');
            my $user = member($data, $group, $name) or odd($data, $file, $_, $name), next;
            $apart{$_} = [$name, $user->{uid}, 1];
            $user->{keys}{$_} = { end => $end, from => $from, hosts => $hosts, text => $comment eq '' ? $key : "$key $comment" };
        }
        elsif (/^adopt ($name_rule) ([a-z_][a-z0-9_.-]*) (\d+) (home|all|-) ([!-~]+)$/) {
            my ($name, @adopt) = ($1, $2, $3, $4, $5);
            my $user = member($data, $group, $name) or odd($data, $file, $_, $name), next;
            push @{ $user->{adopt} }, { name => $adopt[0], uid => $adopt[1], files => $adopt[2] } if is_here($adopt[3]);
        }
        else { my (undef, $name, $uid) = split / /; odd($data, $file, $_, $name, $uid) }
    }
}

sub in_band { my ($data, $id) = @_; return $id >= 1000 && $id >= $data->{band}[0] && $id <= $data->{band}[1] }

sub member {
    my ($data, $group, $name) = @_;
    my $uid = defined $group ? $data->{groups}{$group}{members}{$name} : undef;
    return defined $uid ? $data->{users}{$uid} : undef;
}

# What can't be read of somebody makes nothing of theirs change, for better or worse.
sub odd {
    my ($data, $file, $line, @who) = @_;
    mark($file, "\"$line\" can't be understood: it is left as it is");
    $data->{odd}{$_} = 1 for grep { defined } @who;
}
