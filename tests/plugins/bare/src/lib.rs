//! A library that speaks the ABI by hand: nothing between it and the host turns its panics into errors,
//! holds its life cycle or ends its use of the sink.
//!
//! The environment variable `BARE` says how it presents itself: `root` (its root module panics), `json`
//! (describes itself in broken JSON), `names` (with a terminal's control characters). The setting
//! `behaviour` says what it does when it collects: see [`behaviour`].
#![expect(clippy::panic, reason = "this library's purpose")]

mod behaviour;

use std::sync::{Mutex, PoisonError};

use connector_api::ffi::abi::{
    BatchSinkBox, ConnectorMod, ConnectorMod_Ref, HostBox, PResult, RawConnector, RawConnector_TO,
    RawConnectorBox,
};
use connector_api::ffi::by_hand::{PrefixTypeTrait, ROk, RStr, RString, TD_Opaque};
use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, Manifest, SettingSpec};
use connector_api::module::{
    __LibHeader, __RootModuleResult, __call_root_module_loader, Handshake, library_header,
};

fn told(what: &str) -> bool {
    std::env::var("BARE").is_ok_and(|told| told == what)
}

fn manifest() -> Manifest {
    let field = |name: &str, kind| FieldSpec { name: name.into(), kind };
    let behaviour = SettingSpec {
        name: "behaviour".into(),
        title: "Behaviour".into(),
        help: "What it does when it collects.".into(),
        ..SettingSpec::default()
    };
    let thing = DatasetSpec {
        name: "thing".into(),
        title: "Things".into(),
        source: "thing".into(),
        key: vec!["Id".into()],
        fields: vec![field("Id", FieldType::Text), field("Size", FieldType::Integer)],
        ..DatasetSpec::default()
    };
    let id = if told("names") { "bare\0\u{1b}[31m\u{202e}" } else { "bare" };
    Manifest {
        settings: vec![behaviour],
        datasets: vec![thing],
        ..Manifest::new(id, "Bare Connector", "1.0.0")
    }
}

extern "C" fn describe() -> PResult<RString> {
    let json = serde_json::to_string(&manifest()).unwrap_or_default();
    ROk(if told("json") { RString::from(&json[..json.len() / 2]) } else { json.into() })
}

extern "C" fn new(host: HostBox) -> PResult<RawConnectorBox> {
    let bare = Bare { host, behaviour: Mutex::default() };
    ROk(RawConnector_TO::from_value(bare, TD_Opaque))
}

struct Bare {
    host: HostBox,
    behaviour: Mutex<String>,
}

impl RawConnector for Bare {
    fn invoke(&self, operation: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        match operation.as_str() {
            "configure" => {
                let mut behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
                *behaviour = behaviour::of(json.as_str());
                ROk("{\"problems\":[]}".into())
            }
            _ => ROk("{}".into()),
        }
    }

    fn collect(&self, _: RStr<'_>, sink: BatchSinkBox) -> PResult<RString> {
        let behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
        behaviour::act(&behaviour, &self.host, sink)
    }
}

/// As the contract's macro writes it.
#[unsafe(no_mangle)]
pub static CONNECTOR_API_HANDSHAKE: Handshake = Handshake::THIS;

/// As the contract's macro writes it.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
pub static _1as_0lib_1header_0root_bmodule_bloader: __LibHeader = {
    extern "C" fn loader() -> __RootModuleResult {
        __call_root_module_loader(|| -> ConnectorMod_Ref {
            if told("root") {
                panic!("told to panic in the root module");
            }
            ConnectorMod { describe, new }.leak_into_prefix()
        })
    }
    // SAFETY: the loader returns this contract's root module.
    unsafe { library_header(loader) }
};
