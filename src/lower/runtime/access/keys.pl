# ----------------------------------------------------------------------------------------------------------------- keys

# sshd opens the file as the person: it is for all to read, and root's. Nothing secret is in it.
my $keys_head = "# Managed by @PREFIX@-access: what is changed here is changed back.\n";

sub key_text { my ($one) = @_; return $keys_head . join '', map { "$_\n" } @{ $one->{lines} } }

# Takes away the keys of everybody who is not wanted, and single keys of those who are: their accounts are there.
sub take_keys {
    my ($plan, $data) = @_;
    my %keep = map { $_->{name} => $_ } values %{ $plan->{want} };
    # Of whom is left as it is, and of who is being renamed, until the new name is there.
    my %left = map { $_ => 1 } keys %{ $data->{odd} }, keys %{ $plan->{aside} },
        map({ $plan->{ours}{$_} } grep { $plan->{want}{$_} || !$plan->{leave}{$_} } keys %{ $plan->{ours} });
    for my $name (names($keys)) {
        next if $name =~ /^\./;
        my $one = $keep{$name};
        if ($one) { write_keys($one) if -e "$keys/$name" }
        elsif (!$left{$name}) {
            attempt($name, sub { told("$name: the keys are taken away"); $dry || unlink "$keys/$name" or die "can't remove $keys/$name: $!" });
        }
    }
}

# For those whose accounts are there now.
sub give_keys {
    my ($plan, $db, $data) = @_;
    my %keep = map { $_ => 1 } keys %{ $data->{odd} }, keys %{ $plan->{aside} }, map({ $plan->{ours}{$_} } grep { !$plan->{leave}{$_} && !$plan->{want}{$_} } keys %{ $plan->{ours} });
    for my $uid (sort { $a <=> $b } keys %{ $plan->{want} }) {
        my $one = $plan->{want}{$uid};
        my $line = $db->{passwd}{by_id}{$uid};
        my $there = $line && $line->[0] eq $one->{name} && !$record{adopting}{$uid};
        $keep{ $one->{name} } = 1;
        $keep{ $one->{old} } = 1 if defined $one->{old} && !$there;
        write_keys($one) if $there || $dry;
    }
    for my $name (grep { !/^\./ && !$keep{$_} } names($keys)) {
        attempt($name, sub { $dry || unlink "$keys/$name" or die "can't remove $keys/$name: $!" });
    }
}

sub write_keys {
    my ($one) = @_;
    my ($path, $text) = ("$keys/$one->{name}", key_text($one));
    my @is = lstat $path;
    return if @is && S_ISREG($is[2]) && ($is[2] & 07777) == 0644 && $is[4] == 0 && $is[5] == 0 && (slurp($path) // '') eq $text;
    attempt($one->{name}, sub {
        my $count = @{ $one->{lines} };
        told("$one->{name}: " . ($count == 1 ? '1 key' : "$count keys"));
        replace($path, $text, 0644, "$keys/.new", 0, 0) unless $dry;
    });
}

sub make_key_directory {
    my @is = lstat $keys;
    return if @is && S_ISDIR($is[2]) && ($is[2] & 07777) == 0755 && $is[4] == 0 && $is[5] == 0;
    return if $dry;
    mkdir $keys =~ s{/[^/]+$}{}r, 0755; # sshd may come later
    if (@is && !S_ISDIR($is[2])) { unlink $keys or die "can't remove $keys: $!" }
    if (!-d $keys) { mkdir $keys, 0755 or die "can't make $keys: $!" }
    chown 0, 0, $keys;
    chmod 0755, $keys or die "can't change the mode of $keys: $!";
}

# What sshd itself says that it will do, for somebody of each set of groups; asked again when anything of it changes. An
# sshd_config without the Include of its directory would have people's own ~/.ssh/authorized_keys count.
sub check_sshd {
    my ($plan, $db) = @_;
    return unless -x '/usr/sbin/sshd';
    my %sets;
    for my $uid (sort { $a <=> $b } keys %{ $plan->{want} }) {
        my $one = $plan->{want}{$uid};
        my $line = $db->{passwd}{by_id}{$uid};
        $sets{ join ',', sort keys %{ $one->{teams} } } //= $one->{name} if $line && $line->[0] eq $one->{name};
    }
    my @names = sort values %sets;
    splice @names, 20 if @names > 20;
    return unless @names;
    my @files = ('/usr/sbin/sshd', "$share/sshd.conf", '/etc/ssh/sshd_config', map { "/etc/ssh/sshd_config.d/$_" } names('/etc/ssh/sshd_config.d'));
    checked('sshd', join(' ', @names, fingerprint(@files)), sub {
        # As ssh.service does; nothing of it may write to the key directory.
        mkdir '/run/sshd', 0755;
        for my $name (@names) {
            my ($status, $said) = said('/usr/sbin/sshd', '-T', '-C', "user=$name,host=localhost,addr=127.0.0.1");
            my ($last) = $said =~ /([^\n]*)\n*\z/;
            return "sshd: can't be asked where it reads keys ($last)" if $status;
            my ($file) = $said =~ /^authorizedkeysfile (.*)$/m;
            my ($command) = $said =~ /^authorizedkeyscommand (.*)$/m;
            my $hint = (slurp('/etc/ssh/sshd_config') // '') =~ m{^\s*Include\s+\S*sshd_config\.d/}mi ? '' : ' (/etc/ssh/sshd_config has no Include of /etc/ssh/sshd_config.d/*.conf)';
            return "sshd: reads the keys of $name from " . ($file // 'nowhere') . ", not from $keys/%u$hint: keys that the tree does not know are good"
                unless defined $file && $file eq "$keys/%u";
            return "sshd: asks $command for keys of $name$hint: keys that the tree does not know are good" if defined $command && $command ne 'none';
        }
        return '';
    });
}

# The assembled tree: a file that is right alone may be wrong beside the others, and then nobody has sudo.
sub check_sudoers {
    return unless -x '/usr/sbin/visudo';
    checked('sudoers', fingerprint('/usr/sbin/visudo', '/etc/sudoers', map { "/etc/sudoers.d/$_" } names('/etc/sudoers.d')), sub {
        my ($status, $said) = said('/usr/sbin/visudo', '-c');
        return $status ? 'sudoers: visudo -c: ' . join ' ', grep { !/: parsed OK$/ } split /\n/, $said : '';
    });
}

sub fingerprint { return join ' ', map { my @is = stat; "$_:" . join(',', @is ? @is[0, 1, 2, 4, 5, 7, 9, 10] : ()) } @_ }

# checked WHAT, FINGERPRINT, CODE: CODE's text is a mark; it runs again when the fingerprint is another.
sub checked {
    my ($what, $fingerprint, $code) = @_;
    my $file = "$state/checked.$what";
    my ($before_, $text) = (slurp($file) // '') =~ /\A([^\n]*)\n(.*)\z/s;
    if (!defined $before_ || $before_ ne $fingerprint) {
        $text = $code->();
        attempt($what, sub { replace($file, "$fingerprint\n$text", 0600, "$file.new") }) unless $dry;
    }
    mark(split /: /, $text, 2) if $text ne '';
}
