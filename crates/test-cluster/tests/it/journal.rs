//! The record of requests and connections.

use test_cluster::{AnswerFault, Fault};

use crate::support::{Client, LIST, cluster};

#[test]
fn connections_are_counted() {
    let (server, mut client) = cluster();
    client.get(LIST);
    client.get(LIST);
    assert_eq!(server.connections(), 1);
    let _silent = Client::connect(&server).unwrap();
    assert_eq!(server.connections(), 2);

    server.clear_requests();
    assert_eq!((server.connections(), server.requests().len()), (0, 0));
    client.get(LIST);
    assert_eq!(server.requests().len(), 1);
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
