//! The versions of TLS that the stand-in speaks.

use rustls::{AlertDescription, Error, SupportedProtocolVersion, version};
use test_cluster::{ApiServer, ConnectionFault, TlsVersion};

use crate::support::{Client, config_with};

#[test]
fn versions_of_tls_are_as_asked() {
    let connects = |tls, versions: &[&'static SupportedProtocolVersion]| {
        let server = ApiServer::builder().tls(tls).start();
        let config = config_with(&server.ca_pem(), versions);
        Client::connect_with(&config, server.address(), "127.0.0.1").is_ok()
    };
    let (only12, only13) = ([&version::TLS12], [&version::TLS13]);
    assert!(connects(TlsVersion::Both, &only12) && connects(TlsVersion::Both, &only13));
    assert!(connects(TlsVersion::Only12, &only12) && !connects(TlsVersion::Only12, &only13));
    assert!(!connects(TlsVersion::Only13, &only12) && connects(TlsVersion::Only13, &only13));
}

#[test]
fn a_server_that_is_too_old_sends_an_alert() {
    let server = ApiServer::start();
    server.fault(ConnectionFault::TlsTooOld);
    let error = Client::connect(&server).err().unwrap();
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref());
    let expected = Error::AlertReceived(AlertDescription::ProtocolVersion);
    assert_eq!(alert, Some(&expected));
}
