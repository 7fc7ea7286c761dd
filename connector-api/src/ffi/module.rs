//! What a library exports, and the handshake that is read from the *file* before any code of it runs.

use abi_stable::library::{LibHeader, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::RString;

use super::abi::{ConnectorMod, ConnectorMod_Ref, HostBox, PResult, RawConnectorBox};
use super::catch::{guarded, install_panic_hook};
use super::guard::Guarded;
use crate::connector::Connector;
use crate::error::{Error, ErrorKind};

/// The contract's major version: raised only when the ABI breaks.
pub const MAJOR: u32 = 1;
/// The contract's minor version: raised when something is added.
pub const MINOR: u32 = 0;

/// The symbol of the handshake.
pub const HANDSHAKE_SYMBOL: &str = "CONNECTOR_API_HANDSHAKE";
/// The symbol of the root module, as abi_stable names it.
pub const ROOT_MODULE_SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

const _: () = {
    let (ours, theirs) =
        (ROOT_MODULE_SYMBOL.as_bytes(), abi_stable::library::ROOT_MODULE_LOADER_NAME.as_bytes());
    assert!(
        ours.len() == theirs.len(),
        "the root module's symbol has another name in this abi_stable"
    );
    let mut i = 0;
    while i < ours.len() {
        assert!(
            ours[i] == theirs[i],
            "the root module's symbol has another name in this abi_stable"
        );
        i += 1;
    }
};

/// Plain bytes in the library's read-only data; no pointers, so that they can be read from the file.
/// All numbers are in the byte order of the library's architecture.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// [`Handshake::MAGIC`].
    pub magic: [u8; 16],
    /// Bytes of this structure; a later one is longer.
    pub size: u32,
    /// Contract the connector was built with.
    pub major: u32,
    /// Its minor version.
    pub minor: u32,
    /// The lowest minor version of a host that this connector works in.
    pub min_host_minor: u32,
}

impl Handshake {
    /// Marks the bytes as a handshake.
    pub const MAGIC: [u8; 16] = *b"connector-api/hs";
    /// Bytes of a handshake of contract 1.
    pub const SIZE: usize = 32;

    /// The handshake of this build.
    pub const THIS: Handshake = Handshake {
        magic: Handshake::MAGIC,
        size: Handshake::SIZE as u32,
        major: MAJOR,
        minor: MINOR,
        min_host_minor: 0,
    };

    /// Reads a handshake from a file's bytes, in native byte order.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn read(bytes: &[u8]) -> Result<Handshake, String> {
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        let magic = bytes.get(..16).and_then(|magic| <[u8; 16]>::try_from(magic).ok());
        match (magic, word(16), word(20), word(24), word(28)) {
            (Some(magic), ..) if magic != Handshake::MAGIC => {
                Err("its handshake is not that of a connector".into())
            }
            (Some(magic), Some(size), Some(major), Some(minor), Some(min_host_minor))
                if size as usize >= Handshake::SIZE =>
            {
                Ok(Handshake { magic, size, major, minor, min_host_minor })
            }
            _ => Err("its handshake is cut short".into()),
        }
    }

    /// Whether a host of this build can use a library with that handshake.
    ///
    /// # Errors
    /// One line that says what to do.
    pub fn accept(&self) -> Result<(), String> {
        if self.major != MAJOR {
            return Err(format!(
                "it needs contract {}.{}, this host has {MAJOR}.{MINOR}: rebuild the connector with connector-api {MAJOR}",
                self.major, self.minor
            ));
        }
        if self.min_host_minor > MINOR {
            return Err(format!(
                "it needs a host with contract {MAJOR}.{} or later, this host has {MAJOR}.{MINOR}: update the endpoint server",
                self.min_host_minor
            ));
        }
        Ok(())
    }
}

const _: () = assert!(size_of::<Handshake>() == Handshake::SIZE);

extern "C" fn describe<C: Connector>() -> PResult<RString> {
    guarded("describe", || {
        serde_json::to_string(&C::manifest())
            .map(RString::from)
            .map_err(|error| Error::new(ErrorKind::OTHER, error))
    })
}

extern "C" fn new<C: Connector>(host: HostBox) -> PResult<RawConnectorBox> {
    Guarded::<C>::make(host)
}

/// The root module of a connector; called by [`export_connector!`](crate::export_connector).
#[doc(hidden)]
pub fn root_module<C: Connector>() -> ConnectorMod_Ref {
    install_panic_hook();
    ConnectorMod { describe: describe::<C>, new: new::<C> }.leak_into_prefix()
}

/// The library header of a connector; called by [`export_connector!`](crate::export_connector).
///
/// # Safety
/// `loader` must return the module made by [`root_module`].
#[doc(hidden)]
pub const unsafe fn library_header(loader: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: the caller promises a `ConnectorMod`.
    unsafe {
        LibHeader::from_constructor::<ConnectorMod_Ref>(
            loader,
            abi_stable::library::CheckTypeLayout::Yes,
        )
    }
}

#[doc(hidden)]
pub use abi_stable::library::{
    __call_root_module_loader, LibHeader as __LibHeader, RootModuleResult as __RootModuleResult,
};

/// Exports a [`Connector`](crate::Connector) as this library's two symbols. Once per library.
#[macro_export]
macro_rules! export_connector {
    ($connector:ty) => {
        /// Read from the file before the library is loaded.
        #[unsafe(no_mangle)]
        pub static CONNECTOR_API_HANDSHAKE: $crate::module::Handshake =
            $crate::module::Handshake::THIS;

        /// The root module's header, found by the host by its name.
        #[allow(non_upper_case_globals)]
        #[unsafe(no_mangle)]
        pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::module::__LibHeader = {
            extern "C" fn loader() -> $crate::module::__RootModuleResult {
                $crate::module::__call_root_module_loader(|| {
                    $crate::module::root_module::<$connector>()
                })
            }
            // SAFETY: the loader returns this contract's root module.
            unsafe { $crate::module::library_header(loader) }
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(handshake: Handshake) -> Vec<u8> {
        let mut bytes = handshake.magic.to_vec();
        for word in [handshake.size, handshake.major, handshake.minor, handshake.min_host_minor] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn this_build_accepts_its_own_handshake() {
        let read = Handshake::read(&bytes(Handshake::THIS)).unwrap();
        assert_eq!(read, Handshake::THIS);
        read.accept().unwrap();
    }

    #[test]
    fn another_major_version_is_refused_in_one_line_that_says_what_to_do() {
        let refusal = Handshake { major: 2, ..Handshake::THIS }.accept().unwrap_err();
        assert_eq!(
            refusal,
            "it needs contract 2.0, this host has 1.0: rebuild the connector with connector-api 1"
        );
    }

    #[test]
    fn a_connector_for_a_later_host_is_refused() {
        let refusal = Handshake { min_host_minor: 3, ..Handshake::THIS }.accept().unwrap_err();
        assert!(refusal.contains("update the endpoint server"), "{refusal}");
    }

    #[test]
    fn a_longer_handshake_of_a_later_contract_can_be_read() {
        let mut longer = bytes(Handshake { size: 40, minor: 7, ..Handshake::THIS });
        longer.extend([0; 8]);
        assert_eq!(Handshake::read(&longer).unwrap().minor, 7);
    }

    #[test]
    fn foreign_and_short_bytes_are_refused() {
        assert!(Handshake::read(&[7; 32]).unwrap_err().contains("not that of a connector"));
        assert!(Handshake::read(&bytes(Handshake::THIS)[..20]).unwrap_err().contains("cut short"));
    }
}
