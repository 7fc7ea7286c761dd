//! Controls of the checks that the guard of connector-api makes every connector pass: a library that
//! was made without it, and has no idea of the contract.

use std::path::PathBuf;
use std::sync::Arc;

use connector_api::ffi::abi::{
    BatchSinkBox, ConnectorMod, HostBox, PResult, RawConnector, RawConnector_TO, RawConnectorBox,
};
use connector_api::ffi::by_hand::{PrefixTypeTrait, RErr, ROk, RStr, RString, TD_Opaque};
use connector_api::loaded::Module;
use connector_api::manifest::{FieldSpec, FieldType, Manifest};
use connector_api::module::{HANDSHAKE_SYMBOL, Handshake, ROOT_MODULE_SYMBOL};
use connector_api::{Error, ErrorKind};

use super::checks::{CHECKS, exactly_two};
use super::subject::Subject;
use super::{Profile, Unmet};
use crate::plugin::Plugin;

/// Answers everything with `{}`, whatever it is asked and when; but knows each JSON key by heart.
struct Yes;

impl RawConnector for Yes {
    fn invoke(&self, _: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        match json.contains("later contract") {
            true => RErr(Error::new(ErrorKind::SCHEMA, "an unknown key").into()),
            false => ROk("{}".into()),
        }
    }

    fn collect(&self, _: RStr<'_>, _: BatchSinkBox) -> PResult<RString> {
        ROk("{}".into())
    }
}

extern "C" fn describe() -> PResult<RString> {
    let manifest = Manifest::new("yes", "Yes", "1.0.0");
    ROk(serde_json::to_string(&manifest).expect("JSON").into())
}

extern "C" fn new(_: HostBox) -> PResult<RawConnectorBox> {
    ROk(RawConnector_TO::from_value(Yes, TD_Opaque))
}

fn failure(name: &str, subject: &Subject) -> String {
    let check = CHECKS.iter().find(|(check, _)| *check == name).expect("the check").1;
    match check(subject) {
        Err(Unmet::Failed(reason)) => reason,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_library_without_the_guard_fails_the_checks_that_the_guard_passes() {
    let module = Module::by_hand(ConnectorMod { describe, new }.leak_into_prefix());
    let plugin = Plugin::of(PathBuf::new(), Handshake::THIS, Arc::new(module)).expect("a plugin");
    let profile = Profile::made_up(&plugin.manifest);
    let mut subject = Subject { plugin, profile };
    for (name, reason) in [
        ("unknown_keys", "an unknown key"),
        ("bad_requests", "takes ``"),
        ("unknown_operation", "not refused"),
        ("life_cycle", "`collect` before `enable` is not refused"),
        ("unknown_dataset", "does not declare"),
        ("cancel", "went on to its end"),
    ] {
        let found = failure(name, &subject);
        assert!(found.contains(reason), "{name}: {found}");
    }
    // `authorize` is answered by `{}`, which is no answer at all; it is not refused either.
    assert!(failure("before_configure", &subject).contains("not understood"));

    let described = &mut subject.plugin.manifest;
    described.datasets.push(connector_api::manifest::DatasetSpec {
        name: "thing".into(),
        key: vec!["Id".into()],
        fields: vec![FieldSpec { name: "Id".into(), kind: FieldType::Text }],
        ..Default::default()
    });
    assert!(failure("collect", &subject).contains("says nothing of `thing`"));
}

#[test]
fn another_exported_name_is_told() {
    let names = |more: &[&str]| {
        [&[HANDSHAKE_SYMBOL, ROOT_MODULE_SYMBOL], more]
            .concat()
            .into_iter()
            .map(Into::into)
            .collect()
    };
    assert!(exactly_two(names(&[])).is_ok());
    let Err(Unmet::Failed(reason)) = exactly_two(names(&["helper"])) else { panic!("passed") };
    assert_eq!(reason, "it also exports helper");
}
