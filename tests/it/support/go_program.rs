//! An executable that has only Go's build information, as the linker writes it (Go:
//! `debug/buildinfo`).

/// A 64-bit ELF file whose section `.go.buildinfo` names one module.
pub(crate) fn go_program(module: &str, version: &str) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.shstrtab\0.go.buildinfo\0";
    const HEADERS: u64 = 64 + 3 * 64;
    let mark = "-".repeat(16);
    let modules = format!("{mark}path\tx\ndep\t{module}\t{version}\th1:sum=\n{mark}");
    let mut file = b"\x7fELF\x02\x01".to_vec();
    file.resize(40, 0);
    file.extend(64u64.to_le_bytes());
    file.resize(58, 0);
    for number in [64u16, 3, 1] {
        file.extend(number.to_le_bytes());
    }
    file.resize(128, 0);
    for (name, offset) in [(1u32, HEADERS), (11, HEADERS + NAMES.len() as u64)] {
        let end = file.len() + 64;
        file.extend(name.to_le_bytes());
        file.extend([0; 20]);
        file.extend(offset.to_le_bytes());
        file.resize(end, 0);
    }
    file.extend(NAMES);
    // The size of pointers, and the flag that strings follow inline, each after its
    // length.
    file.extend(b"\xff Go buildinf:\x08\x02");
    file.extend([0; 16]);
    file.push(0);
    let length = u8::try_from(modules.len()).unwrap();
    file.extend([length | 0x80, length >> 7]);
    file.extend(modules.as_bytes());
    file
}
