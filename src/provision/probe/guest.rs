//! The smallest guests: one says a word on its serial console and turns itself off. As a boot sector, and as the first
//! program of a kernel. Written as machine code, byte by byte, so that nothing has to be installed for them.

/// What a guest says.
pub const WORD: &str = "debrole: a guest runs";

/// How large the disk is: the BIOS starts from no smaller one. Bytes.
const DISK: usize = 1 << 20;

/// A disk whose boot sector writes `word` and a line's end to the first serial port and turns the machine off. For a PC
/// with a BIOS, at most 400 bytes.
pub fn boot_disk(word: &str) -> Vec<u8> {
    sector(
        word,
        &[
            0xba, 0x04, 0x06, // mov dx, 0x604       the power management's control register of QEMU's chipsets
            0xb8, 0x00, 0x20, // mov ax, 0x2000      "sleep" into S5
            0xef, //             out dx, ax
        ],
    )
}

/// The same, but the machine stays on until it is turned off from outside.
pub fn boot_disk_that_stays(word: &str) -> Vec<u8> {
    sector(word, &[])
}

fn sector(word: &str, after: &[u8]) -> Vec<u8> {
    let mut code = vec![
        0x31, 0xc0, //       xor ax, ax
        0x8e, 0xd8, //       mov ds, ax
        0xfc, //             cld
        0xbe, 0x00, 0x00, // mov si, word        filled in below
        0xba, 0xf8, 0x03, // mov dx, 0x3f8       the serial port
        0xac, //       next: lodsb
        0x84, 0xc0, //       test al, al
        0x74, 0x03, //       jz after
        0xee, //             out dx, al
        0xeb, 0xf8, //       jmp next
    ];
    code.extend(after); //  after:
    code.extend([
        0xf4, //       stop: hlt
        0xeb, 0xfd, //       jmp stop
    ]);
    // The BIOS loads it to 0x7c00.
    let at = 0x7c00 + code.len() as u16;
    code[6..8].copy_from_slice(&at.to_le_bytes());
    code.extend(word.as_bytes());
    code.extend(b"\r\n\0");
    assert!(code.len() <= 510, "a boot sector has 510 bytes");
    code.resize(510, 0);
    code.extend([0x55, 0xaa]);
    code.resize(DISK, 0);
    code
}

/// An initramfs (cpio, "newc") whose /init writes `word` and a line's end to its console and turns the machine off. For
/// kernels of amd64.
pub fn initramfs(word: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    entry(&mut archive, "dev", 0o040755, (0, 0), &[]);
    // The kernel opens it for its first program.
    entry(&mut archive, "dev/console", 0o020600, (5, 1), &[]);
    entry(&mut archive, "init", 0o100755, (0, 0), &program(word));
    entry(&mut archive, "TRAILER!!!", 0, (0, 0), &[]);
    archive.resize(archive.len().next_multiple_of(512), 0);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
    let number = archive.len() as u32;
    let size = content.len() as u32;
    // inode, mode, uid, gid, links, mtime, size, device, device of a node, name with its end, checksum
    let fields = [number, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name.len() as u32 + 1, 0];
    archive.extend(b"070701");
    archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
    archive.extend(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// An ELF program: one segment, loaded as it is.
fn program(word: &str) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let text = format!("{word}\n");
    let mut code = vec![
        0xb8, 1, 0, 0, 0, //                        mov eax, 1             write(
        0xbf, 1, 0, 0, 0, //                        mov edi, 1               standard output,
        0x48, 0x8d, 0x35, 0x1f, 0, 0, 0, //         lea rsi, [rip + 0x1f]    the word,
        0xba, 0, 0, 0, 0, //                        mov edx, length          its length)
        0x0f, 0x05, //                              syscall
        0xb8, 169, 0, 0, 0, //                      mov eax, 169           reboot(2)(
        0xbf, 0xad, 0xde, 0xe1, 0xfe, //            mov edi, 0xfee1dead
        0xbe, 0x69, 0x19, 0x12, 0x28, //            mov esi, 0x28121969
        0xba, 0xdc, 0xfe, 0x21, 0x43, //            mov edx, 0x4321fedc      power off)
        0x0f, 0x05, //                              syscall
        0xeb, 0xfe, //                              jmp to itself
    ];
    code[18..22].copy_from_slice(&(text.len() as u32).to_le_bytes());
    code.extend(text.as_bytes());
    let size = HEADERS + code.len() as u64;
    let mut elf = Vec::new();
    // 64 bits, little-endian, version 1
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]); // an executable, for x86-64, version 1
    elf.extend((BASE + HEADERS).to_le_bytes()); // where it begins
    elf.extend(64u64.to_le_bytes()); // the segment's header
    elf.extend(0u64.to_le_bytes()); // no sections
    elf.extend(0u32.to_le_bytes()); // no flags
    elf.extend([64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]); // sizes and counts of headers
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]); // to be loaded; readable, executable
    for field in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(u64::to_le_bytes(field));
    }
    elf.extend(code);
    elf
}
