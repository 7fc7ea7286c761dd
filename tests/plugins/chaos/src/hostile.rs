//! What a library can do to the process it runs in. None of it returns an error by the rules.
#![expect(
    clippy::undocumented_unsafe_blocks,
    clippy::panic,
    clippy::print_stdout,
    reason = "this file breaks the rules on purpose"
)]

use std::hint::black_box;
use std::io::Write;
use std::os::fd::FromRawFd;

use connector_api::Host;

unsafe extern "C" {
    fn close(fd: i32) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn kill(pid: i32, signal: i32) -> i32;
    fn getpid() -> i32;
    fn free(pointer: *mut u8);
    fn malloc(size: usize) -> *mut u8;
}

/// The word in the library's own bytes.
pub(super) fn mode(bytes: &'static [u8; 64]) -> &'static str {
    let word = bytes[11..].split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(black_box(word)).unwrap_or_default()
}

/// Does it.
pub(super) fn act(what: &str, host: &Host) {
    match what {
        "panic" => panic!("told to panic"),
        "abort-now" => std::process::abort(),
        "exit-0" => std::process::exit(0),
        "exit-77" => std::process::exit(77),
        "segfault" => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
        "overflow" => {
            black_box(deep(0));
        }
        "memory" => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1_u8; 64 << 20]);
                black_box(&all);
            }
        }
        "processor" | "spin" => loop {
            std::hint::spin_loop();
        },
        "park" => loop {
            std::thread::park();
        },
        "double-free" => unsafe {
            let pointer = malloc(1_000);
            free(pointer);
            free(pointer);
        },
        "kill-self" => unsafe {
            kill(getpid(), 9);
        },
        "close-all" => {
            for fd in 0..256 {
                unsafe { close(fd) };
            }
        }
        "garbage" => each_descriptor(b"this is no frame, whoever reads it"),
        "half-a-frame" => each_descriptor(b"m\xff\x00\x00\x00{"),
        "huge-frame" => each_descriptor(b"b\xff\xff\xff\xff"),
        "odd-message" => each_descriptor(b"m\x02\x00\x00\x00[]"),
        "odd-batch" => each_descriptor(b"b\x09\x00\x00\x00\x01\x00\x00\x00\x01\x00axy"),
        "write-a-file" => {
            let path = std::env::temp_dir().join(format!("chaos-{}", std::process::id()));
            let _ = std::fs::File::create(&path).and_then(|mut file| file.write_all(b"x"));
        }
        "noise" => {
            for line in 0..20_000 {
                println!("noise {line} \u{1b}[31m");
            }
        }
        "ignore-signals" => {
            unsafe { signal(15, 1) };
            loop {
                std::hint::spin_loop();
            }
        }
        "stray-thread" => {
            let host = host.clone();
            std::thread::spawn(move || {
                loop {
                    host.progress("thing", 1, None);
                }
            });
        }
        "grandchild" => {
            let _ = std::process::Command::new("/bin/sleep").arg("600").spawn();
            std::process::exit(0);
        }
        "elsewhere" => {
            let _ = std::env::set_current_dir("/");
            unsafe { std::env::set_var("HTTPS_PROXY", "http://evil.example") };
        }
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deep(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    deep(depth + 1) + room[0]
}

/// Writes into every open descriptor that may be the way to the host.
fn each_descriptor(bytes: &[u8]) {
    for fd in 3..32 {
        let mut file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
        let _ = file.write_all(bytes);
    }
    std::process::exit(0);
}
