//! A plugins folder as it happens: files of every kind beside a good library. Each is one line, none of
//! them runs, and the good one collects.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use connector_api::module::Handshake;
use serde_json::Value;

use crate::dice::Dice;
use crate::host::{Host, Ran, library};

/// The shape of a connector library in C. Its root module is none.
const SHAPE: &str = r#"
#include <stdint.h>
struct handshake { char magic[16]; uint32_t size, major, minor, min_host_minor; };
const struct handshake CONNECTOR_API_HANDSHAKE = { HANDSHAKE };
#ifdef ROOT
const char _1as_0lib_1header_0root_bmodule_bloader[4096] = { 1 };
#endif
#ifdef NEEDS
extern int NEEDS(void);
int asked(void) { return NEEDS(); }
#endif
"#;

/// A library that leaves a file as soon as it is loaded.
const LOUD: &str = r#"
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loud(void) {
    write(1, "loaded\n", 7);
    close(open(MARK, O_CREAT | O_WRONLY, 0600));
}
"#;

const GOOD: &str = "-DHANDSHAKE=\"connector-api/hs\",32,1,0,0";

fn cc(source: &str, out: &Path, arguments: &[&str]) {
    let code = out.with_extension("c");
    fs::write(&code, source).expect("a source file");
    let made = Command::new("cc").arg(&code).arg("-o").arg(out).args(arguments).output();
    let made = made.expect("a C compiler");
    fs::remove_file(&code).expect("removed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A library's bytes with a number of its handshake changed.
fn with_handshake(bytes: &[u8], at: usize, number: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let magic = Handshake::MAGIC;
    let places = bytes.windows(magic.len()).enumerate().filter(|(_, window)| **window == magic);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty(), "the library has no handshake");
    for place in places {
        bytes[place + at..place + at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

/// A folder under test.
struct Folder {
    host: Host,
    good: Vec<u8>,
    /// Files, and a word of why each is refused.
    expected: Vec<(String, &'static str)>,
}

impl Folder {
    fn new() -> Folder {
        let host = Host::new();
        host.add_good_one();
        let good = fs::read(library("memory_connector")).expect("the library");
        Folder { host, good, expected: Vec::new() }
    }

    /// The place of a file that is to be refused for that reason.
    fn place(&mut self, name: &str, reason: &'static str) -> PathBuf {
        let name = format!("lib{name}.so");
        self.expected.push((name.clone(), reason));
        self.host.plugins().join(name)
    }

    fn put(&mut self, name: &str, reason: &'static str, bytes: impl AsRef<[u8]>) {
        fs::write(self.place(name, reason), bytes).expect("a file");
    }

    /// Each file is refused in one line, in the order of names, and the good library collects.
    fn judge(&self, run: impl Fn(&[&str]) -> Ran) {
        let ran = run(&["plugins", "list"]);
        assert!(!ran.stdout.contains("loaded\n"), "{ran:#?}");
        let ran = run(&["--json", "plugins", "list"]).ok();
        let list: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let refused: Vec<(&str, &str)> = list["refused"]
            .as_array()
            .expect("refused")
            .iter()
            .map(|file| {
                (file["path"].as_str().expect("a path"), file["reason"].as_str().expect("why"))
            })
            .collect();
        assert!(refused.is_sorted(), "{refused:#?}");
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned).unwrap_or_default();
        let mut wrong = Vec::new();
        for (file, reason) in &self.expected {
            let of: Vec<_> = refused.iter().filter(|(path, _)| name(path) == *file).collect();
            match of[..] {
                [(_, why)] if why.contains(reason) && !why.contains(['\n', '\u{1b}']) => {}
                _ => wrong.push(format!("{file}: {of:?} instead of `{reason}`")),
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(refused.len(), self.expected.len(), "{refused:#?}");

        run(&["plugins", "verify"]).code(6);
        self.host.good_one_collects("all of these");
    }
}

#[test]
fn what_is_no_sound_library_is_one_line_each_and_the_good_one_collects() {
    let mut folder = Folder::new();
    let good = folder.good.clone();
    folder.put("empty", "it is empty", "");
    folder.put("text", "not a library at all", "this is not a library\n");
    let mut dice = Dice::seeded(7);
    let random: Vec<u8> = (0..4_096).map(|_| dice.below(256) as u8).collect();
    folder.put("random", "not a library at all", &random);
    folder.put("header", "damaged or cut short", [&good[..64], &random].concat());
    fs::create_dir(folder.place("folder", "it is a folder")).expect("a folder");
    symlink("nowhere", folder.place("dangling", "No such file")).expect("a link");
    symlink("libloop.so", folder.place("loop", "symbolic links")).expect("a link");
    folder.put("unreadable", "Permission denied", &good);
    fs::set_permissions(
        folder.host.plugins().join("libunreadable.so"),
        PermissionsExt::from_mode(0o000),
    )
    .expect("a mode");
    for bytes in [63, 64, good.len() - 1] {
        folder.put(&format!("cut{bytes}"), "cut short", &good[..bytes]);
    }
    for percent in [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99] {
        let bytes = &good[..good.len() * percent / 100];
        folder.put(&format!("cut{percent}percent"), "cut short", bytes);
    }
    let patched = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    // The fields e_machine, EI_CLASS and EI_DATA of the ELF header.
    folder.put(
        "foreign",
        "it is made for",
        patched(18, if cfg!(target_arch = "aarch64") { 62 } else { 183 }),
    );
    folder.put("narrow", "damaged", patched(4, 1));
    folder.put("bigendian", "damaged", patched(5, 2));
    folder.put("narrower", "it is made for I386", narrow_library());
    folder.put(
        "majornew",
        "rebuild the connector with connector-api 1",
        with_handshake(&good, 20, 2),
    );
    folder.put(
        "hostnew",
        "it needs a host with contract 1.7 or later, this host has 1.0: update the endpoint server",
        with_handshake(&good, 28, 7),
    );
    folder.put("twin", "it offers feature `memory`", &good);
    // The same file once more is no second library.
    symlink("libmemory_connector.so", folder.host.plugins().join("libsame.so")).expect("a link");
    fs::write(folder.host.plugins().join("notes.txt"), "bring milk").expect("a file");
    folder.judge(|arguments| without_override(&folder.host, arguments));
}

/// A library of a 32-bit system, as small as it can be: a header and nothing else.
fn narrow_library() -> Vec<u8> {
    // Class 32 bit, little endian; type "shared object", machine 80386, version 1; 52 bytes of header.
    let mut bytes = [&b"\x7fELF\x01\x01\x01"[..], &[0; 9], &[3, 0, 3, 0, 1]].concat();
    bytes.resize(52, 0);
    bytes[40] = 52;
    bytes
}

/// Runs the host so that even root may read only what a file's mode allows.
fn without_override(host: &Host, arguments: &[&str]) -> Ran {
    let command = host.command(arguments);
    if !rustix::process::geteuid().is_root() {
        return host.run(arguments);
    }
    let drop = "-dac_override,-dac_read_search";
    let mut as_owner = Command::new("setpriv");
    as_owner.env_clear().arg("--inh-caps").arg(drop).arg("--bounding-set").arg(drop);
    as_owner.arg(command.get_program()).args(command.get_args());
    Ran::of(&mut as_owner, "")
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_of_another_purpose_is_refused_before_any_of_it_runs() {
    let mut folder = Folder::new();
    let mark = folder.host.path("mark");
    let marked = format!("-DMARK=\"{}\"", mark.display());
    let shared = ["-shared", "-fPIC"];
    let plain = |define| [&shared[..], &[define]].concat();
    cc("int main(void) { return 0; }", &folder.place("program", "a program"), &["-no-pie"]);
    cc("int main(void) { return 0; }", &folder.place("pie", "not a connector"), &["-pie", "-fPIE"]);
    fs::copy(libc(), folder.place("system", "not a connector (no handshake)")).expect("a copy");
    cc("int other(void) { return 1; }", &folder.place("plain", "no handshake"), &shared);
    cc(LOUD, &folder.place("loud", "no handshake"), &[&shared[..], &[&marked]].concat());
    let wrong = "-DHANDSHAKE=\"connector-api/HS\",32,1,0,0";
    let short = "-DHANDSHAKE=\"connector-api/hs\",31,1,0,0";
    cc(
        &[SHAPE, LOUD].concat(),
        &folder.place("magic", "not that of a connector"),
        &[&shared[..], &[wrong, "-DROOT", &marked]].concat(),
    );
    cc(
        &[SHAPE, LOUD].concat(),
        &folder.place("short", "cut short"),
        &[&shared[..], &[short, "-DROOT", &marked]].concat(),
    );
    cc(SHAPE, &folder.place("rootless", "no root module"), &plain(GOOD));
    // From here on the file is as it should be, and only the system's loader can tell.
    let absent = folder.host.path("libabsent.so");
    cc("int absent(void) { return 1; }", &absent, &shared);
    let needs =
        [&shared[..], &[GOOD, "-DROOT", "-DNEEDS=absent", absent.to_str().expect("a path")]];
    cc(SHAPE, &folder.place("needy", "libabsent.so"), &needs.concat());
    fs::remove_file(&absent).expect("removed");
    let undefined = [&shared[..], &[GOOD, "-DROOT", "-DNEEDS=nowhere_to_be_found", "-Wl,-z,lazy"]];
    cc(SHAPE, &folder.place("undefined", "nowhere_to_be_found"), &undefined.concat());
    cc(
        SHAPE,
        &folder.place("hollow", "of another ABI library: rebuild it"),
        &[&shared[..], &[GOOD, "-DROOT"]].concat(),
    );
    folder.judge(|arguments| folder.host.run(arguments));
    assert!(!mark.exists(), "code of a refused library ran");

    // The control: with everything in its place it is loaded, and so its code runs.
    let loaded = folder.place("loaded", "of another ABI library: rebuild it");
    cc(&[SHAPE, LOUD].concat(), &loaded, &[&shared[..], &[GOOD, "-DROOT", &marked]].concat());
    folder.host.run(&["plugins", "list"]).ok();
    assert!(mark.exists(), "the control did not run");
}

/// The C library this test uses itself.
fn libc() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("the mappings");
    let line = maps.lines().find(|line| line.contains("libc.so")).expect("the C library");
    line.split_whitespace().next_back().expect("a path").into()
}
