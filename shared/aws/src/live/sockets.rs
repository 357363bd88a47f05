//! API Gateway as the port of open WebSocket connections.

use async_trait::async_trait;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_smithy_types::error::display::DisplayErrorContext;
use reelhook_app::live::ports::{Posted, Sockets};

/// The connections of a WebSocket API.
#[derive(Debug, Clone)]
pub struct Gateway {
    client: aws_sdk_apigatewaymanagement::Client,
}

impl Gateway {
    /// Those that this client reaches.
    pub fn new(client: aws_sdk_apigatewaymanagement::Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Sockets for Gateway {
    async fn post(&self, connection: &str, text: &str) -> Posted {
        let post = self.client.post_to_connection().connection_id(connection).data(Blob::new(text));
        match post.send().await {
            Ok(_) => Posted::Done,
            Err(error) if error.as_service_error().is_some_and(PostToConnectionError::is_gone_exception) => {
                Posted::Gone
            }
            Err(error) => Posted::Failed(DisplayErrorContext(&error).to_string()),
        }
    }

    async fn disconnect(&self, connection: &str) {
        let Err(error) = self.client.delete_connection().connection_id(connection).send().await else { return };
        if !error.as_service_error().is_some_and(DeleteConnectionError::is_gone_exception) {
            tracing::warn!(connection, error = %DisplayErrorContext(&error), "failed to close a connection");
        }
    }
}
