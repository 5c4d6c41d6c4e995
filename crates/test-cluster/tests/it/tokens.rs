//! Tokens look like a real API server's.

use std::{collections::BTreeMap, fs::File, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use test_cluster::{ApiServer, TokenOptions};

use crate::support::{Client, LIST, cluster};

#[test]
fn a_token_has_the_recorded_header_and_claims() {
    let server = ApiServer::start();
    let [header, claims, signature] = parts(&server.token("default", "default"));
    assert_eq!(shape(&header), shape(&recorded("jwt-header.json")));
    assert_eq!(header["alg"], "RS256");
    assert_eq!(shape(&claims), shape(&recorded("jwt-claims.json")));
    assert_eq!(signature, json!(256));

    for claim in ["aud", "iss", "sub"] {
        assert_eq!(claims[claim], recorded("jwt-claims.json")[claim], "{claim}");
    }
    let seconds = |claim: &str| claims[claim].as_u64().unwrap();
    assert_eq!(seconds("exp") - seconds("iat"), 3600);
}

#[test]
fn tokens_of_one_account_share_its_uid_and_nothing_else() {
    let server = ApiServer::start();
    let [one, other] = [(); 2].map(|()| {
        let [_, claims, _] = parts(&server.token("team-a", "builder"));
        claims
    });
    let account = "serviceaccount";
    assert_eq!(
        one["kubernetes.io"][account],
        other["kubernetes.io"][account]
    );
    assert_ne!(one["jti"], other["jti"]);
}

#[test]
fn a_token_with_several_audiences_is_accepted() {
    let (server, _) = cluster();
    let token = server.token_with(TokenOptions {
        audiences: vec!["a".to_owned(), "https://kubernetes.default.svc".to_owned()],
        ..TokenOptions::default()
    });
    let mut client = Client::connect(&server).unwrap().token(&token);
    assert_eq!(client.get(LIST).status(), 200);
}

/// Header and claims, and the length of the signature.
fn parts(token: &str) -> [Value; 3] {
    let decoded: Vec<Vec<u8>> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    let [header, claims, signature] = decoded.try_into().unwrap();
    [
        serde_json::from_slice(&header).unwrap(),
        serde_json::from_slice(&claims).unwrap(),
        json!(signature.len()),
    ]
}

fn recorded(name: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    serde_json::from_reader(File::open(directory.join(name)).unwrap()).unwrap()
}

/// The names and kinds of all values.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => json!(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), shape(value)))
                .collect::<BTreeMap<_, _>>()
        ),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) => json!(if text.len() == 36 { "uuid" } else { "string" }),
        Value::Number(_) => json!("number"),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}
