//! What the server remembers of its clients.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use test_cluster::{AnswerFault, ApiServer, Fault, RecordedConnection};

use crate::support::{Client, LIST, cluster, config};

#[test]
fn a_request_is_recorded_as_it_was_sent() {
    let (server, mut client) = cluster();
    client.get(&format!("{LIST}&limit=5"));
    let requests = server.requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(request.method, "GET");
    assert_eq!(request.path, "/api/v1/namespaces/default/secrets");
    let selector = "type=kubernetes.io/dockerconfigjson";
    assert_eq!(request.parameter("fieldSelector"), Some(selector));
    assert_eq!(request.parameter("limit"), Some("5"));
    assert_eq!(
        request.header("USER-AGENT"),
        Some("crio-credential-provider/0.1")
    );
    let sent = request.token.as_ref().unwrap();
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {sent}").as_str())
    );
    assert_eq!((request.connection, request.status), (1, Some(200)));
    assert_eq!(request.sni, None);
}

#[test]
fn requests_over_one_connection_are_counted_there() {
    let (server, mut client) = cluster();
    client.get(LIST);
    client.get(LIST);
    let mut other = Client::connect(&server).unwrap();
    other.get("/version");

    assert_eq!(server.connections(), 2);
    let counts: Vec<usize> = server
        .connection_log()
        .iter()
        .map(|seen| seen.requests)
        .collect();
    assert_eq!(counts, [2, 1]);
    let connections: Vec<usize> = server
        .requests()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections, [1, 1, 2]);

    server.clear_requests();
    assert_eq!((server.connections(), server.requests().len()), (0, 0));
    client.get(LIST);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_connection_that_never_comes_to_a_request_is_recorded_too() {
    let server = ApiServer::start();
    let elsewhere = config(&ApiServer::start().ca_pem());
    let refused = Client::connect_with(&elsewhere, server.address(), "localhost");
    assert!(refused.is_err());
    let _silent = TcpStream::connect(server.address()).unwrap();
    let mut third = Client::connect(&server).unwrap();
    third.get("/version");

    // The server learns of the refusal in its own time.
    let noticed = |log: &[RecordedConnection]| log[0].error.is_some();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !noticed(&server.connection_log()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let log = server.connection_log();
    let encrypted: Vec<bool> = log.iter().map(|seen| seen.encrypted).collect();
    assert_eq!(&encrypted[1..], [false, true]);
    assert_eq!(log[0].requests, 0);
    assert!(noticed(&log), "{log:?}");
}

#[test]
fn a_faulty_answer_is_recorded_with_the_status_the_client_saw() {
    let (server, mut client) = cluster();
    server.fault(Fault::status(503));
    server.fault(AnswerFault::CutBeforeHeaders);
    client.get(LIST);
    assert!(client.try_get(LIST).is_err());
    let statuses: Vec<_> = server.requests().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [Some(503), None]);
}
