#!/usr/bin/perl
# Presses the power button of the machine in this directory, and waits until it is off.
use strict;
use Fcntl ':flock';
use IO::Socket::UNIX;
chdir $1 if $0 =~ m{^(.*)/};
open my $lock, '<', 'lock' or exit 0;
for my $tenth (0 .. 1200) {
    exit 0 if flock $lock, LOCK_SH | LOCK_NB;
    # Again every ten seconds: a guest that is still booting does not hear it.
    if ($tenth % 100 == 0 and my $qemu = IO::Socket::UNIX->new(Peer => 'qmp.sock')) {
        print $qemu qq({"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n);
        $qemu->flush;
        sysread $qemu, my $answer, 4096 for 1 .. 3;
    }
    select undef, undef, undef, 0.1;
}
