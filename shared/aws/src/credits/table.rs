//! The Credits table, and its parts of transactions.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use reelhook_app::credits::ledger::Reservation;
use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry};

use crate::credits::rows;
use crate::errors::store_error;
use crate::items::{Item, n, read, s, text};

/// Attempts at a transaction: others that change the balance of the same account come first.
pub(crate) const ATTEMPTS: u32 = 40;

/// A row of a new id: nothing replaces it.
const NEW: &str = "attribute_not_exists(pk)";

/// The error of a transaction that found another balance at each attempt.
pub(crate) fn contended(operation: &'static str) -> StoreError {
    StoreError::Busy { operation, source: "the balance changed during each attempt".into() }
}

/// The Credits table.
#[derive(Debug, Clone)]
pub struct CreditTable {
    pub(super) client: aws_sdk_dynamodb::Client,
    pub(super) table: String,
}

impl CreditTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The parts of a transaction that make or raise a reservation, and with it this next version of the balance.
    pub(crate) fn reserve(&self, reservation: &Reservation, next: &Balance) -> [TransactWriteItem; 2] {
        let Reservation { account, id, credits, held, limited: _ } = reservation;
        let item = rows::reservation_item(account, id, *credits);
        let row = match held {
            None => self.new_row(item),
            Some(held) => self.raised_row(item, *held),
        };
        [row, self.balance_put(account, next)]
    }

    /// The balance of an account; an empty one if it has none.
    pub(crate) async fn stored_balance(&self, account: &Account) -> Result<Balance, StoreError> {
        let operation = "read balance";
        let item = self.get(operation, account, rows::BALANCE).await?;
        item.map_or_else(|| Ok(Balance::default()), |item| rows::read_balance(operation, &item))
    }

    /// The credits of an open reservation.
    pub(super) async fn reserved(&self, account: &Account, id: &str) -> Result<Option<u64>, StoreError> {
        let operation = "read reservation";
        let item = self.get(operation, account, &rows::reservation(id)).await?;
        item.map(|item| rows::count(operation, &item, "credits")).transpose()
    }

    /// The entry with an id.
    pub(super) async fn entry(&self, account: &Account, id: &str) -> Result<Option<Entry>, StoreError> {
        let operation = "read entry";
        let Some(marker) = self.get(operation, account, &rows::marker(id)).await? else { return Ok(None) };
        let sk = text(&marker, "entry").unwrap_or_default();
        let item = self.get(operation, account, sk).await?;
        item.map(|item| read(operation, &item, "body")).transpose()
    }

    /// The parts of a transaction that write the entry of the next version of the balance: first its marker, of which there
    /// is one for each id.
    pub(super) fn entry_parts(&self, account: &Account, entry: &Entry, next: &Balance) -> [TransactWriteItem; 3] {
        let marker = self.new_row(rows::marker_item(account, entry, next.version));
        let row = self.new_row(rows::entry_item(account, entry, next.version));
        [marker, self.balance_put(account, next), row]
    }

    /// The part of a transaction that replaces a balance by its next version.
    pub(super) fn balance_put(&self, account: &Account, next: &Balance) -> TransactWriteItem {
        let put = Put::builder().table_name(&self.table).set_item(Some(rows::balance_item(account, next)));
        let put = match next.version {
            0 | 1 => put.condition_expression(NEW),
            version => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", n(version - 1)),
        };
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// The part of a transaction that ends a reservation.
    pub(super) fn reservation_delete(&self, account: &Account, id: &str) -> TransactWriteItem {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(account.to_string()))
            .key("sk", s(rows::reservation(id)))
            .condition_expression("attribute_exists(pk)");
        TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
    }

    /// The part of a transaction that replaces an open reservation, which has so many credits.
    fn raised_row(&self, item: Item, held: u64) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("credits = :held")
            .expression_attribute_values(":held", n(held));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    fn new_row(&self, item: Item) -> TransactWriteItem {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(NEW);
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    async fn get(&self, operation: &'static str, account: &Account, sk: &str) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(account.to_string())).key("sk", s(sk));
        let answer = get.consistent_read(true).send().await;
        Ok(answer.map_err(|error| store_error(operation, error))?.item)
    }
}
