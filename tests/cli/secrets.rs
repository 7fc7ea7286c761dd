//! Secrets: every output, log and file of a whole story is searched for them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use salesforce_sim::{Action, AppKey, Fault, SimulatedOrg};

use crate::host::{Host, NAME, library};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The forms in which a secret could leak: as it is, encoded for a URL, for JSON, and in base64.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let percent: String =
        secret
            .bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() {
                    (b as char).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect();
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut forms: Vec<Vec<u8>> = vec![secret.into(), percent.into(), hex.into(), utf16];
    for skip in 0..3 {
        // Whatever the alignment, these characters appear in the base64 of a text that holds the secret.
        let part = &secret.as_bytes()[skip.min(secret.len())..];
        let whole = &part[..part.len() / 3 * 3];
        forms.push(STANDARD.encode(whole).into_bytes());
        forms.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    // A piece in the middle, in case the ends were cut.
    let middle = secret.len() / 2;
    forms
        .push(secret.as_bytes()[middle.saturating_sub(8)..(middle + 8).min(secret.len())].to_vec());
    forms
}

fn holds(haystack: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| {
        form.len() >= 12 && haystack.windows(form.len()).any(|window| window == form.as_slice())
    })
}

/// No form of any secret is in what was shown or in any file of the folders.
#[track_caller]
fn nothing_found(secrets: &[(&str, String)], shown: Vec<(String, String)>, folders: &[&Path]) {
    let printed = shown.into_iter().map(|(command, text)| (command, text.into_bytes()));
    let stored = folders.iter().flat_map(|folder| files(folder)).map(|file| {
        let bytes = fs::read(&file).expect("a file");
        (file.display().to_string(), bytes)
    });
    let haystacks: Vec<(String, Vec<u8>)> = printed.chain(stored).collect();
    let database =
        |(name, bytes): &(String, Vec<u8>)| name.ends_with("inventory.db") && bytes.len() > 10_000;
    assert!(haystacks.iter().any(database), "the database was searched");
    for (what, secret) in secrets {
        for (place, bytes) in &haystacks {
            assert!(!holds(bytes, secret), "a {what} was found in {place}");
        }
    }
}

#[test]
fn no_secret_reaches_an_output_a_log_or_a_file() {
    let org = SimulatedOrg::builder()
        .users(40)
        .seed(5)
        .proxy_auth("proxyuser", "canary-proxy-password")
        .start();
    let mut host = Host::behind(&org);
    host.set("HTTPS_PROXY", &org.proxy_url_with_credentials());
    let mut shown = Vec::new();
    let mut run = |arguments: &[&str], input: &str| {
        let ran = host.run_with_input(arguments, input);
        shown.push((arguments.join(" "), ran.shown()));
        ran
    };
    run(&["-vvv", "features", "enable", "salesforce"], "").ok();
    let secret = host.write("client-secret", org.client_secret());
    run(
        &[
            "-vvv",
            "connectors",
            "new",
            "salesforce",
            "--name",
            NAME,
            "--domain",
            org.my_domain_host(),
            "--client-id",
            org.client_id(),
            "--client-secret-file",
            secret.to_str().expect("a path"),
        ],
        "",
    )
    .ok();
    let link = run(&["connectors", "authorize", NAME, "--print-url"], "").ok().stdout;
    // A paste that is refused is handled with the same care.
    run(
        &["-vvv", "connectors", "authorize", NAME, "--token-file", "-"],
        "aPrxCanaryOfARefusedPaste0123456789==",
    )
    .code(3);
    let address = org.approve(link.trim());
    run(&["-vvv", "connectors", "authorize", NAME, "--token-file", "-"], &address).ok();
    run(&["-vvv", "connectors", "check", NAME], "");
    run(&["-vvv", "collect", NAME], "").ok();
    org.expire_sessions();
    run(&["-vvv", "collect", NAME], "").ok();
    run(&["--json", "-vvv", "connectors", "show", NAME], "").ok();
    run(&["-vvv", "report", NAME], "").ok();
    run(&["-vvv", "runs", "journal", "1"], "").ok();
    let out = host.path("export");
    run(&["-vvv", "export", NAME, "--format", "jsonl", "--out", out.to_str().expect("a path")], "")
        .ok();
    org.revoke_tokens();
    run(&["-vvv", "collect", NAME], "").code(3);

    let code = address
        .split("code=")
        .nth(1)
        .expect("a code")
        .split('&')
        .next()
        .expect("its end")
        .replace("%3D", "=");
    let mut secrets = vec![
        ("client secret", org.client_secret().to_owned()),
        ("proxy password", "canary-proxy-password".to_owned()),
        ("refused paste", "aPrxCanaryOfARefusedPaste0123456789==".to_owned()),
        ("authorization code", code),
    ];
    secrets.extend(org.issued_secrets().into_iter().map(|token| ("token", token)));
    assert!(secrets.len() >= 7, "codes, access and refresh tokens were issued");

    nothing_found(&secrets, shown, &[&host.home(), &out]);

    // Positive control: the search finds a secret that was planted, in each form.
    let planted = org.client_secret();
    for form in forms(planted) {
        let mut file = b"before ".to_vec();
        file.extend(form);
        assert!(holds(&file, planted));
    }
}

#[cfg(unix)]
#[test]
fn home_store_and_key_are_closed_to_other_accounts() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    let secret = host.write("secret", "x");
    host.run(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        "acme",
        "--client-id",
        "id",
        "--client-secret-file",
        secret.to_str().expect("a path"),
    ])
    .ok();
    let mode = |name: &str| {
        fs::metadata(host.home().join(name)).expect("a file").permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("key"), mode("inventory.db")), (0o700, 0o600, 0o600));
}

#[test]
fn no_secret_of_the_other_grants_leaks_even_if_the_server_echoes_it() {
    let key = AppKey::test();
    let org = SimulatedOrg::builder()
        .users(20)
        .logins_per_user(1)
        .password("canary-Pass-word-0123456789")
        .app_certificate(key.certificate_pem())
        .policy(|policy| {
            policy.client_credentials_flow = true;
            policy.password_flow = true;
        })
        .start();
    let username = org.username().to_owned();
    org.set_policy(|policy| {
        policy.run_as = Some(username.clone());
        policy.pre_authorized.insert(username.clone());
    });
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    let mut shown = Vec::new();
    let mut run = |arguments: &[&str], input: &str| {
        let ran = host.run_with_input(arguments, input);
        shown.push((arguments.join(" "), ran.shown()));
        ran
    };
    let file = |name: &str, text: &str| host.write(name, text).display().to_string();
    let client_secret = file("client-secret", org.client_secret());
    let private_key = format!("private_key={}", file("key.pem", key.private_key_pem()));
    let password = format!("password={}", file("password", org.password()));
    let security = format!("security_token={}", file("security-token", org.security_token()));
    let user = format!("username={username}");
    let new = |name: &str, grant: &str, more: &[&str]| -> Vec<String> {
        let grant = format!("grant={grant}");
        let common = [
            "-vvv",
            "connectors",
            "new",
            "salesforce",
            "--name",
            name,
            "--domain",
            org.my_domain_host(),
            "--client-id",
            org.client_id(),
            "--set",
            &grant,
        ];
        common.iter().chain(more).map(|text| (*text).to_owned()).collect()
    };
    let secret = ["--client-secret-file", &client_secret];
    let legacy =
        [&secret[..], &["--set", &user, "--set-file", &password, "--set-file", &security]].concat();
    for (name, arguments) in [
        ("client_credentials", new("client_credentials", "client_credentials", &secret)),
        (
            "jwt_bearer",
            new("jwt_bearer", "jwt_bearer", &["--set", &user, "--set-file", &private_key]),
        ),
        ("username_password", new("username_password", "username_password", &legacy)),
        ("refresh_token", new("refresh_token", "refresh_token", &secret)),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, "").ok();
        let authorize = ["-vvv", "connectors", "authorize", name, "--token-file", "-"];
        run(&authorize, &org.issue_refresh_token()).ok();
        run(&["-vvv", "connectors", "check", name], "");
        // A server that repeats in its refusal whatever it was sent.
        let echo = |text: &str| Action::Status {
            code: 400,
            body: serde_json::json!({"error": "invalid_grant", "error_description": text})
                .to_string(),
            content_type: Some("application/json".into()),
            headers: vec![],
        };
        let sent: &[&str] = match name {
            "jwt_bearer" => &[],
            "username_password" => &[org.client_secret(), org.password(), org.security_token()],
            _ => &[org.client_secret()],
        };
        for text in sent {
            org.expire_sessions();
            org.faults().set([Fault::new(echo(text)).on_path("/services/oauth2/token").always()]);
            run(&["-vvv", "collect", name, "--dataset", "organization"], "");
            run(&["-vvv", "--json", "connectors", "check", name], "");
        }
        org.faults().clear();
        run(&authorize, &org.issue_refresh_token()).ok();
        run(&["-vvv", "collect", name], "");
        run(&["-vvv", "--json", "connectors", "show", name], "").ok();
        run(&["-vvv", "runs", "list"], "").ok();
        run(&["-vvv", "connectors", "deauthorize", name], "").ok();
    }
    let body: Vec<&str> =
        key.private_key_pem().lines().filter(|line| !line.contains("---")).collect();
    let mut secrets = vec![
        ("client secret", org.client_secret().to_owned()),
        ("password", org.password().to_owned()),
        ("security token", org.security_token().to_owned()),
        ("line of the private key", body[body.len() / 2].to_owned()),
    ];
    secrets.extend(org.issued_secrets().into_iter().map(|token| ("token", token)));
    assert!(secrets.len() >= 20, "{} secrets", secrets.len());
    nothing_found(&secrets, shown, &[&host.home()]);
}

/// A connector's panic may say anything; a secret in it is masked all the same.
#[test]
fn a_panic_that_holds_a_secret_does_not_show_it() {
    let mut host = Host::new();
    host.add_plugin(&library("chaos_plugin"));
    host.run(&["features", "enable", "chaos"]).ok();
    let canary = "canary-in-a-panic-0123456789";
    let secret = host.write("secret", canary);
    let secret = secret.to_str().expect("a path");
    let new = ["connectors", "new", "chaos", "--name", "c", "--domain", "d", "--client-id", "i"];
    host.run(&[&new[..], &["--client-secret-file", secret]].concat()).ok();
    host.set("CHAOS", "leak");
    let mut shown = Vec::new();
    for arguments in [&["-vvv", "collect", "c"][..], &["--json", "collect", "c"], &["runs", "list"]]
    {
        let ran = host.run(arguments);
        shown.push((arguments.join(" "), ran.shown()));
    }
    assert!(shown[0].1.contains("panic in `collect`"), "{shown:#?}");
    assert!(
        shown[0].1.contains("[secret]"),
        "the panic's text is shown, without the secret: {shown:#?}"
    );
    nothing_found(&[("secret in a panic", canary.to_owned())], shown, &[&host.home()]);
}

/// A core dump of a process would hold its secrets in clear.
#[cfg(target_os = "linux")]
#[test]
fn a_host_that_dies_leaves_no_core_dump() {
    let mut host = Host::new();
    host.add_plugin(&library("chaos_plugin"));
    host.run(&["features", "enable", "chaos"]).ok();
    let secret = host.write("secret", "canary-in-a-core-dump");
    host.run(&[
        "connectors",
        "new",
        "chaos",
        "--name",
        "c",
        "--domain",
        "d",
        "--client-id",
        "i",
        "--client-secret-file",
        secret.to_str().expect("a path"),
    ])
    .ok();
    host.set("CHAOS", "abort");
    let dumps = host.path("dumps");
    fs::create_dir(&dumps).expect("a folder");
    // As an operator's shell that allows core dumps of any size starts it.
    let in_shell = |mut command: std::process::Command, aborted: &str| {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.arg("-c").arg("ulimit -c unlimited && exec \"$@\"").arg("sh");
        shell.arg(command.get_program()).args(command.get_args()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command = shell;
        let output = command.current_dir(&dumps).output().expect("a process");
        assert!(!output.status.success(), "{aborted}: {output:?}");
        fs::read_dir(&dumps).expect("a folder").count()
    };
    let ran = host.command(&["collect", "c"]);
    assert_eq!(in_shell(ran, "the host was meant to abort"), 0, "a core dump was left");
    // Positive control: another program that dies the same way leaves one, where the system writes
    // core dumps into the folder at all.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the pattern");
    let mut abort = std::process::Command::new("/bin/sh");
    abort.args(["-c", "kill -ABRT $$"]);
    let left = in_shell(abort, "the control was meant to abort");
    assert!(left > 0 || pattern.starts_with(['|', '/']), "the control left no core dump either");
}

/// The spellings in which an answer could hide a credential.
fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let between =
        |separator: &str| secret.chars().map(String::from).collect::<Vec<_>>().join(separator);
    let encoded = |upper: bool| -> String {
        let byte = |b: u8| match (b.is_ascii_alphanumeric(), upper) {
            (true, _) => char::from(b).to_string(),
            (false, true) => format!("%{b:02X}"),
            (false, false) => format!("%{b:02x}"),
        };
        secret.bytes().map(byte).collect()
    };
    let half = secret.len() / 2;
    let mut spellings = vec![
        ("plain", secret.to_owned()),
        ("percent", encoded(true)),
        ("percent, lower case", encoded(false)),
        ("hex", secret.bytes().map(|b| format!("{b:02x}")).collect()),
        ("spaces", between(" ")),
        ("quotes", between("'")),
        ("invisible", between("\u{200b}")),
        ("first half", secret[..half].to_owned()),
        ("second half", secret[half..].to_owned()),
    ];
    for before in ["", "x", "xy"] {
        spellings.push(("base64", STANDARD.encode(format!("{before}{secret}"))));
        spellings.push(("base64, URL-safe", URL_SAFE_NO_PAD.encode(format!("{before}{secret}"))));
    }
    spellings
}

/// A text without case, spaces, quotes and what is not seen.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    text.chars().filter(|c| !c.is_whitespace() && !"'\"\\\u{200b}".contains(*c)).collect()
}

/// Whatever a server repeats in its errors, however spelt, is masked in every output and before it is
/// stored.
#[test]
fn a_credential_that_a_server_repeats_is_masked_in_every_spelling() {
    let org = SimulatedOrg::builder().users(5).seed(7).start();
    let host = Host::authorized(&org);
    host.run(&["collect", NAME, "--full"]).ok();
    let token = org.issued_secrets().into_iter().rfind(|secret| secret.contains('!'));
    let token = token.expect("an access token");
    let unknown = "A-word-of-the-servers-own";
    let backup = host.path("backup.db");
    let page = host.path("page.html");
    let mut haystacks: Vec<(String, Vec<u8>)> = Vec::new();
    for (way, text) in spellings(&token) {
        let body = serde_json::json!([{
            "errorCode": "MALFORMED_QUERY", "message": format!("{unknown} {text}"),
        }]);
        let answer = Action::Status {
            code: 400,
            body: body.to_string(),
            content_type: Some("application/json".into()),
            headers: vec![],
        };
        org.faults().set([Fault::new(answer).on_path_with("/query").always()]);
        let mut printed = Vec::new();
        for arguments in [
            &["-vvv", "collect", NAME, "--full"][..],
            &["-vvv", "--json", "connectors", "check", NAME],
            &["--json", "runs", "list"],
            &["report", NAME, "--html", page.to_str().expect("a path")],
            &["store", "backup", backup.to_str().expect("a path")],
        ] {
            let ran = host.run(arguments);
            printed.extend(ran.shown().into_bytes());
        }
        // The control: what else the server said is shown.
        assert!(plain(&printed).contains(&unknown.to_lowercase()), "{way}");
        haystacks.push((format!("the output of {way}"), printed));
        for file in [&backup, &page].into_iter().filter(|file| file.exists()) {
            haystacks.push((format!("{} of {way}", file.display()), fs::read(file).expect("it")));
            fs::remove_file(file).expect("removed");
        }
    }
    org.faults().clear();
    for file in files(&host.home()) {
        haystacks.push((file.display().to_string(), fs::read(&file).expect("a file")));
    }
    let wanted: Vec<(&str, String)> = spellings(&token)
        .into_iter()
        .map(|(way, text)| {
            // The ends of base64 depend on what stands around it.
            let text = plain(text.as_bytes());
            (way, text[4..text.len() - 4].to_owned())
        })
        .collect();
    for (place, bytes) in &haystacks {
        let text = plain(bytes);
        for (way, wanted) in &wanted {
            assert!(!text.contains(wanted), "{way} was found in {place}");
        }
    }
}
