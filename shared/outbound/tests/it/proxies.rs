//! Proxy variables are ignored. A child process sets them, because a test can't change its own environment.

use std::env;
use std::process::Stdio;

use reelhook_app::outbound::HttpSender;
use tokio::process::Command;

use crate::server::{Server, answer, client_of, get};

const CHILD: &str = "REELHOOK_PROXY_TEST_CHILD";
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test]
async fn proxy_variables_change_nothing() {
    if env::var_os(CHILD).is_some() {
        return call_around_the_proxy().await;
    }

    let mut proxy = Server::start(vec![answer("200 OK", "", b"from the proxy")]).await;
    let mut child = Command::new(env::current_exe().expect("this test"));
    child.args(["--exact", "proxies::proxy_variables_change_nothing"]).env(CHILD, "1");
    for name in VARIABLES {
        child.env(name, format!("http://{}", proxy.address));
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        child.env_remove(name);
    }
    let output = child.stdin(Stdio::null()).output().await.expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));

    assert_eq!(proxy.requests().len(), 1, "the ordinary client's");
    assert_eq!(proxy.connections().await, 1);
}

async fn call_around_the_proxy() {
    let server = Server::start(vec![answer("200 OK", "", b"from the receiver")]).await;
    let response = client_of(&server).send(get(server.url("/"))).await.expect("an answer");
    assert_eq!(response.body.as_ref(), b"from the receiver");
    assert_eq!(response.peer, Some(server.address));

    // An ordinary client with the same variables uses the proxy, so they are effective.
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let ordinary = reqwest::Client::builder().tls_backend_preconfigured(tls).build().expect("a client");
    let response = ordinary.get(server.url("/")).send().await.expect("an answer");
    assert_eq!(response.text().await.expect("a body"), "from the proxy");
}
