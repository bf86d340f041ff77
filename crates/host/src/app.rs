//! Loads an application from its manifest.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use wasmtime::component::InstancePre;

use crate::{
    Options,
    allowed_hosts::AllowedHosts,
    cron::{CronComponent, Schedule},
    engine,
    http::HttpComponent,
    key_value::KeyValue,
    manifest::{Component, Manifest},
    outbound_http::HttpClient,
    postgres,
    routes::Routes,
    runtime::Runtime,
    state::{Grants, State},
    template, variables,
};

/// A loaded application.
pub(crate) struct App {
    pub(crate) runtime: Runtime,
    pub(crate) routes: Routes,
    pub(crate) http: BTreeMap<String, HttpComponent>,
    pub(crate) cron: Vec<(Schedule, Arc<CronComponent>)>,
}

type Compiled = BTreeMap<String, (Arc<Grants>, InstancePre<State>)>;

impl App {
    /// Reads the manifest and compiles its components concurrently.
    pub(crate) async fn load(options: Options) -> Result<Self> {
        let manifest = Manifest::read(&options.manifest)?;
        let variables = variables::values(&manifest.variables, options.variables)?;
        let key_value = KeyValue::new(&options.key_value_redis)?;
        let postgres = postgres::Pools::default();
        let http_client = HttpClient::default();
        let linker = engine::linker(&engine::engine(&engine::config(options.component_cache.as_deref()))?)?;

        let compiling = manifest.called().into_iter().map(async |name| {
            let component = &manifest.components[name];
            let grants =
                grants(name, component, &variables, key_value.clone(), postgres.clone(), http_client.clone());
            let grants = grants.with_context(|| format!("component \"{name}\""))?;
            let pre = engine::compile(&linker, &component.source).await?;
            anyhow::Ok((name.to_owned(), (Arc::new(grants), pre)))
        });
        let compiled: Compiled = try_join_all(compiling).await?.into_iter().collect();

        let runtime = Runtime::new(linker.engine().clone());
        let routes = manifest.trigger.http.iter();
        let routes = Routes::new(routes.map(|trigger| (trigger.route.as_str(), trigger.component.as_str())))?;
        Ok(Self {
            routes,
            http: http_components(&manifest, &runtime, &compiled)?,
            cron: cron_components(&manifest, &runtime, &compiled)?,
            runtime,
        })
    }
}

fn http_components(
    manifest: &Manifest,
    runtime: &Runtime,
    compiled: &Compiled,
) -> Result<BTreeMap<String, HttpComponent>> {
    let mut components = BTreeMap::new();
    for trigger in &manifest.trigger.http {
        let (grants, pre) = compiled[&trigger.component].clone();
        components.insert(trigger.component.clone(), HttpComponent::new(runtime.clone(), grants, pre)?);
    }
    Ok(components)
}

fn cron_components(
    manifest: &Manifest,
    runtime: &Runtime,
    compiled: &Compiled,
) -> Result<Vec<(Schedule, Arc<CronComponent>)>> {
    let mut components = Vec::new();
    for trigger in &manifest.trigger.cron {
        let schedule = Schedule::parse(&trigger.cron_expression)?;
        let (grants, pre) = compiled[&trigger.component].clone();
        components.push((schedule, Arc::new(CronComponent::new(runtime.clone(), grants, pre)?)));
    }
    Ok(components)
}

pub(crate) fn grants(
    name: &str,
    component: &Component,
    variables: &BTreeMap<String, String>,
    key_value: KeyValue,
    postgres: postgres::Pools,
    http_client: HttpClient,
) -> Result<Grants> {
    let own = component.variables.iter();
    let own = own.map(|(name, text)| anyhow::Ok((name.clone(), template::fill(text, variables)?)));
    let hosts = component.allowed_outbound_hosts.iter().map(|host| template::fill(host, variables));
    Ok(Grants {
        name: name.to_owned(),
        variables: own.collect::<Result<_>>()?,
        allowed_hosts: AllowedHosts::parse(&hosts.collect::<Result<Vec<_>>>()?)?,
        key_value_stores: component.key_value_stores.clone(),
        key_value,
        postgres,
        http_client,
    })
}
