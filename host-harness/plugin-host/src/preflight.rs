//! Looks at a library's *file* before any code of it runs: loading a foreign library runs its
//! constructors, and loading one that was cut short kills the process.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use connector_api::module::{HANDSHAKE_SYMBOL, Handshake, ROOT_MODULE_SYMBOL};
use object::read::ReadCache;
use object::read::{ExportTarget, NameOrOrdinal};
use object::{
    Architecture, BinaryFormat, Object, ObjectKind, ObjectSection, ObjectSegment, ReadRef,
};

/// Larger files are refused unread.
const LARGEST: u64 = 1 << 30;

/// Why a file is not a connector library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is a sound library of another purpose: no handshake. Expected in folders that hold other
    /// libraries too.
    Foreign(String),
    /// Anything else, in one line.
    Bad(String),
}

impl Refusal {
    /// The one line.
    pub fn reason(&self) -> &str {
        match self {
            Refusal::Foreign(reason) | Refusal::Bad(reason) => reason,
        }
    }
}

/// Checks what kind of file it is, without reading it.
///
/// # Errors
/// Why it is refused.
pub(crate) fn check_place(path: &Path) -> Result<(), Refusal> {
    let bad = |reason: String| Refusal::Bad(reason);
    let metadata =
        std::fs::metadata(path).map_err(|error| bad(format!("it cannot be read: {error}")))?;
    if metadata.is_dir() {
        return Err(bad("it is a folder".into()));
    }
    if !metadata.is_file() {
        return Err(bad("it is not a regular file".into()));
    }
    match metadata.len() {
        0 => return Err(bad("it is empty".into())),
        length if length > LARGEST => {
            return Err(bad(format!("it is larger than {} MiB", LARGEST >> 20)));
        }
        _ => {}
    }
    refuse_writable_by_others(&metadata)
}

/// Checks a file without running any code of it; answers its handshake.
///
/// # Errors
/// Why it is refused.
pub fn check(path: &Path) -> Result<Handshake, Refusal> {
    check_place(path)?;
    let unreadable = |error| Refusal::Bad(format!("it cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    check_bytes(file, length)
}

#[cfg(unix)]
fn refuse_writable_by_others(metadata: &std::fs::Metadata) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o002 == 0 {
        return Ok(());
    }
    Err(Refusal::Bad("every account may write to it: run `chmod o-w` on it".into()))
}

#[cfg(not(unix))]
fn refuse_writable_by_others(_: &std::fs::Metadata) -> Result<(), Refusal> {
    Ok(())
}

/// Checks a library's bytes; answers its handshake.
pub(crate) fn check_bytes(file: File, length: u64) -> Result<Handshake, Refusal> {
    let bad = |reason: String| Refusal::Bad(reason);
    let cache = ReadCache::new(file);
    let kind =
        object::FileKind::parse(&cache).map_err(|_| bad("it is not a library at all".into()))?;
    let object = object::File::parse(&cache).map_err(|error| {
        bad(match kind {
            object::FileKind::MachOFat32 | object::FileKind::MachOFat64 => {
                "it holds several architectures: install the one of this computer".into()
            }
            _ => format!("it is damaged or cut short, copy it again ({error})"),
        })
    })?;
    if object.format() != BinaryFormat::native_object() {
        return Err(bad(format!("it is made for another system ({:?})", object.format())));
    }
    let wrong_machine = native_architecture().is_some_and(|native| native != object.architecture())
        || object.is_64() != cfg!(target_pointer_width = "64")
        || object.is_little_endian() != cfg!(target_endian = "little");
    if wrong_machine {
        return Err(bad(format!(
            "it is made for {:?}, this computer is {}",
            object.architecture(),
            std::env::consts::ARCH
        )));
    }
    if object.kind() != ObjectKind::Dynamic {
        return Err(bad(format!("it is not a dynamic library but {}", kind_word(object.kind()))));
    }
    // What lies beyond the end of the file would be a bus error while loading.
    let beyond = |(at, size): (u64, u64)| at.checked_add(size).is_none_or(|end| end > length);
    let segments = object.segments().any(|segment| beyond(segment.file_range()));
    let sections = object.sections().any(|section| section.file_range().is_some_and(beyond));
    if segments || sections {
        return Err(bad("it was cut short: copy it again".into()));
    }
    let exports = exported_addresses(&object)
        .map_err(|error| bad(format!("its symbols cannot be read, copy it again ({error})")))?;
    let Some(handshake) = exports.get(HANDSHAKE_SYMBOL.as_bytes()) else {
        return Err(Refusal::Foreign("it is a library, but not a connector (no handshake)".into()));
    };
    if !exports.contains_key(ROOT_MODULE_SYMBOL.as_bytes()) {
        return Err(bad("it has a connector's handshake but no root module".into()));
    }
    let bytes = object
        .segments()
        .find_map(|segment| bytes_at(&cache, &segment, *handshake, Handshake::SIZE as u64))
        .ok_or_else(|| bad("its handshake cannot be read from the file".into()))?;
    let handshake = Handshake::read(bytes).map_err(bad)?;
    handshake.accept().map_err(bad)?;
    Ok(handshake)
}

/// What lies at an address of a segment. A segment may be most of the file: no more of it is read.
fn bytes_at<'data>(
    file: impl ReadRef<'data>,
    segment: &impl ObjectSegment<'data>,
    address: u64,
    size: u64,
) -> Option<&'data [u8]> {
    let (start, length) = segment.file_range();
    let offset = address.checked_sub(segment.address())?;
    let inside = offset.checked_add(size).is_some_and(|end| end <= length);
    inside.then(|| file.read_bytes_at(start + offset, size).ok()).flatten()
}

/// Checks a file as [`check`] does, and answers the names it exports.
///
/// # Errors
/// Why it is refused.
pub(crate) fn exported_names(path: &Path) -> Result<Vec<String>, Refusal> {
    check(path)?;
    let unreadable = |error: String| Refusal::Bad(format!("it cannot be read: {error}"));
    let cache = ReadCache::new(File::open(path).map_err(|error| unreadable(error.to_string()))?);
    let object = object::File::parse(&cache).map_err(|error| unreadable(error.to_string()))?;
    let exports = exported_addresses(&object).map_err(|error| unreadable(error.to_string()))?;
    Ok(exports.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Names and addresses of what a library exports.
fn exported_addresses<'data>(
    object: &object::File<'data, impl ReadRef<'data>>,
) -> object::Result<BTreeMap<Vec<u8>, u64>> {
    let mut addresses = BTreeMap::new();
    for export in object.exports()? {
        let export = export?;
        if let (NameOrOrdinal::Name(name), ExportTarget::Address { address }) =
            (export.name(), export.target())
        {
            // Mach-O puts an underscore before every name.
            let mach_o = object.format() == BinaryFormat::MachO;
            let name = name.strip_prefix(b"_").filter(|_| mach_o).unwrap_or(name);
            addresses.insert(name.to_vec(), address);
        }
    }
    Ok(addresses)
}

fn kind_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Relocatable => "an object file",
        ObjectKind::Executable => "a program",
        ObjectKind::Core => "a core dump",
        _ => "something else",
    }
}

fn native_architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        "x86" => Some(Architecture::I386),
        "arm" => Some(Architecture::Arm),
        "riscv64" => Some(Architecture::Riscv64),
        "powerpc64" => Some(Architecture::PowerPc64),
        "s390x" => Some(Architecture::S390x),
        "loongarch64" => Some(Architecture::LoongArch64),
        _ => None,
    }
}
