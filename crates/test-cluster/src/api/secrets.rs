//! Lists and single Secrets.

use std::sync::Mutex;

use serde::Serialize;

use super::{Behaviour, continue_token, json, selector::Selector, status::Status};
use crate::{
    http::Response,
    locked,
    state::{Access, Item, PageLimit, State},
};

/// The query of a list.
#[derive(Debug)]
struct ListOptions {
    selector: Selector,
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: ListMetadata,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_item_count: Option<usize>,
}

/// One page of a namespace's Secrets.
pub(crate) fn list(
    behaviour: &Behaviour,
    state: &Mutex<State>,
    access: &Access,
    query: &[(String, String)],
) -> Response {
    let options = match ListOptions::parse(query) {
        Ok(options) => options,
        Err(status) => return json::status(&status),
    };
    let namespace = access.namespace.as_str();
    let selects = |object: &_| options.selector.selects(namespace, object);
    let (revision, page) = {
        let store = &locked(state).store;
        let limit = options.limit(behaviour);
        let page = store.list(namespace, options.after.as_deref(), limit, selects);
        (store.revision(), page)
    };
    let next = page.last.map(|last| continue_token::after(&last, revision));
    let countable = options.selector.is_empty() && next.is_some();
    let list = List {
        kind: "SecretList",
        api_version: "v1",
        metadata: ListMetadata {
            resource_version: revision.to_string(),
            next,
            remaining_item_count: countable.then_some(page.remaining),
        },
        items: page
            .objects
            .iter()
            .map(|object| object.item(false))
            .collect(),
    };
    json::json(200, &list)
}

/// One Secret.
pub(crate) fn get(state: &Mutex<State>, access: &Access) -> Response {
    let object = locked(state).store.get(&access.namespace, &access.name);
    match object {
        Some(object) => json::json(200, &object.item(true)),
        None => json::status(&Status::not_found(access)),
    }
}

impl ListOptions {
    fn parse(query: &[(String, String)]) -> Result<Self, Box<Status>> {
        let value = |name: &str| {
            query
                .iter()
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.as_str())
        };
        if value("labelSelector").is_some() {
            return Err(Box::new(Status::not_implemented("label selectors")));
        }
        let selector = Selector::parse(value("fieldSelector").unwrap_or_default())
            .map_err(|error| bad_request(&error))?;
        let limit = match value("limit").map(|limit| (limit, limit.parse::<usize>())) {
            None => None,
            Some((_, Ok(limit))) => Some(limit).filter(|&limit| limit > 0),
            Some((limit, Err(_))) => {
                let message = format!("strconv.ParseInt: parsing {limit:?}: invalid syntax");
                return Err(bad_request(&message));
            }
        };
        let after = match value("continue") {
            None => None,
            Some(token) => {
                let last = continue_token::decode(token);
                Some(last.ok_or_else(|| bad_request(&"continue key is not valid"))?)
            }
        };
        Ok(Self {
            selector,
            limit,
            after,
        })
    }

    /// The limit of a page.
    fn limit(&self, behaviour: &Behaviour) -> Option<PageLimit> {
        let most = [self.limit, behaviour.max_page]
            .into_iter()
            .flatten()
            .min()?;
        Some(if behaviour.sparse_pages {
            PageLimit::Scanned(most)
        } else {
            PageLimit::Selected(most)
        })
    }
}

fn bad_request(message: &impl ToString) -> Box<Status> {
    Box::new(Status::bad_request(message.to_string()))
}
