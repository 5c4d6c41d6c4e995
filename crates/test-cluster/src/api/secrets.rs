//! Lists and single Secrets.

use std::sync::Mutex;

use serde::Serialize;

use super::{
    Behaviour,
    continue_token::{self, ContinueToken},
    json,
    selector::Selector,
    status::Status,
};
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
    from: Option<ContinueToken>,
    any_revision: bool,
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
        let state = locked(state);
        let newest = state.store.revision();
        // A negative revision is the newest; so is one that is yet to come.
        let revision = options
            .from
            .as_ref()
            .and_then(|from| u64::try_from(from.revision).ok())
            .map_or(newest, |revision| revision.min(newest));
        if state.store.is_compacted(revision) {
            let fresh = options.from.as_ref().map(ContinueToken::fresh);
            return json::status(&Status::expired(fresh.as_ref()));
        }
        let start = options.from.as_ref().map_or("", ContinueToken::start_name);
        let limit = options.limit(behaviour);
        let page = state.store.list(namespace, revision, start, limit, selects);
        (revision, page)
    };
    let next = page
        .last
        .map(|last| ContinueToken::after(&last, revision).encode());
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
        let from = value("continue")
            .map(continue_token::decode)
            .transpose()
            .map_err(|error| bad_request(&format!("invalid continue token: {error}")))?;
        Ok(Self {
            selector,
            limit,
            from,
            any_revision: value("resourceVersion") == Some("0"),
        })
    }

    /// The limit of a page. A list at any revision (`resourceVersion=0`) comes from the
    /// watch cache, which has no limit.
    fn limit(&self, behaviour: &Behaviour) -> Option<PageLimit> {
        let asked = self
            .limit
            .filter(|_| !self.any_revision || self.from.is_some());
        let most = [asked, behaviour.max_page].into_iter().flatten().min()?;
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
