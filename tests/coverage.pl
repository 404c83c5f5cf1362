#!/usr/bin/perl
# The shell's grammar for tests/coverage.sh, as shfmt(1) reads it.
#
#   coverage.pl probes SCRIPT               the script, on the same lines, each command preceded by a probe
#   coverage.pl report SCRIPT HITS PARTS    what was reached; HITS: the probes' numbers, PARTS: "LINE FILE" a line, where
#                                           each part begins in the script
#
# A command is a simple command, or a `case`, `for` or `while` as a whole. A branch is one of:
#   both ways of an `if` or `elif`; each arm of a `case` (those without a command together, as one);
#   what follows `&&` or `||`, run, and passed over.
use strict;
use warnings;
use JSON::PP;

my ($what, $script, $hits, $parts) = @ARGV;
my $text = do { local (@ARGV, $/) = $script; <> };
my $tree = do {
    open my $pipe, '-|', "shfmt -ln posix --to-json <'$script'" or die "shfmt: $!\n";
    local $/;
    decode_json(<$pipe> // die "shfmt cannot read $script\n");
};

my (@commands, @branches, %functions, @inserts);    # commands: { line, function }, by number
my $function = 'start';

sub text_at { my ($node, $end) = @_; substr $text, $node->{Pos}{Offset}, ($end // $node->{End}{Offset}) - $node->{Pos}{Offset} }

# A command's place: its number.
sub place {
    my ($statement) = @_;
    my ($command, @redirections) = ($statement->{Cmd}, @{ $statement->{Redirs} // [] });
    my $from = ($command // $statement)->{Pos};
    my @ends = ($command ? $command->{End}{Offset} : (), map { $_->{Word}{End}{Offset} } @redirections);
    my ($end) = sort { $b <=> $a } @ends;
    my $number = @commands;
    my ($line) = substr($text, $from->{Offset}, $end - $from->{Offset}) =~ /^(.*)/;
    push @commands, { line => $from->{Line}, function => $function, text => $line };
    push @inserts, [$from->{Offset}, 1, $number, "{ probe_ $number; "], [$end, 0, -$number, '; }'];
    return $number;
}

# What is run by $( ) in words.
sub words {
    my ($node) = @_;
    if (ref $node eq 'ARRAY') { words($_) for @$node }
    elsif (ref $node eq 'HASH') {
        if (($node->{Type} // '') eq 'CmdSubst') { statements($node->{Stmts}) }
        else { words($node->{$_}) for sort keys %$node }
    }
}

sub statements { my @first = map { statement($_) } @{ $_[0] // [] }; return $first[0] }

sub branch { my ($line, $says, $seen) = @_; push @branches, { line => $line, function => $function, says => $says, seen => $seen } }

sub shown { my ($at) = @_; my $s = $commands[$at]{text}; length $s > 90 ? substr($s, 0, 87) . '...' : $s }

# statement NODE: the number of the command that is run first.
sub statement {
    my ($s) = @_;
    my $c = $s->{Cmd};
    my $type = $c ? $c->{Type} : 'CallExpr';
    if ($type eq 'FuncDecl') {
        my $outer = $function;
        $function = $c->{Name}{Value};
        $functions{$function} = { line => $c->{Pos}{Line}, first => statement($c->{Body}) };
        $function = $outer;
        return undef;
    }
    words($s->{Redirs}) if $type ne 'CallExpr';
    if ($type eq 'BinaryCmd') {
        my ($first, $then) = (statement($c->{X}), statement($c->{Y}));
        return $first unless $c->{Op} == 10 || $c->{Op} == 11;    # a pipe
        my $line = $commands[$then]{line};
        my $sign = $c->{Op} == 10 ? '&&' : '||';
        branch($line, "never run: $sign " . shown($then), sub { $_[0][$then] });
        branch($line, "never passed over: $sign " . shown($then), sub { $_[0][$first] > $_[0][$then] });
        return $first;
    }
    return statements($c->{Stmts}) if $type eq 'Block' || $type eq 'Subshell';
    if ($type eq 'IfClause') {
        my $first = statements($c->{Cond});
        my $then = statements($c->{Then});
        my $otherwise = $c->{Else};
        my $line = $commands[$first]{line};
        branch($line, 'never true: ' . shown($first), sub { $_[0][$then] });
        my $else = $otherwise && ($otherwise->{Cond} && @{ $otherwise->{Cond} } ? statement({ Cmd => { %$otherwise, Type => 'IfClause' } }) : statements($otherwise->{Then}));
        branch($line, 'never false: ' . shown($first), defined $else ? sub { $_[0][$else] } : sub { $_[0][$first] > $_[0][$then] });
        return $first;
    }
    my $number = place($s);
    if ($type eq 'CallExpr') { words($s) }
    elsif ($type eq 'WhileClause') { statements($c->{Cond}); statements($c->{Do}) }
    elsif ($type eq 'ForClause') { words($c->{Loop}); statements($c->{Do}) }
    elsif ($type eq 'CaseClause') {
        words($c->{Word});
        my (@arms, $bare);
        for my $item (@{ $c->{Items} }) {
            my $first = statements($item->{Stmts});
            if (!defined $first) { $bare = 1; next }
            push @arms, $first;
            my $says = 'arm never taken: ' . substr($text, $item->{Pos}{Offset}, 60);
            $says =~ s/\n.*//s;
            branch($item->{Pos}{Line}, $says, sub { $_[0][$first] });
        }
        branch($c->{Pos}{Line}, 'no arm without a command was taken: ' . shown($number), sub { my $n = $_[0][$number]; $n -= $_[0][$_] for @arms; $n > 0 }) if $bare;
    }
    else { die "line $s->{Pos}{Line}: $type is not known here\n" }
    return $number;
}

statements($tree->{Stmts});

if ($what eq 'probes') {
    for my $insert (sort { $b->[0] <=> $a->[0] || $b->[1] <=> $a->[1] || $b->[2] <=> $a->[2] } @inserts) {
        substr($text, $insert->[0], 0) = $insert->[3];
    }
    my $probe = 'probe_() { probed_=$?; echo "$1" >>/dev/coverage/hits; return $probed_; }';
    $text =~ s/\A(#!.*\n)#.*\n/$1$probe\n/ or die "the script's second line is no comment\n";
    print $text;
    exit;
}

my @count = (0) x @commands;
open my $file, '<', $hits or die "$hits: $!\n";
while (<$file>) { $count[$1]++ if /^(\d+)$/ && $1 < @count }
my @starts;
open $file, '<', $parts or die "$parts: $!\n";
while (<$file>) { push @starts, [split] }
sub at {
    my ($line) = @_;
    my ($part) = grep { $_->[0] <= $line } reverse @starts;
    return "$part->[1]:" . ($line - $part->[0] + 1);
}
my (%lines, %hit);
for my $number (0 .. $#commands) {
    my $command = $commands[$number];
    $lines{ $command->{line} } //= $command;
    $hit{ $command->{line} } = 1 if $count[$number];
}
my @unseen = grep { !$functions{$_}{first} || !$count[ $functions{$_}{first} ] } sort keys %functions;
print "function not reached: ", at($functions{$_}{line}), " $_\n" for @unseen;
for my $line (sort { $a <=> $b } grep { !$hit{$_} } keys %lines) {
    print "line not reached: ", at($line), " $lines{$line}{function}: ", $lines{$line}{text}, "\n";
}
my $seen = 0;
for my $branch (sort { $a->{line} <=> $b->{line} } @branches) {
    if ($branch->{seen}->(\@count)) { $seen++ }
    else { print "branch: ", at($branch->{line}), " $branch->{function}: $branch->{says}\n" }
}
printf "%s: functions %d of %d, lines %d of %d (%.1f %%), commands %d of %d (%.1f %%), branches %d of %d (%.1f %%)\n",
    'reached', keys(%functions) - @unseen, scalar keys %functions,
    map { my ($some, $all) = @$_; ($some, $all, 100 * $some / $all) } [scalar keys %hit, scalar keys %lines],
    [scalar(grep { $_ } @count), scalar @count], [$seen, scalar @branches];
