# Writes its standard input to FILE. At LIMIT bytes, FILE becomes FILE.1 in place of the FILE.1 before it.
# What can't be written (a full disk) is lost: whoever writes must never wait for it.
use strict;
my ($file, $limit) = @ARGV;
open my $out, '>>', $file;
my $size = $out ? -s $out : 0;
while (sysread STDIN, my $text, 65536) {
    if (!$out || $size + length $text > $limit) {
        rename $file, "$file.1";
        open $out, '>', $file or next;
        $size = 0;
    }
    $size += syswrite($out, $text) || 0;
}
