//! A small HTTPS client that returns the parts of a response, and a cluster with the
//! Secrets of the recording.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use test_cluster::{ApiServer, Secret};

/// The list that the program under test asks for.
pub(crate) const LIST: &str =
    "/api/v1/namespaces/default/secrets?fieldSelector=type%3Dkubernetes.io%2Fdockerconfigjson";

// Long enough for the response of a slow machine, short enough to wait for a hang.
const PATIENCE: Duration = Duration::from_millis(700);

/// A TLS connection to a server.
pub(crate) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    token: Option<String>,
}

/// The parts of a response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status_line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: &ApiServer) -> io::Result<Self> {
        Self::connect_with(&config(&server.ca_pem()), server.address(), "127.0.0.1")
    }

    pub(crate) fn connect_with(
        config: &Arc<ClientConfig>,
        address: SocketAddr,
        name: &str,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self {
            stream: StreamOwned::new(connection, socket),
            token: None,
        })
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn send(&mut self, method: &str, target: &str, body: &str) {
        let token = self.token.as_ref();
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:6443\r\nUser-Agent: crio-credential-provider/0.1\r\n\
             {}Accept: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            authorization.unwrap_or_default(),
            body.len()
        );
        self.write(&request).unwrap();
    }

    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.try_get(target).unwrap()
    }

    pub(crate) fn try_get(&mut self, target: &str) -> io::Result<Answer> {
        self.send("GET", target, "");
        self.read_answer()
    }

    /// Reads one answer, and nothing beyond it.
    pub(crate) fn read_answer(&mut self) -> io::Result<Answer> {
        let head = self.read_until(b"\r\n\r\n")?;
        let mut answer = Answer::head(&String::from_utf8_lossy(&head))?;
        if let Some(length) = answer.headers.get("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut answer.body)?;
            return Ok(answer);
        }
        loop {
            let size = String::from_utf8(self.read_until(b"\r\n")?).map_err(io::Error::other)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(answer);
            }
            answer.body.extend_from_slice(&chunk[..size]);
        }
    }

    /// Reads at most `most` bytes, until the end or until no more bytes arrive.
    pub(crate) fn read_raw(&mut self, most: u64) -> (Vec<u8>, io::Result<()>) {
        let mut bytes = Vec::new();
        let result = (&mut self.stream).take(most).read_to_end(&mut bytes);
        (bytes, result.map(|_| ()))
    }

    fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(end) {
            self.stream.read_exact(&mut byte)?;
            bytes.push(byte[0]);
        }
        Ok(bytes)
    }
}

impl Answer {
    /// Status line and headers; an error if the text is not HTTP.
    pub(crate) fn head(text: &str) -> io::Result<Self> {
        let mut lines = text.lines();
        let status_line = lines.next().unwrap_or_default().to_owned();
        if !status_line.starts_with("HTTP/1.") {
            return Err(ErrorKind::InvalidData.into());
        }
        let headers = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Ok(Self {
            status_line,
            headers,
            body: Vec::new(),
        })
    }

    pub(crate) fn status(&self) -> u16 {
        let status = self.status_line.split(' ').nth(1).unwrap();
        status.parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The names of a list's objects.
    pub(crate) fn names(&self) -> Vec<String> {
        let json = self.json();
        let items = json["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The list's `continue`.
    pub(crate) fn next(&self) -> Option<String> {
        let json = self.json();
        json["metadata"]["continue"].as_str().map(str::to_owned)
    }
}

/// A client's TLS configuration that trusts only that CA.
pub(crate) fn config(ca_pem: &str) -> Arc<ClientConfig> {
    config_with(ca_pem, ALL_VERSIONS)
}

/// The same for a client that supports only these versions.
pub(crate) fn config_with(
    ca_pem: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A server whose `default` account may list, and a client with its token.
pub(crate) fn cluster() -> (ApiServer, Client) {
    let server = ApiServer::start();
    server.grant("default", "default");
    let token = server.token("default", "default");
    let client = Client::connect(&server).unwrap().token(&token);
    (server, client)
}

/// Adds the Secrets that the cluster had at the end of the recording.
pub(crate) fn put_recorded_secrets(server: &ApiServer) {
    put_my_secret(server);
    server.put_secret(
        "default",
        Secret::docker_config_json(
            "b-secret",
            r#"{"auths":{"https://registry.example.com:8443/team":{"username":"bob","password":"p:w\"d","email":"bob@example.com","auth":"Ym9iOnA6dyJk"}}}"#,
        ),
    );
    server.put_secret(
        "default",
        Secret::docker_config_json(
            "c-secret",
            r#"{"auths":{"localhost:5000":{"username":"myuser","password":"mypassword"},"https://index.docker.io/v1/":{"auth":"aHViOmh1YnB3"},"quay.io":{"identitytoken":"xyz"}}}"#,
        ),
    );
    server.put_secret("default", Secret::opaque("opaque", "a", "b"));
    server.put_secret(
        "default",
        Secret::dockercfg(
            "old-secret",
            r#"{"localhost:5000":{"username":"myuser","password":"mypassword","auth":"bXl1c2VyOm15cGFzc3dvcmQ="}}"#,
        ),
    );
}

/// The one Secret of the recording with an annotation.
pub(crate) fn put_my_secret(server: &ApiServer) {
    let json = "{\"auths\":{\"http://localhost:5000\":{\"username\":\"myuser\",\"password\":\"mypassword\",\"auth\":\"bXl1c2VyOm15cGFzc3dvcmQ=\"}}}\n";
    let applied = "{\"apiVersion\":\"v1\",\"data\":{\".dockerconfigjson\":\"eyJhdXRocyI6eyJodHRwOi8vbG9jYWxob3N0OjUwMDAiOnsidXNlcm5hbWUiOiJteXVzZXIiLCJwYXNzd29yZCI6Im15cGFzc3dvcmQiLCJhdXRoIjoiYlhsMWMyVnlPbTE1Y0dGemMzZHZjbVE9In19fQo=\"},\"kind\":\"Secret\",\"metadata\":{\"annotations\":{},\"name\":\"my-secret\",\"namespace\":\"default\"},\"type\":\"kubernetes.io/dockerconfigjson\"}\n";
    let secret = Secret::docker_config_json("my-secret", json)
        .with_annotation("kubectl.kubernetes.io/last-applied-configuration", applied);
    server.put_secret("default", secret);
}
