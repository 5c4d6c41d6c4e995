use std::io::Write;

use super::*;

const MODULES: &str = "path\tgithub.com/cri-o/cri-o/cmd/crio\nmod\tgithub.com/cri-o/cri-o\tv1.37.0\t\n\
    dep\tgithub.com/a/b\tv1.0.0\th1:sum=\ndep\tgo.podman.io/image/v5\tv5.38.0\th1:sum=\n\
    =>\tgithub.com/fork/image/v5\tv5.39.2\th1:sum=\ndep\tlast\tv0.1.0\nbuild\t-compiler=gc\tx\n";

/// How the linker writes the strings.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Strings {
    Inline,
    Pointers,
}

/// The smallest ELF file with build information: header, one segment that maps the
/// whole file, three sections (none, names, build information).
fn executable(strings: Strings, is_big_endian: bool, modules: &str) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const NAMES: &[u8] = b"\0.shstrtab\0.go.buildinfo\0";
    let number = |value: u64, size: usize| {
        if is_big_endian {
            value.to_be_bytes()[8 - size..].to_vec()
        } else {
            value.to_le_bytes()[..size].to_vec()
        }
    };
    let text = format!("{0}{modules}{0}", "-".repeat(MARK));
    let at_info = 64 + 56 + 3 * 64 + NAMES.len() as u64;
    let mut info = [MAGIC, &[8]].concat();
    match strings {
        Strings::Inline => {
            info.push(INLINE);
            info.resize(HEADER, 0);
            info.extend(b"\x06go1.24");
            let length = u16::try_from(text.len()).unwrap();
            let [low, high] = (length << 1).to_le_bytes();
            info.extend([low >> 1 | 0x80, high]);
        }
        Strings::Pointers => {
            info.push(u8::from(is_big_endian));
            // The header of the version string is not read.
            info.extend(number(0, 8));
            info.extend(number(BASE + at_info + HEADER as u64, 8));
            info.extend(number(BASE + at_info + HEADER as u64 + 16, 8));
            info.extend(number(text.len() as u64, 8));
        }
    }
    info.extend(text.as_bytes());
    let size = at_info + info.len() as u64;

    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1 + u8::from(is_big_endian)];
    file.resize(32, 0);
    for (value, size) in [
        (64, 8),
        (64 + 56, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (64, 2),
        (3, 2),
        (1, 2),
    ] {
        file.extend(number(value, size));
    }
    for (value, size) in [
        (PT_LOAD, 4),
        (0, 4),
        (0, 8),
        (BASE, 8),
        (BASE, 8),
        (size, 8),
        (size, 8),
        (0, 8),
    ] {
        file.extend(number(value, size));
    }
    let section = |name, offset| {
        let mut header = number(name, 4);
        header.resize(24, 0);
        header.extend(number(offset, 8));
        header.resize(64, 0);
        header
    };
    file.extend([0; 64]);
    file.extend(section(1, 64 + 56 + 3 * 64));
    file.extend(section(11, at_info));
    file.extend(NAMES);
    file.extend(info);
    file
}

fn read(bytes: &[u8]) -> Result<Vec<Module>, BuildInfoError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    modules(&file)
}

#[test]
fn modules_are_read_in_both_formats_and_byte_orders() {
    let module = |path: &str, version: &str| Module {
        path: path.to_owned(),
        version: version.to_owned(),
    };
    let expected = [
        module("github.com/a/b", "v1.0.0"),
        module("go.podman.io/image/v5", "v5.39.2"),
        module("last", "v0.1.0"),
    ];
    for strings in [Strings::Inline, Strings::Pointers] {
        for is_big_endian in [false, true] {
            let found = read(&executable(strings, is_big_endian, MODULES));
            assert_eq!(found.unwrap(), expected, "{strings:?} {is_big_endian}");
        }
    }
}

#[test]
fn no_change_of_a_byte_causes_a_panic_or_a_hang() {
    for strings in [Strings::Inline, Strings::Pointers] {
        let whole = executable(strings, false, MODULES);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{strings:?} {length}");
        }
        // With any value of any byte, there is a result, and soon.
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                read(&changed).map_or_else(drop, drop);
            }
        }
    }
    for other in [&b""[..], b"#!/bin/sh\n", &[0; 4096]] {
        assert!(read(other).is_err());
    }
}

#[test]
fn a_length_is_bounded() {
    let mut huge = executable(Strings::Inline, false, MODULES);
    let at = huge.windows(6).position(|part| part == b"go1.24").unwrap() + 6;
    huge[at..at + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(read(&huge), Err(BuildInfoError::None)));
}
