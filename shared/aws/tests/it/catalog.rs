//! The Catalog table: the best movies of a partition, also where the requested content type is rare.

use reelhook_app::catalog::CatalogStore;
use reelhook_aws::catalog::CatalogTable;
use serde_json::{Value, json};

use crate::replay::dynamodb;

fn row(id: u32) -> Value {
    let movie = json!({
        "id": id, "title": format!("Movie {id}"), "platform": "Kanopy", "year": 2020, "imdb_score": 7.5,
        "imdb_votes": 10, "runtime_minutes": 90, "genres": ["Drama"], "content_type": "Série", "trailer_url": "",
        "poster_url": "", "streaming_url": "",
    });
    json!({ "shelf": { "S": "US#kanopy#drama" }, "body": { "S": movie.to_string() } })
}

#[tokio::test]
async fn a_rare_content_type_is_searched_beyond_the_first_rows() {
    let (client, calls) = dynamodb(|_, before| match before {
        0 => (200, json!({ "Items": [row(1)], "LastEvaluatedKey": { "rank": { "S": "2499" } } })),
        1 => (200, json!({ "Items": [], "LastEvaluatedKey": { "rank": { "S": "3000" } } })),
        _ => (200, json!({ "Items": [row(2), row(3), row(4)], "LastEvaluatedKey": { "rank": { "S": "4000" } } })),
    });
    let catalog = CatalogTable::new(client, "Catalog");
    let movies = catalog.best("US#kanopy#drama", Some("Série"), 3).await.unwrap();
    assert_eq!(movies.iter().map(|movie| movie.id).collect::<Vec<_>>(), [1, 2, 3]);
    let all = calls.all();
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].at("/ExclusiveStartKey/rank/S"), "3000");
    assert_eq!(all[0].at("/FilterExpression"), "content_type = :wanted");
}

#[tokio::test]
async fn a_search_without_a_match_ends_after_some_calls() {
    let endless = json!({ "Items": [], "LastEvaluatedKey": { "rank": { "S": "2499" } } });
    let (client, calls) = dynamodb(move |_, _| (200, endless.clone()));
    let catalog = CatalogTable::new(client, "Catalog");
    assert!(catalog.best("US#kanopy#drama", Some("Série"), 3).await.unwrap().is_empty());
    assert_eq!(calls.all().len(), 10);
}
