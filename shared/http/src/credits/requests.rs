//! Reads requests about credits (docs/contract/clipping.md, Credits).

use reelhook_app::credits::requests::NewCredits;
use reelhook_domain::OwnerId;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::EntryKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Caller;
use crate::clips::{below, routes::cursor};
use crate::idempotency::key_of_body;
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::routes;
use crate::typed;
use crate::typed::fields::{Text, Whole, with_cursor};

/// Entries of one page by default, and at most.
const PAGE: (i64, i64) = (50, 200);
/// The most credits that are added at once.
const MOST_CREDITS: i64 = 1_000_000_000;

/// The parameters of an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = with_cursor)]
pub struct CreditsQuery {
    /// The owner whose account an operator sees; `operator`, the default, for that of all jobs without an owner.
    user_id: Option<Text<{ OwnerId::LIMIT }>>,
    /// The maximum number of entries in the answer.
    #[schemars(extend("default" = PAGE.0))]
    limit: Option<Whole<1, { PAGE.1 }>>,
}

/// Credits that an operator adds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewCredits")]
pub struct CreditsBody {
    /// The owner who gets them; `operator`, the default, for the account of all jobs without an owner.
    user_id: Option<Text<{ OwnerId::LIMIT }>>,
    /// The credits.
    amount: Whole<1, MOST_CREDITS>,
    /// What they are.
    #[serde(default)]
    #[schemars(extend("default" = "purchase"))]
    r#type: AddedType,
    /// A sentence for people.
    description: Option<Text<200>>,
}

/// The type of credits that are added.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum AddedType {
    #[default]
    Purchase,
    Bonus,
    Refund,
}

impl AddedType {
    /// The type of the entry, and the sentence of one that has none.
    fn entry(self) -> (EntryKind, &'static str) {
        match self {
            Self::Purchase => (EntryKind::Purchase, "Credits purchased"),
            Self::Bonus => (EntryKind::Bonus, "Bonus credits"),
            Self::Refund => (EntryKind::Refund, "Credits refunded"),
        }
    }
}

/// A request about credits.
#[derive(Debug, Clone)]
pub enum Route {
    /// GET /ai-clipping-agent/credits
    Read {
        /// The account.
        account: Account,
        /// The position at which the entries continue.
        cursor: Option<String>,
        /// Entries at most.
        limit: usize,
    },
    /// POST /ai-clipping-agent/credits
    Add(Box<NewCredits>),
}

impl Route {
    /// Reads the route; none if the path is not one of credits.
    ///
    /// # Errors
    /// [`Problem`] for an unknown method, or names what is wrong; [`RequestProblem::OperatorOnly`] if an owner asks for
    /// another account, or adds credits.
    pub fn read(request: &ApiRequest, caller: &Caller) -> Result<Option<Self>, Problem> {
        let segments = request.segments();
        let Some(["credits"]) = below(&segments) else { return Ok(None) };
        match request.method.as_str() {
            "GET" => {
                let given: CreditsQuery = request.parameters()?;
                Ok(Some(Self::Read {
                    account: account(caller, given.user_id)?,
                    cursor: cursor(request)?,
                    limit: given.limit.map_or(PAGE.0 as usize, Whole::get),
                }))
            }
            "POST" => read_new(request, caller).map(|new| Some(Self::Add(Box::new(new)))),
            _ => Err(routes::unknown(request)),
        }
    }
}

/// The account that a caller means: an owner has only one.
fn account<const MOST: usize>(caller: &Caller, named: Option<Text<MOST>>) -> Result<Account, Problem> {
    let own = Account::of(caller.owner.as_ref());
    let Some(id) = named.and_then(Text::filled) else { return Ok(own) };
    let Some(named) = Account::of_user_id(&id) else {
        let right = format!("`operator`, or the `sub` of an owner, of at most {} bytes", OwnerId::LIMIT);
        return Err(bad("userId", right));
    };
    if caller.owner.is_some() && named != own {
        return Err(Problem::Request(RequestProblem::OperatorOnly));
    }
    Ok(named)
}

fn read_new(request: &ApiRequest, caller: &Caller) -> Result<NewCredits, Problem> {
    if caller.owner.is_some() {
        return Err(Problem::Request(RequestProblem::OperatorOnly));
    }
    let body = request.json()?;
    let given: CreditsBody = typed::read(&body)?;
    let (kind, described) = given.r#type.entry();
    Ok(NewCredits {
        account: account(caller, given.user_id)?,
        kind,
        credits: given.amount.get(),
        description: given.description.and_then(Text::filled).unwrap_or_else(|| described.to_owned()),
        key: key_of_body(request, caller, &body)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::request::{get_request, posting};

    const PATH: &str = "/api/ai-clipping-agent/credits";

    fn operator() -> Caller {
        Caller::known_as("root")
    }

    fn ann() -> OwnerId {
        OwnerId::parse("ann").unwrap()
    }

    fn shown(caller: &Caller, query: &[(&str, &str)]) -> Result<Account, Problem> {
        match Route::read(&get_request(PATH, query), caller)? {
            Some(Route::Read { account, .. }) => Ok(account),
            other => panic!("{other:?}"),
        }
    }

    fn added(caller: &Caller, body: &Value) -> Result<NewCredits, Problem> {
        match Route::read(&posting(PATH, body), caller)? {
            Some(Route::Add(new)) => Ok(*new),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_owner_sees_one_account_and_an_operator_all() {
        let owner = operator().owned_by(ann());
        assert_eq!(shown(&operator(), &[]), Ok(Account::Operator));
        assert_eq!(shown(&operator(), &[("userId", "ann")]), Ok(Account::Owner(ann())));
        assert_eq!(shown(&operator(), &[("userId", "operator")]), Ok(Account::Operator), "as answers call it");
        for query in [&[][..], &[("userId", "ann")]] {
            assert_eq!(shown(&owner, query), Ok(Account::Owner(ann())), "{query:?}");
        }
        let refused = Err(Problem::Request(RequestProblem::OperatorOnly));
        assert_eq!(shown(&owner, &[("userId", "bob")]), refused);
        assert_eq!(shown(&owner, &[("userId", "operator")]), refused);
        assert_eq!(shown(&operator(), &[("limit", "201")]).unwrap_err().path(), Some("limit"));
        assert!(matches!(Route::read(&get_request("/ai-clipping-agent/jobs", &[]), &operator()), Ok(None)));
    }

    #[test]
    fn only_an_operator_adds_credits() {
        let body = json!({ "userId": "ann", "amount": "100", "type": "bonus", "description": "Thank you" });
        let new = added(&operator(), &body).unwrap();
        assert_eq!((new.account, new.kind, new.credits), (Account::Owner(ann()), EntryKind::Bonus, 100));
        assert_eq!(new.description, "Thank you");
        let plain = added(&operator(), &json!({ "amount": 5 })).unwrap();
        assert_eq!((plain.account, plain.kind), (Account::Operator, EntryKind::Purchase));
        assert_eq!(plain.description, "Credits purchased");
        let named = added(&operator(), &json!({ "userId": "operator", "amount": 5 })).unwrap();
        assert_eq!(named.account, Account::Operator);
        let owner = operator().owned_by(ann());
        assert_eq!(added(&owner, &body).unwrap_err(), Problem::Request(RequestProblem::OperatorOnly));
        for (member, value) in [
            ("amount", json!(0)),
            ("amount", json!(-5)),
            ("amount", json!(1_000_000_001)),
            ("amount", json!(1.5)),
            ("type", json!("usage")),
            ("description", json!("x".repeat(201))),
            ("userId", json!("x".repeat(129))),
        ] {
            let mut body = json!({ "amount": 1 });
            body[member] = value;
            assert_eq!(added(&operator(), &body).unwrap_err().path(), Some(member), "{body}");
        }
        assert_eq!(added(&operator(), &json!({})).unwrap_err().path(), Some("amount"));
    }
}
