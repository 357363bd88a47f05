//! The baseline of `cargo xtask bench warm`: a handler behind the API that makes the calls of DynamoDB in BARE_CALLS and
//! answers with BARE_ANSWER, without anything else that our functions do.

use std::collections::HashMap;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde_json::Value;

/// A call that is made for each request.
enum Call {
    Get(GetItemFluentBuilder),
    Put(PutItemFluentBuilder),
    Update(UpdateItemFluentBuilder),
    Query(QueryFluentBuilder),
    Transaction(TransactWriteItemsFluentBuilder),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let client = Client::new(&config);
    let given: Vec<Value> = serde_json::from_str(&std::env::var("BARE_CALLS")?)?;
    let calls = given.iter().map(|call| read(&client, call)).collect::<Result<Vec<Call>, Error>>()?;
    let answer = std::env::var("BARE_ANSWER")?;
    let (calls, answer) = (&calls, &answer);
    run(service_fn(move |_: Request| async move {
        for call in calls {
            make(call).await?;
        }
        let response = Response::builder().status(200).header("content-type", "application/json; charset=utf-8");
        Ok::<_, Error>(response.body(Body::from(answer.clone()))?)
    }))
    .await
}

async fn make(call: &Call) -> Result<(), Error> {
    match call {
        Call::Get(get) => drop(get.clone().send().await?),
        Call::Put(put) => drop(put.clone().send().await?),
        Call::Update(update) => drop(update.clone().send().await?),
        Call::Query(query) => drop(query.clone().send().await?),
        Call::Transaction(writes) => drop(writes.clone().send().await?),
    }
    Ok(())
}

fn read(client: &Client, call: &Value) -> Result<Call, Error> {
    let request = &call["request"];
    let text = |name: &str| request[name].as_str().map(str::to_owned);
    let attributes = |name: &str| request[name].as_object().map(|_| item(&request[name]));
    let names = || {
        let names = request["ExpressionAttributeNames"].as_object()?;
        Some(names.iter().filter_map(|(key, name)| Some((key.clone(), name.as_str()?.to_owned()))).collect())
    };
    let values = || attributes("ExpressionAttributeValues");
    Ok(match call["operation"].as_str().unwrap_or_default() {
        "GetItem" => Call::Get(
            client
                .get_item()
                .set_table_name(text("TableName"))
                .set_key(attributes("Key"))
                .set_consistent_read(request["ConsistentRead"].as_bool())
                .set_projection_expression(text("ProjectionExpression"))
                .set_expression_attribute_names(names()),
        ),
        "PutItem" => Call::Put(
            client
                .put_item()
                .set_table_name(text("TableName"))
                .set_item(attributes("Item"))
                .set_condition_expression(text("ConditionExpression"))
                .set_expression_attribute_names(names())
                .set_expression_attribute_values(values())
                .set_return_values_on_condition_check_failure(
                    text("ReturnValuesOnConditionCheckFailure")
                        .map(|name| ReturnValuesOnConditionCheckFailure::from(name.as_str())),
                ),
        ),
        "UpdateItem" => Call::Update(
            client
                .update_item()
                .set_table_name(text("TableName"))
                .set_key(attributes("Key"))
                .set_update_expression(text("UpdateExpression"))
                .set_condition_expression(text("ConditionExpression"))
                .set_expression_attribute_names(names())
                .set_expression_attribute_values(values())
                .set_return_values(text("ReturnValues").map(|name| ReturnValue::from(name.as_str()))),
        ),
        "Query" => Call::Query(
            client
                .query()
                .set_table_name(text("TableName"))
                .set_index_name(text("IndexName"))
                .set_key_condition_expression(text("KeyConditionExpression"))
                .set_projection_expression(text("ProjectionExpression"))
                .set_expression_attribute_names(names())
                .set_expression_attribute_values(values())
                .set_limit(request["Limit"].as_i64().and_then(|limit| i32::try_from(limit).ok()))
                .set_scan_index_forward(request["ScanIndexForward"].as_bool()),
        ),
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().into_iter().flatten();
            let writes = writes.map(write).collect::<Result<Vec<TransactWriteItem>, Error>>()?;
            Call::Transaction(client.transact_write_items().set_transact_items(Some(writes)))
        }
        other => {
            return Err(format!("BARE_CALLS has the operation `{other}`, which the bare handler can't make").into());
        }
    })
}

/// A write of a transaction.
fn write(of: &Value) -> Result<TransactWriteItem, Error> {
    let (kind, request) = of.as_object().and_then(|of| of.iter().next()).ok_or("a write of a transaction is empty")?;
    let text = |name: &str| request[name].as_str().map(str::to_owned);
    let attributes = |name: &str| request[name].as_object().map(|_| item(&request[name]));
    let names = request["ExpressionAttributeNames"]
        .as_object()
        .map(|names| names.iter().filter_map(|(key, name)| Some((key.clone(), name.as_str()?.to_owned()))).collect());
    let values = attributes("ExpressionAttributeValues");
    let write = TransactWriteItem::builder();
    Ok(match kind.as_str() {
        "Put" => {
            let put = Put::builder().set_table_name(text("TableName")).set_item(attributes("Item"));
            let put = put.set_condition_expression(text("ConditionExpression"));
            write.put(put.set_expression_attribute_names(names).set_expression_attribute_values(values).build()?)
        }
        "Update" => {
            let update = Update::builder().set_table_name(text("TableName")).set_key(attributes("Key"));
            let update = update.set_update_expression(text("UpdateExpression"));
            let update = update.set_condition_expression(text("ConditionExpression"));
            write.update(update.set_expression_attribute_names(names).set_expression_attribute_values(values).build()?)
        }
        other => return Err(format!("BARE_CALLS has the write `{other}`, which the bare handler can't make").into()),
    }
    .build())
}

fn item(value: &Value) -> HashMap<String, AttributeValue> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

/// A value in DynamoDB's JSON.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "S" => AttributeValue::S(value.as_str()?.to_owned()),
        "N" => AttributeValue::N(value.as_str()?.to_owned()),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(value.as_str()?).ok()?)),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(value.as_array()?.iter().filter_map(attribute).collect()),
        "M" => AttributeValue::M(item(value)),
        _ => return None,
    })
}
