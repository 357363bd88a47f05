//! The answers of the routes of credits.

use reelhook_app::credits::ledger::EntryPage;
use reelhook_app::credits::requests::AccountPage;
use reelhook_app::views::clips::ClipJobIdText;
use reelhook_app::views::wire::Time;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry};
use reelhook_domain::credits::price::Basis;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::request::ApiRequest;

/// An account with a page of its entries.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CreditAccount")]
pub struct AccountAnswer<'a> {
    /// The owner, or `operator` for the jobs that operators create.
    user_id: &'a str,
    /// The credits: the sum of all entries. Below 0 where a worker cut a source that was longer than was known.
    balance: i64,
    /// Credits that are reserved for attempts that are under way.
    reserved: u64,
    /// All credits that were ever added.
    total_earned: u64,
    /// All credits that were ever charged.
    total_spent: u64,
    /// The entries, the newest first.
    transactions: Vec<EntryAnswer<'a>>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    next_cursor: Option<String>,
}

/// An entry of an account; it never changes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CreditEntry")]
struct EntryAnswer<'a> {
    /// The id, which follows from the job and its attempt, or from the request that added credits.
    id: &'a str,
    /// What it is.
    #[schemars(extend("enum" = ["usage", "purchase", "bonus", "refund"]))]
    r#type: &'static str,
    /// The change of the balance: negative for `usage`.
    amount: i64,
    /// The balance after it.
    balance_after: i64,
    /// A sentence for people.
    description: &'a str,
    /// The clip job that it is about.
    #[schemars(with = "Option<ClipJobIdText>")]
    related_job_id: Option<&'a str>,
    /// What a charge is based on: the length of the `ranges`, of the source as the worker `reported` it or as it was
    /// `probed`, or of the `clips`; `minimum` if that length costs less than the minimum. Only with `usage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["ranges", "reported", "probed", "clips", "minimum"]))]
    basis: Option<&'static str>,
    /// When it was made.
    created_at: Time,
}

/// The answer with an account.
pub fn account_answer(of: &AccountPage) -> ApiAnswer {
    let EntryPage { entries, next } = &of.page;
    let next_cursor = next.as_deref().map(ApiRequest::write_cursor);
    ApiAnswer::json(200, &account(&of.account, &of.balance, entries, next_cursor))
}

/// The answer about added credits: the account with the new entry.
pub fn added_answer(to: &Account, balance: &Balance, entry: &Entry) -> ApiAnswer {
    ApiAnswer::json(201, &account(to, balance, std::slice::from_ref(entry), None))
}

fn account<'a>(
    of: &'a Account,
    balance: &Balance,
    entries: &'a [Entry],
    next_cursor: Option<String>,
) -> AccountAnswer<'a> {
    AccountAnswer {
        user_id: of.user_id(),
        balance: balance.balance,
        reserved: balance.reserved,
        total_earned: balance.earned,
        total_spent: balance.spent,
        transactions: entries.iter().map(entry).collect(),
        next_cursor,
    }
}

fn entry(of: &Entry) -> EntryAnswer<'_> {
    EntryAnswer {
        id: &of.id,
        r#type: of.kind.name(),
        amount: of.amount,
        balance_after: of.balance_after,
        description: &of.description,
        related_job_id: of.job.as_deref(),
        basis: of.basis.map(Basis::name),
        created_at: of.at.into(),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::credits::ledger::EntryKind;
    use reelhook_domain::{OwnerId, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    fn entry(kind: EntryKind, amount: i64, basis: Option<Basis>) -> Entry {
        Entry {
            id: "e".to_owned(),
            kind,
            amount,
            balance_after: 75,
            description: "A sentence".to_owned(),
            job: basis.map(|_| "550e8400-e29b-41d4-a716-446655440000".to_owned()),
            basis,
            at: Timestamp(1_704_110_400_000),
        }
    }

    fn body(answer: &ApiAnswer) -> Value {
        serde_json::from_str(&answer.body).unwrap()
    }

    #[test]
    fn an_account_has_the_members_of_the_contract() {
        let account = Account::Owner(OwnerId::parse("ann").unwrap());
        let balance = Balance { version: 3, balance: 75, reserved: 10, earned: 100, spent: 25 };
        let entries = vec![entry(EntryKind::Usage, -25, Some(Basis::Probed)), entry(EntryKind::Purchase, 100, None)];
        let page = EntryPage { entries, next: Some("2".to_owned()) };
        let expected = json!({
            "userId": "ann", "balance": 75, "reserved": 10, "totalEarned": 100, "totalSpent": 25,
            "transactions": [
                { "id": "e", "type": "usage", "amount": -25, "balanceAfter": 75, "description": "A sentence",
                  "relatedJobId": "550e8400-e29b-41d4-a716-446655440000", "basis": "probed",
                  "createdAt": "2024-01-01T12:00:00.000Z" },
                { "id": "e", "type": "purchase", "amount": 100, "balanceAfter": 75, "description": "A sentence",
                  "relatedJobId": null, "createdAt": "2024-01-01T12:00:00.000Z" },
            ],
            "nextCursor": ApiRequest::write_cursor("2"),
        });
        assert_eq!(body(&account_answer(&AccountPage { account, balance, page })), expected);
    }

    #[test]
    fn added_credits_are_shown_with_their_entry() {
        let answer = added_answer(&Account::Operator, &Balance::default(), &entry(EntryKind::Bonus, 5, None));
        let body = body(&answer);
        assert_eq!((answer.status, &body["userId"]), (201, &json!("operator")));
        assert_eq!(body["transactions"][0]["type"], "bonus");
        assert!(body.get("nextCursor").is_none());
    }
}
