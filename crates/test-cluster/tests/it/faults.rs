//! Each fault as seen by a client.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ApiServer, ConnectionFault, Fault};

use crate::support::{Answer, Client, LIST, cluster, put_recorded_secrets};

#[test]
fn answers_from_something_else_than_an_api_server() {
    let (server, mut client) = cluster();
    server.fault(AnswerFault::LoginPage);
    let page = client.get(LIST);
    assert_eq!((page.status(), page.body[0]), (200, b'<'));

    server.fault(AnswerFault::Garbage);
    assert_eq!(
        client.try_get(LIST).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
}

#[test]
fn json_that_is_not_a_list_of_secrets() {
    let (server, mut client) = cluster();
    put_recorded_secrets(&server);
    for fault in [AnswerFault::GarbageJson, AnswerFault::TruncatedJson] {
        server.fault(fault.clone());
        let answer = client.get(LIST);
        let parsed = serde_json::from_slice::<Value>(&answer.body);
        assert_eq!((answer.status(), parsed.is_err()), (200, true), "{fault:?}");
    }
    server.fault(AnswerFault::WrongKind);
    assert_eq!(client.get(LIST).json()["kind"], "PodList");

    server.fault(AnswerFault::DeepJson);
    let deep = client.get(LIST).body;
    let depth = String::from_utf8(deep).unwrap().matches('[').count();
    assert_eq!(depth, 100_001);
}

#[test]
fn a_continue_expires_when_it_is_used() {
    let (server, mut client) = cluster();
    put_recorded_secrets(&server);
    server.fault(AnswerFault::ExpiredContinue);
    let first = client.get(&format!("{LIST}&limit=2"));
    let next = first.next().unwrap();
    let second = format!("{LIST}&limit=2&continue={next}");

    let gone = client.get(&second);
    assert_eq!(
        (gone.status(), &gone.json()["reason"]),
        (410, &json!("Expired"))
    );
    assert!(gone.next().is_some());
    assert_eq!(client.get(&second).status(), 200);
}

#[test]
fn a_hang_is_silence_that_begins_where_it_should() {
    let cases = [
        (AnswerFault::HangBeforeHeaders, ""),
        (AnswerFault::HangInHeaders, "HTTP/1.1 200 OK\r\nCache-Con"),
    ];
    for (fault, expected) in cases {
        let (bytes, result) = received(fault.clone());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{fault:?}");
        assert_eq!(result, Err(ErrorKind::WouldBlock), "{fault:?}");
    }
    let (bytes, result) = received(AnswerFault::HangInBody);
    assert!(is_part_of_a_list(&bytes));
    assert_eq!(result, Err(ErrorKind::WouldBlock));
}

#[test]
fn a_cut_ends_the_connection_in_the_middle_of_tls() {
    let cases = [
        (AnswerFault::CutBeforeHeaders, ""),
        (AnswerFault::CutInHeaders, "HTTP/1.1 200 OK\r\nCache-Con"),
    ];
    for (fault, expected) in cases {
        let (bytes, result) = received(fault.clone());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{fault:?}");
        assert_eq!(result, Err(ErrorKind::UnexpectedEof), "{fault:?}");
    }
    for (fault, framing) in [
        (AnswerFault::CutInBody, "content-length"),
        (AnswerFault::CutInChunkedBody, "transfer-encoding"),
    ] {
        let (bytes, result) = received(fault.clone());
        assert!(is_part_of_a_list(&bytes), "{fault:?}");
        let head = Answer::head(&String::from_utf8(bytes).unwrap()).unwrap();
        assert!(head.headers.contains_key(framing), "{fault:?}");
        assert_eq!(result, Err(ErrorKind::UnexpectedEof), "{fault:?}");
    }
}

#[test]
fn a_connection_may_close_after_its_answer() {
    let (server, mut client) = cluster();
    server.fault(AnswerFault::CloseAfterAnswer);
    assert_eq!(client.get(LIST).status(), 200);
    assert!(client.read_raw(1).1.is_ok());
    assert_eq!(client.read_raw(1).0, b"");
}

#[test]
fn a_length_may_be_wrong_either_way() {
    let (server, mut client) = cluster();
    server.fault(AnswerFault::LengthTooSmall);
    let cut = client.get(LIST);
    assert!(serde_json::from_slice::<Value>(&cut.body).is_err());
    assert_eq!(
        client.try_get(LIST).unwrap_err().kind(),
        ErrorKind::InvalidData
    );

    server.fault(AnswerFault::LengthTooLarge);
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);
    assert_eq!(
        client.try_get(LIST).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
}

#[test]
fn an_answer_may_have_no_end() {
    for fault in [AnswerFault::EndlessBody, AnswerFault::EndlessHeaders] {
        let (server, mut client) = cluster();
        server.fault(fault.clone());
        client.send("GET", LIST, "");
        let (bytes, result) = client.read_raw(2_000_000);
        assert_eq!(
            (bytes.len(), result.is_ok()),
            (2_000_000, true),
            "{fault:?}"
        );
    }
}

#[test]
fn an_answer_may_be_late_or_slow() {
    let (server, mut client) = cluster();
    let late = Duration::from_millis(100);
    server.fault(AnswerFault::Delay(late));
    let begin = Instant::now();
    assert_eq!(client.get(LIST).status(), 200);
    assert!(begin.elapsed() >= late);

    server.fault(AnswerFault::Drip(Duration::from_millis(1)));
    let begin = Instant::now();
    let answer = client.get(LIST);
    assert_eq!(answer.json()["kind"], "SecretList");
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_connection_may_fail_before_it_comes_to_http() {
    let server = ApiServer::start();
    let cases = [
        (
            ConnectionFault::Refuse,
            vec![
                ErrorKind::UnexpectedEof,
                ErrorKind::ConnectionReset,
                ErrorKind::BrokenPipe,
            ],
        ),
        (ConnectionFault::HangAtAccept, vec![ErrorKind::WouldBlock]),
        (
            ConnectionFault::HangInHandshake,
            vec![ErrorKind::WouldBlock],
        ),
        (ConnectionFault::TlsTooOld, vec![ErrorKind::InvalidData]),
        (
            ConnectionFault::GarbageHandshake,
            vec![ErrorKind::InvalidData],
        ),
    ];
    for (fault, expected) in cases {
        server.fault(fault.clone());
        let Err(error) = Client::connect(&server) else {
            panic!("{fault:?}: the handshake is over");
        };
        assert!(expected.contains(&error.kind()), "{fault:?}: {error}");
    }
    assert!(Client::connect(&server).is_ok());
}

#[test]
fn a_server_stops_at_once_whatever_its_connections_do() {
    for fault in [
        Fault::from(AnswerFault::HangInBody),
        Fault::from(AnswerFault::EndlessBody),
        Fault::from(AnswerFault::Delay(Duration::from_secs(600))),
        Fault::from(AnswerFault::Drip(Duration::from_secs(600))),
    ] {
        let (server, mut client) = cluster();
        server.fault(fault.clone());
        client.send("GET", LIST, "");
        let _one = client.read_raw(1);
        let begin = Instant::now();
        drop(server);
        assert!(begin.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
}

/// The bytes that a client receives with that fault, and the end of the connection.
fn received(fault: AnswerFault) -> (Vec<u8>, Result<(), ErrorKind>) {
    let (server, mut client) = cluster();
    put_recorded_secrets(&server);
    server.fault(fault);
    client.send("GET", LIST, "");
    let (bytes, result) = client.read_raw(1 << 20);
    let audit_id = b"Audit-Id";
    let begin = bytes
        .windows(audit_id.len())
        .position(|window| window == audit_id);
    assert!(begin.is_none() || bytes.len() > 100);
    (bytes, result.map_err(|error| error.kind()))
}

fn is_part_of_a_list(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("\r\n\r\n") && text.contains("\"SecretList\"") && !text.ends_with("]}\n")
}
