//! The functions of the stack: their names, variables, memory, event sources and processes.

use std::process::Command;

use serde_json::{Value, json};

use super::Aws;

impl Aws {
    /// The names of all functions, as [`Self::function`] takes them.
    pub async fn functions(&self) -> Vec<String> {
        let path = "/2015-03-31/functions/";
        let (status, answer, _) = self.call("lambda", "GET", path, None, &Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        let prefix = self.function("");
        let names = answer["Functions"].as_array().expect("a list").iter();
        let names = names.filter_map(|one| one["FunctionName"].as_str()?.strip_prefix(prefix.as_str()));
        names.map(str::to_owned).collect()
    }

    /// The environment variables of a function.
    pub async fn variables(&self, function: &str) -> Value {
        let (status, known, _) = self.call("lambda", "GET", &self.configuration(function), None, &Value::Null).await;
        assert_eq!(status, 200, "{known}");
        known["Environment"]["Variables"].clone()
    }

    /// Replaces the environment variables of a function, and ends its processes so that the next ones read them.
    pub async fn set_variables(&self, function: &str, variables: &Value) {
        let body = json!({ "Environment": { "Variables": variables } });
        let (status, answer, _) = self.call("lambda", "PUT", &self.configuration(function), None, &body).await;
        assert_eq!(status, 200, "{answer}");
        for pid in self.processes(function) {
            // The process may have ended by itself.
            kill(pid);
        }
    }

    /// The memory of a function in megabytes.
    pub async fn memory(&self, function: &str) -> u64 {
        let (status, known, _) = self.call("lambda", "GET", &self.configuration(function), None, &Value::Null).await;
        assert_eq!(status, 200, "{known}");
        known["MemorySize"].as_u64().expect("megabytes")
    }

    /// Gives a function this memory in megabytes.
    pub async fn set_memory(&self, function: &str, megabytes: u64) {
        let body = json!({ "MemorySize": megabytes });
        let (status, answer, _) = self.call("lambda", "PUT", &self.configuration(function), None, &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    fn configuration(&self, function: &str) -> String {
        format!("/2015-03-31/functions/{}/configuration", self.function(function))
    }

    /// The event source mappings of a function.
    pub async fn mappings(&self, function: &str) -> Vec<Value> {
        let path = format!("/2015-03-31/event-source-mappings/?FunctionName={}", self.function(function));
        let (_, answer, _) = self.call("lambda", "GET", &path, None, &Value::Null).await;
        answer["EventSourceMappings"].as_array().cloned().unwrap_or_default()
    }

    /// Enables or disables the event source mappings of a function.
    pub async fn set_mappings(&self, function: &str, enabled: bool) {
        for mapping in self.mappings(function).await {
            let path = format!("/2015-03-31/event-source-mappings/{}", mapping["UUID"].as_str().expect("an id"));
            let body = json!({ "Enabled": enabled });
            let (status, answer, _) = self.call("lambda", "PUT", &path, None, &body).await;
            assert!(status < 300, "{answer}");
        }
    }

    /// Process ids of a function's running bootstraps on this emulator, and no others.
    pub fn processes(&self, function: &str) -> Vec<u32> {
        let all = self.all_processes().into_iter();
        all.filter(|(name, _)| name == function).map(|(_, pid)| pid).collect()
    }

    /// The running bootstraps of all functions on this emulator: the function's name, as [`Self::function`] takes it, and
    /// the process id.
    pub fn all_processes(&self) -> Vec<(String, u32)> {
        let prefix = format!("AWS_LAMBDA_FUNCTION_NAME={}", self.function(""));
        let endpoint = format!("AWS_ENDPOINT_URL={}", self.functions_endpoint);
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
            let mut variables = environment.split(|byte| *byte == 0);
            if !variables.clone().any(|variable| variable == endpoint.as_bytes()) {
                continue;
            }
            let name = variables.find_map(|variable| variable.strip_prefix(prefix.as_bytes()));
            found.extend(name.map(|name| (String::from_utf8_lossy(name).into_owned(), pid)));
        }
        found
    }
}

/// Kills a process with SIGKILL, and returns whether it existed.
pub fn kill(pid: u32) -> bool {
    Command::new("kill").args(["-9", &pid.to_string()]).status().is_ok_and(|status| status.success())
}
