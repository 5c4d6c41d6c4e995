use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

fn settings(variables: &[(&str, &str)]) -> ProxySettings {
    ProxySettings::of(|name| {
        let mut set = variables.iter().filter(|(known, _)| *known == name);
        set.next().map(|(_, value)| (*value).to_owned())
    })
}

/// client-go's result for a server and an environment.
#[derive(Deserialize)]
struct Case {
    server: String,
    env: BTreeMap<String, String>,
    go_proxy: Option<String>,
}

/// A text that Go parses as a URL and then fails to connect with, or that is not
/// supported here.
fn is_useless(proxy: &str) -> bool {
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("", proxy));
    let host = rest.split('/').next().unwrap();
    let host = host.rsplit('@').next().unwrap();
    let port = host
        .rsplit_once(':')
        .map_or(Some(1), |(_, port)| super::port(port));
    !["http", "https", "socks5"].contains(&scheme)
        || host.starts_with(':')
        || port.is_none() && !host.ends_with(']')
        || host.is_empty()
}

#[test]
fn the_proxy_is_the_one_that_client_go_uses() {
    let text = include_str!("../../../tests/data/vectors/proxy.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for Case {
        server,
        env,
        go_proxy,
    } in cases
    {
        let name = format!("{server} {env:?}");
        let environment = ProxySettings::of(|name| env.get(name).cloned());
        let authority = server.trim_start_matches("https://").split('/').next();
        let address = Address::parse(authority.unwrap()).unwrap();
        let port = address.port.unwrap_or("443");
        let chosen = choose(None, &environment, &bracketed(&address.host), port);
        let Some(go_proxy) = go_proxy else {
            assert_eq!(chosen, Ok(None), "{name}");
            continue;
        };
        if is_useless(&go_proxy) {
            assert!(chosen.is_err(), "{name}: {chosen:?}");
            continue;
        }
        let through = chosen.unwrap().expect(&name);
        let expected = parse(&go_proxy).unwrap();
        assert_eq!(through.proxy, expected, "{name}");
    }
}

#[test]
fn a_kubeconfigs_proxy_comes_first_and_is_always_used() {
    let environment = settings(&[
        ("HTTPS_PROXY", "http://user:hunter2@env:3128"),
        ("NO_PROXY", "*"),
    ]);
    let chosen = choose(Some("http://kube:1"), &environment, "localhost", "6443");
    let said = chosen.unwrap().unwrap().to_string();
    assert_eq!(said, "through proxy kube:1 (the kubeconfig's proxy-url)");
    assert_eq!(choose(None, &environment, "api", "6443"), Ok(None));
    assert!(!format!("{environment:?}").contains("hunter2"));
}

#[test]
fn a_proxy_is_shown_with_its_origin_and_without_its_password() {
    for (variables, said) in [
        (
            &[
                ("HTTPS_PROXY", "http://u:hunter2@10.0.0.9:3128"),
                ("NO_PROXY", "a"),
            ][..],
            "through proxy 10.0.0.9:3128 (HTTPS_PROXY; NO_PROXY does not cover fd00::5)",
        ),
        (
            &[
                ("https_proxy", "https://[fd00::9]"),
                ("NO_PROXY", ""),
                ("no_proxy", "a"),
            ],
            "through proxy [fd00::9]:443 (https_proxy; no_proxy does not cover fd00::5)",
        ),
        (
            &[("HTTPS_PROXY", "proxy")],
            "through proxy proxy:80 (HTTPS_PROXY; NO_PROXY is not set)",
        ),
        (
            &[("HTTPS_PROXY", "Prüfung.example:03128")],
            "through proxy xn--prfung-4ya.example:3128 (HTTPS_PROXY; NO_PROXY is not set)",
        ),
    ] {
        let chosen = choose(None, &settings(variables), "[fd00::5]", "6443");
        assert_eq!(chosen.unwrap().unwrap().to_string(), said);
    }
}

#[test]
fn a_proxy_that_go_cannot_parse_is_not_used() {
    for url in [
        " http://p",
        "a{b:1",
        "http://p\t",
        "http://p\u{7f}",
        "http://u%zz@p",
        "p%4",
        "http://[fe80::1%lo]:1",
    ] {
        let chosen = choose(None, &settings(&[("HTTPS_PROXY", url)]), "api", "6443");
        assert_eq!(chosen, Ok(None), "{url:?}");
    }
}

#[test]
fn a_proxy_that_is_not_a_url_is_an_error_without_its_text() {
    for url in [
        "http://",
        "ftp://hunter2@x",
        "http://hunter2 x",
        "http://hunter2:0",
        "http://hunter2::1",
        "hunter2::1",
        "http:/hunter2",
        "http:hunter2",
        "socks4://x",
    ] {
        let error = choose(None, &settings(&[("HTTPS_PROXY", url)]), "api", "6443").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        choose(Some(url), &ProxySettings::default(), "api", "6443").unwrap_err();
    }
    for url in [
        "proxy:3128",
        "socks5h://proxy:1080",
        "http://proxy:x",
        "http://u%zz@proxy",
        "http://proxy\t",
        "",
        "//proxy",
    ] {
        choose(Some(url), &ProxySettings::default(), "api", "6443").unwrap_err();
    }
}
