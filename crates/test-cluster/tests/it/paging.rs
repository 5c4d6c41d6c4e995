//! Pages of one list, over a change, and as odd as the API allows.

use test_cluster::{ApiServer, Secret};

use crate::support::{Client, LIST, cluster};

#[test]
fn pages_hold_every_secret_once_in_the_order_of_names() {
    let (server, mut client) = cluster();
    let names = fill(&server, 25);
    let pages = pages(&mut client, &format!("{LIST}&limit=10"));
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [10, 10, 5]);
    assert_eq!(pages.concat(), names);
}

#[test]
fn a_page_is_full_even_if_the_selector_drops_most() {
    let (server, mut client) = cluster();
    for number in 0..10 {
        server.put_secret("default", Secret::opaque(&format!("o-{number}"), "k", "v"));
    }
    server.put_secret("default", Secret::docker_config_json("a", "{}"));
    server.put_secret("default", Secret::docker_config_json("z", "{}"));
    let pages = pages(&mut client, &format!("{LIST}&limit=2"));
    assert_eq!(pages, [["a", "z"]]);
}

#[test]
fn sparse_pages_may_be_empty_and_go_on() {
    let server = ApiServer::builder().sparse_pages(true).start();
    server.grant("default", "default");
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);
    server.put_secret("default", Secret::opaque("a", "k", "v"));
    server.put_secret("default", Secret::opaque("b", "k", "v"));
    server.put_secret("default", Secret::docker_config_json("c", "{}"));

    let pages = pages(&mut client, &format!("{LIST}&limit=1"));
    assert_eq!(pages, [vec![], vec![], vec!["c".to_owned()]]);
}

#[test]
fn the_server_may_end_pages_earlier_than_asked() {
    let server = ApiServer::builder().max_page(3).start();
    server.grant("default", "default");
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);
    let names = fill(&server, 7);
    for target in [LIST.to_owned(), format!("{LIST}&limit=500")] {
        let pages = pages(&mut client, &target);
        assert_eq!(pages.len(), 3, "{target}");
        assert_eq!(pages.concat(), names, "{target}");
    }
}

#[test]
fn json_is_put_into_the_list_as_it_is() {
    let (server, mut client) = cluster();
    let odd = serde_json::json!({"metadata": {"name": 5}, "data": ["<&>"]});
    server.put_secret("default", Secret::raw_json("odd", odd.clone()));
    assert_eq!(client.get(LIST).json()["items"][0], odd);
    let dockercfg = LIST.replace("dockerconfigjson", "dockercfg");
    assert_eq!(client.get(&dockercfg).json()["items"][0], odd);
}

/// Fills the namespace, and returns the names in order.
fn fill(server: &ApiServer, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("s-{number:04}")).collect();
    for name in names.iter().rev() {
        server.put_secret("default", Secret::docker_config_json(name, "{}"));
    }
    names
}

/// The names on all pages of a list.
fn pages(client: &mut Client, target: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = None;
    loop {
        let position = next.map(|next: String| format!("&continue={next}"));
        let page = client.get(&format!("{target}{}", position.unwrap_or_default()));
        assert_eq!(page.status(), 200);
        pages.push(page.names());
        next = page.next();
        if next.is_none() {
            return pages;
        }
    }
}
