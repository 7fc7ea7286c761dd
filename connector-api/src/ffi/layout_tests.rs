//! The layout of every type that crosses the boundary, held against that of contract 1.0: what was there
//! stays where it was, and traits and the root module may only grow at their end.

use std::collections::{BTreeMap, HashMap};

use abi_stable::StableAbi;
use abi_stable::std_types::utypeid::UTypeId;
use abi_stable::type_layout::TypeLayout;

use super::abi::ConnectorMod_Ref;

const CONTRACT_1_0: &str = include_str!("layout-1.0.txt");

/// What may get more fields or methods in a later contract.
const GROWS: &str = "may grow at its end";

/// One type: how large it is, or [`GROWS`], and its fields or methods in their order.
#[derive(Debug, PartialEq, Eq)]
struct Type {
    size: String,
    fields: Vec<String>,
}

type Types = BTreeMap<String, Type>;

/// Every type that can be reached from there, each once.
fn reach(layout: &'static TypeLayout, seen: &mut HashMap<UTypeId, &'static TypeLayout>) {
    if seen.insert(layout.get_utypeid(), layout).is_some() {
        return;
    }
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    for field in fields.into_iter().chain(layout.phantom_fields().iter()) {
        reach(field.layout(), seen);
        for function in field.function_range().iter() {
            for parameter in function.param_type_layouts.iter() {
                reach(parameter(), seen);
            }
            if let Some(returned) = function.return_type_layout() {
                reach(returned(), seen);
            }
        }
    }
}

/// A type's name; of the ABI library's generic types with what they hold.
fn name(layout: &'static TypeLayout) -> String {
    if layout.package() == "connector-api" {
        // Each trait has a `VTable`, in a module of its own.
        let module = layout.mod_path().to_string();
        let (_, module) = module.rsplit_once("::").unwrap_or_default();
        return format!("{module}::{}", layout.name());
    }
    let held: Vec<String> = match layout.name() {
        "RResult" | "ROption" => {
            let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
            fields.iter().map(|field| name(field.layout())).collect()
        }
        _ => return layout.full_type().to_string().trim().replace("  ", " "),
    };
    format!("{}<{}>", layout.name(), held.join(", "))
}

/// The contract's own types.
fn types() -> Types {
    let mut seen = HashMap::new();
    reach(<ConnectorMod_Ref as StableAbi>::LAYOUT, &mut seen);
    let mut types = Types::new();
    for layout in seen.into_values().filter(|layout| layout.package() == "connector-api") {
        let mut found = Type { size: GROWS.into(), fields: Vec::new() };
        if !layout.is_prefix_kind() {
            found.size = format!("{} bytes, aligned to {}", layout.size(), layout.alignment());
        }
        let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
        for field in fields {
            let mut what = if field.is_function() { String::new() } else { name(field.layout()) };
            for function in field.function_range().iter() {
                let parameters: Vec<String> =
                    function.param_type_layouts.iter().map(|one| name(one())).collect();
                let returned = function.return_type_layout().map_or("()".into(), |one| name(one()));
                what.push_str(&format!("fn({}) -> {returned}", parameters.join(", ")));
            }
            found.fields.push(format!("{}: {what}", field.name()));
        }
        let known = types.insert(name(layout), found);
        assert!(known.is_none(), "two types are called `{}`", name(layout));
    }
    types
}

fn text(types: &Types) -> String {
    let mut text = String::new();
    for (name, one) in types {
        text.push_str(&format!("{name}\n  {}\n", one.size));
        for field in &one.fields {
            text.push_str(&format!("    {field}\n"));
        }
    }
    text
}

/// The reverse of [`text`].
fn parse(text: &str) -> Types {
    let mut types = Types::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(field) = line.strip_prefix("    ") {
            types.get_mut(name).expect("a type above its fields").fields.push(field.into());
        } else if let Some(size) = line.strip_prefix("  ") {
            types.insert(name.into(), Type { size: size.into(), fields: Vec::new() });
        } else {
            name = line;
        }
    }
    types
}

/// What of the former contract is no longer as it was.
fn broken(former: &Types, now: &Types) -> Vec<String> {
    let kept = |name: &String, was: &Type| {
        now.get(name).is_some_and(|is| match was.size == GROWS {
            true => is.fields.starts_with(&was.fields),
            false => is == was,
        })
    };
    former.iter().filter(|(name, was)| !kept(name, was)).map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_type_of_contract_1_0_is_where_it_was() {
    let now = types();
    let former = parse(CONTRACT_1_0);
    assert_eq!(text(&former), CONTRACT_1_0, "the file is read as a whole");
    let broken = broken(&former, &now);
    assert!(broken.is_empty(), "changed since contract 1.0: {broken:?}\n\nnow:\n{}", text(&now));
    for part in [
        "abi::PluginError",
        "ArrowBatch",
        "CArrowArray",
        "lease_acquire",
        "secret_put",
        "checkpoint",
    ] {
        assert!(CONTRACT_1_0.contains(part), "`{part}` is not among the types");
    }
}

#[test]
fn growth_at_the_end_is_no_break_and_every_other_change_is() {
    let former = parse(
        "Trait\n  may grow at its end\n    a: fn()\n    b: fn()\nStruct\n  8 bytes, aligned to 4\n    x: u32\n",
    );
    for (now, expected) in [
        (
            "Trait\n  may grow at its end\n    a: fn()\n    b: fn()\n    c: fn()\nStruct\n  8 bytes, aligned to 4\n    x: u32\n",
            "",
        ),
        (
            "Trait\n  may grow at its end\n    a: fn()\n    c: fn()\n    b: fn()\nStruct\n  8 bytes, aligned to 4\n    x: u32\n",
            "Trait",
        ),
        (
            "Trait\n  may grow at its end\n    a: fn()\n    b: fn(u8)\nStruct\n  8 bytes, aligned to 4\n    x: u32\n",
            "Trait",
        ),
        (
            "Trait\n  may grow at its end\n    a: fn()\n    b: fn()\nStruct\n  8 bytes, aligned to 4\n    x: u32\n    y: u32\n",
            "Struct",
        ),
        (
            "Trait\n  may grow at its end\n    a: fn()\n    b: fn()\nStruct\n  16 bytes, aligned to 8\n    x: u32\n",
            "Struct",
        ),
        ("Trait\n  may grow at its end\n    a: fn()\n    b: fn()\n", "Struct"),
    ] {
        assert_eq!(broken(&former, &parse(now)).concat(), expected, "{now}");
    }
}
