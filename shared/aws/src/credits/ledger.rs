//! The Credits table as the ledger: each step is one transaction on condition of the balance's version.

use async_trait::async_trait;
use reelhook_app::credits::ledger::{Addition, Charge, EntryPage, Ledger, PageStart, Settlement};
use reelhook_app::retry::Retry;
use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};

use crate::credits::rows;
use crate::credits::table::{ATTEMPTS, CreditTable, contended};
use crate::errors::store_error;
use crate::items::{Item, read, s, text};
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled};

/// The place of the entry's marker in the transaction of a charge.
const MARKER: usize = 1;

#[async_trait]
impl Ledger for CreditTable {
    async fn balance(&self, account: &Account) -> Result<Balance, StoreError> {
        self.stored_balance(account).await
    }

    async fn entries(&self, account: &Account, from: PageStart<'_>, limit: usize) -> Result<EntryPage, StoreError> {
        let operation = "list entries";
        let newest = match from {
            PageStart::AsOf(version) => Some(version),
            PageStart::After(cursor) => cursor.parse::<u64>().ok().and_then(|cursor| cursor.checked_sub(1)),
        };
        // A cursor that is none of ours finds nothing.
        let Some(newest) = newest else { return Ok(EntryPage { entries: Vec::new(), next: None }) };
        // One more than the page has says whether there is another page.
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :account AND sk BETWEEN :oldest AND :newest")
            .expression_attribute_values(":account", s(account.to_string()))
            .expression_attribute_values(":oldest", s(rows::entry(0)))
            .expression_attribute_values(":newest", s(rows::entry(newest)))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let found = answer.items();
        let listed = &found[..found.len().min(limit)];
        let next = listed.last().filter(|_| found.len() > limit).and_then(cursor_after);
        let entries = listed.iter().map(|item| read(operation, item, "body")).collect::<Result<_, _>>()?;
        Ok(EntryPage { entries, next })
    }

    async fn add(&self, addition: &Addition) -> Result<Entry, StoreError> {
        let operation = "add credits";
        let Addition { account, id, kind, credits, description, at } = addition;
        let waits = RetryClock::of(&self.client);
        let mut retry = Retry::new(&waits, ATTEMPTS);
        while retry.attempt().await {
            if let Some(known) = self.entry(account, id).await? {
                return Ok(known);
            }
            let balance = self.stored_balance(account).await?;
            let next = balance.add(*credits);
            let entry = Entry {
                id: id.clone(),
                kind: *kind,
                amount: next.balance.saturating_sub(balance.balance),
                balance_after: next.balance,
                description: description.clone(),
                job: None,
                basis: None,
                at: *at,
            };
            let parts = self.entry_parts(account, &entry, &next).into();
            match self.client.transact_write_items().set_transact_items(Some(parts)).send().await {
                Ok(_) => return Ok(entry),
                Err(error) => match cancelled(operation, error) {
                    // A repeat of this step or another step was first.
                    Cancelled::Condition(_) | Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(contended(operation))
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let operation = "settle credits";
        let Settlement { account, reservation, charge, .. } = settlement;
        let mut charge = charge.as_ref().filter(|charge| charge.credits > 0);
        let waits = RetryClock::of(&self.client);
        let mut retry = Retry::new(&waits, ATTEMPTS);
        while retry.attempt().await {
            let Some(reserved) = self.reserved(account, reservation).await? else { return Ok(()) };
            let balance = self.stored_balance(account).await?;
            let next = balance.settle(reserved, charge.map_or(0, |charge| charge.credits));
            let mut parts = vec![self.reservation_delete(account, reservation)];
            match charge {
                Some(charge) => {
                    let entry = usage(settlement, charge, &balance, &next);
                    parts.extend(self.entry_parts(account, &entry, &next));
                }
                None => parts.push(self.balance_put(account, &next)),
            }
            match self.client.transact_write_items().set_transact_items(Some(parts)).send().await {
                Ok(_) => return Ok(()),
                Err(error) => match cancelled(operation, error) {
                    Cancelled::Condition(MARKER) if charge.is_some() => {
                        tracing::error!(reservation, "an attempt was charged before, its reservation ends uncharged");
                        charge = None;
                    }
                    // Another step was first.
                    Cancelled::Condition(_) | Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(contended(operation))
    }
}

/// The entry of a charge.
fn usage(settlement: &Settlement, charge: &Charge, before: &Balance, after: &Balance) -> Entry {
    Entry {
        id: settlement.reservation.clone(),
        kind: EntryKind::Usage,
        amount: after.balance.saturating_sub(before.balance),
        balance_after: after.balance,
        description: charge.description.clone(),
        job: Some(charge.job.clone()),
        basis: Some(charge.basis),
        at: settlement.at,
    }
}

fn cursor_after(item: &Item) -> Option<String> {
    rows::version_of(text(item, "sk")?).map(|version| version.to_string())
}
